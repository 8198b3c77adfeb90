package store_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/store"
)

var id = engine.TrialID{Matrix: "m", Case: "group/case", Agent: "noop", N: 1}

func open(t *testing.T, dir string) *store.Store {
	t.Helper()
	s, err := store.Open(dir, "suite")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func locked(t *testing.T, dir string) *store.Store {
	t.Helper()
	s := open(t, dir)
	if err := s.Lock(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Unlock() })
	return s
}

// commit stores an attempt that has all that one can have.
func commit(t *testing.T, s *store.Store, key engine.Key, outcome engine.Outcome) *engine.Attempt {
	t.Helper()
	exit, cpu, memory, cost, tokens := 3, 1500*time.Millisecond, int64(1<<20), 0.1+0.2, int64(1<<53+1)
	a := &engine.Attempt{
		Trial: id, Key: key, Seed: 1<<64 - 1, Outcome: outcome, Exit: &exit, Limit: engine.ReasonLimitWallClock, LimitDetail: "stopped after 2s",
		Image: "sha256:0", Cost: &cost, Tokens: &tokens, Usage: engine.Usage{CPU: &cpu, PeakMemory: &memory}, Output: engine.Output{Written: 9, Kept: 8},
		Snapshot: digest.Bytes([]byte("s")), Left: []string{"odd\x1bname"}, Version: engine.Version{Bench: "0.1.0"},
		Began: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Took: 2 * time.Second,
	}
	draft, err := s.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(draft.Dir, store.SnapshotFile), "archive")
	if err := draft.Commit(a); err != nil {
		t.Fatal(err)
	}
	return a
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func key(version string) engine.Key { return digest.NewKey(version).Add("a", "1").Key() }

func grade(k engine.Key) *engine.Grade {
	return &engine.Grade{
		Key:     k,
		Checks:  []engine.CheckResult{{Name: "c", Detail: "no", Score: 0.5, Weight: 2, Metrics: map[string]engine.Metric{"x": {Value: 1.25, Unit: "s"}}, Took: time.Second}},
		Changed: []string{"test.py"}, Version: engine.Version{Bench: "0.1.0"}, Began: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), Took: time.Second,
	}
}

// What was stored is what is read, by this process and by the next.
func TestReopen(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	want := commit(t, s, key("run/1"), engine.Outcome{})
	before := s.Latest(id)
	old, latest := grade(key("check/1")), grade(key("check/2"))
	latest.Outcome = engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonCheck, Detail: "it is broken"}
	for _, g := range []*engine.Grade{old, latest} {
		if err := s.AddGrade(want, g); err != nil {
			t.Fatal(err)
		}
	}
	if before.Grades != nil {
		t.Errorf("what a plan holds was changed: %v", before)
	}
	stored := &engine.Stored{
		Trial: id, N: 1, Run: want.Key.Sum, Took: want.Took, Cost: want.Cost, Tokens: want.Tokens,
		Grades: []engine.StoredGrade{
			{N: 1, Check: old.Key.Sum, Outcome: engine.Outcome{Status: engine.StatusFailed, Reason: engine.ReasonLimitWallClock}},
			{N: 2, Check: latest.Key.Sum, Outcome: engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonCheck}},
		},
	}
	for name, s := range map[string]*store.Store{"itself": s, "reopened": open(t, dir)} {
		for what, got := range map[string]*engine.Stored{"best": s.Best(key("run/1").Sum), "latest": s.Latest(id), "all": slices.Collect(s.All())[0]} {
			if diff := cmp.Diff(stored, got); diff != "" {
				t.Errorf("%s: %s (-want +got):\n%s", name, what, diff)
			}
		}
		for i, grade := range []*engine.Grade{old, latest} {
			a, g, err := s.Load(stored, &stored.Grades[i])
			if err != nil || cmp.Diff(want, a) != "" || cmp.Diff(grade, g) != "" {
				t.Errorf("%s: loaded %v, %v", name, err, cmp.Diff(want, a)+cmp.Diff(grade, g))
			}
		}
		if run, check := s.Keys(stored); cmp.Diff(want.Key, run) != "" || cmp.Diff(latest.Key, check) != "" {
			t.Errorf("%s: keys %v and %v", name, run, check)
		}
		attempts, grades, err := s.Attempts(id)
		if diff := cmp.Diff([]*engine.Attempt{want}, attempts) + cmp.Diff([][]*engine.Grade{{old, latest}}, grades); err != nil || diff != "" {
			t.Errorf("%s: attempts: %v (-want +got):\n%s", name, err, diff)
		}
		if got := s.Best(engine.Digest{1}); got != nil {
			t.Errorf("%s: another key: got %v, want nothing", name, got)
		}
		f, err := s.Snapshot(want)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		f.Close()
	}
}

func TestEmpty(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := open(t, dir)
	if best, latest, all := s.Best(engine.Digest{}), s.Latest(id), slices.Collect(s.All()); best != nil || latest != nil || all != nil {
		t.Errorf("got %v, %v and %v, want nothing", best, latest, all)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("reading made the directory (%v)", err)
	}
	if err := s.AddGrade(&engine.Attempt{}, &engine.Grade{}); err == nil {
		t.Error("adding one: want an error")
	}
}

// An attempt that can be graded is worth more than a later one that cannot.
func TestBestAttempt(t *testing.T) {
	broken := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost}
	dir := t.TempDir()
	s := locked(t, filepath.Join(dir, "results"))
	k := key("run/1")
	for i, step := range []struct {
		outcome engine.Outcome
		want    int // number of the attempt that is the best one then
	}{{broken, 1}, {broken, 2}, {engine.Outcome{}, 3}, {broken, 3}, {engine.Outcome{}, 5}} {
		commit(t, s, k, step.outcome)
		if got := s.Best(k.Sum).N; got != step.want {
			t.Errorf("after %d attempts: got attempt %d, want %d", i+1, got, step.want)
		}
	}
	if got := s.Latest(id).N; got != 5 {
		t.Errorf("latest: got %d, want 5", got)
	}
}

// Of attempts at several trials that are the same work, the latest is the one
// that began last, and not the one of the trial that comes last.
func TestBestOfSeveralTrials(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	for matrix, began := range map[string]int64{"a": 2, "b": 3, "c": 1} {
		at := engine.TrialID{Matrix: matrix, Case: "c", Agent: "x", N: 1}
		draft, err := s.Begin(at)
		if err == nil {
			err = draft.Commit(&engine.Attempt{Trial: at, Began: time.Unix(began, 0)})
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	for name, s := range map[string]*store.Store{"itself": s, "reopened": open(t, dir)} {
		if got := s.Best(engine.Digest{}).Trial.Matrix; got != "b" {
			t.Errorf("%s: got that of %s, want that of b", name, got)
		}
	}
}

// Numbers go on after what is there, in the next process and past damaged ones,
// so that nothing is ever overwritten.
func TestNumbersGoOn(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	for want := 1; want <= 11; want++ {
		if a := commit(t, s, key("run/1"), engine.Outcome{}); a.N != want {
			t.Fatalf("got attempt %d, want %d", a.N, want)
		}
	}
	last := s.Dir(&engine.Attempt{Trial: id, N: 11})
	write(t, filepath.Join(last, "run.json"), "{")
	s.Unlock()

	s = locked(t, dir)
	if got := s.Latest(id).N; got != 10 { // not 9, which is the last in alphabetical order
		t.Errorf("latest that is readable: got %d, want 10", got)
	}
	if a := commit(t, s, key("run/1"), engine.Outcome{}); a.N != 12 {
		t.Errorf("got attempt %d, want 12", a.N)
	}
}

func TestDamaged(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	for range 4 {
		a := commit(t, s, key("run/1"), engine.Outcome{})
		for range 2 {
			if err := s.AddGrade(a, grade(key("check/1"))); err != nil {
				t.Fatal(err)
			}
		}
	}
	trial := filepath.Dir(s.Dir(&engine.Attempt{Trial: id, N: 1}))
	write(t, filepath.Join(trial, "attempt-4", "run.json"), `{"trial": "m/c`)
	write(t, filepath.Join(trial, "attempt-3", "run.json"), `{"trial": "no trial id"}`)
	write(t, filepath.Join(trial, "attempt-2", "grade-2", "grade.json"), ``)
	if err := os.Remove(filepath.Join(trial, "attempt-1", "run.json")); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(trial, "notes.txt"), "not ours")

	s = open(t, dir)
	var got []string
	for _, d := range s.Damaged {
		file, _, _ := strings.Cut(strings.TrimPrefix(d, "open "), ": ")
		rel, err := filepath.Rel(trial, file)
		if err != nil {
			t.Errorf("%q does not begin with a path", d)
		}
		got = append(got, rel)
	}
	want := []string{"attempt-1/run.json", "attempt-2/grade-2/grade.json", "attempt-3/run.json", "attempt-4/run.json"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("damaged (-want +got):\n%s", diff)
	}
	a := s.Best(key("run/1").Sum)
	if a == nil || a.N != 2 || len(a.Grades) != 1 || a.Grades[0].N != 1 {
		t.Errorf("got attempt %v, want attempt 2 with its first grade", a)
	}
}

func TestVersion(t *testing.T) {
	for _, tt := range []struct {
		name, marker string
		have         int
	}{
		{"another layout", `{"schema": 99}`, 99},
		{"no layout", `{}`, 0},
		{"not JSON", `schema = 1`, 0},
		{"not ours", "", 0},
	} {
		dir := t.TempDir()
		write(t, filepath.Join(dir, "notes.txt"), "keep")
		if tt.marker != "" {
			write(t, filepath.Join(dir, "bench.json"), tt.marker)
		}
		_, err := store.Open(dir, "suite")
		var version *store.VersionError
		if !errors.As(err, &version) || version.Have != tt.have {
			t.Errorf("%s: got %v, want a version error with %d", tt.name, err, tt.have)
		}
	}
	// The marker says what is documented.
	dir := filepath.Join(t.TempDir(), "results")
	locked(t, dir)
	text, err := os.ReadFile(filepath.Join(dir, "bench.json"))
	var got struct{ Schema int }
	if err != nil || json.Unmarshal(text, &got) != nil || got.Schema != store.Schema {
		t.Errorf("got %s (%v), want schema %d", text, err, store.Schema)
	}
}

func TestLock(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	first, second := locked(t, dir), open(t, dir)
	err := second.Lock()
	var held *store.LockedError
	if !errors.As(err, &held) || held.Holder.PID != os.Getpid() {
		t.Fatalf("got %v, want an error that names the holder", err)
	}
	// Who was refused must not take the lock, or the drafts, away from the holder.
	draft, err := first.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Unlock(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(draft.Dir); err != nil {
		t.Errorf("unlocking what is not locked: %v", err)
	}
	if err := open(t, dir).Lock(); !errors.As(err, &held) {
		t.Errorf("a third one: got %v, want it to be locked still", err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	if err := second.Lock(); err != nil {
		t.Errorf("after Unlock: %v", err)
	}
	second.Unlock()
}

// A process that dies leaves drafts. Nobody reads them, and the next one that
// may write removes them; one that only reads does not.
func TestDraftsOfTheDead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	dead := filepath.Join(dir, "suite", "drafts", "attempt-123")
	locked(t, dir).Unlock()
	if err := os.MkdirAll(dead, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(dead, "run.json"), "{}")
	index := filepath.Join(dir, "suite", ".index-123")
	write(t, index, "half of")
	if s := open(t, dir); len(s.Damaged) > 0 {
		t.Errorf("a draft is read: %v", s.Damaged)
	}
	if _, err := os.Stat(dead); err != nil {
		t.Errorf("reading removed a draft: %v", err)
	}
	locked(t, dir)
	for _, file := range []string{dead, index} {
		if _, err := os.Stat(file); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", file, err)
		}
	}
}

func TestDiscard(t *testing.T) {
	s := locked(t, filepath.Join(t.TempDir(), "results"))
	draft, err := s.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := draft.Discard(); err != nil {
		t.Fatal(err)
	}
	if a := s.Latest(id); a != nil {
		t.Errorf("got %v, want nothing", a)
	}
	draft, err = s.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	a := &engine.Attempt{Trial: id, Key: key("run/1")}
	if err := draft.Commit(a); err != nil {
		t.Fatal(err)
	}
	if err := draft.Discard(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(s.Dir(a), "run.json")); err != nil {
		t.Errorf("discarding after Commit: %v", err)
	}
}

// What another process stored between Open and Lock is known after Lock.
func TestLockReadsAgain(t *testing.T) {
	dir := t.TempDir()
	late, err := store.Open(dir, "suite")
	if err != nil {
		t.Fatal(err)
	}
	first, err := store.Open(dir, "suite")
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Lock(); err != nil {
		t.Fatal(err)
	}
	id := engine.TrialID{Matrix: "m", Case: "c", Agent: "a", N: 1}
	draft, err := first.Begin(id)
	if err != nil {
		t.Fatal(err)
	}
	if err := draft.Commit(&engine.Attempt{Trial: id, Key: engine.Key{Sum: engine.Digest{1}}}); err != nil {
		t.Fatal(err)
	}
	if err := first.Unlock(); err != nil {
		t.Fatal(err)
	}
	if late.Latest(id) != nil {
		t.Fatal("the late store knows too much already")
	}
	if err := late.Lock(); err != nil {
		t.Fatal(err)
	}
	defer late.Unlock()
	if late.Latest(id) == nil {
		t.Error("the attempt of the other process would be made again")
	}
}
