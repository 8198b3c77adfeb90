package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/reporters"
)

// writeDocument shows a saved plan.
func writeDocument(w io.Writer, d *plan.Document) error {
	var b strings.Builder
	fmt.Fprintf(&b, "plan of suite %s, from %s, by bench %s\n\n", d.Suite.Name, d.Suite.File, d.Version.Bench)
	for _, v := range d.Variables {
		value := string(v.Value)
		if v.Sensitive {
			value = "(sensitive)"
		}
		fmt.Fprintf(&b, "var.%s = %s\n", v.Name, reporters.Line(value))
	}
	for _, m := range d.Matrices {
		fmt.Fprintf(&b, "matrix.%s: %s, %d new, %d changed, %d to be graded again, %d to be tried again, %d reused, %d not selected\n",
			m.Name, plural(m.Trials, "trial"), m.New, m.Changed, m.Regrade, m.Again, m.Same, m.Left)
	}
	for _, i := range d.Images {
		fmt.Fprintf(&b, "%s   key %s\n", i.ID, i.Key.Short())
	}
	for _, p := range d.Powers {
		fmt.Fprintf(&b, "power %s\n", p)
	}
	fmt.Fprintf(&b, "%s\n\n", plural(len(d.Files), "file"))
	for _, t := range d.Trials {
		fmt.Fprintf(&b, "%-8s %s", t.Sign, t.ID)
		if len(t.Changed) > 0 {
			fmt.Fprintf(&b, "   %s", describeChanges(t.Changed))
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// writtenResults is what show reads of the report "json"; see
// reporters/json/results.schema.json.
type writtenResults struct {
	Suite struct {
		Name string `json:"name"`
	} `json:"suite"`
	Began *time.Time `json:"began"`
	Exit  struct {
		Code   int    `json:"code"`
		Reason string `json:"reason"`
	} `json:"exit"`
	Totals struct {
		Trials    int      `json:"trials"`
		Passed    int      `json:"passed"`
		Failed    int      `json:"failed"`
		Errored   int      `json:"errored"`
		Skipped   int      `json:"skipped"`
		Cancelled int      `json:"cancelled"`
		PassRate  *float64 `json:"pass_rate"`
	} `json:"totals"`
	Trials []struct {
		ID     string   `json:"id"`
		Status string   `json:"status"`
		Reason string   `json:"reason"`
		Detail string   `json:"detail"`
		Reused bool     `json:"reused"`
		Score  *float64 `json:"score"`
		Took   *float64 `json:"took_seconds"`
		Cost   *float64 `json:"cost_usd"`
	} `json:"trials"`
}

// writeResults shows the report of a run: its totals, and a line for each trial.
func writeResults(w io.Writer, text []byte) error {
	var r writtenResults
	if err := json.Unmarshal(text, &r); err != nil {
		return &exitError{exitUsage, fmt.Sprintf("the report cannot be read: %v", err)}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "results of suite %s", reporters.Line(r.Suite.Name))
	if r.Began != nil {
		fmt.Fprintf(&b, ", begun %s", r.Began.Format(time.RFC3339))
	}
	t := r.Totals
	fmt.Fprintf(&b, "\n%s: %d passed, %d failed, %d errored, %d skipped, %d cancelled; pass rate %s\n", plural(t.Trials, "trial"),
		t.Passed, t.Failed, t.Errored, t.Skipped, t.Cancelled, unknown(t.PassRate, func(f float64) string { return fmt.Sprintf("%.1f %%", 100*f) }))
	fmt.Fprintf(&b, "exit status %d: %s\n\n", r.Exit.Code, reporters.Line(r.Exit.Reason))
	for _, t := range r.Trials {
		status := t.Status
		if t.Reason != "" {
			status += "(" + t.Reason + ")"
		}
		fmt.Fprintf(&b, "%s   %s, score %s, took %s, cost %s", reporters.Line(t.ID), reporters.Line(status),
			unknown(t.Score, func(f float64) string { return fmt.Sprintf("%.2f", f) }),
			unknown(t.Took, func(f float64) string { return shortDuration(time.Duration(f * float64(time.Second))) }), unknown(t.Cost, usd))
		if t.Reused {
			b.WriteString(", reused")
		}
		b.WriteByte('\n')
		if t.Detail != "" {
			fmt.Fprintf(&b, "    %s\n", reporters.Line(t.Detail))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
