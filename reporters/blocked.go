package reporters

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// A Blocked is several trials that one thing kept from a verdict: a step that
// failed, a gate, a budget. They are counted, not listed, since only that one
// thing has to be put right, if anything.
type Blocked struct {
	Cause   engine.StepID // empty if no step is to blame
	Status  engine.Status // errored, skipped or cancelled
	Reason  engine.Reason
	Detail  string   // one clean line, of the first trial
	Trials  []string // their ids
	Started bool     // an agent had worked in one of them
}

// becauses says why trials have not started, or were cancelled, where their
// outcome does not. A signal is none of them: the run itself says that it came.
var becauses = map[engine.Reason]string{
	engine.ReasonCondition: "the if of the matrix is false",
	engine.ReasonNeeds:     "what the matrix needs did not come out as needed",
	engine.ReasonMaxErrors: "the matrix had ended with too many errors",
	engine.ReasonBudget:    "the rest of the budget did not cover that",
	engine.ReasonFailFast:  "the matrix had ended with the first trial that did not pass",
	engine.ReasonDeadline:  "the time of the budget ran out",
}

// Trouble reports whether something broke, other than that bench was told to
// leave the trials.
func (b Blocked) Trouble() bool { return b.Status == engine.StatusErrored }

// Sign is the mark before it: "!" for trouble, "-" for what was left.
func (b Blocked) Sign() string {
	if b.Trouble() {
		return "!"
	}
	return "-"
}

// Sentence tells of all of them: "27 trials could not start: image:py failed:
// no such file", "12 trials were skipped: gate.healthy did not pass". A single
// one is named.
func (b Blocked) Sentence() string {
	return b.who() + " " + b.what() + ": " + b.why()
}

func (b Blocked) who() string {
	if len(b.Trials) == 1 {
		return b.Trials[0]
	}
	return trials(len(b.Trials))
}

func (b Blocked) what() string {
	switch {
	case b.Status == engine.StatusErrored && b.Started:
		return "got no verdict"
	case b.Status == engine.StatusErrored:
		return "could not start"
	case len(b.Trials) == 1:
		return "was " + b.Status.String()
	}
	return "were " + b.Status.String()
}

func (b Blocked) why() string {
	because, known := becauses[b.Reason]
	switch {
	case known && b.Detail != "":
		return b.Detail
	case known && b.Cause != "":
		return fmt.Sprintf("%s (%s)", because, Line(string(b.Cause)))
	case known:
		return because
	case b.Detail != "":
		return fmt.Sprintf("%s failed: %s", Line(string(b.Cause)), b.Detail)
	}
	return Line(string(b.Cause)) + " failed"
}

// blockedBy is what trials have in common that one thing holds back. Where no
// step is to blame, what is said of them tells the things apart.
type blockedBy struct {
	cause  engine.StepID
	status engine.Status
	reason engine.Reason
	detail string
}

// Problems lists what went wrong: single trials in the order of the plan, and
// those that a common cause holds back, most trials first.
func Problems(results []engine.Result) ([]Problem, []Blocked) {
	var single []Problem
	index := map[blockedBy]int{}
	var blocked []Blocked
	for _, r := range results {
		o := r.Outcome
		switch {
		case isBlocked(&r):
			k := blockedBy{o.Cause, o.Status, o.Reason, ""}
			if o.Cause == "" {
				k.detail = o.Detail
			}
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

// isBlocked reports whether something else than the steps of the trial is to
// blame.
func isBlocked(r *engine.Result) bool {
	o := r.Outcome
	_, known := becauses[o.Reason]
	switch o.Status {
	case engine.StatusErrored:
		return o.Cause != "" && !own(r.Trial, o.Cause)
	case engine.StatusSkipped:
		return known || o.Cause != "" && !own(r.Trial, o.Cause)
	case engine.StatusCancelled:
		return known
	}
	return false
}
