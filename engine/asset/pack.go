package asset

import (
	"archive/tar"
	"fmt"
	"io"
	"path"
	"strings"
)

// packed is what a fixture wrote, in the archive of it.
const packed = "asset"

// Pack copies a tar stream, as snapshot.Clean writes it, of the directory that a
// fixture has for itself, and keeps of it what says the same each time: names,
// contents, links, and whether a file can be executed. The directory must hold
// name, a file or a directory, and nothing else. The error is a *FinalError if it
// does not.
func Pack(w io.Writer, r io.Reader, name string) error {
	in, out := tar.NewReader(r), tar.NewWriter(w)
	found := false
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		h.Name = strings.TrimSuffix(h.Name, "/")
		rest, ok := strings.CutPrefix(h.Name, name)
		if !ok || rest != "" && rest[0] != '/' {
			return final("it wrote %q, and not only %q", h.Name, name)
		}
		if rest == "" && h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeDir {
			return final("%q is a link, and not a file or a directory", name)
		}
		found = true
		if err := pack(out, h, rest, name, in); err != nil {
			return err
		}
	}
	if !found {
		return final("it wrote nothing at %q", name)
	}
	return out.Close()
}

func pack(out *tar.Writer, h *tar.Header, rest, name string, content io.Reader) error {
	mode := int64(0o644)
	if h.Typeflag == tar.TypeDir || h.Mode&0o111 != 0 {
		mode = 0o755
	}
	to := header(h.Typeflag, packed+rest, mode)
	switch h.Typeflag {
	case tar.TypeDir:
	case tar.TypeReg:
		to.Size = h.Size
	case tar.TypeSymlink:
		if !within(path.Dir(h.Name), h.Linkname, name) {
			return final("the link %q leads out of %q", h.Name, name)
		}
		to.Linkname = h.Linkname
	case tar.TypeLink:
		to.Linkname = packed + strings.TrimPrefix(h.Linkname, name)
	default:
		return fmt.Errorf("%q is of a kind that no snapshot has", h.Name)
	}
	if err := out.WriteHeader(to); err != nil {
		return err
	}
	return copyAll(out, content)
}

// within reports whether a link in a directory leads to something of a name.
func within(dir, link, name string) bool {
	to := path.Join(dir, link)
	return !path.IsAbs(link) && (to == name || strings.HasPrefix(to, name+"/"))
}
