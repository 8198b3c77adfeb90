package engine

// A Gate reads results and decides whether they are good enough.
type Gate struct {
	Name            string
	Condition       *Condition
	Message         string // the expression of it, as it is written; empty if there is none
	Severity        Severity
	AllowIncomplete bool
	If              bool // false: the gate is skipped
	Pos             Pos
}

// A Condition is true or false once the results that it reads are there.
type Condition struct {
	Text     string   // as it is written
	Matrices []string // whose results it reads, sorted
	Gates    []string // whose outcomes it reads, sorted
	Static   *bool    // its value, if it reads no results
	Pos      Pos
}

// A Judgement is how a gate ended. The zero value is none.
type Judgement string

// The judgements.
const (
	GatePassed       Judgement = "passed"
	GateFailed       Judgement = "failed"
	GateInconclusive Judgement = "inconclusive" // what it reads is incomplete or not known
	GateSkipped      Judgement = "skipped"      // its if is false
)

// A GateResult is what came of a gate.
type GateResult struct {
	Gate      *Gate
	Judgement Judgement
	Message   string      // why, in a line: that of the gate, or what was compared
	Values    []GateValue // what the condition read, in the order in which it stands there
}

// A GateValue is a result that a condition read.
type GateValue struct {
	Name  string // "matrix.smoke.pass_rate"
	Value string // as a benchfile would write it
}
