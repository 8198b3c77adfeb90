package local

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// unpack writes a tar stream below a directory. No link leads it astray, whoever
// made it: the stream may hold what an agent has left.
func unpack(dir string, r io.Reader) error {
	for in := tar.NewReader(r); ; {
		h, err := in.Next()
		if err == io.EOF {
			_, err = io.Copy(io.Discard, r) // the padding after the end
			return err
		}
		if err != nil {
			return err
		}
		if err := unpackEntry(dir, h, in); err != nil {
			return fmt.Errorf("%s: %w", h.Name, err)
		}
	}
}

func unpackEntry(dir string, h *tar.Header, content io.Reader) error {
	at, err := place(dir, h.Name)
	if err != nil {
		return err
	}
	if h.Typeflag != tar.TypeDir {
		if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	mode := h.FileInfo().Mode()
	switch h.Typeflag {
	case tar.TypeDir:
		if err := os.Mkdir(at, 0o700); err != nil && !isDir(at) {
			return err
		}
	case tar.TypeReg:
		f, err := os.OpenFile(at, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(f, content)
		if err = errors.Join(err, f.Close()); err != nil {
			return err
		}
	case tar.TypeSymlink:
		return errors.Join(os.Symlink(h.Linkname, at), os.Lchown(at, h.Uid, h.Gid))
	case tar.TypeLink:
		to, err := place(dir, h.Linkname)
		if err != nil {
			return err
		}
		return os.Link(to, at)
	default:
		return fmt.Errorf("entries of type %q are not for sandboxes", h.Typeflag)
	}
	return errors.Join(os.Lchown(at, h.Uid, h.Gid), os.Chmod(at, mode), os.Chtimes(at, h.ModTime, h.ModTime))
}

// place is where an entry goes. Its parents are made, and are directories.
func place(dir, name string) (string, error) {
	name = path.Clean("/" + name)
	for parent := range parents(name) {
		at := filepath.Join(dir, parent)
		if isDir(at) {
			continue
		}
		if err := os.Mkdir(at, 0o755); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, name), nil
}

// parents gives the directories above an absolute path, from the top.
func parents(name string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for i := 1; i < len(name); i++ {
			if name[i] == '/' && !yield(name[:i]) {
				return
			}
		}
	}
}

func isDir(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

// pack writes a directory as a tar stream, whose names begin with its own. Nobody
// else may change it meanwhile. Sockets, which mean nothing elsewhere, stay.
func pack(dir string, w io.Writer) error {
	out := tar.NewWriter(w)
	linked := map[uint64]string{} // the first name of a file that has several, by its number
	err := filepath.WalkDir(dir, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(filepath.Dir(dir), at)
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode()&fs.ModeSocket != 0 {
			return err
		}
		return packEntry(out, at, rel, info, linked)
	})
	if err != nil {
		return err
	}
	return out.Close()
}

func packEntry(out *tar.Writer, at, name string, info fs.FileInfo, linked map[uint64]string) error {
	link := ""
	if info.Mode()&fs.ModeSymlink != 0 {
		var err error
		if link, err = os.Readlink(at); err != nil {
			return err
		}
	}
	h, err := tar.FileInfoHeader(nameless{info}, link)
	if err != nil {
		return err
	}
	h.Name, h.Format = name, tar.FormatPAX
	h.AccessTime, h.ChangeTime = time.Time{}, time.Time{} // reading it again gives the same
	if info.IsDir() {
		h.Name += "/"
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && info.Mode().IsRegular() && stat.Nlink > 1 {
		if first, ok := linked[stat.Ino]; ok {
			h.Typeflag, h.Linkname, h.Size = tar.TypeLink, first, 0
		} else {
			linked[stat.Ino] = name
		}
	}
	if err := out.WriteHeader(h); err != nil || h.Typeflag != tar.TypeReg {
		return err
	}
	f, err := os.OpenFile(at, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(out, f)
	return err
}

// nameless keeps package tar from looking up what users are called.
type nameless struct{ fs.FileInfo }

func (nameless) Uname() (string, error) { return "", nil }
func (nameless) Gname() (string, error) { return "", nil }
