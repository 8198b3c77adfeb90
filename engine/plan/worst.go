package plan

import (
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// Worst is what the work of a plan takes if every agent uses up all of its
// limits, and nothing has to be tried again.
type Worst struct {
	Runs         int      // run steps
	AgentSeconds float64  // not divided by what runs at once
	Cost         *float64 // USD; nil if it is not limited
	AtOnce       int      // trials at once; 0 if the machine decides
}

// WorstCase adds up the limits of all runs of a plan.
func WorstCase(p *engine.Plan) Worst {
	w := newWorst()
	for _, s := range p.Steps {
		if run, ok := s.(*engine.RunStep); ok {
			w.add(run.Trials[0])
		}
	}
	w.AtOnce = p.Suite.Parallel
	return *w
}

func newWorst() *Worst { return &Worst{Cost: new(float64)} }

// add adds a run. One without a model costs nothing.
func (w *Worst) add(t *engine.Trial) {
	w.Runs++
	w.AgentSeconds += t.Limits.WallClock.Seconds()
	switch {
	case t.Model == nil || w.Cost == nil:
	case t.Limits.Cost <= 0:
		w.Cost = nil
	default:
		*w.Cost += t.Limits.Cost
	}
}

// workOf gives the worst case of every matrix that has something to do. A run
// that matrices share counts in each of them.
func (b *builder) workOf() map[*engine.Matrix]*Worst {
	out := map[*engine.Matrix]*Worst{}
	for _, t := range b.plan.Trials {
		if t.Reuse.Sign != engine.SignSame && out[t.Matrix] == nil {
			out[t.Matrix] = newWorst()
		}
	}
	for _, s := range b.plan.Steps {
		run, ok := s.(*engine.RunStep)
		if !ok {
			continue
		}
		for i, t := range run.Trials {
			again := slices.ContainsFunc(run.Trials[:i], func(other *engine.Trial) bool { return other.Matrix == t.Matrix })
			if w := out[t.Matrix]; w != nil && !again {
				w.add(t)
			}
		}
	}
	return out
}
