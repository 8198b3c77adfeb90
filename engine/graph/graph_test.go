package graph_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine/graph"
)

// drawGraph draws an acyclic graph: needs only point backwards.
func drawGraph(t *rapid.T) ([]graph.Vertex, map[string]int) {
	slots := map[string]int{"a": rapid.IntRange(1, 3).Draw(t, "a"), "b": rapid.IntRange(1, 2).Draw(t, "b")}
	var vs []graph.Vertex
	for i := range rapid.IntRange(1, 30).Draw(t, "n") {
		v := graph.Vertex{ID: fmt.Sprint("v", i), Rank: rapid.IntRange(0, 2).Draw(t, "rank")}
		for j := range i {
			if rapid.IntRange(0, 5).Draw(t, "edge") == 0 {
				v.Needs = append(v.Needs, fmt.Sprint("v", j))
			}
		}
		for _, s := range []string{"a", "a", "b", "unbounded"} {
			if rapid.Bool().Draw(t, s) && (s != "a" || !slices.Contains(v.Takes, s) || slots[s] > 1) {
				v.Takes = append(v.Takes, s)
			}
		}
		vs = append(vs, v)
	}
	return vs, slots
}

// Every schedule respects every edge and every slot, and every vertex ends in
// exactly one way, whatever the order in which work ends.
func TestSchedules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		vs, slots := drawGraph(t)
		g, err := graph.New(vs, slots)
		if err != nil {
			t.Fatal(err)
		}
		byID := map[string]graph.Vertex{}
		for _, v := range vs {
			byID[v.ID] = v
		}
		end := map[string]string{}
		var running []string
		used := map[string]int{}
		for len(end) < len(vs) {
			for {
				id, ok := g.Start()
				if !ok {
					break
				}
				for _, need := range byID[id].Needs {
					if end[need] != "done" {
						t.Fatalf("%s started while %s is %q", id, need, end[need])
					}
				}
				for _, s := range byID[id].Takes {
					if used[s]++; s != "unbounded" && used[s] > slots[s] {
						t.Fatalf("%d vertices hold slot %s", used[s], s)
					}
				}
				running = append(running, id)
			}
			if len(running) == 0 {
				t.Fatalf("stuck with %d of %d ended", len(end), len(vs))
			}
			i := rapid.IntRange(0, len(running)-1).Draw(t, "ends")
			id := running[i]
			running = slices.Delete(running, i, i+1)
			ok := rapid.IntRange(0, 4).Draw(t, "ok") > 0
			for _, s := range byID[id].Takes {
				used[s]--
			}
			blocked := g.Finish(id, ok)
			if ok && len(blocked) > 0 {
				t.Fatalf("%s succeeded and blocked %v", id, blocked)
			}
			for _, b := range append(blocked, id) {
				if end[b] != "" {
					t.Fatalf("%s ended twice", b)
				}
				end[b] = map[bool]string{true: "done", false: "failed"}[ok]
			}
		}
	})
}

func TestMalformed(t *testing.T) {
	for _, test := range []struct {
		name, want string
		vertices   []graph.Vertex
		slots      map[string]int
	}{
		{"twice", `vertex "a" twice`, []graph.Vertex{{ID: "a"}, {ID: "a"}}, nil},
		{"missing", `needs "b", which is not there`, []graph.Vertex{{ID: "a", Needs: []string{"b"}}}, nil},
		{"cycle", "waits for itself", []graph.Vertex{{ID: "a", Needs: []string{"b"}}, {ID: "b", Needs: []string{"a"}}}, nil},
		{"too much", "takes more slots", []graph.Vertex{{ID: "a", Takes: []string{"cpu", "cpu"}}}, map[string]int{"cpu": 1}},
		{"no slot", "capacity of 0", nil, map[string]int{"x": 0}},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := graph.New(test.vertices, test.slots)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestWalk(t *testing.T) {
	vs := []graph.Vertex{{ID: "image"}, {ID: "bad", Needs: []string{"image"}}, {ID: "after", Needs: []string{"bad"}}, {ID: "last", Needs: []string{"after"}}, {ID: "good", Needs: []string{"image"}}}
	g, err := graph.New(vs, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	var log []string
	note := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		log = append(log, fmt.Sprintf(format, args...))
	}
	graph.Walk(t.Context(), g,
		func(_ context.Context, id string) bool { note("ran %s", id); return id != "bad" },
		func(id, cause string) { note("blocked %s by %s", id, cause) })
	slices.Sort(log)
	want := []string{"blocked after by bad", "blocked last by bad", "ran bad", "ran good", "ran image"}
	if !slices.Equal(log, want) {
		t.Errorf("got %q, want %q", log, want)
	}
}

// A context that ends stops the starting, and Walk still waits for what runs.
func TestWalkStops(t *testing.T) {
	g, err := graph.New([]graph.Vertex{{ID: "first"}, {ID: "second", Needs: []string{"first"}}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ran := []string{}
	graph.Walk(ctx, g, func(_ context.Context, id string) bool { cancel(); ran = append(ran, id); return true }, func(string, string) { t.Error("blocked") })
	if !slices.Equal(ran, []string{"first"}) {
		t.Errorf("ran %q", ran)
	}
}

func BenchmarkWalk(b *testing.B) {
	var vs []graph.Vertex
	for i := range 50_000 {
		run := fmt.Sprint("run", i)
		vs = append(vs, graph.Vertex{ID: run, Takes: []string{"trial"}, Rank: 1}, graph.Vertex{ID: "check" + run, Needs: []string{run}, Takes: []string{"trial"}})
	}
	for b.Loop() {
		g, err := graph.New(vs, map[string]int{"trial": 8})
		if err != nil {
			b.Fatal(err)
		}
		graph.Walk(b.Context(), g, func(context.Context, string) bool { return true }, nil)
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N)/float64(len(vs)), "µs/vertex")
}
