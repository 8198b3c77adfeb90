package graph

import (
	"encoding/binary"
	"hash/fnv"
	"slices"
	"time"
)

// Retry says which errors of a vertex are tried again, and when. The zero value
// tries once.
type Retry struct {
	Attempts   int      // the first one included
	On         []string // classes of errors
	Backoff    time.Duration
	MaxBackoff time.Duration
}

// tryAgain pauses a vertex that has just errored, if it has a try left.
func (g *Graph) tryAgain(i int, r Report) bool {
	v := &g.vertices[i]
	if r.Status != Errored || v.tries >= v.Retry.Attempts || !slices.Contains(v.Retry.On, r.Class) {
		return false
	}
	if g.isShut(v) || v.breaker != nil && v.breaker.open {
		return false
	}
	v.state = paused
	v.due = g.now + v.Retry.wait(v.Seed, v.tries)
	g.again = append(g.again, i)
	g.out = append(g.out, Again{v.ID, v.tries, v.due})
	return true
}

// wait is the time before the try after the given one: doubled each time, and
// from half of that to all of it by the seed, so that what has failed together
// does not come back together.
func (r Retry) wait(seed uint64, try int) time.Duration {
	d := r.Backoff
	for n := 1; n < try && d < r.MaxBackoff; n++ {
		d *= 2
	}
	if r.MaxBackoff > 0 {
		d = min(d, r.MaxBackoff)
	}
	h := fnv.New64a()
	h.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, seed), uint64(try)))
	part := float64(h.Sum64()>>11) / (1 << 53)
	return d/2 + time.Duration(part*float64(d/2))
}

// wakePaused makes vertices ready whose time has come, in the order in which
// they errored. One whose next try no budget covers stays errored.
func (g *Graph) wakePaused() {
	for _, a := range g.accounts {
		a.awaited = false
	}
	still := g.again[:0]
	for _, i := range g.again {
		v := &g.vertices[i]
		if v.state != paused {
			continue
		}
		if v.due > g.now {
			still = append(still, i)
			continue
		}
		ok, lost := g.afford(v)
		switch {
		case ok:
			v.state = ready
			g.enqueue(i)
		case lost:
			g.end(i, Errored, ReasonBudget, "")
		default:
			still = append(still, i)
		}
	}
	g.again = still
}

// Wake says when Next has to be called even if nothing finishes. It is not ok if
// there is no such time.
func (g *Graph) Wake() (at time.Duration, ok bool) {
	soonest := func(t time.Duration) {
		if !ok || t < at {
			at, ok = t, true
		}
	}
	for _, i := range g.again {
		if v := &g.vertices[i]; v.state == paused && v.due > g.now {
			soonest(v.due)
		}
	}
	if g.hold != nil {
		soonest(g.hold.until)
	}
	g.wakeForDeadlines(soonest)
	for _, b := range g.breakers {
		if b.watching() {
			soonest(b.since + breakerTime)
		}
	}
	return at, ok
}
