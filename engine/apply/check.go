package apply

import (
	"context"
	"io"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/check"
	"github.com/ml-dev-bench/bench/engine/graph"
)

// check grades the snapshot of an attempt, which this run has made or which was
// stored before, and stores the grade.
func (r *runner) check(ctx context.Context, s *engine.CheckStep, gpus []string) graph.Report {
	t := first(s.Trials)
	a, err := r.attemptOf(s)
	if err != nil {
		report := r.note(string(s.ID), cannotLoad(t, err))
		report.Class = "" // it would be the same the next time
		return report
	}
	rec := r.records[s.ID]
	r.mu.Lock()
	rec.attempt = a
	r.mu.Unlock()
	volumes, used := r.provided(t)
	if err := otherAssets(a, used); err != nil {
		report := r.note(string(s.ID), engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonAsset, Detail: err.Error()})
		report.Class = "" // it would be the same the next time
		return report
	}
	g, err := check.Run(ctx, r.Driver, check.Input{
		Trial: t, Key: s.Key, Image: r.imageID(s.Image), Volumes: volumes, Version: r.Version, Origin: r.Origin, GPUs: gpus,
		Snapshot: func() (io.ReadCloser, error) { return r.Store.Snapshot(a) },
	})
	if err != nil {
		return r.note(string(s.ID), failure(ctx, err))
	}
	if err := r.Store.AddGrade(a, g); err != nil {
		return r.note(string(s.ID), hostFailure(err))
	}
	r.mu.Lock()
	rec.grade = g
	r.mu.Unlock()
	return r.note(string(s.ID), engine.Decide(a, g))
}

// attemptOf is the attempt that is graded.
func (r *runner) attemptOf(s *engine.CheckStep) (*engine.Attempt, error) {
	r.mu.Lock()
	run := r.records[s.Run]
	r.mu.Unlock()
	if run != nil && run.attempt != nil {
		return run.attempt, nil
	}
	a, _, err := r.Store.Load(first(s.Trials).Reuse.Attempt, nil)
	if err == nil {
		err = r.Store.CheckSnapshot(a)
	}
	return a, err
}
