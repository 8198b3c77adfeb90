package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
)

func newValidateCmd(a *app) *cobra.Command {
	var f suiteFlags
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate FILE...",
		Short: "Find mistakes in benchfiles, without Docker or a network",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 {
				return fmt.Errorf("validate takes one benchfile or more: bench %s", cmd.Use)
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, _ []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			return benchfiles(toComplete)
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.validate(args, &f, asJSON) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&asJSON, "json", false, "a JSON object for each file, one a line")
	return cmd
}

// A validation is what validate --json says of a file.
type validation struct {
	File        string             `json:"file"`
	Valid       bool               `json:"valid"`
	Trials      int                `json:"trials"`
	Diagnostics engine.Diagnostics `json:"diagnostics"`
}

// validate reports the mistakes of all files before it ends.
func (a *app) validate(files []string, f *suiteFlags, asJSON bool) error {
	vars, err := a.variables(os.Environ(), f)
	if err != nil {
		return err
	}
	var failed error
	for _, file := range files {
		suite, sources, diags := lang.Load(file, lang.Options{Root: f.root, Vars: vars, Version: version})
		v := validation{File: file, Diagnostics: diags}
		if suite != nil {
			p, more := plan.New(suite, nil, plan.Options{})
			v.Diagnostics = append(v.Diagnostics, more...).Sorted()
			if p != nil {
				v.Trials = len(p.Trials)
			}
		}
		v.Valid = !v.Diagnostics.HasErrors()
		if err := a.writeValidation(&v, sources, asJSON); err != nil {
			return cannot(err)
		}
		if !v.Valid {
			failed = exitWith(exitUsage)
		}
	}
	return failed
}

func (a *app) writeValidation(v *validation, sources *lang.Sources, asJSON bool) error {
	if asJSON {
		if v.Diagnostics == nil {
			v.Diagnostics = engine.Diagnostics{}
		}
		return json.NewEncoder(a.stdout).Encode(v)
	}
	if err := sources.Write(a.stderr, v.Diagnostics, a.width(), a.useColor(a.stderr)); err != nil {
		return err
	}
	if !v.Valid {
		return nil
	}
	_, err := fmt.Fprintf(a.stdout, "%s: valid, %s\n", v.File, plural(v.Trials, "trial"))
	return err
}
