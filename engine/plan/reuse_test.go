package plan_test

import (
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// without is another key, that does not have one of the parts.
func without(k engine.Key, part string) engine.Key {
	parts := slices.DeleteFunc(slices.Clone(k.All()), func(p engine.Part) bool { return p.Name == part })
	return engine.Key{Sum: digest.Bytes([]byte(k.Sum.String() + " without " + part)), Parts: parts}
}

func TestReuse(t *testing.T) {
	s := suiteOf(matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{builtin("noop", engine.BuiltinNoop)}))
	fresh := newPlan(t, s, nil).Trials[0]
	run, check := fresh.Run.Key, fresh.Check.Key
	oldRun, oldCheck := without(run, "prompt"), without(check, "protect")
	grades := func(check engine.Key, outcomes ...engine.Outcome) (out []engine.StoredGrade) {
		for i, o := range outcomes {
			out = append(out, engine.StoredGrade{N: i + 1, Check: check.Sum, Outcome: o})
		}
		return out
	}
	brokenCheck := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonCheck}

	all := []string{"image:box", "lint:box", "run:m/a@noop#1", "check:m/a@noop#1"}
	regrade := []string{"image:box", "check:m/a@noop#1"}
	for _, tt := range []struct {
		name    string
		stored  []*engine.Stored
		want    engine.Sign
		changed []engine.Change
		steps   []string
	}{
		{"nothing stored", nil, engine.SignNew, nil, all},
		{"another prompt", []*engine.Stored{{Run: oldRun.Sum}}, engine.SignChanged, []engine.Change{{Name: "prompt", New: "Do a"}}, all},
		{"other work that cannot be read", []*engine.Stored{{Run: engine.Digest{1}}}, engine.SignChanged, nil, all},
		{"graded", []*engine.Stored{{Run: run.Sum, Grades: grades(check, passed)}}, engine.SignSame, nil, nil},
		{"graded, and then tried in another way", []*engine.Stored{{Run: run.Sum, Grades: grades(check, failed)}, {Run: oldRun.Sum}}, engine.SignSame, nil, nil},
		{"a verdict that needs no grade", []*engine.Stored{{Run: run.Sum, Outcome: disk}}, engine.SignSame, nil, nil},
		{"not graded", []*engine.Stored{{Run: run.Sum}}, engine.SignRegrade, nil, regrade},
		{"other checks", []*engine.Stored{{Run: run.Sum, Grades: grades(oldCheck, passed)}}, engine.SignRegrade, []engine.Change{{Name: "protect", New: "none"}}, regrade},
		{"other checks, after these", []*engine.Stored{{Run: run.Sum, Grades: slices.Concat(grades(check, passed), grades(oldCheck, failed))}}, engine.SignSame, nil, nil},
		{"errored run", []*engine.Stored{{Run: run.Sum, Outcome: errored}}, engine.SignAgain, nil, all},
		{"errored check", []*engine.Stored{{Run: run.Sum, Grades: grades(check, brokenCheck)}}, engine.SignAgain, nil, regrade},
		{"errored check, then a verdict", []*engine.Stored{{Run: run.Sum, Grades: grades(check, brokenCheck, passed)}}, engine.SignSame, nil, nil},
	} {
		h := &history{}
		h.keep(run, check)
		h.keep(oldRun, oldCheck)
		for _, st := range tt.stored {
			st.Trial, st.N = fresh.ID, len(h.stored)+1
			h.stored = append(h.stored, st)
		}
		p := newPlan(t, s, h)
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
		if len(tt.steps) < 3 && got.Attempt != tt.stored[0] || len(tt.steps) == 3 && got.Attempt != nil {
			t.Errorf("%s: got attempt %v", tt.name, got.Attempt)
		}
		if graded := got.Sign == engine.SignSame && len(tt.stored[0].Grades) > 0; graded != (got.Grade != nil) {
			t.Errorf("%s: got grade %v", tt.name, got.Grade)
		}
	}
}

// What is stored of a trial, and is not used because somebody said so.
func TestNotReused(t *testing.T) {
	outcomes := map[string]engine.Outcome{"passed": passed, "failed": failed, "errored": errored, "disk": disk}
	build := func() *engine.Suite {
		m := matrixOf("m", nil, []*engine.Agent{builtin("noop", engine.BuiltinNoop)})
		for _, name := range []string{"passed", "failed", "errored", "disk", "new", "other"} {
			m.Cases = append(m.Cases, newCase(name))
		}
		return suiteOf(m)
	}
	h := &history{}
	for _, tr := range newPlan(t, build(), nil).Trials {
		if o, ok := outcomes[tr.ID.Case]; ok {
			h.add(tr, o)
		}
		if tr.ID.Case == "other" {
			before := *tr.Run
			before.Key = without(tr.Run.Key, "prompt")
			tr.Run = &before
			h.add(tr, failed)
		}
	}
	for _, tt := range []struct {
		name   string
		o      plan.Options
		matrix bool
		want   string
	}{
		{"all reused", plan.Options{}, true, "passed= failed= errored! disk= new+ other~prompt"},
		{"--no-reuse", plan.Options{NoReuse: true}, true, "passed~reuse failed~reuse errored~reuse disk~reuse new+ other~reuse"},
		{"reuse = false", plan.Options{}, false, "passed~reuse failed~reuse errored~reuse disk~reuse new+ other~reuse"},
		{"failed", plan.Options{Rerun: []string{"failed"}}, true, "passed= failed~rerun=failed errored! disk~rerun=failed new+ other~prompt"},
		{"errored", plan.Options{Rerun: []string{"errored"}}, true, "passed= failed= errored~rerun=errored disk= new+ other~prompt"},
		{"both", plan.Options{Rerun: []string{"errored", "failed"}}, true, "passed= failed~rerun=failed errored~rerun=errored disk~rerun=failed new+ other~prompt"},
		{"all", plan.Options{Rerun: []string{"all"}}, true, "passed~rerun=all failed~rerun=all errored~rerun=all disk~rerun=all new+ other~prompt"},
		{"globs", plan.Options{Rerun: []string{"m/p*@noop", "**/new@*#1"}}, true, "passed~rerun=m/p*@noop failed= errored! disk= new+ other~prompt"},
	} {
		s := build()
		s.Matrices[0].Reuse = tt.matrix
		p := newPlan(t, s, h, tt.o)
		var got []string
		for _, tr := range p.Trials {
			text := tr.ID.Case + tr.Reuse.Sign.String()
			for _, c := range tr.Reuse.Changed {
				text += c.Name
				if c.Name == "rerun" {
					text += "=" + c.New
				}
				if c.Name == "reuse" && c.New != "off" || c.Name != "prompt" && c.Old != "" {
					t.Errorf("%s: %s: got %+v", tt.name, tr.ID, c)
				}
			}
			got = append(got, text)
			if runs := slices.Contains(steps(p), string(tr.Run.ID)); runs != (tr.Reuse.Sign != engine.SignSame) {
				t.Errorf("%s: %s: is run: %v", tt.name, tr.ID, runs)
			}
		}
		if g := strings.Join(got, " "); g != tt.want {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, g, tt.want)
		}
	}
}

// Errored checks are graded again, unless what the agent left is not to be used.
func TestRerunOfErroredCheck(t *testing.T) {
	s := suiteOf(matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{builtin("noop", engine.BuiltinNoop)}))
	h := &history{}
	h.add(newPlan(t, s, nil).Trials[0], passed).Grades[0].Outcome = errored
	if p := newPlan(t, s, h); len(p.Steps) != 2 {
		t.Errorf("got steps %v, want no run", steps(p))
	}
	if p := newPlan(t, s, h, plan.Options{Rerun: []string{"errored"}}); len(p.Steps) != 4 {
		t.Errorf("got steps %v, want a run", steps(p))
	}
}

// A step that two matrices share is part of the plan if one of them needs it.
func TestSharedWork(t *testing.T) {
	agents := []*engine.Agent{builtin("noop", engine.BuiltinNoop)}
	build := func(reuseOne, reuseTwo bool) *engine.Suite {
		one, two := matrixOf("one", []*engine.Case{newCase("a")}, agents), matrixOf("two", []*engine.Case{newCase("a")}, agents)
		one.Reuse, two.Reuse = reuseOne, reuseTwo
		return suiteOf(one, two)
	}
	fresh := newPlan(t, build(true, true), nil).Trials
	if fresh[0].Run != fresh[1].Run {
		t.Fatal("the two matrices share no work")
	}
	all := []string{"image:box", "lint:box", "run:one/a@noop#1", "check:one/a@noop#1"}
	for _, tt := range []struct {
		name     string
		graded   bool
		one, two bool
		want     string
		steps    []string
	}{
		{"both reuse", true, true, true, "==", nil},
		{"the second does not", true, true, false, "=+", all},
		{"the first does not", true, false, true, "~=", all},
		{"both grade again", false, true, true, "~~", []string{"image:box", "check:one/a@noop#1"}},
		{"one would grade again what the other makes anew", false, true, false, "!+", all},
	} {
		h := &history{}
		st := h.add(fresh[0], passed)
		if !tt.graded {
			st.Grades = nil
		}
		p := newPlan(t, build(tt.one, tt.two), h)
		if got := p.Trials[0].Reuse.Sign.String() + p.Trials[1].Reuse.Sign.String(); got != tt.want {
			t.Errorf("%s: got signs %s, want %s", tt.name, got, tt.want)
		}
		if diff := cmp.Diff(tt.steps, steps(p)); diff != "" {
			t.Errorf("%s: steps (-want +got):\n%s", tt.name, diff)
		}
		for _, tr := range p.Trials {
			if stored := tr.Reuse.Attempt != nil; tr.Reuse.Sign != engine.SignSame && stored && len(tt.steps) == 3 {
				t.Errorf("%s: %s waits for new work, and has a stored attempt", tt.name, tr.ID)
			}
		}
	}
}

func TestGone(t *testing.T) {
	m := matrixOf("m", []*engine.Case{newCase("a"), newCase("b")}, []*engine.Agent{builtin("noop", engine.BuiltinNoop)})
	m.Trials = 2
	h := &history{}
	for _, id := range []string{"m/b@noop#3", "m/b@noop#2", "old/a@noop#1", "m/b@gone#1", "m/b@noop#3", "m/a@noop,t=1#1"} {
		parsed, err := engine.ParseTrialID(id)
		if err != nil {
			t.Fatal(err)
		}
		h.stored = append(h.stored, &engine.Stored{Trial: parsed, N: 1})
	}
	p := newPlan(t, suiteOf(m), h, plan.Options{Select: plan.Selection{Cases: []string{"a"}}})
	var got []string
	for _, id := range p.Gone {
		got = append(got, id.String())
	}
	want := []string{"m/a@noop,t=1#1", "m/b@gone#1", "m/b@noop#3", "old/a@noop#1"}
	if again := newPlan(t, suiteOf(m), h, plan.Options{Select: plan.Selection{Targets: []string{"m/b@noop#1"}}}).Gone; !slices.Equal(again, p.Gone) {
		t.Errorf("another selection, and %v are gone", again)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("trials that are only not selected are not gone (-want +got):\n%s", diff)
	}
}

func TestForecast(t *testing.T) {
	build := func() *engine.Suite {
		m := matrixOf("m", []*engine.Case{newCase("a"), newCase("b")}, []*engine.Agent{thinker("think")}, newModel("gpt"))
		m.Trials = 2
		return suiteOf(m)
	}
	// An earlier trial took so long, in another matrix or in another way.
	earlier := func(c string, seconds, cost float64) *engine.Stored {
		s := &engine.Stored{Trial: engine.TrialID{Matrix: "old", Case: c, Agent: "think", Model: "gpt", N: 1}, N: 1, Took: time.Duration(seconds * float64(time.Second))}
		if cost > 0 {
			s.Cost = &cost
		}
		return s
	}
	broken := func(s *engine.Stored) *engine.Stored { s.Outcome = errored; return s }
	full := func(s *engine.Stored) *engine.Stored { s.Outcome = disk; return s }
	estimate := func(mean float64, variance ...float64) *engine.Estimate {
		out := &engine.Estimate{Mean: mean}
		if len(variance) > 0 {
			out.Spread = new(math.Sqrt(variance[0]))
		}
		return out
	}
	for _, tt := range []struct {
		name   string
		stored []*engine.Stored
		want   engine.Forecast
	}{
		{"nothing known", nil, engine.Forecast{Unknown: 4}},
		// a: mean 20, variance 200; b: mean 6, variance 4. Each runs twice.
		{"all known", []*engine.Stored{earlier("a", 10, 1), earlier("a", 30, 3), earlier("b", 4, 1), earlier("b", 6, 1), earlier("b", 8, 1)},
			engine.Forecast{Time: estimate(52, 408), Cost: estimate(6, 4), Samples: 5}},
		{"one case unknown", []*engine.Stored{earlier("a", 10, 1), earlier("a", 30, 3)}, engine.Forecast{Time: estimate(40), Cost: estimate(4), Samples: 2, Unknown: 2}},
		{"one sample has no spread", []*engine.Stored{earlier("a", 10, 1), earlier("a", 30, 3), earlier("b", 5, 1)}, engine.Forecast{Time: estimate(50), Cost: estimate(6), Samples: 3}},
		{"cost known of one case", []*engine.Stored{earlier("a", 10, 1), earlier("a", 10, 1), earlier("b", 5, 0), earlier("b", 5, 0)},
			engine.Forecast{Time: estimate(30, 0), Cost: estimate(2), Samples: 4}},
		{"no cost known", []*engine.Stored{earlier("a", 10, 0), earlier("b", 5, 0)}, engine.Forecast{Time: estimate(30), Samples: 2}},
		{"what bench or the world ended says nothing", []*engine.Stored{broken(earlier("a", 10, 1)), earlier("a", 0, 1)}, engine.Forecast{Unknown: 4}},
		{"what the agent ended itself does", []*engine.Stored{full(earlier("a", 10, 0))}, engine.Forecast{Time: estimate(20), Samples: 1, Unknown: 2}},
		{"other work says nothing", []*engine.Stored{earlier("c", 10, 1)}, engine.Forecast{Unknown: 4}},
	} {
		got := newPlan(t, build(), &history{stored: tt.stored}).Expect
		near := cmp.Comparer(func(a, b float64) bool { return math.Abs(a-b) < 1e-9 })
		if diff := cmp.Diff(tt.want, got, near); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	if got := newPlan(t, build(), nil).Expect; got.Unknown != 4 || got.Time != nil {
		t.Errorf("no history: got %+v", got)
	}

	h := &history{}
	for _, tr := range newPlan(t, build(), nil).Trials {
		h.add(tr, passed)
	}
	if diff := cmp.Diff(engine.Forecast{}, newPlan(t, build(), h).Expect); diff != "" {
		t.Errorf("nothing runs (-want +got):\n%s", diff)
	}
}

// Agents that use no model cost nothing, and do not make the cost of the others
// unknown.
func TestForecastOfAgentsWithoutModel(t *testing.T) {
	m := matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{thinker("think"), command("run")}, newModel("gpt"))
	h := &history{}
	for i, id := range []engine.TrialID{{Case: "a", Agent: "think", Model: "gpt"}, {Case: "a", Agent: "run"}} {
		for n := range 2 {
			s := &engine.Stored{Trial: id, N: n + 1, Took: time.Second}
			if i == 0 {
				s.Cost = new(0.5)
			}
			h.stored = append(h.stored, s)
		}
	}
	got := newPlan(t, suiteOf(m), h).Expect
	want := engine.Forecast{Time: &engine.Estimate{Mean: 2, Spread: new(0.0)}, Cost: &engine.Estimate{Mean: 0.5, Spread: new(0.0)}, Samples: 4}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
