package store_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/store"
)

// used makes the snapshot of an attempt look as if nobody had used it since.
func used(t *testing.T, s *store.Store, a *engine.Attempt, at time.Time) {
	t.Helper()
	for _, file := range []string{filepath.Join(s.Dir(a), store.SnapshotFile), s.Dir(a)} {
		if err := os.Chtimes(file, at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func numbersOf(snapshots []store.Snapshot) (out []int) {
	for _, snapshot := range snapshots {
		out = append(out, snapshot.Attempt.N)
	}
	return out
}

// The least recently used snapshots go, never one that is kept, and nothing else
// of their attempts does. A grade is a use.
func TestEvictSnapshots(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	day := time.Date(2026, 1, 10, 0, 0, 0, 0, time.UTC)
	var all []*engine.Attempt
	for n := range 4 {
		a := commit(t, s, key("run/1"), engine.Outcome{}) // seven bytes of snapshot
		used(t, s, a, day.AddDate(0, 0, -n))
		all = append(all, a)
	}
	if err := s.AddGrade(all[3], grade(key("check/1"))); err != nil {
		t.Fatal(err)
	}
	listed, err := s.Snapshots()
	if got := numbersOf(listed); err != nil || !slices.Equal(got, []int{3, 2, 1, 4}) {
		t.Errorf("listed %v, %v", got, err)
	}
	removed, err := s.EvictSnapshots(14, func(st *engine.Stored) bool { return st.N == 3 })
	if got := numbersOf(removed); err != nil || !slices.Equal(got, []int{2, 1}) {
		t.Errorf("removed %v, %v; want 2 and 1, since 3 is kept and 4 was graded last", got, err)
	}
	for name, s := range map[string]*store.Store{"itself": s, "reopened": open(t, dir)} {
		for _, a := range all {
			gone := a.N < 3
			if st := slices.Collect(s.All())[a.N-1]; s.HasSnapshot(st) == gone {
				t.Errorf("%s: attempt %d: gone is %v", name, a.N, !gone)
			}
			if at := s.SnapshotRemoved(a); at.IsZero() == gone || gone && time.Since(at) > time.Hour {
				t.Errorf("%s: attempt %d: removed at %v", name, a.N, at)
			}
		}
		attempts, grades, err := s.Attempts(id)
		if err != nil || len(attempts) != 4 || len(grades[3]) != 1 || len(s.Damaged) != 0 {
			t.Errorf("%s: %d attempts, %v, damaged %v", name, len(attempts), err, s.Damaged)
		}
	}
}

// Only who may write removes.
func TestRemoveSnapshotUnlocked(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	a := commit(t, locked(t, dir), key("run/1"), engine.Outcome{})
	s := open(t, dir)
	all, err := s.Snapshots()
	if err != nil || len(all) != 1 {
		t.Fatal(all, err)
	}
	if err := s.RemoveSnapshot(all[0]); err == nil {
		t.Error("a store that is not locked was changed")
	}
	if f, err := s.Snapshot(a); err != nil {
		t.Error(err)
	} else {
		f.Close()
	}
}

// What the trials of a plan use is kept: that attempt, and no other of the trial.
func TestReused(t *testing.T) {
	other := id
	other.N = 2
	keep := store.Reused(&engine.Plan{Trials: []*engine.Trial{
		{ID: id, Reuse: engine.Reuse{Sign: engine.SignSame, Attempt: &engine.Stored{Trial: id, N: 2}}},
		{ID: other, Reuse: engine.Reuse{Sign: engine.SignChanged}},
	}})
	for st, want := range map[*engine.Stored]bool{{Trial: id, N: 2}: true, {Trial: id, N: 1}: false, {Trial: other, N: 2}: false} {
		if keep(st) != want {
			t.Errorf("attempt %d of %s: %v", st.N, st.Trial, !want)
		}
	}
}
