// Package digest makes content digests, and remembers what they were made of.
//
// Two things are digested. A directory becomes an [engine.Tree]:
//
//	tree, err := digest.Tree("cases/hello/workspace", os.DirFS("cases/hello/workspace"), nil)
//	fmt.Println(tree.Sum)
//
// Its sum covers each entry's path, kind, executable bit, content and link
// target, but no times, owners or other permission bits, which git does not
// keep either. A list of named parts becomes an [engine.Key]:
//
//	key := digest.NewKey("run/1").Add("prompt", text).AddSum("workspace", tree.Sum).Key()
//
// The first word of a key is the version of the protocol that it belongs to: a
// change in what a step does must change it, or stored results of the old way
// would be taken for results of the new one. Keys that have most of their parts
// in common are laid over one that holds those:
//
//	key := digest.Over(&base).Add("seed", "7").Key()
//
// The package is pure: files come in as fs.FS.
package digest

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// Bytes is the SHA-256 sum of b.
func Bytes(b []byte) engine.Digest { return sha256.Sum256(b) }

// Hash gives the digest that a running SHA-256 hash has come to.
func Hash(h hash.Hash) engine.Digest { return engine.Digest(h.Sum(nil)) }

// Tree reads a directory. What ignore reports true for is left out, with all
// that lies below it; a nil ignore leaves nothing out. Devices, sockets and
// pipes, and symbolic links that lead out of the tree, are errors.
func Tree(name string, fsys fs.FS, ignore func(path string, dir bool) bool) (*engine.Tree, error) {
	t := &engine.Tree{Path: name, FS: fsys}
	err := fs.WalkDir(fsys, ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if p == "." {
			if !d.IsDir() {
				return fmt.Errorf("%s is not a directory", name)
			}
			return nil
		}
		if ignore != nil && ignore(p, d.IsDir()) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		e, err := entry(fsys, p, d)
		if err != nil {
			return fmt.Errorf("%s: %w", path.Join(name, p), err)
		}
		t.Entries = append(t.Entries, e)
		return nil
	})
	if err != nil {
		return nil, err
	}
	finish(t)
	return t, nil
}

// File makes a tree of a single file, named by its base name.
func File(name string, fsys fs.FS, file string) (*engine.Tree, error) {
	info, err := fs.Lstat(fsys, file)
	if err != nil {
		return nil, err
	}
	e, err := entry(fsys, file, fs.FileInfoToDirEntry(info))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	t := &engine.Tree{Path: name, FS: single{fsys}, Entries: []engine.TreeEntry{e}}
	finish(t)
	return t, nil
}

// single marks the tree of a single file, whose path is that of the file itself.
type single struct{ fs.FS }

// PathOf is where an entry of a tree lies, relative to what the path of the tree
// is relative to. A merged tree has no such path; its parts are asked.
func PathOf(t *engine.Tree, e engine.TreeEntry) string {
	if _, ok := t.FS.(single); ok {
		return t.Path
	}
	return path.Join(t.Path, e.Path)
}

// Merge lays trees over each other. Directories may be in several of them; the
// same file twice is an error that names both.
func Merge(trees ...*engine.Tree) (*engine.Tree, error) {
	if len(trees) == 1 {
		return trees[0], nil
	}
	out := &engine.Tree{Merged: trees}
	owner, dirs := make(map[string]*engine.Tree), make(map[string]bool)
	var names []string
	for _, t := range trees {
		names = append(names, t.Path)
		for _, e := range t.Entries {
			if before, ok := owner[e.Path]; ok {
				if e.Mode.IsDir() && dirs[e.Path] {
					continue
				}
				return nil, fmt.Errorf("%s is both in %s and in %s", e.Path, before.Path, t.Path)
			}
			owner[e.Path], dirs[e.Path] = t, e.Mode.IsDir()
			if e.From == nil {
				e.From = t.FS
			}
			out.Entries = append(out.Entries, e)
		}
	}
	out.Path = strings.Join(names, " + ")
	finish(out)
	return out, nil
}

// Open opens a file of a tree, and reports ErrChanged at its end if the content
// is not the one that was digested, or at once if the file is gone.
func Open(t *engine.Tree, e engine.TreeEntry) (io.ReadCloser, error) {
	fsys := t.FS
	if e.From != nil {
		fsys = e.From
	}
	f, err := fsys.Open(e.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrChanged
	}
	if err != nil {
		return nil, err
	}
	return &verified{file: f, want: e.Sum, hash: sha256.New()}, nil
}

// ErrChanged reports a file that is not what it was when the plan was made.
var ErrChanged = errors.New("changed while bench was running; run the command again")

type verified struct {
	file fs.File
	want engine.Digest
	hash hash.Hash
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.file.Read(p)
	v.hash.Write(p[:n])
	if err == io.EOF && Hash(v.hash) != v.want {
		err = ErrChanged
	}
	return n, err
}

func (v *verified) Close() error { return v.file.Close() }

func entry(fsys fs.FS, p string, d fs.DirEntry) (engine.TreeEntry, error) {
	info, err := d.Info()
	if err != nil {
		return engine.TreeEntry{}, err
	}
	e := engine.TreeEntry{Path: p}
	switch {
	case d.IsDir():
		e.Mode = fs.ModeDir | 0o755
	case d.Type() == fs.ModeSymlink:
		e.Mode = fs.ModeSymlink | 0o777
		if e.Link, err = fs.ReadLink(fsys, p); err != nil {
			return e, err
		}
		if !fs.ValidPath(path.Join(path.Dir(p), e.Link)) || path.IsAbs(e.Link) {
			return e, fmt.Errorf("symbolic link to %q leads out of the directory", e.Link)
		}
	case d.Type().IsRegular():
		e.Mode, e.Size = 0o644|info.Mode().Perm()&0o111, info.Size()
		if e.Mode&0o111 != 0 {
			e.Mode = 0o755
		}
		f, err := fsys.Open(p)
		if err != nil {
			return e, err
		}
		defer f.Close()
		h := sha256.New()
		if e.Size, err = io.Copy(h, f); err != nil {
			return e, err
		}
		e.Sum = Hash(h)
	default:
		return e, fmt.Errorf("%s files cannot be used", d.Type())
	}
	return e, nil
}

func finish(t *engine.Tree) {
	slices.SortFunc(t.Entries, func(a, b engine.TreeEntry) int { return strings.Compare(a.Path, b.Path) })
	h := sha256.New()
	for _, e := range t.Entries {
		fmt.Fprintf(h, "%s %s %q %q\n", e.Mode, e.Sum, e.Path, e.Link)
	}
	t.Sum = Hash(h)
}
