package snapshot

import (
	"archive/tar"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"
	"unicode/utf8"
)

// Changes are what an agent changed in the file system of its sandbox, against
// the image. They are found first, by name, and then copied:
//
//	c := snapshot.NewChanges(snapshot.DefaultLimits, "/workspace")
//	err := c.Add("/usr/local/bin/tool", false) // for each
//	left, err := c.Clean(r, w)                 // r: the whole file system
//
// What comes out is a layer in the format of container images: first the marks of
// what was deleted (empty files, ".wh." before the name), then what was added and
// changed, with its owners, which a file system needs to work. Rights do not come
// along: no set-user-id, no capabilities.
//
// Symbolic links may lead anywhere, since they stay in the sandbox; but nothing is
// let pass that lies below one.
type Changes struct {
	limits  Limits
	workdir string   // relative to "/", as all names here
	skipped []string // with all below
	entries int
	kept    map[string]bool // what changed, and the directories that lead there
	deleted map[string]bool
	names   int // bytes of all names
	marks   int // bytes that the names of deleted files take
	refusals
}

// The marks of deleted files, as image layers have them.
const deletedMark = ".wh."

// maxDeleted bounds the names of deleted files, in bytes: they have to fit into
// the arguments of the one command that deletes them again. Each takes a few
// bytes beside its name.
const (
	maxDeleted  = 1 << 20
	deletedCost = 16
)

// reserved are the places that are never part of what an agent left: those of the
// kernel, what lives in memory, and those of bench.
var reserved = []string{"proc", "sys", "dev", "run", "tmp", "bench", ".bench", "check", "setup", "solution", ".dockerenv"}

// NewChanges keeps what is in the workspace, whose absolute path is workdir, and
// in all other places but those that are reserved or skipped, such as mounts.
func NewChanges(limits Limits, workdir string, skip ...string) *Changes {
	c := &Changes{limits: limits, workdir: relative(workdir), skipped: slices.Clone(reserved), kept: map[string]bool{}, deleted: map[string]bool{}}
	for _, dir := range skip {
		c.skipped = append(c.skipped, relative(dir))
	}
	return c
}

func relative(name string) string { return path.Clean("/" + name)[1:] }

// Add notes that something changed at an absolute path: it was added, changed, or
// what the image has there was deleted, whatever lies there now. The error wraps
// ErrTooLarge once these are too many.
func (c *Changes) Add(name string, deleted bool) error {
	rel := relative(name)
	if rel == "" || c.skips(rel) {
		return nil
	}
	if c.entries++; c.entries > c.limits.Entries {
		return c.limits.tooMany()
	}
	if c.names += len(name); c.names > maxNames {
		return errLongNames
	}
	if "/"+rel != name || oddChange(rel) {
		c.refuse(name, "odd name")
		return nil
	}
	if deleted && !c.deleted[rel] {
		if c.marks += len(rel) + deletedCost; c.marks > maxDeleted {
			return fmt.Errorf("%w: the names of deleted files take more than %d bytes", ErrTooLarge, maxDeleted)
		}
		c.deleted[rel] = true
	}
	for d := rel; d != "." && !c.kept[d]; d = path.Dir(d) {
		c.kept[d] = true
	}
	return nil
}

// oddChange is about names that cannot be stored: those that cannot be in any
// snapshot, that mean something else in a layer, and that may have been another
// name, since U+FFFD stands for bytes that are no text.
func oddChange(name string) bool {
	return !plainName(name) || marked(name) || strings.ContainsRune(name, utf8.RuneError)
}

func (c *Changes) skips(name string) bool {
	return slices.ContainsFunc(c.skipped, func(dir string) bool { return within(dir, name) })
}

// within reports whether name is dir or lies below it.
func within(dir, name string) bool {
	rest, ok := strings.CutPrefix(name, dir)
	return ok && (rest == "" || rest[0] == '/')
}

// marked reports whether a part of a name means something else in a layer.
func marked(name string) bool { return strings.Contains("/"+name, "/"+deletedMark) }

// Clean copies from r, the tar stream of the whole file system, to w what changed.
// Left and the error are those of the function [Clean].
func (c *Changes) Clean(r io.Reader, w io.Writer) (left []string, err error) {
	out := &cleaner{in: tar.NewReader(r), out: tar.NewWriter(w), limits: c.limits, files: map[string]bool{}, links: map[string]bool{}, refusals: c.refusals}
	for _, name := range slices.Sorted(maps.Keys(c.deleted)) {
		dir, base := path.Split(name)
		mark := &tar.Header{Typeflag: tar.TypeReg, Name: dir + deletedMark + base, Mode: 0o600, Format: tar.FormatPAX}
		if err := out.out.WriteHeader(mark); err != nil {
			return out.list(), err
		}
	}
	for {
		h, err := out.in.Next()
		if err == io.EOF {
			return out.list(), out.out.Close()
		}
		if err != nil {
			return out.list(), fmt.Errorf("reading the file system: %w", err)
		}
		if err := c.entry(out, h); err != nil {
			return out.list(), err
		}
	}
}

func (c *Changes) entry(to *cleaner, h *tar.Header) error {
	name := relative(h.Name)
	if !c.kept[name] || !plainPath(h.Name) {
		return nil
	}
	if to.belowLink(name) {
		to.refuse(name, "below a symbolic link")
		return nil
	}
	if within(name, c.workdir) && h.Typeflag != tar.TypeDir {
		to.refuse(name, "the workspace is there or below, so it has to be a directory")
		return nil
	}
	out := &tar.Header{
		Typeflag: h.Typeflag, Name: name, Mode: h.Mode & 0o777, Uid: h.Uid, Gid: h.Gid,
		ModTime: h.ModTime.UTC().Truncate(time.Second), Format: tar.FormatPAX,
	}
	switch h.Typeflag {
	case tar.TypeDir:
		out.Name += "/"
		out.Mode = h.Mode & 0o3777 // who may delete in it, and whose group new files get
	case tar.TypeReg:
		out.Size = h.Size
	case tar.TypeSymlink:
		if h.Linkname == "" || !plainName(h.Linkname) {
			to.refuse(name, "symbolic link to an odd name")
			return nil
		}
		out.Linkname = h.Linkname
	case tar.TypeLink:
		out.Linkname = relative(h.Linkname)
		if !plainPath(h.Linkname) || !to.files[out.Linkname] && !c.ofImage(out.Linkname) {
			to.refuse(name, "hard link to something that is not kept")
			return nil
		}
	default:
		to.refuse(name, "neither a file, a directory nor a link")
		return nil
	}
	return to.pass(name, out)
}

// ofImage reports whether what has a name in the stream is as the image has it.
func (c *Changes) ofImage(name string) bool {
	return name != "" && !c.kept[name] && !oddChange(name) && !c.skips(name)
}

// plainPath reports whether a name says where it leads: it has no "..".
func plainPath(name string) bool {
	return !slices.Contains(strings.Split(name, "/"), "..")
}

// Deleted lists the absolute paths that a snapshot of a file system says were
// deleted from the image. It reads no further than these.
func Deleted(snap io.Reader) ([]string, error) {
	var out []string
	for in := tar.NewReader(snap); ; {
		h, err := in.Next()
		if err == io.EOF {
			return out, nil
		}
		if err != nil {
			return nil, fmt.Errorf("stored snapshot: %w", err)
		}
		dir, base := path.Split(h.Name)
		name, ok := strings.CutPrefix(base, deletedMark)
		if !ok {
			return out, nil
		}
		out = append(out, "/"+dir+name)
	}
}
