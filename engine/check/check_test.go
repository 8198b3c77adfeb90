package check_test

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/check"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// grade runs one check, played by program, on an empty workspace.
func grade(t *testing.T, d *fake.Driver, checks ...*engine.Check) (*engine.Grade, error) {
	t.Helper()
	if checks == nil {
		checks = []*engine.Check{newCheck("c")}
	}
	box := &engine.Sandbox{Name: "box", Workdir: "/workspace", User: engine.DefaultUser, Env: map[string]string{"WORD": "sandbox", "BENCH_SCORE": "/tmp/mine", "PATH": "/workspace/bin:/workspace:.:/usr/bin::/workspaces/bin:/tmp/../workspace/x"}}
	g, err := check.Run(t.Context(), d, check.Input{Trial: &engine.Trial{Seed: 7, Case: &engine.Case{Name: "case", Sandbox: box, Checks: checks}}, Image: "image"})
	if open, _ := d.Open(); open != 0 {
		t.Errorf("%d sandboxes were not closed", open)
	}
	return g, err
}

func newCheck(name string) *engine.Check {
	return &engine.Check{Name: name, Script: engine.Script{Command: []string{"judge", "it"}}, Timeout: time.Minute, Weight: 1}
}

// ends is a program that leaves files, prints and ends with a status.
func ends(code int, output string, files map[string]string) func(context.Context, *fake.Box, sandbox.Cmd) (sandbox.Exit, error) {
	return func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if cmd.Args[0] != "judge" {
			return sandbox.Exit{}, nil // looks whether the command exists: it does
		}
		fmt.Fprint(cmd.Stdout, output)
		for name, content := range files {
			b.Write("/bench/result/"+name, content)
		}
		return sandbox.Exit{Code: code}, nil
	}
}

func TestVerdict(t *testing.T) {
	score := func(s string) map[string]string { return map[string]string{"score": s} }
	metrics := func(s string) map[string]string { return map[string]string{"metrics.json": s} }
	for _, test := range []struct {
		name   string
		code   int
		output string
		files  map[string]string
		want   string // "passed", "failed", or what a broken check says
		score  float64
		detail string
	}{
		{name: "passes", want: "passed", score: 1},
		{name: "fails", code: 1, output: "seen\n\nnot 42\n\n", want: "failed", detail: "not 42"},
		{name: "fails and says nothing", code: 1, want: "failed", detail: "exit status 1"},
		{name: "another status", code: 3, output: "why\n", want: "failed", detail: "why (exit status 3)"},
		{name: "killed", code: 137, want: "failed", detail: "exit status 137"},
		{name: "cannot decide", code: 75, want: "could not decide"},
		{name: "status of a missing command", code: 127, want: "failed", detail: "exit status 127"},
		{name: "status of a command that cannot run", code: 126, want: "failed", detail: "exit status 126"},
		{name: "passes with a score", files: score("0.25\n"), want: "passed", score: 0.25},
		{name: "fails with a score", code: 1, files: score(" .5 "), want: "failed", score: 0.5, detail: "exit status 1"},
		{name: "score of 0", files: score("0"), want: "passed"},
		{name: "score of 1", code: 1, files: score("1"), want: "failed", score: 1, detail: "exit status 1"},
		{name: "score above", files: score("1.0001"), want: `wrote "1.0001" to BENCH_SCORE`},
		{name: "score below", files: score("-0.1"), want: "no number from 0 to 1"},
		{name: "score is no number", files: score("NaN"), want: "no number from 0 to 1"},
		{name: "score is infinite", files: score("inf"), want: "no number from 0 to 1"},
		{name: "score is empty", files: score(""), want: "no number from 0 to 1"},
		{name: "score is prose", files: score("good"), want: "no number from 0 to 1"},
		{name: "score is long", files: score(strings.Repeat("0", 70_000)), want: "at most 65536 are read"},
		{name: "metrics", files: metrics(`{"n": 1}`), want: "passed", score: 1},
		{name: "metrics are none", files: metrics(`[1]`), want: "unusable metrics"},
		{name: "a failed one's too", code: 1, files: metrics(`[1]`), want: "unusable metrics"},
		{name: "leaves too much", files: map[string]string{"a": strings.Repeat("a", 60_000), "b": strings.Repeat("b", 60_000), "c": strings.Repeat("c", 60_000), "d": strings.Repeat("d", 60_000), "e": strings.Repeat("e", 60_000), "score": "0.5"}, want: "left too much"},
		{name: "other files are not read", files: map[string]string{"notes": "x", "deep/score": "0.5"}, want: "passed", score: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			g, err := grade(t, &fake.Driver{Program: ends(test.code, test.output, test.files)})
			if err != nil {
				t.Fatal(err)
			}
			c := g.Checks[0]
			if test.want != "passed" && test.want != "failed" {
				if g.Outcome.String() != "errored(check)" || !strings.Contains(g.Outcome.Detail, test.want) || !strings.HasPrefix(g.Outcome.Detail, `check "c" `) {
					t.Errorf("got %v, %q; want %q", g.Outcome, g.Outcome.Detail, test.want)
				}
				return
			}
			if g.Outcome.Status != engine.StatusInvalid || c.Passed != (test.want == "passed") || c.Score != test.score || c.Detail != test.detail {
				t.Errorf("got %v, passed %t, score %v, %q", g.Outcome, c.Passed, c.Score, c.Detail)
			}
			if c.Output != test.output {
				t.Errorf("output %q", c.Output)
			}
		})
	}
}

func TestMissingCommand(t *testing.T) {
	d := &fake.Driver{Program: func(context.Context, *fake.Box, sandbox.Cmd) (sandbox.Exit, error) {
		return sandbox.Exit{Code: 127}, nil // the check, and the search for its command
	}}
	g, err := grade(t, d)
	if err != nil || g.Outcome.String() != "errored(check)" || !strings.Contains(g.Outcome.Detail, `there is no command "judge"`) {
		t.Errorf("got %v, %v", g, err)
	}
}

// A check that takes too long has failed: what it ran, the agent wrote.
func TestTimeout(t *testing.T) {
	d := &fake.Driver{Program: func(ctx context.Context, _ *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
		<-ctx.Done()
		return sandbox.Exit{}, ctx.Err()
	}}
	slow := newCheck("slow")
	slow.Timeout = 10 * time.Millisecond
	g, err := grade(t, d, slow)
	if err != nil || g.Outcome.Status != engine.StatusInvalid || g.Checks[0].Passed || g.Checks[0].Detail != "took longer than 10ms" {
		t.Errorf("got %+v, %v", g, err)
	}
}

// Each check has a sandbox of its own; all run, unless one cannot decide.
func TestSeveral(t *testing.T) {
	for code, want := range map[int]string{1: "a=false b=true", 75: "a=false"} {
		var found []string
		d := &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
			if _, ok := b.Read("/tmp/mark"); ok {
				t.Error("a sandbox is used twice")
			}
			b.Write("/tmp/mark", "")
			found = append(found, cmd.Args[0])
			if cmd.Args[0] == "a" {
				return sandbox.Exit{Code: code}, nil
			}
			return sandbox.Exit{}, nil
		}}
		a, b := newCheck("a"), newCheck("b")
		a.Script.Command, b.Script.Command = []string{"a"}, []string{"b"}
		g, err := grade(t, d, a, b)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range g.Checks {
			got = append(got, fmt.Sprintf("%s=%t", c.Name, c.Passed))
		}
		if strings.Join(got, " ") != want {
			t.Errorf("status %d: got %v, want %s; ran %v", code, got, want, found)
		}
	}
}

// A check runs as root and is told where to write; neither the sandbox nor the
// case can tell it otherwise.
func TestEnvironment(t *testing.T) {
	d := &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		for name, want := range map[string]string{
			"BENCH_SCORE": "/bench/result/score", "BENCH_METRICS": "/bench/result/metrics.json", "BENCH_CASE": "case", "BENCH_SEED": "7", "WORD": "check", "PATH": "/usr/bin:/workspaces/bin",
		} {
			if cmd.Env[name] != want {
				t.Errorf("%s=%q, want %q", name, cmd.Env[name], want)
			}
		}
		if cmd.User != engine.Root || cmd.Dir != "/workspace" || !b.Spec.Grading {
			t.Errorf("user %v in %s, grading %t", cmd.User, cmd.Dir, b.Spec.Grading)
		}
		return sandbox.Exit{}, nil
	}}
	c := newCheck("c")
	c.Env = map[string]string{"WORD": "check"}
	if _, err := grade(t, d, c); err != nil {
		t.Error(err)
	}
}

// An error of the driver is no verdict, and no fault of the check.
func TestDriverErrors(t *testing.T) {
	for _, method := range []string{"Start", "Exec", "CopyOut"} {
		boom := errors.New("boom")
		d := &fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
			if c.Method == method {
				return boom
			}
			return nil
		}}
		if g, err := grade(t, d); g != nil || !errors.Is(err, boom) || !strings.Contains(err.Error(), `check "c"`) {
			t.Errorf("%s: got %v, %v", method, g, err)
		}
	}
}

func metricsOf(t *testing.T, text string) (map[string]engine.Metric, string) {
	t.Helper()
	g, err := grade(t, &fake.Driver{Program: ends(0, "", map[string]string{"metrics.json": text})})
	if err != nil {
		t.Fatal(err)
	}
	return g.Checks[0].Metrics, g.Outcome.Detail
}

func TestMetrics(t *testing.T) {
	many := `{"m0": 0`
	for i := range 200 {
		many += fmt.Sprintf(`, "n%d": 0`, i)
	}
	for _, test := range []struct {
		text string
		want string // the metrics in JSON, or a part of what is wrong
	}{
		{`{}`, `{}`},
		{`{"a": 1, "b": -0.5e3}`, `{"a":{"value":1},"b":{"value":-500}}`},
		{`{"a": {"value": 0}}`, `{"a":{"value":0}}`},
		{`{"a": {"value": 2, "unit": "s", "description": "of it"}}`, `{"a":{"value":2,"unit":"s","description":"of it"}}`},
		{``, "unexpected end"},
		{`all is well`, "invalid character"},
		{`[]`, "cannot unmarshal"},
		{`{"a": 1} 2`, "invalid character"},
		{`{"a": "1"}`, `"a" is neither a number nor an object with a value`},
		{`{"a": null}`, `"a" is neither a number nor an object with a value`},
		{`{"a": {}}`, `"a" is neither a number nor an object with a value`},
		{`{"a": {"unit": "s"}}`, `"a" is neither a number nor an object with a value`},
		{`{"a": {"value": null}}`, `"a" is neither a number nor an object with a value`},
		{`{"a": {"value": 1, "max": 2}}`, `"a" is neither a number nor an object with a value`},
		{`{"a": [1]}`, `"a" is neither a number nor an object with a value`},
		{`{"a": 1e999}`, `"a" is neither a number nor an object with a value`},
		{`{"": 1}`, "cannot be the name of a metric"},
		{`{"` + strings.Repeat("a", 101) + `": 1}`, "cannot be the name of a metric"},
		{many + "}", "201 metrics, at most 200"},
	} {
		metrics, detail := metricsOf(t, test.text)
		got, err := json.Marshal(metrics)
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(test.want, "{") {
			if string(got) != test.want || detail != "" {
				t.Errorf("%s: got %s, %q; want %s", test.text, got, detail, test.want)
			}
		} else if !strings.Contains(detail, test.want) {
			t.Errorf("%.60s: got %s, %q; want %q", test.text, got, detail, test.want)
		}
	}
}

// A left is an entry of the directory of results, as an engine copies it.
type left struct {
	name string
	kind byte
	text string
}

// resultDriver starts sandboxes in which checks leave more than plain files.
type resultDriver struct {
	*fake.Driver
	left []left
	gone bool // the directory itself is not there
}

func (d resultDriver) Start(ctx context.Context, spec sandbox.Spec) (sandbox.Sandbox, error) {
	box, err := d.Driver.Start(ctx, spec)
	return resultBox{box, d}, err
}

type resultBox struct {
	sandbox.Sandbox
	driver resultDriver
}

func (b resultBox) CopyOut(_ context.Context, dir string, w io.Writer) error {
	if b.driver.gone {
		return fmt.Errorf("copying %s: %w", dir, sandbox.ErrNoDirectory)
	}
	out := tar.NewWriter(w)
	for _, l := range b.driver.left {
		h := &tar.Header{Name: l.name, Typeflag: l.kind, Mode: 0o600}
		if l.kind == tar.TypeReg {
			h.Size = int64(len(l.text))
		} else {
			h.Linkname = l.text
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if l.kind == tar.TypeReg {
			io.WriteString(out, l.text)
		}
	}
	return out.Close()
}

// Whatever a check leaves in the place of its results is either read, or told, or
// none of them; it never hangs, and never is the sandbox's fault.
func TestOddResults(t *testing.T) {
	dir := left{"result/", tar.TypeDir, ""}
	for _, test := range []struct {
		name  string
		left  []left
		gone  bool
		want  string // part of what a broken check says; empty if it has passed
		score float64
	}{
		{name: "nothing", left: []left{dir}, score: 1},
		{name: "score", left: []left{dir, {"result/score", tar.TypeReg, "0.5"}}, score: 0.5},
		{name: "no directory", gone: true, want: "removed /bench/result"},
		{name: "file for a directory", left: []left{{"result", tar.TypeReg, "0.5"}}, score: 1},
		{name: "link for a directory", left: []left{{"result", tar.TypeSymlink, "/workspace"}}, score: 1},
		{name: "score is a link", left: []left{dir, {"result/score", tar.TypeSymlink, "/workspace/score"}}, want: "something else than a file in the place of score"},
		{name: "score is a second name", left: []left{dir, {"result/a", tar.TypeReg, "1"}, {"result/score", tar.TypeLink, "result/a"}}, want: "something else than a file in the place of score"},
		{name: "score is a pipe", left: []left{dir, {"result/score", tar.TypeFifo, ""}}, want: "something else than a file in the place of score"},
		{name: "score is a directory", left: []left{dir, {"result/score/", tar.TypeDir, ""}}, want: "something else than a file in the place of score"},
		{name: "metrics are a device", left: []left{dir, {"result/metrics.json", tar.TypeChar, ""}}, want: "something else than a file in the place of metrics.json"},
		{name: "score is huge", left: []left{dir, {"result/score", tar.TypeReg, strings.Repeat("1", 1<<20)}}, want: "left too much"},
		{name: "score is large", left: []left{dir, {"result/score", tar.TypeReg, strings.Repeat("1", 100_000)}}, want: "wrote 100000 bytes to score"},
		{name: "metrics are large", left: []left{dir, {"result/metrics.json", tar.TypeReg, strings.Repeat(" ", 100_000)}}, want: "wrote 100000 bytes to metrics.json"},
		{name: "another file is large", left: []left{dir, {"result/notes", tar.TypeReg, strings.Repeat("1", 100_000)}, {"result/score", tar.TypeReg, "0.25"}}, score: 0.25},
		{name: "other things", left: []left{dir, {"result/link", tar.TypeSymlink, "score"}, {"result/pipe", tar.TypeFifo, ""}, {"result/d/score", tar.TypeReg, "0.25"}, {"score", tar.TypeReg, "0.25"}}, score: 1},
		{name: "bytes that are no text", left: []left{dir, {"result/score", tar.TypeReg, "\xff\x00"}}, want: "which is no number from 0 to 1"},
		{name: "control characters", left: []left{dir, {"result/score", tar.TypeReg, "\x1b[2J1"}}, want: `wrote "\x1b[2J1" to BENCH_SCORE`},
	} {
		t.Run(test.name, func(t *testing.T) {
			d := resultDriver{&fake.Driver{}, test.left, test.gone}
			box := &engine.Sandbox{Name: "box", Workdir: "/workspace", User: engine.DefaultUser}
			g, err := check.Run(t.Context(), d, check.Input{Trial: &engine.Trial{Case: &engine.Case{Name: "case", Sandbox: box, Checks: []*engine.Check{newCheck("c")}}}, Image: "image"})
			if err != nil {
				t.Fatal(err)
			}
			if open, _ := d.Open(); open != 0 {
				t.Errorf("%d sandboxes were not closed", open)
			}
			if test.want != "" {
				if g.Outcome.String() != "errored(check)" || !strings.Contains(g.Outcome.Detail, test.want) {
					t.Errorf("got %v, %q; want %q", g.Outcome, g.Outcome.Detail, test.want)
				}
				return
			}
			if g.Outcome.Status != engine.StatusInvalid || !g.Checks[0].Passed || g.Checks[0].Score != test.score {
				t.Errorf("got %v, %q, %+v", g.Outcome, g.Outcome.Detail, g.Checks[0])
			}
		})
	}
}
