package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// shells are those that completion knows.
var shells = []string{"bash", "zsh", "fish", "powershell"}

func newCompletionCmd(a *app) *cobra.Command {
	return &cobra.Command{
		Use:   "completion {bash|zsh|fish|powershell}",
		Short: "Print a script that completes bench in a shell",
		Long: "completion prints a script for a shell. It completes commands, flags and files,\n" +
			"and, once a benchfile is named, its cases, tags, agents, models, matrices and\ntrials.\n\n" +
			"  bash        source <(bench completion bash)\n" +
			"  zsh         bench completion zsh > \"${fpath[1]}/_bench\"\n" +
			"  fish        bench completion fish | source\n" +
			"  powershell  bench completion powershell | Out-String | Invoke-Expression",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells, args[0]) {
				return fmt.Errorf("completion takes one of %s", strings.Join(shells, ", "))
			}
			return nil
		},
		ValidArgsFunction: completeArgs(words(shells...)),
		RunE: func(cmd *cobra.Command, args []string) error {
			root := cmd.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.stdout)
			case "fish":
				return root.GenFishCompletion(a.stdout, true)
			}
			return root.GenPowerShellCompletionWithDesc(a.stdout)
		},
	}
}

// A completer completes one argument.
type completer func(toComplete string) ([]string, cobra.ShellCompDirective)

func words(all ...string) completer {
	return func(string) ([]string, cobra.ShellCompDirective) { return all, cobra.ShellCompDirectiveNoFileComp }
}

func benchfiles(string) ([]string, cobra.ShellCompDirective) {
	return []string{"hcl"}, cobra.ShellCompDirectiveFilterFileExt
}

func anyFile(string) ([]string, cobra.ShellCompDirective) {
	return nil, cobra.ShellCompDirectiveDefault
}

// completeArgs completes each argument in its own way, and nothing after them.
func completeArgs(each ...completer) cobra.CompletionFunc {
	return func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
		if len(args) >= len(each) {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return each[len(args)](toComplete)
	}
}

// completeSelection completes the flags that narrow a suite from the benchfile
// that stands before them.
func (a *app) completeSelection(cmd *cobra.Command, f *suiteFlags) {
	for flag, names := range map[string]func(*engine.Plan) []string{
		"case":    func(p *engine.Plan) []string { return namesOf("cases", p) },
		"agent":   func(p *engine.Plan) []string { return namesOf("agents", p) },
		"model":   func(p *engine.Plan) []string { return namesOf("models", p) },
		"matrix":  func(p *engine.Plan) []string { return namesOf("matrices", p) },
		"target":  func(p *engine.Plan) []string { return namesOf("trials", p) },
		"exclude": func(p *engine.Plan) []string { return namesOf("trials", p) },
		"rerun": func(p *engine.Plan) []string {
			return append([]string{"failed", "errored", "all"}, namesOf("trials", p)...)
		},
		"tag": tagsOf,
	} {
		if cmd.Flags().Lookup(flag) == nil {
			continue
		}
		err := cmd.RegisterFlagCompletionFunc(flag, func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			return a.complete(args, f, names), cobra.ShellCompDirectiveNoFileComp
		})
		if err != nil {
			panic(err) // a flag twice: only a bug can do that
		}
	}
}

// complete gives names of the suite that one of the arguments is. Whatever is
// wrong with it is not said now: a completion is no place for it.
func (a *app) complete(args []string, f *suiteFlags, names func(*engine.Plan) []string) []string {
	quiet := *a
	quiet.stderr = io.Discard
	for _, file := range args {
		if !strings.HasSuffix(file, ".hcl") {
			continue
		}
		suite, _, err := quiet.load(file, f)
		if err != nil {
			return nil
		}
		p, diags := plan.New(suite, nil, plan.Options{})
		if diags.HasErrors() {
			return nil
		}
		return names(p)
	}
	return nil
}

func namesOf(kind string, p *engine.Plan) []string {
	var out []string
	for _, i := range items(kind, p) {
		out = append(out, i.Name)
	}
	return out
}

func tagsOf(p *engine.Plan) []string {
	seen := map[string]bool{}
	var out []string
	for _, t := range p.Trials {
		for _, tag := range t.Case.Tags {
			if !seen[tag] {
				seen[tag] = true
				out = append(out, tag)
			}
		}
	}
	slices.Sort(out)
	return out
}

// completeTrial completes a trial id from the benchfile that stands before it.
func (a *app) completeTrial(args []string, f *suiteFlags) ([]string, cobra.ShellCompDirective) {
	return a.complete(args, f, func(p *engine.Plan) []string { return namesOf("trials", p) }), cobra.ShellCompDirectiveNoFileComp
}
