package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/imagelint"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/terminal"
)

// execute carries out a plan, and writes the reports of what came of it. It needs
// an engine only if there is work.
func (a *app) execute(s *stages, w *work, f *applyFlags) (*engine.Run, error) {
	p := f.lower(w.plan)
	run := &engine.Run{Plan: p, Version: thisVersion(), Began: time.Now().UTC()}
	o := apply.Options{
		Store: w.results, Judge: newJudge(w.session, p), Parallel: parallel(p.Suite.Parallel, f.parallel), Version: run.Version, Kill: s.kill,
		Unsafe: slices.Contains(f.allow, imagelint.AllowUnsafe),
	}
	sandboxes := ""
	if len(p.Steps) > 0 {
		if err := w.results.Room(roomToStart); err != nil {
			return nil, cannot(err)
		}
		var err error
		if o.Gateway, err = a.openGateway(w, p); err != nil {
			return nil, err
		}
		place, err := a.openPlace(s, w)
		if err != nil {
			return nil, err
		}
		defer place.close()
		cache, err := openAssets()
		if err != nil {
			return nil, cannot(err)
		}
		defer cache.Close()
		o.Assets = cache
		if o.Inventories, err = openInventories(); err != nil {
			return nil, cannot(err)
		}
		o.Driver, o.Machine, sandboxes = place.driver, place.machine.Machine, place.name
	}
	run.Origin = originOf(p.Suite.Root, sandboxes, ownFiles(p.Suite)...)
	if p.Driver == engine.DriverLocal {
		run.Origin.Weakness = local.Weakness
		fmt.Fprintln(a.stderr, "WARNING:", local.Weakness)
	}
	o.Origin = run.Origin
	j := a.newRecorder(run, w.results.Runs())
	defer j.close()
	show := newProgress(a, p)
	defer show.stop()
	o.Observe = func(e apply.Event) {
		j.observe(e)
		show.observe(e)
		if e, ok := e.(apply.ImageLinted); ok {
			run.Images = append(run.Images, engine.ImageFindings{Step: e.Step.ID, Findings: e.Findings})
		}
	}
	run.Results, run.Gates = apply.Run(s.ctx, p, o)
	run.Ended = time.Now().UTC()
	slices.SortFunc(run.Images, func(a, b engine.ImageFindings) int { return cmp.Compare(a.Step, b.Step) })
	run.Exit = exitOf(run.Results, run.Gates, signalOf(s.ctx), late(run), f.failOn)
	var err error
	if !s.killed() {
		err = a.report(run, j)
	}
	j.ended(run.Exit)
	if err != nil {
		return nil, cannot(err)
	}
	return run, nil
}

// lower gives the plan with the budgets of the flags, where they are lower than
// those of the file.
func (f *applyFlags) lower(p *engine.Plan) *engine.Plan {
	suite := *p.Suite
	if f.budgetCost > 0 && (suite.Budget.Cost == 0 || f.budgetCost < suite.Budget.Cost) {
		suite.Budget.Cost = f.budgetCost
	}
	if f.budgetTime > 0 && (suite.Budget.WallClock == 0 || f.budgetTime < suite.Budget.WallClock) {
		suite.Budget.WallClock = f.budgetTime
	}
	out := *p
	out.Suite = &suite
	return &out
}

// ownFiles are what bench itself writes below the root: no sources.
func ownFiles(s *engine.Suite) []string {
	own := []string{s.ResultsDir}
	for _, r := range s.Reports {
		own = append(own, r.Path)
	}
	return own
}

// late reports whether the wall clock of the suite's budget has ended a run.
func late(run *engine.Run) bool {
	limit := run.Plan.Suite.Budget.WallClock
	if limit == 0 || run.Ended.Sub(run.Began) < limit {
		return false
	}
	for _, r := range run.Results {
		if r.Outcome.Reason == engine.ReasonDeadline || r.Outcome.Reason == engine.ReasonBudget {
			return true
		}
	}
	return false
}

// report writes the summary and all reports of the suite.
func (a *app) report(run *engine.Run, j *recorder) error {
	if err := (terminal.Summary{Color: a.useColor(a.stdout)}).Report(a.stdout, run); err != nil {
		return err
	}
	var all error
	for _, r := range run.Plan.Suite.Reports {
		file := inRoot(run.Plan.Suite, r.Path)
		err := writeFile(file, func(w io.Writer) error {
			return reporterOf(r).Report(w, reporters.Select(run, r.Matrices))
		})
		if err == nil {
			j.wrote(r, file)
		}
		all = errors.Join(all, err)
	}
	return all
}
