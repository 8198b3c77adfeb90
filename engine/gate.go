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
