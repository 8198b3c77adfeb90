package terminal_test

import (
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
	"github.com/ml-dev-bench/bench/reporters/terminal"
)

func TestConformance(t *testing.T) {
	t.Run("plain", func(t *testing.T) { reportertest.Run(t, terminal.Summary{}) })
	t.Run("colour", func(t *testing.T) { reportertest.Run(t, terminal.Summary{Color: true}) })
}

func TestGolden(t *testing.T) {
	for name, build := range reportertest.Runs() {
		t.Run(name, func(t *testing.T) {
			reportertest.Golden(t, name+".txt", reportertest.Report(t, terminal.Summary{}, build()))
		})
	}
	t.Run("colour", func(t *testing.T) {
		reportertest.Golden(t, "example_colour.txt", reportertest.Report(t, terminal.Summary{Color: true}, reportertest.Example()))
	})
}

func TestNoEscapeWithoutColour(t *testing.T) {
	for name, build := range reportertest.Runs() {
		if strings.Contains(reportertest.Report(t, terminal.Summary{}, build()), "\x1b") {
			t.Errorf("%s: an escape was printed though colour is off", name)
		}
	}
}

// Colour must never be the only carrier of meaning: without it, the same words
// are left.
func TestColourAddsNothing(t *testing.T) {
	plain := reportertest.Report(t, terminal.Summary{}, reportertest.Example())
	coloured := reportertest.Report(t, terminal.Summary{Color: true}, reportertest.Example())
	stripped := strings.NewReplacer("\x1b[31m", "", "\x1b[32m", "", "\x1b[33m", "", "\x1b[0m", "").Replace(coloured)
	if stripped != plain || coloured == plain {
		t.Errorf("without its colours, the summary reads\n%s\nwant\n%s", stripped, plain)
	}
}

func TestLastLineIsTheReason(t *testing.T) {
	run := reportertest.Example()
	run.Exit = engine.Exit{Code: 3, Reason: "2 trials failed"}
	got := reportertest.Report(t, terminal.Summary{}, run)
	if !strings.HasSuffix(got, "\n2 trials failed\n") {
		t.Errorf("the summary ends with %q, want the reason", got[len(got)-40:])
	}
}
