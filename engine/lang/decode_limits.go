package lang

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// maxTokens bounds what can be written where tokens and requests are counted.
const maxTokens = 1 << 50

// positive reads a whole number above 0; 0 if none is written.
func (b *body) positive(name string) int64 {
	n, _ := b.whole(name, 1, maxTokens)
	return int64(n)
}

// usd reads an amount above 0; 0 if none is written.
func (b *body) usd(name string) float64 {
	v, _ := b.number(name, 0.000001, 1e9)
	return v
}

// limits reads the limits of a case or an agent.
func (b *body) limits() engine.Limits {
	inner := b.one("limits")
	if inner == nil {
		return engine.Limits{}
	}
	d, _ := inner.duration("wall_clock")
	return engine.Limits{WallClock: d, Tokens: inner.positive("tokens"), Cost: inner.usd("cost"), Turns: inner.positive("turns"), Requests: inner.positive("requests")}
}

func (b *body) budget() engine.Budget {
	inner := b.one("budget")
	if inner == nil {
		return engine.Budget{}
	}
	d, _ := inner.duration("wall_clock")
	return engine.Budget{Cost: inner.usd("cost"), Tokens: inner.positive("tokens"), WallClock: d}
}

// retryOr reads a retry block; what it does not say is as in otherwise.
func (b *body) retryOr(otherwise engine.Retry) engine.Retry {
	inner := b.one("retry")
	if inner == nil {
		return otherwise
	}
	out := otherwise
	if n, ok := inner.whole("attempts", 1, 100); ok {
		out.Attempts = int(n)
	}
	if list, ok := inner.stringList("on", kStrings); ok {
		out.On = inner.reasons(list)
	}
	if d, ok := inner.duration("backoff"); ok {
		out.Backoff = d
	}
	if d, ok := inner.duration("max_backoff"); ok {
		out.MaxBackoff = d
	}
	if out.MaxBackoff < out.Backoff {
		name := "max_backoff"
		if !inner.written(name) {
			name = "backoff"
		}
		b.errorAt(inner.place(name), "V09", "max_backoff is below backoff", "The longest wait, %s, must be at least the first one, %s. Write a longer max_backoff.", brief(out.MaxBackoff), brief(out.Backoff))
	}
	return out
}

// brief is a duration as people write it: "2m", and not "2m0s".
func brief(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// reasons reads which errored attempts are retried.
func (b *body) reasons(list []string) []engine.Reason {
	known := make([]string, len(engine.Retryable))
	for i, r := range engine.Retryable {
		known[i] = string(r)
	}
	var out []engine.Reason
	for i, r := range list {
		if !slices.Contains(known, r) {
			b.errorAt(b.item("on", i), "V09", fmt.Sprintf("%q is not retried", r), "Only %s can be made again: a verdict stands, and the other errors would only come back.", quotedList(known))
			continue
		}
		out = append(out, engine.Reason(r))
	}
	return out
}

// locks reads the capacities of named locks.
func (b *body) locks(name string) map[string]int {
	v, ok := b.value(name, kLocks, cty.Map(cty.Number))
	if !ok {
		return nil
	}
	out := map[string]int{}
	for lock, capacity := range v.AsValueMap() {
		if !engine.ValidName(lock) {
			key, _ := b.entry(name, lock)
			b.validName(lock, key)
			continue
		}
		if capacity.IsNull() {
			_, value := b.entry(name, lock)
			b.errorAt(value, "V09", fmt.Sprintf("lock %q has no number", lock), "Say how many trials may hold it at once.")
			continue
		}
		n, err := wholeIn(capacity, 1, 4096)
		if err != nil {
			_, value := b.entry(name, lock)
			b.errorAt(value, "V09", fmt.Sprintf("the capacity of lock %q is out of range", lock), "%v", err)
		}
		out[lock] = int(n)
	}
	return out
}

// lock reads the name of a lock.
func (b *body) lock() string {
	v, ok := b.str("lock")
	if !ok || !b.validName(v, b.place("lock")) {
		return ""
	}
	return v
}

// maxErrors reads "5%" or a number of trials.
func (b *body) maxErrors() engine.MaxErrors {
	v, ok := b.value("max_errors", kPercent, cty.DynamicPseudoType)
	if !ok {
		return engine.MaxErrors{}
	}
	if !v.IsNull() && v.Type() == cty.Number {
		if n, err := wholeIn(v, 1, math.MaxInt32); err == nil {
			return engine.MaxErrors{Count: int(n)}
		}
	} else if !v.IsNull() && v.Type() == cty.String {
		if text, ok := strings.CutSuffix(v.AsString(), "%"); ok {
			if n, err := convertQuietly(cty.StringVal(text), cty.Number); err == nil {
				if f, err := numberIn(n, 0.0001, 100); err == nil {
					return engine.MaxErrors{Percent: f}
				}
			}
		}
	}
	b.errorAt(b.place("max_errors"), "V09", "unusable max_errors", "Write a number of trials such as 20, or a part of all of them such as \"5%%\".")
	return engine.MaxErrors{}
}
