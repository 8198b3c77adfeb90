package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// replayed gives models of one provider that replays a cassette.
func replayed(t testing.TB, files ...string) *engine.Model {
	model := newModel("gpt")
	model.Provider = &engine.Provider{
		Name: "tapes", API: engine.APIOpenAI, Mode: engine.ModeReplay, Cassette: "cassettes/smoke", Recordings: tree(t, files...),
		Pos: engine.Pos{File: "f.hcl", Line: 3, Column: 1},
	}
	return model
}

// A trial that replays and was never recorded is told of, at the provider.
func TestMissingRecordings(t *testing.T) {
	think, react, noop := thinker("think"), builtin("react", engine.BuiltinReact), builtin("noop", engine.BuiltinNoop)
	react.NeedsModel, noop.NeedsModel = true, true
	suite := func(trials int, agents []*engine.Agent, files ...string) *engine.Suite {
		m := matrixOf("m", []*engine.Case{newCase("group/a")}, agents, replayed(t, files...))
		m.Trials = trials
		return suiteOf(m)
	}
	only := func(agents ...*engine.Agent) []*engine.Agent { return agents }
	for _, tt := range []struct {
		name   string
		suite  *engine.Suite
		target string
		want   string
	}{
		{"all are there", suite(1, only(think, react), "group/a@think+gpt#1.txt", "group/a@react+gpt#1.txt"), "", ""},
		{"an agent that asks nothing", suite(1, only(noop)), "", ""},
		{"one is not", suite(1, only(think, react), "group/a@think+gpt#1.txt"), "",
			`error V17: trial m/group/a@react+gpt#1 was never recorded. Provider "tapes" replays, and there is no cassettes/smoke/group/a@react+gpt#1.txt. Run once with mode = "record" in the provider, or select other trials.`},
		{"several are not", suite(3, only(think), "group/a@think+gpt#1.txt"), "",
			`error V17: 2 trials were never recorded. Provider "tapes" replays, and there is no cassettes/smoke/group/a@think+gpt#2.txt for trial m/group/a@think+gpt#2, and nothing for 1 more. Run`},
		{"begun", suite(1, only(think), "group/a@think+gpt#1.txt.part"), "",
			`no cassettes/smoke/group/a@think+gpt#1.txt. Its recording was begun, and never finished. Run`},
		{"a directory in its place", suite(1, only(think), "group/a@think+gpt#1.txt/x"), "", "was never recorded"},
		{"not selected", suite(3, only(think), "group/a@think+gpt#2.txt"), "m/group/a@think+gpt#2", ""},
	} {
		var o plan.Options
		if tt.target != "" {
			o.Select.Targets = []string{tt.target}
		}
		p, diags := plan.New(tt.suite, nil, o)
		if wrong := tt.want != ""; (p == nil) != wrong || (len(diags) == 1) != wrong {
			t.Errorf("%s: got plan %v, and %v", tt.name, p, diags)
			continue
		}
		for _, d := range diags {
			if got := said(d); !strings.Contains(got, tt.want) {
				t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, tt.want)
			}
			if d.Subject.File != "f.hcl" || d.Subject.Start.Line != 3 {
				t.Errorf("%s: at %+v, and not at the provider", tt.name, d.Subject)
			}
		}
	}
}

// A recording that has changed is other work for its own trial alone, in whatever
// matrix it is.
func TestRecordingsAreKeys(t *testing.T) {
	suite := func(second string) *engine.Suite {
		model := replayed(t, "a@think+gpt#1.txt=one", "a@think+gpt#2.txt="+second)
		m, n := matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{thinker("think")}, model), matrixOf("n", []*engine.Case{newCase("a")}, []*engine.Agent{thinker("think")}, model)
		m.Trials, n.Trials = 2, 2
		n.Agents, n.Cases = m.Agents, m.Cases
		return suiteOf(m, n)
	}
	before := newPlan(t, suite("two"), nil)
	var h history
	for _, tr := range before.Trials {
		h.add(tr, passed)
	}
	var got []string
	for _, tr := range newPlan(t, suite("other"), &h).Trials {
		line := tr.ID.String() + " " + tr.Reuse.Sign.String()
		for _, c := range tr.Reuse.Changed {
			line += " " + c.Name
		}
		got = append(got, line)
	}
	want := []string{"m/a@think+gpt#1 =", "m/a@think+gpt#2 ~ provider.cassette", "n/a@think+gpt#1 =", "n/a@think+gpt#2 ~ provider.cassette"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
