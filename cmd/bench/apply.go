package main

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/reporters"
	jsonreport "github.com/ml-dev-bench/bench/reporters/json"
	"github.com/ml-dev-bench/bench/reporters/junit"
	"github.com/ml-dev-bench/bench/reporters/markdown"
)

type applyFlags struct {
	suiteFlags
	selectFlags
	parallel    int
	budgetCost  float64
	budgetTime  time.Duration
	lockTimeout time.Duration
	failOn      string
	allow       []string
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
	f.driver.add(cmd)
	a.completeSelection(cmd, &f.suiteFlags)
	cmd.Flags().IntVar(&f.parallel, "parallel", 0, "trials at once; it can only lower what the file says")
	cmd.Flags().Float64Var(&f.budgetCost, "budget-cost", 0, "USD that the suite may cost; it can only lower what the file says")
	cmd.Flags().DurationVar(&f.budgetTime, "budget-time", 0, "how long the suite may take, such as 25m; it can only lower what the file says")
	cmd.Flags().DurationVar(&f.lockTimeout, "lock-timeout", 0, "how long to wait for another bench that uses the results directory")
	cmd.Flags().StringVar(&f.failOn, "fail-on", "", "\"failed\": exit with 3 if a trial failed")
	cmd.Flags().StringArrayVar(&f.allow, "allow", nil, "a power that the plan needs, such as net.open, or image.unsafe; repeatable")
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
	s := a.watchSignals(context.Background(), nil)
	defer s.stop()
	if err := a.lockResults(s.ctx, w.results, f.lockTimeout); err != nil {
		return err
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
	run, err := a.execute(s, w, f)
	if err != nil {
		return err
	}
	return exitWith(run.Exit.Code)
}

// lockResults makes results writable for this process alone, and waits for that if it is
// to.
func (a *app) lockResults(ctx context.Context, results *store.Store, wait time.Duration) error {
	err := results.LockFor(ctx, store.LockOptions{Wait: wait, OnWait: func(held *store.LockedError) {
		fmt.Fprintf(a.stderr, "Waiting for %s.\n", held.Holder)
	}})
	switch signal := signalOf(ctx); {
	case err == nil:
		return nil
	case signal != 0:
		return exitWith(exitSignal + signal)
	}
	return cannot(err)
}

func thisVersion() engine.Version { return engine.Version{Bench: version, Commit: commit} }

func (f *applyFlags) check() error {
	if f.failOn != "" && f.failOn != "failed" {
		return fmt.Errorf("--fail-on takes \"failed\", not %q", f.failOn)
	}
	if f.parallel < 0 {
		return fmt.Errorf("--parallel must be at least 1, not %d", f.parallel)
	}
	if f.budgetCost < 0 {
		return fmt.Errorf("--budget-cost must not be negative, as %v is", f.budgetCost)
	}
	for name, d := range map[string]time.Duration{"budget-time": f.budgetTime, "lock-timeout": f.lockTimeout} {
		if d < 0 {
			return fmt.Errorf("--%s must not be negative, as %v is", name, d)
		}
	}
	return nil
}

// missingPowers reports what a plan needs that nobody has allowed.
func missingPowers(p *engine.Plan, allowed []string) engine.Diagnostics {
	var out engine.Diagnostics
	for _, power := range plan.MissingPowers(p, allowed) {
		out = append(out, engine.Diagnostic{Severity: engine.SeverityError, Rule: "V25", Summary: fmt.Sprintf("the power %s is not allowed", power),
			Detail: whyPower(power) + " If that is meant, run apply with --allow " + power + "."})
	}
	return out
}

func whyPower(power string) string {
	switch power {
	case plan.PowerLocal:
		return "With --driver local there are " + local.Weakness + "."
	case plan.PowerLocalAny:
		return "Agents that ask a model do what nobody has foreseen, and a local sandbox is weaker than a container."
	}
	return "A sandbox of this plan reaches further than bench lets one by default."
}

func exitWith(code int) error {
	if code == exitDone {
		return nil
	}
	return &exitError{code: code}
}

// openEngine connects to the Docker engine; the error says what to do.
func openEngine(ctx context.Context) (*docker.Driver, error) {
	state, err := stateDir()
	if err != nil {
		return nil, cannot(err)
	}
	pool, err := subnets()
	if err != nil {
		return nil, cannot(err)
	}
	driver, err := docker.Open(ctx, docker.Options{State: state, Subnets: pool, Helper: helper})
	if errors.Is(err, sandbox.ErrUnavailable) {
		err = fmt.Errorf("%w\n%s. In a clone of bench, \"make demo\" does that for you.\n%s", err, startDocker, orLocal)
	}
	if err != nil {
		return nil, cannot(err)
	}
	return driver, nil
}

// orLocal is what else to do where no engine answers.
const orLocal = "Where there can be no engine, \"bench apply FILE --driver local --allow sandbox.local\" runs trials as local processes, and says in what they prove less"

// subnets is what BENCH_SUBNETS says: where networks of sandboxes get their
// addresses from. Not valid means that it says nothing.
func subnets() (netip.Prefix, error) {
	text := os.Getenv("BENCH_SUBNETS")
	if text == "" {
		return netip.Prefix{}, nil
	}
	pool, err := netip.ParsePrefix(text)
	if err != nil || !pool.Addr().Is4() || !pool.Addr().IsPrivate() || pool.Bits() < 8 || pool.Bits() > 24 {
		return netip.Prefix{}, fmt.Errorf("BENCH_SUBNETS is %q: write a private range of at least 256 addresses, such as %s", text, docker.DefaultSubnets)
	}
	return pool, nil
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
