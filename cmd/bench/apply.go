package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/reporters"
	jsonreport "github.com/ml-dev-bench/bench/reporters/json"
	"github.com/ml-dev-bench/bench/reporters/junit"
	"github.com/ml-dev-bench/bench/reporters/markdown"
	"github.com/ml-dev-bench/bench/reporters/terminal"
)

type applyFlags struct {
	suiteFlags
	selectFlags
	parallel int
	failOn   string
	allow    []string
}

func newApplyCmd(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply {FILE|PLAN}",
		Short: "Run what a suite declares, and write its reports",
		Long: "apply plans a suite, runs the trials that have no verdict yet, and writes the\nreports. A second apply with nothing to do only writes the reports.\n\n" +
			"With a plan that \"bench plan --out\" has saved, it does what was planned then, or\nrefuses if anything has changed since.",
		Args:              oneFile,
		ValidArgsFunction: completeArgs(anyFile),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.apply(cmd, args[0], &f) },
	}
	f.suiteFlags.add(cmd)
	f.selectFlags.add(cmd)
	f.addRerun(cmd)
	a.completeSelection(cmd, &f.suiteFlags)
	cmd.Flags().IntVar(&f.parallel, "parallel", 0, "trials at once; it can only lower what the file says")
	cmd.Flags().StringVar(&f.failOn, "fail-on", "", "\"failed\": exit with 3 if a trial failed")
	cmd.Flags().StringArrayVar(&f.allow, "allow", nil, "a power that the plan needs, such as net.open; repeatable")
	return cmd
}

// apply is bench from end to end: benchfile, suite, plan, results, reports.
func (a *app) apply(cmd *cobra.Command, file string, f *applyFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	saved, err := readPlan(file)
	if err != nil {
		return err
	}
	if saved != nil {
		if file, err = f.follow(cmd, saved); err != nil {
			return err
		}
	}
	w, err := a.openWork(file, &f.suiteFlags, &f.selectFlags)
	if err != nil {
		return err
	}
	if saved != nil {
		w.options = saved.Options
	}
	if err := w.results.Lock(); err != nil {
		return cannot(err)
	}
	defer func() { _ = w.results.Unlock() }() // the process ends soon, and the lock with it
	if err := a.makePlan(w); err != nil {
		return err
	}
	if saved != nil {
		if err := saved.Stale(plan.NewDocument(w.plan, w.inputs(), thisVersion())); err != nil {
			return &exitError{exitUsage, "the saved plan cannot be carried out: " + err.Error()}
		}
	}
	if err := a.show(w.sources, append(apply.Unsupported(w.plan), missingPowers(w.plan, f.allow)...).Sorted()); err != nil {
		return err
	}
	ctx, stop := a.untilSignal(context.Background())
	defer stop()
	run := &engine.Run{Plan: w.plan, Version: thisVersion(), Began: time.Now().UTC()}
	if run.Results, err = a.execute(ctx, w, f); err != nil {
		return err
	}
	run.Ended = time.Now().UTC()
	run.Exit = exitOf(run.Results, run.Gates, signalOf(ctx), false, f.failOn)
	if err := a.report(run); err != nil {
		return cannot(err)
	}
	return exitWith(run.Exit.Code)
}

func thisVersion() engine.Version { return engine.Version{Bench: version, Commit: commit} }

func (f *applyFlags) check() error {
	if f.failOn != "" && f.failOn != "failed" {
		return fmt.Errorf("--fail-on takes \"failed\", not %q", f.failOn)
	}
	if f.parallel < 0 {
		return fmt.Errorf("--parallel must be at least 1, not %d", f.parallel)
	}
	return nil
}

// missingPowers reports what a plan needs that nobody has allowed.
func missingPowers(p *engine.Plan, allowed []string) engine.Diagnostics {
	var out engine.Diagnostics
	for _, power := range plan.MissingPowers(p, allowed) {
		out = append(out, engine.Diagnostic{Severity: engine.SeverityError, Rule: "V25", Summary: fmt.Sprintf("the power %s is not allowed", power),
			Detail: fmt.Sprintf("A sandbox of this plan reaches further than bench lets one by default. If that is meant, run apply with --allow %s.", power)})
	}
	return out
}

func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}

// execute carries out a plan. It needs an engine only if there is work.
func (a *app) execute(ctx context.Context, w *work, f *applyFlags) ([]engine.Result, error) {
	p := w.plan
	for _, d := range w.results.Damaged {
		a.complain("a stored result cannot be read, and is treated as if it did not exist: " + d)
	}
	o := apply.Options{Store: w.results, Parallel: parallel(p.Suite.Parallel, f.parallel), Version: thisVersion()}
	if len(p.Steps) > 0 {
		driver, err := openEngine(ctx)
		if signal := signalOf(ctx); err != nil && signal != 0 {
			return nil, exitWith(exitSignal + signal) // nothing has run, so there is nothing to report
		}
		if err != nil {
			return nil, err
		}
		defer driver.Close()
		if err := a.show(w.sources, tooLarge(p, driver.Host())); err != nil {
			return nil, err
		}
		o.Driver, o.CPUs = driver, driver.Host().CPUs
	}
	show := newProgress(a, p)
	o.Observe = show.observe
	defer show.stop()
	return apply.Run(ctx, p, o), nil
}

// openEngine connects to the Docker engine; the error says what to do.
func openEngine(ctx context.Context) (*docker.Driver, error) {
	state, err := stateDir()
	if err != nil {
		return nil, cannot(err)
	}
	driver, err := docker.Open(ctx, docker.Options{State: state})
	if errors.Is(err, sandbox.ErrUnavailable) {
		err = fmt.Errorf("%w\nStart Docker, check it with \"docker version\", and run this again. In a clone of bench, \"make demo\" does that for you", err)
	}
	if err != nil {
		return nil, cannot(err)
	}
	return driver, nil
}

// parallel is the stricter of two numbers, where 0 is no number.
func parallel(file, flag int) int {
	if file == 0 || flag != 0 && flag < file {
		return flag
	}
	return file
}

// stateDir is where the locks of this user's sessions live, for all projects.
func stateDir() (string, error) {
	if dir := os.Getenv("BENCH_STATE_DIR"); dir != "" {
		return dir, nil
	}
	if dir := os.Getenv("XDG_STATE_HOME"); dir != "" {
		return filepath.Join(dir, "bench"), nil
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "state", "bench"), nil
	}
	return filepath.Join(os.TempDir(), fmt.Sprintf("bench-%d", os.Getuid())), nil
}

// report writes the summary and all reports of the suite.
func (a *app) report(run *engine.Run) error {
	if err := (terminal.Summary{Color: a.useColor(a.stdout)}).Report(a.stdout, run); err != nil && !errors.Is(err, syscall.EPIPE) {
		return err
	}
	var all error
	for _, r := range run.Plan.Suite.Reports {
		all = errors.Join(all, writeFile(inRoot(run.Plan.Suite, r.Path), func(w io.Writer) error {
			return reporterOf(r).Report(w, reporters.Select(run, r.Matrices))
		}))
	}
	return all
}

func reporterOf(r *engine.Report) reporters.Reporter {
	switch r.Format {
	case "junit":
		return junit.Reporter{}
	case "markdown":
		return markdown.Reporter{Rows: r.Rows}
	case "json":
		return jsonreport.Reporter{}
	}
	panic("bench: no reporter for " + r.Format)
}
