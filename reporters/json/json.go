// Package json writes a run as one JSON document for programs, with every number
// as it was measured.
//
//	{
//	  "schema": "bench.results/1",
//	  "suite": {"name": "hello", "seed": 42, …},
//	  "exit": {"code": 0, "reason": "every trial has a verdict"},
//	  "totals": {"trials": 9, "passed": 4, "failed": 5, …, "pass_rate": 0.4444444444444444},
//	  "matrices": [{"name": "smoke", "totals": {…}, "agents": […]}],
//	  "trials": [{"id": "smoke/debugging/nan_loss@noop#1", "status": "failed", …}]
//	}
//
// [Schema] is its JSON Schema and says what each field means. What is not known
// is absent, never zero; lists are never null. Fields are added under the same
// number, so a reader ignores those that it does not know; a change that would
// mislead a reader raises the number.
//
// Text is what was recorded, made valid UTF-8. Control characters are in it, if
// an agent wrote them, but escaped as JSON demands: whoever prints it should
// strip them.
package json

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Version is what the field "schema" of a document says.
const Version = "bench.results/1"

//go:embed results.schema.json
var schema []byte

// Schema is the JSON Schema of the document, in the dialect of 2020-12. The
// caller owns the bytes.
func Schema() []byte { return bytes.Clone(schema) }

// Reporter writes JSON. It has no options.
type Reporter struct{}

// Report writes the document.
func (Reporter) Report(w io.Writer, run *engine.Run) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(documentOf(run)); err != nil {
		return fmt.Errorf("json: %w", err)
	}
	_, err := w.Write(escapeControls(b.Bytes()))
	return err
}

// escapeControls escapes the characters of JSON text that encoding/json leaves
// as they are, but a terminal obeys: DEL, the controls of the upper half, and
// marks that turn the direction of text. They can only be within strings.
func escapeControls(text []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(text) {
		if obeyed(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

func documentOf(run *engine.Run) document {
	results := reporters.Results(run)
	s := reporters.Suite(run)
	d := document{
		Schema: Version,
		Bench:  run.Version,
		Suite:  suite{Name: s.Name, Description: s.Description, Seed: s.Seed, Sources: list(s.Sources)},
		Began:  moment(run.Began), Ended: moment(run.Ended),
		Exit: run.Exit, Totals: totalsOf(reporters.Summarize(results)),
		Matrices: []matrix{}, Trials: []trial{},
	}
	for _, m := range reporters.Matrices(results) {
		d.Matrices = append(d.Matrices, matrixOf(m))
	}
	for i := range results {
		d.Trials = append(d.Trials, trialOf(&results[i]))
	}
	return d
}

func matrixOf(m reporters.Matrix) matrix {
	out := matrix{Name: m.Name, Totals: totalsOf(m.Summary), Agents: []agent{}}
	table, err := reporters.NewTable(m.Results, []string{"agent", "model"})
	if err != nil {
		panic(err) // the rows are known to be right
	}
	for _, r := range table.Rows {
		a := agent{Agent: r.Keys[0], Totals: totalsOf(r.Summary)}
		if len(r.Keys) > 1 && r.Keys[1] != reporters.None {
			a.Model = r.Keys[1]
		}
		out.Agents = append(out.Agents, a)
	}
	return out
}

func totalsOf(s reporters.Summary) totals {
	out := totals{
		Trials: s.Trials, Passed: s.Passed, Failed: s.Failed, Errored: s.Errored,
		Skipped: s.Skipped, Cancelled: s.Cancelled, Reused: s.Reused, Complete: s.Complete(),
		PassRate: s.PassRate, Score: s.Score, Metrics: []metricTotals{},
		P50: seconds(s.P50), Total: seconds(s.Total),
	}
	for _, m := range s.Metrics {
		out.Metrics = append(out.Metrics, metricTotals(m))
	}
	return out
}

func trialOf(r *engine.Result) trial {
	t := r.Trial
	out := trial{
		ID: t.ID.String(), Matrix: t.ID.Matrix, Case: t.ID.Case, Category: reporters.Category(t),
		Agent: t.ID.Agent, Model: t.ID.Model, N: t.ID.N, Seed: t.Seed,
		Status: r.Outcome.Status, Reason: r.Outcome.Reason, Detail: r.Outcome.Detail, Cause: r.Outcome.Cause,
		Reused: r.Reused, Score: reporters.Score(r),
		Checks: []check{}, Changed: []string{}, Left: []string{},
	}
	for _, p := range t.ID.Points() {
		out.Axes = append(out.Axes, axis{p[0], p[1]})
	}
	if took, ok := r.Took(); ok {
		out.Took = seconds(&took)
	}
	if t.Run != nil {
		out.RunKey = t.Run.Key.Sum
	}
	if t.Check != nil {
		out.CheckKey = t.Check.Key.Sum
	}
	out.attempt(r.Attempt)
	out.grade(r.Grade)
	return out
}

func (t *trial) attempt(a *engine.Attempt) {
	if a == nil {
		return
	}
	t.Attempt, t.Exit, t.Image, t.Cost = a.N, a.Exit, a.Image, a.Cost
	t.Began, t.Usage, t.Left = moment(a.Began), usageOf(a.Usage), list(a.Left)
	if !a.Key.Sum.IsZero() {
		t.RunKey = a.Key.Sum
	}
}

func (t *trial) grade(g *engine.Grade) {
	if g == nil {
		return
	}
	t.Changed = list(g.Changed)
	if !g.Key.Sum.IsZero() {
		t.CheckKey = g.Key.Sum
	}
	for i := range g.Checks {
		t.Checks = append(t.Checks, checkOf(&g.Checks[i]))
	}
}

func checkOf(c *engine.CheckResult) check {
	out := check{Name: c.Name, Passed: c.Passed, Score: number(c.Score), Weight: number(c.Weight),
		Detail: c.Detail, Output: c.Output, Metrics: []metric{}}
	if c.Took > 0 {
		out.Took = seconds(&c.Took)
	}
	for _, m := range reporters.Metrics(c) {
		out.Metrics = append(out.Metrics, metric{m.Name, m.Value, m.Unit, m.Description})
	}
	return out
}

func usageOf(u engine.Usage) *usage {
	if u == (engine.Usage{}) {
		return nil
	}
	return &usage{CPU: seconds(u.CPU), PeakMemory: u.PeakMemory, OOMKills: u.OOMKills}
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

func seconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(d.Seconds())
}

// list makes nil an empty list, so that readers can walk it.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
