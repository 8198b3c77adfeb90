package plan_test

import (
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
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

// thinker is an agent that needs a model.
func thinker(name string) *engine.Agent {
	a := command(name)
	a.NeedsModel, a.API = true, engine.APIOpenAI
	return a
}

var upstream = &engine.Provider{Name: "up", API: engine.APIOpenAI, Mode: engine.ModeLive, BaseURL: "https://up.example/v1"}

func newModel(name string) *engine.Model {
	return &engine.Model{Name: name, Provider: upstream, ID: "id-of-" + name, Price: &engine.Price{Input: 1, Output: 2}}
}

// axis has values as a benchfile writes them: numbers, or names of objects.
func axis(name string, values ...string) *engine.Axis {
	out := &engine.Axis{Name: name}
	for _, v := range values {
		value := json.RawMessage(v)
		if strings.ContainsAny(v, "abcdefghijklmnopqrstuvwxyz") {
			value = json.RawMessage(fmt.Sprintf(`{"name":%q}`, v))
		}
		out.Values = append(out.Values, engine.AxisValue{Name: v, Value: value})
	}
	return out
}

// matrixOf is a matrix whose trials may be reused, as it is unless a benchfile
// says otherwise.
func matrixOf(name string, cases []*engine.Case, agents []*engine.Agent, models ...*engine.Model) *engine.Matrix {
	return &engine.Matrix{Name: name, Cases: cases, Agents: agents, Models: models, Trials: 1, Reuse: true}
}

func suiteOf(matrices ...*engine.Matrix) *engine.Suite {
	return &engine.Suite{Name: "s", Seed: 1, Matrices: matrices}
}

func newPlan(t testing.TB, s *engine.Suite, h plan.History, o ...plan.Options) *engine.Plan {
	t.Helper()
	p, diags := plan.New(s, h, slices.Concat(o, []plan.Options{{}})[0])
	if diags.HasErrors() {
		t.Fatalf("diagnostics: %v", diags)
	}
	return p
}

func ids(p *engine.Plan) (out []string) {
	if p == nil {
		return nil
	}
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

// rules are the severities and numbers of diagnostics.
func rules(diags engine.Diagnostics) (out []string) {
	for _, d := range diags {
		out = append(out, string(d.Severity)+" "+d.Rule)
	}
	return out
}

// A history is a list of what is stored.
type history struct {
	stored []*engine.Stored
	runs   map[engine.Digest]engine.Key
	checks map[engine.Digest]engine.Key

	removed map[*engine.Stored]bool // whose snapshots are gone
}

// add stores an attempt of a trial as it is planned, and one grade if its
// outcome is a verdict.
func (h *history) add(t *engine.Trial, outcome engine.Outcome) *engine.Stored {
	s := &engine.Stored{Trial: t.ID, N: 1, Run: t.Run.Key.Sum, Took: time.Second}
	if outcome.Verdict() {
		s.Grades = []engine.StoredGrade{{N: 1, Check: t.Check.Key.Sum, Outcome: outcome}}
	} else {
		s.Outcome = outcome
	}
	h.keep(t.Run.Key, t.Check.Key)
	h.stored = append(h.stored, s)
	return s
}

func (h *history) keep(run, check engine.Key) {
	if h.runs == nil {
		h.runs, h.checks = map[engine.Digest]engine.Key{}, map[engine.Digest]engine.Key{}
	}
	h.runs[run.Sum], h.checks[check.Sum] = readBack(run), readBack(check)
}

// readBack is a key as it comes from a file.
func readBack(k engine.Key) (out engine.Key) {
	text, err := json.Marshal(k)
	if err == nil {
		err = json.Unmarshal(text, &out)
	}
	if err != nil {
		panic(err)
	}
	return out
}

func (h *history) HasSnapshot(s *engine.Stored) bool { return !h.removed[s] }

func (h *history) Best(run engine.Digest) (best *engine.Stored) {
	for _, s := range h.stored {
		if s.Run == run && (best == nil || s.Outcome == (engine.Outcome{}) || best.Outcome != (engine.Outcome{})) {
			best = s
		}
	}
	return best
}

func (h *history) Latest(id engine.TrialID) (latest *engine.Stored) {
	for _, s := range h.stored {
		if s.Trial == id {
			latest = s
		}
	}
	return latest
}

func (h *history) Keys(s *engine.Stored) (run, check engine.Key) {
	if n := len(s.Grades); n > 0 {
		check = h.checks[s.Grades[n-1].Check]
	}
	return h.runs[s.Run], check
}

func (h *history) All() iter.Seq[*engine.Stored] { return slices.Values(h.stored) }

var (
	passed  = engine.Outcome{Status: engine.StatusPassed}
	failed  = engine.Outcome{Status: engine.StatusFailed, Reason: engine.ReasonCheck}
	disk    = engine.Outcome{Status: engine.StatusFailed, Reason: engine.ReasonLimitDisk}
	errored = engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost}
)

// The graph has the steps in an order in which they can be done, each once.
func TestSteps(t *testing.T) {
	a := []*engine.Case{newCase("a")}
	layered := command("run")
	layered.Layer = &engine.Build{Dockerfile: "Dockerfile"}
	agents := []*engine.Agent{builtin("noop", engine.BuiltinNoop), layered}
	p := newPlan(t, suiteOf(matrixOf("one", a, agents), matrixOf("two", a, agents)), nil)
	want := []string{"image:box", "lint:box", "run:one/a@noop#1", "check:one/a@noop#1", "image:box+run", "lint:box+run", "run:one/a@run#1", "check:one/a@run#1"}
	if diff := cmp.Diff(want, steps(p)); diff != "" {
		t.Errorf("equal work in two matrices is done once (-want +got):\n%s", diff)
	}
	done := map[engine.StepID]engine.Step{}
	for _, s := range p.Steps {
		for _, need := range s.Needs() {
			if done[need] == nil {
				t.Errorf("%s comes before %s, which it needs", s.StepID(), need)
			}
		}
		done[s.StepID()] = s
	}
	for i, tr := range p.Trials[:2] {
		other := p.Trials[i+2]
		if tr.Run != other.Run || tr.Check != other.Check || !slices.Contains(tr.Run.Trials, other) || !slices.Contains(tr.Check.Trials, other) {
			t.Errorf("%s and %s do not share their steps", tr.ID, other.ID)
		}
	}
	over := done["image:box+run"].(*engine.ImageStep)
	if over.Agent != layered || over.Base != "image:box" || over.Image.Build != layered.Layer {
		t.Errorf("the layer: got %+v", over)
	}
	if look := done["lint:box+run"].(*engine.LintStep); look.Image != over || !slices.Equal(look.Cases, a) || p.Trials[1].Run.Lint != look.ID {
		t.Errorf("what the agent works in is looked at: got %+v", look)
	}
	if r, c := p.Trials[1].Run, p.Trials[1].Check; r.Image != over.ID || c.Image != "image:box" {
		t.Errorf("the agent works in %s and is graded in %s; want the layer, and the image without it", r.Image, c.Image)
	}
}

// Sandboxes with one name and other images, and other names for one image.
func TestImages(t *testing.T) {
	same, other := *box, *box
	same.Name, other.Image.Ref = "same", "alpine"
	var cases []*engine.Case
	for i, s := range []*engine.Sandbox{box, &same, &other} {
		c := newCase(fmt.Sprintf("c%d", i))
		c.Sandbox = s
		cases = append(cases, c)
	}
	p := newPlan(t, suiteOf(matrixOf("m", cases, []*engine.Agent{builtin("noop", engine.BuiltinNoop)})), nil)
	var images []engine.StepID
	for _, tr := range p.Trials {
		images = append(images, tr.Run.Image)
	}
	want := []engine.StepID{"image:box", "image:box", engine.StepID("image:box-" + p.Steps[len(p.Steps)-4].StepKey().Sum.Short())}
	if diff := cmp.Diff(want, images); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// describe writes down all of a plan that apply and reporters use.
func describe(p *engine.Plan) string {
	var b strings.Builder
	for _, t := range p.Trials {
		fmt.Fprintln(&b, t.ID, t.Seed, t.Invocation, t.Params, t.Limits, t.Reuse.Sign, t.Reuse.Changed, t.Run.ID, t.Run.Key.Sum, t.Check.ID, t.Check.Key.Sum)
	}
	for _, s := range p.Steps {
		fmt.Fprintln(&b, s.StepID(), s.Needs(), s.StepKey().Sum, s.StepKey().All())
	}
	fmt.Fprintln(&b, p.Gone, p.Left, p.Expect)
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

// Bind and Vary evaluate expressions, which is the dearest part of a plan.
func TestFunctionsAreCalledOnce(t *testing.T) {
	binds, varies := 0, 0
	a := command("a")
	bind := a.Bind
	a.Bind = func(v engine.TrialValues) (engine.Invocation, error) { binds++; return bind(v) }
	m := matrixOf("m", []*engine.Case{newCase("c")}, []*engine.Agent{a})
	m.Trials = 7
	m.Vary = func(engine.TrialValues) (engine.Limits, engine.Params, error) {
		varies++
		return engine.Limits{}, nil, nil
	}
	newPlan(t, suiteOf(m), nil)
	if binds != 7 || varies != 7 {
		t.Errorf("7 trials: Bind was called %d times, Vary %d times", binds, varies)
	}
}

// large has about n trials: 50 cases, 4 agents, and the rest by repetition.
func large(n int) *engine.Suite {
	scripted := func(name string) *engine.Agent {
		return &engine.Agent{Name: name, Bind: func(t engine.TrialValues) (engine.Invocation, error) {
			return engine.Invocation{Command: []string{"sh", "-c", "solve < " + t.PromptFile, name, t.Case}, Env: map[string]string{"HOME": t.Workspace}}, nil
		}}
	}
	m := matrixOf("m", nil, []*engine.Agent{builtin("noop", engine.BuiltinNoop), builtin("oracle", engine.BuiltinOracle), scripted("x"), command("y")})
	m.Trials = max(1, n/200)
	for i := range 50 {
		c := newCase(fmt.Sprintf("group%d/case%d", i%5, i))
		s := *box
		s.Env = map[string]string{"A": "1", "B": "2", "C": "3"}
		c.Sandbox = &s
		m.Cases = append(m.Cases, c)
	}
	return suiteOf(m)
}
