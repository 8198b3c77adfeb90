package graph

import (
	"cmp"
	"maps"
	"slices"
)

// ReasonBudget is the reason of what a budget does not cover.
const ReasonBudget = "budget"

// Budgets hold the accounts, and the rounds that spend from them.
//
// A round is begun as a whole, once what all of its vertices may spend is
// covered, and not at all if that can never be: so what has been done when the
// money runs out is not the cheap part of a round. Rounds that share an account
// are begun in their order. What a vertex did not spend goes back when it ends,
// so a round may have to wait for those before it.
//
// Nothing is set aside for a round before all of it could start: what waits for
// others must not keep them from what they need. So the vertices of a round must
// not wait for each other, nor rounds for each other in a circle.
type budgets struct {
	accounts map[string]*account
	rounds   []*round
	byRound  map[string]*round
}

type account struct {
	limit    float64
	spent    float64
	aside    float64 // for vertices of rounds that were begun
	open     int     // how many they are
	finished bool    // nothing more can be begun
	awaited  bool    // by a further try, which comes before all rounds
	wanted   bool    // by that, or by an earlier round
}

// A spending is what one try of a vertex may take from an account.
type spending struct {
	*account
	name string
	most float64
}

type round struct {
	name     string
	rank     int // the lowest of its vertices
	first    int
	members  []int
	ready    []int // while it is not admitted
	left     int   // members that are neither ready nor ended
	admitted bool
}

func (b *budgets) init(limits map[string]float64) {
	b.accounts, b.byRound = map[string]*account{}, map[string]*round{}
	for name, limit := range limits {
		b.accounts[name] = &account{limit: limit}
	}
}

// add puts a vertex that spends from a limited account into its round.
func (b *budgets) add(v *vertex, i int) {
	for _, name := range slices.Sorted(maps.Keys(v.Spends)) {
		if a := b.accounts[name]; a != nil {
			v.accounts = append(v.accounts, spending{a, name, v.Spends[name]})
		}
	}
	if len(v.accounts) == 0 {
		return
	}
	r := b.byRound[v.Round]
	if r == nil {
		r = &round{name: v.Round, rank: v.Rank, first: i}
		b.byRound[v.Round] = r
		b.rounds = append(b.rounds, r)
	}
	r.rank = min(r.rank, v.Rank)
	r.members = append(r.members, i)
	r.left++
	v.round = r
}

func (b *budgets) sortRounds() {
	slices.SortFunc(b.rounds, func(x, y *round) int { return cmp.Or(x.rank-y.rank, x.first-y.first) })
}

// A demand is what a round or a try may spend from one account.
type demand struct {
	most    float64
	unknown bool // there is more, nobody knows how much
}

func (d *demand) add(s spending) {
	d.most += s.most
	d.unknown = d.unknown || s.most == 0
}

// covers reports whether an account has so much left; never says that it will
// not have more. What is not known is only covered while nothing else is open, so
// that no more than one round can overdraw.
func (a *account) covers(d demand) (covered, never bool) {
	rest := a.limit - a.spent - a.aside
	covered = !a.finished && d.most <= rest && rest > 0 && (!d.unknown || a.open == 0)
	return covered, !covered && a.open == 0
}

// admit begins the rounds that are covered, in order, and the next tries before
// them. What can never be covered any more is ended.
func (g *Graph) admit() {
	for g.admitOnce() { // a round that ended may let go an earlier one
	}
}

func (g *Graph) admitOnce() (again bool) {
	for _, a := range g.accounts {
		a.wanted = a.awaited
	}
	for _, r := range g.rounds {
		if r.admitted || len(r.ready) == 0 || r.left > 0 {
			continue
		}
		if first := g.vertices[r.ready[0]].accounts; slices.ContainsFunc(first, func(s spending) bool { return s.wanted }) {
			for _, s := range first {
				s.wanted = true // in its order
			}
			continue
		}
		need := g.needOf(r)
		fits := true
		for a, d := range need {
			if a.wanted {
				fits = false // whoever was first decides whether there is more
				continue
			}
			covered, never := a.covers(*d)
			a.finished = a.finished || never
			fits = fits && covered
		}
		for a := range need {
			a.wanted = a.wanted || !fits
		}
		switch {
		case fits:
			g.begun(r)
		case anyFinished(need):
			g.endRound(r)
			again = true
		}
	}
	g.rounds = slices.DeleteFunc(g.rounds, func(r *round) bool { return r.admitted })
	return again
}

func anyFinished(need map[*account]*demand) bool {
	for a := range need {
		if a.finished {
			return true
		}
	}
	return false
}

// needOf adds up what a round may spend.
func (g *Graph) needOf(r *round) map[*account]*demand {
	need := map[*account]*demand{}
	for _, i := range r.members {
		if v := &g.vertices[i]; v.state != ended {
			for _, s := range v.accounts {
				if need[s.account] == nil {
					need[s.account] = &demand{}
				}
				need[s.account].add(s)
			}
		}
	}
	return need
}

func (g *Graph) begun(r *round) {
	r.admitted = true
	for _, i := range r.members {
		if v := &g.vertices[i]; v.state != ended {
			g.reserve(v)
		}
	}
	for _, i := range r.ready {
		if g.vertices[i].state == ready {
			g.enqueue(i)
		}
	}
	r.ready = nil
}

// endRound ends a round of which nothing was begun.
func (g *Graph) endRound(r *round) {
	r.admitted = true
	for _, i := range r.members {
		if g.vertices[i].state != ended {
			g.end(i, Skipped, ReasonBudget, "")
		}
	}
}

func (g *Graph) reserve(v *vertex) {
	v.reserved = true
	for _, s := range v.accounts {
		s.aside += s.most
		s.open++
	}
}

// unreserve gives back what was set aside for a vertex.
func (g *Graph) unreserve(v *vertex) {
	if !v.reserved {
		return
	}
	v.reserved = false
	for _, s := range v.accounts {
		s.aside -= s.most
		if s.open--; s.open == 0 {
			s.aside = 0 // whatever sums of floats have left
		}
	}
}

// settle books what a try has spent. What is not known is taken for all that was
// set aside: an unknown is not zero.
func (g *Graph) settle(v *vertex, spent map[string]float64) {
	for _, s := range v.accounts {
		amount, known := spent[s.name]
		if !known {
			amount = s.most
		}
		s.spent += amount
	}
	g.unreserve(v)
}

// afford sets aside what the next try of a vertex may spend. If that can never
// be, lost is true.
func (g *Graph) afford(v *vertex) (ok, lost bool) {
	ok = true
	for _, s := range v.accounts {
		covered, never := s.covers(demand{s.most, s.most == 0})
		ok, lost = ok && covered, lost || never || s.finished
	}
	if ok {
		g.reserve(v)
	}
	for _, s := range v.accounts {
		s.awaited = s.awaited || !ok && !lost
	}
	return ok, lost
}
