package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gofrs/flock"

	"github.com/ml-dev-bench/bench/engine"
)

// Names of the files of an attempt.
const (
	LogFile      = "agent.log"
	SetupLogFile = "setup.log"
	SnapshotFile = "workspace.tar.gz"
)

// Lock makes the store writable for this process, and for no other until
// Unlock. It removes what a process that died left half-done, and reads again
// what is stored: another process may have ended between Open and Lock, and its
// work must not be done twice. The error is a
// *LockedError if another process holds it.
func (s *Store) Lock() error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return err
	}
	if _, err := os.Stat(markerFile(s.dir)); errors.Is(err, fs.ErrNotExist) {
		if err := writeJSON(markerFile(s.dir), marker{Schema}); err != nil {
			return err
		}
	}
	file := filepath.Join(s.dir, "lock")
	lock := flock.New(file)
	ok, err := lock.TryLock()
	if err != nil {
		return err
	}
	if !ok {
		holder, _ := os.ReadFile(file)
		return &LockedError{s.dir, strings.TrimSpace(string(holder))}
	}
	s.lock = lock // only now: Unlock must not touch what another process holds
	if err := os.WriteFile(file, fmt.Appendf(nil, "process %d\n", os.Getpid()), 0o644); err != nil {
		return err
	}
	if err := os.RemoveAll(s.drafts()); err != nil {
		return err
	}
	if err := os.MkdirAll(s.drafts(), 0o755); err != nil {
		return err
	}
	s.removeTemps()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(s.trials)
}

// removeTemps removes what processes left that died while they wrote an index.
// One that lives only loses a cache.
func (s *Store) removeTemps() {
	left, _ := filepath.Glob(filepath.Join(s.suiteDir(), indexTemp))
	for _, file := range left {
		os.Remove(file)
	}
}

// Unlock lets other processes write. It leaves them an index of what is stored.
func (s *Store) Unlock() error {
	if s.lock == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed {
		w := s.newIndex()
		s.writeIndex(w)
		w.discard()
	}
	err := errors.Join(os.RemoveAll(s.drafts()), s.lock.Unlock())
	s.lock = nil // a second Unlock must not touch what another process makes
	return err
}

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
	if err := writeJSON(filepath.Join(d.Dir, "run.json"), a); err != nil {
		return err
	}
	if err := rename(d.Dir, s.attemptDir(d.id, n)); err != nil {
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

// writeJSON writes a file so that it is there whole, or not at all.
func writeJSON(file string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(file), ".tmp-*")
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

// rename moves a directory into place and makes the move last.
func rename(from, to string) error {
	if err := os.Rename(from, to); err != nil {
		return err
	}
	parent, err := os.Open(filepath.Dir(to))
	if err != nil {
		return err
	}
	defer parent.Close()
	return parent.Sync()
}
