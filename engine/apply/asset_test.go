package apply_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// withAssets is a suite whose case has a file that a server gives, with a
// fixture, and one of which there is nothing but the stand-in.
func withAssets(t *testing.T, d *fake.Driver, answer http.HandlerFunc) *bench {
	t.Helper()
	s := httptest.NewTLSServer(answer)
	t.Cleanup(s.Close)
	b := newBench(t, d, []string{"one", "two"})
	b.assets = asset.Open(asset.Options{Dir: t.TempDir(), Transport: s.Client().Transport, Backoff: time.Millisecond})
	t.Cleanup(func() {
		if err := b.assets.Close(); err != nil {
			t.Error(err)
		}
	})
	fixture := &engine.Script{Command: []string{"make"}}
	b.suite.Cases[0].Assets = []*engine.Asset{
		{Name: "rows", Target: "/assets/rows", Fixture: fixture},
		{Name: "weights", URL: s.URL + "/w", SHA256: digest.Bytes([]byte("heavy")), Target: "/assets/w", Fixture: fixture},
	}
	return b
}

// maker is a driver whose fixtures write their name, and which tells what the
// other programs find.
func maker(found func(string)) *fake.Driver {
	return &fake.Driver{Program: func(_ context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if cmd.Args[0] == "make" {
			box.Write(cmd.Env["BENCH_ASSET"], "small "+path.Base(cmd.Env["BENCH_ASSET"]))
			return sandbox.Exit{}, nil
		}
		rows, _ := box.Read("/assets/rows")
		w, _ := box.Read("/assets/w")
		found(cmd.Args[0] + ": " + rows + ", " + w)
		return sandbox.Exit{}, nil
	}}
}

// Agents and checks find the same assets, which are fetched or made once.
func TestAssets(t *testing.T) {
	for wanted, want := range map[engine.Variant]string{engine.VariantFull: "small rows, heavy", engine.VariantMini: "small rows, small w"} {
		var mu sync.Mutex
		var found []string
		var asked atomic.Int32
		d := maker(func(s string) {
			mu.Lock()
			defer mu.Unlock()
			found = append(found, s)
		})
		b := withAssets(t, d, func(w http.ResponseWriter, _ *http.Request) {
			asked.Add(1)
			fmt.Fprint(w, "heavy")
		})
		b.wanted = wanted
		for _, r := range b.apply(t, t.Context()) {
			if r.Outcome.String() != "passed" || r.Trial.Assets != engine.VariantMini {
				t.Errorf("%s: %v, %s", r.Trial.ID, r.Outcome, r.Trial.Assets)
			}
			if used := r.Attempt.Assets; len(used) != 2 || used[0].Name != "rows" || used[0].Variant != engine.VariantMini || used[1].Variant != wanted || used[1].Sum.IsZero() {
				t.Errorf("%s: used %+v", r.Trial.ID, used)
			}
		}
		slices.Sort(found)
		if diff := cmp.Diff([]string{"check: " + want, "check: " + want, "one: " + want, "two: " + want}, found); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", wanted, diff)
		}
		fixtures := 0
		for _, c := range d.Calls() {
			if c.Method == "Start" && strings.HasPrefix(c.Trial, "asset:") {
				fixtures++
			}
		}
		if want := map[engine.Variant]int32{engine.VariantFull: 1}[wanted]; asked.Load() != want || fixtures != 2-int(want) {
			t.Errorf("%s: fetched %d times, made %d times", wanted, asked.Load(), fixtures)
		}
		sizes := map[engine.StepID]int64{}
		for _, e := range b.events {
			if e, ok := e.(apply.AssetEnded); ok {
				sizes[e.Step.ID] = e.Bytes
			}
		}
		if len(sizes) != 2 || sizes["asset:rows"] == 0 || sizes["asset:weights"] == 0 {
			t.Errorf("%s: told of %v", wanted, sizes)
		}
	}
}

// A fixture runs as the agent's user, with nothing that reaches out.
func TestFixtureIsAlone(t *testing.T) {
	d := maker(func(string) {})
	program := d.Program
	seen := false
	d.Program = func(ctx context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if s := box.Spec.Sandbox; cmd.Args[0] == "make" {
			seen = true
			text, _ := box.Read("/fixture/make.sh")
			if s.Network != engine.NetworkNone || len(s.Allow)+len(s.Mounts)+len(s.Services)+s.GPUs > 0 || cmd.User != engine.DefaultUser || cmd.Dir != "/fixture" ||
				text != "make it" || cmd.Env["LEVEL"] != "1" || cmd.Env["HOME"] != "/home/agent" || box.Spec.Image != "fake:box" || len(box.Spec.Volumes) > 0 {
				t.Errorf("in %+v, with %+v and %q", s, cmd, text)
			}
		}
		return program(ctx, box, cmd)
	}
	b := withAssets(t, d, nil)
	b.wanted = engine.VariantMini
	s := b.suite.Cases[0].Sandbox
	s.Network, s.Allow, s.Env = engine.NetworkGateway, []string{"example.org"}, map[string]string{"LEVEL": "1"}
	s.Mounts, s.Services = []*engine.Mount{{Source: "data", Target: "/data"}}, []*engine.Service{{Name: "db"}}
	for _, a := range b.suite.Cases[0].Assets {
		a.Fixture.Files = files(t, "make.sh", "make it")
	}
	b.apply(t, t.Context())
	if !seen {
		t.Error("no fixture ran")
	}
}

// An asset that cannot be had is nobody's failure, and no agent runs for nothing.
// What would be the same the next time is not tried again.
func TestAssetErrors(t *testing.T) {
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	heavy := func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "heavy") }
	play := func(program func(ctx context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error)) *fake.Driver {
		return &fake.Driver{Program: func(ctx context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
			if cmd.Args[0] != "make" {
				panic("an agent runs without its assets")
			}
			return program(ctx, box, cmd)
		}}
	}
	fine := play(func(_ context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		box.Write(cmd.Env["BENCH_ASSET"], "small")
		return sandbox.Exit{}, nil
	})
	for name, tt := range map[string]struct {
		driver *fake.Driver
		answer http.HandlerFunc
		cause  engine.StepID
		detail string
		tries  int
	}{
		"not found": {fine, status(http.StatusNotFound), "asset:weights", `answers "404 Not Found"; with --assets mini, a fixture stands in for it`, 1},
		"broken":    {fine, status(http.StatusBadGateway), "asset:weights", `answers "502 Bad Gateway" (tried 4 times)`, 2},
		"another":   {fine, func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "light") }, "asset:weights", "and not " + digest.Bytes([]byte("heavy")).String(), 1},
		"fixture fails": {play(func(_ context.Context, _ *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
			fmt.Fprintln(cmd.Stdout, "at it\nno rows")
			return sandbox.Exit{Code: 3}, nil
		}), heavy, "asset:rows", `the fixture of asset "rows" of case c: "make" ended with exit status 3: no rows`, 1},
		"fixture writes nothing": {play(func(context.Context, *fake.Box, sandbox.Cmd) (sandbox.Exit, error) { return sandbox.Exit{}, nil }),
			heavy, "asset:rows", `it wrote nothing at "rows"`, 1},
		"fixture writes beside it": {play(func(_ context.Context, box *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
			box.Write("/asset/columns", "x")
			return sandbox.Exit{}, nil
		}), heavy, "asset:rows", `it wrote "columns", and not only "rows"`, 1},
		"fixture hangs": {play(func(ctx context.Context, _ *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
			<-ctx.Done()
			return sandbox.Exit{}, ctx.Err()
		}), heavy, "asset:rows", `"make" took longer than 20ms, which the setup timeout of sandbox "box" allows`, 1},
		"fixture without a sandbox": {&fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
			if c.Method == "Start" {
				return errors.New("no sandbox today")
			}
			return nil
		}}, heavy, "asset:rows", "no sandbox today", 2},
		"a bug": {&fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
			if c.Method == "CopyOut" {
				panic("oh")
			}
			return nil
		}}, heavy, "asset:rows", "bug in bench, please report: oh", 2},
	} {
		t.Run(name, func(t *testing.T) {
			b := withAssets(t, tt.driver, tt.answer)
			b.suite.Cases[0].Sandbox.Timeouts.Setup = 20 * time.Millisecond
			b.suite.Matrices[0].Retry = engine.Retry{Attempts: 2, On: engine.Retryable, Backoff: time.Millisecond, MaxBackoff: time.Millisecond}
			for _, r := range b.apply(t, t.Context()) {
				if r.Outcome.String() != "errored(asset)" || r.Outcome.Cause != tt.cause || !strings.Contains(r.Outcome.Detail, tt.detail) || r.Attempt != nil {
					t.Errorf("%s: %v of %s: %s", r.Trial.ID, r.Outcome, r.Outcome.Cause, r.Outcome.Detail)
				}
			}
			tries := 0
			for _, e := range b.events {
				if e, ok := e.(apply.AssetEnded); ok && e.Step.ID == tt.cause && e.Err != nil {
					tries++
				}
			}
			if tries != tt.tries {
				t.Errorf("tried %d times, not %d", tries, tt.tries)
			}
		})
	}
}

// What an agent made of one stand-in is not graded with another.
func TestOtherAssets(t *testing.T) {
	word, broken := "one", errors.New("no checks today")
	d := &fake.Driver{Program: func(_ context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if cmd.Args[0] == "make" {
			box.Write(cmd.Env["BENCH_ASSET"], word)
		}
		return sandbox.Exit{}, nil
	}, Fail: func(_ context.Context, c fake.Call) error {
		if c.Grading {
			return broken
		}
		return nil
	}}
	b := withAssets(t, d, nil)
	b.wanted = engine.VariantMini
	b.apply(t, t.Context())
	broken, word = nil, "two"
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.String() != "passed" {
			t.Errorf("what was made is in the cache, but %s: %v: %s", r.Trial.ID, r.Outcome, r.Outcome.Detail)
		}
	}

	b = withAssets(t, d, nil)
	b.wanted, broken, word = engine.VariantMini, errors.New("no checks today"), "one"
	b.apply(t, t.Context())
	b.assets, broken, word = asset.Open(asset.Options{Dir: t.TempDir()}), nil, "two"
	defer b.assets.Close()
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.String() != "errored(asset)" || !strings.Contains(r.Outcome.Detail, `the fixture of asset "rows" has written something else than when the agent ran`) {
			t.Errorf("%s: %v: %s", r.Trial.ID, r.Outcome, r.Outcome.Detail)
		}
	}
}

// When bench is told to stop, no trial is errored for an asset that was on its way.
func TestStopWhileFetching(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	b := withAssets(t, &fake.Driver{}, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	})
	b.suite.Cases[0].Assets = b.suite.Cases[0].Assets[1:]
	for _, r := range b.apply(t, ctx) {
		if r.Outcome.String() != "skipped(signal)" {
			t.Errorf("%s: %v: %s", r.Trial.ID, r.Outcome, r.Outcome.Detail)
		}
	}
}

// files is a tree of one file.
func files(t *testing.T, name, content string) *engine.Tree {
	t.Helper()
	tree, err := digest.Tree("files", fstest.MapFS{name: {Data: []byte(content)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}
