package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/certify"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/store"
)

type planFlags struct {
	suiteFlags
	selectFlags
	long     bool
	out      string
	json     bool
	detailed bool
}

func newPlanCmd(a *app) *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan FILE",
		Short: "Say what apply would run, and what it would reuse",
		Long: "plan says what apply would do, without Docker or a network:\n\n" +
			"  +  there is no result for this work\n" +
			"  ~  a result exists, but the named parts have changed since\n" +
			"  =  a verdict exists: reused\n" +
			"  !  the last attempt came to no verdict: runs again\n" +
			"  -  a result exists, but the suite has no such trial any more: kept, not counted\n\n" +
			"A plan that was saved with --out is carried out by \"bench apply PLAN\", or refused\nif anything has changed since.",
		Args:              oneFile,
		ValidArgsFunction: completeArgs(benchfiles),
		RunE:              func(_ *cobra.Command, args []string) error { return a.plan(args[0], &f) },
	}
	f.suiteFlags.add(cmd)
	f.selectFlags.add(cmd)
	f.addRerun(cmd)
	f.driver.add(cmd)
	a.completeSelection(cmd, &f.suiteFlags)
	cmd.Flags().BoolVar(&f.long, "long", false, "list every trial")
	cmd.Flags().StringVar(&f.out, "out", "", "save the plan in this file, for apply")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the plan as JSON, as --out saves it")
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit with 5 if there is something to run")
	return cmd
}

func (a *app) plan(file string, f *planFlags) error {
	w, err := a.planWork(file, &f.suiteFlags, &f.selectFlags)
	if err != nil {
		return err
	}
	if err := a.show(w.sources, a.tooLargeHere(w.plan)); err != nil {
		return err
	}
	write := func(out io.Writer) error { return plan.NewDocument(w.plan, w.inputs(), thisVersion()).Write(out) }
	if f.out != "" {
		if err := writeFile(f.out, write); err != nil {
			return cannot(err)
		}
	}
	if f.json {
		err = write(a.stdout)
	} else {
		err = writePlan(a.stdout, w.plan, f.long)
	}
	if err != nil {
		return cannot(err)
	}
	if f.detailed && len(w.plan.Steps) > 0 {
		return exitWith(exitDiffers)
	}
	return nil
}

// work is a plan together with what it was made from.
type work struct {
	file    string // the benchfile, as a path of this machine
	suite   *engine.Suite
	session *lang.Session
	sources *lang.Sources
	results *store.Store
	options plan.Options
	plan    *engine.Plan
}

// planWork reads a suite and what is stored of it, and makes the plan.
func (a *app) planWork(file string, sf *suiteFlags, sel *selectFlags) (*work, error) {
	w, err := a.openWork(file, sf, sel)
	if err != nil {
		return nil, err
	}
	return w, a.makePlan(w)
}

// openWork is all of planWork that comes before the plan.
func (a *app) openWork(file string, sf *suiteFlags, sel *selectFlags) (*work, error) {
	session, sources, err := a.open(file, sf)
	if err != nil {
		return nil, err
	}
	suite := session.Suite
	w := &work{file: file, suite: suite, session: session, sources: sources}
	if w.options, err = sel.options(suite.Root); err != nil {
		return nil, err
	}
	if w.results, err = openStore(suite); err != nil {
		return nil, cannot(err)
	}
	return w, nil
}

func (a *app) makePlan(w *work) error {
	for _, d := range w.results.Damaged {
		a.complain("a stored result cannot be read, and is treated as if it did not exist: " + d)
	}
	p, diags := plan.New(w.suite, w.results, w.options)
	w.plan = p
	if p != nil {
		diags = append(diags, narrowedGates(p)...).Sorted()
		a.markUncertified(p)
	}
	return a.show(w.sources, diags)
}

// markUncertified says which cases of a plan are not certified as they are.
func (a *app) markUncertified(p *engine.Plan) {
	files := os.DirFS(p.Suite.Root)
	for _, c := range casesIn(p) {
		if c.Dir == "" {
			continue
		}
		standing, err := certify.StandingOf(files, c)
		if err != nil {
			a.complain(err.Error())
		}
		if standing != engine.StandingCertified {
			p.Uncertified = append(p.Uncertified, engine.Uncertified{Case: c.Name, Standing: standing})
		}
	}
}

// casesIn are the cases of a plan's trials, sorted by name.
func casesIn(p *engine.Plan) []*engine.Case {
	seen := map[*engine.Case]bool{}
	var out []*engine.Case
	for _, t := range p.Trials {
		if !seen[t.Case] {
			seen[t.Case] = true
			out = append(out, t.Case)
		}
	}
	slices.SortFunc(out, func(a, b *engine.Case) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// narrowedGates notes which gates cannot decide, since only a part of what they
// read was selected.
func narrowedGates(p *engine.Plan) engine.Diagnostics {
	var out engine.Diagnostics
	for _, g := range p.Suite.Gates {
		for _, m := range g.Condition.Matrices {
			if n := p.Left[m]; n > 0 {
				out = append(out, engine.Diagnostic{Severity: engine.SeverityNote, Subject: g.Pos.Range(), Summary: fmt.Sprintf("gate %q will be inconclusive", g.Name),
					Detail: fmt.Sprintf("It reads matrix %q, and the selection leaves out %d of its trials.", m, n)})
			}
		}
	}
	return out
}

// inputs are what the plan has to be made from again when it is carried out.
func (w *work) inputs() plan.Inputs {
	file := w.file
	if abs, err := filepath.Abs(file); err == nil {
		if rel, err := filepath.Rel(w.suite.Root, abs); err == nil {
			file = filepath.ToSlash(rel)
		}
	}
	return plan.Inputs{File: file, Options: w.options}
}

// writeFile writes a file whole or not at all: a reader never sees half of it.
func writeFile(file string, write func(io.Writer) error) (err error) {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".bench-*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	if err := errors.Join(write(tmp), tmp.Chmod(0o644), tmp.Close()); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return os.Rename(tmp.Name(), file)
}
