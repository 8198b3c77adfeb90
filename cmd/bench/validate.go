package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine/plan"
)

func newValidateCmd(a *app) *cobra.Command {
	var f suiteFlags
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Find mistakes in benchfiles, without Docker or a network",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("validate takes one benchfile or more: bench %s", cmd.Use)
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.validate(args, &f) },
	}
	f.add(cmd)
	return cmd
}

// validate reports the mistakes of all files before it ends.
func (a *app) validate(files []string, f *suiteFlags) error {
	var failed error
	for _, file := range files {
		suite, sources, err := a.load(file, f)
		if err == nil {
			p, diags := plan.New(suite, nil)
			if err = a.show(sources, diags); err == nil {
				fmt.Fprintf(a.stdout, "%s: valid, %s\n", file, plural(len(p.Trials), "trial"))
			}
		}
		if err != nil {
			failed = err
		}
	}
	return failed
}
