package plan_test

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/plan"
)

var box = &engine.Sandbox{Name: "box", Image: engine.Image{Ref: "debian"}, CPUs: 1, Memory: 1 << 30, Workdir: "/workspace"}

func newCase(name string) *engine.Case {
	return &engine.Case{
		Name: name, Prompt: "Do " + name, Sandbox: box,
		Checks:   []*engine.Check{{Name: "c", Script: engine.Script{Command: []string{"true"}}, Timeout: time.Minute, Weight: 1}},
		Solution: &engine.Script{Command: []string{"solve", name}},
	}
}

func builtin(name string, b engine.Builtin) *engine.Agent {
	return &engine.Agent{Name: name, Builtin: b}
}

// command is an agent that knows all of a trial.
func command(name string) *engine.Agent {
	return &engine.Agent{Name: name, Bind: func(t engine.TrialValues) (engine.Invocation, error) {
		return engine.Invocation{Command: []string{"run", name, t.Case, fmt.Sprint(t.N, t.Seed)}}, nil
	}}
}

func suiteOf(matrices ...*engine.Matrix) *engine.Suite {
	return &engine.Suite{Name: "s", Seed: 1, Matrices: matrices}
}

func newPlan(t *testing.T, s *engine.Suite, h plan.History) *engine.Plan {
	t.Helper()
	p, diags := plan.New(s, h)
	if len(diags) > 0 {
		t.Fatalf("diagnostics: %v", diags)
	}
	return p
}

func trials(p *engine.Plan) (out []string) {
	for _, t := range p.Trials {
		out = append(out, t.ID.String())
	}
	return out
}

func steps(p *engine.Plan) (out []string) {
	for _, s := range p.Steps {
		out = append(out, string(s.StepID()))
	}
	return out
}

func TestExpansion(t *testing.T) {
	a, b := newCase("a"), newCase("b")
	noop, run := builtin("noop", engine.BuiltinNoop), command("run")
	for _, tt := range []struct {
		name   string
		matrix *engine.Matrix
		want   []string
		diags  []string
	}{
		{"crossed: case, agent as declared, number", &engine.Matrix{Cases: []*engine.Case{a, b}, Agents: []*engine.Agent{run, noop}, Trials: 2},
			[]string{"m/a@run#1", "m/a@run#2", "m/a@noop#1", "m/a@noop#2", "m/b@run#1", "m/b@run#2", "m/b@noop#1", "m/b@noop#2"}, nil},
		{"exclude a cell", &engine.Matrix{Cases: []*engine.Case{a, b}, Agents: []*engine.Agent{run, noop}, Trials: 1, Exclude: []*engine.Exclude{{Cases: []*engine.Case{a}, Agent: run}}},
			[]string{"m/a@noop#1", "m/b@run#1", "m/b@noop#1"}, nil},
		{"exclude an agent", &engine.Matrix{Cases: []*engine.Case{a, b}, Agents: []*engine.Agent{run, noop}, Trials: 1, Exclude: []*engine.Exclude{{Agent: run}}},
			[]string{"m/a@noop#1", "m/b@noop#1"}, nil},
		{"exclude that only repeats another is not idle", &engine.Matrix{Cases: []*engine.Case{a, b}, Agents: []*engine.Agent{noop}, Trials: 1, Exclude: []*engine.Exclude{{Cases: []*engine.Case{a}}, {Cases: []*engine.Case{a}, Agent: noop}}},
			[]string{"m/b@noop#1"}, nil},
		{"exclude nothing", &engine.Matrix{Cases: []*engine.Case{a}, Agents: []*engine.Agent{noop}, Trials: 1, Exclude: []*engine.Exclude{{Cases: []*engine.Case{b}}}},
			[]string{"m/a@noop#1"}, []string{"warning V13"}},
		{"include with its own number", &engine.Matrix{Cases: []*engine.Case{a}, Agents: []*engine.Agent{noop}, Trials: 1, Include: []*engine.Include{{Cases: []*engine.Case{b}, Agents: []*engine.Agent{run}, Trials: 2}}},
			[]string{"m/a@noop#1", "m/b@run#1", "m/b@run#2"}, nil},
		{"include what is there", &engine.Matrix{Cases: []*engine.Case{a}, Agents: []*engine.Agent{noop}, Trials: 1, Include: []*engine.Include{{Cases: []*engine.Case{a}, Agents: []*engine.Agent{noop}, Trials: 2}}},
			nil, []string{"error V14"}},
		{"include twice", &engine.Matrix{Cases: []*engine.Case{a}, Agents: []*engine.Agent{noop}, Trials: 1, Include: []*engine.Include{
			{Cases: []*engine.Case{b}, Agents: []*engine.Agent{run}, Trials: 1}, {Cases: []*engine.Case{b}, Agents: []*engine.Agent{run}, Trials: 1, Pos: engine.Pos{Line: 2}}}},
			nil, []string{"error V14"}},
		{"exclude all", &engine.Matrix{Cases: []*engine.Case{a}, Agents: []*engine.Agent{noop}, Trials: 1, Exclude: []*engine.Exclude{{Agent: noop}}},
			nil, []string{"error V10"}},
	} {
		tt.matrix.Name = "m"
		p, diags := plan.New(suiteOf(tt.matrix), nil)
		var got, rules []string
		if p != nil {
			got = trials(p)
		}
		for _, d := range diags {
			rules = append(rules, string(d.Severity)+" "+d.Rule)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: trials (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.diags, rules); diff != "" {
			t.Errorf("%s: diagnostics (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestOracleNeedsSolution(t *testing.T) {
	c := newCase("a")
	c.Solution = nil
	m := &engine.Matrix{Name: "m", Cases: []*engine.Case{c}, Agents: []*engine.Agent{builtin("o", engine.BuiltinOracle)}, Trials: 1}
	if p, diags := plan.New(suiteOf(m), nil); p != nil || len(diags) != 1 || diags[0].Rule != "V22" {
		t.Errorf("got %v, %v; want V22 alone", p, diags)
	}
}

// The graph has the steps in an order in which they can be done, each once.
func TestSteps(t *testing.T) {
	a := newCase("a")
	noop, run := builtin("noop", engine.BuiltinNoop), command("run")
	m := func(name string) *engine.Matrix {
		return &engine.Matrix{Name: name, Cases: []*engine.Case{a}, Agents: []*engine.Agent{noop, run}, Trials: 1}
	}
	p := newPlan(t, suiteOf(m("one"), m("two")), nil)
	want := []string{"image:box", "run:one/a@noop#1", "check:one/a@noop#1", "run:one/a@run#1", "check:one/a@run#1"}
	if diff := cmp.Diff(want, steps(p)); diff != "" {
		t.Errorf("equal work in two matrices is done once (-want +got):\n%s", diff)
	}
	done := map[engine.StepID]bool{}
	for _, s := range p.Steps {
		for _, need := range s.Needs() {
			if !done[need] {
				t.Errorf("%s comes before %s, which it needs", s.StepID(), need)
			}
		}
		done[s.StepID()] = true
	}
	for i, tr := range p.Trials[:2] {
		other := p.Trials[i+2]
		if tr.Run != other.Run || tr.Check != other.Check || !slices.Contains(tr.Run.Trials, other) {
			t.Errorf("%s and %s do not share their steps", tr.ID, other.ID)
		}
	}
}

// What decides whether work is equal.
func TestKeys(t *testing.T) {
	type trial struct {
		c *engine.Case
		a *engine.Agent
		m *engine.Matrix
	}
	make := func(change func(*trial)) *engine.Trial {
		c, s := newCase("a"), *box
		c.Sandbox = &s
		tr := trial{c, command("run"), &engine.Matrix{Name: "m", Trials: 1}}
		change(&tr)
		tr.m.Cases, tr.m.Agents = []*engine.Case{tr.c}, []*engine.Agent{tr.a}
		return newPlan(t, suiteOf(tr.m), nil).Trials[0]
	}
	files, err := digest.Tree("f", fstest.MapFS{"f": {}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	base := make(func(*trial) {})
	for _, tt := range []struct {
		name       string
		change     func(*trial)
		run, check []string // parts that change
	}{
		{"nothing", func(*trial) {}, nil, nil},
		{"matrix", func(tr *trial) { tr.m.Name = "other" }, nil, nil},
		{"words for people", func(tr *trial) { tr.c.Description, tr.c.Tags, tr.c.Pos.Line = "x", []string{"y"}, 9 }, nil, nil},
		{"limits of the matrix", func(tr *trial) { tr.m.Limits.WallClock = time.Second }, []string{"limits.wall_clock"}, []string{"run"}},
		{"looser limit", func(tr *trial) { tr.m.Limits.WallClock, tr.c.Limits.WallClock = time.Hour, engine.DefaultWallClock }, nil, nil},
		{"prompt", func(tr *trial) { tr.c.Prompt = "other" }, []string{"prompt"}, []string{"run"}},
		{"workspace", func(tr *trial) { tr.c.Workspace = files }, []string{"workspace"}, []string{"run"}},
		{"setup", func(tr *trial) { tr.c.Setup = &engine.Script{Command: []string{"x"}} }, []string{"setup.command", "setup.files", "setup"}, []string{"run"}},
		{"memory", func(tr *trial) { tr.c.Sandbox.Memory++ }, []string{"sandbox.memory"}, []string{"run"}},
		{"image", func(tr *trial) { tr.c.Sandbox.Image.Ref = "alpine" }, []string{"sandbox.image"}, []string{"run"}},
		{"solution, which this agent never sees", func(tr *trial) { tr.c.Solution.Command = []string{"x"} }, nil, nil},
		{"protect", func(tr *trial) { tr.c.Protect = []string{"*.py"} }, nil, []string{"protect"}},
		{"check", func(tr *trial) { tr.c.Checks[0].Script.Command = []string{"false"} }, nil, []string{"check.c.command"}},
		{"check files", func(tr *trial) { tr.c.Checks[0].Script.Files = files }, nil, []string{"check.c.files"}},
		{"check timeout", func(tr *trial) { tr.c.Checks[0].Timeout++ }, nil, []string{"check.c.timeout"}},
	} {
		got := make(tt.change)
		if diff := cmp.Diff(tt.run, got.Run.Key.Changed(base.Run.Key)); diff != "" {
			t.Errorf("%s: run key (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.check, got.Check.Key.Changed(base.Check.Key)); diff != "" {
			t.Errorf("%s: check key (-want +got):\n%s", tt.name, diff)
		}
		if same := got.Run.Key.Sum == base.Run.Key.Sum; same != (tt.run == nil) {
			t.Errorf("%s: the sum of the run key is the same: %v", tt.name, same)
		}
	}
}

// A history holds one attempt and one grade.
type history struct {
	run, check engine.Digest // what they are stored under
	attempt    *engine.Attempt
	grade      *engine.Grade
}

func (h history) Attempt(run engine.Digest) *engine.Attempt {
	if run != h.run {
		return nil
	}
	return h.attempt
}

func (h history) Grade(_ *engine.Attempt, check engine.Digest) *engine.Grade {
	if check != h.check && !check.IsZero() {
		return nil
	}
	return h.grade
}

func (h history) Latest(engine.TrialID) *engine.Attempt { return h.attempt }

func TestReuse(t *testing.T) {
	s := suiteOf(&engine.Matrix{Name: "m", Cases: []*engine.Case{newCase("a")}, Agents: []*engine.Agent{builtin("noop", engine.BuiltinNoop)}, Trials: 1})
	fresh := newPlan(t, s, nil).Trials[0]
	run, check := fresh.Run.Key, fresh.Check.Key
	other := digest.NewKey("other").Key()
	oldRun := digest.NewKey("run/1").Extend(slices.DeleteFunc(slices.Clone(run.Parts), func(p engine.Part) bool { return p.Name == "prompt" || p.Name == "protocol" })).Key()
	oldCheck := digest.NewKey("check/1").Extend(slices.DeleteFunc(slices.Clone(check.Parts), func(p engine.Part) bool { return p.Name == "protect" || p.Name == "protocol" })).Key()
	errored := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost}
	disk := engine.Outcome{Status: engine.StatusFailed, Reason: engine.ReasonLimitDisk}

	all := []string{"image:box", "run:m/a@noop#1", "check:m/a@noop#1"}
	again := []string{"image:box", "check:m/a@noop#1"}
	for _, tt := range []struct {
		name    string
		h       history
		want    engine.Sign
		changed []string
		steps   []string
	}{
		{"nothing stored", history{}, engine.SignNew, nil, all},
		{"another prompt", history{run: other.Sum, attempt: &engine.Attempt{Key: oldRun}}, engine.SignChanged, []string{"prompt"}, all},
		{"graded", history{run: run.Sum, check: check.Sum, attempt: &engine.Attempt{Key: run}, grade: &engine.Grade{Key: check}}, engine.SignSame, nil, nil},
		{"a verdict that needs no grade", history{run: run.Sum, attempt: &engine.Attempt{Key: run, Outcome: disk}}, engine.SignSame, nil, nil},
		{"not graded", history{run: run.Sum, attempt: &engine.Attempt{Key: run}}, engine.SignRegrade, nil, again},
		{"other checks", history{run: run.Sum, check: other.Sum, attempt: &engine.Attempt{Key: run}, grade: &engine.Grade{Key: oldCheck}}, engine.SignRegrade, []string{"protect"}, again},
		{"errored run", history{run: run.Sum, attempt: &engine.Attempt{Key: run, Outcome: errored}}, engine.SignAgain, nil, all},
		{"errored check", history{run: run.Sum, check: check.Sum, attempt: &engine.Attempt{Key: run}, grade: &engine.Grade{Key: check, Outcome: errored}}, engine.SignAgain, nil, again},
	} {
		p := newPlan(t, s, tt.h)
		got := p.Trials[0].Reuse
		if got.Sign != tt.want {
			t.Errorf("%s: got sign %d, want %d", tt.name, got.Sign, tt.want)
		}
		if diff := cmp.Diff(tt.changed, got.Changed); diff != "" {
			t.Errorf("%s: changed (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.steps, steps(p)); diff != "" {
			t.Errorf("%s: steps (-want +got):\n%s", tt.name, diff)
		}
	}
}

// describe writes down all of a plan that apply and reporters use.
func describe(p *engine.Plan) string {
	var b strings.Builder
	for _, t := range p.Trials {
		fmt.Fprintln(&b, t.ID, t.Seed, t.Invocation, t.Limits, t.Reuse.Sign, t.Run.ID, t.Run.Key.Sum, t.Check.ID, t.Check.Key.Sum)
	}
	for _, s := range p.Steps {
		fmt.Fprintln(&b, s.StepID(), s.Needs(), s.StepKey())
	}
	return b.String()
}

func TestEqualInputEqualPlan(t *testing.T) {
	want := describe(newPlan(t, large(500), nil))
	for range 5 {
		if diff := cmp.Diff(want, describe(newPlan(t, large(500), nil))); diff != "" {
			t.Fatalf("(-first +later):\n%s", diff)
		}
	}
}

// large has about n trials: 50 cases, 4 agents, and the rest by repetition.
func large(n int) *engine.Suite {
	m := &engine.Matrix{Name: "m", Agents: []*engine.Agent{builtin("noop", engine.BuiltinNoop), builtin("oracle", engine.BuiltinOracle), command("x"), command("y")}, Trials: max(1, n/200)}
	for i := range 50 {
		c := newCase(fmt.Sprintf("group%d/case%d", i%5, i))
		s := *box
		s.Env = map[string]string{"A": "1", "B": "2", "C": "3"}
		c.Sandbox = &s
		m.Cases = append(m.Cases, c)
	}
	return suiteOf(m)
}

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			var p *engine.Plan
			for b.Loop() {
				p, _ = plan.New(large(n), nil)
			}
			if len(p.Trials) != n {
				b.Fatalf("%d trials, want %d", len(p.Trials), n)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/plan")
			var m runtime.MemStats
			runtime.GC()
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(m.HeapAlloc)/float64(n), "heap-B/trial")
			runtime.KeepAlive(p)
		})
	}
}
