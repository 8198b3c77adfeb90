package store_test

import (
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/engine/store/storetest"
)

// A run of many trials must not fill the memory with what has ended: what stays
// of an attempt and its grade is less than a kilobyte, however long its texts.
func TestMemoryOfATrial(t *testing.T) {
	const trials, most = 10_000, 1024
	dir := filepath.Join(storetest.NewDisk(t, 512<<20).Dir, "results") // in memory: none of it is waited for
	s := locked(t, dir)
	before := heap()
	for i := range trials {
		at := trialOfMany(i)
		cost, tokens := 0.5, int64(i)
		a := &engine.Attempt{
			Trial: at, Key: key("run/1"), Image: string(make([]byte, 500)), LimitDetail: string(make([]byte, 500)),
			Left: make([]string, 100), Cost: &cost, Tokens: &tokens, Began: time.Unix(int64(i), 0), Took: time.Minute,
		}
		a.Key.Sum[0], a.Key.Sum[1] = byte(i), byte(i>>8)
		draft, err := s.Begin(at)
		if err == nil {
			err = draft.Commit(a)
		}
		g := grade(key("check/1"))
		g.Checks[0].Output = string(make([]byte, 500))
		if err == nil {
			err = s.AddGrade(a, g)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	each := (int64(heap()) - int64(before)) / trials
	t.Logf("%d bytes for each trial", each)
	if each > most {
		t.Errorf("%d bytes stay of each trial, want at most %d", each, most)
	}
	if got := s.Count(); got != (store.Count{Trials: trials, Attempts: trials, Grades: trials}) {
		t.Errorf("it knows %v", got)
	}
}

// heap is what is in use once all that is not has been collected.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
