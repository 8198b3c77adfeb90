package plan

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/ml-dev-bench/bench/engine"
)

// A pattern is one entry of a selection.
type pattern struct {
	text     string // as it was given
	glob     string
	not      bool // begins with "!"
	numbered bool // names the number of a trial
	used     bool // has matched something
}

// patterns select what matches one of them, or anything if all of them begin
// with "!", less what matches one that does. Their order means nothing.
type patterns []*pattern

// compile reads the entries of a selection, and reports those that are no
// patterns. Where "!" has no meaning, it is a part of the pattern.
func (b *builder) compile(list []string, negatable bool) patterns {
	var out patterns
	for _, text := range list {
		p := &pattern{text: text, glob: text, numbered: strings.Contains(text, "#")}
		if negatable {
			p.glob, p.not = strings.CutPrefix(text, "!")
		}
		if p.glob == "" || !doublestar.ValidatePattern(p.glob) {
			b.report(engine.SeverityError, "V09", engine.Pos{}, "unusable pattern",
				"%q is not a valid pattern; patterns are made of names, *, **, ?, [a-z] and {a,b}. Correct it.", text)
			continue
		}
		out = append(out, p)
	}
	return out
}

// want asks every pattern, so that each learns whether it is of use.
func (ps patterns) want(matches func(*pattern) bool) bool {
	plain, hit, removed := false, false, false
	for _, p := range ps {
		m := matches(p)
		p.used = p.used || m
		if p.not {
			removed = removed || m
			continue
		}
		plain, hit = true, hit || m
	}
	return (hit || !plain) && !removed
}

// wantTrial asks for a trial, by the text of its cell and its number.
func (ps patterns) wantTrial(cell string, n int) bool {
	return ps.want(func(p *pattern) bool { return p.matchesTrial(cell, n) })
}

// matchesTrial: a pattern that names no number means all of the cell.
func (p *pattern) matchesTrial(cell string, n int) bool {
	if p.numbered {
		cell += "#" + strconv.Itoa(n)
	}
	return doublestar.MatchUnvalidated(p.glob, cell)
}

func (p *pattern) matchesName(name string) bool { return doublestar.MatchUnvalidated(p.glob, name) }

// reportUnused reports patterns that have matched nothing, with what is near.
func (b *builder) reportUnused(what string, ps patterns, names func() []string) {
	for _, p := range ps {
		if p.used {
			continue
		}
		b.report(engine.SeverityError, "V10", engine.Pos{}, fmt.Sprintf("no %s matches %q", what, p.text),
			"A selection must match something in the suite.%s", didYouMean(p.glob, names()))
	}
}
