package engine

import "fmt"

// An Outcome is how a trial or a step ended.
type Outcome struct {
	Status Status `json:"status"`
	Reason Reason `json:"reason,omitempty"` // closed list for each status
	Detail string `json:"detail,omitempty"` // one line for people
	Cause  StepID `json:"cause,omitempty"`  // the step that is to blame, if it is none of the trial's own
}

func (o Outcome) String() string {
	if o.Reason == "" {
		return o.Status.String()
	}
	return fmt.Sprintf("%s(%s)", o.Status, o.Reason)
}

// Verdict reports whether the outcome says something about the agent. Only
// verdicts are reused, and only they count in a pass rate.
func (o Outcome) Verdict() bool { return o.Status == StatusPassed || o.Status == StatusFailed }

// Status is the coarse outcome. The zero value is not a status.
type Status int

// The statuses, and whose doing each one is.
const (
	StatusInvalid   Status = iota
	StatusPassed           // all checks passed
	StatusFailed           // the agent's fault; counts in the pass rate
	StatusErrored          // bench's fault or the world's; never counts
	StatusSkipped          // not started; Cause says why
	StatusCancelled        // was running when its run or its matrix was stopped
)

// Statuses lists every status in the order in which people read them.
var Statuses = []Status{StatusPassed, StatusFailed, StatusErrored, StatusSkipped, StatusCancelled}

var statusNames = map[Status]string{
	StatusPassed: "passed", StatusFailed: "failed", StatusErrored: "errored",
	StatusSkipped: "skipped", StatusCancelled: "cancelled",
}

func (s Status) String() string {
	if name, ok := statusNames[s]; ok {
		return name
	}
	return fmt.Sprintf("status %d", int(s))
}

// MarshalText makes a status a word in JSON; the zero status is an error.
func (s Status) MarshalText() ([]byte, error) {
	if _, ok := statusNames[s]; !ok {
		return nil, fmt.Errorf("%v is not a status", s)
	}
	return []byte(s.String()), nil
}

// UnmarshalText is the inverse of MarshalText.
func (s *Status) UnmarshalText(text []byte) error {
	for status, name := range statusNames {
		if name == string(text) {
			*s = status
			return nil
		}
	}
	return fmt.Errorf("%q is not a status", text)
}

// Reason is the fine outcome: a closed list for each status.
type Reason string

// Reasons of StatusFailed. ReasonCheck is one of StatusErrored too.
const (
	ReasonCheck          Reason = "check"            // a check failed; with errored: it could not decide
	ReasonLimitWallClock Reason = "limit_wall_clock" // the agent ran out of time
	ReasonLimitMemory    Reason = "limit_memory"     // the agent was killed for its memory
	ReasonLimitDisk      Reason = "limit_disk"       // the workspace outgrew what a snapshot holds
	ReasonLimitTokens    Reason = "limit_tokens"     // the agent used up its tokens
	ReasonLimitCost      Reason = "limit_cost"       // the agent used up its money
	ReasonLimitTurns     Reason = "limit_turns"      // the agent used up its turns
	ReasonLimitRequests  Reason = "limit_requests"   // the agent used up its requests
	ReasonAgentExit      Reason = "agent_exit"       // the agent ended non-zero, and the checks failed
)

// Reasons of StatusErrored.
const (
	ReasonImage    Reason = "image"        // pull or build failed
	ReasonUnsafe   Reason = "image_unsafe" // the image gives the answer away, or cannot run a trial
	ReasonAsset    Reason = "asset"        // fetching, or making the stand-in, failed
	ReasonSandbox  Reason = "sandbox"      // create, start, copy or exec failed, or the container died
	ReasonSetup    Reason = "setup"        // the case's setup failed
	ReasonProvider Reason = "provider"     // the provider of the model failed
	ReasonAuth     Reason = "auth"         // the provider refused the key, or does not know the model
	ReasonHost     Reason = "host"         // disk full, daemon gone, host out of memory
	ReasonEngine   Reason = "engine"       // a bug of bench
)

// Retryable lists the reasons for which an attempt may be made again: the others
// would only come to the same.
var Retryable = []Reason{ReasonImage, ReasonAsset, ReasonSandbox, ReasonProvider, ReasonHost}

// Reasons of StatusSkipped. The first three are its own; the others are also
// those of StatusCancelled, for what was running.
const (
	ReasonCondition Reason = "condition"  // the if of its matrix is false
	ReasonNeeds     Reason = "needs"      // a matrix or gate that its matrix needs did not come out as needed
	ReasonMaxErrors Reason = "max_errors" // its matrix had ended with too many errors
	ReasonBudget    Reason = "budget"     // the rest of a budget did not cover it
	ReasonFailFast  Reason = "fail_fast"  // its matrix had ended with the first trial that did not pass
	ReasonSignal    Reason = "signal"     // bench was told to stop
	ReasonDeadline  Reason = "deadline"   // the wall clock of a budget ran out; only of StatusCancelled
)

// Decide gives the outcome of a trial from its two halves. When several things
// hold, the order is: cancelled, errored, limit, check, agent_exit, passed.
func Decide(a *Attempt, g *Grade) Outcome {
	for _, o := range []Outcome{a.Outcome, g.outcome()} {
		if o.Status == StatusCancelled {
			return o
		}
	}
	for _, o := range []Outcome{a.Outcome, g.outcome()} {
		if o.Status != StatusInvalid {
			return o
		}
	}
	failed := g.firstFailed()
	switch {
	case a.Limit != "":
		return Outcome{Status: StatusFailed, Reason: a.Limit, Detail: limitDetail(a, failed == nil)}
	case failed == nil:
		return Outcome{Status: StatusPassed, Detail: exitNote(a)}
	case a.Exit != nil && *a.Exit != 0:
		return Outcome{Status: StatusFailed, Reason: ReasonAgentExit,
			Detail: fmt.Sprintf("agent ended with exit status %d; check %q failed", *a.Exit, failed.Name)}
	default:
		detail := fmt.Sprintf("check %q failed", failed.Name)
		if failed.Detail != "" {
			detail += ": " + failed.Detail
		}
		return Outcome{Status: StatusFailed, Reason: ReasonCheck, Detail: detail}
	}
}

func exitNote(a *Attempt) string {
	if a.Exit != nil && *a.Exit != 0 {
		return fmt.Sprintf("agent ended with exit status %d, but all checks passed", *a.Exit)
	}
	return ""
}

func limitDetail(a *Attempt, passed bool) string {
	if passed {
		return a.LimitDetail + "; all checks passed all the same"
	}
	return a.LimitDetail
}
