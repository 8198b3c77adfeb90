package plan_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// What a selected matrix needs comes along whole, through gates and ifs too, and
// what it only comes after does not. A name that is removed stays away.
func TestAlong(t *testing.T) {
	cases := []*engine.Case{newCase("a"), newCase("b")}
	noop := []*engine.Agent{builtin("noop", engine.BuiltinNoop)}
	smoke, base, other := matrixOf("smoke", cases, noop), matrixOf("base", cases, noop), matrixOf("other", cases, noop)
	pr := matrixOf("pr", cases, noop)
	s := suiteOf(smoke, base, other, pr)
	s.Gates = []*engine.Gate{{Name: "g", If: true, Condition: &engine.Condition{Matrices: []string{"smoke"}}}}
	pr.Needs = []engine.Dependency{{Gate: s.Gates[0]}}
	pr.After = []engine.Dependency{{Matrix: other}}
	smoke.If = &engine.Condition{Matrices: []string{"base"}}
	for _, tt := range []struct {
		selected plan.Selection
		want     []string
		left     map[string]int
	}{
		{plan.Selection{Matrices: []string{"pr"}, Cases: []string{"a"}}, []string{"smoke/a@noop#1", "smoke/b@noop#1", "base/a@noop#1", "base/b@noop#1", "pr/a@noop#1"}, map[string]int{"other": 2, "pr": 1}},
		{plan.Selection{Matrices: []string{"other"}}, []string{"other/a@noop#1", "other/b@noop#1"}, map[string]int{"smoke": 2, "base": 2, "pr": 2}},
		{plan.Selection{Matrices: []string{"!smoke", "!other"}, Cases: []string{"a"}}, []string{"base/a@noop#1", "pr/a@noop#1"}, map[string]int{"smoke": 2, "base": 1, "other": 2, "pr": 1}},
	} {
		p, diags := plan.New(s, nil, plan.Options{Select: tt.selected})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		var got []string
		for _, trial := range p.Trials {
			got = append(got, trial.ID.String())
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", tt.selected, diff)
		}
		if diff := cmp.Diff(tt.left, p.Left); diff != "" {
			t.Errorf("%+v, left out (-want +got):\n%s", tt.selected, diff)
		}
	}
}

// A budget sets the limit of a trial aside, or else what most earlier ones took.
func TestReserve(t *testing.T) {
	provider := &engine.Provider{Name: "p", API: engine.APIOpenAI}
	model := &engine.Model{Name: "m", Provider: provider, Price: &engine.Price{}}
	agent := &engine.Agent{Name: "react", Builtin: engine.BuiltinReact, NeedsModel: true, API: engine.APIOpenAI}
	m := matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{agent, builtin("noop", engine.BuiltinNoop)})
	m.Models = []*engine.Model{model}
	s := suiteOf(m)
	h := &history{}
	id := engine.TrialID{Matrix: "before", Case: "a", Agent: "react", Model: "m", N: 1}
	for i := range 100 {
		h.stored = append(h.stored, &engine.Stored{Trial: id, N: i + 1, Cost: new(float64(i) / 100), Tokens: new(int64(10 * i))})
	}
	h.stored = append(h.stored, &engine.Stored{Trial: id, N: 101}) // nobody knows what it took
	for _, tt := range []struct {
		name   string
		limits engine.Limits
		budget engine.Budget
		want   engine.Reserve
	}{
		{"no budget", engine.Limits{Cost: 2}, engine.Budget{}, engine.Reserve{}},
		{"a limit of cost alone", engine.Limits{Cost: 2}, engine.Budget{Tokens: 9}, engine.Reserve{Cost: 2, Tokens: 950}},
		{"limits", engine.Limits{Cost: 2, Tokens: 7}, engine.Budget{Cost: 9}, engine.Reserve{Cost: 2, Tokens: 7}},
		{"history", engine.Limits{}, engine.Budget{Tokens: 9}, engine.Reserve{Cost: 0.95, Tokens: 950}},
	} {
		m.Limits, s.Budget = tt.limits, tt.budget
		p, diags := plan.New(s, h, plan.Options{})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		at := func(agent string) *engine.Trial {
			return p.Trials[slices.IndexFunc(p.Trials, func(t *engine.Trial) bool { return t.ID.Agent == agent })]
		}
		if got := at("react").Reserve; got != tt.want {
			t.Errorf("%s: got %+v, want %+v", tt.name, got, tt.want)
		}
		if got := at("noop").Reserve; got != (engine.Reserve{}) {
			t.Errorf("%s: without a model: %+v", tt.name, got)
		}
	}
}

// What cannot be graded any more is made again.
func TestRemovedSnapshot(t *testing.T) {
	s := suiteOf(matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{builtin("noop", engine.BuiltinNoop)}))
	trial := newPlan(t, s, nil).Trials[0]
	st := &engine.Stored{Trial: trial.ID, N: 1, Run: trial.Run.Key.Sum}
	h := &history{stored: []*engine.Stored{st}, removed: map[*engine.Stored]bool{st: true}}
	p := newPlan(t, s, h)
	want := engine.Reuse{Sign: engine.SignChanged, Changed: []engine.Change{{Name: "snapshot", Old: "stored", New: "removed"}}}
	if diff := cmp.Diff(want, p.Trials[0].Reuse); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if len(p.Steps) != 4 {
		t.Errorf("%d steps", len(p.Steps))
	}
}
