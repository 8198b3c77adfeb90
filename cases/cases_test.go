// Package cases_test proves the cases, in real containers: the solution of each
// one passes, doing nothing fails, and so does each of its mutants, which are
// wrong or cheating solutions.
package cases_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
)

// load reads the suite that gives every case to noop and oracle.
func load(t *testing.T) *engine.Suite {
	t.Helper()
	suite, sources, diags := lang.Load("../benchfiles/sanity.hcl", lang.Options{})
	if len(diags) > 0 {
		sources.Write(t.Output(), diags, 80, false)
		t.Fatal("the cases have mistakes")
	}
	return suite
}

// run plans a suite without a history and carries the plan out.
func run(t *testing.T, suite *engine.Suite) []engine.Result {
	t.Helper()
	p, diags := plan.New(suite, nil, plan.Options{})
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	results, err := store.Open(t.TempDir(), suite.Name)
	if err != nil {
		t.Fatal(err)
	}
	if err := results.Lock(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { results.Unlock() })
	driver, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
	if err != nil {
		t.Fatalf("the cases need a Docker engine (make test starts one): %v", err)
	}
	t.Cleanup(func() { driver.Close() })
	done, _ := apply.Run(t.Context(), p, apply.Options{Driver: driver, Store: results, Machine: apply.Machine{CPUs: driver.Host().CPUs}, Observe: func(e apply.Event) {
		if e, ok := e.(apply.ImageEnded); ok && e.Err != nil {
			t.Errorf("%s: %v\n%s", e.Step.ID, e.Err, e.Log)
		}
	}})
	return done
}

func output(r engine.Result) string {
	if r.Grade == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range r.Grade.Checks {
		b.WriteString(c.Output)
	}
	return b.String()
}

func TestSound(t *testing.T) {
	for _, r := range run(t, load(t)) {
		want := engine.StatusPassed
		if r.Trial.Agent.Builtin == engine.BuiltinNoop {
			want = engine.StatusFailed
		}
		if r.Outcome.Status != want {
			t.Errorf("%s is %v, want %v: %s\n%s", r.Trial.ID, r.Outcome, want, r.Outcome.Detail, output(r))
		}
	}
}

// TestMutants gives each mutant to its case in the place of the solution.
func TestMutants(t *testing.T) {
	suite := load(t)
	m := suite.Matrices[0]
	m.Agents = []*engine.Agent{{Name: "oracle", Builtin: engine.BuiltinOracle}}
	var mutants []*engine.Case
	for _, c := range m.Cases {
		own := mutantsOf(t, suite.Root, c)
		if len(own) < 2 {
			t.Errorf("case %s has %d mutants; a check that nothing has tried to fool proves little", c.Name, len(own))
		}
		mutants = append(mutants, own...)
	}
	m.Cases = mutants
	for _, r := range run(t, suite) {
		if r.Outcome.Status != engine.StatusFailed {
			t.Errorf("%s is %v, want failed: %s\n%s", r.Trial.ID, r.Outcome, r.Outcome.Detail, output(r))
		}
		if score, _ := r.Score(); score == 1 {
			t.Errorf("%s has a full score", r.Trial.ID)
		}
	}
}

// mutantsOf makes a case of each directory below mutants/.
func mutantsOf(t *testing.T, root string, c *engine.Case) []*engine.Case {
	t.Helper()
	dir := path.Join(c.Dir, "mutants")
	entries, err := os.ReadDir(filepath.Join(root, filepath.FromSlash(dir)))
	if err != nil {
		t.Error(err)
		return nil
	}
	var out []*engine.Case
	for _, e := range entries {
		files, err := digest.Tree(path.Join(dir, e.Name()), fsOf(root, path.Join(dir, e.Name())), nil)
		if err != nil {
			t.Error(err)
			continue
		}
		mutant := *c
		mutant.Name = c.Name + "/" + e.Name()
		mutant.Solution = &engine.Script{Command: c.Solution.Command, Files: files}
		out = append(out, &mutant)
	}
	return out
}

func fsOf(root, dir string) fs.FS { return os.DirFS(filepath.Join(root, filepath.FromSlash(dir))) }
