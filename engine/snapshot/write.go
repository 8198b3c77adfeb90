package snapshot

import (
	"archive/tar"
	"cmp"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// A Writer writes the files that a sandbox starts with. Directories come before
// what lies in them, and each only once.
type Writer struct {
	tar  *tar.Writer
	dirs map[string]bool
}

// NewWriter writes to w until Close.
func NewWriter(w io.Writer) *Writer { return &Writer{tar.NewWriter(w), map[string]bool{}} }

// Close ends the stream; it does not close what it writes to.
func (w *Writer) Close() error { return w.tar.Close() }

// Place says where files go, whose they are, and whether others may read them.
type Place struct {
	Dir     string // absolute path in the sandbox
	Owner   engine.User
	Private bool // nobody but the owner can read them
}

func (p Place) header(name string, mode fs.FileMode) *tar.Header {
	perm := int64(mode.Perm())
	if p.Private {
		perm &= 0o700
	}
	return &tar.Header{
		Name: strings.TrimPrefix(path.Join(p.Dir, name), "/"), Mode: perm,
		Uid: p.Owner.UID, Gid: p.Owner.GID, ModTime: engine.TreeTime, Format: tar.FormatPAX,
	}
}

// Dir makes a directory. Parents that are missing get made by the engine.
func (w *Writer) Dir(p Place) error {
	h := p.header("", 0o755)
	h.Name += "/"
	return w.dir(h)
}

func (w *Writer) dir(h *tar.Header) error {
	if w.dirs[h.Name] {
		return nil
	}
	w.dirs[h.Name] = true
	h.Typeflag = tar.TypeDir
	return w.tar.WriteHeader(h)
}

// File writes one file.
func (w *Writer) File(p Place, name string, content []byte) error {
	h := p.header(name, 0o644)
	h.Typeflag, h.Size = tar.TypeReg, int64(len(content))
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.tar.Write(content)
	return err
}

// Tree writes a directory and all that a tree holds. A nil tree is an empty
// directory. The error wraps digest.ErrChanged if a file is not what it was.
func (w *Writer) Tree(p Place, t *engine.Tree) error {
	if p.Dir != "/" {
		if err := w.Dir(p); err != nil {
			return err
		}
	}
	if t == nil {
		return nil
	}
	for _, e := range t.Entries {
		if err := w.entry(p, t, e); err != nil {
			return fmt.Errorf("%s: %w", path.Join(t.Path, e.Path), err)
		}
	}
	return nil
}

func (w *Writer) entry(p Place, t *engine.Tree, e engine.TreeEntry) error {
	h := p.header(e.Path, e.Mode)
	switch {
	case e.Mode.IsDir():
		h.Name += "/"
		return w.dir(h)
	case e.Mode&fs.ModeSymlink != 0:
		h.Typeflag, h.Linkname = tar.TypeSymlink, e.Link
		return w.tar.WriteHeader(h)
	}
	h.Typeflag, h.Size = tar.TypeReg, e.Size
	f, err := digest.Open(t, e)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := w.tar.WriteHeader(h); err != nil {
		return err
	}
	if n, err := io.Copy(w.tar, io.LimitReader(f, e.Size)); err != nil || n != e.Size {
		return cmp.Or(err, digest.ErrChanged)
	}
	_, err = io.Copy(io.Discard, f) // to the end, where the content is compared
	return err
}

// Protected are the files of a case's workspace that an agent may not change.
type Protected struct {
	Workspace *engine.Tree // as the case has it; may be nil
	Globs     []string
}

func (p Protected) match(name string) bool {
	return slices.ContainsFunc(p.Globs, func(g string) bool { return doublestar.MatchUnvalidated(g, name) })
}

// Restore writes a stored snapshot to a place, with the protected files as the
// case has them: changed and deleted ones come back, added ones are dropped.
// Changed lists those on which the agent's tree differed, sorted.
func (w *Writer) Restore(p Place, snap io.Reader, protected Protected) (changed []string, err error) {
	return w.restore(p, snap, protected, false)
}

// RestoreFilesystem writes a stored snapshot of a file system over that of the
// image, in which what is [Deleted] must not be any more. Files keep their owners.
// What is said of Restore holds for the workspace at p.
func (w *Writer) RestoreFilesystem(p Place, snap io.Reader, protected Protected) (changed []string, err error) {
	return w.restore(p, snap, protected, true)
}

func (w *Writer) restore(p Place, snap io.Reader, protected Protected, whole bool) (changed []string, err error) {
	r := &restorer{Writer: w, place: p, whole: whole, protected: protected, pristine: map[string]engine.TreeEntry{}, parents: map[string]bool{}, seen: map[string]engine.Digest{}, dropped: map[string]bool{}}
	if err := w.Dir(p); err != nil {
		return nil, err
	}
	r.index()
	in := tar.NewReader(snap)
	for {
		h, err := in.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("stored snapshot: %w", err)
		}
		if err := r.entry(h, in); err != nil {
			return nil, err
		}
	}
	return r.finish()
}

type restorer struct {
	*Writer
	place     Place
	whole     bool // names are relative to "/", and not to the place
	protected Protected
	pristine  map[string]engine.TreeEntry // protected entries of the case, by path
	parents   map[string]bool             // directories that lead to them
	seen      map[string]engine.Digest    // protected entries of the snapshot, with their content
	dropped   map[string]bool             // other entries that were not copied
}

func (r *restorer) index() {
	if r.protected.Workspace == nil {
		return
	}
	for _, e := range r.protected.Workspace.Entries {
		if !r.protected.match(e.Path) || e.Mode.IsDir() {
			continue
		}
		r.pristine[e.Path] = e
		for d := path.Dir(e.Path); d != "."; d = path.Dir(d) {
			r.parents[d] = true
		}
	}
}

// entry copies one entry of the snapshot, unless a protected one takes its place.
func (r *restorer) entry(h *tar.Header, content io.Reader) error {
	if r.whole && marked(h.Name) {
		return nil
	}
	name, inside := r.local(strings.TrimSuffix(h.Name, "/"))
	if !inside {
		return r.outside(h, content)
	}
	isDir := h.Typeflag == tar.TypeDir
	if r.protected.match(name) && !isDir || r.below(name) {
		return r.note(name, h, content)
	}
	if r.parents[name] && !isDir {
		r.dropped[name] = true
		return nil // a link or a file where a directory has to be: it would lead the restored file astray
	}
	if _, taken := r.pristine[name]; taken {
		return nil // a directory where a protected file has to be
	}
	if h.Typeflag == tar.TypeLink && r.gone(h.Linkname) {
		r.seen[name] = engine.Digest{} // a second name of a file that is not there
		return nil
	}
	out := *h
	out.Format = tar.FormatPAX // in the one that it was read with, a longer name may not fit
	out.Name = strings.TrimPrefix(path.Join(r.place.Dir, name), "/")
	if !r.whole {
		out.Uid, out.Gid, out.Uname, out.Gname = r.place.Owner.UID, r.place.Owner.GID, "", ""
	}
	switch h.Typeflag {
	case tar.TypeDir:
		out.Name += "/"
		out.Mode |= 0o700 // or nobody but root could restore what lies in it
		return r.dir(&out)
	case tar.TypeLink:
		if !r.whole {
			out.Linkname = strings.TrimPrefix(path.Join(r.place.Dir, h.Linkname), "/")
		}
	}
	if err := r.tar.WriteHeader(&out); err != nil {
		return err
	}
	_, err := io.Copy(r.tar, content)
	return err
}

// local is the name of an entry in the workspace, if it is there.
func (r *restorer) local(name string) (rel string, inside bool) {
	if !r.whole {
		return name, true
	}
	dir := relative(r.place.Dir)
	if name == dir {
		return ".", false // it has been made
	}
	rel, inside = strings.CutPrefix(name, dir+"/")
	return rel, inside
}

// outside copies an entry that does not lie in the workspace.
func (r *restorer) outside(h *tar.Header, content io.Reader) error {
	switch {
	case h.Typeflag == tar.TypeDir:
		return r.dir(h)
	case h.Typeflag == tar.TypeLink && r.gone(h.Linkname):
		return nil
	}
	if err := r.tar.WriteHeader(h); err != nil {
		return err
	}
	_, err := io.Copy(r.tar, content)
	return err
}

// below reports whether a name lies under a path that is a protected file.
func (r *restorer) below(name string) bool {
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if _, ok := r.pristine[d]; ok {
			return true
		}
	}
	return false
}

// gone reports whether an entry of the workspace was not copied.
func (r *restorer) gone(name string) bool {
	name, inside := r.local(name)
	if !inside {
		return false
	}
	_, ok := r.seen[name]
	return ok || r.dropped[name]
}

// note remembers what the agent had made of a protected entry.
func (r *restorer) note(name string, h *tar.Header, content io.Reader) error {
	if h.Typeflag != tar.TypeReg {
		r.seen[name] = engine.Digest{}
		return nil
	}
	sum := sha256.New()
	if _, err := io.Copy(sum, content); err != nil {
		return err
	}
	r.seen[name] = digest.Hash(sum)
	return nil
}

// finish writes the protected files, and compares them with what the agent had.
func (r *restorer) finish() (changed []string, err error) {
	for name := range r.seen {
		if _, ok := r.pristine[name]; !ok {
			changed = append(changed, name)
		}
	}
	if r.protected.Workspace == nil {
		slices.Sort(changed)
		return changed, nil
	}
	for _, e := range r.protected.Workspace.Entries {
		if _, ok := r.pristine[e.Path]; !ok {
			if e.Mode.IsDir() && r.parents[e.Path] {
				if err := r.Writer.entry(r.place, r.protected.Workspace, e); err != nil {
					return nil, err
				}
			}
			continue
		}
		if sum, ok := r.seen[e.Path]; !ok || sum != e.Sum {
			changed = append(changed, e.Path)
		}
		if err := r.Writer.entry(r.place, r.protected.Workspace, e); err != nil {
			return nil, err
		}
	}
	slices.Sort(changed)
	return changed, nil
}
