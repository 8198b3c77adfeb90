package graph_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ml-dev-bench/bench/engine/graph"
)

func TestNewRefuses(t *testing.T) {
	for want, vs := range map[string][]graph.Vertex{
		`vertex "a" twice`:                  {{ID: "a"}, {ID: "a"}},
		`waits for "b", which is not there`: {{ID: "a", Needs: []string{"b"}}},
		"waits for itself":                  {{ID: "a", After: []string{"b"}}, {ID: "b", Any: []string{"a"}}},
		"takes 2 of slot, and there is 1":   {{ID: "a", Takes: []graph.Claim{{Name: "slot", Amount: 2}}}},
		`in scope "m", which is not there`:  {{ID: "a", Scopes: []string{"m"}}},
	} {
		_, err := graph.New(graph.Config{Vertices: vs, Capacity: map[string]int64{"slot": 1}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}

// The walk keeps the time: tries wait, deadlines stop, and a context that ends
// closes everything.
func TestWalk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		var log []string
		note := func(format string, args ...any) {
			mu.Lock()
			defer mu.Unlock()
			log = append(log, fmt.Sprintf(format, args...))
		}
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		g, err := graph.New(graph.Config{
			Scopes: []graph.Scope{{Name: "slow", Deadline: time.Minute}, {Name: "m"}},
			Vertices: []graph.Vertex{
				{ID: "flaky", Scopes: []string{"m"}, Retry: graph.Retry{Attempts: 2, On: []string{"sandbox"}, Backoff: 8 * time.Second}},
				{ID: "slow", Scopes: []string{"slow"}},
				{ID: "long", Scopes: []string{"m"}},
				{ID: "never", Scopes: []string{"m"}, Needs: []string{"long"}},
				{ID: "last", After: []string{"never", "long", "slow"}},
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		time.AfterFunc(2*time.Minute, cancel)
		graph.Walk(ctx, g, graph.Hooks{
			Do: func(ctx context.Context, s graph.Start) graph.Report {
				switch s.ID {
				case "flaky":
					if s.Try == 1 {
						return graph.Report{Status: graph.Errored, Class: "sandbox"}
					}
				case "slow", "long":
					<-ctx.Done()
					var stopped *graph.Stopped
					if !errors.As(context.Cause(ctx), &stopped) {
						t.Errorf("%s: stopped by %v", s.ID, context.Cause(ctx))
					}
					return graph.Report{Status: graph.Cancelled, Reason: stopped.Reason}
				}
				return graph.Report{Status: graph.Done}
			},
			Again: func(a graph.Again) { note("again %s", a.ID) },
			Ended: func(e graph.End) {
				note("%s %v %s after %v", e.ID, e.Status, e.Reason, time.Since(began).Round(time.Second))
			},
		})
		want := []string{
			"again flaky", "flaky done  after 6s", "slow cancelled deadline after 1m0s",
			"long cancelled signal after 2m0s", "never skipped signal after 2m0s", "last done  after 2m0s",
		}
		if !slices.Equal(log, want) {
			t.Errorf("got %q\nwant %q", log, want)
		}
	})
}

// BenchmarkWalk is what the scheduler itself costs a vertex: images, runs, checks
// and a matrix, with claims, rounds and a budget.
func BenchmarkWalk(b *testing.B) {
	for _, n := range []int{1_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				g, err := graph.New(large(n))
				if err != nil {
					b.Fatal(err)
				}
				graph.Walk(b.Context(), g, graph.Hooks{Do: func(context.Context, graph.Start) graph.Report {
					return graph.Report{Status: graph.Done}
				}})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*n), "ns/vertex")
		})
	}
}

func large(n int) graph.Config {
	c := graph.Config{
		Capacity: map[string]int64{"trial": 64, "cpu": 64_000, "memory": 1 << 40},
		Machine:  []string{"cpu", "memory"},
		Scopes:   []graph.Scope{{Name: "m"}},
		Accounts: map[string]float64{"usd": float64(n)},
		Vertices: []graph.Vertex{{ID: "image", Scopes: []string{"m"}}},
	}
	matrix := graph.Vertex{ID: "matrix"}
	for i := range n / 2 {
		run, check := fmt.Sprint("run:", i), fmt.Sprint("check:", i)
		takes := []graph.Claim{{Name: "trial", Amount: 1}, {Name: "cpu", Amount: int64(1000 + i%4*500)}, {Name: "memory", Amount: 1 << 30}}
		c.Vertices = append(c.Vertices,
			graph.Vertex{ID: run, Needs: []string{"image"}, Takes: takes, Rank: 2, Scopes: []string{"m"}, Round: fmt.Sprint(i / 30), Spends: map[string]float64{"usd": 1}},
			graph.Vertex{ID: check, Needs: []string{run}, Takes: takes, Rank: 1, Scopes: []string{"m"}, Counts: true})
		matrix.After = append(matrix.After, run, check)
	}
	c.Vertices = append(c.Vertices, matrix)
	return c
}
