package plan

import (
	"maps"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// A Selection narrows a plan; an empty list of it does not. Entries are globs,
// and may begin with "!", which removes: what is selected matches one of the
// plain entries, if there are any, and none of the others. Every entry must
// match something in the whole suite.
type Selection struct {
	Cases    []string `json:"cases"`    // names: "debugging/*" or "cases/debugging/*"
	Tags     []string `json:"tags"`     // of cases
	Agents   []string `json:"agents"`   // names
	Models   []string `json:"models"`   // names
	Matrices []string `json:"matrices"` // names
	// Targets and Exclude are over the ids of trials. Without "#", an entry means
	// all trials of a cell.
	Targets []string `json:"targets"`
	Exclude []string `json:"exclude"`
	// Changed are the files, relative to the root, that differ from a revision;
	// nil if nobody asked. Trials that one of them has decided are selected.
	Changed []string `json:"changed"`
}

// A dimension is what a list of a selection is about.
type dimension struct {
	what  string
	list  patterns
	thing func(*cell) any      // what the patterns are asked once for
	names func(*cell) []string // that the thing goes by
	known map[any]bool
	seen  map[string]bool
}

func (b *builder) dimensions() []*dimension {
	s := b.options.Select
	one := func(name string) []string { return []string{name} }
	all := []*dimension{
		{what: "case", list: b.compile(s.Cases, true), thing: func(c *cell) any { return c.c }, names: func(c *cell) []string { return one(c.c.Name) }},
		{what: "tag", list: b.compile(s.Tags, true), thing: func(c *cell) any { return c.c }, names: func(c *cell) []string { return c.c.Tags }},
		{what: "agent", list: b.compile(s.Agents, true), thing: func(c *cell) any { return c.a }, names: func(c *cell) []string { return one(c.a.Name) }},
		{what: "model", list: b.compile(s.Models, true), thing: func(c *cell) any { return c.model }, names: func(c *cell) []string {
			if c.model == nil {
				return nil
			}
			return one(c.model.Name)
		}},
		{what: "matrix", list: b.compile(s.Matrices, true), thing: func(c *cell) any { return c.m }, names: func(c *cell) []string { return one(c.m.Name) }},
	}
	for _, p := range all[0].list { // benchfiles name cases by their directory
		p.glob = strings.TrimPrefix(p.glob, "cases/")
	}
	for _, d := range all {
		d.known, d.seen = map[any]bool{}, map[string]bool{}
	}
	return slices.DeleteFunc(all, func(d *dimension) bool { return len(d.list) == 0 })
}

func (d *dimension) wants(c *cell) bool {
	thing := d.thing(c)
	wanted, known := d.known[thing]
	if !known {
		names := d.names(c)
		for _, n := range names {
			d.seen[n] = true
		}
		wanted = d.list.want(func(p *pattern) bool { return slices.ContainsFunc(names, p.matchesName) })
		d.known[thing] = wanted
	}
	return wanted
}

// choose gives the cells of which trials are wanted. Everything is asked for
// every trial, since a pattern that matches nothing is a mistake.
func (b *builder) choose(cells []*cell) []*cell {
	s := b.options.Select
	dims := b.dimensions()
	targets, exclude := b.compile(s.Targets, true), b.compile(s.Exclude, true)
	b.rerun = b.newRerun()
	var changed *changes
	if s.Changed != nil {
		changed = newChanges(b.plan.Suite, s.Changed)
	}
	byID := len(targets)+len(exclude)+len(b.rerun.globs) > 0
	if len(dims) == 0 && changed == nil && !byID {
		return cells
	}
	want := make([]bool, len(cells))
	matrices := map[*engine.Matrix]bool{} // with a trial that is wanted
	for i, c := range cells {
		wanted := true
		for _, d := range dims {
			wanted = d.wants(c) && wanted
		}
		wanted = wanted && (changed == nil || changed.decide(c))
		if byID {
			wanted = b.pick(c, targets, exclude) && wanted
		}
		want[i] = wanted
		matrices[c.m] = matrices[c.m] || wanted
	}
	var names patterns
	for _, d := range dims {
		if d.what == "matrix" {
			names = d.list
		}
	}
	along := b.along(matrices, names)
	var out []*cell
	for i, c := range cells {
		if along[c.m] {
			want[i], c.picked = true, nil
		}
		if want[i] {
			out = append(out, c)
		}
		b.countLeft(c, want[i])
	}
	ids := func() []string { return texts(cells) }
	b.reportUnused("trial", slices.Concat(targets, exclude, b.rerun.globs), ids)
	for _, d := range dims {
		b.reportUnused(d.what, d.list, func() []string { return slices.Collect(maps.Keys(d.seen)) })
	}
	if len(out) == 0 && len(cells) > 0 && !b.options.AllowEmpty && !b.diags.HasErrors() {
		b.report(engine.SeverityError, "V10", engine.Pos{}, "the selection leaves nothing to run",
			"None of the trials of suite %q is in all parts of the selection. Widen it, or give --allow-empty if there need not be any.", b.plan.Suite.Name)
	}
	return out
}

// pick asks for the trials of a cell by their ids, and reports whether one of
// them is wanted.
func (b *builder) pick(c *cell, targets, exclude patterns) bool {
	text := c.id().Cell()
	var picked []int
	for n := 1; n <= c.trials; n++ {
		target := targets.wantTrial(text, n)
		removed := len(exclude) > 0 && exclude.wantTrial(text, n)
		b.rerun.globs.wantTrial(text, n)
		if target && !removed {
			picked = append(picked, n)
		}
	}
	if len(picked) < c.trials {
		c.picked = picked
	}
	return len(picked) > 0
}

func (b *builder) countLeft(c *cell, wanted bool) {
	left := c.trials
	if wanted {
		left -= c.size()
	}
	if left == 0 {
		return
	}
	if b.plan.Left == nil {
		b.plan.Left = map[string]int{}
	}
	b.plan.Left[c.m.Name] += left
}

// size is how many trials of the cell are wanted.
func (c *cell) size() int {
	if c.picked == nil {
		return c.trials
	}
	return len(c.picked)
}

// texts are the ids of cells, for messages.
func texts(cells []*cell) []string {
	var out []string
	for _, c := range cells {
		out = append(out, c.id().Cell())
	}
	return out
}
