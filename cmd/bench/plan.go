package main

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

type planFlags struct {
	suiteFlags
	long bool
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
			"  !  the last attempt came to no verdict: runs again",
		Args: oneFile,
		RunE: func(_ *cobra.Command, args []string) error { return a.plan(args[0], &f) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.long, "long", false, "list every trial")
	return cmd
}

func (a *app) plan(file string, f *planFlags) error {
	suite, sources, err := a.load(file, &f.suiteFlags)
	if err != nil {
		return err
	}
	results, err := openStore(suite)
	if err != nil {
		return cannot(err)
	}
	p, diags := plan.New(suite, results)
	if err := a.show(sources, diags); err != nil {
		return err
	}
	return writePlan(a.stdout, p, f.long)
}

// writePlan shows a plan: totals, a line for each matrix, and below it what
// changed, or with long every trial.
func writePlan(w io.Writer, p *engine.Plan, long bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "suite %s: %s%s\n\n", p.Suite.Name, describeSigns(p.Trials), describeImages(p))
	width := 0
	for _, m := range p.Suite.Matrices {
		width = max(width, len(m.Name))
	}
	for _, m := range p.Suite.Matrices {
		trials := slices.DeleteFunc(slices.Clone(p.Trials), func(t *engine.Trial) bool { return t.Matrix != m })
		fmt.Fprintf(&b, "  %s matrix.%-*s  %s\n", worst(trials), width, m.Name, describeMatrix(m, trials))
		writeTrials(&b, trials, long)
	}
	fmt.Fprintf(&b, "\n%s\n", describeTime(p))
	_, err := io.WriteString(w, b.String())
	return err
}

// worst is the sign that stands for a matrix: that of its first trial with work.
func worst(trials []*engine.Trial) engine.Sign {
	sign := engine.SignSame
	for _, s := range []engine.Sign{engine.SignAgain, engine.SignRegrade, engine.SignChanged, engine.SignNew} {
		if slices.ContainsFunc(trials, func(t *engine.Trial) bool { return t.Reuse.Sign == s }) {
			sign = s
		}
	}
	return sign
}

func describeMatrix(m *engine.Matrix, trials []*engine.Trial) string {
	text := fmt.Sprintf("%s x %s", plural(len(m.Cases), "case"), plural(len(m.Agents), "agent"))
	if m.Trials > 1 {
		text += " x " + plural(m.Trials, "trial")
	}
	return text + "   " + describeSigns(trials)
}

func describeSigns(trials []*engine.Trial) string {
	count := map[engine.Sign]int{}
	for _, t := range trials {
		count[t.Reuse.Sign]++
	}
	parts := []string{plural(len(trials), "trial")}
	for _, s := range []struct {
		sign engine.Sign
		word string
	}{{engine.SignNew, "new"}, {engine.SignChanged, "changed"}, {engine.SignRegrade, "to be graded again"}, {engine.SignAgain, "to be tried again"}, {engine.SignSame, "reused"}} {
		if n := count[s.sign]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.word))
		}
	}
	return strings.Join(parts, ", ")
}

func describeImages(p *engine.Plan) string {
	n := 0
	for _, s := range p.Steps {
		if _, ok := s.(*engine.ImageStep); ok {
			n++
		}
	}
	if n == 0 {
		return ""
	}
	return "; " + plural(n, "image")
}

func writeTrials(b *strings.Builder, trials []*engine.Trial, long bool) {
	for _, t := range trials {
		changed := t.Reuse.Sign == engine.SignChanged || t.Reuse.Sign == engine.SignRegrade
		if !long && !changed {
			continue
		}
		fmt.Fprintf(b, "      %s %s", t.Reuse.Sign, t.ID)
		if changed {
			fmt.Fprintf(b, "   %s", strings.Join(t.Reuse.Changed, ", "))
		}
		if t.Reuse.Sign == engine.SignSame {
			fmt.Fprintf(b, "   %s", engine.Decide(t.Reuse.Attempt, t.Reuse.Grade))
		}
		b.WriteByte('\n')
	}
}

// describeTime bounds the time of agents, which is all that the plan knows of it.
func describeTime(p *engine.Plan) string {
	var total time.Duration
	runs := 0
	for _, s := range p.Steps {
		if run, ok := s.(*engine.RunStep); ok {
			total += run.Trials[0].Limits.WallClock
			runs++
		}
	}
	switch {
	case len(p.Steps) == 0:
		return "Nothing to do: every trial has a verdict."
	case runs == 0:
		return "No agent runs; stored work is graded again."
	}
	text := total.String() // "3h0m0s"
	for _, zero := range []string{"0s", "0m"} {
		if short := strings.TrimSuffix(text, zero); short != text && strings.ContainsAny(short[len(short)-1:], "hm") {
			text = short
		}
	}
	return fmt.Sprintf("at most %s of agent time", text)
}

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
