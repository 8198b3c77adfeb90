package reporters

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// Unknown is how people read a number that is not known.
const Unknown = "unknown"

// Percent shows a rate in percent with one decimal and without the sign. Only
// what is exactly 0 or 1 is shown as "0.0" or "100.0".
func Percent(rate *float64) string {
	if rate == nil {
		return Unknown
	}
	p := *rate * 100
	if *rate > 0 && *rate < 1 {
		p = min(max(p, 0.1), 99.9)
	}
	return strconv.FormatFloat(p, 'f', 1, 64)
}

// Decimal shows a score with three decimals.
func Decimal(v *float64) string {
	if v == nil {
		return Unknown
	}
	return strconv.FormatFloat(*v, 'f', 3, 64)
}

// Seconds shows a duration in seconds with two decimals.
func Seconds(d *time.Duration) string {
	if d == nil {
		return Unknown
	}
	return strconv.FormatFloat(d.Seconds(), 'f', 2, 64)
}

// Number shows a metric with six significant digits.
func Number(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }

// Sentence is the totals in one line: "9 trials: 4 passed, 5 failed (2 reused; 1
// retried)". What no trial has is left out.
func (s Summary) Sentence() string {
	var parts []string
	for _, status := range engine.Statuses {
		if n := s.Count(status); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	out := trials(s.Trials)
	if len(parts) > 0 {
		out += ": " + strings.Join(parts, ", ")
	}
	var notes []string
	if s.Reused > 0 {
		notes = append(notes, fmt.Sprintf("%d reused", s.Reused))
	}
	if s.Retried > 0 {
		notes = append(notes, fmt.Sprintf("%d retried", s.Retried))
	}
	if len(notes) > 0 {
		out += " (" + strings.Join(notes, "; ") + ")"
	}
	return out
}

func trials(n int) string {
	if n == 1 {
		return "1 trial"
	}
	return fmt.Sprintf("%d trials", n)
}
