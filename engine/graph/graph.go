// Package graph decides what runs next. It knows vertices, what each waits for
// and which slots it takes, and nothing of what they do.
//
//	g, err := graph.New([]graph.Vertex{
//		{ID: "image"},
//		{ID: "run", Needs: []string{"image"}, Takes: []string{"trial"}},
//	}, map[string]int{"trial": 4})
//	graph.Walk(ctx, g, work, blocked)
//
// A [Graph] is a pure state machine without a clock or a goroutine:
//
//	         needs done, slots free        Finish(ok)
//	waiting ───────────────────────► running ─────────► done
//	   │                                └────────────────► failed
//	   └── a need failed ──► blocked (with the first cause)
//
// [Walk] is the thin shell around it: one goroutine that owns the graph, and one
// more for each vertex that runs. Equal graphs give equal orders of starting, as
// long as vertices end in the same order.
package graph

import (
	"container/heap"
	"context"
	"fmt"
	"slices"
	"strings"
)

// A Vertex is a piece of work.
type Vertex struct {
	ID    string
	Needs []string // ids of vertices that must have succeeded
	Takes []string // names of slots that it holds while it runs; a name may stand several times
	Rank  int      // lower ranks start first; among equals, the order of New decides
}

// A Graph is the state of all vertices. It is not safe for concurrent use.
type Graph struct {
	vertices []vertex
	index    map[string]int
	queues   []*queue          // ready vertices, by the slots that they take
	byTakes  map[string]*queue // the same, by the joined names
	free     map[string]int    // slots by name; a name that is not in it has no bound
	running  int
}

type vertex struct {
	Vertex
	waiting int   // needs that are not done
	then    []int // vertices that need this one
	ended   bool  // done, failed or blocked
	started bool
}

// New makes a graph. Slots without an entry are unlimited. It reports an id that
// is there twice, a need that is not there, and a cycle.
func New(vertices []Vertex, slots map[string]int) (*Graph, error) {
	g := &Graph{index: make(map[string]int, len(vertices)), free: map[string]int{}, byTakes: map[string]*queue{}}
	for name, n := range slots {
		if n < 1 {
			return nil, fmt.Errorf("graph: slot %q has a capacity of %d", name, n)
		}
		g.free[name] = n
	}
	for i, v := range vertices {
		if _, ok := g.index[v.ID]; ok {
			return nil, fmt.Errorf("graph: vertex %q twice", v.ID)
		}
		g.index[v.ID] = i
		g.vertices = append(g.vertices, vertex{Vertex: v, waiting: len(v.Needs)})
	}
	for i, v := range vertices {
		if !g.fits(v.Takes) {
			return nil, fmt.Errorf("graph: vertex %q takes more slots than there are", v.ID)
		}
		for _, need := range v.Needs {
			n, ok := g.index[need]
			if !ok {
				return nil, fmt.Errorf("graph: vertex %q needs %q, which is not there", v.ID, need)
			}
			g.vertices[n].then = append(g.vertices[n].then, i)
		}
	}
	if err := g.checkCycles(); err != nil {
		return nil, err
	}
	for i := range g.vertices {
		if g.vertices[i].waiting == 0 {
			g.push(i)
		}
	}
	return g, nil
}

// checkCycles removes vertices in topological order; what stays is in a cycle.
func (g *Graph) checkCycles() error {
	waiting := make([]int, len(g.vertices))
	var free []int
	for i := range g.vertices {
		if waiting[i] = g.vertices[i].waiting; waiting[i] == 0 {
			free = append(free, i)
		}
	}
	for n := 0; n < len(free); n++ {
		for _, t := range g.vertices[free[n]].then {
			if waiting[t]--; waiting[t] == 0 {
				free = append(free, t)
			}
		}
	}
	for i, n := range waiting {
		if n > 0 {
			return fmt.Errorf("graph: vertex %q waits for itself", g.vertices[i].ID)
		}
	}
	return nil
}

// Start gives the next vertex that can run, and marks it as running. It is not
// ok if none can: all have ended, or wait for one that runs.
func (g *Graph) Start() (id string, ok bool) {
	// Only the first of each queue has to be looked at: those behind it take
	// the same slots, and would not fit either.
	var best *queue
	for _, q := range g.queues {
		if q.Len() > 0 && g.fits(q.takes) && (best == nil || g.before(q.items[0], best.items[0])) {
			best = q
		}
	}
	if best == nil {
		return "", false
	}
	v := &g.vertices[heap.Pop(best).(int)]
	for _, name := range v.Takes {
		g.move(name, -1)
	}
	v.started = true
	g.running++
	return v.ID, true
}

func (g *Graph) fits(names []string) bool {
	for i, name := range names {
		n, bounded := g.free[name]
		for _, other := range names[:i] {
			if other == name {
				n--
			}
		}
		if bounded && n <= 0 {
			return false
		}
	}
	return true
}

func (g *Graph) move(name string, by int) {
	if _, bounded := g.free[name]; bounded {
		g.free[name] += by
	}
}

// push makes a vertex ready.
func (g *Graph) push(i int) {
	v := &g.vertices[i]
	kind := strings.Join(v.Takes, "\x00")
	q := g.byTakes[kind]
	if q == nil {
		q = &queue{g: g, takes: v.Takes}
		g.byTakes[kind] = q
		g.queues = append(g.queues, q)
	}
	heap.Push(q, i)
}

// before is the order in which ready vertices start.
func (g *Graph) before(x, y int) bool {
	if rx, ry := g.vertices[x].Rank, g.vertices[y].Rank; rx != ry {
		return rx < ry
	}
	return x < y
}

// Finish ends a vertex that runs. If it did not succeed, all that need it,
// directly or not, can never run: they are returned, in the order of New.
func (g *Graph) Finish(id string, ok bool) (blocked []string) {
	i, known := g.index[id]
	if !known || !g.vertices[i].started || g.vertices[i].ended {
		panic(fmt.Sprintf("graph: vertex %q ended without running", id))
	}
	v := &g.vertices[i]
	v.ended = true
	g.running--
	for _, name := range v.Takes {
		g.move(name, +1)
	}
	if !ok {
		return g.block(i)
	}
	for _, t := range v.then {
		next := &g.vertices[t]
		if next.waiting--; next.waiting == 0 && !next.ended {
			g.push(t)
		}
	}
	return nil
}

// block ends all that depend on a failed vertex.
func (g *Graph) block(i int) (blocked []string) {
	var hit []int
	for todo := []int{i}; len(todo) > 0; todo = todo[1:] {
		for _, t := range g.vertices[todo[0]].then {
			if !g.vertices[t].ended {
				g.vertices[t].ended = true
				hit = append(hit, t)
				todo = append(todo, t)
			}
		}
	}
	slices.Sort(hit)
	for _, t := range hit {
		blocked = append(blocked, g.vertices[t].ID)
	}
	return blocked
}

// Running is the number of vertices that run.
func (g *Graph) Running() int { return g.running }

// A queue holds ready vertices that take the same slots.
type queue struct {
	g     *Graph
	takes []string
	items []int
}

func (q *queue) Len() int           { return len(q.items) }
func (q *queue) Less(a, b int) bool { return q.g.before(q.items[a], q.items[b]) }
func (q *queue) Swap(a, b int)      { q.items[a], q.items[b] = q.items[b], q.items[a] }

// Push is for package heap.
func (q *queue) Push(x any) { q.items = append(q.items, x.(int)) }

// Pop is for package heap.
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}

// Walk runs a graph to its end. It calls work for each vertex in a goroutine of
// its own, and blocked for each vertex that can never run, with the one that is
// to blame. When ctx ends, nothing more is started; Walk returns when all that
// was started has ended, whether or not work heeds the context.
func Walk(ctx context.Context, g *Graph, work func(ctx context.Context, id string) bool, blocked func(id, cause string)) {
	type end struct {
		id string
		ok bool
	}
	ends := make(chan end)
	for {
		for ctx.Err() == nil {
			id, ok := g.Start()
			if !ok {
				break
			}
			go func() { ends <- end{id, work(ctx, id)} }()
		}
		if g.Running() == 0 {
			return
		}
		e := <-ends
		for _, id := range g.Finish(e.id, e.ok) {
			blocked(id, e.id)
		}
	}
}
