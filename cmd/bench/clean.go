package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/lru"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
)

type cleanFlags struct {
	suiteFlags
	dryRun, all       bool
	images, snapshots bool
	assets            bool
	olderThan         time.Duration
	diskBudget        string
	budget            int64 // what diskBudget says; 0 if it says nothing
}

func newCleanCmd(a *app) *cobra.Command {
	var f cleanFlags
	cmd := &cobra.Command{
		Use:   "clean [FILE]",
		Short: "Remove what is not needed any more",
		Long: "clean removes the containers, networks and volumes of bench processes that have\ndied, and the images that bench has built and that nothing uses; they are built\nagain when they are needed; and assets that no bench has used for 30 days.\n\n" +
			"With a benchfile, it also removes the snapshots of attempts that no trial of the\nsuite, as it is now, makes use of. What the attempts and their checks said is kept;\nthey only cannot be graded again.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("clean takes one benchfile at most, not %d", len(args))
			}
			return f.check(len(args) == 1)
		},
		ValidArgsFunction: completeArgs(benchfiles),
		RunE:              func(_ *cobra.Command, args []string) error { return a.clean(strings.Join(args, ""), &f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be removed, and remove nothing")
	cmd.Flags().BoolVar(&f.all, "all", false, "also images that other users of the engine have built with bench")
	cmd.Flags().BoolVar(&f.images, "images", false, "images, and else only what has a flag")
	cmd.Flags().BoolVar(&f.assets, "assets", false, "assets, however old, and else only what has a flag")
	cmd.Flags().BoolVar(&f.snapshots, "snapshots", false, "snapshots, and else only what has a flag")
	cmd.Flags().DurationVar(&f.olderThan, "older-than", 0, "only images, assets and snapshots that were not used for so long, such as 72h")
	cmd.Flags().StringVar(&f.diskBudget, "disk-budget", "", "leave so much of each, such as 20GiB: what was used last stays")
	return cmd
}

// check says what is wrong with the flags.
func (f *cleanFlags) check(file bool) error {
	if f.snapshots && !file {
		return errors.New("clean --snapshots needs a benchfile: its suite says which snapshots are needed")
	}
	if f.olderThan < 0 {
		return fmt.Errorf("--older-than cannot be negative: %s", f.olderThan)
	}
	if f.diskBudget == "" {
		return nil
	}
	var ok bool
	if f.budget, ok = lang.ParseSize(f.diskBudget); !ok {
		return fmt.Errorf("--disk-budget is %q: write a size with a unit, such as 20GiB", f.diskBudget)
	}
	return nil
}

// clean finds out what is needed before it removes anything. Where there is no
// engine, it does what needs none.
func (a *app) clean(file string, f *cleanFlags) error {
	a.leave = f.dryRun
	var w *work
	if file != "" {
		var err error
		if w, err = a.openWork(file, &f.suiteFlags, &selectFlags{assets: string(engine.VariantFull)}); err != nil {
			return err
		}
		if !f.dryRun {
			if err := w.results.Lock(); err != nil {
				return cannot(err)
			}
			defer func() { _ = w.results.Unlock() }() // the process ends soon, and the lock with it
		}
		if err := a.makePlan(w); err != nil {
			return err
		}
	}
	c := &cleaner{cleanFlags: f, out: a.stdout, talk: a.stderr, now: time.Now()}
	everything := !f.images && !f.assets && !f.snapshots
	var ofEngine, ofCache, ofStore error
	if everything || f.images {
		ofEngine = c.engine(context.Background(), everything)
	}
	if everything || f.assets {
		ofCache = c.cleanAssets()
	}
	if w != nil && (everything || f.snapshots) {
		ofStore = c.cleanSnapshots(w.results, neededBy(w))
	}
	c.sum()
	if err := errors.Join(ofEngine, ofCache, ofStore); err != nil {
		return cannot(err)
	}
	return nil
}

// A cleaner removes, or would remove, and counts.
type cleaner struct {
	*cleanFlags
	out, talk io.Writer
	now       time.Time
	totals    []*total
}

// A total is what was removed of one kind.
type total struct {
	kind  string
	n     int
	bytes int64
}

// engine removes from the Docker engine what dead processes left, if it is meant,
// and images.
func (c *cleaner) engine(ctx context.Context, dead bool) error {
	d, err := lookAtEngine(ctx)
	if err != nil {
		return err
	}
	defer d.Close()
	if dead {
		left, err := d.Dead(ctx)
		if err != nil {
			return err
		}
		for _, t := range left {
			if err := c.remove(string(t.Kind), t.Name, 0, func() error { return d.Remove(ctx, t) }); err != nil {
				return err
			}
		}
	}
	images, err := d.Images(ctx, c.all, nil)
	if err != nil {
		return err
	}
	items := make([]lru.Item, len(images))
	for i, t := range images {
		items[i] = lru.Item{Size: t.Size, Used: t.Used, Kept: t.InUse}
	}
	for _, i := range c.choose(items) {
		if err := c.remove("image", images[i].Name, images[i].Size, func() error { return d.Remove(ctx, images[i]) }); err != nil {
			return err
		}
	}
	return nil
}

// lookAtEngine connects to the Docker engine, and removes nothing from it.
func lookAtEngine(ctx context.Context) (*docker.Driver, error) {
	state, err := stateDir()
	if err != nil {
		return nil, err
	}
	d, err := docker.Open(ctx, docker.Options{State: state, Look: true})
	if errors.Is(err, sandbox.ErrUnavailable) {
		err = fmt.Errorf("%w\n%s", err, startDocker)
	}
	return d, err
}

// startDocker is what to do where no engine answers.
const startDocker = "Start Docker, check it with \"docker version\", and run this again"

func (c *cleaner) cleanSnapshots(results *store.Store, needed func(*engine.Stored) bool) error {
	all, err := results.Snapshots()
	if err != nil {
		return err
	}
	items := make([]lru.Item, len(all))
	for i, s := range all {
		items[i] = lru.Item{Size: s.Size, Used: s.Used, Kept: needed(s.Attempt)}
	}
	for _, i := range c.choose(items) {
		name := fmt.Sprintf("of attempt %d at %s", all[i].Attempt.N, all[i].Attempt.Trial)
		if err := c.remove("snapshot", name, all[i].Size, func() error { return results.RemoveSnapshot(all[i]) }); err != nil {
			return err
		}
	}
	return nil
}

// choose says what goes of one kind: all that is not kept and old enough, or as
// much of that as the budget demands.
func (c *cleaner) choose(items []lru.Item) []int {
	for i := range items {
		items[i].Kept = items[i].Kept || c.olderThan > 0 && c.now.Sub(items[i].Used) < c.olderThan
	}
	if c.budget > 0 {
		return lru.Victims(items, c.budget)
	}
	var out []int
	for i, item := range items {
		if !item.Kept {
			out = append(out, i)
		}
	}
	return out
}

// remove removes one thing, unless it is needed by now, and says so.
func (c *cleaner) remove(kind, name string, bytes int64, do func() error) error {
	verb := "would remove"
	if !c.dryRun {
		verb = "removed"
		if err := do(); errors.Is(err, docker.ErrInUse) || errors.Is(err, asset.ErrInUse) {
			fmt.Fprintf(c.talk, "kept %s %s: it is in use by now\n", kind, name)
			return nil
		} else if err != nil {
			return err
		}
	}
	fmt.Fprintf(c.out, "%s %s %s%s\n", verb, kind, name, inBrackets(bytes))
	if len(c.totals) == 0 || c.totals[len(c.totals)-1].kind != kind {
		c.totals = append(c.totals, &total{kind: kind})
	}
	t := c.totals[len(c.totals)-1]
	t.n++
	t.bytes += bytes
	return nil
}

// sum prints the last line.
func (c *cleaner) sum() {
	if len(c.totals) == 0 {
		fmt.Fprintln(c.out, "nothing to remove")
		return
	}
	var parts []string
	for _, t := range c.totals {
		parts = append(parts, plural(t.n, t.kind)+inBrackets(t.bytes))
	}
	verb := "removed"
	if c.dryRun {
		verb = "would remove"
	}
	fmt.Fprintln(c.out, verb, strings.Join(parts, ", "))
}

func inBrackets(bytes int64) string {
	if bytes == 0 {
		return ""
	}
	return " (" + formatSize(bytes) + ")"
}
