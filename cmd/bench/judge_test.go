package main

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/stats"
)

const judgedSuite = `
suite "s" {}

sandbox "box" {
  image = "debian:trixie-slim"
}

case "one" {
  prompt  = "p"
  sandbox = sandbox.box

  check "k" {
    command = ["true"]
  }
}

case "two" {
  prompt  = "p"
  sandbox = sandbox.box

  check "k" {
    command = ["true"]
  }
}

agent "a" {
  command     = ["x"]
  needs_model = false
}

agent "b" {
  command     = ["x"]
  needs_model = false
}

matrix "m" {
  cases  = [case.one, case.two]
  agents = [agent.a, agent.b]
}

matrix "after" {
  if     = matrix.m.by_agent["a"].pass_rate > 0.4 && gate.floor.outcome == "failed"
  cases  = [case.one]
  agents = [agent.a]
}

gate "floor" {
  condition = matrix.m.pass_rate >= 0.75
}

gate "price" {
  condition = matrix.m.cost <= 5
}

gate "loss" {
  condition = matrix.m.metrics["loss"].mean < 1
}

gate "both" {
  condition = gate.floor.outcome == "passed" && matrix.m.by_agent["b"].failed == 0
  message   = "Agent b lost ${matrix.m.by_agent["b"].failed}."
}

gate "lenient" {
  condition        = matrix.m.pass_rate == 1
  allow_incomplete = true
}
`

// court opens the suite, and plans it.
func court(t *testing.T, selected plan.Selection) (*judge, *engine.Plan) {
	t.Helper()
	root := t.TempDir()
	if err := os.Mkdir(filepath.Join(root, "cases"), 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(root, "s.hcl")
	if err := os.WriteFile(file, []byte(judgedSuite), 0o600); err != nil {
		t.Fatal(err)
	}
	session, _, diags := lang.Open(file, lang.Options{Root: root})
	if session == nil {
		t.Fatal(diags)
	}
	p, diags := plan.New(session.Suite, nil, plan.Options{Select: selected})
	if p == nil {
		t.Fatal(diags)
	}
	return newJudge(session, p), p
}

// outcomes ends the trials of a plan that belong to a matrix, one status each.
func outcomes(p *engine.Plan, matrix string, statuses ...engine.Status) map[string][]engine.Result {
	out := map[string][]engine.Result{}
	for _, trial := range p.Trials {
		if trial.ID.Matrix != matrix {
			continue
		}
		r := engine.Result{Trial: trial, Outcome: engine.Outcome{Status: statuses[len(out[matrix])]}}
		switch r.Outcome.Status {
		case engine.StatusFailed:
			r.Outcome.Reason = engine.ReasonCheck
		case engine.StatusErrored:
			r.Outcome.Reason = engine.ReasonHost
		}
		out[matrix] = append(out[matrix], r)
	}
	return out
}

func TestJudge(t *testing.T) {
	const pass, fail, err, skip = engine.StatusPassed, engine.StatusFailed, engine.StatusErrored, engine.StatusSkipped
	// The trials are one@a, one@b, two@a, two@b.
	for _, tt := range []struct {
		gate     string
		statuses []engine.Status
		want     string
	}{
		{"floor", []engine.Status{pass, pass, pass, fail}, "passed: matrix.m.pass_rate = 0.75 (3 of 4), wanted >= 0.75"},
		{"floor", []engine.Status{pass, fail, pass, fail}, "failed: matrix.m.pass_rate = 0.5 (2 of 4), wanted >= 0.75"},
		{"floor", []engine.Status{pass, err, pass, skip}, "inconclusive: matrix.m is incomplete: 2 of 4 trials came to no verdict (1 errored, 1 skipped)"},
		{"price", []engine.Status{pass, pass, pass, pass}, "inconclusive: matrix.m.cost is not known"},
		{"loss", []engine.Status{pass, pass, pass, pass}, `inconclusive: matrix.m.metrics["loss"] is not known`},
		{"both", []engine.Status{pass, pass, pass, fail}, "failed: Agent b lost 1."},
		{"both", []engine.Status{fail, pass, fail, pass}, `passed: gate.floor.outcome = "passed", wanted == "passed"; matrix.m.by_agent["b"].failed = 0, wanted == 0`},
		{"lenient", []engine.Status{pass, err, pass, skip}, "passed: matrix.m.pass_rate = 1 (2 of 2), wanted == 1"},
		{"lenient", []engine.Status{err, err, err, skip}, "inconclusive: matrix.m.pass_rate is not known"},
	} {
		j, p := court(t, plan.Selection{})
		r := j.Gate(gateNamed(p, tt.gate), outcomes(p, "m", tt.statuses...), map[string]engine.Judgement{"floor": engine.GatePassed})
		if got := fmt.Sprintf("%s: %s", r.Judgement, r.Message); got != tt.want {
			t.Errorf("%s of %v\n got %s\nwant %s", tt.gate, tt.statuses, got, tt.want)
		}
	}
}

func gateNamed(p *engine.Plan, name string) *engine.Gate {
	for _, g := range p.Suite.Gates {
		if g.Name == name {
			return g
		}
	}
	panic("no gate " + name)
}

// What was selected is not what the gate is about.
func TestJudgeNarrowed(t *testing.T) {
	j, p := court(t, plan.Selection{Agents: []string{"a"}, Matrices: []string{"m"}})
	const pass = engine.StatusPassed
	r := j.Gate(gateNamed(p, "lenient"), outcomes(p, "m", pass, pass), nil)
	if want := "matrix.m was narrowed on the command line, and is 2 trials short"; r.Judgement != engine.GateInconclusive || r.Message != want {
		t.Errorf("got %s: %s", r.Judgement, r.Message)
	}
}

// Numbers whose sum is none are trouble of the results, and not of bench.
func TestJudgeOverflow(t *testing.T) {
	j, p := court(t, plan.Selection{})
	const pass = engine.StatusPassed
	results := outcomes(p, "m", pass, pass, pass, pass)
	for i := range results["m"] {
		results["m"][i].Grade = &engine.Grade{Checks: []engine.CheckResult{{Metrics: map[string]engine.Metric{"loss": {Value: math.MaxFloat64}}}}}
	}
	r := j.Gate(gateNamed(p, "loss"), results, nil)
	if want := "the results of matrix.m cannot be added up: json: unsupported value: +Inf"; r.Judgement != engine.GateInconclusive || r.Message != want {
		t.Errorf("got %s: %s", r.Judgement, r.Message)
	}
}

// Statistics are of the last attempt in everything that it took, be it money or
// tokens: what was tried before tells nothing of an agent.
func TestStatsOfRetried(t *testing.T) {
	_, p := court(t, plan.Selection{})
	trial := *p.Trials[0]
	trial.Model = &engine.Model{Name: "m"}
	r := engine.Result{
		Trial: &trial, Outcome: engine.Outcome{Status: engine.StatusPassed},
		Attempt: &engine.Attempt{
			N: 2, Took: time.Second, Cost: new(0.5), Tokens: new(int64(120)),
			Models: &engine.ModelUse{Requests: 3, Turns: 2, Input: new(int64(100)), Output: new(int64(20)), CacheRead: new(int64(60))},
		},
		Earlier: []engine.Try{{N: 1, Took: time.Minute, Cost: new(8.0), Tokens: new(int64(9000)), Outcome: engine.Outcome{Status: engine.StatusErrored}}},
	}
	got := stats.Summarize([]stats.Trial{statsOf(&r)})
	tokens := &stats.Tokens{Input: 100, Output: 20, Cached: 60, Total: 120}
	if diff := cmp.Diff([]any{new(0.5), tokens, new(int64(3)), new(int64(2)), new(1.0)}, []any{got.Cost, got.Tokens, got.Requests, got.Turns, got.Duration.Total}); diff != "" {
		t.Errorf("cost, tokens, requests, turns and seconds (-want +got):\n%s", diff)
	}
}

// Vertices end on many goroutines, and each may ask.
func TestHoldsSideBySide(t *testing.T) {
	j, p := court(t, plan.Selection{})
	const pass, fail = engine.StatusPassed, engine.StatusFailed
	results := outcomes(p, "m", pass, pass, fail, fail)
	after := p.Suite.Matrices[1]
	var wg sync.WaitGroup
	for range 8 {
		for floor, want := range map[engine.Judgement]bool{engine.GateFailed: true, engine.GatePassed: false} {
			wg.Go(func() {
				got, err := j.Holds(after, results, map[string]engine.Judgement{"floor": floor})
				if err != nil || got != want {
					t.Errorf("%s: got %t, %v", floor, got, err)
				}
			})
		}
	}
	wg.Wait()
	_, err := j.Holds(after, nil, nil)
	if want := "the if of matrix.after cannot be decided: matrix.m has no results"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
