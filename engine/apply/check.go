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
	t := s.Trials[0]
	a := r.attemptOf(s)
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

func (r *runner) attemptOf(s *engine.CheckStep) *engine.Attempt {
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.attempts[s.Run]; a != nil {
		return a
	}
	return s.Trials[0].Reuse.Attempt
}
