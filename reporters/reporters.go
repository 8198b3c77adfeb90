// Package reporters turns a finished run into the numbers and lines that people
// and programs read.
//
// It holds the view that all reports share, so that a pass rate in the terminal
// is the pass rate in the JUnit file. The formats are packages of their own
// below this one: terminal, markdown, junit and json. Each has one type that is
// a [Reporter]:
//
//	var r reporters.Reporter = markdown.Reporter{Rows: []string{"agent", "category"}}
//	narrowed := reporters.Select(run, report.Matrices)
//	if err := r.Report(file, narrowed); err != nil { … }
//
// A reporter that needs numbers takes them from here:
//
//	results := reporters.Results(run)
//	sum := reporters.Summarize(results)
//	fmt.Println(sum.Sentence()) // 9 trials: 4 passed, 5 failed (2 reused; 1 retried)
//
// Three rules hold everywhere. Statuses add up: every trial is counted under
// exactly one, that of its last attempt; what came before it is in [Tries] and in
// the [Cost]. Only verdicts count in a pass rate, and what is not known is nil,
// not zero. Text that an agent could have written goes through [Clean] or [Line]
// before it is shown.
//
// Everything here is pure: no clock, no files, and nothing in a run is changed.
package reporters

import (
	"io"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// A Reporter writes a run as one document. Equal runs must give equal bytes: it
// reads no clock and no environment, and no order comes from a map. It returns
// the error of the writer, if there is one. The suite of tests for it is
// reportertest.Run.
type Reporter interface {
	Report(w io.Writer, run *engine.Run) error
}

// Select narrows a run to the trials of some matrices, and to the gates that have
// to do with them. No matrices means all. The given run stays as it is; the times
// and the exit of the new one are those of the whole run.
func Select(run *engine.Run, matrices []*engine.Matrix) *engine.Run {
	if len(matrices) == 0 {
		return run
	}
	names := map[string]bool{}
	for _, m := range matrices {
		names[m.Name] = true
	}
	out := *run
	out.Results = nil
	for _, r := range run.Results {
		if r.Trial != nil && names[r.Trial.ID.Matrix] {
			out.Results = append(out.Results, r)
		}
	}
	out.Gates = selectGates(run.Gates, names)
	if run.Plan != nil {
		out.Plan = selectPlan(run.Plan, names)
		out.Images = selectImages(run.Images, out.Plan.Steps)
	}
	return &out
}

// selectImages keeps what was found in steps.
func selectImages(images []engine.ImageFindings, steps []engine.Step) (out []engine.ImageFindings) {
	for _, i := range images {
		if slices.ContainsFunc(steps, func(s engine.Step) bool { return s.StepID() == i.Step }) {
			out = append(out, i)
		}
	}
	return out
}

// selectPlan keeps the trials of the named matrices and the steps that they
// need.
func selectPlan(plan *engine.Plan, names map[string]bool) *engine.Plan {
	out := &engine.Plan{Suite: plan.Suite}
	needed := map[engine.StepID]bool{}
	for _, t := range plan.Trials {
		if !names[t.ID.Matrix] {
			continue
		}
		out.Trials = append(out.Trials, t)
		if t.Run != nil {
			needed[t.Run.ID] = true
		}
		if t.Check != nil {
			needed[t.Check.ID] = true
		}
	}
	for _, s := range slices.Backward(plan.Steps) {
		if needed[s.StepID()] {
			out.Steps = append(out.Steps, s)
			for _, need := range s.Needs() {
				needed[need] = true
			}
		}
	}
	slices.Reverse(out.Steps)
	return out
}

// Results is a copy of the results of a run in which every one has a trial and
// a status. A result without a status is a bug of bench and becomes
// errored(engine), so that silence never passes.
func Results(run *engine.Run) []engine.Result {
	out := slices.Clone(run.Results)
	for i := range out {
		r := &out[i]
		r.Earlier = knownTries(r.Earlier)
		if r.Trial == nil {
			r.Trial = &engine.Trial{}
		}
		if !slices.Contains(engine.Statuses, r.Outcome.Status) {
			r.Outcome = engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonEngine,
				Detail: "bench recorded no outcome for this trial"}
		}
	}
	return out
}

// Suite is the suite of a run. It is never nil.
func Suite(run *engine.Run) *engine.Suite {
	if run.Plan == nil || run.Plan.Suite == nil {
		return &engine.Suite{}
	}
	return run.Plan.Suite
}
