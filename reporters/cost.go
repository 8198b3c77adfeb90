package reporters

import (
	"strconv"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// A Cost is what several results have taken of models, all attempts at them
// together: money that was spent on trouble is spent. Verdicts and Trouble add
// up to USD. Work that trials of two matrices share counts once. A nil pointer is
// an unknown; what nothing was spent on is 0.
type Cost struct {
	Models   bool     // some trial has a model
	USD      *float64 // of all attempts
	Verdicts *float64 // of the attempts that gave a verdict
	Trouble  *float64 // of the others
	Tokens   *int64   // of all attempts
}

// TryCost is what an attempt at a trial cost: nothing if the trial has no model,
// and else what was recorded, unless that cannot be.
func TryCost(t *engine.Trial, recorded *float64) *float64 {
	if !HasModel(t) {
		return new(0.0)
	}
	if recorded == nil || !finite(*recorded) || *recorded < 0 {
		return nil
	}
	return recorded
}

// TryTokens is how many tokens an attempt took, by the rule of [TryCost].
func TryTokens(t *engine.Trial, recorded *int64) *int64 {
	if !HasModel(t) {
		return new(int64(0))
	}
	if recorded == nil || *recorded < 0 {
		return nil
	}
	return recorded
}

// HasModel reports whether the agent of a trial uses a model.
func HasModel(t *engine.Trial) bool { return t.Model != nil || t.ID.Model != "" }

// summarizeCost adds up what the results cost.
func summarizeCost(results []engine.Result) Cost {
	out := Cost{Verdicts: new(0.0), Trouble: new(0.0), Tokens: new(int64(0))}
	seen := map[work]bool{}
	for i := range results {
		r := &results[i]
		out.Models = out.Models || HasModel(r.Trial)
		if w, ok := workOf(r); ok {
			if seen[w] {
				continue
			}
			seen[w] = true
		}
		for _, t := range Tries(r) {
			sum := &out.Trouble
			if t.Outcome.Verdict() {
				sum = &out.Verdicts
			}
			*sum = plus(*sum, t.Cost)
			out.Tokens = plus(out.Tokens, t.Tokens)
		}
	}
	out.USD = plus(plus(new(0.0), out.Verdicts), out.Trouble)
	return out
}

// work names what an attempt has done, for whatever trials it did it.
type work struct {
	key   engine.Digest
	trial engine.TrialID
	n     int
}

func workOf(r *engine.Result) (work, bool) {
	a := r.Attempt
	if a == nil || a.Key.Sum.IsZero() {
		return work{}, false
	}
	return work{a.Key.Sum, a.Trial, a.N}, true
}

// plus is not known unless both are, nor if it is more than a number can hold.
func plus[T int64 | float64](a, b *T) *T {
	if a == nil || b == nil {
		return nil
	}
	sum := *a + *b
	if sum < *a || !finite(float64(sum)) {
		return nil
	}
	return &sum
}

// Dollars shows money with two decimals. Only what is exactly 0 is shown as
// "0.00".
func Dollars(usd *float64) string {
	switch {
	case usd == nil:
		return Unknown
	case *usd > 0 && *usd < 0.01:
		return "<0.01"
	}
	return strconv.FormatFloat(*usd, 'f', 2, 64)
}

// Money is [Dollars] with their sign, for sentences.
func Money(usd float64) string {
	if text, small := strings.CutPrefix(Dollars(&usd), "<"); small {
		return "<$" + text
	}
	return "$" + Dollars(&usd)
}

// Sentence is the cost in words: "cost $1.20, $0.40 of it without a verdict".
func (c Cost) Sentence() string {
	if c.USD == nil {
		return "cost unknown"
	}
	out := "cost " + Money(*c.USD)
	if c.Trouble != nil && *c.Trouble > 0 {
		out += ", " + Money(*c.Trouble) + " of it without a verdict"
	}
	return out
}
