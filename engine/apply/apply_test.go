package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
	"github.com/ml-dev-bench/bench/engine/store"
)

// suite has a matrix of one case, "c", for each list of agents. An agent's
// command is its name.
func suite(matrices ...[]string) *engine.Suite {
	box := &engine.Sandbox{Name: "box", Image: engine.Image{Ref: "image"}, CPUs: 1, Memory: 1 << 26, PIDs: 64, User: engine.DefaultUser, Workdir: "/workspace", Timeouts: engine.DefaultTimeouts}
	c := &engine.Case{Name: "c", Prompt: "do", Sandbox: box, Checks: []*engine.Check{{Name: "ok", Script: engine.Script{Command: []string{"check"}}, Timeout: time.Minute, Weight: 1}}}
	s := &engine.Suite{Name: "s", Cases: []*engine.Case{c}}
	agents := map[string]*engine.Agent{}
	for i, names := range matrices {
		m := &engine.Matrix{Name: fmt.Sprintf("m%d", i+1), Cases: s.Cases, Trials: 1, Reuse: true}
		for _, name := range names {
			if agents[name] == nil {
				agents[name] = &engine.Agent{Name: name, Bind: func(engine.TrialValues) (engine.Invocation, error) {
					return engine.Invocation{Command: []string{name}}, nil
				}}
				s.Agents = append(s.Agents, agents[name])
			}
			m.Agents = append(m.Agents, agents[name])
		}
		s.Matrices = append(s.Matrices, m)
	}
	return s
}

// A bench is a suite with a results directory.
type bench struct {
	suite  *engine.Suite
	driver *fake.Driver
	dir    string
	events []apply.Event
	judge  apply.Judge
	models *gateway.Gateway
	gpus   []string
	assets *asset.Cache
	wanted engine.Variant    // of assets
	look   sandbox.Inspector // of the driver; nil if it has none
	kept   apply.Inventories
	unsafe bool
	gates  []engine.GateResult // of the last apply
}

func newBench(t *testing.T, d *fake.Driver, matrices ...[]string) *bench {
	return &bench{suite: suite(matrices...), driver: d, dir: t.TempDir()}
}

// plan is made from what is stored.
func (b *bench) plan(t *testing.T) (*engine.Plan, *store.Store) {
	t.Helper()
	s, err := store.Open(b.dir, b.suite.Name)
	if err != nil {
		t.Fatal(err)
	}
	p, diags := plan.New(b.suite, s, plan.Options{Assets: b.wanted})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	return p, s
}

// apply runs the suite, and holds what must always hold against the results.
func (b *bench) apply(t *testing.T, ctx context.Context) []engine.Result {
	t.Helper()
	p, s := b.plan(t)
	return b.carryOut(t, ctx, p, s)
}

func (b *bench) carryOut(t *testing.T, ctx context.Context, p *engine.Plan, s *store.Store) []engine.Result {
	t.Helper()
	if err := s.Lock(); err != nil {
		t.Fatal(err)
	}
	defer s.Unlock()
	b.events = nil
	ended := make(chan []engine.Result, 1)
	driver := sandbox.Driver(b.driver)
	if b.look != nil {
		driver = struct {
			*fake.Driver
			sandbox.Inspector
		}{b.driver, b.look}
	}
	go func() {
		results, gates := apply.Run(ctx, p, apply.Options{
			Driver: driver, Inventories: b.kept, Unsafe: b.unsafe, Store: s, Assets: b.assets, Judge: b.judge, Gateway: b.models,
			Machine: apply.Machine{CPUs: 4, GPUs: b.gpus}, Parallel: b.suite.Parallel,
			Observe: func(e apply.Event) { b.events = append(b.events, e) },
		})
		b.gates = gates
		ended <- results
	}()
	var results []engine.Result
	select {
	case results = <-ended:
	case <-time.After(30 * time.Second):
		t.Fatal("hangs")
	}
	if len(results) != len(p.Trials) {
		t.Fatalf("%d results for %d trials", len(results), len(p.Trials))
	}
	told := map[*engine.Trial]int{}
	for _, e := range b.events {
		if e, ok := e.(apply.TrialEnded); ok {
			told[e.Result.Trial]++
		}
	}
	for i, r := range results {
		if r.Trial != p.Trials[i] {
			t.Errorf("result %d is of %s, not of %s", i, r.Trial.ID, p.Trials[i].ID)
		}
		if r.Outcome.Status == engine.StatusInvalid {
			t.Errorf("%s has no outcome", r.Trial.ID)
		}
		if told[r.Trial] != 1 {
			t.Errorf("%s: told %d times that it ended", r.Trial.ID, told[r.Trial])
		}
	}
	if open, _ := b.driver.Open(); open != 0 {
		t.Errorf("%d sandboxes were not closed", open)
	}
	if left, err := filepath.Glob(filepath.Join(b.dir, "s", "drafts", "*")); err != nil || len(left) > 0 {
		t.Errorf("drafts left: %v, %v", left, err)
	}
	return results
}

// outcomes are those of results, by agent.
func outcomes(results []engine.Result) map[string]string {
	out := map[string]string{}
	for _, r := range results {
		out[r.Trial.ID.Agent] = r.Outcome.String()
	}
	return out
}

func (b *bench) attempts(t *testing.T) int {
	t.Helper()
	dirs, err := filepath.Glob(filepath.Join(b.dir, "s", "trials", "*", "attempt-*"))
	if err != nil {
		t.Fatal(err)
	}
	return len(dirs)
}

func isTrial(c fake.Call, agent string) bool { return strings.Contains(c.Trial, "@"+agent+"#") }

// An error of any method of a driver is the world's fault, and costs the one
// trial in whose sandbox it happened. The next apply tries again.
func TestDriverErrors(t *testing.T) {
	for _, test := range []struct {
		method  string
		grading bool
		err     error
		want    string
	}{
		{"Start", false, errors.New("boom"), "errored(sandbox)"},
		{"Start", false, fmt.Errorf("boom: %w", sandbox.ErrUnavailable), "errored(host)"},
		{"Exec", false, errors.New("boom"), "errored(sandbox)"},
		{"Usage", false, errors.New("boom"), "passed"}, // then the usage is unknown
		{"Freeze", false, errors.New("boom"), "errored(sandbox)"},
		{"CopyOut", false, errors.New("boom"), "errored(sandbox)"},
		{"Close", false, errors.New("boom"), "errored(sandbox)"},
		{"Start", true, errors.New("boom"), "errored(sandbox)"},
		{"Start", true, fmt.Errorf("boom: %w", sandbox.ErrUnavailable), "errored(host)"},
		{"Exec", true, errors.New("boom"), "errored(sandbox)"},
		{"CopyOut", true, errors.New("boom"), "errored(sandbox)"},
	} {
		t.Run(fmt.Sprintf("%s/grading=%t/%s", test.method, test.grading, test.want), func(t *testing.T) {
			d := &fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
				if c.Method == test.method && c.Grading == test.grading && isTrial(c, "unlucky") {
					return test.err
				}
				return nil
			}}
			b := newBench(t, d, []string{"unlucky", "lucky"})
			results := b.apply(t, t.Context())
			if got := outcomes(results); got["unlucky"] != test.want || got["lucky"] != "passed" {
				t.Errorf("got %v, want %s for the unlucky one", got, test.want)
			}
			if test.want == "passed" {
				return
			}
			if !strings.Contains(results[0].Outcome.Detail, "boom") {
				t.Errorf("detail %q does not say why", results[0].Outcome.Detail)
			}
			d.Fail = nil
			if got := outcomes(b.apply(t, t.Context())); got["unlucky"] != "passed" {
				t.Errorf("the second time: %v", got)
			}
		})
	}
}

// An image that cannot be made is told once, and ends all its trials by a cause.
func TestImageError(t *testing.T) {
	d := &fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
		if c.Method == "Image" {
			return &sandbox.BuildError{Log: "the end of the log", Err: errors.New("boom")}
		}
		return nil
	}}
	b := newBench(t, d, []string{"x", "y"}, []string{"x"})
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.String() != "errored(image)" || r.Outcome.Cause != "image:box" || r.Attempt != nil {
			t.Errorf("%s: %v, cause %q", r.Trial.ID, r.Outcome, r.Outcome.Cause)
		}
	}
	ended := slices.DeleteFunc(slices.Clone(b.events), func(e apply.Event) bool { _, ok := e.(apply.ImageEnded); return !ok })
	if len(ended) != 1 || ended[0].(apply.ImageEnded).Log != "the end of the log" {
		t.Errorf("told %v", ended)
	}
	if calls := d.Calls(); len(calls) != 1 {
		t.Errorf("calls after the image failed: %v", calls)
	}
}

// A bug ends the trials that it concerns, and is told as one.
func TestPanic(t *testing.T) {
	for _, c := range []fake.Call{
		{Method: "Image"}, {Method: "Start"}, {Method: "Exec"}, {Method: "Freeze"}, {Method: "CopyOut"}, {Method: "Close"},
		{Method: "Start", Grading: true}, {Method: "Exec", Grading: true}, {Method: "CopyOut", Grading: true},
	} {
		t.Run(fmt.Sprintf("%s/grading=%t", c.Method, c.Grading), func(t *testing.T) {
			d := &fake.Driver{Fail: func(_ context.Context, got fake.Call) error {
				if got.Method == c.Method && got.Grading == c.Grading && (c.Method == "Image" || isTrial(got, "unlucky")) {
					panic("boom")
				}
				return nil
			}}
			b := newBench(t, d, []string{"unlucky", "lucky"})
			results := b.apply(t, t.Context())
			want := "passed"
			if c.Method == "Image" {
				want = "errored(engine)"
			}
			if got := outcomes(results); got["unlucky"] != "errored(engine)" || got["lucky"] != want {
				t.Errorf("got %v", got)
			}
			if detail := results[0].Outcome.Detail; !strings.Contains(detail, "boom") || !strings.Contains(detail, "please report") || !strings.Contains(detail, "fake.go") {
				t.Errorf("detail %q", detail)
			}
		})
	}
}

// When bench is told to stop, what runs is cancelled and stored, since it may
// have cost something, and what waits is skipped. The next apply makes both.
func TestCancel(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	d := &fake.Driver{}
	d.Program = func(ctx context.Context, _ *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if cmd.Args[0] != "waits" {
			return sandbox.Exit{}, nil
		}
		stop()
		<-ctx.Done()
		return sandbox.Exit{}, ctx.Err()
	}
	b := newBench(t, d, []string{"first", "waits", "never"})
	b.suite.Parallel = 1
	got := outcomes(b.apply(t, ctx))
	want := map[string]string{"first": "passed", "waits": "cancelled(signal)", "never": "skipped(signal)"}
	for agent := range want {
		if got[agent] != want[agent] {
			t.Errorf("%s: got %s, want %s", agent, got[agent], want[agent])
		}
	}
	if n := b.attempts(t); n != 2 {
		t.Errorf("%d attempts are stored, want 2", n)
	}
	d.Program = nil
	results := b.apply(t, t.Context())
	if got := outcomes(results); got["first"] != "passed" || got["waits"] != "passed" || got["never"] != "passed" || !results[0].Reused || results[1].Reused {
		t.Errorf("the second time: %v", got)
	}
}

// Whatever a run is at when it is told to stop, all its trials have results.
func TestCancelAnywhere(t *testing.T) {
	for _, at := range []fake.Call{
		{Method: "Image"}, {Method: "Start"}, {Method: "Exec"}, {Method: "Freeze"}, {Method: "CopyOut"},
		{Method: "Start", Grading: true}, {Method: "Exec", Grading: true}, {Method: "CopyOut", Grading: true},
	} {
		t.Run(fmt.Sprintf("%s/grading=%t", at.Method, at.Grading), func(t *testing.T) {
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			d := &fake.Driver{Fail: func(ctx context.Context, c fake.Call) error {
				if c.Method != at.Method || c.Grading != at.Grading {
					return nil
				}
				stop()
				<-ctx.Done()
				return ctx.Err()
			}}
			b := newBench(t, d, []string{"x", "y"})
			b.suite.Parallel = 1
			for _, r := range b.apply(t, ctx) {
				if s := r.Outcome.Status; s != engine.StatusCancelled && s != engine.StatusSkipped {
					t.Errorf("%s: %v", r.Trial.ID, r.Outcome)
				}
			}
		})
	}
}

// Trials that are the same work in two matrices share one attempt.
func TestShared(t *testing.T) {
	d := &fake.Driver{}
	b := newBench(t, d, []string{"x"}, []string{"x"})
	results := b.apply(t, t.Context())
	if results[0].Attempt == nil || results[0].Attempt.Trial != results[1].Attempt.Trial || results[0].Grade == nil {
		t.Error("the attempts differ")
	}
	for _, r := range results {
		if r.Outcome.String() != "passed" {
			t.Errorf("%s: %v", r.Trial.ID, r.Outcome)
		}
	}
	starts := 0
	for _, c := range d.Calls() {
		if c.Method == "Start" {
			starts++
		}
	}
	if n := b.attempts(t); n != 1 || starts != 2 {
		t.Errorf("%d attempts, %d sandboxes; want 1 and 2", n, starts)
	}
	for _, r := range b.apply(t, t.Context()) {
		if !r.Reused {
			t.Errorf("%s is not reused", r.Trial.ID)
		}
	}
}

// An error in shared work ends all that share it.
func TestSharedError(t *testing.T) {
	d := &fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
		if c.Method == "Exec" && c.Grading {
			return errors.New("boom")
		}
		return nil
	}}
	b := newBench(t, d, []string{"x"}, []string{"x"})
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.String() != "errored(sandbox)" {
			t.Errorf("%s: %v", r.Trial.ID, r.Outcome)
		}
	}
}

// Never more sandboxes than the suite, the matrix and the machine allow, and as
// many as they do.
func TestParallel(t *testing.T) {
	for _, test := range []struct {
		name          string
		suite, matrix int
		cpus          float64
		want          int
	}{
		{"suite", 3, 0, 1, 3},
		{"matrix", 0, 2, 1, 2},
		{"machine", 0, 0, 1, 4},
		{"large sandboxes", 0, 0, 2, 2},
		{"larger than the machine", 0, 0, 100, 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			var mu sync.Mutex
			running, full := 0, make(chan struct{})
			d := &fake.Driver{Program: func(ctx context.Context, b *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
				if b.Spec.Grading {
					return sandbox.Exit{}, nil
				}
				mu.Lock()
				if running++; running == test.want {
					close(full)
				}
				mu.Unlock()
				select {
				case <-full: // all that may run at once do
				case <-time.After(10 * time.Second):
					t.Errorf("fewer than %d at once", test.want)
				}
				return sandbox.Exit{}, nil
			}}
			b := newBench(t, d, []string{"a1", "a2", "a3", "a4", "a5", "a6"})
			b.suite.Parallel, b.suite.Matrices[0].Parallel, b.suite.Cases[0].Sandbox.CPUs = test.suite, test.matrix, test.cpus
			b.apply(t, t.Context())
			if _, most := d.Open(); most != test.want {
				t.Errorf("%d sandboxes at once, want %d", most, test.want)
			}
		})
	}
}

// What an agent does decides the outcome together with what the checks say.
func TestAgent(t *testing.T) {
	for _, test := range []struct {
		name        string
		agent       int
		check       int
		want        string
		wantDetails string
	}{
		{"fine", 0, 0, "passed", ""},
		{"wrong", 0, 1, "failed(check)", `check "ok" failed`},
		{"quits", 3, 1, "failed(agent_exit)", "exit status 3"},
		{"quits when done", 3, 0, "passed", "exit status 3, but all checks passed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, &fake.Driver{Program: func(_ context.Context, b *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
				if b.Spec.Grading {
					return sandbox.Exit{Code: test.check}, nil
				}
				return sandbox.Exit{Code: test.agent}, nil
			}}, []string{"x"})
			r := b.apply(t, t.Context())[0]
			if r.Outcome.String() != test.want || !strings.Contains(r.Outcome.Detail, test.wantDetails) {
				t.Errorf("got %v, %q", r.Outcome, r.Outcome.Detail)
			}
		})
	}
}

// The files of a setup are gone when the agent starts; what the agent leaves is
// what the check sees.
func TestPhases(t *testing.T) {
	var log []string
	d := &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		out, _ := b.Read("/workspace/out")
		log = append(log, fmt.Sprintf("%s as %d seed=%t out=%q", cmd.Args[0], cmd.User.UID, cmd.Env["BENCH_SEED"] != "", out))
		b.Write("/workspace/out", out+cmd.Args[0]+" ")
		return sandbox.Exit{}, nil
	}}
	b := newBench(t, d, []string{"agent"})
	b.suite.Cases[0].Setup = &engine.Script{Command: []string{"setup"}}
	b.apply(t, t.Context())
	want := []string{
		`setup as 1000 seed=true out=""`,
		`find as 1000 seed=true out="setup "`,
		`agent as 1000 seed=false out="setup find "`,
		`check as 0 seed=true out="setup find agent "`,
	}
	if !slices.Equal(log, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(log, "\n"), strings.Join(want, "\n"))
	}
}

// A file that is not what it was when the plan was made is never used: the key
// of the old content must not stand over a verdict on the new one.
func TestChangedWhileRunning(t *testing.T) {
	rewrite := func(content string) func(string) error {
		return func(file string) error { return os.WriteFile(file, []byte(content), 0o644) }
	}
	for _, test := range []struct {
		name   string
		change func(file string) error
		want   string
	}{
		{"other content", rewrite("new"), digest.ErrChanged.Error()},
		{"longer", rewrite("old and more"), digest.ErrChanged.Error()},
		{"shorter", rewrite(""), digest.ErrChanged.Error()},
		{"gone", os.Remove, digest.ErrChanged.Error()},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			file := filepath.Join(dir, "given.txt")
			b := newBench(t, &fake.Driver{}, []string{"x"})
			read := func() {
				tree, err := digest.Tree("workspace", os.DirFS(dir), nil)
				if err != nil {
					t.Fatal(err)
				}
				b.suite.Cases[0].Workspace = tree
			}
			if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			read()
			p, s := b.plan(t)
			if err := test.change(file); err != nil {
				t.Fatal(err)
			}
			r := b.carryOut(t, t.Context(), p, s)[0]
			if r.Outcome.String() != "errored(host)" || !strings.Contains(r.Outcome.Detail, "given.txt") || !strings.Contains(r.Outcome.Detail, test.want) {
				t.Errorf("got %v, %q", r.Outcome, r.Outcome.Detail)
			}
			// The old content has no verdict: with it back, the trial runs.
			if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
				t.Fatal(err)
			}
			read()
			if r := b.apply(t, t.Context())[0]; r.Outcome.String() != "passed" || r.Reused {
				t.Errorf("the second time: %v, reused %t", r.Outcome, r.Reused)
			}
		})
	}
}

// A program that is killed for want of memory has failed if it was its own, and
// not if it was the machine's: agents and checks alike.
func TestOutOfMemory(t *testing.T) {
	for _, test := range []struct {
		name    string
		grading bool
		atLimit *bool
		want    string
	}{
		{"agent, its own", false, new(true), "failed(limit_memory)"},
		{"agent, of which it is not known", false, nil, "failed(limit_memory)"},
		{"agent, the machine's", false, new(false), "errored(host)"},
		{"check, its own", true, new(true), "failed(agent_exit)"},
		{"check, the machine's", true, new(false), "errored(host)"},
	} {
		d := &fake.Driver{
			Used: engine.Usage{OOMKills: new(int64(1)), AtLimit: test.atLimit},
			Program: func(_ context.Context, b *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
				if b.Spec.Grading == test.grading {
					return sandbox.Exit{Code: 137}, nil
				}
				return sandbox.Exit{Code: 1}, nil // neither a killed agent nor one that says so itself passes
			},
		}
		b := newBench(t, d, []string{"a"})
		if got := outcomes(b.apply(t, t.Context())); got["a"] != test.want {
			t.Errorf("%s: got %v, want %s", test.name, got, test.want)
		}
	}
}
