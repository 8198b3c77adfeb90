// Package json writes a run as one JSON document for programs, with every number
// as it was measured.
//
//	{
//	  "schema": "bench.results/1",
//	  "suite": {"name": "hello", "seed": 42, …},
//	  "exit": {"code": 0, "reason": "every trial has a verdict"},
//	  "totals": {"trials": 9, "passed": 4, "failed": 5, …, "pass_rate": 0.4444444444444444},
//	  "gates": [{"name": "healthy", "judgement": "passed", …}],
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

func documentOf(run *engine.Run) document {
	results := reporters.Results(run)
	s := reporters.Suite(run)
	d := document{
		Schema: Version,
		Bench:  run.Version, Origin: originOf(run.Origin),
		Suite: suite{Name: s.Name, Description: s.Description, Seed: s.Seed, Sources: list(s.Sources)},
		Began: moment(run.Began), Ended: moment(run.Ended),
		Exit: run.Exit, Totals: totalsOf(reporters.Summarize(results)),
		Gates: []gate{}, Matrices: []matrix{}, Trials: []trial{},
	}
	for _, g := range reporters.Gates(run) {
		d.Gates = append(d.Gates, gateOf(g))
	}
	for _, m := range reporters.Matrices(results) {
		d.Matrices = append(d.Matrices, matrixOf(m))
	}
	for _, i := range run.Images {
		for _, f := range i.Findings {
			d.Findings = append(d.Findings, finding{i.Step, f})
		}
	}
	for i := range results {
		d.Trials = append(d.Trials, trialOf(&results[i]))
	}
	return d
}

func gateOf(g reporters.Gate) gate {
	out := gate{Name: g.Name, Judgement: g.Judgement, Severity: g.Severity,
		Condition: g.Condition, Message: g.Message, Values: []gateValue{}}
	for _, v := range g.Values {
		out.Values = append(out.Values, gateValue(v))
	}
	return out
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
		Retried: s.Retried, Tries: s.Tries,
		PassRate: s.PassRate, Score: s.Score, Metrics: []metricTotals{},
		P50: seconds(s.P50), Total: seconds(s.Total),
		FirstPassed: s.First.Passed, FirstFailed: s.First.Failed, FirstPassRate: s.First.PassRate,
		Cost: s.Cost.USD, CostVerdicts: s.Cost.Verdicts, CostTrouble: s.Cost.Trouble, Tokens: s.Cost.Tokens,
	}
	for _, m := range s.Metrics {
		out.Metrics = append(out.Metrics, metricTotals(m))
	}
	return out
}
