package apply

import (
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ml-dev-bench/bench/engine"
)

// reused reports whether a trial has a verdict already.
func reused(t *engine.Trial) bool { return t.Reuse.Sign == engine.SignSame }

// first is the trial in whose name a step works, of all that share it: one that
// needs it.
func first(trials []*engine.Trial) *engine.Trial {
	return trials[slices.IndexFunc(trials, func(t *engine.Trial) bool { return !reused(t) })]
}

// reuse ends the trials that have a verdict already. A plan knows only the
// verdict; all that a report may tell is read from the store here.
func (r *runner) reuse() {
	trials := slices.DeleteFunc(slices.Clone(r.plan.Trials), func(t *engine.Trial) bool { return !reused(t) })
	results := make([]engine.Result, len(trials))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(len(trials), 2*runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= len(trials) {
					return
				}
				results[i] = r.stored(trials[i])
			}
		})
	}
	wg.Wait()
	for i, t := range trials {
		r.end(t, results[i])
	}
}

func (r *runner) stored(t *engine.Trial) engine.Result {
	a, g, err := r.Store.Load(t.Reuse.Attempt, t.Reuse.Grade)
	if err != nil {
		return engine.Result{Trial: t, Outcome: cannotLoad(t, err)}
	}
	return engine.Result{Trial: t, Attempt: a, Grade: g, Outcome: engine.Decide(a, g), Reused: true}
}

func cannotLoad(t *engine.Trial, err error) engine.Outcome {
	return engine.Outcome{
		Status: engine.StatusErrored, Reason: engine.ReasonHost,
		Detail: fmt.Sprintf("cannot use what is stored of attempt %d at %s: %v; restore it, or run the trial again with --rerun %q", t.Reuse.Attempt.N, t.Reuse.Attempt.Trial, err, t.ID),
	}
}
