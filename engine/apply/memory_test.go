package apply_test

import (
	"runtime"
	"testing"

	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// What a run remembers of a trial that has ended is little, however much its
// agent and its checks have printed. One trial at a time, so that nothing is at
// work while it is measured.
func TestMemory(t *testing.T) {
	const trials, most = 4000, 1024
	b := newBench(t, &fake.Driver{}, []string{"a"})
	b.suite.Matrices[0].Trials, b.suite.Parallel = trials, 1
	p, s := b.plan(t)
	if err := s.Lock(); err != nil {
		t.Fatal(err)
	}
	defer s.Unlock()
	heap := func() uint64 {
		var m runtime.MemStats
		for range 3 { // what lies in a sync.Pool outlives two
			runtime.GC()
		}
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	driver := &fake.Driver{Forget: true}
	ended, early, late := 0, uint64(0), uint64(0)
	apply.Run(t.Context(), p, apply.Options{Driver: driver, Store: s, Machine: apply.Machine{CPUs: 2}, Parallel: 1, Observe: func(e apply.Event) {
		if _, ok := e.(apply.TrialEnded); !ok {
			return
		}
		switch ended++; ended {
		case trials / 4:
			early = heap()
		case trials * 3 / 4:
			late = heap()
		}
	}})
	grown := (float64(late) - float64(early)) / (trials / 2)
	if grown > most {
		t.Errorf("%.0f bytes more for each trial that has ended, want at most %d", grown, most)
	}
	t.Logf("%.0f bytes for each trial that has ended", grown)
}
