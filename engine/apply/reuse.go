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
// verdict; all that a report may tell is fetched when it is wanted.
func (r *runner) reuse() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for i, t := range r.plan.Trials {
		if !reused(t) {
			continue
		}
		result := engine.Result{Trial: t, Outcome: t.Reuse.Attempt.Outcome, Earlier: r.Store.Tries(t.Reuse.Attempt), Reused: true}
		if t.Reuse.Grade != nil {
			result.Outcome = t.Reuse.Grade.Outcome
		}
		r.results[i], r.kept[i] = result, kept{t.Reuse.Attempt, t.Reuse.Grade}
		r.tell(TrialEnded{&result})
	}
}

// A kept is where the store has an attempt and its grade. There may be very many
// of them, and what checks have printed is long: while a run goes on, it holds of
// a trial that has ended only its outcome.
type kept struct {
	attempt *engine.Stored
	grade   *engine.StoredGrade // nil if there is none
}

// keep drops what the store has of a result.
func (r *runner) keep(i int) {
	result := &r.results[i]
	if result.Attempt == nil {
		return
	}
	st := r.Store.Stored(result.Attempt)
	if st == nil || result.Grade != nil && len(st.Grades) == 0 {
		return // it could not be stored
	}
	r.kept[i].attempt = st
	if result.Grade != nil {
		r.kept[i].grade = &st.Grades[len(st.Grades)-1]
	}
	result.Attempt, result.Grade = nil, nil
}

// forget drops what is known of the steps of a check, whose trials have ended.
func (r *runner) forget(s *engine.CheckStep) {
	for _, id := range []engine.StepID{s.ID, s.Run} {
		if rec := r.records[id]; rec != nil {
			rec.attempt, rec.grade, rec.outcome.Detail = nil, nil, ""
		}
	}
}

// fetch makes results whole again.
func (r *runner) fetch() {
	spread(len(r.results), func(i int) { r.load(&r.results[i], r.kept[i]) })
}

func (r *runner) load(result *engine.Result, k kept) {
	if k.attempt == nil {
		return
	}
	a, g, err := r.Store.Load(k.attempt, k.grade)
	switch {
	case err == nil:
		result.Attempt, result.Grade = a, g
		if result.Reused {
			result.Outcome = engine.Decide(a, g)
		}
	case result.Reused:
		*result = engine.Result{Trial: result.Trial, Outcome: cannotLoad(result.Trial, err)}
	}
}

// spread does work for 0 to n-1 on a few goroutines.
func spread(n int, work func(i int)) {
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(n, 2*runtime.GOMAXPROCS(0)) {
		wg.Go(func() {
			for {
				i := int(next.Add(1)) - 1
				if i >= n {
					return
				}
				work(i)
			}
		})
	}
	wg.Wait()
}

func cannotLoad(t *engine.Trial, err error) engine.Outcome {
	return engine.Outcome{
		Status: engine.StatusErrored, Reason: engine.ReasonHost,
		Detail: fmt.Sprintf("cannot use what is stored of attempt %d at %s: %v; restore it, or run the trial again with --rerun %q", t.Reuse.Attempt.N, t.Reuse.Attempt.Trial, err, t.ID),
	}
}
