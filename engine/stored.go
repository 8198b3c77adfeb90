package engine

import "time"

// Stored is what the index of a store knows of an attempt: enough to plan with,
// without reading the attempt itself.
type Stored struct {
	Trial   TrialID
	N       int           // of the attempt; counts from 1
	Run     Digest        // sum of the key of the run
	Outcome Outcome       // of the run alone, without its detail; zero if there is something to grade
	Took    time.Duration // of the agent; 0 if it is not known
	Cost    *float64      // USD; nil if it is not known
	Tokens  *int64        // of models; nil if it is not known
	Grades  []StoredGrade // oldest first
}

// StoredGrade is what the index knows of a grade.
type StoredGrade struct {
	N       int     // counts from 1 for each attempt
	Check   Digest  // sum of the key of the check
	Outcome Outcome // of attempt and grade together, without its detail; not a verdict if the check could not decide
}
