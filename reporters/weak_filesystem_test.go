package reporters_test

import (
	"bytes"
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

// Every report tells that what is graded is the file system of the agent.
func TestFilesystemIsTold(t *testing.T) {
	sealed, weak := reportertest.Example(), reportertest.Example()
	weak.Results[0].Trial.Case.Snapshot = engine.SnapshotFilesystem
	for name, r := range map[string]reporters.Reporter{"terminal": terminal.Summary{}, "markdown": markdown.Reporter{}, "json": jsonreport.Reporter{}, "junit": junit.Reporter{}} {
		for run, tells := range map[*engine.Run]bool{weak: true, sealed: false} {
			var out bytes.Buffer
			if err := r.Report(&out, run); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(out.String(), "the agent can change the programs with which it is checked") != tells {
				t.Errorf("%s: tells of the weakness: %v\n%s", name, !tells, out.String())
			}
		}
	}
}
