package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/term"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
)

// Set by the linker; see the Makefile.
var (
	version = "0.1.0"
	commit  = ""
)

// An app is one call of bench: its streams and the flags that all commands have.
type app struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	color          string // "auto", "always" or "never"
	noColor        bool
	dir            string // to change to first
	leave          bool   // what dead processes left, after this command
}

// run is bench as a function: what main and the tests call.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	stdout, stderr = quiet(stdout), quiet(stderr)
	a := &app{stdin: stdin, stdout: stdout, stderr: stderr}
	root := newRootCmd(a)
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(context.Background())
	if !a.leave {
		a.sweep()
	}
	var status *exitError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &status):
		if status.message != "" {
			a.complain(status.message)
		}
		return status.code
	}
	a.complain(err.Error() + "\nSee \"bench help\".")
	return exitUsage
}

// sweep removes what a killed process of bench left on the engine. Every command
// but clean --dry-run does it, and almost always there is nothing to do. An engine that cannot be
// reached is no error here: whoever needs it will say so.
func (a *app) sweep() {
	state, err := stateDir()
	if err != nil || !docker.Leftovers(state) {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	d, err := docker.Open(ctx, docker.Options{State: state})
	if err == nil {
		err = d.Close()
	}
	if err != nil && !errors.Is(err, sandbox.ErrUnavailable) {
		a.complain("what a dead bench left on the engine is still there, and the next command tries again: " + err.Error())
	}
}

func newRootCmd(a *app) *cobra.Command {
	root := &cobra.Command{
		Use:           "bench",
		Short:         "Evaluate AI agents as benchfiles say",
		Long:          "bench runs cases × agents in sealed sandboxes, as benchfiles say, grades them\nwhere no agent can reach, and reports.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          knownCommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		PersistentPreRunE: func(*cobra.Command, []string) error {
			if a.color != "auto" && a.color != "always" && a.color != "never" {
				return fmt.Errorf("--color is auto, always or never, not %q", a.color)
			}
			if a.dir == "" {
				return nil
			}
			if err := os.Chdir(a.dir); err != nil {
				return fmt.Errorf("-C: %w", err)
			}
			return nil
		},
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(flagError)
	flags := root.PersistentFlags()
	flags.StringVar(&a.color, "color", "auto", "colour: auto, always or never")
	flags.BoolVar(&a.noColor, "no-color", false, "the same as --color never")
	flags.StringVarP(&a.dir, "chdir", "C", "", "change to this directory first")
	root.AddCommand(newValidateCmd(a), newFmtCmd(a), newPlanCmd(a), newApplyCmd(a), newTestCmd(a), newWhyCmd(a), newGraphCmd(a), newListCmd(a), newShowCmd(a), newLogsCmd(a), newPricesCmd(a), newConsoleCmd(a), newLockCmd(a), newStoreCmd(a), newCleanCmd(a), newDoctorCmd(a), newCompletionCmd(a), newVersionCmd(a))
	return root
}

// knownCommand refuses a command that does not exist.
func knownCommand(root *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var names []string
	for _, c := range root.Commands() {
		names = append(names, c.Name())
	}
	return fmt.Errorf("unknown command %q.%s", args[0], didYouMean(args[0], names))
}

// flagError adds the nearest flag to the library's complaint about an unknown one.
func flagError(cmd *cobra.Command, err error) error {
	_, unknown, ok := strings.Cut(err.Error(), "unknown flag: --")
	if !ok {
		return fmt.Errorf("%s: %w", cmd.Name(), err)
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	return fmt.Errorf("%s has no flag --%s.%s", cmd.Name(), unknown, didYouMean("--"+unknown, prefixed("--", names)))
}

func didYouMean(s string, names []string) string {
	if near := lang.Nearest(s, names); near != "" {
		return " Did you mean " + near + "?"
	}
	return ""
}

func prefixed(prefix string, names []string) []string {
	for i := range names {
		names[i] = prefix + names[i]
	}
	return names
}

// oneFile demands exactly one benchfile.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("%s takes one benchfile, not %d: bench %s", cmd.Name(), len(args), cmd.Use)
	}
	return nil
}

// complain prints an error of bench itself, or of its use.
func (a *app) complain(message string) {
	fmt.Fprintln(a.stderr, "bench:", strings.ReplaceAll(message, "\n", "\n  "))
}

// useColor decides for one stream: the flag, then the environment as people set
// it for all programs, then whether somebody is looking.
func (a *app) useColor(w io.Writer) bool {
	set := func(name string) bool { v := os.Getenv(name); return v != "" && v != "0" }
	switch {
	case a.noColor || a.color == "never":
		return false
	case a.color == "always":
		return true
	case os.Getenv("NO_COLOR") != "":
		return false
	case set("CLICOLOR_FORCE"), set("FORCE_COLOR"):
		return true
	case os.Getenv("TERM") == "dumb":
		return false
	case os.Getenv("GITHUB_ACTIONS") == "true":
		return true
	}
	f, ok := fileOf(w)
	return ok && term.IsTerminal(int(f.Fd()))
}

// width is how many columns talk may have.
func (a *app) width() int {
	if f, ok := fileOf(a.stderr); ok {
		if w, _, err := term.GetSize(int(f.Fd())); err == nil && w >= 40 {
			return min(w, 120)
		}
	}
	return 80
}

// show prints diagnostics, and gives the error that ends the command if one of
// them is more than a warning.
func (a *app) show(sources *lang.Sources, diags engine.Diagnostics) error {
	if len(diags) == 0 {
		return nil
	}
	if err := sources.Write(a.stderr, diags, a.width(), a.useColor(a.stderr)); err != nil {
		return err
	}
	if diags.HasErrors() {
		return &exitError{code: exitUsage}
	}
	return nil
}
