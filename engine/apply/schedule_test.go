package apply_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// byID are the outcomes of results, by trial.
func byID(results []engine.Result) map[string]string {
	out := map[string]string{}
	for _, r := range results {
		out[r.Trial.ID.String()] = r.Outcome.String()
		if r.Outcome.Cause != "" {
			out[r.Trial.ID.String()] += " " + string(r.Outcome.Cause)
		}
	}
	return out
}

// A script plays agents by their names: those that fail leave nothing for the
// check to pass.
func scripted() *fake.Driver {
	return &fake.Driver{
		Fail: func(_ context.Context, c fake.Call) error {
			if c.Method == "Start" && !c.Grading && isTrial(c, "broken") {
				return errors.New("the sandbox broke")
			}
			return nil
		},
		Program: func(ctx context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
			switch {
			case cmd.Args[0] == "slow":
				<-ctx.Done()
				return sandbox.Exit{}, ctx.Err()
			case b.Spec.Grading && strings.Contains(b.Spec.Trial, "@fails"):
				return sandbox.Exit{Code: 1}, nil
			}
			return sandbox.Exit{}, nil
		},
	}
}

// An errored attempt is made again, in a sandbox of its own, and every attempt is
// kept. A check that errored is made again without its agent.
func TestRetry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		starts := map[string]int{}
		d := &fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
			mu.Lock()
			defer mu.Unlock()
			if c.Method == "Start" {
				key := fmt.Sprint(c.Trial, c.Grading)
				if starts[key]++; starts[key] == 1 && (isTrial(c, "run") && !c.Grading || isTrial(c, "check") && c.Grading) {
					return errors.New("broke")
				}
			}
			return nil
		}}
		b := newBench(t, d, []string{"run", "check", "fine"})
		b.suite.Matrices[0].Retry = engine.DefaultRetry
		began := time.Now()
		results := b.apply(t, t.Context())
		if took := time.Since(began); took < engine.DefaultRetry.Backoff/2 || took > 2*engine.DefaultRetry.Backoff {
			t.Errorf("waited %v", took)
		}
		for i, want := range []struct {
			tries int
			first string
		}{{2, "errored(sandbox)"}, {1, "passed"}, {1, "passed"}} {
			r := results[i]
			if r.Outcome.String() != "passed" || r.Tries() != want.tries || r.FirstTry().String() != want.first {
				t.Errorf("%s: got %v after %d tries, first %v", r.Trial.ID, r.Outcome, r.Tries(), r.FirstTry())
			}
		}
		if n := b.attempts(t); n != 4 {
			t.Errorf("%d attempts are stored, want 4", n)
		}
		again := 0
		for _, e := range b.events {
			if e, ok := e.(apply.StepEnded); ok && e.Again != nil {
				again++
				if e.Outcome.String() != "errored(sandbox)" || *e.Again <= 0 || e.Trial == nil {
					t.Errorf("told %+v", e)
				}
			}
		}
		if again != 2 {
			t.Errorf("told %d times of another try", again)
		}
		// What is reused tells of its earlier attempts, too.
		if results = b.apply(t, t.Context()); results[0].Tries() != 2 || !results[0].Reused {
			t.Errorf("reused: %d tries", results[0].Tries())
		}
	})
}

// What nobody knows counts against a budget as about what it must be, also where
// nothing could be set aside for it.
func TestBudgetOfUnknown(t *testing.T) {
	for name, budget := range map[string]engine.Budget{"tokens": {Tokens: 1}, "cost": {Cost: 0.000001}} {
		b := modelBench(t, asking(1), "turn always\ntext Yes.\nusage none\n")
		b.suite.Matrices[0].Trials, b.suite.Matrices[0].Budget = 3, budget
		var got []string
		for _, r := range b.apply(t, t.Context()) {
			got = append(got, r.Outcome.String())
		}
		if want := []string{"passed", "skipped(budget)", "skipped(budget)"}; !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", name, got, want)
		}
	}
}

// An agent whose command does not exist would not have one the next time: it is told
// at once.
func TestNoCommand(t *testing.T) {
	b := newBench(t, &fake.Driver{Program: func(_ context.Context, _ *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if cmd.Args[0] == "sh" { // which looks for it
			return sandbox.Exit{Code: 1}, nil
		}
		return sandbox.Exit{Code: 127}, nil
	}}, []string{"a"})
	b.suite.Matrices[0].Retry = engine.DefaultRetry
	if r := b.apply(t, t.Context())[0]; r.Outcome.String() != "errored(sandbox)" || !strings.Contains(r.Outcome.Detail, "there is no command") || r.Tries() != 1 {
		t.Errorf("%v after %d tries: %s", r.Outcome, r.Tries(), r.Outcome.Detail)
	}
}

// A judge decides gates by a function of the test.
type judge struct {
	gate  func(g *engine.Gate, results map[string][]engine.Result) engine.Judgement
	holds func(m *engine.Matrix, gates map[string]engine.Judgement) (bool, error)
}

func (j judge) Gate(g *engine.Gate, results map[string][]engine.Result, _ map[string]engine.Judgement) engine.GateResult {
	return engine.GateResult{Gate: g, Judgement: j.gate(g, results)}
}

func (j judge) Holds(m *engine.Matrix, _ map[string][]engine.Result, gates map[string]engine.Judgement) (bool, error) {
	return j.holds(m, gates)
}

// healthy passes if all trials of what a gate reads have.
func healthy(g *engine.Gate, results map[string][]engine.Result) engine.Judgement {
	for _, name := range g.Condition.Matrices {
		for _, r := range results[name] {
			if r.Outcome.Status != engine.StatusPassed {
				return engine.GateFailed
			}
		}
	}
	return engine.GatePassed
}

func reading(matrices ...string) *engine.Gate {
	return &engine.Gate{Name: "g", If: true, Condition: &engine.Condition{Matrices: matrices}}
}

// A matrix starts when what it needs has come out well, and not before; after
// does not care how.
func TestNeeds(t *testing.T) {
	for _, test := range []struct {
		name  string
		first string // agent of the first matrix
		wire  func(s *engine.Suite, g *engine.Gate)
		want  string // of the second matrix
	}{
		{"gate passed", "a", func(s *engine.Suite, g *engine.Gate) { s.Matrices[1].Needs = []engine.Dependency{{Gate: g}} }, "passed"},
		{"gate failed", "fails", func(s *engine.Suite, g *engine.Gate) { s.Matrices[1].Needs = []engine.Dependency{{Gate: g}} }, "skipped(needs) gate.g"},
		{"after a failed gate", "fails", func(s *engine.Suite, g *engine.Gate) { s.Matrices[1].After = []engine.Dependency{{Gate: g}} }, "passed"},
		{"matrix with failures", "fails", func(s *engine.Suite, _ *engine.Gate) {
			s.Matrices[1].Needs = []engine.Dependency{{Matrix: s.Matrices[0]}}
		}, "passed"},
		{"matrix incomplete", "broken", func(s *engine.Suite, _ *engine.Gate) {
			s.Matrices[1].Needs = []engine.Dependency{{Matrix: s.Matrices[0]}}
		}, "skipped(needs) matrix.m1"},
		{"if holds", "fails", func(s *engine.Suite, _ *engine.Gate) {
			s.Matrices[1].If = &engine.Condition{Text: "gate.g.outcome == \"failed\"", Gates: []string{"g"}}
		}, "passed"},
		{"if does not hold", "a", func(s *engine.Suite, _ *engine.Gate) {
			s.Matrices[1].If = &engine.Condition{Text: "gate.g.outcome == \"failed\"", Gates: []string{"g"}}
		}, "skipped(condition)"},
		{"if false", "a", func(s *engine.Suite, _ *engine.Gate) { s.Matrices[1].If = &engine.Condition{Static: new(false)} }, "skipped(condition)"},
		{"if true", "a", func(s *engine.Suite, _ *engine.Gate) { s.Matrices[1].If = &engine.Condition{Static: new(true)} }, "passed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, scripted(), []string{test.first}, []string{"second"})
			g := reading("m1")
			b.suite.Gates = []*engine.Gate{g}
			b.judge = judge{healthy, func(_ *engine.Matrix, gates map[string]engine.Judgement) (bool, error) {
				return gates["g"] == engine.GateFailed, nil
			}}
			test.wire(b.suite, g)
			results := b.apply(t, t.Context())
			if got := byID(results)["m2/c@second#1"]; got != test.want {
				t.Errorf("got %s, want %s (%s)", got, test.want, results[1].Outcome.Detail)
			}
			if len(b.gates) != 1 || b.gates[0].Judgement == "" {
				t.Errorf("gates: %+v", b.gates)
			}
			calls := b.driver.Calls()
			begun := slices.IndexFunc(calls, func(c fake.Call) bool { return c.Method == "Start" && isTrial(c, "second") })
			if begun >= 0 && test.name != "if true" && !slices.ContainsFunc(calls[:begun], func(c fake.Call) bool { return isTrial(c, test.first) }) {
				t.Error("the second matrix did not wait")
			}
		})
	}
}

// Work that two matrices share is done for the one that starts, and counts for
// the other only if that starts, too.
func TestSharedWithConditional(t *testing.T) {
	for _, holds := range []bool{true, false} {
		b := newBench(t, scripted(), []string{"a"}, []string{"a"})
		b.suite.Gates = []*engine.Gate{reading("m1")}
		b.suite.Matrices[1].Needs = []engine.Dependency{{Gate: b.suite.Gates[0]}}
		b.judge = judge{gate: func(*engine.Gate, map[string][]engine.Result) engine.Judgement {
			if holds {
				return engine.GatePassed
			}
			return engine.GateInconclusive
		}}
		want := map[string]string{"m1/c@a#1": "passed", "m2/c@a#1": "passed"}
		if !holds {
			want["m2/c@a#1"] = "skipped(needs) gate.g"
		}
		if diff := cmp.Diff(want, byID(b.apply(t, t.Context()))); diff != "" {
			t.Errorf("holds %t (-want +got):\n%s", holds, diff)
		}
		if n := b.attempts(t); n != 1 {
			t.Errorf("%d attempts", n)
		}
	}
}

// What ends a matrix early ends that one alone.
func TestEarlyEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(m *engine.Matrix, s *engine.Suite)
		agents []string
		want   map[string]string
	}{
		{"fail_fast", func(m *engine.Matrix, _ *engine.Suite) { m.FailFast = true }, []string{"fails", "slow", "a"},
			map[string]string{"m1/c@fails#1": "failed(check)", "m1/c@slow#1": "cancelled(fail_fast)", "m1/c@a#1": "skipped(fail_fast)"}},
		{"max_errors", func(m *engine.Matrix, _ *engine.Suite) { m.MaxErrors.Count = 1 }, []string{"broken", "a", "b"},
			map[string]string{"m1/c@broken#1": "errored(sandbox)", "m1/c@a#1": "passed", "m1/c@b#1": "skipped(max_errors)"}},
		{"deadline", func(m *engine.Matrix, _ *engine.Suite) { m.Budget.WallClock = 10 * time.Second }, []string{"slow", "slow2", "a"},
			map[string]string{"m1/c@slow#1": "cancelled(deadline)", "m1/c@slow2#1": "passed", "m1/c@a#1": "passed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, scripted(), test.agents, []string{"other"})
				b.suite.Matrices[0].Parallel = 2
				b.suite.Matrices[0].Limits.WallClock = time.Hour
				test.change(b.suite.Matrices[0], b.suite)
				test.want["m2/c@other#1"] = "passed"
				if diff := cmp.Diff(test.want, byID(b.apply(t, t.Context()))); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			})
		})
	}
}

// The wall clock of the suite ends everything; what had not started is skipped.
func TestDeadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, scripted(), []string{"slow", "a"}, []string{"other"})
		b.suite.Parallel, b.suite.Budget.WallClock = 1, 10*time.Second
		b.suite.Matrices[0].Limits.WallClock = time.Hour
		want := map[string]string{"m1/c@slow#1": "cancelled(deadline)", "m1/c@a#1": "skipped(budget)", "m2/c@other#1": "skipped(budget)"}
		if diff := cmp.Diff(want, byID(b.apply(t, t.Context()))); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		if n := b.attempts(t); n != 1 {
			t.Errorf("%d attempts are stored", n)
		}
	})
}

// A budget leaves whole rounds of cases: all cases with one agent and model, or
// none.
func TestBudget(t *testing.T) {
	b := newBench(t, asking(1), []string{"a", "b"})
	m := b.suite.Matrices[0]
	m.Models = []*engine.Model{b.scriptedModel(t, "turn always\ntext Yes.\nusage input=750 output=0\n")}
	for _, a := range b.suite.Agents {
		a.NeedsModel, a.API = true, engine.APIOpenAI
	}
	second := *b.suite.Cases[0]
	second.Name = "d"
	b.suite.Cases = append(b.suite.Cases, &second)
	m.Cases, m.Trials = b.suite.Cases, 2
	m.Limits.Cost, m.Budget.Cost = 1, 4
	results := b.apply(t, t.Context())
	rounds := map[string][]string{}
	for _, r := range results {
		round := fmt.Sprintf("%s#%d", r.Trial.ID.Agent, r.Trial.ID.N)
		rounds[round] = append(rounds[round], r.Outcome.String())
	}
	want := map[string][]string{
		"a#1": {"passed", "passed"}, "b#1": {"passed", "passed"},
		"a#2": {"skipped(budget)", "skipped(budget)"}, "b#2": {"skipped(budget)", "skipped(budget)"},
	}
	if diff := cmp.Diff(want, rounds); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if cost := results[0].Attempt.Cost; cost == nil || *cost != 0.75 {
		t.Errorf("cost %v", cost)
	}
}

// A budget pays for every try, also for one whose sandbox broke, and for no more
// than that has spent: another one is made only if the rest covers it.
func TestBudgetPaysForTries(t *testing.T) {
	for _, c := range []struct {
		budget engine.Budget
		want   string
		tries  int
	}{
		{engine.Budget{Cost: 2.4}, "errored(sandbox)", 2},
		{engine.Budget{Cost: 2.6}, "passed", 3},
		{engine.Budget{Tokens: 2400}, "errored(sandbox)", 2},
		{engine.Budget{Tokens: 2600}, "passed", 3},
	} {
		b := modelBench(t, breaking(asking(1), 2), "turn always\ntext Yes.\nusage input=750 output=0\n")
		m := b.suite.Matrices[0]
		m.Retry.Attempts, m.Retry.On = 3, []engine.Reason{engine.ReasonSandbox}
		m.Limits.Cost, m.Limits.Tokens, m.Budget = 1, 1000, c.budget
		if r := b.apply(t, t.Context())[0]; r.Outcome.String() != c.want || r.Tries() != c.tries {
			t.Errorf("%+v: %v after %d tries, want %s after %d", c.budget, r.Outcome, r.Tries(), c.want, c.tries)
		}
	}
}
