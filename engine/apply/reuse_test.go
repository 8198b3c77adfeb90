package apply_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// What is stored and cannot be read when it is needed ends the trial that needs
// it, and says what to do.
func TestStoredIsGone(t *testing.T) {
	for _, test := range []struct {
		name, file string
		regrade    bool
		want       string
	}{
		{"run of a verdict", "run.json", false, "errored(host)"},
		{"grade of a verdict", "grade-1/grade.json", false, "errored(host)"},
		{"run to be graded", "run.json", true, "errored(host)"},
		{"grade that is not needed", "grade-1/grade.json", true, "passed"},
	} {
		t.Run(test.name, func(t *testing.T) {
			b := newBench(t, &fake.Driver{}, []string{"unlucky", "lucky"})
			b.apply(t, t.Context())
			if test.regrade {
				b.suite.Cases[0].Checks[0].Script.Command = []string{"another"}
			}
			p, s := b.plan(t)
			file := filepath.Join(b.dir, "s", "trials", p.Trials[0].ID.Dir(), "attempt-1", test.file)
			if err := os.WriteFile(file, []byte("{"), 0o644); err != nil {
				t.Fatal(err)
			}
			results := b.carryOut(t, t.Context(), p, s)
			if got := outcomes(results); got["unlucky"] != test.want || got["lucky"] != "passed" {
				t.Errorf("got %v, want %s for the unlucky one", got, test.want)
			}
			if detail := results[0].Outcome.Detail; test.want != "passed" && (!strings.Contains(detail, file) || !strings.Contains(detail, `--rerun "m1/c@unlucky#1"`)) {
				t.Errorf("detail %q does not say what to do", detail)
			}
			if results[1].Reused == test.regrade || results[1].Attempt == nil || results[1].Grade == nil {
				t.Errorf("the lucky one: %+v", results[1])
			}
		})
	}
}

// Of trials that share work, one may have a verdict that another may not use:
// then the work is done in the name of the other.
func TestSharedWithReused(t *testing.T) {
	b := newBench(t, &fake.Driver{}, []string{"x"}, []string{"x"})
	b.apply(t, t.Context())
	b.suite.Matrices[1].Reuse = false
	results := b.apply(t, t.Context())
	if !results[0].Reused || results[1].Reused || results[1].Attempt.Trial != results[1].Trial.ID || results[1].Outcome.String() != "passed" {
		t.Errorf("got %+v", results)
	}
	for _, e := range b.events {
		if e, ok := e.(apply.StepStarted); ok && e.Trial != nil && e.Trial != results[1].Trial {
			t.Errorf("told that %s started", e.Trial.ID)
		}
	}
}
