package apply_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// As many trials at once as the lock allows that they hold, in running and in
// grading, and no fewer.
func TestLocks(t *testing.T) {
	for _, test := range []struct {
		name            string
		sandbox, matrix string
		locks           map[string]int
		want            int
	}{
		{"none", "", "", map[string]int{"l": 1}, 4},
		{"of the sandbox", "l", "", nil, 1},
		{"of the matrix", "", "l", nil, 1},
		{"with a capacity", "l", "", map[string]int{"l": 2}, 2},
		{"one twice", "l", "l", map[string]int{"l": 2}, 2},
		{"two", "l", "k", map[string]int{"l": 3, "k": 2}, 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			full := gauge{want: test.want}
			d := &fake.Driver{Program: func(_ context.Context, b *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
				if !b.Spec.Grading {
					full.enter()
				}
				time.Sleep(5 * time.Millisecond) // for others to come, if they could
				return sandbox.Exit{}, nil
			}}
			b := newBench(t, d, []string{"a1", "a2", "a3", "a4"})
			b.suite.Locks, b.suite.Cases[0].Sandbox.Lock, b.suite.Matrices[0].Lock = test.locks, test.sandbox, test.matrix
			b.apply(t, t.Context())
			if _, most := d.Open(); most != test.want {
				t.Errorf("%d sandboxes at once, want %d", most, test.want)
			}
			if full.timedOut {
				t.Errorf("fewer than %d at once", test.want)
			}
		})
	}
}

// A gauge lets the first ones in wait until as many are there as are wanted.
type gauge struct {
	want     int
	mu       sync.Mutex
	in       int
	timedOut bool
}

func (g *gauge) enter() {
	g.mu.Lock()
	g.in++
	g.mu.Unlock()
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(time.Millisecond) {
		g.mu.Lock()
		if full := g.in >= g.want; full || time.Now().After(deadline) {
			g.timedOut = g.timedOut || !full
			g.mu.Unlock()
			return
		}
		g.mu.Unlock()
	}
}

// Work that is shared holds the locks of all that share it.
func TestLocksOfShared(t *testing.T) {
	var mu sync.Mutex
	running := map[string]bool{}
	d := &fake.Driver{Program: func(_ context.Context, b *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
		_, agent, _ := strings.Cut(b.Spec.Trial, "@")
		mu.Lock()
		running[agent] = true
		if running["shared#1"] && len(running) > 1 {
			t.Errorf("at once: %v", fmt.Sprint(running))
		}
		mu.Unlock()
		time.Sleep(20 * time.Millisecond)
		mu.Lock()
		delete(running, agent)
		mu.Unlock()
		return sandbox.Exit{}, nil
	}}
	b := newBench(t, d, []string{"shared", "x"}, []string{"shared", "y"})
	b.suite.Matrices[0].Lock, b.suite.Matrices[1].Lock = "a", "b"
	results := b.apply(t, t.Context())
	if got := outcomes(results); slices.Contains([]string{got["x"], got["shared"], got["y"]}, "") || len(results) != 4 {
		t.Errorf("got %v", got)
	}
}
