package reporters

import (
	"fmt"
	"slices"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// A Try is one attempt at the work of a trial, the last one among them. A nil
// pointer is an unknown.
type Try struct {
	N       int
	Outcome engine.Outcome
	Took    *time.Duration // of the agent
	Cost    *float64       // USD; see [TryCost]
	Tokens  *int64         // of models; see [TryTokens]
}

// Tries lists all attempts at the work of a trial, oldest first. The outcome of
// the last one is that of the trial. There is none if nothing was started.
func Tries(r *engine.Result) []Try {
	var out []Try
	for _, e := range r.Earlier {
		t := Try{N: e.N, Outcome: e.Outcome, Cost: TryCost(r.Trial, e.Cost), Tokens: TryTokens(r.Trial, e.Tokens)}
		if e.Took > 0 {
			t.Took = new(e.Took)
		}
		out = append(out, t)
	}
	if a := r.Attempt; a != nil {
		t := Try{N: a.N, Outcome: r.Outcome, Cost: TryCost(r.Trial, a.Cost), Tokens: TryTokens(r.Trial, a.Tokens)}
		if took, ok := r.Took(); ok {
			t.Took = &took
		}
		out = append(out, t)
	}
	return out
}

// Ended is how a trial ended, in words: "failed(check)", or "passed (2 tries)"
// if it was tried more than once.
func Ended(r *engine.Result) string {
	out := Line(r.Outcome.String())
	if n := r.Tries(); n > 1 {
		out += fmt.Sprintf(" (%d tries)", n)
	}
	return out
}

// Sentence is a try in words: "errored(provider), 4.20 s, $0.03". What it cost is
// said if models were to be paid.
func (t Try) Sentence(models bool) string {
	out := Line(t.Outcome.String())
	if t.Took == nil {
		out += ", time unknown"
	} else {
		out += ", " + Seconds(t.Took) + " s"
	}
	switch {
	case models && t.Cost == nil:
		out += ", cost unknown"
	case models:
		out += ", " + Money(*t.Cost)
	}
	return out
}

// Retried lists those results whose work was tried more than once.
func Retried(results []engine.Result) []engine.Result {
	return slices.DeleteFunc(slices.Clone(results), func(r engine.Result) bool { return r.Tries() < 2 })
}

// knownTries is the earlier attempts with a status each: as with results, none
// means a bug of bench.
func knownTries(tries []engine.Try) []engine.Try {
	out := slices.Clone(tries)
	for i := range out {
		if !slices.Contains(engine.Statuses, out[i].Outcome.Status) {
			out[i].Outcome = engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonEngine}
		}
	}
	return out
}
