package plan

import (
	"fmt"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// rank orders works; a word that is none is below all of them.
func (w Work) rank() int { return slices.Index(works, w) }

// Stale says why a document, now, that was made from the same inputs is not what
// d promised; nil if it is. That a trial has a verdict by now breaks no promise:
// there is less to do.
func (d *Document) Stale(now *Document) error {
	why := d.staleFile(now)
	if why == "" {
		why = d.staleVariable(now)
	}
	if why == "" && d.Protocols != now.Protocols {
		why = fmt.Sprintf("the plan was made by bench %s, and bench %s does not do the same work", d.Version.Bench, now.Version.Bench)
	}
	if why == "" {
		why = d.staleTrial(now)
	}
	if why == "" {
		return nil
	}
	return fmt.Errorf("%s; run bench plan again", why)
}

func (d *Document) staleFile(now *Document) string {
	before, after := d.Files, now.Files
	for len(before) > 0 || len(after) > 0 {
		switch {
		case len(after) == 0 || len(before) > 0 && before[0].Path < after[0].Path:
			return before[0].Path + " was used when the plan was made, and is gone"
		case len(before) == 0 || after[0].Path < before[0].Path:
			return after[0].Path + " was added since the plan was made"
		case before[0].Sum != after[0].Sum:
			return before[0].Path + " has changed since the plan was made"
		}
		before, after = before[1:], after[1:]
	}
	return ""
}

func (d *Document) staleVariable(now *Document) string {
	if slices.EqualFunc(d.Variables, now.Variables, sameVariable) {
		return ""
	}
	for _, v := range d.Variables {
		if !slices.ContainsFunc(now.Variables, func(n VariableOf) bool { return sameVariable(v, n) }) {
			return fmt.Sprintf("variable %q had another value when the plan was made", v.Name)
		}
	}
	return "there are other variables than when the plan was made"
}

func sameVariable(a, b VariableOf) bool { return a.Name == b.Name && a.Sum == b.Sum }

func (d *Document) staleTrial(now *Document) string {
	after := make(map[engine.TrialID]*TrialOf, len(now.Trials))
	for i := range now.Trials {
		after[now.Trials[i].ID] = &now.Trials[i]
	}
	for i := range d.Trials {
		t := &d.Trials[i]
		n := after[t.ID]
		delete(after, t.ID)
		switch {
		case n == nil:
			return fmt.Sprintf("trial %s was in the plan when it was made, and is gone", t.ID)
		case n.Run != t.Run || n.Check != t.Check:
			return fmt.Sprintf("trial %s is other work than when the plan was made", t.ID)
		case n.Work.rank() > t.Work.rank():
			return fmt.Sprintf("trial %s was to use a stored result, which is gone", t.ID)
		}
	}
	for _, n := range now.Trials {
		if after[n.ID] != nil {
			return fmt.Sprintf("trial %s was not in the plan when it was made", n.ID)
		}
	}
	return ""
}
