package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// Names of the files of an attempt.
const (
	LogFile       = "agent.log"
	SetupLogFile  = "setup.log"
	EgressLogFile = "egress.log"
	CallsFile     = "calls.ndjson"
	SnapshotFile  = "workspace.tar.gz"
)

// ServiceLogFile names the file with what a service printed.
func ServiceLogFile(service string) string { return "service-" + service + ".log" }

// A Draft is an attempt that is being made. Whoever began it commits or
// discards it.
type Draft struct {
	Dir   string // to write files into
	store *Store
	id    engine.TrialID
}

// Begin makes a directory for a new attempt at a trial.
func (s *Store) Begin(id engine.TrialID) (*Draft, error) {
	dir, err := os.MkdirTemp(s.drafts(), "attempt-*")
	if err != nil {
		return nil, err
	}
	return &Draft{dir, s, id}, os.Chmod(dir, 0o755)
}

// Discard throws the draft away. It does nothing after Commit.
func (d *Draft) Discard() error { return os.RemoveAll(d.Dir) }

// Commit stores the attempt, with the number after that of the last one. It
// sets a.N. After an error nothing is stored.
func (d *Draft) Commit(a *engine.Attempt) error {
	s := d.store
	if a.Trial != d.id {
		panic(fmt.Sprintf("store: an attempt at %s in a draft for %s", a.Trial, d.id))
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	name := d.id.Dir()
	parent := filepath.Join(s.trialsDir(), name)
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return err
	}
	n, err := next(parent, "attempt-")
	if err != nil {
		return err
	}
	a.N = n
	err = writeJSON(filepath.Join(d.Dir, "run.json"), a)
	if err == nil {
		err = rename(d.Dir, s.attemptDir(d.id, n))
	}
	if err != nil {
		os.Remove(parent) // which only goes if nothing is in it
		return err
	}
	t := s.trials[name]
	if t == nil {
		t = &trial{name: name}
		s.trials[name] = t
	}
	made := &attempt{stored: storedOf(a), began: a.Began.UnixNano()}
	t.attempts = append(t.attempts, made)
	t.settled, s.changed = false, true
	s.addRun(made)
	return nil
}

// AddGrade stores a grade beside its attempt.
func (s *Store) AddGrade(a *engine.Attempt, g *engine.Grade) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.find(a.Trial, a.N)
	if at == nil {
		return fmt.Errorf("attempt %d of %s is not stored", a.N, a.Trial)
	}
	tmp, err := os.MkdirTemp(s.drafts(), "grade-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	if err := os.Chmod(tmp, 0o755); err != nil {
		return err
	}
	if err := writeJSON(filepath.Join(tmp, "grade.json"), g); err != nil {
		return err
	}
	dir := s.attemptDir(a.Trial, a.N)
	n, err := next(dir, "grade-")
	if err != nil {
		return err
	}
	if err := rename(tmp, filepath.Join(dir, fmt.Sprintf("grade-%d", n))); err != nil {
		return err
	}
	graded := *at.stored
	graded.Grades = append(slices.Clone(graded.Grades), storedGradeOf(a, g, n))
	at.stored, at.grades = &graded, append(at.grades, file{})
	s.trials[a.Trial.Dir()].settled, s.changed = false, true
	return nil
}

// next is the number after the highest one, those of damaged entries included.
func next(dir, prefix string) (int, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return 0, err
	}
	all := numbered(entries, prefix)
	if len(all) == 0 {
		return 1, nil
	}
	return all[len(all)-1].n + 1, nil
}

// jsonTemp is the pattern of names of a file that is being written.
const jsonTemp = ".tmp-*"

// writeJSON writes a file so that it is there whole, or not at all.
func writeJSON(file string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), jsonTemp)
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name())
	_, err = tmp.Write(append(text, '\n'))
	if err = errors.Join(err, tmp.Chmod(0o644), tmp.Sync(), tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), file)
}

// rename moves a directory into place and makes the move last. What may not last
// is taken back: an error means that nothing is there.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	if err := syncDir(filepath.Dir(to)); err != nil {
		return errors.Join(err, os.Rename(to, from))
	}
	return nil
}

// syncDir makes the names in a directory last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
