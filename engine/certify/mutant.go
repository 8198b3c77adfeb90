package certify

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// mutantsDir holds the mutants of a case, a directory for each, beside its
// solution.
const mutantsDir = "mutants"

// A Mutant is a wrong solution of a case that its author wrote, to see it fail.
type Mutant struct {
	Name  string
	Files *engine.Tree // take the place of the files of the solution
}

// script runs a mutant as the solution of its case is run.
func (m *Mutant) script(c *engine.Case) engine.Script {
	command := []string{"sh", "/solution/solve.sh"}
	if c.Solution != nil {
		command = c.Solution.Command
	}
	return engine.Script{Command: command, Files: m.Files}
}

// Mutants reads the mutants of a case, sorted by name. Root is the project's.
func Mutants(root fs.FS, c *engine.Case) ([]Mutant, error) {
	if c.Dir == "" {
		return nil, nil // it is written in a benchfile, and has no directory
	}
	dir := path.Join(c.Dir, mutantsDir)
	entries, err := fs.ReadDir(root, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var out []Mutant
	for _, e := range entries {
		at := path.Join(dir, e.Name())
		if !e.IsDir() || !engine.ValidName(e.Name()) {
			return nil, fmt.Errorf("%s: a mutant is a directory, named with lower-case letters, digits, underscores and hyphens", at)
		}
		files, err := fs.Sub(root, at)
		if err != nil {
			return nil, err
		}
		tree, err := digest.Tree(at, files, nil)
		if err != nil {
			return nil, err
		}
		out = append(out, Mutant{e.Name(), tree})
	}
	return out, nil
}

// protocol is the version of what a certificate proves. Raise it when that
// changes, and every case has to be certified again.
const protocol = "certify/1"

// Digest covers all that decides what a certificate of a case says, except for
// what the names of images stand for.
func Digest(c *engine.Case, mutants []Mutant) engine.Digest {
	run, check := plan.CaseKeys(c)
	// Field by field, so that a limit that the language learns later is not a change.
	limits := struct {
		WallClock time.Duration
		Tokens    int64
		Cost      float64
		Turns     int64
	}{c.Limits.WallClock, c.Limits.Tokens, c.Limits.Cost, c.Limits.Turns}
	b := digest.NewKey(protocol).AddSum("case", run.Sum).AddSum("check", check.Sum).AddJSON("limits", limits)
	if c.Solution != nil {
		b.AddJSON("solution.command", c.Solution.Command).AddTree("solution.files", c.Solution.Files)
	}
	for _, cheat := range Battery() {
		b.AddTree("cheat."+cheat.Name, cheat.Script.Files)
	}
	for _, m := range mutants {
		b.AddTree("mutant."+m.Name, m.Files)
	}
	return b.Add("mutants", strconv.Itoa(len(mutants))).Key().Sum
}
