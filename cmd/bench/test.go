package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/certify"
	"github.com/ml-dev-bench/bench/engine/imagelint"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/certificate"
)

// certifySuite is the suite under which the trials of certificates are stored.
const certifySuite = "certify"

// logTail is how much of an agent's output is told of a cheat, in bytes.
const logTail = 500

// maxTold is how many proofs of a case are told in full. A check that passes
// everything passes every cheat.
const maxTold = 5

type testFlags struct {
	root        string
	repeat      int
	parallel    int
	noReuse     bool
	lockTimeout time.Duration
	allow       []string
	reports     map[string]*string // by format: where to; empty is nowhere
}

func newTestCmd(a *app) *cobra.Command {
	f := testFlags{reports: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "test [CASE…]",
		Short: "Certify cases: a pass is earned, a fail is not the case's fault",
		Long: "test gives each case to agents of which it is known what has to come of them. Its\n" +
			"own solution has to pass each time, and doing nothing has to fail each time. A\n" +
			"battery of cheats and the case's own mutants, which are wrong solutions in the\n" +
			"directory mutants/ beside it, have to fail. And one snapshot has to get the same\n" +
			"verdict twice.\n\n" +
			"CASE is a name such as 'debugging/*', or the directory of a case; without one, all\n" +
			"cases below cases/ are tested. What is certified is recorded in certified.json of\n" +
			"the case, and is not tested again until something changes that decides it.",
		RunE: func(_ *cobra.Command, args []string) error { return a.test(args, &f) },
	}
	cmd.Flags().StringVar(&f.root, "root", "", "project root (default: nearest directory with cases/ or .git)")
	cmd.Flags().IntVar(&f.repeat, "repeat", 3, "how often the solution has to pass, and doing nothing has to fail")
	cmd.Flags().IntVar(&f.parallel, "parallel", 0, "trials at once (default: as many as the machine has room for)")
	cmd.Flags().BoolVar(&f.noReuse, "no-reuse", false, "test also what is certified as it is")
	cmd.Flags().DurationVar(&f.lockTimeout, "lock-timeout", 0, "how long to wait for another bench that uses the results directory")
	cmd.Flags().StringArrayVar(&f.allow, "allow", nil, "a power that a case needs, such as net.open, or image.unsafe; repeatable")
	for _, format := range []string{"junit", "markdown", "json"} {
		f.reports[format] = cmd.Flags().String(format, "", "write a report as "+format+" to this file")
	}
	return cmd
}

// test certifies cases, one after the other.
func (a *app) test(args []string, f *testFlags) error {
	if f.repeat < 1 || f.repeat > 1000 {
		return fmt.Errorf("--repeat is a number from 1 to 1000, not %d", f.repeat)
	}
	if f.parallel < 0 {
		return fmt.Errorf("--parallel must be at least 1, not %d", f.parallel)
	}
	root, patterns, err := casesOf(f.root, args)
	if err != nil {
		return err
	}
	suite, sources, diags := lang.Load(filepath.Join(root, "bench-test.hcl"), lang.Options{Root: root, Version: version, Text: lang.CasesText(certifySuite, patterns)})
	if err := a.show(sources, diags); err != nil {
		return err
	}
	results, err := openStore(suite)
	if err != nil {
		return cannot(err)
	}
	s := a.watchSignals(context.Background(), nil)
	defer s.stop()
	if err := a.lockResults(s.ctx, results, f.lockTimeout); err != nil {
		return err
	}
	defer func() { _ = results.Unlock() }() // the process ends soon, and the lock with it
	c := &certifier{app: a, testFlags: f, stages: s, suite: suite, sources: sources, store: results, files: os.DirFS(suite.Root), told: map[string]bool{}}
	defer c.close()
	c.report.Version = thisVersion()
	for _, one := range suite.Matrices[0].Cases {
		if err := c.one(one); err != nil {
			return err
		}
	}
	return c.end()
}

// casesOf turns the arguments into patterns of a matrix.
func casesOf(root string, args []string) (string, []string, error) {
	here, err := os.Getwd()
	if err != nil {
		return "", nil, cannot(err)
	}
	if root == "" {
		root = lang.FindRoot(here)
	}
	if root, err = filepath.Abs(root); err != nil {
		return "", nil, cannot(err)
	}
	patterns := []string{"cases/**"}
	for i, arg := range args {
		if i == 0 {
			patterns = nil
		}
		pattern := "cases/" + strings.TrimPrefix(filepath.ToSlash(arg), "cases/")
		if info, err := os.Stat(filepath.Join(here, arg)); err == nil && info.IsDir() {
			rel, err := filepath.Rel(root, filepath.Join(here, arg))
			if err != nil || !filepath.IsLocal(rel) {
				return "", nil, fmt.Errorf("%s is not below the project root %s: name another one with --root", arg, root)
			}
			pattern = filepath.ToSlash(rel)
		}
		patterns = append(patterns, pattern)
	}
	return root, patterns, nil
}

// A certifier certifies the cases of one bench test.
type certifier struct {
	*app
	*testFlags
	*stages
	suite       *engine.Suite
	sources     *lang.Sources
	store       *store.Store
	files       fs.FS           // of the project
	place       *place          // nil until something is to be run
	assets      *asset.Cache    // with it
	inventories inventories     // of images, with it
	told        map[string]bool // of images, on standard error
	report      certificate.Report
}

func (c *certifier) close() {
	if c.place != nil {
		c.place.close()
		c.assets.Close()
	}
}

// one certifies a case, unless that is recorded already.
func (c *certifier) one(of *engine.Case) error {
	mutants, err := certify.Mutants(c.files, of)
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	record, err := certify.ReadRecord(c.files, of)
	if err != nil {
		return &exitError{exitUsage, err.Error()}
	}
	digest := certify.Digest(of, mutants)
	if record != nil && record.Digest == digest && record.Repeat >= c.repeat && !c.noReuse {
		c.tell(&engine.Certificate{Case: of, Digest: digest, Repeat: record.Repeat, Old: true}, 0)
		return nil
	}
	p := &certify.Prover{Suite: c.suite, Repeat: c.repeat, Run: c.carryOut, Stored: c.store.Stored, Printed: c.printed}
	todo, diags := p.Plan(of, mutants)
	if err := c.show(c.sources, diags); err != nil {
		return err
	}
	if err := c.show(c.sources, append(apply.Unsupported(todo), missingPowers(todo, c.allow)...).Sorted()); err != nil {
		return err
	}
	if c.place == nil {
		if err := c.open(); err != nil {
			return err
		}
	}
	if err := c.show(c.sources, append(tooLarge(todo, c.place.machine), noHelper(todo, c.place.platform, helper)...)); err != nil {
		return err
	}
	began := time.Now()
	proven := p.Prove(of, mutants, todo)
	if signal := signalOf(c.ctx); signal != 0 {
		return &exitError{exitSignal + signal, "Stopped by a signal; what was certified before is recorded, and the next bench test goes on from there."}
	}
	if err := c.record(proven, record); err != nil {
		return cannot(err)
	}
	c.tell(proven, time.Since(began))
	return nil
}

// open connects to the engine.
func (c *certifier) open() error {
	at, err := c.openDocker(c.ctx)
	if signal := signalOf(c.ctx); err != nil && signal != 0 {
		return exitWith(exitSignal + signal)
	}
	if err != nil {
		return err
	}
	if c.inventories, err = openInventories(); err == nil {
		c.assets, err = openAssets()
	}
	if err != nil {
		at.close()
		return cannot(err)
	}
	c.place = at
	c.report.Origin = originOf(c.suite.Root, at.name, ownFiles(c.suite)...)
	return nil
}

// crowd is how many times the machine's CPUs are given away. What is proven are
// verdicts and no times, and trials spend half of theirs waiting.
const crowd = 3

// carryOut runs a plan of the prover.
func (c *certifier) carryOut(p *engine.Plan) []engine.Result {
	machine := c.place.machine.Machine
	machine.CPUs *= crowd
	show := newProgress(c.app, p)
	show.silent, show.told = true, c.told
	defer show.stop()
	results, _ := apply.Run(c.ctx, p, apply.Options{
		Inventories: c.inventories, Unsafe: slices.Contains(c.allow, imagelint.AllowUnsafe),
		Driver: c.place.driver, Store: c.store, Assets: c.assets, Machine: machine, Parallel: c.parallel,
		Version: c.report.Version, Origin: c.report.Origin, Kill: c.kill, Observe: show.observe,
	})
	return results
}

// printed is the end of what an agent has printed.
func (c *certifier) printed(of *engine.Attempt) string {
	text, err := os.ReadFile(filepath.Join(c.store.Dir(of), store.LogFile))
	if err != nil {
		return ""
	}
	return reporters.Tail(string(text), logTail)
}

// record writes the record of a case that is certified, and removes one that is
// found to be wrong.
func (c *certifier) record(proven *engine.Certificate, before *certify.Record) error {
	if proven.Case.Dir == "" {
		return nil
	}
	file := inRoot(c.suite, proven.Case.Dir+"/"+certify.RecordFile)
	switch {
	case proven.Certified():
		r := certify.RecordOf(proven)
		return writeFile(file, func(w io.Writer) error {
			_, err := w.Write(r.Bytes())
			return err
		})
	case proven.Broken() && before != nil:
		return os.Remove(file)
	}
	return nil
}

// tell says what came of a case.
func (c *certifier) tell(one *engine.Certificate, took time.Duration) {
	c.report.Certificates = append(c.report.Certificates, one)
	if one.Old {
		fmt.Fprintf(c.stdout, "%-14s %s (before, at this digest)\n", certificate.Word(one), one.Case.Name)
		return
	}
	fmt.Fprintf(c.stdout, "%-14s %s  %s; flake %d/%d; %s\n", certificate.Word(one), one.Case.Name, certificate.Summary(one), one.Flake.Odd, one.Flake.Asked, took.Round(time.Second))
	told, more := 0, 0
	for _, p := range one.Proofs {
		switch {
		case p.State == engine.ProofHolds:
		case told == maxTold:
			more++
		default:
			told++
			fmt.Fprintf(c.stdout, "%15s%s is %s: %s\n", "", certificate.Name(&p), p.State, reporters.Line(p.Detail))
		}
	}
	if more > 0 {
		fmt.Fprintf(c.stdout, "%15sand %d more; the reports of --json, --markdown and --junit list them\n", "", more)
	}
}

// end writes the reports, and says how all of it ended.
func (c *certifier) end() error {
	formats := map[string]func(io.Writer, *certificate.Report) error{"junit": certificate.JUnit, "markdown": certificate.Markdown, "json": certificate.JSON}
	var all error
	for _, format := range slices.Sorted(maps.Keys(formats)) {
		if file := *c.reports[format]; file != "" {
			all = errors.Join(all, writeFile(file, func(w io.Writer) error { return formats[format](w, &c.report) }))
		}
	}
	if all != nil {
		return cannot(all)
	}
	certified, broken, unknown := c.report.Counts()
	fmt.Fprintf(c.stdout, "\n%d of %s certified.\n", certified, plural(len(c.report.Certificates), "case"))
	switch {
	case broken > 0:
		return exitWith(exitFailed)
	case unknown > 0:
		return exitWith(exitIncomplete)
	}
	return nil
}
