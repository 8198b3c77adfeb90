package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/reporters"
)

type logsFlags struct {
	root       string
	resultsDir string
	suite      string
	attempt    int
	calls      bool
	bodies     bool
	json       bool
}

func newLogsCmd(a *app) *cobra.Command {
	var f logsFlags
	cmd := &cobra.Command{
		Use:   "logs TRIAL",
		Short: "Show what an agent has printed, or what it asked its model",
		Long: "logs shows what the agent of a stored trial has printed. With --calls, it shows\nwhat the agent asked its model instead: one line for each call, as the gateway\n" +
			"counted it, and with --bodies what was asked and answered.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("logs takes the id of one trial: bench %s", cmd.Use)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.logs(args[0], &f) },
	}
	cmd.Flags().StringVar(&f.root, "root", "", "project root (default: nearest directory with cases/ or .git)")
	cmd.Flags().StringVar(&f.resultsDir, "results-dir", ".bench", "where results are stored, from the root")
	cmd.Flags().StringVar(&f.suite, "suite", "", "whose trial it is, where several suites have one of that id")
	cmd.Flags().IntVar(&f.attempt, "attempt", 0, "which attempt, counting from 1 (default: the last)")
	cmd.Flags().BoolVar(&f.calls, "calls", false, "the calls to models")
	cmd.Flags().BoolVar(&f.bodies, "bodies", false, "with --calls: what was asked and answered, too")
	cmd.Flags().BoolVar(&f.json, "json", false, "with --calls: as JSON, one line a call, requests whole")
	return cmd
}

func (a *app) logs(trial string, f *logsFlags) error {
	if !f.calls && (f.bodies || f.json) {
		return errors.New("--bodies and --json go with --calls")
	}
	id, err := engine.ParseTrialID(trial)
	if err != nil {
		return fmt.Errorf("logs: %w", err)
	}
	dir, err := attemptDir(id, f)
	if err != nil {
		return err
	}
	if !f.calls {
		return a.copyLog(filepath.Join(dir, store.LogFile), "the agent has printed nothing that was kept")
	}
	file, err := os.Open(filepath.Join(dir, store.CallsFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &exitError{exitUsage, fmt.Sprintf("trial %s has no model, or was run before calls were kept", id)}
	}
	if err != nil {
		return cannot(err)
	}
	defer file.Close()
	calls, err := gateway.ReadTraces(file)
	for _, c := range calls {
		if writeErr := a.writeCall(c, f); writeErr != nil {
			return writeErr
		}
	}
	if err != nil {
		return cannot(err)
	}
	return nil
}

// attemptDir is where the files of an attempt lie.
func attemptDir(id engine.TrialID, f *logsFlags) (string, error) {
	root := f.root
	if root == "" {
		here, err := filepath.Abs(".")
		if err != nil {
			return "", cannot(err)
		}
		root = lang.FindRoot(here)
	}
	results, err := storeOf(id, filepath.Join(root, filepath.FromSlash(f.resultsDir)), f.suite)
	if err != nil {
		return "", err
	}
	attempts, _, err := results.Attempts(id)
	if err != nil {
		return "", cannot(err)
	}
	last := attempts[len(attempts)-1]
	if f.attempt == 0 {
		return results.Dir(last), nil
	}
	for _, at := range attempts {
		if at.N == f.attempt {
			return results.Dir(at), nil
		}
	}
	return "", &exitError{exitUsage, fmt.Sprintf("trial %s has no attempt %d; its last is %d", id, f.attempt, last.N)}
}

// storeOf finds the one suite that has results of a trial, or the one with a name.
func storeOf(id engine.TrialID, dir, suite string) (*store.Store, error) {
	suites, err := store.Suites(dir)
	if err != nil {
		return nil, cannot(err)
	}
	var found *store.Store
	var names []string
	for _, name := range suites {
		if suite != "" && name != suite {
			continue
		}
		results, err := store.Open(dir, name)
		if err != nil {
			return nil, cannot(err)
		}
		if results.Latest(id) != nil {
			found, names = results, append(names, name)
		}
	}
	switch {
	case len(names) > 1:
		return nil, &exitError{exitUsage, fmt.Sprintf("the suites %s have a trial %s each; say which with --suite", strings.Join(names, " and "), id)}
	case found == nil && suite != "":
		return nil, &exitError{exitUsage, fmt.Sprintf("nothing is stored of trial %s of suite %q in %s", id, suite, dir)}
	case found == nil:
		return nil, &exitError{exitUsage, fmt.Sprintf("nothing is stored of trial %s in %s", id, dir)}
	}
	return found, nil
}

// copyLog prints a file. What could command a terminal is made harmless.
func (a *app) copyLog(file, none string) error {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(text) == 0 {
		fmt.Fprintln(a.stderr, none)
		return nil
	}
	if err != nil {
		return cannot(err)
	}
	_, err = io.WriteString(a.stdout, reporters.Clean(string(text)))
	return err
}

func (a *app) writeCall(c gateway.Trace, f *logsFlags) error {
	if f.json {
		text, err := json.Marshal(c)
		if err != nil {
			return cannot(err)
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "call %-3d %s  %s", c.N, c.Began.Format(time.TimeOnly), callLine(c.Row))
	b.WriteByte('\n')
	if f.bodies {
		for _, part := range []struct{ mark, text string }{{">", c.Request}, {"<", c.Response}} {
			for line := range strings.Lines(reporters.Clean(part.text)) {
				fmt.Fprintf(&b, "  %s %s\n", part.mark, strings.TrimRight(line, "\n"))
			}
		}
		if c.Left > 0 {
			fmt.Fprintf(&b, "  %d bytes more were not kept\n", c.Left)
		}
	}
	_, err := io.WriteString(a.stdout, b.String())
	return err
}

// callLine is what the ledger has of a call, in a line.
func callLine(r gateway.Row) string {
	model := r.Asked
	if r.Requested != "" && r.Requested != r.Asked {
		model = r.Requested + " as " + r.Asked
	}
	family := string(r.Family)
	if r.Upstream != "" {
		family += " to " + string(r.Upstream)
	}
	parts := []string{fmt.Sprintf("%s  %s  status %d  %s", reporters.Line(model), family, r.Status, shortDuration(r.Took))}
	if r.Kind == "completion" && r.Tries > 0 && r.Refused == "" {
		parts = append(parts, fmt.Sprintf("tokens in %s, out %s", unknown(r.Usage.Input, itoa), unknown(r.Usage.Output, itoa)), "cost "+unknown(r.Cost, func(c float64) string { return fmt.Sprintf("$%.4f", c) }))
	}
	for _, note := range []struct {
		is   bool
		text string
	}{
		{r.Side, "side call"}, {r.Tries > 1, fmt.Sprintf("asked %d times", r.Tries)}, {r.Refused != "", "refused: " + r.Refused},
		{r.Cut, "broke off"}, {r.Gone, "the agent did not wait"}, {r.Doubt != "", "not believed: " + r.Doubt},
		{r.Stop != "", "ended: " + r.Stop},
	} {
		if note.is {
			parts = append(parts, reporters.Line(note.text))
		}
	}
	if r.Failure != nil {
		parts = append(parts, reporters.Line(fmt.Sprintf("provider: %d %s %s", r.Failure.Status, r.Failure.Code, r.Failure.Message)))
	}
	return strings.Join(parts, "; ")
}

func itoa(n int64) string { return fmt.Sprint(n) }
