package lang_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// project writes files below a new root.
func project(tb testing.TB, files map[string]string) string {
	tb.Helper()
	root := tb.TempDir()
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

// seeds are the benchfiles of testdata, each of which says what it is about.
func seeds(tb testing.TB) map[string][]byte {
	tb.Helper()
	files, err := doublestar.FilepathGlob("testdata/{.,examples/benchfiles}/*.hcl")
	if err != nil || len(files) < 5 {
		tb.Fatalf("%d seeds (%v)", len(files), err)
	}
	out := map[string][]byte{}
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			tb.Fatal(err)
		}
		out[f] = text
	}
	return out
}

// A suite is a value: what it says depends on the files alone, and formatting
// them changes nothing.
func TestFormatKeepsMeaning(t *testing.T) {
	for file, text := range seeds(t) {
		formatted, _, diags := lang.Format(file, text)
		if diags.HasErrors() {
			continue
		}
		root := project(t, map[string]string{"cases/README": "", "a.hcl": string(text), "b.hcl": string(formatted)})
		a, _, diagsA := lang.Load(filepath.Join(root, "a.hcl"), lang.Options{})
		b, _, diagsB := lang.Load(filepath.Join(root, "b.hcl"), lang.Options{})
		if diff := cmp.Diff(summaries(diagsA), summaries(diagsB)); diff != "" {
			t.Errorf("%s: diagnostics (-before +after):\n%s", file, diff)
		}
		if a == nil || b == nil {
			continue
		}
		if diff := cmp.Diff(keys(t, a), keys(t, b)); diff != "" {
			t.Errorf("%s: keys (-before +after):\n%s", file, diff)
		}
	}
}

func summaries(diags engine.Diagnostics) (out []string) {
	for _, d := range diags {
		out = append(out, d.Summary)
	}
	return out
}

func keys(t *testing.T, s *engine.Suite) map[string]engine.Digest {
	t.Helper()
	p, diags := plan.New(s, nil, plan.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := map[string]engine.Digest{}
	for _, tr := range p.Trials {
		out[tr.ID.String()] = tr.Check.Key.Sum
	}
	return out
}

func TestLoadWhole(t *testing.T) {
	suite, sources, diags := lang.Load("testdata/whole.hcl", lang.Options{Root: "testdata", Vars: map[string]lang.Var{"trials": {Text: "3", File: "--var"}}, Version: "0.1.0"})
	if len(diags) > 0 {
		sources.Write(t.Output(), diags, 80, false)
		t.Fatal("diagnostics")
	}
	if suite.Name != "whole" || suite.Seed != 7 || suite.Parallel != 2 || suite.ResultsDir != "results" {
		t.Errorf("got suite %q with seed %d, %d at once, results in %s", suite.Name, suite.Seed, suite.Parallel, suite.ResultsDir)
	}
	box := suite.Cases[0].Sandbox
	want := &engine.Sandbox{
		Name: "box", Image: engine.Image{Ref: "debian:trixie-slim"}, CPUs: 0.5, Memory: 512 << 20, PIDs: 64, Network: engine.NetworkNone,
		Env: map[string]string{"A": "whole-3"}, User: engine.User{UID: 1001, GID: 1002}, Workdir: "/home/agent",
		Timeouts: engine.DefaultTimeouts, Pos: box.Pos,
	}
	want.Timeouts.Setup = 90 * time.Second
	if diff := cmp.Diff(want, box); diff != "" {
		t.Errorf("sandbox (-want +got):\n%s", diff)
	}
	if got := suite.Matrices[0].Trials; got != 3 {
		t.Errorf("got %d trials, want the 3 that were given", got)
	}
	agent := suite.Matrices[0].Agents[0]
	got, err := agent.Bind(engine.TrialValues{Case: "c", Agent: "a", N: 2, Seed: 1<<64 - 1, Prompt: "say ${x}", PromptFile: "/p", Workspace: "/w"})
	if err != nil {
		t.Fatal(err)
	}
	invocation := engine.Invocation{
		Command: []string{"echo", "say ${x}", "c/a/2", "18446744073709551615", "${HOME}"},
		Env:     map[string]string{"WHERE": "/w", "PROMPT": "/p"},
	}
	if diff := cmp.Diff(invocation, got); diff != "" {
		t.Errorf("invocation (-want +got):\n%s", diff)
	}
}

// Benchfiles must not read what lies outside of the project, whatever way they try.
func TestRootIsTight(t *testing.T) {
	root := project(t, map[string]string{"secret.txt": "TOP", "p/cases/README": ""})
	if err := os.Symlink("../secret.txt", filepath.Join(root, "p", "leak.txt")); err != nil {
		t.Fatal(err)
	}
	for _, arg := range []string{"../secret.txt", "./../secret.txt", "cases/../../secret.txt", filepath.Join(root, "secret.txt"), "leak.txt"} {
		file := filepath.Join(root, "p", "s.hcl")
		if err := os.WriteFile(file, []byte("suite \"s\" {\n  description = file(\""+filepath.ToSlash(arg)+"\")\n}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		suite, sources, diags := lang.Load(file, lang.Options{})
		var out bytes.Buffer
		sources.Write(&out, diags, 80, false)
		if suite != nil || !strings.Contains(out.String(), "error:") || strings.Contains(out.String(), "TOP") {
			t.Errorf("file(%q): got\n%s", arg, &out)
		}
	}
}

// Lines of a file are shown as they are, unless they play tricks on a terminal.
func TestSourcesWrite(t *testing.T) {
	root := project(t, map[string]string{"s.hcl": "# \x1b]0;owned\x07\nsuite \"s\" {\n\tparallel = \"\u00e9\x1b[31m\"   \n}\n", "cases/README": ""})
	_, sources, diags := lang.Load(filepath.Join(root, "s.hcl"), lang.Options{})
	var out bytes.Buffer
	if err := sources.Write(&out, diags[:1], 80, false); err != nil {
		t.Fatal(err)
	}
	want := "error: the suite has no matrix\n  s.hcl:2:1\n     |\n   2 | suite \"s\" {\n     | ^^^^^^^^^\n" +
		"  Nothing would run. Declare which cases are given to which agents in a matrix\n  block.\n"
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	out.Reset()
	if err := sources.Write(&out, diags, 80, false); err != nil || strings.ContainsRune(out.String(), 0x1b) {
		t.Errorf("got an escape (%v): %q", err, out.String())
	}
}
