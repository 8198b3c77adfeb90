// Package store keeps results as files. The files are the truth; what the package
// holds in memory is only an index of them.
//
//	s, err := store.Open(".bench", "quickstart")
//	draft, err := s.Begin(trial)            // a directory to write into
//	...                                     // agent.log, workspace.tar.gz
//	attempt, err := draft.Commit(attempt)   // renamed into place: stored, or not
//
// The layout, of which every directory below trials appears by one rename and
// is never changed afterwards, except that gradings are added to an attempt:
//
//	.bench/
//	  bench.json                           the version of this layout
//	  lock                                 held by the process that writes
//	  quickstart/
//	    trials/light.smoke.hello_world.noop.1-5e21ab07/
//	      attempt-1/
//	        run.json                       what the agent did: an engine.Attempt
//	        agent.log                      what it printed, bounded
//	        workspace.tar.gz               what it left
//	        grade-1/grade.json             what the checks said: an engine.Grade
//	    drafts/                            attempts that are being made
//
// A process that dies leaves drafts behind, and nothing half-written elsewhere;
// the next one that locks the store removes them.
package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/ml-dev-bench/bench/engine"
)

// Schema is the version of the layout and of the files in it.
const Schema = 1

// A VersionError is a results directory that another version of bench wrote.
type VersionError struct {
	Dir  string
	Have int // 0 if it does not say
}

func (e *VersionError) Error() string {
	what := fmt.Sprintf("was written in layout %d", e.Have)
	if e.Have == 0 {
		what = "does not say in which layout it was written"
	}
	return fmt.Sprintf("the results directory %s %s, and this bench reads layout %d; nothing in it was touched. "+
		"Move it away, or name another one as results_dir in the suite block", e.Dir, what, Schema)
}

// A LockedError is a results directory that another process writes to.
type LockedError struct{ Dir, Holder string }

func (e *LockedError) Error() string {
	return fmt.Sprintf("the results directory %s is in use by another bench (%s); wait until it has ended, or name another results_dir", e.Dir, e.Holder)
}

// A Store holds the results of one suite. It can be used by many goroutines.
type Store struct {
	dir   string // the results directory
	suite string
	lock  *flock.Flock

	mu      sync.Mutex
	byKey   map[engine.Digest][]*record
	byTrial map[string][]*record // by TrialID.Dir
	byName  map[attemptName]*record

	// Damaged lists files that could not be read. Their attempts are treated as
	// if they did not exist, and are left where they are.
	Damaged []string
}

type record struct {
	dir     string
	attempt *engine.Attempt
	grades  []*engine.Grade // oldest first
}

// Open reads what is stored for a suite. A directory that does not exist is an
// empty store; it is made by Lock. The error is a *VersionError if it is not
// ours to read.
func Open(dir, suite string) (*Store, error) {
	s := &Store{dir: dir, suite: suite}
	if err := s.checkVersion(); err != nil {
		return nil, err
	}
	return s, s.read()
}

// read makes the index of what is stored now.
func (s *Store) read() error {
	s.byKey, s.byTrial, s.byName = map[engine.Digest][]*record{}, map[string][]*record{}, map[attemptName]*record{}
	s.Damaged = nil
	trials, err := os.ReadDir(s.trials())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, t := range trials {
		if err := s.readTrial(t.Name()); err != nil {
			return err
		}
	}
	return nil
}

func (s *Store) trials() string { return filepath.Join(s.dir, s.suite, "trials") }
func (s *Store) drafts() string { return filepath.Join(s.dir, s.suite, "drafts") }
func (s *Store) marker() string { return filepath.Join(s.dir, "bench.json") }

type marker struct {
	Schema int `json:"schema"`
}

func (s *Store) checkVersion() error {
	entries, err := os.ReadDir(s.dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0 {
		return nil
	}
	if err != nil {
		return err
	}
	var m marker
	text, err := os.ReadFile(s.marker())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err != nil || json.Unmarshal(text, &m) != nil || m.Schema != Schema {
		return &VersionError{s.dir, m.Schema}
	}
	return nil
}

func (s *Store) readTrial(name string) error {
	dir := filepath.Join(s.trials(), name)
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range numbered(entries, "attempt-") {
		s.readAttempt(name, filepath.Join(dir, e.name))
	}
	return nil
}

func (s *Store) readAttempt(trial, dir string) {
	a := &engine.Attempt{}
	if err := readJSON(filepath.Join(dir, "run.json"), a); err != nil {
		s.Damaged = append(s.Damaged, err.Error())
		return
	}
	r := &record{dir: dir, attempt: a}
	entries, err := os.ReadDir(dir)
	if err != nil {
		s.Damaged = append(s.Damaged, err.Error())
		return
	}
	for _, e := range numbered(entries, "grade-") {
		g := &engine.Grade{}
		if err := readJSON(filepath.Join(dir, e.name, "grade.json"), g); err != nil {
			s.Damaged = append(s.Damaged, err.Error())
			continue
		}
		r.grades = append(r.grades, g)
	}
	s.index(trial, r)
}

func (s *Store) index(trial string, r *record) {
	s.byKey[r.attempt.Key.Sum] = append(s.byKey[r.attempt.Key.Sum], r)
	s.byTrial[trial] = append(s.byTrial[trial], r)
	s.byName[nameOf(r.attempt)] = r
}

// An attemptName is what tells stored attempts apart.
type attemptName struct {
	trial engine.TrialID
	n     int
}

func nameOf(a *engine.Attempt) attemptName { return attemptName{a.Trial, a.N} }

type numberedEntry struct {
	name string
	n    int
}

// numbered gives the directories "PREFIX1", "PREFIX2", … in the order of their
// numbers.
func numbered(entries []fs.DirEntry, prefix string) []numberedEntry {
	var out []numberedEntry
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 && e.IsDir() {
			out = append(out, numberedEntry{e.Name(), n})
		}
	}
	slices.SortFunc(out, func(a, b numberedEntry) int { return a.n - b.n })
	return out
}

func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

// Attempt is the best stored attempt for a run key: one that can be graded
// before one that cannot, and the latest of those.
func (s *Store) Attempt(run engine.Digest) *engine.Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	var best *engine.Attempt
	for _, r := range s.byKey[run] {
		a := r.attempt
		if best == nil || a.Outcome.Status == engine.StatusInvalid || best.Outcome.Status != engine.StatusInvalid {
			best = a
		}
	}
	return best
}

// Latest is the newest attempt of a trial, whatever its key.
func (s *Store) Latest(id engine.TrialID) *engine.Attempt {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.byTrial[id.Dir()]
	if len(all) == 0 {
		return nil
	}
	return all[len(all)-1].attempt
}

// Grade is the latest grade of a stored attempt under a check key; with the
// zero key, the latest under any.
func (s *Store) Grade(a *engine.Attempt, check engine.Digest) *engine.Grade {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.byName[nameOf(a)]
	if r == nil {
		return nil
	}
	for _, g := range slices.Backward(r.grades) {
		if check.IsZero() || g.Key.Sum == check {
			return g
		}
	}
	return nil
}

// Dir is where the files of a stored attempt lie.
func (s *Store) Dir(a *engine.Attempt) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.byName[nameOf(a)]; r != nil {
		return r.dir
	}
	return ""
}

// Snapshot opens the stored archive of what an agent left: a gzipped tar.
func (s *Store) Snapshot(a *engine.Attempt) (*os.File, error) {
	return os.Open(filepath.Join(s.Dir(a), SnapshotFile))
}
