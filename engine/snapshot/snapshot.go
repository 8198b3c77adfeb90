// Package snapshot moves files between the project, the sandbox of an agent and
// the sandbox of a check, as tar streams that nobody can play tricks with.
//
//	project ──WriteTree──► agent's sandbox ──Clean──► stored snapshot
//	                                                       │
//	project ──(protected files)──────────────────────► Restore ──► check's sandbox
//
// What an agent leaves is hostile until proven otherwise. [Clean] lets pass
// directories, plain files, and links that stay inside; devices, pipes, sockets,
// links that lead out and names that could confuse a reader are left out, and
// are listed. [Writer.Restore] puts a stored snapshot back with the protected files
// as the case has them.
//
// Where an agent must install programs, [Changes] keeps instead what it changed in
// the whole file system, and [Writer.RestoreFilesystem] puts that over the image.
//
// The package is pure: streams in, streams out.
package snapshot

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// Limits bound a snapshot.
type Limits struct {
	Bytes   int64 // of all files together
	Entries int   // files, directories and links
}

// DefaultLimits hold a few checkpoints and a virtual environment.
var DefaultLimits = Limits{Bytes: 4 << 30, Entries: 200_000}

// ErrTooLarge reports that what an agent left outgrew the limits of a snapshot.
var ErrTooLarge = errors.New("what the agent left is too large for a snapshot")

// maxNames bounds the names of all entries together, in bytes: they are kept in
// memory while a snapshot is made.
const maxNames = 64 << 20

var errLongNames = fmt.Errorf("%w: the names of files take more than %d bytes", ErrTooLarge, maxNames)

// maxLeft bounds how many refused entries are listed by name.
const maxLeft = 50

// Clean copies the tar stream of a workspace from r to w. In r all names begin
// with the name of the directory itself, as a Docker engine writes them; in w
// they are relative to it. Left lists what was refused, and why; it is nil if
// nothing was. The error wraps ErrTooLarge if a limit was passed.
func Clean(r io.Reader, w io.Writer, limits Limits) (left []string, err error) {
	c := &cleaner{in: tar.NewReader(r), out: tar.NewWriter(w), limits: limits, files: map[string]bool{}, links: map[string]bool{}}
	for {
		h, err := c.in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return c.list(), fmt.Errorf("reading the workspace: %w", err)
		}
		if err := c.entry(h); err != nil {
			return c.list(), err
		}
	}
	return c.list(), c.out.Close()
}

type cleaner struct {
	in      *tar.Reader
	out     *tar.Writer
	limits  Limits
	bytes   int64
	entries int
	names   int             // bytes of all names
	files   map[string]bool // plain files that were let pass: what a hard link may name
	links   map[string]bool // symbolic links that were let pass: nothing may lie below them
	refusals
}

func (c *cleaner) entry(h *tar.Header) error {
	name, ok := inner(h.Name)
	if ok && name == "." {
		return nil // the directory itself
	}
	if c.entries++; c.entries > c.limits.Entries {
		return c.limits.tooMany()
	}
	if c.names += len(h.Name); c.names > maxNames {
		return errLongNames
	}
	if !ok {
		c.refuse(h.Name, "odd name")
		return nil
	}
	if c.belowLink(name) {
		c.refuse(name, "below a symbolic link")
		return nil
	}
	out := &tar.Header{Name: name, Mode: h.Mode & 0o777, ModTime: h.ModTime.UTC().Truncate(time.Second), Format: tar.FormatPAX}
	switch h.Typeflag {
	case tar.TypeDir:
		out.Typeflag, out.Name = tar.TypeDir, name+"/"
	case tar.TypeReg:
		out.Typeflag, out.Size = tar.TypeReg, h.Size
	case tar.TypeSymlink:
		if !staysInside(name, h.Linkname) {
			c.refuse(name, "symbolic link that leads out of the workspace")
			return nil
		}
		out.Typeflag, out.Linkname = tar.TypeSymlink, h.Linkname
	case tar.TypeLink:
		target, ok := inner(h.Linkname)
		if !ok || !c.files[target] {
			c.refuse(name, "hard link to something else than a file of the workspace")
			return nil
		}
		out.Typeflag, out.Linkname = tar.TypeLink, target
	default:
		c.refuse(name, "neither a file, a directory nor a link")
		return nil
	}
	return c.pass(name, out)
}

// belowLink reports whether a name lies below a symbolic link that was let pass:
// where it really lies, and where its own ".." leads, is for the link to say.
func (c *cleaner) belowLink(name string) bool {
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if c.links[d] {
			return true
		}
	}
	return false
}

// pass writes an entry, with its content.
func (c *cleaner) pass(name string, out *tar.Header) error {
	switch out.Typeflag {
	case tar.TypeReg:
		if c.bytes += out.Size; c.bytes > c.limits.Bytes {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.limits.Bytes)
		}
		c.files[name] = true
	case tar.TypeSymlink:
		c.links[name] = true
	}
	if err := c.out.WriteHeader(out); err != nil || out.Typeflag != tar.TypeReg {
		return err
	}
	_, err := io.Copy(c.out, c.in)
	return err
}

func (l Limits) tooMany() error {
	return fmt.Errorf("%w: more than %d files", ErrTooLarge, l.Entries)
}

// Refusals lists entries that were left out, and why.
type refusals struct {
	left    []string
	refused int
}

func (r *refusals) refuse(name, why string) {
	r.refused++
	if len(r.left) < maxLeft {
		r.left = append(r.left, strconv.QuoteToGraphic(name)+": "+why)
	}
}

// list is nil if nothing was refused.
func (r *refusals) list() []string {
	if r.refused > maxLeft {
		return append(r.left, fmt.Sprintf("and %d more", r.refused-maxLeft))
	}
	return r.left
}

// inner strips the first component of a name. It is not ok if the name could
// mean something else than a path below it, or could confuse a terminal.
func inner(name string) (string, bool) {
	for part := range strings.SplitSeq(name, "/") {
		if part == ".." {
			return "", false
		}
	}
	_, rest, ok := strings.Cut(path.Clean("/" + name)[1:], "/")
	if !ok {
		return ".", true
	}
	return rest, plainName(rest)
}

func plainName(name string) bool {
	if len(name) > 1024 || !utf8.ValidString(name) || strings.Contains(name, `\`) {
		return false
	}
	for _, r := range name {
		if !strconv.IsPrint(r) && r != '\u00a0' {
			return false
		}
	}
	return true
}

// staysInside reports whether a symbolic link can be followed without leaving
// the tree. Only leading ".." are let pass: after another name they may mean
// something else than they seem to, since that name may be a link itself.
func staysInside(name, target string) bool {
	if target == "" || path.IsAbs(target) || !plainName(target) {
		return false
	}
	depth := strings.Count(name, "/")
	leading := true
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; !leading || depth < 0 {
				return false
			}
		default:
			leading = false
		}
	}
	return true
}
