package graph

import (
	"fmt"
	"slices"
	"time"
)

// A Scope is a part of the work that can end before all of it is done.
type Scope struct {
	Name      string
	MaxErrors int           // so many errored trials close it; 0 for never
	FailFast  bool          // the first trial that failed or errored closes it, and stops what runs
	Deadline  time.Duration // from its first start; 0 for none
}

// All is the name of the scope that everything is in, but for vertices without a
// scope. It need not be declared.
const All = ""

// Reasons for which scopes close by themselves.
const (
	ReasonMaxErrors = "max_errors"
	ReasonFailFast  = "fail_fast"
	ReasonDeadline  = "deadline"
)

type scopes struct {
	byName map[string]*scope
	all    *scope
	list   []*scope
}

type scope struct {
	Scope
	errors int
	began  bool
	from   time.Duration
	closed bool
	stops  bool // what runs, too
	reason string
}

// shuts reports whether the scope keeps a vertex from starting.
func (s *scope) shuts(v *vertex) bool { return s.closed && (s.stops || !v.Tail) }

func (s *scopes) init(declared []Scope) error {
	s.byName = map[string]*scope{}
	for _, d := range declared {
		if s.byName[d.Name] != nil {
			return fmt.Errorf("graph: scope %q twice", d.Name)
		}
		s.byName[d.Name] = &scope{Scope: d}
		s.list = append(s.list, s.byName[d.Name])
	}
	if s.byName[All] == nil {
		s.byName[All] = &scope{}
		s.list = append(s.list, s.byName[All])
	}
	s.all = s.byName[All]
	s.all.began = true // with the walk itself
	return nil
}

func (s *scopes) add(v *vertex) error {
	for _, name := range v.Scopes {
		if s.byName[name] == nil {
			return fmt.Errorf("graph: vertex %q is in scope %q, which is not there", v.ID, name)
		}
		v.scopes = append(v.scopes, s.byName[name])
	}
	return nil
}

// isShut reports whether a vertex may not start any more.
func (g *Graph) isShut(v *vertex) bool {
	if len(v.scopes) == 0 {
		return false
	}
	if g.all.shuts(v) {
		return true
	}
	return !slices.ContainsFunc(v.scopes, func(s *scope) bool { return !s.shuts(v) })
}

// stopped reports whether a vertex that runs should end.
func (g *Graph) stopped(v *vertex) bool {
	return g.all.stops || !slices.ContainsFunc(v.scopes, func(s *scope) bool { return !s.stops })
}

// why is the reason for which the scopes of a vertex are closed.
func (g *Graph) why(v *vertex) string {
	if g.all.closed {
		return g.all.reason
	}
	return v.scopes[0].reason
}

// Close closes a scope for a reason: what could start ends as skipped, or as
// errored if it was tried and waits to be tried again; what waits for others
// ends when they do. With stop, what runs is to be cancelled. A scope that is
// closed stays so, but can still be stopped.
func (g *Graph) Close(name, reason string, stop bool) {
	s := g.byName[name]
	if s == nil {
		panic(fmt.Sprintf("graph: scope %q is not there", name))
	}
	if !s.closed {
		s.closed, s.reason = true, reason
	}
	s.stops = s.stops || stop
	for i := range g.vertices {
		v := &g.vertices[i]
		if v.state == ended || !g.isShut(v) {
			continue
		}
		switch v.state {
		case running:
			if stop && g.stopped(v) {
				g.out = append(g.out, Cancel{v.ID, reason})
			}
		case paused, ready:
			if v.tries > 0 {
				g.end(i, Errored, g.why(v), "")
			} else {
				g.end(i, Skipped, g.why(v), "")
			}
		}
	}
}

// count takes in how a trial ended.
func (g *Graph) count(v *vertex, s Status) {
	if s != Failed && s != Errored {
		return
	}
	for _, in := range v.scopes {
		if s == Errored {
			in.errors++
		}
		switch {
		case in.closed:
		case in.FailFast:
			g.Close(in.Name, ReasonFailFast, true)
		case in.MaxErrors > 0 && in.errors >= in.MaxErrors:
			g.Close(in.Name, ReasonMaxErrors, false)
		}
	}
}

// begin notes that a vertex of some scopes has started.
func (g *Graph) begin(v *vertex) {
	for _, s := range v.scopes {
		if !s.began {
			s.began, s.from = true, g.now
		}
	}
}

// closeLate closes the scopes whose time is over, and opens breakers whose
// minute is.
func (g *Graph) closeLate() {
	for _, s := range g.list {
		if s.Deadline > 0 && s.began && !s.closed && g.now >= s.from+s.Deadline {
			g.Close(s.Name, ReasonDeadline, true)
		}
	}
	for _, b := range g.breakers {
		if b.watching() && g.now-b.since >= breakerTime {
			g.openBreaker(b)
		}
	}
}

func (g *Graph) wakeForDeadlines(soonest func(time.Duration)) {
	for _, s := range g.list {
		if s.Deadline > 0 && s.began && !s.closed {
			soonest(s.from + s.Deadline)
		}
	}
}
