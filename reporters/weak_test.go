package reporters_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
	jsonreport "github.com/ml-dev-bench/bench/reporters/json"
	"github.com/ml-dev-bench/bench/reporters/junit"
	"github.com/ml-dev-bench/bench/reporters/markdown"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
	"github.com/ml-dev-bench/bench/reporters/terminal"
)

// Every report tells of what makes a verdict weak, and none of it where there is
// nothing to tell.
func TestWeaknesses(t *testing.T) {
	weak := reportertest.Example()
	got := reporters.Weaknesses(weak.Results)
	want := []reporters.Weakness{{Text: `network = "open": the agent can reach everything outside, answers included`, Trials: 6}}
	if !slices.Equal(got, want) {
		t.Fatalf("got %+v", got)
	}
	for name, r := range map[string]reporters.Reporter{"terminal": terminal.Summary{}, "markdown": markdown.Reporter{}, "json": jsonreport.Reporter{}, "junit": junit.Reporter{}} {
		for run, tells := range map[*engine.Run]bool{weak: true, reportertest.Many(): false} {
			var out bytes.Buffer
			if err := r.Report(&out, run); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "answers included") != tells || !tells && strings.Contains(out.String(), "weak") {
				t.Errorf("%s: tells of a weakness: %v\n%s", name, !tells, out.String())
			}
		}
	}
}
