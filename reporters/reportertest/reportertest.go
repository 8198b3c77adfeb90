// Package reportertest holds what every reporter is tested with: runs to report
// and a suite of tests.
//
// A new reporter is done when this passes, and its golden file reads well:
//
//	func TestConformance(t *testing.T) { reportertest.Run(t, markdown.Reporter{}) }
//
//	func TestGolden(t *testing.T) {
//		reportertest.Golden(t, "example.md", reportertest.Report(t, markdown.Reporter{}, reportertest.Example()))
//	}
//
// The runs are built anew by each call, so a test may change its own.
package reportertest

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// Runs are the fixtures by name. A reporter must bear them all.
func Runs() map[string]func() *engine.Run {
	return map[string]func() *engine.Run{
		"zero":     func() *engine.Run { return &engine.Run{} },
		"empty":    Empty,
		"example":  Example,
		"eventful": Eventful,
		"bare":     Bare,
		"hostile":  Hostile,
		"many":     Many,
	}
}

// Run is the conformance suite: equal runs give equal bytes, no run makes the
// reporter panic or fail, the run stays as it is, nothing hostile gets through, and the error of a
// writer is returned.
func Run(t *testing.T, r reporters.Reporter) {
	t.Helper()
	for name, build := range Runs() {
		t.Run(name, func(t *testing.T) {
			run := build()
			first := Report(t, r, run)
			for range 3 {
				if diff := cmp.Diff(first, Report(t, r, run)); diff != "" {
					t.Fatalf("the same run gives other bytes the second time (-first +second):\n%s", diff)
				}
			}
			if diff := cmp.Diff(first, Report(t, r, build())); diff != "" {
				t.Errorf("an equal run gives other bytes (-first +second):\n%s", diff)
			}
			if diff := cmp.Diff(build(), run, cmpopts.EquateNaNs()); diff != "" {
				t.Errorf("Report changes the run (-before +after):\n%s", diff)
			}
			checkHarmless(t, first)
			checkWriterError(t, r, run)
		})
	}
}

// Report gives the report of a run, and fails the test if there is none.
func Report(t *testing.T, r reporters.Reporter, run *engine.Run) string {
	t.Helper()
	var b bytes.Buffer
	if err := r.Report(&b, run); err != nil {
		t.Fatalf("Report: %v", err)
	}
	return b.String()
}

// Golden compares a report with testdata/name, or rewrites the file if the test
// was started with -update.
func Golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", filepath.FromSlash(name))
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v; go test -update writes it", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got); go test -update rewrites it:\n%s", path, diff)
	}
}

// colours are the only escapes that a reporter may write itself.
var colours = regexp.MustCompile("\x1b\\[(0|1|3[0-7]|9[0-7])m")

func checkHarmless(t *testing.T, report string) {
	t.Helper()
	report = colours.ReplaceAllString(report, "")
	if !utf8.ValidString(report) {
		t.Error("the report is not valid UTF-8")
	}
	for _, r := range report {
		if unicode.IsControl(r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) {
			t.Fatalf("the report contains the control character %q", r)
		}
	}
}

var errFull = errors.New("no space left on device")

type fullWriter struct{}

func (fullWriter) Write([]byte) (int, error) { return 0, errFull }

func checkWriterError(t *testing.T, r reporters.Reporter, run *engine.Run) {
	t.Helper()
	var b bytes.Buffer
	if err := r.Report(io.Writer(&b), run); err != nil || b.Len() == 0 {
		return // nothing was to be written
	}
	if err := r.Report(fullWriter{}, run); !errors.Is(err, errFull) {
		t.Errorf("Report to a full device returns %v, want %v", err, errFull)
	}
}
