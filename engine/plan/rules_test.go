package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/translate"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// said is a diagnostic in a line.
func said(d engine.Diagnostic) string {
	return string(d.Severity) + " " + d.Rule + ": " + d.Summary + ". " + d.Detail
}

func TestRules(t *testing.T) {
	noop, oracle, think := builtin("noop", engine.BuiltinNoop), builtin("oracle", engine.BuiltinOracle), thinker("think")
	react, claude, morse := builtin("react", engine.BuiltinReact), thinker("claude"), thinker("morse")
	react.NeedsModel, claude.API, morse.API = true, engine.APIAnthropic, "morse"
	sealed, sealed2 := newCase("sealed"), newCase("sealed2")
	sealed.Sandbox = &engine.Sandbox{Name: "sealed", Image: engine.Image{Ref: "debian"}, Network: engine.NetworkNone}
	sealed2.Sandbox = sealed.Sandbox
	cheap, dear, free := newModel("cheap"), newModel("dear"), newModel("free")
	dear.Price, free.Price = nil, nil
	listed, named := newModel("listed"), newModel("named")
	listed.Price, listed.ID, listed.Provider = nil, "gpt-5", &engine.Provider{Name: "up", API: engine.APIOpenAI, BaseURL: "https://api.openai.com/v1"}
	named.Price, named.ID = nil, "gpt-5"
	one := []*engine.Case{newCase("a")}
	unsolved := newCase("unsolved")
	unsolved.Solution = nil
	limited := thinker("limited")
	limited.Limits.Cost = 1
	short := newCase("short")
	short.Limits.Cost = 1
	line := func(n int, m *engine.Matrix) *engine.Matrix {
		m.Pos = engine.Pos{File: "f.hcl", Line: n, Byte: n}
		return m
	}
	with := func(m *engine.Matrix, change func(*engine.Matrix)) *engine.Matrix {
		change(m)
		return m
	}
	for _, tt := range []struct {
		name  string
		suite *engine.Suite
		want  []string
	}{
		{"nothing wrong", suiteOf(line(1, matrixOf("m", one, []*engine.Agent{noop, oracle, think}, cheap, dear))), nil},

		{"V22: an oracle without a solution, once for all axes", suiteOf(with(matrixOf("m", []*engine.Case{unsolved}, []*engine.Agent{oracle}), func(m *engine.Matrix) {
			m.Axes = []*engine.Axis{axis("t", "1", "2")}
		})), []string{`error V22: case "unsolved" has no solution. Agent "oracle" runs the solution of a case, and this one has none. Add a solution block to it, or exclude it from matrix "m".`}},
		{"V22 is not about cells that are excluded", suiteOf(with(matrixOf("m", []*engine.Case{newCase("a"), unsolved}, []*engine.Agent{oracle}), func(m *engine.Matrix) {
			m.Exclude = []*engine.Exclude{{Cases: []*engine.Case{unsolved}}}
		})), nil},

		{"V12: no network, once for each sandbox", suiteOf(line(1, matrixOf("m", []*engine.Case{sealed, sealed2, newCase("a")}, []*engine.Agent{think, react, noop, command("run")}, cheap, dear))),
			[]string{`error V12: agent "think" cannot reach its model in sandbox "sealed". The agent asks from inside of the sandbox, and that has network = "none". Write network = "gateway" there, by which it reaches its model and nothing else, or exclude the two together from matrix "m".`}},
		{"V12: an API that nobody translates, once for each pair", suiteOf(line(1, matrixOf("m", []*engine.Case{newCase("a"), newCase("b")}, []*engine.Agent{morse, claude, think}, cheap))),
			[]string{`error V12: agent "morse" cannot be given model "cheap". The agent speaks the API of morse, provider "up" of the model serves that of openai, and bench cannot translate (morse: `}},
		{"V12: in each matrix", suiteOf(line(1, matrixOf("m", one, []*engine.Agent{morse}, cheap)), line(2, matrixOf("n", one, []*engine.Agent{morse}, cheap))),
			[]string{`matrix "m"`, `matrix "n"`}},
		{"V12 is not about pairs that are excluded", suiteOf(with(matrixOf("m", one, []*engine.Agent{morse, think}, cheap), func(m *engine.Matrix) {
			m.Exclude = []*engine.Exclude{{Agent: morse, Model: cheap}}
		})), nil},

		{"V15: limit of the matrix", suiteOf(with(matrixOf("m", one, []*engine.Agent{think}, free, cheap, dear), func(m *engine.Matrix) { m.Limits.Cost = 1 })),
			[]string{`error V15: models "dear", "free" have no price. The cost is bounded in matrix "m", and it cannot be known without a price. Give each a price = { input = ..., output = ... }, or limit tokens instead.`}},
		{"V15: budget of the matrix", suiteOf(with(matrixOf("m", one, []*engine.Agent{think}, dear), func(m *engine.Matrix) { m.Budget.Cost = 1 })),
			[]string{`error V15: model "dear" has no price. The cost is bounded in matrix "m", and it cannot be known without a price. Give it a price = { input = ..., output = ... }, or limit tokens instead.`}},
		{"V15: limit of an agent", suiteOf(line(1, matrixOf("m", one, []*engine.Agent{limited}, dear)), line(2, matrixOf("n", one, []*engine.Agent{think}, free))),
			[]string{`model "dear" has no price. The cost is bounded in matrix "m"`}},
		{"V15: limit of a case", suiteOf(matrixOf("m", []*engine.Case{short}, []*engine.Agent{think}, dear)), []string{`error V15`}},
		{"V15: limit that varies", suiteOf(with(matrixOf("m", one, []*engine.Agent{think}, dear), func(m *engine.Matrix) {
			m.Vary = func(engine.TrialValues) (engine.Limits, engine.Params, error) {
				return engine.Limits{Cost: 1}, nil, nil
			}
		})), []string{`error V15`}},
		{"V15: budget of the suite", &engine.Suite{Name: "s", Budget: engine.Budget{Cost: 1}, Matrices: []*engine.Matrix{
			line(1, matrixOf("m", one, []*engine.Agent{think}, dear)), line(2, matrixOf("n", one, []*engine.Agent{think}, free))}},
			[]string{`models "dear", "free" have no price. The cost is bounded in suite "s"`}},
		{"V15 is not about models whose price bench knows", suiteOf(with(matrixOf("m", one, []*engine.Agent{think}, listed), func(m *engine.Matrix) { m.Limits.Cost = 1 })), nil},
		{"V15 is about models of that name elsewhere", suiteOf(with(matrixOf("m", one, []*engine.Agent{think}, named), func(m *engine.Matrix) { m.Limits.Cost = 1 })), []string{`error V15: model "named" has no price`}},
		{"V15 is not about models that are excluded", suiteOf(with(matrixOf("m", one, []*engine.Agent{think}, cheap, dear), func(m *engine.Matrix) {
			m.Limits.Cost = 1
			m.Exclude = []*engine.Exclude{{Model: dear}}
		})), nil},
		{"V15 is not about agents that use no model", suiteOf(with(matrixOf("m", one, []*engine.Agent{noop}, dear), func(m *engine.Matrix) { m.Limits.Cost = 1 })), nil},
	} {
		p, diags := plan.New(tt.suite, nil, plan.Options{})
		if (p == nil) != (len(tt.want) > 0) {
			t.Errorf("%s: got plan %v", tt.name, p)
		}
		if len(diags) != len(tt.want) {
			t.Errorf("%s: got %v, want %q", tt.name, diags, tt.want)
			continue
		}
		for i, want := range tt.want {
			if got := said(diags[i]); !strings.Contains(got, want) {
				t.Errorf("%s: got\n%s\nwant\n%s", tt.name, got, want)
			}
		}
	}
}

// Whatever an agent speaks, it can be given any model: what the language lets
// people write never breaks V12 for its API.
func TestAllAPIsAreTranslated(t *testing.T) {
	for _, from := range engine.AgentAPIs {
		for _, to := range engine.APIs {
			if err := translate.Can(string(from), string((&engine.Provider{API: to}).Asked(from))); err != nil {
				t.Errorf("agents of %s and models of %s: %v; say so in the language reference", from, to, err)
			}
		}
	}
}

// What is wrong with a suite is wrong with all of it, whatever is selected.
func TestRulesIgnoreTheSelection(t *testing.T) {
	morse := thinker("morse")
	morse.API = "morse"
	s := suiteOf(matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{morse, command("run")}, newModel("gpt")))
	_, diags := plan.New(s, nil, plan.Options{Select: plan.Selection{Agents: []string{"run"}}})
	if diff := cmp.Diff([]string{"error V12"}, rules(diags)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestMayEndEarly(t *testing.T) {
	think, gpt := thinker("think"), newModel("gpt")
	for _, tt := range []struct {
		name   string
		change func(s *engine.Suite, first *engine.Matrix)
		want   string
	}{
		{"nothing ends it", func(*engine.Suite, *engine.Matrix) {}, ""},
		{"max_errors", func(_ *engine.Suite, m *engine.Matrix) { m.MaxErrors.Count = 1 }, "max_errors"},
		{"max_errors as a share", func(_ *engine.Suite, m *engine.Matrix) { m.MaxErrors.Percent = 5 }, "max_errors"},
		// 4 runs, of 10 minutes and $2 each
		{"budget below the worst case", func(_ *engine.Suite, m *engine.Matrix) { m.Budget.Cost = 7.9 }, "its budget"},
		{"budget that is enough", func(_ *engine.Suite, m *engine.Matrix) { m.Budget.Cost = 8 }, ""},
		{"budget, and a cost that is not bounded", func(_ *engine.Suite, m *engine.Matrix) { m.Budget.Cost, m.Limits.Cost = 7, 0 }, ""},
		{"time below the worst case", func(_ *engine.Suite, m *engine.Matrix) { m.Budget.WallClock = 39 * time.Minute }, "its budget"},
		{"time that is enough", func(_ *engine.Suite, m *engine.Matrix) { m.Budget.WallClock = 40 * time.Minute }, ""},
		{"time that is enough for two at once", func(s *engine.Suite, m *engine.Matrix) {
			m.Budget.WallClock, s.Parallel, m.Parallel = 20*time.Minute, 9, 2
		}, ""},
		{"time that is not enough for two at once", func(s *engine.Suite, m *engine.Matrix) {
			m.Budget.WallClock, s.Parallel, m.Parallel = 19*time.Minute, 9, 2
		}, "its budget"},
		{"time that is not enough for what the suite allows", func(s *engine.Suite, m *engine.Matrix) {
			m.Budget.WallClock, s.Parallel, m.Parallel = 19*time.Minute, 2, 9
		}, "its budget"},
		{"budget of the suite", func(s *engine.Suite, _ *engine.Matrix) { s.Budget.Cost = 7 }, "the budget of the suite"},
		{"all at once", func(s *engine.Suite, m *engine.Matrix) { s.Budget.Cost, m.Budget.Cost, m.MaxErrors.Count = 7, 6, 1 }, "max_errors or its budget or the budget of the suite"},
	} {
		first := matrixOf("first", []*engine.Case{newCase("a")}, []*engine.Agent{think}, gpt)
		first.Trials, first.Limits = 4, engine.Limits{WallClock: 10 * time.Minute, Cost: 2}
		second := matrixOf("second", []*engine.Case{newCase("b")}, []*engine.Agent{command("run")})
		second.Needs = []engine.Dependency{{Gate: &engine.Gate{Name: "g"}}, {Matrix: first, Pos: engine.Pos{File: "f.hcl", Line: 7}}}
		s := suiteOf(first, second)
		tt.change(s, first)
		var want, got []string
		if tt.want != "" {
			want = []string{`note V21: matrix "first" may be left incomplete, and then matrix "second" does not start. Matrix "first" ends early when it reaches ` + tt.want +
				`. Raise that, or write after instead of needs if matrix "second" is to start all the same.`}
		}
		p, diags := plan.New(s, nil, plan.Options{})
		for _, d := range diags {
			got = append(got, said(d))
			if d.Subject.Start.Line != 7 {
				t.Errorf("%s: the note stands at line %d", tt.name, d.Subject.Start.Line)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" || p == nil {
			t.Errorf("%s: plan %v; diagnostics (-want +got):\n%s", tt.name, p, diff)
		}
	}
}

// A matrix that has all its verdicts is complete, whatever bounds it.
func TestNoNoteOnceThereAreResults(t *testing.T) {
	first := matrixOf("first", []*engine.Case{newCase("a")}, []*engine.Agent{command("run")})
	first.MaxErrors.Count = 1
	second := matrixOf("second", []*engine.Case{newCase("b")}, []*engine.Agent{command("run")})
	second.Needs = []engine.Dependency{{Matrix: first}}
	s := suiteOf(first, second)
	var h history
	p, diags := plan.New(s, &h, plan.Options{})
	if len(diags) != 1 {
		t.Fatalf("got %v, want a note", diags)
	}
	h.add(p.Trials[0], passed)
	if _, diags = plan.New(s, &h, plan.Options{}); len(diags) > 0 {
		t.Errorf("got %v", diags)
	}
}

func TestWorstCase(t *testing.T) {
	m := matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{thinker("think"), command("run")}, newModel("gpt"))
	m.Trials, m.Limits = 2, engine.Limits{WallClock: time.Minute, Cost: 0.5}
	s := suiteOf(m)
	s.Parallel = 3
	want := plan.Worst{Runs: 4, AgentSeconds: 240, Cost: new(1.0), AtOnce: 3}
	if diff := cmp.Diff(want, plan.WorstCase(newPlan(t, s, nil))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.Limits.Cost = 0
	if got := plan.WorstCase(newPlan(t, s, nil)); got.Cost != nil {
		t.Errorf("nothing bounds the cost: got %v", *got.Cost)
	}
	m.Agents = m.Agents[1:]
	if got := plan.WorstCase(newPlan(t, s, nil)); got.Cost == nil || *got.Cost != 0 {
		t.Errorf("nothing costs anything: got %v", got.Cost)
	}
	var h history
	for _, tr := range newPlan(t, s, nil).Trials {
		h.add(tr, passed)
	}
	if got := plan.WorstCase(newPlan(t, s, &h)); got.Runs != 0 || got.AgentSeconds != 0 {
		t.Errorf("everything is stored: got %+v", got)
	}
}

func TestLocal(t *testing.T) {
	local := func(s *engine.Suite, h plan.History) (*engine.Plan, engine.Diagnostics) {
		return plan.New(s, h, plan.Options{Driver: engine.DriverLocal})
	}
	react := thinker("react")
	react.Builtin = engine.BuiltinReact
	for _, tt := range []struct {
		agent *engine.Agent
		want  []string
	}{{command("run"), []string{plan.PowerLocal}}, {react, []string{plan.PowerLocal, plan.PowerLocalAny}}} {
		s := suiteOf(matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{tt.agent}, newModel("gpt")))
		p, diags := local(s, nil)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if diff := cmp.Diff(tt.want, plan.MissingPowers(p, nil)); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
		var h history
		h.add(p.Trials[0], passed)
		if p, _ = local(s, &h); len(plan.Powers(p)) > 0 {
			t.Errorf("nothing is to be done, but it needs %v", plan.Powers(p))
		}
	}
	far := *box
	far.Mounts, far.GPUs, far.Network = []*engine.Mount{{Source: "x", Target: "/x"}}, 1, engine.NetworkOpen
	far.Services = []*engine.Service{{Name: "db"}}
	c, a := newCase("a"), command("run")
	c.Sandbox, a.Layer = &far, &engine.Build{}
	_, diags := local(suiteOf(matrixOf("m", []*engine.Case{c, newCase("b")}, []*engine.Agent{a, thinker("think")}, newModel("gpt"))), nil)
	var got []string
	for _, d := range diags {
		got = append(got, d.Summary)
	}
	slices.Sort(got)
	want := []string{`agent "run" cannot be installed into local sandboxes`, `agent "think" cannot ask its model from a local sandbox`}
	for _, what := range []string{"GPUs", "an open network", "mounts", "services"} {
		want = append(want, fmt.Sprintf("sandbox %q cannot have %s locally", far.Name, what))
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPowers(t *testing.T) {
	open := *box
	open.Network = engine.NetworkOpen
	open.Mounts = []*engine.Mount{
		{Source: "/data", Outside: true, Target: "/a", ReadOnly: true}, {Source: "/out", Outside: true, Target: "/b"},
		{Source: "shared", Target: "/c"}, {Source: "fixtures", Target: "/d", ReadOnly: true},
	}
	c := newCase("a")
	c.Sandbox = &open
	live, canned := newModel("live"), newModel("canned")
	live.Provider = &engine.Provider{Name: "live", API: engine.APIOpenAI, Mode: engine.ModeLive, APIKey: &engine.Secret{Name: "key"},
		Headers: map[string]engine.HeaderValue{"X-Org": {Secret: &engine.Secret{Name: "org"}}, "X-App": {Text: "bench"}}}
	canned.Provider = &engine.Provider{Name: "canned", API: engine.APIOpenAI, Mode: engine.ModeScripted, APIKey: &engine.Secret{Name: "unused"}}
	s := suiteOf(matrixOf("m", []*engine.Case{c}, []*engine.Agent{thinker("think")}, live, canned))
	p := newPlan(t, s, nil)
	want := []string{"mount.host=/data", "mount.host=/out", "mount.write=/out", "mount.write=shared", "net.open", "secret.key", "secret.org"}
	if diff := cmp.Diff(want, plan.Powers(p)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	missing := []string{"mount.host=/out", "mount.write=/out", "mount.write=shared"}
	if diff := cmp.Diff(missing, plan.MissingPowers(p, []string{"net.open", "mount.host=/data", "mount.host=/"})); diff != "" {
		t.Errorf("missing (-want +got):\n%s", diff)
	}
	if got := plan.MissingPowers(p, want); len(got) > 0 {
		t.Errorf("all are allowed, but %q are missing", got)
	}
	var h history
	for _, tr := range p.Trials {
		h.add(tr, passed)
	}
	for _, st := range h.stored {
		st.Grades, st.Outcome = nil, engine.Outcome{}
	}
	if diff := cmp.Diff(want[:5], plan.Powers(newPlan(t, s, &h))); diff != "" {
		t.Errorf("nobody asks a model when work is graded (-want +got):\n%s", diff)
	}
	h = history{}
	for _, tr := range p.Trials {
		h.add(tr, passed)
	}
	if got := plan.Powers(newPlan(t, s, &h)); len(got) > 0 {
		t.Errorf("nothing runs, and needs %q", got)
	}
}
