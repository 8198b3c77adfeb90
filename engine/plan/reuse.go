package plan

import (
	"github.com/ml-dev-bench/bench/engine"
)

// A rerun says of which trials nothing stored is used.
type rerun struct {
	failed, errored, all bool
	globs                patterns
}

func (b *builder) newRerun() rerun {
	var out rerun
	var globs []string
	for _, text := range b.options.Rerun {
		switch text {
		case "failed":
			out.failed = true
		case "errored":
			out.errored = true
		case "all":
			out.all = true
		default:
			globs = append(globs, text)
		}
	}
	out.globs = b.compile(globs, false)
	return out
}

// of gives the word or the glob by which a trial is to be run again, or "".
func (r *rerun) of(t *engine.Trial, stored engine.Outcome) string {
	switch {
	case r.all:
		return "all"
	case r.failed && stored.Status == engine.StatusFailed:
		return "failed"
	case r.errored && stored.Status == engine.StatusErrored:
		return "errored"
	case len(r.globs) == 0:
		return ""
	}
	cell := t.ID.Cell()
	for _, p := range r.globs {
		if p.matchesTrial(cell, t.ID.N) {
			return p.text
		}
	}
	return ""
}

// reuse says what is stored of a trial and may be used.
func (b *builder) reuse(t *engine.Trial) engine.Reuse {
	if b.history == nil {
		return engine.Reuse{Sign: engine.SignNew}
	}
	if b.options.NoReuse || !t.Matrix.Reuse {
		return b.unused(t, engine.Change{Name: "reuse", New: "off"})
	}
	out, outcome := b.compare(t)
	if out.Sign != engine.SignSame && out.Attempt != nil && !b.history.HasSnapshot(out.Attempt) {
		return engine.Reuse{Sign: engine.SignChanged, Changed: []engine.Change{{Name: "snapshot", Old: "stored", New: "removed"}}}
	}
	if out.Sign == engine.SignNew || out.Sign == engine.SignChanged {
		return out
	}
	if why := b.rerun.of(t, outcome); why != "" {
		return b.unused(t, engine.Change{Name: "rerun", New: why})
	}
	return out
}

// unused is for a trial of which nothing stored is used, whatever there is.
func (b *builder) unused(t *engine.Trial, why engine.Change) engine.Reuse {
	if b.history.Latest(t.ID) == nil {
		return engine.Reuse{Sign: engine.SignNew}
	}
	return engine.Reuse{Sign: engine.SignChanged, Changed: []engine.Change{why}}
}

// compare holds the keys of a trial against what is stored. The outcome is what
// came of the trial when it was last tried, if its agent would do the same now.
func (b *builder) compare(t *engine.Trial) (engine.Reuse, engine.Outcome) {
	run, check := t.Run.Key, t.Check.Key
	s := b.history.Best(run.Sum)
	switch {
	case s == nil:
		old := b.history.Latest(t.ID)
		if old == nil {
			return engine.Reuse{Sign: engine.SignNew}, engine.Outcome{}
		}
		was, _ := b.history.Keys(old)
		return engine.Reuse{Sign: engine.SignChanged, Changed: changed(run, was)}, engine.Outcome{}
	case s.Outcome.Verdict(): // nothing could be graded, and that is the verdict
		return engine.Reuse{Sign: engine.SignSame, Attempt: s}, s.Outcome
	case s.Outcome.Status != engine.StatusInvalid:
		return engine.Reuse{Sign: engine.SignAgain}, s.Outcome
	case len(s.Grades) == 0:
		return engine.Reuse{Sign: engine.SignRegrade, Attempt: s}, engine.Outcome{}
	}
	for i := len(s.Grades) - 1; i >= 0; i-- {
		g := &s.Grades[i]
		switch {
		case g.Check != check.Sum:
		case g.Outcome.Verdict():
			return engine.Reuse{Sign: engine.SignSame, Attempt: s, Grade: g}, g.Outcome
		default:
			return engine.Reuse{Sign: engine.SignAgain, Attempt: s}, g.Outcome
		}
	}
	_, was := b.history.Keys(s)
	return engine.Reuse{Sign: engine.SignRegrade, Attempt: s, Changed: changed(check, was)}, s.Grades[len(s.Grades)-1].Outcome
}

// changed names what differs from a stored key. Of one that cannot be read,
// nothing is known.
func changed(now, was engine.Key) []engine.Change {
	if was.Sum.IsZero() {
		return nil
	}
	return now.Changed(was)
}
