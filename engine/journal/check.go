package journal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// Check holds records against what a run can do, and gives what cannot be. A
// journal that simply stops is none of that: its bench was killed.
//
//	the run starts first, and once; nothing comes after its end
//	records are numbered from 1 without a gap
//	a step ends only after it has started, in the same try; it starts again only to be retried
//	each trial ends exactly once, when no step of its own is running; each gate once
//	when the run ends, nothing is running, and all of its trials have ended
func Check(records []Record) []error {
	c := checker{running: map[engine.StepID]StepStarted{}, ended: map[engine.StepID]StepEnded{}, trials: map[engine.TrialID]bool{}, gates: map[string]bool{}}
	for i, r := range records {
		c.at = r.Seq
		if want := c.last + 1; r.Seq != want {
			c.wrong("comes where %d should", want)
		}
		c.last = r.Seq
		_, starts := r.Event.(RunStarted)
		switch {
		case starts != (i == 0):
			c.wrong("%s: a run starts once, and first", r.Event.kind())
		case c.over:
			c.wrong("%s: the run had ended", r.Event.kind())
		}
		c.take(r.Event)
	}
	return c.found
}

// A checker remembers what a run has done so far.
type checker struct {
	found    []error
	at, last int // sequence numbers
	over     bool
	planned  int // trials
	running  map[engine.StepID]StepStarted
	ended    map[engine.StepID]StepEnded // the last try of each
	trials   map[engine.TrialID]bool     // that have ended
	gates    map[string]bool
}

func (c *checker) wrong(format string, args ...any) {
	c.found = append(c.found, fmt.Errorf("event %d "+format, append([]any{c.at}, args...)...))
}

func (c *checker) take(e Event) {
	switch e := e.(type) {
	case RunStarted:
		c.planned = e.Trials
	case StepStarted:
		c.start(e)
	case StepEnded:
		c.end(e)
	case TrialEnded:
		if c.trials[e.Trial] {
			c.wrong("trial_end: %s had ended", e.Trial)
		}
		c.trials[e.Trial] = true
		for _, s := range c.open() {
			if s.Trial == e.Trial {
				c.wrong("trial_end: %s of %s is still running", s.Step, e.Trial)
			}
		}
	case GateEnded:
		if c.gates[e.Gate] {
			c.wrong("gate_end: %s had ended", e.Gate)
		}
		c.gates[e.Gate] = true
	case ReportWritten:
	case RunEnded:
		c.over = true
		for _, s := range c.open() {
			c.wrong("run_end: %s is still running", s.Step)
		}
		if len(c.trials) != c.planned {
			c.wrong("run_end: %d of %d trials have ended", len(c.trials), c.planned)
		}
	}
}

func (c *checker) start(e StepStarted) {
	_, running := c.running[e.Step]
	before, ended := c.ended[e.Step]
	switch {
	case running:
		c.wrong("step_start: %s is running", e.Step)
	case ended && !before.Retry:
		c.wrong("step_start: %s had ended, not to be tried again", e.Step)
	case e.Try != before.Try+1:
		c.wrong("step_start: %s begins with try %d after %d", e.Step, e.Try, before.Try)
	}
	c.running[e.Step] = e
}

func (c *checker) end(e StepEnded) {
	started, running := c.running[e.Step]
	switch {
	case !running:
		c.wrong("step_end: %s is not running", e.Step)
	case started.Try != e.Try || started.Trial != e.Trial:
		c.wrong("step_end: %s is in try %d of %s, not %d of %s", e.Step, started.Try, started.Trial, e.Try, e.Trial)
	}
	delete(c.running, e.Step)
	c.ended[e.Step] = e
}

// open are the steps that run, sorted.
func (c *checker) open() []StepStarted {
	return slices.SortedFunc(maps.Values(c.running), func(a, b StepStarted) int { return cmp.Compare(a.Step, b.Step) })
}

// Unfinished are the steps that had started and not ended, in the order in which
// they did: what was under way when bench was killed.
func Unfinished(records []Record) []StepStarted {
	var out []StepStarted
	for _, r := range records {
		switch e := r.Event.(type) {
		case StepStarted:
			out = append(out, e)
		case StepEnded:
			out = slices.DeleteFunc(out, func(s StepStarted) bool { return s.Step == e.Step })
		}
	}
	return out
}
