package engine

import (
	"cmp"
	"slices"
)

// A Diagnostic is a mistake of the user, shown with the place where it was
// made. Summary is a phrase without a full stop; Detail is whole sentences that
// end with what to do next.
type Diagnostic struct {
	Severity Severity `json:"severity"`
	Rule     string   `json:"rule,omitempty"` // "V10"; see docs/language.md
	Summary  string   `json:"summary"`
	Detail   string   `json:"detail,omitempty"`
	Subject  Range    `json:"subject,omitzero"`
}

// A Range is a stretch of a benchfile. The zero Range is "no place".
type Range struct {
	File  string `json:"file"`
	Start Point  `json:"start"`
	End   Point  `json:"end"` // just after the last character
}

// A Point is a place in a file. Line and Column count from 1, Byte from 0.
// Column counts what a reader sees as one character.
type Point struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Byte   int `json:"byte"`
}

// Severity tells an error from a warning. The zero value is neither.
type Severity string

// The severities. Only errors change an exit code.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityNote    Severity = "note"
)

// Diagnostics is a list of mistakes. Functions that return it go on after a
// mistake and report all.
type Diagnostics []Diagnostic

// HasErrors reports whether one of them is an error.
func (ds Diagnostics) HasErrors() bool {
	return slices.ContainsFunc(ds, func(d Diagnostic) bool { return d.Severity == SeverityError })
}

// Sorted orders them by place and drops those that say the same of the same
// place.
func (ds Diagnostics) Sorted() Diagnostics {
	out := slices.Clone(ds)
	slices.SortStableFunc(out, func(a, b Diagnostic) int {
		return cmp.Or(
			cmp.Compare(a.Subject.File, b.Subject.File),
			cmp.Compare(a.Subject.Start.Byte, b.Subject.Start.Byte),
			cmp.Compare(a.Severity, b.Severity),
			cmp.Compare(a.Summary, b.Summary),
		)
	})
	return slices.CompactFunc(out, func(a, b Diagnostic) bool {
		return a.Subject == b.Subject && a.Summary == b.Summary && a.Detail == b.Detail
	})
}
