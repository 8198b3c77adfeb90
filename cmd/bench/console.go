package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ml-dev-bench/bench/engine/lang"
)

func newConsoleCmd(a *app) *cobra.Command {
	var f suiteFlags
	cmd := &cobra.Command{
		Use:   "console FILE",
		Short: "Evaluate expressions as the benchfile would",
		Long: "console reads expressions, one a line, and prints what they come to: variables,\n" +
			"locals, arguments of blocks, functions, and results that are stored, such as\nmatrix.NAME.pass_rate. Nothing is run.\n\n" +
			"  echo 'length(local.cases)' | bench console suite.hcl",
		Args:              oneFile,
		ValidArgsFunction: completeArgs(benchfiles),
		RunE:              func(cmd *cobra.Command, args []string) error { return a.console(cmd.Context(), args[0], &f) },
	}
	f.add(cmd)
	return cmd
}

// console evaluates line by line. With input from a program, an expression that
// cannot be evaluated is an error in the end; a person just types it again.
func (a *app) console(_ context.Context, file string, f *suiteFlags) error {
	session, _, err := a.open(file, f)
	if err != nil {
		return err
	}
	results, err := a.storedResults(session.Suite)
	if err != nil {
		return err
	}
	prompt := isTerminal(a.stdin)
	var failed error
	lines := bufio.NewScanner(a.stdin)
	lines.Buffer(nil, 1<<20)
	for {
		if prompt {
			fmt.Fprint(a.stderr, "> ")
		}
		if !lines.Scan() {
			break
		}
		if err := a.evaluate(session, lines.Text(), results); err != nil {
			failed = err
		}
	}
	if err := lines.Err(); err != nil {
		return cannot(err)
	}
	if prompt {
		fmt.Fprintln(a.stderr)
		return nil
	}
	return failed
}

func (a *app) evaluate(session *lang.Session, line string, results lang.Results) error {
	line = strings.TrimSpace(line)
	if line == "" || strings.HasPrefix(line, "#") {
		return nil
	}
	value, sources, diags := session.Eval(line, results)
	if err := a.show(sources, diags); err != nil {
		return err
	}
	_, err := fmt.Fprintln(a.stdout, value)
	return err
}

func isTerminal(r io.Reader) bool {
	f, ok := r.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}
