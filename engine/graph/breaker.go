package graph

import "time"

// Classes of errors that a provider is given up for.
const (
	ClassAuth     = "auth"     // its answer will not change by asking again
	ClassProvider = "provider" // it does not answer as it should
)

const (
	breakerAuths  = 5           // errors of authorisation, one after the other
	breakerErrors = 5           // errors of any kind before a minute without success counts
	breakerTime   = time.Minute // without any success
)

// A breaker watches over one provider. When it opens, vertices that ask the
// provider and do not run end as errored.
type breaker struct {
	name  string
	auths int           // since the last success
	bad   int           // errors of any kind since then
	since time.Duration // of the first of them
	class string        // of the last one
	open  bool
}

func (b *breaker) watching() bool { return !b.open && b.bad >= breakerErrors }

// observe takes in what came of asking the provider.
func (g *Graph) observe(b *breaker, r Report) {
	switch {
	case b.open:
		return
	case r.Status == Cancelled, r.Status == Errored && r.Class != ClassAuth && r.Class != ClassProvider:
		return // it says nothing of the provider
	case r.Status != Errored:
		b.auths, b.bad = 0, 0
		return
	}
	if b.bad == 0 {
		b.since = g.now
	}
	b.bad++
	b.class = r.Class
	if b.auths++; r.Class != ClassAuth {
		b.auths = 0
	}
	if b.auths >= breakerAuths || b.bad >= breakerErrors && g.now-b.since >= breakerTime {
		g.openBreaker(b)
	}
}

func (g *Graph) openBreaker(b *breaker) {
	b.open = true
	for i := range g.vertices {
		if v := &g.vertices[i]; v.breaker == b && v.state != ended && v.state != running {
			g.end(i, Errored, b.class, b.name)
		}
	}
}
