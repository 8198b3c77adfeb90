package main

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/store"
)

// suiteFlags are those of every command that reads a suite.
type suiteFlags struct {
	root  string
	vars  []varFlag           // in the order in which they were given
	saved map[string]lang.Var // of a saved plan
}

// A varFlag is one --var or --var-file.
type varFlag struct{ name, value string }

func (f *suiteFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.root, "root", "", "project root (default: nearest directory with cases/ or .git)")
	cmd.Flags().Var(&varValue{&f.vars, "var", "name=value"}, "var", "value of a variable; repeatable")
	cmd.Flags().Var(&varValue{&f.vars, "var-file", "file"}, "var-file", "file of values, as HCL or JSON; repeatable")
}

// varValue keeps the flags of two names in one list, since the last one wins.
type varValue struct {
	all        *[]varFlag
	name, kind string
}

var _ pflag.Value = (*varValue)(nil)

func (v *varValue) String() string { return "" }
func (v *varValue) Type() string   { return v.kind }
func (v *varValue) Set(s string) error {
	*v.all = append(*v.all, varFlag{v.name, s})
	return nil
}

// open reads a suite and shows what is wrong with it. The error is an *exitError
// after something was shown.
func (a *app) open(file string, f *suiteFlags) (*lang.Session, *lang.Sources, error) {
	vars, err := a.variables(os.Environ(), f)
	if err != nil {
		return nil, nil, err
	}
	session, sources, diags := lang.Open(file, lang.Options{Root: f.root, Vars: vars, Version: version})
	return session, sources, a.show(sources, diags)
}

// load is open for those who want nothing but the suite.
func (a *app) load(file string, f *suiteFlags) (*engine.Suite, *lang.Sources, error) {
	session, sources, err := a.open(file, f)
	if err != nil {
		return nil, sources, err
	}
	return session.Suite, sources, nil
}

// variables collects values from the environment, over them those of a saved
// plan, and over these those of flags. Only BENCH_VAR_name is looked at: a
// variable must never be set by accident.
func (a *app) variables(environ []string, f *suiteFlags) (map[string]lang.Var, error) {
	vars := map[string]lang.Var{}
	for _, entry := range environ {
		if rest, ok := strings.CutPrefix(entry, "BENCH_VAR_"); ok {
			name, value, _ := strings.Cut(rest, "=")
			vars[name] = lang.Var{Text: value, File: "BENCH_VAR_" + name}
		}
	}
	maps.Copy(vars, f.saved)
	for _, flag := range f.vars {
		if flag.name == "var-file" {
			read, sources, diags := lang.ReadVarFile(flag.value)
			if err := a.show(sources, diags); err != nil {
				return nil, err
			}
			maps.Copy(vars, read)
			continue
		}
		name, value, ok := strings.Cut(flag.value, "=")
		if !ok || name == "" {
			return nil, fmt.Errorf("--var %s: write it as --var name=value", flag.value)
		}
		vars[name] = lang.Var{Text: value, File: "--var"}
	}
	return vars, nil
}

// inRoot makes a path of a benchfile a path of this machine.
func inRoot(suite *engine.Suite, p string) string {
	return filepath.Join(suite.Root, filepath.FromSlash(p))
}

func openStore(suite *engine.Suite) (*store.Store, error) {
	return store.Open(inRoot(suite, suite.ResultsDir), suite.Name)
}

// selectFlags narrow what a suite declares, for today.
type selectFlags struct {
	plan.Selection
	changedSince string
	rerun        []string
	noReuse      bool
	assets       string // "full" or "mini"; empty for what the environment says
	allowEmpty   bool
	driver       driverFlag
}

func (f *selectFlags) add(cmd *cobra.Command) {
	list := func(to *[]string, name, usage string) {
		cmd.Flags().StringArrayVar(to, name, nil, usage+"; repeatable")
	}
	list(&f.Cases, "case", "only cases that match, such as 'debugging/*'; \"!\" removes")
	list(&f.Tags, "tag", "only cases with this tag; \"!\" removes")
	list(&f.Agents, "agent", "only agents that match; \"!\" removes")
	list(&f.Models, "model", "only models that match; \"!\" removes")
	list(&f.Matrices, "matrix", "only matrices that match; \"!\" removes")
	list(&f.Targets, "target", "only trials whose id matches")
	list(&f.Exclude, "exclude", "no trials whose id matches")
	cmd.Flags().StringVar(&f.changedSince, "changed-since", "", "only trials that a change since this git revision concerns")
	cmd.Flags().StringVar(&f.assets, "assets", "", "full: the assets of cases as they are; mini: small stand-ins, without a network (default \"full\")")
	cmd.Flags().BoolVar(&f.allowEmpty, "allow-empty", false, "selecting nothing is fine")
}

// A driverFlag says what keeps sandboxes. It is part of what is planned, since it
// is part of every key.
type driverFlag struct{ name string }

func (f *driverFlag) add(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.name, "driver", "docker", "what keeps sandboxes: docker, or local, where there can be no engine")
	if err := cmd.RegisterFlagCompletionFunc("driver", cobra.FixedCompletions([]string{"docker", "local"}, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is a line above
	}
}

func (f *driverFlag) driver() (engine.Driver, error) {
	switch f.name {
	case "", "docker":
		return "", nil
	case "local":
		return engine.DriverLocal, nil
	}
	return "", fmt.Errorf("--driver is docker or local, not %q", f.name)
}

// addRerun adds the flags that say what stored results are not used for.
func (f *selectFlags) addRerun(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&f.rerun, "rerun", nil, "run again: \"failed\", \"errored\", \"all\", or trials whose id matches; repeatable")
	cmd.Flags().BoolVar(&f.noReuse, "no-reuse", false, "run everything, whatever is stored")
}

// options says what the planner is to do.
func (f *selectFlags) options(root string) (plan.Options, error) {
	o := plan.Options{Select: f.Selection, Rerun: f.rerun, NoReuse: f.noReuse, AllowEmpty: f.allowEmpty}
	var err error
	if o.Assets, err = variant(f.assets); err != nil {
		return o, err
	}
	if o.Driver, err = f.driver.driver(); err != nil || f.changedSince == "" {
		return o, err
	}
	files, err := changedFiles(root, f.changedSince)
	if err != nil {
		return o, err
	}
	o.Select.Changed = files
	return o, nil
}
