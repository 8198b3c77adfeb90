// Package store keeps results as files. The files are the truth; what the package
// holds in memory is only enough of them to plan with.
//
//	s, err := store.Open(".bench", "quickstart")
//	stored := s.Best(key)                        // what a plan needs of an attempt
//	attempt, grade, err := s.Load(stored, nil)   // the whole of it, from its files
//
//	draft, err := s.Begin(trial)                 // a directory to write into
//	...                                          // agent.log, workspace.tar.gz
//	attempt, err := draft.Commit(attempt)        // renamed into place: stored, or not
//
// The layout, of which every directory below trials appears by one rename and
// is never changed afterwards, except that gradings are added to an attempt, and a
// note where its snapshot was removed or is damaged (see snapshots.go):
//
//	.bench/
//	  bench.json                           the version of this layout
//	  lock                                 held by the process that writes
//	  quickstart/
//	    index                              a cache of what is below trials; see index.go
//	    trials/light.smoke.hello_world.noop.1-5e21ab07/
//	      attempt-1/
//	        run.json                       what the agent did: an engine.Attempt
//	        agent.log                      what it printed, bounded
//	        egress.log                     which hosts it asked for; see package egress
//	        workspace.tar.gz               what it left
//	        grade-1/grade.json             what the checks said: an engine.Grade
//	    drafts/                            attempts that are being made
//	    runs/20260102T120102.500Z-….ndjson journals, which nothing here depends on
//
// A process that dies leaves drafts behind, and nothing half-written elsewhere;
// the next one that locks the store removes them.
package store

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"github.com/gofrs/flock"

	"github.com/ml-dev-bench/bench/engine"
)

// A Store holds the results of one suite. It can be used by many goroutines.
type Store struct {
	dir   string // the results directory
	suite string
	lock  *flock.Flock // nil unless it is held

	mu      sync.Mutex
	trials  map[string]*trial          // by name of the directory, which is TrialID.Dir
	byRun   map[engine.Digest]*attempt // by sum of the run key; others follow by attempt.next
	changed bool                       // the index file says less than is known

	// Damaged lists files that could not be read. Their attempts are treated as
	// if they did not exist, and are left where they are.
	Damaged []string
}

// Open reads what is stored for a suite. A directory that does not exist is an
// empty store; it is made by Lock. One in an older layout is brought into this one
// first. The error is a *VersionError if it is not ours to read.
func Open(dir, suite string) (*Store, error) {
	if err := layout.open(dir); err != nil {
		return nil, err
	}
	s := &Store{dir: dir, suite: suite}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s, s.read(s.readIndex())
}

// WriteIndex writes the index, whether it is needed or not. A suite without
// results needs none.
func (s *Store) WriteIndex() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.saveIndex(); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// Rebuild reads everything from its files again, and nothing from the index.
func (s *Store) Rebuild() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(nil)
}

// Suites names the suites that have results in a directory, sorted.
func Suites(dir string) ([]string, error) {
	if err := layout.open(dir); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if trials, err := os.Lstat(filepath.Join(dir, e.Name(), "trials")); err == nil && trials.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

func (s *Store) suiteDir() string  { return filepath.Join(s.dir, s.suite) }
func (s *Store) trialsDir() string { return filepath.Join(s.dir, s.suite, "trials") }

// Runs is where the journals of the suite's runs lie; see engine/journal.
func (s *Store) Runs() string { return filepath.Join(s.dir, s.suite, "runs") }

func (s *Store) drafts() string { return filepath.Join(s.dir, s.suite, "drafts") }

// read finds out what is stored now. What is known already is believed where
// its files look as they did, and everything else is read from its files.
func (s *Store) read(known map[string]*trial) error {
	var names []string
	dir, err := os.Open(s.trialsDir())
	if err == nil {
		defer dir.Close()
		names, err = dir.Readdirnames(-1)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	stale := stale(dir, names, known)
	var w *indexWriter
	if worthWriting(len(stale), len(names)) {
		w, _ = s.newIndex()
		defer w.discard()
	}
	fresh := readTrials(dir, stale, w.stamp())
	if s.trials = known; known == nil {
		s.trials = make(map[string]*trial, len(names))
	}
	there, news := len(names), 0
	for i, name := range stale {
		if fresh[i] == nil {
			there--
			continue
		}
		s.trials[name] = fresh[i]
		if fresh[i].indexable() {
			news++
			s.changed = true
		}
	}
	if len(s.trials) > there {
		s.forget(names, stale, fresh)
	}
	s.connect()
	if w != nil && worthWriting(news, len(names)) {
		_ = s.writeIndex(w) // it is only a cache
	}
	return nil
}

// forget drops trials that are no longer there.
func (s *Store) forget(names, stale []string, fresh []*trial) {
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	for i, name := range stale {
		there[name] = fresh[i] != nil
	}
	maps.DeleteFunc(s.trials, func(name string, _ *trial) bool { return !there[name] })
	s.changed = true
}

// worthWriting reports whether so much had to be read from files that even a
// process that only looks should leave the next one an index.
func worthWriting(read, all int) bool { return read > 100 || read*10 > all }

// connect makes what is found through the trials.
func (s *Store) connect() {
	s.byRun = make(map[engine.Digest]*attempt, len(s.trials))
	s.Damaged = nil
	var damaged []*trial
	for _, t := range s.trials {
		for _, a := range t.attempts {
			s.addRun(a)
		}
		if t.damaged != nil {
			damaged = append(damaged, t)
		}
	}
	slices.SortFunc(damaged, func(a, b *trial) int { return cmp.Compare(a.name, b.name) })
	for _, t := range damaged {
		s.Damaged = append(s.Damaged, t.damaged...)
	}
}

func (s *Store) addRun(a *attempt) {
	a.next = s.byRun[a.stored.Run]
	s.byRun[a.stored.Run] = a
}

// Best is the best stored attempt for a run key: one that can be graded before
// one that cannot, and the latest of those. It is nil if there is none.
func (s *Store) Best(run engine.Digest) *engine.Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	best := s.byRun[run]
	if best == nil {
		return nil
	}
	for a := best.next; a != nil; a = a.next {
		if a.better(best) {
			best = a
		}
	}
	return best.stored
}

// Latest is the newest attempt of a trial, whatever its key. It is nil if there
// is none.
func (s *Store) Latest(id engine.TrialID) *engine.Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trials[id.Dir()]
	if t == nil || len(t.attempts) == 0 {
		return nil
	}
	return t.attempts[len(t.attempts)-1].stored
}

// Tries are the attempts at the same trial after which a stored one was made,
// oldest first: those before it that were the same work and left nothing to grade,
// since they errored or were stopped. One that could be graded begins anew: who
// runs it again asks for that. No file is read.
func (s *Store) Tries(st *engine.Stored) []engine.Try {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.trials[st.Trial.Dir()]
	if t == nil {
		return nil
	}
	var out []engine.Try
	for _, a := range t.attempts {
		switch o := a.stored.Outcome; {
		case a.stored.N >= st.N || a.stored.Run != st.Run:
		case o.Status == engine.StatusInvalid || o.Verdict():
			out = nil
		default:
			out = append(out, engine.Try{N: a.stored.N, Outcome: o, Took: a.stored.Took, Cost: a.stored.Cost, Tokens: a.stored.Tokens})
		}
	}
	return out
}

// A Count is how much is stored.
type Count struct{ Trials, Attempts, Grades, Damaged int }

// Count counts what can be read, and what cannot.
func (s *Store) Count() Count {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := Count{Damaged: len(s.Damaged)}
	for _, t := range s.trials {
		if len(t.attempts) > 0 {
			c.Trials++
		}
		c.Attempts += len(t.attempts)
		for _, a := range t.attempts {
			c.Grades += len(a.grades)
		}
	}
	return c
}

// All goes through everything that is stored, sorted by trial id and then by
// number of the attempt.
func (s *Store) All() iter.Seq[*engine.Stored] {
	type entry struct {
		id    string
		trial *trial
	}
	return func(yield func(*engine.Stored) bool) {
		s.mu.Lock()
		all := make([]entry, 0, len(s.trials))
		for _, t := range s.trials {
			if len(t.attempts) > 0 {
				all = append(all, entry{t.attempts[0].stored.Trial.String(), t})
			}
		}
		slices.SortFunc(all, func(a, b entry) int { return cmp.Compare(a.id, b.id) })
		var out []*engine.Stored
		for _, e := range all {
			for _, a := range e.trial.attempts {
				out = append(out, a.stored)
			}
		}
		s.mu.Unlock() // the caller may ask for more
		for _, st := range out {
			if !yield(st) {
				return
			}
		}
	}
}

// find gives a stored attempt, or nil.
func (s *Store) find(id engine.TrialID, n int) *attempt {
	if t := s.trials[id.Dir()]; t != nil {
		for _, a := range t.attempts {
			if a.stored.N == n {
				return a
			}
		}
	}
	return nil
}

// Stored is what is remembered of a stored attempt; nil if it is not stored.
func (s *Store) Stored(a *engine.Attempt) *engine.Stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	if found := s.find(a.Trial, a.N); found != nil {
		return found.stored
	}
	return nil
}

// Dir is where the files of a stored attempt lie; empty if it is not stored.
func (s *Store) Dir(a *engine.Attempt) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.find(a.Trial, a.N) == nil {
		return ""
	}
	return s.attemptDir(a.Trial, a.N)
}

func (s *Store) attemptDir(id engine.TrialID, n int) string {
	return filepath.Join(s.trialsDir(), id.Dir(), fmt.Sprintf("attempt-%d", n))
}

// Snapshot opens the stored archive of what an agent left: a gzipped tar.
func (s *Store) Snapshot(a *engine.Attempt) (*os.File, error) {
	return os.Open(filepath.Join(s.attemptDir(a.Trial, a.N), SnapshotFile))
}
