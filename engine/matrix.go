package engine

import (
	"bytes"
	"encoding/json"
	"maps"
	"math"
	"time"
)

// A Matrix crosses cases, agents, models and axes, and says how often each cell
// is tried.
type Matrix struct {
	Name      string
	Cases     []*Case // selected by glob, reference and tags; sorted by name
	Agents    []*Agent
	Models    []*Model // for the agents that need one
	Axes      []*Axis
	Trials    int      // per cell, at least 1
	Seeds     []uint64 // of the trials of each cell; nil: derived from the suite's
	Parallel  int      // trials of this matrix at once; 0 means the suite's number
	Lock      string   // held while a trial runs; empty for none
	Limits    Limits
	Params    Params // over those of the model
	Budget    Budget
	Retry     Retry
	MaxErrors MaxErrors
	FailFast  bool
	Reuse     bool // false: stored results are not used
	Exclude   []*Exclude
	Include   []*Include
	Needs     []Dependency // must be complete or passed before a trial starts
	After     []Dependency // must have ended
	If        *Condition   // nil: always
	Baseline  *Baseline    // nil if there is none

	// Vary gives the limits and parameters of one trial. It is pure. Nil if
	// Limits and Params hold for all trials.
	Vary func(TrialValues) (Limits, Params, error)

	Pos Pos
}

// An Axis is a dimension of a matrix beside case, agent and model.
type Axis struct {
	Name   string
	Values []AxisValue
	Pos    Pos
}

// An AxisValue is one value of an axis: how it is called in a trial id, and what
// it is.
type AxisValue struct {
	Name  string          // "0.3", or the name of an object
	Value json.RawMessage // canonical JSON
}

// Is reports whether text, as canonical JSON, means this value: it is the value,
// or its name.
func (v AxisValue) Is(text json.RawMessage) bool {
	if bytes.Equal(v.Value, text) {
		return true
	}
	var name string
	return json.Unmarshal(text, &name) == nil && name == v.Name
}

// An AxisPoint is the place of a trial on one axis.
type AxisPoint struct {
	Axis  string
	Value AxisValue
}

// An Exclude removes the cells that match all that it gives.
type Exclude struct {
	Cases []*Case // nil if it names no case
	Agent *Agent  // nil if it names no agent
	Model *Model  // nil if it names no model
	Axes  map[string]json.RawMessage
	Pos   Pos
}

// An Include adds cells that the crossing does not have. They are crossed with
// the axes of the matrix.
type Include struct {
	Cases  []*Case
	Agents []*Agent
	Models []*Model
	Trials int
	Pos    Pos
}

// Params are sent to a model with each request, by name, as canonical JSON.
type Params map[string]json.RawMessage

// Over gives p laid over base. Neither is changed.
func (p Params) Over(base Params) Params {
	if len(p) == 0 {
		return base
	}
	out := maps.Clone(base)
	if out == nil {
		out = Params{}
	}
	maps.Copy(out, p)
	return out
}

// Retry says which errored attempts are made again, and when. Verdicts are never
// retried.
type Retry struct {
	Attempts   int      // the first one included; at least 1
	On         []Reason // of errored
	Backoff    time.Duration
	MaxBackoff time.Duration
}

// DefaultRetry holds where no retry block says otherwise.
var DefaultRetry = Retry{
	Attempts:   2,
	On:         []Reason{ReasonImage, ReasonAsset, ReasonSandbox, ReasonProvider, ReasonHost},
	Backoff:    5 * time.Second,
	MaxBackoff: 2 * time.Minute,
}

// MaxErrors ends a matrix as incomplete. At most one of the two is set.
type MaxErrors struct {
	Count   int     // trials
	Percent float64 // of all trials, above 0
}

// IsZero reports whether errors never end the matrix.
func (m MaxErrors) IsZero() bool { return m == MaxErrors{} }

// Of is the number of errored trials, of all trials of a matrix, that ends it; 0
// for none.
func (m MaxErrors) Of(trials int) int {
	if m.Percent > 0 {
		return max(1, int(math.Ceil(m.Percent/100*float64(trials))))
	}
	return m.Count
}

// A Dependency is a matrix or a gate that something waits for. Exactly one of
// the two is set.
type Dependency struct {
	Matrix *Matrix
	Gate   *Gate
	Pos    Pos
}

// Ref is the dependency as a benchfile writes it.
func (d Dependency) Ref() string {
	if d.Gate != nil {
		return "gate." + d.Gate.Name
	}
	return "matrix." + d.Matrix.Name
}

// A Baseline is what a matrix is compared with: exactly one of a results file
// and another matrix.
type Baseline struct {
	Path   string // relative to the root
	Matrix *Matrix
}
