package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/reporters"
)

type showFlags struct {
	root       string
	resultsDir string
	json       bool
}

func newShowCmd(a *app) *cobra.Command {
	var f showFlags
	cmd := &cobra.Command{
		Use:   "show {TRIAL|PLAN|RESULTS}",
		Short: "Show one thing in full: a stored trial, a saved plan, or a report",
		Long: "show TRIAL shows everything that is stored of a trial: its attempts, what the\nchecks said, what was used up, and where the files lie.\n\n" +
			"show PLAN shows a plan that \"bench plan --out\" has saved. show RESULTS shows the\nreport \"json\" of a run.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("show takes one trial, plan or report: bench %s", cmd.Use)
			}
			return nil
		},
		ValidArgsFunction: completeArgs(anyFile),
		RunE:              func(_ *cobra.Command, args []string) error { return a.showThing(args[0], &f) },
	}
	cmd.Flags().StringVar(&f.root, "root", "", "project root (default: nearest directory with cases/ or .git)")
	cmd.Flags().StringVar(&f.resultsDir, "results-dir", ".bench", "where results are stored, from the root")
	cmd.Flags().BoolVar(&f.json, "json", false, "as JSON")
	return cmd
}

func (a *app) showThing(thing string, f *showFlags) error {
	if id, err := engine.ParseTrialID(thing); err == nil {
		return a.showTrial(id, f)
	}
	text, err := os.ReadFile(thing)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("show: %s is neither a file nor the id of a trial, which has the form matrix/case@agent+model#1", thing)
	}
	if err != nil {
		return cannot(err)
	}
	var kind struct {
		Schema string `json:"schema"`
	}
	if err := json.Unmarshal(text, &kind); err != nil {
		return fmt.Errorf("show: %s is neither a saved plan nor a report: %w", thing, err)
	}
	switch {
	case f.json:
		_, err = a.stdout.Write(text)
		return err
	case kind.Schema == plan.DocumentSchema:
		doc, err := plan.ReadDocument(bytes.NewReader(text))
		if err != nil {
			return &exitError{exitUsage, fmt.Sprintf("%s is not a plan that can be used: %v", thing, err)}
		}
		return writeDocument(a.stdout, doc)
	case strings.HasPrefix(kind.Schema, "bench.results/"):
		return writeResults(a.stdout, text)
	}
	return fmt.Errorf("show: %s has the schema %q, and bench shows plans and reports", thing, kind.Schema)
}

// showTrial looks a trial up in the results of all suites.
func (a *app) showTrial(id engine.TrialID, f *showFlags) error {
	root := f.root
	if root == "" {
		here, err := filepath.Abs(".")
		if err != nil {
			return cannot(err)
		}
		root = lang.FindRoot(here)
	}
	dir := filepath.Join(root, filepath.FromSlash(f.resultsDir))
	suites, err := store.Suites(dir)
	if err != nil {
		return cannot(err)
	}
	found := false
	for _, suite := range suites {
		results, err := store.Open(dir, suite)
		if err != nil {
			return cannot(err)
		}
		if results.Latest(id) == nil {
			continue
		}
		attempts, grades, err := results.Attempts(id)
		if err != nil {
			return cannot(err)
		}
		found = true
		if err := a.writeAttempts(suite, results, attempts, grades, f.json); err != nil {
			return err
		}
	}
	if !found {
		return &exitError{exitUsage, fmt.Sprintf("nothing is stored of trial %s in %s", id, dir)}
	}
	return nil
}

// A storedTrial is what is stored of a trial, as JSON.
type storedTrial struct {
	Suite    string          `json:"suite"`
	Attempts []storedAttempt `json:"attempts"`
}

type storedAttempt struct {
	Dir     string          `json:"dir"`
	Outcome engine.Outcome  `json:"outcome"`
	Attempt *engine.Attempt `json:"run"`
	Grades  []*engine.Grade `json:"grades"`
}

func (a *app) writeAttempts(suite string, results *store.Store, attempts []*engine.Attempt, grades [][]*engine.Grade, asJSON bool) error {
	out := storedTrial{Suite: suite}
	for i, at := range attempts {
		s := storedAttempt{Dir: results.Dir(at), Attempt: at, Grades: grades[i], Outcome: at.Outcome}
		if n := len(grades[i]); n > 0 {
			s.Outcome = engine.Decide(at, grades[i][n-1])
		}
		out.Attempts = append(out.Attempts, s)
	}
	if asJSON {
		text, err := json.MarshalIndent(out, "", "  ")
		if err != nil {
			return cannot(err)
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s in suite %s: %s\n", attempts[0].Trial, suite, plural(len(attempts), "attempt"))
	for _, s := range out.Attempts {
		writeAttempt(&b, s)
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

func writeAttempt(b *strings.Builder, s storedAttempt) {
	at := s.Attempt
	outcome := "not graded"
	if s.Outcome.Status != engine.StatusInvalid {
		outcome = s.Outcome.String()
	}
	fmt.Fprintf(b, "\nattempt %d   %s\n", at.N, outcome)
	row := func(name, value string) { fmt.Fprintf(b, "  %-12s %s\n", name, value) }
	if s.Outcome.Detail != "" {
		row("detail", reporters.Line(s.Outcome.Detail))
	}
	row("began", at.Began.Format(time.RFC3339))
	row("agent", shortDuration(at.Took)+exitOfAgent(at))
	row("seed", fmt.Sprint(at.Seed))
	row("cpu", unknown(at.Usage.CPU, shortDuration))
	row("memory", unknown(at.Usage.PeakMemory, func(n int64) string { return fmt.Sprintf("%.1f MiB at most", float64(n)/(1<<20)) }))
	row("cost", unknown(at.Cost, usd))
	if m := at.Models; m != nil {
		row("model", fmt.Sprintf("%s, %s; tokens in %s, out %s; waited %s", plural(int(m.Requests), "request"), plural(int(m.Turns), "turn"),
			unknown(m.Input, itoa), unknown(m.Output, itoa), shortDuration(m.Waited)))
	}
	row("output", fmt.Sprintf("%d bytes, %d kept", at.Output.Written, at.Output.Kept))
	row("image", at.Image)
	for _, v := range at.Services {
		if v.Exit != nil {
			row("service", fmt.Sprintf("%s, which ended with exit status %d before the agent did; see %s", v.Name, *v.Exit, store.ServiceLogFile(v.Name)))
		} else {
			row("service", v.Name)
		}
	}
	for _, u := range at.Assets {
		row("asset", fmt.Sprintf("%s, %s, sha256 %s", u.Name, u.Variant, u.Sum.Short()))
	}
	row("key", at.Key.Sum.Short())
	row("bench", at.Version.Bench+" "+at.Version.Commit)
	row("files", s.Dir)
	for i, g := range s.Grades {
		writeGrade(b, i+1, g)
	}
}

func exitOfAgent(a *engine.Attempt) string {
	switch {
	case a.Limit != "":
		return ", ended by " + string(a.Limit)
	case a.Exit != nil:
		return fmt.Sprintf(", exit status %d", *a.Exit)
	}
	return ""
}

func unknown[T any](v *T, show func(T) string) string {
	if v == nil {
		return "unknown"
	}
	return show(*v)
}

func writeGrade(b *strings.Builder, n int, g *engine.Grade) {
	fmt.Fprintf(b, "  grade %d      key %s, %s\n", n, g.Key.Sum.Short(), g.Began.Format(time.RFC3339))
	if len(g.Changed) > 0 {
		fmt.Fprintf(b, "    protected files that the agent changed: %s\n", reporters.Line(strings.Join(g.Changed, ", ")))
	}
	for _, c := range g.Checks {
		verdict := "failed"
		if c.Passed {
			verdict = "passed"
		}
		fmt.Fprintf(b, "    check %s: %s, score %v, weight %v, %s\n", c.Name, verdict, c.Score, c.Weight, shortDuration(c.Took))
		if c.Detail != "" {
			fmt.Fprintf(b, "      %s\n", reporters.Line(c.Detail))
		}
		for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
			m := c.Metrics[name]
			fmt.Fprintf(b, "      %s = %v %s\n", reporters.Line(name), m.Value, reporters.Line(m.Unit))
		}
		for line := range strings.Lines(reporters.Clean(c.Output)) {
			fmt.Fprintf(b, "      | %s\n", strings.TrimRight(line, "\n"))
		}
	}
}
