// Package graph decides what runs next. It knows vertices, what each waits for,
// what it takes and what it may spend, and nothing of what they do.
//
//	g, err := graph.New(graph.Config{
//		Vertices: []graph.Vertex{
//			{ID: "image"},
//			{ID: "run", Needs: []string{"image"}, Takes: []graph.Claim{{"memory", 2 << 30}}},
//		},
//		Capacity: map[string]int64{"memory": 16 << 30},
//	})
//	graph.Walk(ctx, g, graph.Hooks{Do: work, Ended: record})
//
// A [Graph] is a pure state machine that is told the time:
//
//	          all it waits for has ended,       Finish
//	          claims fit, budget covers it
//	waiting ──────────► ready ──────────► running ──────► ended
//	   │                  │                 │    ▲
//	   │                  │        Errored, │    │ its time has come
//	   │                  │        tries    ▼    │
//	   │                  │        left    again ┘
//	   └──────────────────┴── a need failed, its scopes were closed, a budget or
//	                          a breaker is at its end ──► ended
//
// Every vertex ends exactly once, with one [Status]. [Walk] is the thin shell
// around it: one goroutine that owns the graph and has the clock, and one more
// for each vertex that runs. Equal graphs give equal orders of starting, as long
// as vertices end in the same order and at the same times.
package graph

// What decides, and where:
//
//	order.go    which of the ready vertices is first, and whether its claims fit
//	budget.go   whether what it may spend is covered: whole rounds, or nothing
//	scope.go    what ends early: closed scopes, deadlines, errors, fail fast
//	breaker.go  which providers are given up
//	retry.go    what is tried again, and when

import (
	"fmt"
	"time"
)

// A Config says what there is to do, and with what.
type Config struct {
	Vertices []Vertex
	Capacity map[string]int64    // what there is of a resource; without an entry it is unlimited
	Machine  []string            // resources that are set aside for a large vertex which waits for them
	Devices  map[string][]string // resources whose units have names; their number is the capacity
	Scopes   []Scope
	Accounts map[string]float64 // what may be spent; without an entry it is unlimited
}

// A Vertex is a piece of work.
type Vertex struct {
	ID    string
	Needs []string // all of them must be done
	Any   []string // at least one of them must be done
	After []string // all of them must have ended, in whatever way
	Takes []Claim  // held while it runs, and not while it waits to be tried again
	Rank  int      // lower ranks start first; among equals, the order of New decides

	// Scopes can be closed. A vertex whose scopes are all closed does not start
	// any more. One without a scope always has its turn, whatever is closed.
	Scopes []string

	// Tail says that the vertex completes what was begun: it is kept from starting
	// only by a scope that also stops what runs.
	Tail bool

	// Counts says that the end of the vertex is that of a trial, which scopes
	// count.
	Counts bool

	Round  string             // all vertices of a round that spend are begun, or none
	Spends map[string]float64 // by account: what is set aside for a try; an entry of 0 is an unknown, for which a round waits until no other is open

	Breaker string // the provider that it asks; empty for none
	Retry   Retry
	Seed    uint64 // of the jitter between tries
}

// A Claim is an amount of a resource.
type Claim struct {
	Name   string
	Amount int64
}

// Status is how a vertex ended. The zero value is none.
type Status int

// The statuses, and what becomes of vertices that need one that has ended so.
const (
	Done      Status = iota + 1 // they can go on
	Failed                      // they end as failed
	Errored                     // they end as errored
	Skipped                     // they end as skipped
	Cancelled                   // they end as skipped
)

var statusNames = [...]string{"none", "done", "failed", "errored", "skipped", "cancelled"}

func (s Status) String() string { return statusNames[s] }

// A Report is what came of one try.
type Report struct {
	Status Status
	Class  string             // of an error: what Retry.On and breakers look at
	Spent  map[string]float64 // by account; what is set aside is spent where there is no entry
	Reason string             // handed on to the end of the vertex, and of what needs it
}

// An Action is what has to be done: a [Start], a [Cancel], an [Again] or an [End].
type Action interface{ action() }

// Start says that a vertex runs from now on.
type Start struct {
	ID      string
	Try     int                 // counts from 1
	Devices map[string][]string // by resource: the units that it has
}

// Cancel says that a running vertex should end. It runs until Finish.
type Cancel struct{ ID, Reason string }

// Again says that a vertex has errored, and will be tried again.
type Again struct {
	ID  string
	Try int           // the one that has errored
	At  time.Duration // when the next one may start
}

// End says how a vertex ended. There is exactly one for each.
type End struct {
	ID     string
	Status Status
	Tries  int    // how often it ran
	Reason string // of the report; or what closed its scopes, "budget", or the class that opened its breaker
	Cause  string // the vertex or breaker that is to blame, if it is not this one; never a chain
}

func (Start) action()  {}
func (Cancel) action() {}
func (Again) action()  {}
func (End) action()    {}

// A Graph is the state of all vertices. It is not safe for concurrent use.
type Graph struct {
	vertices []vertex
	index    map[string]int
	left     int // vertices that have not ended
	running  int
	now      time.Duration
	out      []Action // what Next will say

	order
	budgets
	scopes
	breakers map[string]*breaker
	again    []int // errored vertices that wait for their next try
}

type state int

const (
	waiting state = iota
	ready         // all it waits for has ended; in a queue, or in a round that is not admitted
	running
	paused // waits for its next try
	ended
)

type vertex struct {
	Vertex
	state    state
	left     int // what it still waits for; all of Any together count as one
	any      int // vertices of Any that may still be done
	met      bool
	then     []edge
	tries    int
	due      time.Duration // of the next try
	reserved bool          // its spending is set aside
	held     map[string][]string
	queue    *queue
	round    *round
	accounts []spending
	scopes   []*scope
	breaker  *breaker
}

type edgeKind uint8

const (
	needs edgeKind = iota
	anyOf
	after
)

type edge struct {
	to   int
	kind edgeKind
}

// New makes a graph. It reports an id that is there twice, an edge to nowhere, a
// cycle, a claim for more than there is, and a scope that is not there.
func New(c Config) (*Graph, error) {
	g := &Graph{index: make(map[string]int, len(c.Vertices)), breakers: map[string]*breaker{}, left: len(c.Vertices)}
	g.order.init(c)
	if err := g.scopes.init(c.Scopes); err != nil {
		return nil, err
	}
	g.budgets.init(c.Accounts)
	g.vertices = make([]vertex, len(c.Vertices))
	for i, v := range c.Vertices {
		if _, ok := g.index[v.ID]; ok {
			return nil, fmt.Errorf("graph: vertex %q twice", v.ID)
		}
		g.index[v.ID] = i
		g.vertices[i].Vertex = v
	}
	for i := range g.vertices {
		if err := g.connect(i); err != nil {
			return nil, err
		}
	}
	g.sortRounds()
	if err := g.checkCycles(); err != nil {
		return nil, err
	}
	for i := range g.vertices {
		if g.vertices[i].left == 0 {
			g.makeReady(i)
		}
	}
	return g, nil
}

// connect makes what a vertex names by name.
func (g *Graph) connect(i int) error {
	v := &g.vertices[i]
	for _, list := range []struct {
		kind edgeKind
		ids  []string
	}{{needs, v.Needs}, {anyOf, v.Any}, {after, v.After}} {
		for _, id := range list.ids {
			from, ok := g.index[id]
			if !ok {
				return fmt.Errorf("graph: vertex %q waits for %q, which is not there", v.ID, id)
			}
			g.vertices[from].then = append(g.vertices[from].then, edge{i, list.kind})
		}
	}
	v.left, v.any = len(v.Needs)+len(v.After)+min(1, len(v.Any)), len(v.Any)
	if err := g.order.add(v); err != nil {
		return err
	}
	if err := g.scopes.add(v); err != nil {
		return err
	}
	g.budgets.add(v, i)
	if v.Breaker != "" {
		if g.breakers[v.Breaker] == nil {
			g.breakers[v.Breaker] = &breaker{name: v.Breaker}
		}
		v.breaker = g.breakers[v.Breaker]
	}
	return nil
}

// checkCycles removes vertices in topological order; what stays is in a cycle.
func (g *Graph) checkCycles() error {
	in := make([]int, len(g.vertices))
	var free []int
	for i := range g.vertices {
		v := &g.vertices[i]
		if in[i] = len(v.Needs) + len(v.Any) + len(v.After); in[i] == 0 {
			free = append(free, i)
		}
	}
	for n := 0; n < len(free); n++ {
		for _, e := range g.vertices[free[n]].then {
			if in[e.to]--; in[e.to] == 0 {
				free = append(free, e.to)
			}
		}
	}
	for i, n := range in {
		if n > 0 {
			return fmt.Errorf("graph: vertex %q waits for itself", g.vertices[i].ID)
		}
	}
	return nil
}

// Next says what has to be done now, which never is to be later than before. It
// starts all that can start.
func (g *Graph) Next(now time.Duration) []Action {
	g.now = max(g.now, now)
	g.closeLate()
	g.wakePaused()
	g.admit()
	g.startAll()
	out := g.out
	g.out = nil
	return out
}

// Over reports whether every vertex has ended.
func (g *Graph) Over() bool { return g.left == 0 }

// Running is the number of vertices that run.
func (g *Graph) Running() int { return g.running }

// Finish takes the report of a vertex that runs. What follows from it is said by
// Next.
func (g *Graph) Finish(id string, r Report, now time.Duration) {
	g.now = max(g.now, now)
	i, known := g.index[id]
	if !known || g.vertices[i].state != running {
		panic(fmt.Sprintf("graph: vertex %q ended without running", id))
	}
	v := &g.vertices[i]
	g.running--
	g.release(v)
	g.settle(v, r.Spent)
	if v.breaker != nil {
		g.observe(v.breaker, r)
	}
	if g.tryAgain(i, r) {
		return
	}
	g.end(i, r.Status, r.Reason, "")
}

// end ends a vertex, and with it those that it keeps from ever starting.
func (g *Graph) end(i int, s Status, reason, cause string) {
	type fate struct {
		i             int
		status        Status
		reason, cause string
	}
	for todo := []fate{{i, s, reason, cause}}; len(todo) > 0; todo = todo[1:] {
		f := todo[0]
		v := &g.vertices[f.i]
		if v.state == ended {
			continue
		}
		if v.round != nil && v.state == waiting {
			v.round.left--
		}
		v.state = ended
		g.left--
		g.unreserve(v)
		g.out = append(g.out, End{v.ID, f.status, v.tries, f.reason, f.cause})
		if v.Counts {
			g.count(v, f.status)
		}
		blame := f.cause
		if blame == "" {
			blame = v.ID
		}
		status := f.status
		if status == Cancelled {
			status = Skipped // they never ran
		}
		for _, e := range v.then {
			if g.pass(e, status == Done) {
				todo = append(todo, fate{e.to, status, f.reason, blame})
			}
		}
	}
}

// pass tells a vertex that one that it waits for has ended, and reports whether
// it can never start for that.
func (g *Graph) pass(e edge, done bool) (blocked bool) {
	v := &g.vertices[e.to]
	if v.state != waiting {
		return false
	}
	switch e.kind {
	case needs:
		if !done {
			return true
		}
		v.left--
	case after:
		v.left--
	case anyOf:
		v.any--
		switch {
		case done && !v.met:
			v.met = true
			v.left--
		case v.any == 0 && !v.met:
			return true
		}
	}
	if v.left == 0 {
		g.makeReady(e.to)
	}
	return false
}
