package lang_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// examples copies testdata/examples, and adds the cases that the counts of its
// suites are about: 30 that need no GPU, of which 5 are slow and 5 are smoke.
func examples(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/examples")); err != nil {
		t.Fatal(err)
	}
	made := func(group string, n int, tags ...string) {
		name := fmt.Sprintf("cases/%s/c%d", group, n)
		write(t, root, name+"/case.hcl", fmt.Sprintf(`tags    = ["%s"]
imports = ["cases/sandboxes.hcl"]
sandbox = sandbox.python
prompt  = "Do number %d of %s."

check "done" {
  command = ["python", "/check/check.py"]
  files   = "./check"
}

solution {
  command = ["true"]
}
`, strings.Join(tags, "\", \""), n, group))
		write(t, root, name+"/check/check.py", fmt.Sprintf("print(%q, %d)\n", group, n))
	}
	for n := range 5 { // with off-by-one 6, of which 1 is slow
		made("debugging", n+1, []string{"fast", "slow"}[n/4])
		made("data", n+1, "fast", []string{"smoke", "tables"}[min(n, 1)])
	}
	for n := range 19 { // 4 are slow, 3 are smoke
		tag := "slow"
		if n >= 4 {
			tag = []string{"smoke", "fast"}[min((n-4)/3, 1)]
		}
		made("training", n+1, tag)
	}
	for n := range 3 {
		made("gpu", n+1, "slow")
	}
	return root
}

// The examples of the language mean what they say, down to the number of trials.
func TestExamples(t *testing.T) {
	root := examples(t)
	for _, tt := range []struct {
		file  string
		want  map[string]int // trials by matrix
		rules []string       // of what is said of it
	}{
		{"hello", map[string]int{"smoke": 1}, []string{"V22"}},
		{"full", map[string]int{"sanity": 60, "leaderboard": 810}, nil},
		{"sweep", map[string]int{"temperature": 200, "patience": 180}, nil},
		{"ci", map[string]int{"smoke": 5, "pr": 136}, nil},
	} {
		t.Run(tt.file, func(t *testing.T) {
			suite, sources, diags := lang.Load(filepath.Join(root, "benchfiles", tt.file+".hcl"), lang.Options{Root: root, Version: "0.1.0"})
			if suite == nil {
				show(t, sources, diags)
			}
			p, more := plan.New(suite, nil, plan.Options{})
			if diags = append(diags, more...); p == nil {
				show(t, sources, diags)
			}
			var rules []string
			for _, d := range diags {
				rules = append(rules, d.Rule)
			}
			if !slices.Equal(rules, tt.rules) {
				show(t, sources, diags)
			}
			got := map[string]int{}
			ids := map[string]bool{}
			for _, trial := range p.Trials {
				got[trial.ID.Matrix]++
				ids[trial.ID.String()] = true
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("trials (-want +got):\n%s", diff)
			}
			if len(ids) != len(p.Trials) {
				t.Errorf("%d ids for %d trials", len(ids), len(p.Trials))
			}
		})
	}
}

func show(t *testing.T, sources *lang.Sources, diags engine.Diagnostics) {
	t.Helper()
	var out bytes.Buffer
	if err := sources.Write(&out, diags, 80, false); err != nil {
		t.Error(err)
	}
	t.Fatalf("diagnostics:\n%s", &out)
}

// What the numbers of the examples stand for.
func TestExampleDetails(t *testing.T) {
	root := examples(t)
	load := func(name string) (*engine.Suite, map[string]*engine.Trial) {
		suite, sources, diags := lang.Load(filepath.Join(root, "benchfiles", name+".hcl"), lang.Options{Root: root, Version: "0.1.0"})
		if suite == nil {
			show(t, sources, diags)
		}
		p, diags := plan.New(suite, nil, plan.Options{})
		if p == nil {
			show(t, sources, diags)
		}
		trials := map[string]*engine.Trial{}
		for _, trial := range p.Trials {
			trials[trial.ID.String()] = trial
		}
		return suite, trials
	}

	suite, trials := load("sweep")
	warm := trials["temperature/debugging/off-by-one@react+qwen,temperature=0.3#2"]
	if warm == nil || string(warm.Params["temperature"]) != "0.3" || string(warm.Params["max_tokens"]) != "8192" {
		t.Errorf("temperature 0.3: got %+v", warm)
	}
	if patient := trials["patience/debugging/off-by-one@react+qwen,minutes=2#1"]; patient == nil || patient.Limits.WallClock.String() != "2m0s" {
		t.Errorf("two minutes: got %+v", patient)
	}
	if patient := trials["patience/debugging/off-by-one@react+qwen,minutes=15#1"]; patient == nil || patient.Limits.WallClock.String() != "5m0s" {
		t.Errorf("fifteen minutes, where the case allows five: got %+v", patient)
	}
	if got := suite.Matrices[1].After[0].Ref(); got != "matrix.temperature" {
		t.Errorf("patience comes after %s", got)
	}

	suite, trials = load("ci")
	if trials["pr/data/c1@react+sonnet#1"] == nil || trials["pr/data/c1@react+sonnet#2"] != nil || trials["pr/data/c2@react+sonnet#1"] != nil {
		t.Error("the canary is not the only trial of sonnet on data")
	}
	if got := suite.Gates[0].Condition; !slices.Equal(got.Matrices, []string{"smoke"}) || got.Text != "matrix.smoke.pass_rate >= 0.9" {
		t.Errorf("condition: got %+v", got)
	}
	if suite.Matrices[1].Baseline.Path != "benchfiles/baselines/main.json" || suite.Gates[3].Severity != engine.SeverityWarning {
		t.Errorf("got baseline %+v and gate %+v", suite.Matrices[1].Baseline, suite.Gates[3])
	}

	_, trials = load("full")
	aider := trials["leaderboard/debugging/off-by-one@aider+sonnet#3"]
	want := []string{"aider", "--yes-always", "--model", "openai/claude-sonnet-4", "--message-file", engine.PromptFile}
	if diff := cmp.Diff(want, aider.Invocation.Command); diff != "" {
		t.Errorf("command (-want +got):\n%s", diff)
	}
}

// The examples are written as bench fmt would write them.
func TestExamplesAreFormatted(t *testing.T) {
	err := fs.WalkDir(os.DirFS("testdata/examples"), ".", func(name string, _ fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".hcl" {
			return err
		}
		text, err := os.ReadFile(filepath.Join("testdata/examples", name))
		if err != nil {
			return err
		}
		got, _, diags := lang.Format(name, text)
		if len(diags) > 0 {
			t.Errorf("%s: %v", name, diags)
		}
		if diff := cmp.Diff(string(text), string(got)); diff != "" {
			t.Errorf("%s (-is +formatted):\n%s", name, diff)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
