// Package cases_test certifies the cases, in real containers, as bench test does:
// the solution of each one passes, doing nothing fails, and so do a battery of
// cheats and the mutants, which are wrong solutions. The records beside the cases
// have to say so.
package cases_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/certify"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/reporters/certificate"
)

// root is the project's.
const root = ".."

// load reads all cases.
func load(t *testing.T) *engine.Suite {
	t.Helper()
	suite, sources, diags := lang.Load(filepath.Join(root, "cases.hcl"), lang.Options{Root: root, Text: lang.CasesText("certify", []string{"cases/**"})})
	if len(diags) > 0 {
		sources.Write(t.Output(), diags, 80, false)
		t.Fatal("the cases have mistakes")
	}
	return suite
}

func TestCertified(t *testing.T) {
	suite := load(t)
	results, err := store.Open(t.TempDir(), suite.Name)
	if err == nil {
		err = results.Lock()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer results.Unlock()
	driver, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
	if err != nil {
		t.Fatalf("the cases need a Docker engine (make test starts one): %v", err)
	}
	defer driver.Close()
	host := driver.Host()
	prover := &certify.Prover{Suite: suite, Repeat: 3, Stored: results.Stored, Run: func(p *engine.Plan) []engine.Result {
		done, _ := apply.Run(t.Context(), p, apply.Options{
			Driver: driver, Store: results, Machine: apply.Machine{CPUs: 3 * host.CPUs, Memory: host.Memory},
			Observe: func(e apply.Event) {
				if e, ok := e.(apply.ImageEnded); ok && e.Err != nil {
					t.Errorf("%s: %v\n%s", e.Step.ID, e.Err, e.Log)
				}
			},
		})
		return done
	}}
	for _, c := range suite.Matrices[0].Cases {
		t.Run(c.Name, func(t *testing.T) { certified(t, prover, c) })
	}
}

// certified proves a case, and compares that with its record.
func certified(t *testing.T, prover *certify.Prover, c *engine.Case) {
	files := os.DirFS(root)
	mutants, err := certify.Mutants(files, c)
	if err != nil {
		t.Fatal(err)
	}
	if len(mutants) < 2 {
		t.Errorf("%d mutants; a check that nothing has tried to fool proves little", len(mutants))
	}
	todo, diags := prover.Plan(c, mutants)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	proven := prover.Prove(c, mutants, todo)
	t.Logf("%s; flake %d/%d", certificate.Summary(proven), proven.Flake.Odd, proven.Flake.Asked)
	for _, p := range proven.Proofs {
		if p.State != engine.ProofHolds {
			t.Errorf("%s is %s: %s", certificate.Name(&p), p.State, p.Detail)
		}
	}
	want := certify.RecordOf(proven)
	got, err := fs.ReadFile(files, path.Join(c.Dir, certify.RecordFile))
	if diff := cmp.Diff(string(want.Bytes()), string(got)); diff != "" {
		t.Errorf("its record is not that of this proof (%v); run bench test, and commit what it writes (-want +got):\n%s", err, diff)
	}
}
