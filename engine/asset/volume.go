package asset

import (
	"archive/tar"
	"bufio"
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A File is an asset in the cache. It stays there until the cache is closed.
type File struct {
	Sum  engine.Digest // of the file, or of the archive of what a fixture wrote
	Size int64         // bytes

	cache *Cache
	entry entry
}

// Open reads the file from its beginning. At the end comes an error that wraps
// ErrDamaged if it is not what was stored, and then nobody is given it again.
func (f *File) Open() (io.ReadCloser, error) {
	in, err := os.Open(f.cache.path(f.entry, ""))
	if err != nil {
		return nil, errors.Join(ErrDamaged, err)
	}
	return &reader{file: f, in: in, sum: sha256.New()}, nil
}

type reader struct {
	file *File
	in   *os.File
	sum  hash.Hash
}

func (r *reader) Read(p []byte) (int, error) {
	n, err := r.in.Read(p)
	r.sum.Write(p[:n])
	if err == io.EOF && digest.Hash(r.sum) != r.file.Sum {
		return n, errors.Join(ErrDamaged, r.file.distrust())
	}
	return n, err
}

func (r *reader) Close() error { return r.in.Close() }

// distrust makes whoever asks for the file next look at all of it.
func (f *File) distrust() error {
	err := os.Remove(f.cache.path(f.entry, recordSuffix))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// A Placed is a file with its place in a sandbox.
type Placed struct {
	Target string // absolute path; not in "/" itself
	File   *File
}

// Volumes gives the directories that show files at their places: one for all that
// have the same directory around them, or one within it. A volume has nothing
// else in it, so what an image has in such a directory cannot be seen.
func Volumes(files []Placed) []sandbox.Volume {
	files = slices.Clone(files)
	slices.SortFunc(files, func(a, b Placed) int {
		return cmp.Or(strings.Compare(path.Dir(a.Target), path.Dir(b.Target)), strings.Compare(a.Target, b.Target))
	})
	var out []sandbox.Volume
	for len(files) > 0 {
		root := path.Dir(files[0].Target)
		inside := func(p Placed) bool { return strings.HasPrefix(p.Target, root+"/") }
		var own, others []Placed
		for _, p := range files {
			if inside(p) {
				own = append(own, p)
			} else {
				others = append(others, p)
			}
		}
		out = append(out, volume(root, own))
		files = others
	}
	return out
}

func volume(root string, files []Placed) sandbox.Volume {
	key := "asset"
	for _, p := range files {
		key += fmt.Sprintf("\n%s %s %s", p.File.entry.kind, p.File.Sum, strings.TrimPrefix(p.Target, root+"/"))
	}
	return sandbox.Volume{Key: key, Target: root, Files: func(w io.Writer) error {
		out := tar.NewWriter(w)
		made := map[string]bool{}
		for _, p := range files {
			name := strings.TrimPrefix(p.Target, root+"/")
			if err := parents(out, name, made); err != nil {
				return err
			}
			if err := p.File.write(out, name); err != nil {
				return fmt.Errorf("asset at %s: %w", p.Target, err)
			}
		}
		return out.Close()
	}}
}

// parents writes the directories around a name, each once.
func parents(out *tar.Writer, name string, made map[string]bool) error {
	dir := path.Dir(name)
	if dir == "." || made[dir] {
		return nil
	}
	if err := parents(out, dir, made); err != nil {
		return err
	}
	made[dir] = true
	return out.WriteHeader(header(tar.TypeDir, dir, 0o755))
}

// write writes what the file stands for, under a name.
func (f *File) write(out *tar.Writer, name string) error {
	in, err := f.Open()
	if err != nil {
		return err
	}
	defer in.Close()
	if f.entry.kind == kindFile {
		h := header(tar.TypeReg, name, 0o644)
		h.Size = f.Size
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if err := copyAll(out, io.LimitReader(in, f.Size)); err != nil {
			return err
		}
		return copyAll(io.Discard, in) // to the end, where the sum is compared
	}
	buffered := bufio.NewReaderSize(in, 1<<20)
	archive := tar.NewReader(buffered)
	for {
		h, err := archive.Next()
		if err == io.EOF {
			return copyAll(io.Discard, buffered) // to the end, where the sum is compared
		}
		if err != nil {
			_ = copyAll(io.Discard, buffered)
			return errors.Join(ErrDamaged, f.distrust(), err)
		}
		h.Name = strings.TrimSuffix(name+strings.TrimPrefix(h.Name, packed), "/")
		if h.Typeflag == tar.TypeDir {
			h.Name += "/"
		}
		if h.Typeflag == tar.TypeLink {
			h.Linkname = name + strings.TrimPrefix(h.Linkname, packed)
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if err := copyAll(out, archive); err != nil {
			return err
		}
	}
}

func copyAll(w io.Writer, r io.Reader) error {
	_, err := io.Copy(w, r)
	return err
}

// header is that of a file for everybody to read, which belongs to root.
func header(kind byte, name string, mode int64) *tar.Header {
	if kind == tar.TypeDir {
		name += "/"
	}
	return &tar.Header{Typeflag: kind, Name: name, Mode: mode, ModTime: engine.TreeTime, Format: tar.FormatPAX}
}
