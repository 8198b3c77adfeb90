package engine

import (
	"fmt"
	"slices"
)

// A Finding is something in an image that makes verdicts of what runs in it worth
// less, or nothing. No finding ever holds a secret itself.
type Finding struct {
	Severity Severity `json:"severity"`       // with an error, no agent works in the image
	Rule     string   `json:"rule"`           // "hidden-file"; see package imagelint
	Path     string   `json:"path,omitempty"` // absolute, in the image; empty if it is not about a file
	Summary  string   `json:"summary"`        // a phrase without a full stop
	Detail   string   `json:"detail"`         // whole sentences: what may come of it
	Fix      string   `json:"fix"`            // a sentence: what to do
}

func (f Finding) String() string {
	if f.Path == "" {
		return f.Summary
	}
	return fmt.Sprintf("%s: %s", f.Path, f.Summary)
}

// ImageFindings is what was found in an image.
type ImageFindings struct {
	Step     StepID    `json:"step"`     // that looked at it
	Findings []Finding `json:"findings"` // errors first
}

// Of lists the findings of a severity.
func (f *ImageFindings) Of(s Severity) []Finding {
	return slices.DeleteFunc(slices.Clone(f.Findings), func(one Finding) bool { return one.Severity != s })
}
