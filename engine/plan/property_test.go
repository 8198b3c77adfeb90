package plan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// suites draws a suite of a few matrices, with everything that decides which
// trials there are. It has the same cases, agents and models in all of them.
func suites(t *rapid.T) *engine.Suite {
	some := func(label string, low, high int) int { return rapid.IntRange(low, high).Draw(t, label) }
	var cases []*engine.Case
	for i := range some("cases", 1, 4) {
		c := newCase(fmt.Sprintf("g%d/c%d", i%2, i))
		c.Tags = rapid.SliceOfDistinct(rapid.SampledFrom([]string{"fast", "slow"}), rapid.ID).Draw(t, "tags")
		cases = append(cases, c)
	}
	agents := []*engine.Agent{thinker("think"), command("run"), builtin("noop", engine.BuiltinNoop)}[:some("agents", 1, 3)]
	if rapid.Bool().Draw(t, "layer") {
		agents[0].Layer = &engine.Build{Dockerfile: "Dockerfile"}
	}
	models := []*engine.Model{newModel("gpt"), newModel("qwen")}[:some("models", 1, 2)]
	var matrices []*engine.Matrix
	for i := range some("matrices", 1, 3) {
		m := matrixOf(fmt.Sprintf("m%d", i), cases[:some("cases of it", 1, len(cases))], agents, models...)
		m.Trials = some("trials", 1, 3)
		for a := range some("axes", 0, 4) {
			m.Axes = append(m.Axes, axis(fmt.Sprintf("x%d", a), []string{"1", "0.5", "big"}[:some("values", 1, 3)]...))
		}
		for range some("excludes", 0, 2) {
			e := &engine.Exclude{}
			if rapid.Bool().Draw(t, "by case") {
				e.Cases = cases[:some("excluded", 1, len(cases))]
			}
			if rapid.Bool().Draw(t, "by model") {
				e.Model = models[0]
			}
			if len(m.Axes) > 0 && rapid.Bool().Draw(t, "by axis") {
				e.Axes = map[string]json.RawMessage{"x0": json.RawMessage(`"1"`)}
			}
			if e.Cases != nil && e.Model != nil || e.Axes != nil { // else too little may be left
				m.Exclude = append(m.Exclude, e)
			}
		}
		if rapid.Bool().Draw(t, "include") {
			m.Include = []*engine.Include{{Cases: []*engine.Case{newCase("extra")}, Agents: agents[:1], Models: models, Trials: 2}}
		}
		matrices = append(matrices, m)
	}
	s := suiteOf(matrices...)
	s.Seed = rapid.Uint64().Draw(t, "seed")
	return s
}

// Names of trials are what people copy into a command: each is one trial.
func TestTrialsAreUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p, diags := plan.New(suites(t), nil, plan.Options{})
		if diags.HasErrors() {
			return // a matrix may have nothing left
		}
		seen := map[string]bool{}
		for _, tr := range p.Trials {
			id := tr.ID.String()
			if seen[id] {
				t.Errorf("%s is there twice", id)
			}
			seen[id] = true
			if back, err := engine.ParseTrialID(id); err != nil || back != tr.ID {
				t.Errorf("%s: got back %+v (%v)", id, back, err)
			}
			var axes []string
			for _, p := range tr.Axes {
				axes = append(axes, p.Axis+"="+p.Value.Name)
			}
			if tr.Agent.NeedsModel == (tr.Model == nil) || strings.Join(axes, ",") != tr.ID.Axes {
				t.Errorf("%s: model %v, axes %v", id, tr.Model, axes)
			}
		}
		done := map[engine.StepID]bool{}
		for _, s := range p.Steps {
			for _, need := range s.Needs() {
				if !done[need] {
					t.Errorf("%s comes before %s, which it needs", s.StepID(), need)
				}
			}
			if done[s.StepID()] {
				t.Errorf("%s is there twice", s.StepID())
			}
			done[s.StepID()] = true
		}
	})
}

// A narrowed plan is a part of the whole: the same trials, with the same work,
// in the same order.
func TestNarrowingChangesNothing(t *testing.T) {
	lists := func(t *rapid.T, label string, from ...string) []string {
		return rapid.SliceOfN(rapid.SampledFrom(from), 0, 2).Draw(t, label)
	}
	rapid.Check(t, func(t *rapid.T) {
		s := suites(t)
		whole, diags := plan.New(s, nil, plan.Options{})
		if diags.HasErrors() {
			return
		}
		o := plan.Options{AllowEmpty: true, Select: plan.Selection{
			Cases:    lists(t, "by case", "g0/*", "!**/c0", "**"),
			Agents:   lists(t, "by agent", "think", "!think", "*"),
			Models:   lists(t, "by model", "gpt", "!gpt"),
			Matrices: lists(t, "by matrix", "m0", "!m0"),
			Targets:  lists(t, "targets", "**/c0@*", "**/*#1", "!**/*#1", "m0/**"),
			Exclude:  lists(t, "exclude", "**/*#1", "**/*=1*"),
		}}
		part, diags := plan.New(s, nil, o)
		if diags.HasErrors() {
			return // a pattern may match nothing
		}
		work := map[string]string{}
		var order []string
		for _, tr := range whole.Trials {
			work[tr.ID.String()] = fmt.Sprint(tr.Run.Key.Sum, tr.Check.Key.Sum, tr.Seed, tr.Limits)
			order = append(order, tr.ID.String())
		}
		at, left := 0, len(whole.Trials)
		for _, tr := range part.Trials {
			id := tr.ID.String()
			if got := fmt.Sprint(tr.Run.Key.Sum, tr.Check.Key.Sum, tr.Seed, tr.Limits); work[id] != got {
				t.Errorf("%s: got %s, want %s", id, got, work[id])
			}
			for at < len(order) && order[at] != id {
				at++
			}
			if at == len(order) {
				t.Fatalf("%s is not where it is in the whole plan: %s", id, strings.Join(ids(part), " "))
			}
			left--
		}
		for _, n := range part.Left {
			left -= n
		}
		if left != 0 {
			t.Errorf("of %d trials, %d are planned, and %v are said to be left out", len(whole.Trials), len(part.Trials), part.Left)
		}
	})
}
