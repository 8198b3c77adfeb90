package engine

import "time"

// An Attempt is what a run step gave: one time that an agent worked on a case.
// It is stored as it is, and never changed.
type Attempt struct {
	Trial    TrialID       `json:"trial"`
	N        int           `json:"attempt"` // counts from 1
	Key      Key           `json:"key"`
	Seed     uint64        `json:"seed"`
	Outcome  Outcome       `json:"outcome,omitzero"` // set only if there is nothing to grade
	Exit     *int          `json:"exit,omitempty"`   // of the agent; nil if it did not end by itself
	Limit    Reason        `json:"limit,omitempty"`  // the limit that ended it
	Image    string        `json:"image,omitempty"`  // id of the image that was used
	Services []ServiceRun  `json:"services,omitempty"`
	Assets   []AssetUsed   `json:"assets,omitempty"` // in the order of the case
	Usage    Usage         `json:"usage"`
	Cost     *float64      `json:"cost_usd,omitempty"` // USD, of all calls to models; nil if it is not known
	Tokens   *int64        `json:"tokens,omitempty"`   // of all calls to models; nil if it is not known
	Models   *ModelUse     `json:"models,omitempty"`   // nil if the trial has no model
	Output   Output        `json:"output"`
	Snapshot Digest        `json:"snapshot,omitzero"` // of the stored archive of the workspace
	Left     []string      `json:"left_out,omitempty"`
	Version  Version       `json:"version"`
	Origin   Origin        `json:"origin"`
	Began    time.Time     `json:"began"`          // UTC
	Ended    time.Time     `json:"ended,omitzero"` // UTC; zero in what older versions stored
	Took     time.Duration `json:"took_ns"`        // of the agent alone

	// LimitDetail says in a sentence what was reached.
	LimitDetail string `json:"limit_detail,omitempty"`
}

// A ServiceRun is what became of a service beside the sandbox of an attempt.
type ServiceRun struct {
	Name  string `json:"name"`
	Image string `json:"image"`          // id of the image that was used
	Exit  *int   `json:"exit,omitempty"` // set if it ended before the attempt did
}

// AssetUsed is an asset as an attempt had it.
type AssetUsed struct {
	Name    string  `json:"name"`
	Variant Variant `json:"variant"`
	Sum     Digest  `json:"sha256"` // of the file, or of the archive of what the fixture wrote
}

// Usage is what a sandbox used. A nil pointer is an unknown, which is not zero.
type Usage struct {
	CPU        *time.Duration `json:"cpu_ns,omitempty"`
	PeakMemory *int64         `json:"peak_memory_bytes,omitempty"` // page cache included
	OOMKills   *int64         `json:"oom_kills,omitempty"`

	// AtLimit is whether it ever had all the memory that it may have. If it had
	// not, and there are kills, it was the machine that ran out of memory.
	AtLimit *bool `json:"memory_at_limit,omitempty"`
}

// Killed reports whether processes were killed for want of memory.
func (u *Usage) Killed() bool { return u.OOMKills != nil && *u.OOMKills > 0 }

// HostOOM reports whether processes were killed for want of memory, and not by
// the limit of the sandbox.
func (u *Usage) HostOOM() bool {
	return u.Killed() && u.AtLimit != nil && !*u.AtLimit
}

// Output tells how much an agent printed and how much of it was kept.
type Output struct {
	Written int64 `json:"written_bytes"`
	Kept    int64 `json:"kept_bytes"`
}

// A Grade is what a check step gave. It is stored beside the attempt.
type Grade struct {
	Key     Key           `json:"key"`
	Outcome Outcome       `json:"outcome,omitzero"` // set only if the checks could not decide
	Checks  []CheckResult `json:"checks"`
	Changed []string      `json:"protected_changes,omitempty"` // protected files that the agent had changed
	Version Version       `json:"version"`
	Origin  Origin        `json:"origin"`
	Began   time.Time     `json:"began"` // UTC
	Took    time.Duration `json:"took_ns"`
}

// A CheckResult is the verdict of one check.
type CheckResult struct {
	Name    string            `json:"name"`
	Passed  bool              `json:"passed"`
	Detail  string            `json:"detail,omitempty"` // why not, in a line
	Output  string            `json:"output,omitempty"` // bounded
	Score   float64           `json:"score"`            // 0 to 1
	Weight  float64           `json:"weight"`
	Metrics map[string]Metric `json:"metrics,omitempty"`
	Took    time.Duration     `json:"took_ns"`
}

// A Metric is a number that a check reported beside its verdict.
type Metric struct {
	Value       float64 `json:"value"`
	Unit        string  `json:"unit,omitempty"`
	Description string  `json:"description,omitempty"`
}

func (g *Grade) outcome() Outcome {
	if g == nil {
		return Outcome{}
	}
	return g.Outcome
}

// firstFailed is the check that decided against the trial; a trial that no
// check has judged is failed by an unnamed one, so that silence never passes.
func (g *Grade) firstFailed() *CheckResult {
	if g == nil || len(g.Checks) == 0 {
		return &CheckResult{Detail: "nothing was checked"}
	}
	for i := range g.Checks {
		if !g.Checks[i].Passed {
			return &g.Checks[i]
		}
	}
	return nil
}

// A Result is what came of one trial. With its files alone, a report can be
// made again years later.
type Result struct {
	Trial   *Trial
	Attempt *Attempt // nil if nothing was started
	Grade   *Grade   // nil if nothing was graded
	Outcome Outcome
	Earlier []Try // attempts of the same work before this one, oldest first
	Reused  bool  // nothing was executed for it in this run
}

// A Try is an attempt after which another one was made.
type Try struct {
	N       int           // of the attempt
	Outcome Outcome       // without its detail, if it is read from a store
	Took    time.Duration // of the agent; 0 if it is not known
	Cost    *float64      // USD, of all calls to models; nil if it is not known
	Tokens  *int64        // of all calls to models; nil if it is not known
}

// FirstTry is the outcome of the first attempt: that of the trial itself, unless
// it was tried again.
func (r *Result) FirstTry() Outcome {
	if len(r.Earlier) > 0 {
		return r.Earlier[0].Outcome
	}
	return r.Outcome
}

// Tries is how often the work of the trial was tried, 0 if it never started.
func (r *Result) Tries() int {
	if r.Attempt == nil {
		return len(r.Earlier)
	}
	return len(r.Earlier) + 1
}

// Score is the weighted mean of the scores of the checks, from 0 to 1. It is
// not known (ok is false) unless the outcome is a verdict.
func (r *Result) Score() (score float64, ok bool) {
	if !r.Outcome.Verdict() || r.Grade == nil {
		return 0, false
	}
	var sum, weights float64
	for _, c := range r.Grade.Checks {
		sum += c.Score * c.Weight
		weights += c.Weight
	}
	if weights == 0 {
		return 0, false
	}
	return sum / weights, true
}

// Took is how long the agent worked; not known if it was not started.
func (r *Result) Took() (time.Duration, bool) {
	if r.Attempt == nil || r.Attempt.Took == 0 {
		return 0, false
	}
	return r.Attempt.Took, true
}
