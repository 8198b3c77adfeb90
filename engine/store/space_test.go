package store_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/engine/store/storetest"
)

// tryCommit is commit where that can fail.
func tryCommit(s *store.Store, at engine.TrialID) (*engine.Attempt, error) {
	draft, err := s.Begin(at)
	if err != nil {
		return nil, err
	}
	defer draft.Discard()
	a := &engine.Attempt{Trial: at, Key: key("run/1")}
	return a, draft.Commit(a)
}

// tree lists what is in a results directory, apart from what goes with the lock.
func tree(t *testing.T, dir string) string {
	t.Helper()
	var names []string
	err := fs.WalkDir(os.DirFS(dir), "suite/trials", func(name string, _ fs.DirEntry, err error) error {
		names = append(names, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(names, "\n")
}

// What meets a disk on which nothing can be written stores nothing, and takes
// nothing away; when that is over, the same store goes on.
func TestDiskTroubles(t *testing.T) {
	for _, tt := range []struct {
		name       string
		begin, end func(*storetest.Disk, testing.TB)
		is         func(error) bool
		other      func(error) bool
	}{
		{"full", (*storetest.Disk).Fill, (*storetest.Disk).Free, store.IsFull, store.IsReadOnly},
		{"read-only", (*storetest.Disk).ReadOnly, (*storetest.Disk).Writable, store.IsReadOnly, store.IsFull},
	} {
		t.Run(tt.name, func(t *testing.T) {
			disk := storetest.NewDisk(t, 1<<20)
			dir := filepath.Join(disk.Dir, "results")
			s := locked(t, dir)
			a := commit(t, s, key("run/1"), engine.Outcome{})
			draft, err := s.Begin(id) // an agent was at work when it happened
			if err != nil {
				t.Fatal(err)
			}
			before := tree(t, dir)
			known := s.Count()
			tt.begin(disk, t)
			other := id
			other.N = 2
			for what, err := range map[string]error{
				"commit":            draft.Commit(&engine.Attempt{Trial: id, Key: key("run/1")}),
				"grade":             s.AddGrade(a, grade(key("check/1"))),
				"commit of another": second(tryCommit(s, other)),
			} {
				if !tt.is(err) || tt.other(err) {
					t.Errorf("%s: got %v", what, err)
				}
			}
			if got := tree(t, dir); got != before {
				t.Errorf("got %s\nwant %s", got, before)
			}
			if s.Count() != known || s.Latest(id).N != 1 || s.Latest(other) != nil {
				t.Errorf("it knows %v of what is not stored", s.Count())
			}
			if reopened := open(t, dir); reopened.Count() != known {
				t.Errorf("it cannot be read: %v, %v", reopened.Count(), reopened.Damaged)
			}
			tt.end(disk, t)
			for _, want := range []int{2, 3} {
				if a, err := tryCommit(s, id); err != nil || a.N != want {
					t.Errorf("when it was over: attempt %d, %v", a.N, err)
				}
			}
			if err := s.AddGrade(a, grade(key("check/1"))); err != nil {
				t.Error(err)
			}
			if got := open(t, dir).Count(); got != (store.Count{Trials: 1, Attempts: 3, Grades: 1}) {
				t.Errorf("in the end there are %v", got)
			}
		})
	}
}

func second(_ *engine.Attempt, err error) error { return err }

// Where the lock cannot be written nobody has it, and the error says where.
func TestLockOnDiskTroubles(t *testing.T) {
	disk := storetest.NewDisk(t, 1<<20)
	dir := filepath.Join(disk.Dir, "results")
	locked(t, dir).Unlock()
	s := open(t, dir)
	disk.ReadOnly(t)
	if err := s.Lock(); !store.IsReadOnly(err) || !strings.Contains(err.Error(), "the results directory "+dir+" cannot be written to: ") {
		t.Errorf("read-only: got %v", err)
	}
	disk.Writable(t)
	disk.Fill(t)
	if err := s.Lock(); !store.IsFull(err) || !strings.Contains(err.Error(), "the results directory "+dir+" cannot be written to: ") {
		t.Errorf("full: got %v", err)
	}
	disk.Free(t)
	if err := open(t, dir).Lock(); err != nil {
		t.Errorf("after that: %v", err)
	}
}

func TestRoom(t *testing.T) {
	disk := storetest.NewDisk(t, 1<<20)
	dir := filepath.Join(disk.Dir, "results", "deep") // which is not there yet
	s := open(t, dir)
	free, err := s.Free()
	if err != nil || free == 0 || free > 1<<20 {
		t.Fatalf("got %d bytes (%v) on a disk of a mebibyte", free, err)
	}
	if err := s.Room(free); err != nil {
		t.Error(err)
	}
	err = s.Room(64 << 20)
	var room *store.RoomError
	if want := fmt.Sprintf("the disk of the results directory %s has 1 MiB left, and a run needs 64 MiB: free some, or run bench clean", dir); !errors.As(err, &room) || err.Error() != want || !store.IsFull(err) {
		t.Errorf("got %v, want %s", err, want)
	}
	disk.Fill(t)
	if free, err := s.Free(); err != nil || free != 0 {
		t.Errorf("of a full one: %d bytes, %v", free, err)
	}
}

func TestTroubleIs(t *testing.T) {
	for _, tt := range []struct {
		err            error
		full, readOnly bool
	}{
		{nil, false, false},
		{errors.New("full"), false, false},
		{fmt.Errorf("x: %w", &os.PathError{Op: "write", Path: "a", Err: syscall.ENOSPC}), true, false},
		{syscall.EDQUOT, true, false},
		{&os.LinkError{Op: "rename", Err: syscall.EROFS}, false, true},
		{errors.Join(errors.New("x"), syscall.EACCES), false, true},
	} {
		if full, readOnly := store.IsFull(tt.err), store.IsReadOnly(tt.err); full != tt.full || readOnly != tt.readOnly {
			t.Errorf("%v: full %v, read-only %v", tt.err, full, readOnly)
		}
	}
}
