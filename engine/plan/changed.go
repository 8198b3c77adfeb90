package plan

import (
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/ml-dev-bench/bench/engine"
)

// lockFile pins images. What it pins is in many trials, and what it no longer
// pins cannot be seen.
const lockFile = "bench.lock.hcl"

// changes tell which trials are decided by files that have changed. What one
// thing says is asked once, since many cells share it.
type changes struct {
	files map[string]bool
	list  []string // the same
	reads map[string][]string
	all   bool // something has changed that decides every trial
	known map[any]bool
}

func newChanges(s *engine.Suite, files []string) *changes {
	c := &changes{files: map[string]bool{}, list: files, reads: s.Reads, known: map[any]bool{}}
	for _, f := range files {
		c.files[f] = true
	}
	c.all = c.files[lockFile] || c.benchfile(s.Pos.File)
	return c
}

// decide reports whether the trials of a cell are decided by a file that has
// changed.
func (c *changes) decide(cell *cell) bool {
	return c.all ||
		c.once(cell.m, func() bool { return c.benchfile(cell.m.Pos.File) }) ||
		c.once(cell.c, func() bool { return c.inCase(cell.c) }) ||
		c.once(cell.a, func() bool {
			return c.benchfile(cell.a.Pos.File) || cell.a.Layer != nil && c.inTree(cell.a.Layer.Context)
		}) ||
		cell.model != nil && c.once(cell.model, func() bool {
			p := cell.model.Provider
			return c.benchfile(cell.model.Pos.File) || c.benchfile(p.Pos.File) || c.inTree(p.Script)
		}) ||
		cell.model != nil && c.recording(cell)
}

// recording: that of one of the trials of a cell. Others may lie in the same
// cassette.
func (c *changes) recording(cell *cell) bool {
	p := cell.model.Provider
	if p.Mode != engine.ModeReplay || !c.once(p, func() bool { return c.under(p.Cassette) }) {
		return false
	}
	id := cell.id()
	for n := range cell.trials {
		id.N = n + 1
		if c.files[path.Join(p.Cassette, id.Recording())] {
			return true
		}
	}
	return false
}

func (c *changes) once(thing any, ask func() bool) bool {
	answer, known := c.known[thing]
	if !known {
		answer = ask()
		c.known[thing] = answer
	}
	return answer
}

// benchfile: the file itself, or one that its expressions read.
func (c *changes) benchfile(file string) bool {
	return c.files[file] || slices.ContainsFunc(c.reads[file], c.read)
}

// read: a file that an expression reads, or one that a pattern in it matches or
// has matched.
func (c *changes) read(name string) bool {
	return c.files[name] || strings.ContainsAny(name, `*?[{`) && slices.ContainsFunc(c.list, func(f string) bool { return doublestar.MatchUnvalidated(name, f) })
}

func (c *changes) inCase(k *engine.Case) bool {
	if k.Dir != "" && c.under(k.Dir) || c.benchfile(k.Pos.File) || slices.ContainsFunc(k.Files, c.benchfile) || c.benchfile(k.Sandbox.Pos.File) {
		return true
	}
	return slices.ContainsFunc(treesOf(k), c.inTree)
}

func (c *changes) inTree(t *engine.Tree) bool {
	return slices.ContainsFunc(unmerged(t), func(part *engine.Tree) bool { return c.under(part.Path) })
}

// under: a file below a path, or that path itself. That it is in no tree any
// more, or not yet, is a change too.
func (c *changes) under(dir string) bool {
	return c.files[dir] || slices.ContainsFunc(c.list, func(f string) bool { return dir == "." || strings.HasPrefix(f, dir+"/") })
}

// treesOf lists the files that a case is made of.
func treesOf(c *engine.Case) []*engine.Tree {
	trees := []*engine.Tree{c.Workspace}
	for _, s := range []*engine.Script{c.Setup, c.Solution} {
		if s != nil {
			trees = append(trees, s.Files)
		}
	}
	for _, check := range c.Checks {
		trees = append(trees, check.Script.Files)
	}
	for _, a := range c.Assets {
		if a.Fixture != nil {
			trees = append(trees, a.Fixture.Files)
		}
	}
	images := []engine.Image{c.Sandbox.Image}
	for _, s := range c.Sandbox.Services {
		images = append(images, s.Image)
	}
	for _, i := range images {
		if i.Build != nil {
			trees = append(trees, i.Build.Context)
		}
	}
	return trees
}

// unmerged gives the trees that a tree was laid together from, or itself; none
// for nil.
func unmerged(t *engine.Tree) []*engine.Tree {
	switch {
	case t == nil:
		return nil
	case t.Merged != nil:
		return t.Merged
	}
	return []*engine.Tree{t}
}
