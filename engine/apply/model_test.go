package apply_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// scriptedModel is a model whose answers are in a script: 1000 USD for a million
// tokens of input.
func (b *bench) scriptedModel(t *testing.T, script string) *engine.Model {
	t.Helper()
	tree, err := digest.File("script.txt", fstest.MapFS{"script.txt": {Data: []byte(script)}}, "script.txt")
	if err != nil {
		t.Fatal(err)
	}
	p := &engine.Provider{Name: "p", API: engine.APIOpenAI, Mode: engine.ModeScripted, Script: tree, Parallel: 8}
	b.models, err = gateway.New([]*engine.Provider{p}, gateway.Options{Root: t.TempDir(), Timing: gateway.Timing{Patience: time.Second, Backoff: time.Millisecond}})
	if err != nil {
		t.Fatal(err)
	}
	return &engine.Model{Name: "m", ID: "model-1", Provider: p, Price: &engine.Price{Input: 1000}}
}

// call asks the model as an agent in a sandbox does.
func call(b *fake.Box, cmd sandbox.Cmd) *http.Response {
	q := httptest.NewRequest(http.MethodPost, cmd.Env["BENCH_GATEWAY_URL"]+"/v1/chat/completions", strings.NewReader(`{"model":"`+cmd.Env["BENCH_MODEL"]+`","messages":[{"role":"user","content":"Hi"}]}`))
	q.URL.Scheme, q.URL.Host = "", "" // as a server sees it
	q.Header.Set("Authorization", "Bearer "+cmd.Env["BENCH_GATEWAY_TOKEN"])
	w := httptest.NewRecorder()
	b.Spec.Serve.ServeHTTP(w, q)
	return w.Result()
}

// asking is a driver whose agents ask their model so often, and end with 0 if it
// answers each time.
func asking(times int) *fake.Driver {
	return &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if b.Spec.Grading || b.Spec.Serve == nil {
			return sandbox.Exit{}, nil
		}
		for range times {
			a := call(b, cmd)
			text, _ := io.ReadAll(a.Body)
			if a.StatusCode != http.StatusOK {
				_, _ = cmd.Stdout.Write(text)
				return sandbox.Exit{Code: 1}, nil
			}
		}
		return sandbox.Exit{}, nil
	}}
}

func modelBench(t *testing.T, d *fake.Driver, script string) *bench {
	t.Helper()
	b := newBench(t, d, []string{"a"})
	b.suite.Agents[0].NeedsModel, b.suite.Agents[0].API = true, engine.APIOpenAI
	b.suite.Matrices[0].Models = []*engine.Model{b.scriptedModel(t, script)}
	b.suite.Matrices[0].Retry.Attempts = 2
	b.suite.Matrices[0].Retry.On = []engine.Reason{engine.ReasonProvider}
	return b
}

// What an agent asked, and what that has cost, is in its attempt.
func TestModel(t *testing.T) {
	b := modelBench(t, asking(2), "turn always\ntext Yes.\nusage input=1000 output=10\n")
	r := b.apply(t, t.Context())[0]
	if r.Outcome.Status != engine.StatusPassed {
		t.Fatalf("%v: %s", r.Outcome, r.Outcome.Detail)
	}
	m := r.Attempt.Models
	if m == nil || m.Requests != 2 || *m.Input != 2000 || *m.Output != 20 || *r.Attempt.Tokens != 2020 || *r.Attempt.Cost != 2 {
		t.Errorf("%+v, tokens %v, cost %v", m, r.Attempt.Tokens, r.Attempt.Cost)
	}
}

// A limit ends an agent as failed, and its workspace is checked all the same.
func TestModelLimit(t *testing.T) {
	b := modelBench(t, asking(3), "turn always\ntext Yes.\nusage input=1000 output=10\n")
	b.suite.Matrices[0].Limits.Turns = 2
	r := b.apply(t, t.Context())[0]
	if r.Outcome.Status != engine.StatusFailed || r.Outcome.Reason != engine.ReasonLimitTurns || !strings.Contains(r.Outcome.Detail, "2 of 2 turns") || r.Grade == nil {
		t.Errorf("%v: %s; grade %v", r.Outcome, r.Outcome.Detail, r.Grade)
	}
}

// A provider that fails is no failure of the agent: the attempt is made again. A
// script that has no answer would have none the next time.
func TestModelTrouble(t *testing.T) {
	for _, c := range []struct {
		script, want, detail string
		attempts             int
	}{
		{"turn always\nerror 500 it burns\n", "errored(provider)", "it burns", 2},
		{"turn always\nerror 401 no such key\n", "errored(auth)", "no such key", 1},
		{"case other\n\nturn\ntext Yes.\n", "errored(provider)", "nothing in the script is for the case", 1},
	} {
		b := modelBench(t, asking(1), c.script)
		r := b.apply(t, t.Context())[0]
		if r.Outcome.String() != c.want || !strings.Contains(r.Outcome.Detail, c.detail) || b.attempts(t) != c.attempts {
			t.Errorf("%q: %v: %s; %d attempts", c.script, r.Outcome, r.Outcome.Detail, b.attempts(t))
		}
	}
}

// breaking lets the first sandboxes in which agents work break, once they have
// worked.
func breaking(d *fake.Driver, times int) *fake.Driver {
	var broken atomic.Int64
	d.Fail = func(_ context.Context, c fake.Call) error {
		if c.Method == "Freeze" && !c.Grading && broken.Add(1) <= int64(times) {
			return errors.New("the sandbox broke")
		}
		return nil
	}
	return d
}

// tokensTold are those of the tries of the last apply, in the order of their ends.
func (b *bench) tokensTold() (told []int64) {
	for _, e := range b.events {
		if e, ok := e.(apply.StepEnded); ok && e.Tokens != nil {
			told = append(told, *e.Tokens)
		}
	}
	return told
}

// What a try has asked is told of the trial, also when another try was made: in the
// same run, in the next one, and when its result is reused.
func TestModelRetried(t *testing.T) {
	const script = "turn always\ntext Yes.\nusage input=1000 output=10\n"
	for name, attempts := range map[string]int{"in the same run": 2, "in the next run": 1} {
		t.Run(name, func(t *testing.T) {
			b := modelBench(t, breaking(asking(2), 1), script)
			b.suite.Matrices[0].Retry.Attempts, b.suite.Matrices[0].Retry.On = attempts, []engine.Reason{engine.ReasonSandbox}
			var told []int64
			for run := range 3 {
				r := b.apply(t, t.Context())[0]
				told = append(told, b.tokensTold()...)
				if attempts == 1 && run == 0 {
					continue
				}
				broke := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonSandbox}
				want := []engine.Try{{N: 1, Outcome: broke, Cost: new(2.0), Tokens: new(int64(2020))}}
				if diff := cmp.Diff(want, r.Earlier, cmpopts.IgnoreFields(engine.Try{}, "Took")); diff != "" || r.Outcome.Status != engine.StatusPassed {
					t.Errorf("run %d: %v; earlier tries (-want +got):\n%s", run+1, r.Outcome, diff)
				}
				if *r.Attempt.Tokens != 2020 {
					t.Errorf("run %d: the last attempt alone has %d tokens", run+1, *r.Attempt.Tokens)
				}
			}
			if !slices.Equal(told, []int64{2020, 2020}) {
				t.Errorf("told of %d tokens, want each attempt once", told)
			}
		})
	}
}

// What a try that could not be stored has asked is told as its own, and not that of
// the try before it once more.
func TestModelNotStored(t *testing.T) {
	once, twice := asking(1), asking(2)
	d := breaking(&fake.Driver{}, 1)
	b := modelBench(t, d, "turn always\ntext Yes.\nusage input=1000 output=10\n")
	b.suite.Matrices[0].Retry.On = []engine.Reason{engine.ReasonSandbox}
	tries := 0
	d.Program = func(ctx context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if tries++; tries == 1 {
			return twice.Program(ctx, box, cmd)
		}
		drafts, err := filepath.Glob(filepath.Join(b.dir, "s", "drafts", "*"))
		for _, draft := range drafts {
			err = errors.Join(err, os.RemoveAll(draft))
		}
		if err != nil || len(drafts) == 0 {
			t.Errorf("the drafts are %q: %v", drafts, err)
		}
		return once.Program(ctx, box, cmd)
	}
	if r := b.apply(t, t.Context())[0]; r.Outcome.String() != "errored(host)" || b.attempts(t) != 1 {
		t.Errorf("%v: %s; %d attempts", r.Outcome, r.Outcome.Detail, b.attempts(t))
	}
	if told := b.tokensTold(); !slices.Equal(told, []int64{2020, 1010}) {
		t.Errorf("told of %d tokens, want those of each try", told)
	}
}
