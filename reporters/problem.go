package reporters

import "github.com/ml-dev-bench/bench/engine"

// A Problem is a failed or errored trial whose trouble is its own.
type Problem struct {
	Result  engine.Result
	ID      string // cleaned
	Outcome string // "failed(check)", "errored(sandbox) (3 tries)"
	Detail  string // one clean line; empty if nothing is known
	Check   *engine.CheckResult
}

// Sign is the mark before a problem: "x" for the agent's fault, "!" for that of
// bench or the world.
func (p Problem) Sign() string {
	if p.Result.Outcome.Status == engine.StatusFailed {
		return "x"
	}
	return "!"
}

// own reports whether the step works for this trial alone.
func own(t *engine.Trial, id engine.StepID) bool {
	return t.Run != nil && t.Run.ID == id && len(t.Run.Trials) <= 1 ||
		t.Check != nil && t.Check.ID == id && len(t.Check.Trials) <= 1
}

func problem(r engine.Result) Problem {
	return Problem{
		Result: r, ID: Line(r.Trial.ID.String()), Outcome: Ended(&r),
		Detail: Line(r.Outcome.Detail), Check: FailedCheck(&r),
	}
}

// FailedCheck is the first check that did not pass, or nil.
func FailedCheck(r *engine.Result) *engine.CheckResult {
	if r.Grade == nil {
		return nil
	}
	for i := range r.Grade.Checks {
		if !r.Grade.Checks[i].Passed {
			return &r.Grade.Checks[i]
		}
	}
	return nil
}
