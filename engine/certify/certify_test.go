package certify

import (
	"fmt"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// world is a suite with one case, of which a test says what comes of each trial.
type world struct {
	c       *engine.Case
	mutants []Mutant
	// came says what came of a trial; again is set when it is graded once more.
	came func(t *engine.Trial, again bool) engine.Outcome
}

func newWorld(t *testing.T) *world {
	t.Helper()
	tree, err := digest.Tree("mutants/wrong", fstest.MapFS{"solve.sh": {Data: []byte("false\n")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	box := &engine.Sandbox{Name: "box", Image: engine.Image{Ref: "debian"}, Workdir: "/workspace", Network: engine.NetworkNone}
	return &world{
		c: &engine.Case{
			Name: "toy/one", Dir: "cases/toy/one", Prompt: "Do it.", Sandbox: box, Snapshot: engine.SnapshotWorkspace,
			Checks:   []*engine.Check{{Name: "done", Script: engine.Script{Command: []string{"true"}}, Weight: 1}},
			Solution: &engine.Script{Command: []string{"sh", "/solution/solve.sh"}},
		},
		mutants: []Mutant{{"wrong", tree}},
		came: func(t *engine.Trial, _ bool) engine.Outcome {
			if t.Agent.Name == "oracle" {
				return engine.Outcome{Status: engine.StatusPassed}
			}
			return failed
		},
	}
}

var (
	passed = engine.Outcome{Status: engine.StatusPassed}
	failed = engine.Outcome{Status: engine.StatusFailed, Reason: engine.ReasonCheck, Detail: `check "done" failed`}
)

func (w *world) prove(t *testing.T) *engine.Certificate {
	t.Helper()
	rounds := 0
	p := &Prover{
		Suite: &engine.Suite{Name: "certify", Matrices: []*engine.Matrix{{Name: "certify", Trials: 1}}}, Repeat: 3,
		Stored:  func(a *engine.Attempt) *engine.Stored { return &engine.Stored{Trial: a.Trial, N: a.N} },
		Printed: func(*engine.Attempt) string { return "took /opt/answer.py\n" },
		Run: func(p *engine.Plan) []engine.Result {
			rounds++
			var out []engine.Result
			for _, tr := range p.Trials {
				if rounds == 2 && (tr.Reuse.Sign != engine.SignRegrade || tr.Reuse.Attempt == nil) {
					t.Errorf("%s is not graded again, but made again", tr.ID)
				}
				out = append(out, engine.Result{Trial: tr, Attempt: &engine.Attempt{Trial: tr.ID, N: 1}, Grade: &engine.Grade{}, Outcome: w.came(tr, rounds == 2)})
			}
			return out
		},
	}
	todo, diags := p.Plan(w.c, w.mutants)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return p.Prove(w.c, w.mutants, todo)
}

func TestSoundCase(t *testing.T) {
	c := newWorld(t).prove(t)
	if !c.Certified() || c.Broken() {
		t.Errorf("got %+v", c.Proofs)
	}
	if c.Flake != (engine.Flake{Asked: 8}) {
		t.Errorf("flake is %+v", c.Flake)
	}
	for kind, want := range map[engine.ProofKind]int{engine.ProofOracle: 1, engine.ProofNoop: 1, engine.ProofTwice: 1, engine.ProofCheat: len(Battery()), engine.ProofMutant: 1} {
		if holding, all := c.Count(kind); holding != want || all != want {
			t.Errorf("%s: %d of %d hold, want %d", kind, holding, all, want)
		}
	}
}

func TestBrokenCases(t *testing.T) {
	errored := func(r engine.Reason) engine.Outcome {
		return engine.Outcome{Status: engine.StatusErrored, Reason: r, Detail: "no luck"}
	}
	one := func(agent string, n int, o engine.Outcome) func(*engine.Trial, bool) (engine.Outcome, bool) {
		return func(t *engine.Trial, again bool) (engine.Outcome, bool) {
			return o, t.Agent.Name == agent && (n == 0 || !again && t.ID.N == n)
		}
	}
	for _, tt := range []struct {
		name  string
		came  func(t *engine.Trial, again bool) (engine.Outcome, bool)
		state engine.ProofState
		says  string
		odd   int
	}{
		{"a check that cannot fail", one("noop", 0, passed), engine.ProofBroken, "The check cannot fail: it passes an agent that does nothing.", 0},
		{"an oracle that fails", one("oracle", 0, failed), engine.ProofBroken, "The solution does not pass the check of its own case.", 0},
		{"an oracle that fails once", one("oracle", 2, failed), engine.ProofBroken, "The case is flaky: of 3 equal trials 2 passed and 1 failed.", 1},
		{"a flaky check", func(t *engine.Trial, again bool) (engine.Outcome, bool) {
			return failed, again && t.Agent.Name == "oracle"
		}, engine.ProofBroken, "The check is flaky: what trial certify/toy/one@oracle#1 left has passed, and failed when it was graded again.", 1},
		{"an answer that lies about", one("cheat-finds_answers", 0, passed), engine.ProofBroken, "The agent printed: took /opt/answer.py", 0},
		{"a mutant that passes", one("mutant-wrong", 0, passed), engine.ProofBroken, "The check passes the wrong solution in mutants/wrong.", 0},
		{"a check that a cheat breaks", one("cheat-pipes", 0, errored(engine.ReasonCheck)), engine.ProofBroken, "The check breaks where it should fail", 0},
		{"a check that cannot decide", one("noop", 0, errored(engine.ReasonCheck)), engine.ProofBroken, "The check cannot decide.", 0},
		{"trouble of the world", one("oracle", 1, errored(engine.ReasonSandbox)), engine.ProofUnknown, "came to no verdict, errored(sandbox): no luck. Run bench test again.", 0},
		{"trouble and a failure", func(t *engine.Trial, _ bool) (engine.Outcome, bool) {
			if t.ID.N == 3 {
				return errored(engine.ReasonSandbox), t.Agent.Name == "oracle"
			}
			return failed, t.Agent.Name == "oracle"
		}, engine.ProofBroken, "The solution does not pass", 0},
	} {
		w := newWorld(t)
		plain := w.came
		w.came = func(tr *engine.Trial, again bool) engine.Outcome {
			if o, ok := tt.came(tr, again); ok {
				return o
			}
			return plain(tr, again)
		}
		c := w.prove(t)
		if c.Certified() || c.Broken() != (tt.state == engine.ProofBroken) || c.Flake.Odd != tt.odd {
			t.Errorf("%s: certified %v, broken %v, flake %+v", tt.name, c.Certified(), c.Broken(), c.Flake)
		}
		var said []string
		for _, p := range c.Proofs {
			if p.State == tt.state && strings.Contains(p.Detail, tt.says) {
				said = append(said, p.Detail)
			}
		}
		if len(said) != 1 {
			t.Errorf("%s: no proof is %s and says %q: %+v", tt.name, tt.state, tt.says, c.Proofs)
		}
	}
}

func TestNoSolution(t *testing.T) {
	w := newWorld(t)
	w.c.Solution = nil
	c := w.prove(t)
	if c.Certified() || !strings.HasPrefix(c.Proofs[0].Detail, "The case has no solution") {
		t.Errorf("got %+v", c.Proofs[0])
	}
}

func TestBattery(t *testing.T) {
	all := Battery()
	if len(all) < 14 {
		t.Errorf("only %d cheats", len(all))
	}
	for _, c := range all {
		if c.Do == "" || c.What == "" || strings.HasSuffix(c.What, ".") || !strings.HasSuffix(c.Do, ".") {
			t.Errorf("%s: what %q, do %q", c.Name, c.What, c.Do)
		}
		if len(c.Script.Files.Entries) != 2 {
			t.Errorf("%s has the files %v", c.Name, c.Script.Files.Entries)
		}
	}
	if len(do) != len(all) {
		t.Errorf("there is advice for %d cheats, and there are %d", len(do), len(all))
	}
}

// The digest covers what a certificate rests on, and nothing else.
func TestDigest(t *testing.T) {
	base := newWorld(t)
	before := Digest(base.c, base.mutants)
	for name, tt := range map[string]struct {
		change func(w *world)
		same   bool
	}{
		"nothing":     {func(*world) {}, true},
		"description": {func(w *world) { w.c.Description = "other" }, true},
		"prompt":      {func(w *world) { w.c.Prompt = "other" }, false},
		"check":       {func(w *world) { w.c.Checks[0].Script.Command = []string{"false"} }, false},
		"solution":    {func(w *world) { w.c.Solution.Command = []string{"false"} }, false},
		"no solution": {func(w *world) { w.c.Solution = nil }, false},
		"no mutant":   {func(w *world) { w.mutants = nil }, false},
		"its name":    {func(w *world) { w.mutants[0].Name = "other" }, false},
		"image":       {func(w *world) { w.c.Sandbox.Image.Ref = "other" }, false},
		"limits":      {func(w *world) { w.c.Limits.WallClock = 1 }, false},
	} {
		w := newWorld(t)
		tt.change(w)
		if got := Digest(w.c, w.mutants) == before; got != tt.same {
			t.Errorf("%s: the digest is the same: %v", name, got)
		}
	}
}

func TestRecord(t *testing.T) {
	w := newWorld(t)
	c := w.prove(t)
	r := RecordOf(c)
	files := fstest.MapFS{
		"cases/toy/one/certified.json":         {Data: r.Bytes()},
		"cases/toy/one/mutants/wrong/solve.sh": {Data: []byte("false\n")},
	}
	standing := func(want engine.Standing, wantErr string) {
		t.Helper()
		got, err := StandingOf(files, w.c)
		if text := fmt.Sprint(err); got != want || (err == nil) != (wantErr == "") || !strings.Contains(text, wantErr) {
			t.Errorf("got %s and %v, want %s and %q", got, err, want, wantErr)
		}
	}
	// The mutant of the world lies elsewhere, and its files are the same.
	standing(engine.StandingCertified, "")
	files["cases/toy/one/mutants/wrong/solve.sh"] = &fstest.MapFile{Data: []byte("true\n")}
	standing(engine.StandingChanged, "")
	files["cases/toy/one/mutants/Wrong Name"] = &fstest.MapFile{Mode: fs.ModeDir}
	standing(engine.StandingNever, "a mutant is a directory")
	delete(files, "cases/toy/one/mutants/Wrong Name")
	for _, text := range []string{"{", `{"case": "x", "odd": 1}`, "[]", "\"\""} {
		files["cases/toy/one/certified.json"] = &fstest.MapFile{Data: []byte(text)}
		standing(engine.StandingNever, "is no record of bench test")
	}
	delete(files, "cases/toy/one/certified.json")
	standing(engine.StandingNever, "")
}
