package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine/store"
)

type rebuildFlags struct {
	suiteFlags
	suite string
	wait  time.Duration
}

func newStoreCmd(a *app) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "store COMMAND",
		Short: "Look after stored results",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return nil
			}
			var names []string
			for _, c := range cmd.Commands() {
				names = append(names, c.Name())
			}
			return fmt.Errorf("store has no command %q.%s", args[0], didYouMean(args[0], names))
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newStoreRebuildCmd(a))
	return cmd
}

func newStoreRebuildCmd(a *app) *cobra.Command {
	var f rebuildFlags
	cmd := &cobra.Command{
		Use:   "rebuild {FILE|DIR}",
		Short: "Make the index of stored results anew from their files",
		Long: "rebuild reads every stored result of the suite of a benchfile, or of all suites of\na results directory, and writes the index anew. It says what it has read, and what\nis damaged.\n\n" +
			"The index is a cache that bench keeps right by itself. This is for those who do not\nbelieve it.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return fmt.Errorf("store rebuild takes one benchfile or results directory, not %d: bench store %s", len(args), cmd.Use)
			}
			return nil
		},
		ValidArgsFunction: completeArgs(anyFile),
		RunE:              func(_ *cobra.Command, args []string) error { return a.rebuild(args[0], &f) },
	}
	f.add(cmd)
	cmd.Flags().StringVar(&f.suite, "suite", "", "only this suite of a results directory")
	cmd.Flags().DurationVar(&f.wait, "lock-timeout", 0, "how long to wait for another bench that uses the results directory")
	return cmd
}

// rebuild makes the indexes anew that an argument stands for.
func (a *app) rebuild(arg string, f *rebuildFlags) error {
	if f.wait < 0 {
		return fmt.Errorf("--lock-timeout must not be negative, as %v is", f.wait)
	}
	dir, suites, err := a.suitesOf(arg, f)
	if err != nil {
		return err
	}
	for _, suite := range suites {
		if err := a.rebuildSuite(dir, suite, f.wait); err != nil {
			return err
		}
	}
	return nil
}

// suitesOf gives a results directory, and the suites in it that are meant.
func (a *app) suitesOf(arg string, f *rebuildFlags) (dir string, suites []string, err error) {
	info, err := os.Stat(arg)
	if err != nil || !info.IsDir() {
		if f.suite != "" {
			return "", nil, fmt.Errorf("--suite names a suite of a results directory, and %s is none", arg)
		}
		suite, _, err := a.load(arg, &f.suiteFlags)
		if err != nil {
			return "", nil, err
		}
		return inRoot(suite, suite.ResultsDir), []string{suite.Name}, nil
	}
	if suites, err = store.Suites(arg); err != nil {
		return "", nil, cannot(err)
	}
	if len(suites) == 0 {
		return "", nil, fmt.Errorf("store rebuild: no suite has results in %s", arg)
	}
	if f.suite == "" {
		return arg, suites, nil
	}
	for _, suite := range suites {
		if suite == f.suite {
			return arg, []string{suite}, nil
		}
	}
	return "", nil, fmt.Errorf("store rebuild: suite %q has no results in %s.%s", f.suite, arg, didYouMean(f.suite, suites))
}

func (a *app) rebuildSuite(dir, suite string, wait time.Duration) error {
	s, err := store.Open(dir, suite)
	if err != nil {
		return cannot(err)
	}
	signals := a.watchSignals(context.Background(), nil)
	defer signals.stop()
	if err := a.lockResults(signals.ctx, s, wait); err != nil {
		return err
	}
	defer func() { _ = s.Unlock() }()
	if err := s.Rebuild(); err != nil {
		return cannot(err)
	}
	if err := s.WriteIndex(); err != nil {
		return cannot(fmt.Errorf("the index of suite %s cannot be written: %w", suite, err))
	}
	_, err = fmt.Fprint(a.stdout, countText(suite, s.Count(), s.Damaged))
	return err
}

// countText says what a store holds: a line, and one more for all that is damaged.
func countText(suite string, c store.Count, damaged []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "suite %s: %s, %s, %s", suite, plural(c.Trials, "trial"), plural(c.Attempts, "attempt"), plural(c.Grades, "grade"))
	if len(damaged) > 0 {
		fmt.Fprintf(&b, "; %d damaged:\n  %s", len(damaged), strings.Join(damaged, "\n  "))
	}
	b.WriteByte('\n')
	return b.String()
}
