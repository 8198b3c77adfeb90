package apply

import (
	"context"
	"io"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/check"
)

// check grades the snapshot of an attempt, which this run has made or which was
// stored before, and stores the grade.
func (r *runner) check(ctx context.Context, s *engine.CheckStep) bool {
	t := first(s.Trials)
	a, err := r.attemptOf(s)
	if err != nil {
		r.endAll(s.Trials, nil, cannotLoad(t, err))
		return false
	}
	g, err := check.Run(ctx, r.Driver, check.Input{
		Trial: t, Key: s.Key, Image: r.imageID(s.Image), Version: r.Version,
		Snapshot: func() (io.ReadCloser, error) { return r.Store.Snapshot(a) },
	})
	if err != nil {
		r.endAll(s.Trials, a, failure(ctx, err))
		return false
	}
	if err := r.Store.AddGrade(a, g); err != nil {
		r.endAll(s.Trials, a, hostFailure(err))
		return false
	}
	for _, t := range s.Trials {
		r.end(t, engine.Result{Trial: t, Attempt: a, Grade: g, Outcome: engine.Decide(a, g)})
	}
	return true
}

// attemptOf is the attempt that is graded.
func (r *runner) attemptOf(s *engine.CheckStep) (*engine.Attempt, error) {
	r.mu.Lock()
	a := r.attempts[s.Run]
	r.mu.Unlock()
	if a != nil {
		return a, nil
	}
	a, _, err := r.Store.Load(first(s.Trials).Reuse.Attempt, nil)
	return a, err
}
