package store

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lru"
)

// RemovedFile lies where a snapshot was, once that is removed to save space. It
// says when, so that nobody looks for a lost file.
const RemovedFile = "snapshot.removed"

// DamagedFile lies beside a snapshot that is not what the agent left.
const DamagedFile = "snapshot.damaged"

// A Snapshot is the stored archive of what an agent left, as a thing that takes
// space. Without it, an attempt and its grades say what they said before, and
// cannot be graded anew.
type Snapshot struct {
	Attempt *engine.Stored
	Size    int64     // bytes
	Used    time.Time // when it was made, or graded last
}

// Snapshots lists the snapshots of all attempts, least recently used first.
func (s *Store) Snapshots() ([]Snapshot, error) {
	var out []Snapshot
	for st := range s.All() {
		dir := s.attemptDir(st.Trial, st.N)
		file, err := os.Lstat(filepath.Join(dir, SnapshotFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, err
		}
		used := file.ModTime()
		if at, err := os.Lstat(dir); err == nil && at.ModTime().After(used) { // a grade was added to it
			used = at.ModTime()
		}
		out = append(out, Snapshot{Attempt: st, Size: file.Size(), Used: used})
	}
	slices.SortStableFunc(out, func(a, b Snapshot) int { return a.Used.Compare(b.Used) })
	return out, nil
}

// HasSnapshot reports whether a stored attempt can be graded anew.
func (s *Store) HasSnapshot(st *engine.Stored) bool {
	dir := s.attemptDir(st.Trial, st.N)
	_, err := os.Lstat(filepath.Join(dir, SnapshotFile))
	_, damaged := os.Lstat(filepath.Join(dir, DamagedFile))
	return err == nil && damaged != nil
}

// CheckSnapshot compares the stored snapshot of an attempt with its digest. One
// that has another is damaged: it stays as it is, with a note beside it, by which
// the next plan knows that nothing can be graded here.
func (s *Store) CheckSnapshot(a *engine.Attempt) error {
	dir := s.attemptDir(a.Trial, a.N)
	file, err := s.Snapshot(a)
	if err != nil {
		return err
	}
	defer file.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, file); err != nil {
		return err
	}
	if engine.Digest(sum.Sum(nil)) == a.Snapshot {
		return nil
	}
	err = fmt.Errorf("the snapshot %s is damaged: it is not what the agent left", filepath.Join(dir, SnapshotFile))
	return errors.Join(err, writeJSON(filepath.Join(dir, DamagedFile), removal{At: time.Now().UTC()}))
}

// RemoveSnapshot removes the snapshot of an attempt, and nothing else of it. The
// store must be locked.
func (s *Store) RemoveSnapshot(snapshot Snapshot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := snapshot.Attempt
	if s.lock == nil {
		return errors.New("removing a snapshot: the store is not locked")
	}
	if s.find(st.Trial, st.N) == nil {
		return fmt.Errorf("attempt %d of %s is not stored", st.N, st.Trial)
	}
	dir := s.attemptDir(st.Trial, st.N)
	// The note comes first: a snapshot that is not there is always accounted for.
	if err := writeJSON(filepath.Join(dir, RemovedFile), removal{Size: snapshot.Size, At: time.Now().UTC()}); err != nil {
		return err
	}
	if err := os.Remove(filepath.Join(dir, SnapshotFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.trials[st.Trial.Dir()].settled, s.changed = false, true
	return nil
}

// A removal is what the note says.
type removal struct {
	Size int64     `json:"size"`
	At   time.Time `json:"at"`
}

// SnapshotRemoved is when the snapshot of an attempt was removed to save space;
// zero if it was not.
func (s *Store) SnapshotRemoved(a *engine.Attempt) time.Time {
	var note removal
	if s.HasSnapshot(&engine.Stored{Trial: a.Trial, N: a.N}) || readJSON(filepath.Join(s.attemptDir(a.Trial, a.N), RemovedFile), &note) != nil {
		return time.Time{}
	}
	return note.At
}

// EvictSnapshots removes snapshots, least recently used first, until the rest of
// them takes no more than a budget of bytes. Those that are kept stay, and count.
// It returns what it has removed, also beside an error.
func (s *Store) EvictSnapshots(budget int64, keep func(*engine.Stored) bool) ([]Snapshot, error) {
	all, err := s.Snapshots()
	if err != nil {
		return nil, err
	}
	items := make([]lru.Item, len(all))
	for i, snapshot := range all {
		items[i] = lru.Item{Size: snapshot.Size, Used: snapshot.Used, Kept: keep(snapshot.Attempt)}
	}
	var removed []Snapshot
	for _, i := range lru.Victims(items, budget) {
		if err := s.RemoveSnapshot(all[i]); err != nil {
			return removed, err
		}
		removed = append(removed, all[i])
	}
	return removed, nil
}

// Reused tells the attempts that the trials of a plan make use of: nothing that
// they need may be removed.
func Reused(p *engine.Plan) func(*engine.Stored) bool {
	type key struct {
		id engine.TrialID
		n  int
	}
	needed := make(map[key]bool, len(p.Trials))
	for _, t := range p.Trials {
		if a := t.Reuse.Attempt; a != nil {
			needed[key{a.Trial, a.N}] = true
		}
	}
	return func(st *engine.Stored) bool { return needed[key{st.Trial, st.N}] }
}
