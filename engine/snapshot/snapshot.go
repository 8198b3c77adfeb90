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
// are listed. [Restore] puts a stored snapshot back with the protected files as
// the case has them.
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

// ErrTooLarge reports a workspace that outgrew the limits of a snapshot.
var ErrTooLarge = errors.New("workspace too large for a snapshot")

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
			return c.left, fmt.Errorf("reading the workspace: %w", err)
		}
		if err := c.entry(h); err != nil {
			return c.left, err
		}
	}
	if c.refused > maxLeft {
		c.left = append(c.left, fmt.Sprintf("and %d more", c.refused-maxLeft))
	}
	return c.left, c.out.Close()
}

type cleaner struct {
	in      *tar.Reader
	out     *tar.Writer
	limits  Limits
	bytes   int64
	entries int
	files   map[string]bool // plain files that were let pass: what a hard link may name
	links   map[string]bool // symbolic links that were let pass: nothing may lie below them
	left    []string
	refused int
}

func (c *cleaner) entry(h *tar.Header) error {
	name, ok := inner(h.Name)
	if ok && name == "." {
		return nil // the directory itself
	}
	if c.entries++; c.entries > c.limits.Entries {
		return fmt.Errorf("%w: more than %d files", ErrTooLarge, c.limits.Entries)
	}
	if !ok {
		c.refuse(h.Name, "odd name")
		return nil
	}
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if c.links[d] { // where it really lies, and where its own ".." leads, is for the link to say
			c.refuse(name, "below a symbolic link")
			return nil
		}
	}
	out := &tar.Header{Name: name, Mode: h.Mode & 0o777, ModTime: h.ModTime.UTC().Truncate(time.Second), Format: tar.FormatPAX}
	switch h.Typeflag {
	case tar.TypeDir:
		out.Typeflag, out.Name = tar.TypeDir, name+"/"
	case tar.TypeReg:
		if c.bytes += h.Size; c.bytes > c.limits.Bytes {
			return fmt.Errorf("%w: more than %d bytes", ErrTooLarge, c.limits.Bytes)
		}
		out.Typeflag, out.Size = tar.TypeReg, h.Size
		c.files[name] = true
	case tar.TypeSymlink:
		if !staysInside(name, h.Linkname) {
			c.refuse(name, "symbolic link that leads out of the workspace")
			return nil
		}
		out.Typeflag, out.Linkname = tar.TypeSymlink, h.Linkname
		c.links[name] = true
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
	if err := c.out.WriteHeader(out); err != nil {
		return err
	}
	if out.Typeflag != tar.TypeReg {
		return nil
	}
	_, err := io.Copy(c.out, c.in)
	return err
}

func (c *cleaner) refuse(name, why string) {
	c.refused++
	if len(c.left) < maxLeft {
		c.left = append(c.left, strconv.QuoteToGraphic(name)+": "+why)
	}
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
