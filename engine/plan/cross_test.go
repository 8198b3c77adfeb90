package plan_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

func TestCrossing(t *testing.T) {
	a, b := newCase("a"), newCase("b")
	noop, run, think := builtin("noop", engine.BuiltinNoop), command("run"), thinker("think")
	gpt, qwen := newModel("gpt"), newModel("qwen")
	type excludes = []*engine.Exclude
	type includes = []*engine.Include
	cases := func(c ...*engine.Case) []*engine.Case { return c }
	agents := func(a ...*engine.Agent) []*engine.Agent { return a }
	point := func(axis, value string) map[string]json.RawMessage {
		return map[string]json.RawMessage{axis: json.RawMessage(value)}
	}
	for _, tt := range []struct {
		name   string
		matrix engine.Matrix
		want   string
		diags  []string
	}{
		{"case, agent as declared, number", engine.Matrix{Cases: cases(a, b), Agents: agents(run, noop), Trials: 2},
			"a@run#1 a@run#2 a@noop#1 a@noop#2 b@run#1 b@run#2 b@noop#1 b@noop#2", nil},
		{"models for the agents that need one", engine.Matrix{Cases: cases(a), Agents: agents(think, noop), Models: []*engine.Model{qwen, gpt}, Trials: 1},
			"a@think+qwen#1 a@think+gpt#1 a@noop#1", nil},
		{"an agent without the model that it needs", engine.Matrix{Cases: cases(a), Agents: agents(think, noop), Trials: 1},
			"a@noop#1", nil},
		{"axes in their order, the first slowest", engine.Matrix{Cases: cases(a), Agents: agents(think), Models: []*engine.Model{gpt}, Axes: []*engine.Axis{axis("t", "1", "0.3"), axis("size", "big", "small")}, Trials: 1},
			"a@think+gpt,t=1,size=big#1 a@think+gpt,t=1,size=small#1 a@think+gpt,t=0.3,size=big#1 a@think+gpt,t=0.3,size=small#1", nil},

		{"exclude a cell", engine.Matrix{Cases: cases(a, b), Agents: agents(run, noop), Trials: 1, Exclude: excludes{{Cases: cases(a), Agent: run}}},
			"a@noop#1 b@run#1 b@noop#1", nil},
		{"exclude an agent", engine.Matrix{Cases: cases(a, b), Agents: agents(run, noop), Trials: 1, Exclude: excludes{{Agent: run}}},
			"a@noop#1 b@noop#1", nil},
		{"exclude a model, which a cell without one does not have", engine.Matrix{Cases: cases(a), Agents: agents(think, noop), Models: []*engine.Model{gpt, qwen}, Trials: 1, Exclude: excludes{{Model: gpt}}},
			"a@think+qwen#1 a@noop#1", nil},
		{"exclude a number of an axis", engine.Matrix{Cases: cases(a), Agents: agents(noop), Axes: []*engine.Axis{axis("t", "1", "0.3")}, Trials: 1, Exclude: excludes{{Axes: point("t", "0.3")}}},
			"a@noop,t=1#1", nil},
		{"exclude a name of an axis", engine.Matrix{Cases: cases(a), Agents: agents(noop), Axes: []*engine.Axis{axis("size", "big", "small")}, Trials: 1, Exclude: excludes{{Axes: point("size", `"big"`)}}},
			"a@noop,size=small#1", nil},
		{"exclude a point of two axes", engine.Matrix{Cases: cases(a), Agents: agents(noop), Axes: []*engine.Axis{axis("x", "1", "2"), axis("y", "1", "2")}, Trials: 1,
			Exclude: excludes{{Axes: map[string]json.RawMessage{"x": json.RawMessage("1"), "y": json.RawMessage("2")}}}},
			"a@noop,x=1,y=1#1 a@noop,x=2,y=1#1 a@noop,x=2,y=2#1", nil},
		{"exclude that only repeats another is not idle", engine.Matrix{Cases: cases(a, b), Agents: agents(noop), Trials: 1, Exclude: excludes{{Cases: cases(a)}, {Cases: cases(a), Agent: noop}}},
			"b@noop#1", nil},
		{"exclude a case that is not there", engine.Matrix{Cases: cases(a), Agents: agents(noop), Trials: 1, Exclude: excludes{{Cases: cases(b)}}},
			"a@noop#1", []string{"warning V13"}},
		{"exclude by an empty list of cases", engine.Matrix{Cases: cases(a), Agents: agents(noop), Trials: 1, Exclude: excludes{{Cases: []*engine.Case{}}}},
			"a@noop#1", []string{"warning V13"}},
		{"exclude a value that is not there", engine.Matrix{Cases: cases(a), Agents: agents(noop), Axes: []*engine.Axis{axis("t", "1")}, Trials: 1, Exclude: excludes{{Axes: point("t", "2")}}},
			"a@noop,t=1#1", []string{"warning V13"}},
		{"exclude by an axis that is not there", engine.Matrix{Cases: cases(a), Agents: agents(noop), Trials: 1, Exclude: excludes{{Axes: point("t", "2")}}},
			"a@noop#1", []string{"warning V13"}},
		{"exclude all", engine.Matrix{Cases: cases(a), Agents: agents(noop), Trials: 1, Exclude: excludes{{Agent: noop}}},
			"", []string{"error V10"}},

		{"include with its own number", engine.Matrix{Cases: cases(a), Agents: agents(noop), Trials: 1, Include: includes{{Cases: cases(b), Agents: agents(run), Trials: 2}}},
			"a@noop#1 b@run#1 b@run#2", nil},
		{"include crosses models and axes", engine.Matrix{Cases: cases(a), Agents: agents(noop), Axes: []*engine.Axis{axis("t", "1", "2")}, Trials: 1, Include: includes{{Cases: cases(b), Agents: agents(think, run), Models: []*engine.Model{gpt}, Trials: 1}}},
			"a@noop,t=1#1 a@noop,t=2#1 b@think+gpt,t=1#1 b@think+gpt,t=2#1 b@run,t=1#1 b@run,t=2#1", nil},
		{"include another model of a cell", engine.Matrix{Cases: cases(a), Agents: agents(think), Models: []*engine.Model{gpt}, Trials: 1, Include: includes{{Cases: cases(a), Agents: agents(think), Models: []*engine.Model{qwen}, Trials: 1}}},
			"a@think+gpt#1 a@think+qwen#1", nil},
		{"include what was excluded", engine.Matrix{Cases: cases(a, b), Agents: agents(noop), Trials: 1, Exclude: excludes{{Cases: cases(a)}}, Include: includes{{Cases: cases(a), Agents: agents(noop), Trials: 3}}},
			"b@noop#1 a@noop#1 a@noop#2 a@noop#3", nil},
		{"include what is there", engine.Matrix{Cases: cases(a), Agents: agents(noop), Axes: []*engine.Axis{axis("t", "1", "2")}, Trials: 1, Include: includes{{Cases: cases(a), Agents: agents(noop), Trials: 2}}},
			"", []string{"error V14"}},
		{"include twice", engine.Matrix{Cases: cases(a), Agents: agents(noop), Trials: 1, Include: includes{{Cases: cases(b), Agents: agents(run), Trials: 1}, {Cases: cases(b), Agents: agents(run), Trials: 1, Pos: engine.Pos{Line: 2}}}},
			"", []string{"error V14"}},
	} {
		tt.matrix.Name = "m"
		p, diags := plan.New(suiteOf(&tt.matrix), nil, plan.Options{})
		if got := strings.ReplaceAll(strings.Join(ids(p), " "), "m/", ""); got != tt.want {
			t.Errorf("%s: got trials\n%s\nwant\n%s", tt.name, got, tt.want)
		}
		if diff := cmp.Diff(tt.diags, rules(diags)); diff != "" {
			t.Errorf("%s: diagnostics (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Each trial gets what is meant for it: its place, its seed, its limits.
func TestTrials(t *testing.T) {
	model := newModel("gpt")
	model.Params = engine.Params{"temperature": json.RawMessage("0"), "top_p": json.RawMessage("1")}
	m := matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{thinker("think"), command("run")}, model)
	m.Axes, m.Trials, m.Seeds = []*engine.Axis{axis("t", "0.3")}, 3, []uint64{11, 12}
	m.Limits = engine.Limits{WallClock: time.Minute, Turns: 9, Requests: 30}
	m.Params = engine.Params{"temperature": json.RawMessage("0.5")}
	m.Agents[0].Limits.Turns, m.Agents[0].Limits.Requests, m.Cases[0].Limits.Tokens = 5, 40, 100
	var seen []engine.TrialValues
	bind := m.Agents[0].Bind
	m.Agents[0].Bind = func(v engine.TrialValues) (engine.Invocation, error) { seen = append(seen, v); return bind(v) }
	s := suiteOf(m)
	p := newPlan(t, s, nil)

	point := []engine.AxisPoint{{Axis: "t", Value: engine.AxisValue{Name: "0.3", Value: json.RawMessage("0.3")}}}
	want := engine.TrialValues{Case: "a", Agent: "think", Model: model, Axes: point, N: 1, Seed: 11, Prompt: "Do a", PromptFile: engine.PromptFile, Workspace: "/workspace", Gateway: engine.PlannedGateway}
	if diff := cmp.Diff(want, seen[0]); diff != "" {
		t.Errorf("what Bind is given (-want +got):\n%s", diff)
	}
	first, third, other := p.Trials[0], p.Trials[2], p.Trials[3]
	if first.Seed != 11 || p.Trials[1].Seed != 12 || third.Seed != third.ID.Seed(s.Seed) {
		t.Errorf("seeds: got %d, %d, %d", first.Seed, p.Trials[1].Seed, third.Seed)
	}
	if diff := cmp.Diff(engine.Limits{WallClock: time.Minute, Turns: 5, Tokens: 100, Requests: 30}, first.Limits); diff != "" {
		t.Errorf("limits (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(engine.Params{"temperature": json.RawMessage("0.5"), "top_p": json.RawMessage("1")}, first.Params); diff != "" {
		t.Errorf("params (-want +got):\n%s", diff)
	}
	if first.Model != model || !cmp.Equal(first.Axes, point) || first.Invocation.Command[0] != "run" {
		t.Errorf("got %+v", first)
	}
	if other.Model != nil || other.Params != nil || other.ID.Model != "" {
		t.Errorf("%s uses no model: got %v with %v", other.ID, other.Model, other.Params)
	}

	warm := *m
	warm.Name, warm.Params = "warm", engine.Params{"temperature": json.RawMessage("1")}
	both := newPlan(t, suiteOf(m, &warm), nil).Trials
	if last := both[len(both)/2]; last.ID.Matrix != "warm" || string(last.Params["temperature"]) != "1" || string(both[0].Params["temperature"]) != "0.5" {
		t.Errorf("params of two matrices: got %v and %v", both[0].Params, last.Params)
	}

	m.Vary = func(v engine.TrialValues) (engine.Limits, engine.Params, error) {
		return engine.Limits{Tokens: int64(v.N)}, engine.Params{"temperature": v.Axes[0].Value.Value}, nil
	}
	p = newPlan(t, s, nil)
	if l := p.Trials[1].Limits; l != (engine.Limits{WallClock: engine.DefaultWallClock, Tokens: 2, Turns: 5, Requests: 40}) {
		t.Errorf("varied limits: got %+v", l)
	}
	if got := string(p.Trials[1].Params["temperature"]); got != "0.3" {
		t.Errorf("varied params: got temperature %s", got)
	}
	if p.Trials[3].Params != nil {
		t.Errorf("%s: got params %v", p.Trials[3].ID, p.Trials[3].Params)
	}
}

// What a benchfile cannot say of a trial is reported once, and the rest too.
func TestFunctionsThatFail(t *testing.T) {
	a := command("a")
	a.Bind = func(v engine.TrialValues) (engine.Invocation, error) {
		return engine.Invocation{}, fmt.Errorf("no command in %s", v.Case)
	}
	m := matrixOf("m", []*engine.Case{newCase("x"), newCase("y")}, []*engine.Agent{a})
	m.Trials = 3
	m.Vary = func(engine.TrialValues) (engine.Limits, engine.Params, error) {
		return engine.Limits{}, nil, errors.New("no limits")
	}
	p, diags := plan.New(suiteOf(m), nil, plan.Options{})
	var got []string
	for _, d := range diags {
		got = append(got, d.Rule+" "+d.Summary+": "+d.Detail)
	}
	want := []string{
		`V09 agent "a" cannot be started: For trial m/x@a#1: no command in x.`,
		`V09 agent "a" cannot be started: For trial m/y@a#1: no command in y.`,
		`V09 matrix "m" has no limits or params for a trial: For trial m/x@a#1: no limits.`,
	}
	if diff := cmp.Diff(want, got); diff != "" || p != nil {
		t.Errorf("plan %v; diagnostics (-want +got):\n%s", p, diff)
	}
}

// A product that nobody meant is refused before it fills the memory.
func TestTooManyTrials(t *testing.T) {
	m := &engine.Matrix{Name: "m", Cases: []*engine.Case{newCase("a")}, Agents: []*engine.Agent{builtin("noop", engine.BuiltinNoop)}, Trials: 1}
	for i := range 20 {
		axis := &engine.Axis{Name: fmt.Sprintf("a%d", i)}
		for v := range 100 {
			axis.Values = append(axis.Values, engine.AxisValue{Name: fmt.Sprint(v), Value: json.RawMessage(fmt.Sprint(v))})
		}
		m.Axes = append(m.Axes, axis)
	}
	p, diags := plan.New(suiteOf(m), nil, plan.Options{})
	if p != nil || len(diags) != 1 || diags[0].Rule != "V10" || diags[0].Summary != "too many trials" {
		t.Errorf("got %v", diags)
	}
}
