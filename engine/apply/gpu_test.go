package apply_test

import (
	"context"
	"sync"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// Each sandbox has GPUs of its own, that of a check as well, and all GPUs are used.
func TestGPUs(t *testing.T) {
	var mu sync.Mutex
	held, used := map[string]int{}, map[string]bool{}
	full := make(chan struct{}) // closed once all agents that can are at work
	agents := 0
	d := &fake.Driver{Program: func(ctx context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		mu.Lock()
		if len(b.Spec.GPUs) != 2 {
			t.Errorf("%v has the GPUs %v, want two", cmd.Args, b.Spec.GPUs)
		}
		for _, id := range b.Spec.GPUs {
			if held[id]++; held[id] > 1 {
				t.Errorf("GPU %s is in use twice", id)
			}
			used[id] = true
		}
		if !b.Spec.Grading {
			if agents++; agents == 2 {
				close(full)
			}
		}
		mu.Unlock()
		select {
		case <-full:
		case <-ctx.Done():
		}
		mu.Lock()
		defer mu.Unlock()
		for _, id := range b.Spec.GPUs {
			held[id]--
		}
		return sandbox.Exit{}, nil
	}}
	b := newBench(t, d, []string{"x", "y", "z"})
	b.gpus = []string{"0", "1", "2", "GPU-3"}
	b.suite.Cases[0].Sandbox.GPUs = 2
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.Status != engine.StatusPassed {
			t.Errorf("%s: %v", r.Trial.ID, r.Outcome)
		}
	}
	if len(used) != 4 {
		t.Errorf("these were used: %v", used)
	}
}
