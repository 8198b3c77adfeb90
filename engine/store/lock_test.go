package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/store"
)

func TestLockSaysWhoHoldsIt(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	file := filepath.Join(dir, "lock")
	s := locked(t, dir)
	text, err := os.ReadFile(file)
	if form := regexp.MustCompile(`^process [0-9]+ on host \S+ since \S+ \S+ UTC \(store\.test.*\)\n$`); err != nil || !form.Match(text) {
		t.Fatalf("the lock file says %q (%v)", text, err)
	}
	for _, tt := range []struct{ text, want string }{
		{string(text), "is in use by another bench: " + strings.TrimSpace(string(text)) + "; wait until"},
		{"process 7 on host far since 2026-01-02 12:01:02 UTC (bench apply suite.hcl)\n",
			"is in use by another bench: process 7 on host far since 2026-01-02 12:01:02 UTC (bench apply suite.hcl); wait until it has ended, or name another results_dir"},
		{"proc", "is in use by another bench: a process that has not said which one it is; wait"},
		{"", "is in use by another bench: a process that has not said which one it is; wait"},
	} {
		write(t, file, tt.text) // by whoever holds it, or by an accident
		var held *store.LockedError
		if err := open(t, dir).Lock(); !errors.As(err, &held) || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q", err, tt.want)
		}
	}
	if err := s.Unlock(); err != nil {
		t.Fatal(err)
	}
	if text, err := os.ReadFile(file); err != nil || len(text) > 0 {
		t.Errorf("after Unlock it says %q (%v), and nobody holds it", text, err)
	}
}

// A lock that becomes free is taken, and what its holder stored is known then.
func TestLockForWaits(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	first, second := locked(t, dir), open(t, dir)
	var told []*store.LockedError
	o := store.LockOptions{Wait: time.Minute, OnWait: func(held *store.LockedError) {
		told = append(told, held)
		commit(t, first, key("run/1"), engine.Outcome{})
		if err := first.Unlock(); err != nil {
			t.Error(err)
		}
	}}
	if err := second.LockFor(t.Context(), o); err != nil {
		t.Fatal(err)
	}
	defer second.Unlock()
	if len(told) != 1 || told[0].Holder.PID != os.Getpid() {
		t.Errorf("told %v, want one holder", told)
	}
	if second.Latest(id) == nil {
		t.Error("what was stored meanwhile is not known")
	}
}

func TestLockForGivesUp(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	locked(t, dir)
	var held *store.LockedError
	err := open(t, dir).LockFor(t.Context(), store.LockOptions{Wait: 120 * time.Millisecond})
	if !errors.As(err, &held) || held.Waited < 120*time.Millisecond || !strings.Contains(err.Error(), "(this one has waited for ") {
		t.Errorf("out of time: got %v", err)
	}
	stop := errors.New("stopped by hangup")
	ctx, cancel := context.WithCancelCause(t.Context())
	err = open(t, dir).LockFor(ctx, store.LockOptions{Wait: time.Hour, OnWait: func(*store.LockedError) { cancel(stop) }})
	if !errors.Is(err, stop) || !errors.As(err, &held) {
		t.Errorf("stopped: got %v, want why, and who holds it", err)
	}
}
