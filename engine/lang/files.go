package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// stat looks for a file or directory of the project, and reports why there is
// none.
func (s *scope) stat(p string, r hcl.Range) (fs.FileInfo, bool) {
	info, err := fs.Stat(s.root, p)
	if err == nil {
		return info, true
	}
	if !errors.Is(err, fs.ErrNotExist) {
		s.unreadable(p, err, r)
		return nil, false
	}
	if link, err := fs.Lstat(s.root, p); err == nil && link.Mode()&fs.ModeSymlink != 0 {
		s.errorAt(r, "V17", "a link to nothing", "%s is a symbolic link, and what it points to is not there. Correct the link.", p)
		return nil, false
	}
	detail := fmt.Sprintf("There is no %s below the project root.", p)
	beside := path.Join(path.Dir(r.Filename), p)
	if _, err := fs.Stat(s.root, beside); err == nil && r.Filename != "" && beside != p {
		detail += fmt.Sprintf(" Did you mean \"./%s\", which is beside this file?", p)
	} else {
		detail += s.nearFile(p)
	}
	s.errorAt(r, "V17", "no such file or directory", "%s", detail)
	return nil, false
}

// unreadable reports a file that is there and cannot be read.
func (l *loader) unreadable(p string, err error, r hcl.Range) {
	l.errorAt(r, "V17", "cannot read a file", "%s", whyUnreadable(p, err))
}

func whyUnreadable(p string, err error) string {
	err = cause(err)
	if leadsOut(err) {
		return fmt.Sprintf("%s is a symbolic link that leads out of the project root. Put the file itself there.", p)
	}
	return fmt.Sprintf("%s: %v.", p, err)
}

// leadsOut reports whether a file was refused because a link leads out of the
// root. The library has no name for this error.
func leadsOut(err error) bool {
	return err != nil && strings.Contains(err.Error(), "path escapes")
}

// exists reports a file of the project that is not there, or is a directory.
func (b *body) exists(name, p string) {
	if info, ok := b.stat(p, b.place(name)); ok && info.IsDir() {
		b.notFile(p, b.place(name))
	}
}

func (s *scope) notFile(p string, r hcl.Range) {
	s.errorAt(r, "V17", "not a file", "%s is a directory. Name a file.", p)
}

// dir reports a directory of the project that is not there, or is a file.
func (s *scope) dir(p string, r hcl.Range) bool {
	info, ok := s.stat(p, r)
	if ok && !info.IsDir() {
		s.errorAt(r, "V17", "not a directory", "%s is a file. Name the directory that it lies in, or another one.", p)
		return false
	}
	return ok
}

// tree reads a directory of the project, or a single file.
func (s *scope) tree(p string, r hcl.Range) *engine.Tree {
	for _, key := range []string{"directory " + p, "file " + p} {
		if t, ok := s.trees[key]; ok {
			return t
		}
	}
	info, ok := s.stat(p, r)
	if !ok {
		return nil
	}
	if info.IsDir() {
		return s.readTree("directory "+p, p, r, func(sub fs.FS) (*engine.Tree, error) { return digest.Tree(p, sub, nil) })
	}
	return s.file(p, r)
}

// dirTree reads a directory of the project.
func (s *scope) dirTree(p string, r hcl.Range) *engine.Tree {
	if !s.dir(p, r) {
		return nil
	}
	return s.tree(p, r)
}

// file reads a file of the project as a tree of one entry.
func (s *scope) file(p string, r hcl.Range) *engine.Tree {
	info, ok := s.stat(p, r)
	if !ok {
		return nil
	}
	if info.IsDir() {
		s.notFile(p, r)
		return nil
	}
	if link, err := fs.Lstat(s.root, p); err == nil && link.Mode()&fs.ModeSymlink != 0 {
		s.errorAt(r, "V17", "not a file", "%s is a symbolic link, which would be copied as such. Name the file that it points to.", p)
		return nil
	}
	return s.readTree("file "+p, path.Dir(p), r, func(sub fs.FS) (*engine.Tree, error) { return digest.File(p, sub, path.Base(p)) })
}

// buildContext reads a build context, less what its .dockerignore leaves out.
func (s *scope) buildContext(p, dockerfile string, r hcl.Range) *engine.Tree {
	if !s.dir(p, r) {
		return nil
	}
	ignore, err := s.dockerignore(p, dockerfile)
	if err != nil {
		s.errorAt(r, "V09", "unusable .dockerignore", "%s/.dockerignore: %v.", p, err)
		return nil
	}
	return s.readTree("context "+p+" "+dockerfile, p, r, func(sub fs.FS) (*engine.Tree, error) { return digest.Tree(p, sub, ignore) })
}

// dockerignore says what the .dockerignore of a directory leaves out: never the
// Dockerfile.
func (s *scope) dockerignore(p, dockerfile string) (func(string, bool) bool, error) {
	f, err := s.root.Open(path.Join(p, ".dockerignore"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	patterns, err := ignorefile.ReadAll(f)
	if err != nil {
		return nil, err
	}
	m, err := patternmatcher.New(patterns)
	if err != nil {
		return nil, err
	}
	return func(name string, dir bool) bool {
		hit, _ := m.MatchesOrParentMatches(name)
		return hit && (!dir || !m.Exclusions()) && name != dockerfile
	}, nil
}

// readTree digests files once, however many blocks name them.
func (s *scope) readTree(key, dir string, r hcl.Range, read func(fs.FS) (*engine.Tree, error)) *engine.Tree {
	if t, ok := s.trees[key]; ok {
		return t
	}
	sub, err := fs.Sub(s.root, dir)
	var t *engine.Tree
	if err == nil {
		t, err = read(sub)
	}
	if err != nil {
		s.errorAt(r, "V17", "unusable files", "%v. bench copies only files, directories, and links that stay inside.", err)
		return nil
	}
	s.trees[key] = t
	return t
}
