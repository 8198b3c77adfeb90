package graph

import (
	"container/heap"
	"fmt"
	"slices"
	"strings"
	"time"
)

// patience is how long what is free is set aside for a vertex that needs more of
// it, and how long it then has to let others pass.
const patience = time.Minute

// An order holds the ready vertices and what is free.
type order struct {
	free    map[string]int64 // of resources that are limited
	devices map[string][]string
	machine map[string]bool
	queues  []*queue          // by what their vertices take
	byTakes map[string]*queue // the same, by a text of it
	heads   []*queue          // of startAll, kept for its memory
	hold    *hold
}

// A hold sets aside what is free for the first vertex of a queue. Small vertices
// would otherwise keep a large one from ever starting.
type hold struct {
	queue *queue
	until time.Duration
}

func (o *order) init(c Config) {
	o.free, o.devices = map[string]int64{}, map[string][]string{}
	o.machine, o.byTakes = map[string]bool{}, map[string]*queue{}
	for name, n := range c.Capacity {
		o.free[name] = n
	}
	for name, units := range c.Devices {
		o.devices[name] = slices.Sorted(slices.Values(units))
		o.free[name] = int64(len(units))
	}
	for _, name := range c.Machine {
		o.machine[name] = true
	}
}

// add gives a vertex its queue.
func (o *order) add(v *vertex) error {
	var text strings.Builder
	for _, c := range v.Takes {
		if n, limited := o.free[c.Name]; limited && c.Amount > n {
			return fmt.Errorf("graph: vertex %q takes %d of %s, and there is %d", v.ID, c.Amount, c.Name, n)
		}
		fmt.Fprintf(&text, "%s\x00%d\x00", c.Name, c.Amount)
	}
	v.queue = o.byTakes[text.String()]
	if v.queue == nil {
		v.queue = &queue{takes: v.Takes}
		o.byTakes[text.String()] = v.queue
		o.queues = append(o.queues, v.queue)
	}
	return nil
}

// makeReady lets a vertex have its turn. One that spends waits for its round.
func (g *Graph) makeReady(i int) {
	v := &g.vertices[i]
	if g.isShut(v) {
		g.end(i, Skipped, g.why(v), "")
		return
	}
	v.state = ready
	if v.round != nil && !v.round.admitted {
		v.round.ready = append(v.round.ready, i)
		v.round.left--
		return
	}
	g.enqueue(i)
}

func (g *Graph) enqueue(i int) {
	q := g.vertices[i].queue
	q.g = g
	heap.Push(q, i)
}

// startAll starts what can start, first things first.
func (g *Graph) startAll() {
	if h := g.hold; h != nil && g.now >= h.until {
		h.queue.barred = g.now + patience
	}
	if h := g.hold; h != nil && (g.now >= h.until || h.queue.first() < 0) {
		g.hold = nil
	}
	for {
		g.heads = g.heads[:0]
		for _, q := range g.queues {
			if q.first() >= 0 {
				g.heads = append(g.heads, q)
			}
		}
		slices.SortFunc(g.heads, func(a, b *queue) int { return g.compare(a.items[0], b.items[0]) })
		at := slices.IndexFunc(g.heads, g.fits)
		if at < 0 {
			return
		}
		g.start(heap.Pop(g.heads[at]).(int))
	}
}

// fits reports whether the first vertex of a queue can start now. The first in
// order that is only too large for what is free of the machine gets it set aside.
func (g *Graph) fits(q *queue) bool {
	fits, machineOnly := true, true
	for _, c := range q.takes {
		free, limited := g.free[c.Name]
		if !limited {
			continue
		}
		if free < c.Amount {
			fits = false
			machineOnly = machineOnly && g.machine[c.Name]
		} else if free-g.setAside(c.Name, q) < c.Amount {
			fits, machineOnly = false, false // it waits for the one that waits
		}
	}
	if !fits && machineOnly && g.hold == nil && g.now >= q.barred {
		g.hold = &hold{q, g.now + patience}
	}
	if fits && g.hold != nil && g.hold.queue == q {
		g.hold = nil
	}
	return fits
}

// setAside is how much of a resource is not for the vertices of a queue.
func (g *Graph) setAside(name string, q *queue) (n int64) {
	if g.hold == nil || g.hold.queue == q || !g.machine[name] {
		return 0
	}
	for _, c := range g.hold.queue.takes {
		if c.Name == name {
			n += c.Amount
		}
	}
	return n
}

func (g *Graph) start(i int) {
	v := &g.vertices[i]
	for _, c := range v.Takes {
		if _, limited := g.free[c.Name]; limited {
			g.free[c.Name] -= c.Amount
		}
		if units := g.devices[c.Name]; units != nil {
			if v.held == nil {
				v.held = map[string][]string{}
			}
			v.held[c.Name] = append(v.held[c.Name], units[:c.Amount]...)
			g.devices[c.Name] = slices.Clone(units[c.Amount:])
		}
	}
	v.state = running
	v.tries++
	g.running++
	g.begin(v)
	g.out = append(g.out, Start{v.ID, v.tries, v.held})
}

// release gives back what a vertex held.
func (g *Graph) release(v *vertex) {
	for _, c := range v.Takes {
		if _, limited := g.free[c.Name]; limited {
			g.free[c.Name] += c.Amount
		}
	}
	for name, units := range v.held {
		g.devices[name] = append(g.devices[name], units...)
		slices.Sort(g.devices[name])
	}
	v.held = nil
}

// compare is the order in which ready vertices start.
func (g *Graph) compare(x, y int) int {
	if rx, ry := g.vertices[x].Rank, g.vertices[y].Rank; rx != ry {
		return rx - ry
	}
	return x - y
}

// A queue holds ready vertices that take the same, as a heap. Only the first has
// to be looked at: those behind it would not fit either.
type queue struct {
	g      *Graph
	takes  []Claim
	items  []int
	barred time.Duration // nothing is set aside for it before
}

// first is the first vertex that has not been ended since it was put in, or -1.
func (q *queue) first() int {
	for len(q.items) > 0 && q.g.vertices[q.items[0]].state != ready {
		heap.Pop(q)
	}
	if len(q.items) == 0 {
		return -1
	}
	return q.items[0]
}

func (q *queue) Len() int           { return len(q.items) }
func (q *queue) Less(a, b int) bool { return q.g.compare(q.items[a], q.items[b]) < 0 }
func (q *queue) Swap(a, b int)      { q.items[a], q.items[b] = q.items[b], q.items[a] }

// Push is for package heap.
func (q *queue) Push(x any) { q.items = append(q.items, x.(int)) }

// Pop is for package heap.
func (q *queue) Pop() any {
	last := q.items[len(q.items)-1]
	q.items = q.items[:len(q.items)-1]
	return last
}
