package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/reporters"
	jsonreport "github.com/ml-dev-bench/bench/reporters/json"
	"github.com/ml-dev-bench/bench/reporters/junit"
	"github.com/ml-dev-bench/bench/reporters/markdown"
	"github.com/ml-dev-bench/bench/reporters/terminal"
)

type applyFlags struct {
	suiteFlags
	parallel int
	failOn   string
}

func newApplyCmd(a *app) *cobra.Command {
	var f applyFlags
	cmd := &cobra.Command{
		Use:   "apply FILE",
		Short: "Run what a suite declares, and write its reports",
		Long:  "apply plans a suite, runs the trials that have no verdict yet, and writes the\nreports. A second apply with nothing to do only writes the reports.",
		Args:  oneFile,
		RunE:  func(_ *cobra.Command, args []string) error { return a.apply(args[0], &f) },
	}
	f.add(cmd)
	cmd.Flags().IntVar(&f.parallel, "parallel", 0, "trials at once; it can only lower what the file says")
	cmd.Flags().StringVar(&f.failOn, "fail-on", "", "\"failed\": exit with 3 if a trial failed")
	return cmd
}

// apply is bench from end to end: benchfile, suite, plan, results, reports.
func (a *app) apply(file string, f *applyFlags) error {
	if err := f.check(); err != nil {
		return err
	}
	suite, sources, err := a.load(file, &f.suiteFlags)
	if err != nil {
		return err
	}
	results, err := openStore(suite)
	if err != nil {
		return cannot(err)
	}
	if err := results.Lock(); err != nil {
		return cannot(err)
	}
	defer func() { _ = results.Unlock() }() // the process ends soon, and the lock with it
	p, diags := plan.New(suite, results)
	if err := a.show(sources, diags); err != nil {
		return err
	}
	ctx, stop := a.untilSignal(context.Background())
	defer stop()
	run := &engine.Run{Plan: p, Version: engine.Version{Bench: version, Commit: commit}, Began: time.Now().UTC()}
	if run.Results, err = a.execute(ctx, p, results, sources, f); err != nil {
		return err
	}
	run.Ended = time.Now().UTC()
	run.Exit = exitOf(run.Results, signalOf(ctx), f.failOn)
	if err := a.report(run); err != nil {
		return cannot(err)
	}
	return exitWith(run.Exit.Code)
}

func (f *applyFlags) check() error {
	if f.failOn != "" && f.failOn != "failed" {
		return fmt.Errorf("--fail-on takes \"failed\", not %q", f.failOn)
	}
	if f.parallel < 0 {
		return fmt.Errorf("--parallel must be at least 1, not %d", f.parallel)
	}
	return nil
}

func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}

func openStore(suite *engine.Suite) (*store.Store, error) {
	return store.Open(inRoot(suite, suite.ResultsDir), suite.Name)
}

// execute carries out a plan. It needs an engine only if there is work.
func (a *app) execute(ctx context.Context, p *engine.Plan, results *store.Store, sources *lang.Sources, f *applyFlags) ([]engine.Result, error) {
	for _, d := range results.Damaged {
		a.complain("a stored result cannot be read, and is treated as if it did not exist: " + d)
	}
	o := apply.Options{Store: results, Parallel: parallel(p.Suite.Parallel, f.parallel), Version: engine.Version{Bench: version, Commit: commit}}
	if len(p.Steps) > 0 {
		state, err := stateDir()
		if err != nil {
			return nil, cannot(err)
		}
		driver, err := docker.Open(ctx, docker.Options{State: state})
		if signal := signalOf(ctx); err != nil && signal != 0 {
			return nil, exitWith(exitSignal + signal) // nothing has run, so there is nothing to report
		}
		if errors.Is(err, sandbox.ErrUnavailable) {
			return nil, cannot(fmt.Errorf("%w\nStart Docker, check it with \"docker version\", and run this again. In a clone of bench, \"make demo\" does that for you", err))
		}
		if err != nil {
			return nil, cannot(err)
		}
		defer driver.Close()
		if err := a.show(sources, tooLarge(p, driver.Host())); err != nil {
			return nil, err
		}
		o.Driver, o.CPUs = driver, driver.Host().CPUs
	}
	show := newProgress(a, p)
	o.Observe = show.observe
	defer show.stop()
	return apply.Run(ctx, p, o), nil
}

// parallel is the stricter of two numbers, where 0 is no number.
func parallel(file, flag int) int {
	if file == 0 || flag != 0 && flag < file {
		return flag
	}
	return file
}

// tooLarge reports sandboxes that the machine cannot hold.
func tooLarge(p *engine.Plan, host docker.Host) engine.Diagnostics {
	var out engine.Diagnostics
	for _, t := range p.Trials {
		if t.Reuse.Sign == engine.SignSame {
			continue
		}
		box := t.Case.Sandbox
		report := func(what, detail string, args ...any) {
			out = append(out, engine.Diagnostic{Severity: engine.SeverityError, Rule: "V16", Subject: box.Pos.Range(),
				Summary: fmt.Sprintf("sandbox %q asks for more %s than there is", box.Name, what), Detail: fmt.Sprintf(detail, args...)})
		}
		if box.CPUs > float64(host.CPUs) {
			report("CPUs", "It asks for %v, and the machine of the Docker engine has %d. Lower cpus, or use a larger machine.", box.CPUs, host.CPUs)
		}
		if box.Memory > host.Memory {
			report("memory", "It asks for %.1f GiB, and the machine of the Docker engine has %.1f GiB. Lower memory, or use a larger machine.", gib(box.Memory), gib(host.Memory))
		}
	}
	return out.Sorted()
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }

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
		all = errors.Join(all, writeReport(inRoot(run.Plan.Suite, r.Path), reporterOf(r), reporters.Select(run, r.Matrices)))
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

// writeReport writes a file whole or not at all: a reader never sees half of it.
func writeReport(file string, r reporters.Reporter, run *engine.Run) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".bench-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := errors.Join(r.Report(io.Writer(tmp), run), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return fmt.Errorf("report %s: %w", file, err)
	}
	return os.Rename(tmp.Name(), file)
}

// A signalError is the cause of a context that a signal has ended.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return "stopped by " + e.signal.String() }

// signalOf is the signal that ended a context, or 0.
func signalOf(ctx context.Context) int {
	var s signalError
	if errors.As(context.Cause(ctx), &s) {
		return int(s.signal)
	}
	return 0
}

// untilSignal gives a context that the first SIGINT, SIGTERM or SIGHUP ends. A
// second signal ends bench at once; containers go with it.
func (a *app) untilSignal(parent context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(parent)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	var stopped atomic.Bool
	go func() {
		for s := range signals {
			if stopped.Swap(true) {
				os.Exit(exitSignal + int(s.(syscall.Signal)))
			}
			fmt.Fprintln(a.stderr, "Stopping; results so far will be written. Again to kill.")
			cancel(signalError{s.(syscall.Signal)})
		}
	}()
	return ctx, func() {
		signal.Stop(signals)
		close(signals)
		cancel(nil)
	}
}
