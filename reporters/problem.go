package reporters

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// A Problem is a failed or errored trial whose trouble is its own.
type Problem struct {
	Result  engine.Result
	ID      string // cleaned
	Outcome string // "failed(check)"
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

// A Blocked is several trials that one step kept from a verdict. They are
// counted, not listed, since only the step has to be put right.
type Blocked struct {
	Cause   engine.StepID
	Status  engine.Status // errored or skipped
	Reason  engine.Reason
	Detail  string   // one clean line, of the first trial
	Trials  []string // their ids
	Started bool     // an agent had worked in one of them
}

// Sentence tells of all of them: "27 trials could not start: image:py failed:
// no such file". A single one is named.
func (b Blocked) Sentence() string {
	who := trials(len(b.Trials))
	if len(b.Trials) == 1 {
		who = b.Trials[0]
	}
	what := "could not start"
	switch {
	case b.Status == engine.StatusSkipped && len(b.Trials) == 1:
		what = "was skipped"
	case b.Status == engine.StatusSkipped:
		what = "were skipped"
	case b.Started:
		what = "got no verdict"
	}
	s := fmt.Sprintf("%s %s: %s failed", who, what, Line(string(b.Cause)))
	if b.Detail != "" {
		s += ": " + b.Detail
	}
	return s
}

// Problems lists what went wrong: single trials in the order of the plan, and
// those that a common cause holds back, most trials first.
func Problems(results []engine.Result) ([]Problem, []Blocked) {
	var single []Problem
	type key struct {
		cause  engine.StepID
		status engine.Status
	}
	index := map[key]int{}
	var blocked []Blocked
	for _, r := range results {
		o := r.Outcome
		switch {
		case isBlocked(&r):
			k := key{o.Cause, o.Status}
			i, ok := index[k]
			if !ok {
				i = len(blocked)
				index[k] = i
				blocked = append(blocked, Blocked{Cause: o.Cause, Status: o.Status, Reason: o.Reason, Detail: Line(o.Detail)})
			}
			blocked[i].Trials = append(blocked[i].Trials, Line(r.Trial.ID.String()))
			blocked[i].Started = blocked[i].Started || r.Attempt != nil
		case o.Status == engine.StatusFailed || o.Status == engine.StatusErrored:
			single = append(single, problem(r))
		}
	}
	slices.SortStableFunc(blocked, func(a, b Blocked) int {
		return cmp.Or(cmp.Compare(len(b.Trials), len(a.Trials)), cmp.Compare(a.Cause, b.Cause))
	})
	return single, blocked
}

// isBlocked reports whether another step than those of the trial is to blame.
func isBlocked(r *engine.Result) bool {
	o := r.Outcome
	if o.Cause == "" || o.Status != engine.StatusErrored && o.Status != engine.StatusSkipped {
		return false
	}
	return !own(r.Trial, o.Cause)
}

// own reports whether the step works for this trial alone.
func own(t *engine.Trial, id engine.StepID) bool {
	return t.Run != nil && t.Run.ID == id && len(t.Run.Trials) <= 1 ||
		t.Check != nil && t.Check.ID == id && len(t.Check.Trials) <= 1
}

func problem(r engine.Result) Problem {
	return Problem{
		Result: r, ID: Line(r.Trial.ID.String()), Outcome: Line(r.Outcome.String()),
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
