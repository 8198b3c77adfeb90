package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/store"
)

func newWhyCmd(a *app) *cobra.Command {
	var f suiteFlags
	var sel selectFlags
	cmd := &cobra.Command{
		Use:   "why FILE TRIAL",
		Short: "Say why a trial is run or reused: every part of its key",
		Long: "why names every part of what makes a trial the same work as a stored one, and\nmarks what has changed since:\n\n" +
			"  bench why suite.hcl smoke/debugging/nan_loss@react+gpt#2",
		Args: fileAndTrial,
		ValidArgsFunction: func(_ *cobra.Command, args []string, toComplete string) ([]string, cobra.ShellCompDirective) {
			switch len(args) {
			case 0:
				return benchfiles(toComplete)
			case 1:
				return a.completeTrial(args, &f)
			}
			return nil, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			file, trial := inOrder(args)
			return a.why(file, trial, &f, &sel)
		},
	}
	f.add(cmd)
	sel.driver.add(cmd)
	return cmd
}

// fileAndTrial demands a benchfile and a trial, in any order: an id can be told
// from a file.
func fileAndTrial(cmd *cobra.Command, args []string) error {
	if len(args) != 2 {
		return fmt.Errorf("%s takes a benchfile and a trial: bench %s", cmd.Name(), cmd.Use)
	}
	_, trial := inOrder(args)
	_, err := engine.ParseTrialID(trial)
	return err
}

func inOrder(args []string) (file, trial string) {
	if strings.HasSuffix(args[1], ".hcl") {
		return args[1], args[0]
	}
	return args[0], args[1]
}

func (a *app) why(file, trial string, f *suiteFlags, sel *selectFlags) error {
	w, err := a.planWork(file, f, sel)
	if err != nil {
		return err
	}
	t, err := findTrial(w.plan, trial)
	if err != nil {
		return err
	}
	return writeWhy(a.stdout, t, w.results)
}

// findTrial gives the trial of an id, or an error that proposes one.
func findTrial(p *engine.Plan, id string) (*engine.Trial, error) {
	var ids []string
	for _, t := range p.Trials {
		if t.ID.String() == id {
			return t, nil
		}
		ids = append(ids, t.ID.String())
	}
	return nil, fmt.Errorf("suite %s has no trial %s.%s", p.Suite.Name, id, didYouMean(id, ids))
}

// verbs say what each sign means for a trial.
var verbs = map[engine.Sign]string{
	engine.SignNew:     "runs: nothing is stored of it",
	engine.SignChanged: "runs: what is stored was made with another key",
	engine.SignRegrade: "is graded again: the agent's work is stored, but not under these checks",
	engine.SignSame:    "is reused: a verdict is stored under this key",
	engine.SignAgain:   "runs again: the last attempt came to no verdict",
}

// writeWhy shows both keys of a trial beside those of what is stored.
func writeWhy(out io.Writer, t *engine.Trial, results *store.Store) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\n", t.Reuse.Sign, t.ID, verbs[t.Reuse.Sign])
	stored := t.Reuse.Attempt
	if stored == nil {
		stored = results.Latest(t.ID)
	}
	if stored == nil {
		writeKey(&b, "run", t.Run.Key, nil, "")
		writeKey(&b, "check", t.Check.Key, nil, "")
	} else {
		run, check := results.Keys(stored)
		from := fmt.Sprintf("attempt %d of %s", stored.N, stored.Trial)
		writeKey(&b, "run", t.Run.Key, &run, from)
		if len(stored.Grades) == 0 {
			writeKey(&b, "check", t.Check.Key, nil, "")
		} else {
			grade := stored.Grades[len(stored.Grades)-1]
			writeKey(&b, "check", t.Check.Key, &check, fmt.Sprintf("grade %d of that attempt, %s", grade.N, grade.Outcome))
		}
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// writeKey lists the parts of a key, each with what it was, if that is another.
func writeKey(b *strings.Builder, name string, key engine.Key, old *engine.Key, from string) {
	fmt.Fprintf(b, "\n%s key %s", name, key.Sum.Short())
	switch {
	case old == nil:
		b.WriteString("; nothing is stored to compare it with")
	case old.Sum.IsZero():
		fmt.Fprintf(b, "; %s cannot be read", from)
		old = nil
	case old.Sum == key.Sum:
		fmt.Fprintf(b, "; the same as that of %s", from)
	default:
		fmt.Fprintf(b, "; that of %s is %s", from, old.Sum.Short())
	}
	b.WriteByte('\n')
	parts := key.All()
	changed := map[string]engine.Change{}
	if old != nil {
		for _, c := range key.Changed(*old) {
			changed[c.Name] = c
			if !slices.ContainsFunc(parts, func(p engine.Part) bool { return p.Name == c.Name }) {
				parts = append(slices.Clip(parts), engine.Part{Name: c.Name})
			}
		}
	}
	width := 0
	for _, p := range parts {
		width = max(width, len(p.Name))
	}
	for _, p := range parts {
		c, differs := changed[p.Name]
		switch {
		case !differs:
			fmt.Fprintf(b, "    %-*s  %s\n", width, p.Name, shortPart(p.Value))
		case c.Old == "":
			fmt.Fprintf(b, "  + %-*s  %s\n", width, p.Name, shortPart(c.New))
		case c.New == "":
			fmt.Fprintf(b, "  - %-*s  %s\n", width, p.Name, shortPart(c.Old))
		default:
			fmt.Fprintf(b, "  ~ %-*s  %s -> %s\n", width, p.Name, shortPart(c.Old), shortPart(c.New))
		}
	}
}

// shortPart shortens digests, of which nobody reads 64 digits.
func shortPart(value string) string {
	bare, hashed := strings.CutPrefix(value, "sha256:")
	var d engine.Digest
	if d.UnmarshalText([]byte(bare)) != nil || d.IsZero() {
		return value
	}
	if hashed {
		return "sha256:" + d.Short()
	}
	return d.Short()
}
