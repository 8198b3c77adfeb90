package main

import (
	"archive/tar"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// A foundAttempt is one as its files show it. The test reads them by itself: what
// bench reads wrongly must not look right here.
type foundAttempt struct {
	dir     string
	trial   string
	outcome string // of the attempt itself; empty if there is something to grade
	limit   string
	grades  []foundGrade
}

type foundGrade struct {
	outcome string // empty if the checks decided
	passed  bool
}

// verdicts are what the grades of an attempt say; a good one has none or one.
func (a *foundAttempt) verdicts() (out []string) {
	if a.outcome == "failed" {
		out = append(out, "failed")
	}
	for _, g := range a.grades {
		switch {
		case a.outcome != "" || g.outcome != "":
		case g.passed && a.limit == "":
			out = append(out, "passed")
		default:
			out = append(out, "failed")
		}
	}
	return out
}

// stored reads all attempts. Whatever cannot be read is in bad, with the reason.
func (r *rig) stored() (all []*foundAttempt, bad map[string]error) {
	bad = map[string]error{}
	dirs, err := filepath.Glob(filepath.Join(r.trials(), "*", "attempt-*"))
	r.must(err)
	for _, dir := range dirs {
		var run struct {
			Trial   string
			Outcome struct{ Status string }
			Limit   string
		}
		file := filepath.Join(dir, "run.json")
		if err := readStored(file, &run); err != nil {
			bad[file] = err
			continue
		}
		a := &foundAttempt{dir: dir, trial: run.Trial, outcome: run.Outcome.Status, limit: run.Limit}
		grades, err := filepath.Glob(filepath.Join(dir, "grade-*"))
		r.must(err)
		for _, g := range grades {
			var grade struct {
				Outcome struct{ Status string }
				Checks  []struct{ Passed bool }
			}
			file := filepath.Join(g, "grade.json")
			if err := readStored(file, &grade); err != nil {
				bad[file] = err
				continue
			}
			passed := len(grade.Checks) > 0
			for _, c := range grade.Checks {
				passed = passed && c.Passed
			}
			a.grades = append(a.grades, foundGrade{grade.Outcome.Status, passed})
		}
		all = append(all, a)
	}
	return all, bad
}

func readStored(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	return json.Unmarshal(text, into)
}

// sums gives the sum of every file below a directory that a filter names.
func (r *rig) sums(dir string, wanted func(path string) bool) map[string]string {
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || e.IsDir() || !wanted(path) {
			return err
		}
		text, err := os.ReadFile(path)
		sum := sha256.Sum256(text)
		out[path] = hex.EncodeToString(sum[:])
		return err
	})
	r.must(err)
	return out
}

// results reports whether a file, once stored, must stay as it is.
func results(path string) bool {
	switch filepath.Base(path) {
	case "run.json", "grade.json", "workspace.tar.gz":
		return !strings.HasPrefix(filepath.Base(filepath.Dir(path)), ".")
	}
	return false
}

// tokens are the lines that executions of the agent left in a snapshot.
func tokens(dir string) ([]string, error) {
	f, err := os.Open(filepath.Join(dir, "workspace.tar.gz"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	for archive := tar.NewReader(zip); ; {
		h, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("no ran.txt: %w", err)
		}
		if filepath.Base(h.Name) != "ran.txt" {
			continue
		}
		text, err := io.ReadAll(archive)
		var out []string
		for line := range strings.Lines(string(text)) {
			if strings.HasPrefix(line, "ran ") {
				out = append(out, strings.TrimSpace(line))
			}
		}
		return out, err
	}
}
