package graph_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine/graph"
)

// drawConfig draws a graph with everything in it. Edges only point backwards.
func drawConfig(t *rapid.T) graph.Config {
	n := func(name string, low, high int) int { return rapid.IntRange(low, high).Draw(t, name) }
	c := graph.Config{
		Capacity: map[string]int64{"memory": int64(n("memory", 3, 6)), "lock": 1},
		Machine:  []string{"memory", "gpu"},
		Devices:  map[string][]string{"gpu": {"0", "1"}},
		Accounts: map[string]float64{"usd": float64(n("usd", 1, 30))},
		Scopes: []graph.Scope{
			{Name: "m", MaxErrors: n("max_errors", 0, 3), FailFast: rapid.Bool().Draw(t, "fail_fast")},
			{Name: "n", Deadline: time.Duration(n("deadline", 0, 90)) * time.Second},
		},
	}
	members := map[string]graph.Vertex{} // the first of each round: the others wait for the same
	for i := range n("vertices", 1, 30) {
		v := graph.Vertex{ID: fmt.Sprint("v", i), Rank: n("rank", 0, 3), Seed: uint64(i), Counts: rapid.Bool().Draw(t, "counts")}
		for j := range i {
			switch id := fmt.Sprint("v", j); n("edge", 0, 14) {
			case 0:
				v.Needs = append(v.Needs, id)
			case 1:
				v.Any = append(v.Any, id)
			case 2:
				v.After = append(v.After, id)
			}
		}
		most := map[string]int{"memory": 3, "lock": 1, "gpu": 2}
		for _, name := range []string{"gpu", "lock", "memory"} {
			if amount := n(name, 0, most[name]); amount > 0 {
				v.Takes = append(v.Takes, graph.Claim{Name: name, Amount: int64(amount)})
			}
		}
		v.Scopes = []([]string){nil, {"m"}, {"n"}, {"m", "n"}}[n("scopes", 0, 3)]
		if spends := n("spends", 0, 4); spends > 0 {
			v.Round, v.Spends = fmt.Sprint("r", n("round", 0, 4)), map[string]float64{"usd": float64(spends)}
			if first, ok := members[v.Round]; ok {
				v.Needs, v.Any, v.After = first.Needs, first.Any, first.After
			} else {
				members[v.Round] = v
			}
		}
		if n("breaker", 0, 2) == 0 {
			v.Breaker = "provider"
		}
		v.Retry = graph.Retry{Attempts: n("attempts", 0, 3), On: []string{"sandbox", "provider", "auth"}, Backoff: 5 * time.Second, MaxBackoff: 20 * time.Second}
		c.Vertices = append(c.Vertices, v)
	}
	return c
}

// A referee follows a graph from its actions alone, and knows the rules.
type referee struct {
	*rapid.T
	config  graph.Config
	byID    map[string]graph.Vertex
	ends    map[string]graph.End
	running map[string]graph.Start
	tries   map[string]int
	spent   float64
	log     []string
}

func newReferee(t *rapid.T, c graph.Config) *referee {
	r := &referee{T: t, config: c, byID: map[string]graph.Vertex{}, ends: map[string]graph.End{}, running: map[string]graph.Start{}, tries: map[string]int{}}
	for _, v := range c.Vertices {
		r.byID[v.ID] = v
	}
	return r
}

func (r *referee) see(a graph.Action) {
	r.log = append(r.log, fmt.Sprintf("%T %+v", a, a))
	switch a := a.(type) {
	case graph.Start:
		r.started(a)
	case graph.Again:
		if r.byID[a.ID].Retry.Attempts <= a.Try {
			r.Fatalf("%s is tried again after try %d", a.ID, a.Try)
		}
	case graph.End:
		if _, again := r.ends[a.ID]; again {
			r.Fatalf("%s ended twice", a.ID)
		}
		if _, runs := r.running[a.ID]; runs {
			r.Fatalf("%s ended while it ran", a.ID)
		}
		r.ends[a.ID] = a
	}
}

func (r *referee) started(a graph.Start) {
	v := r.byID[a.ID]
	if _, over := r.ends[a.ID]; over || a.Try != r.tries[a.ID]+1 {
		r.Fatalf("%s starts with try %d after %d", a.ID, a.Try, r.tries[a.ID])
	}
	r.tries[a.ID] = a.Try
	for _, id := range slices.Concat(v.Needs, v.After) {
		if _, over := r.ends[id]; !over {
			r.Fatalf("%s starts before %s has ended", a.ID, id)
		}
	}
	if slices.ContainsFunc(v.Needs, func(id string) bool { return r.ends[id].Status != graph.Done }) {
		r.Fatalf("%s starts although a need is not done", a.ID)
	}
	if len(v.Any) > 0 && !slices.ContainsFunc(v.Any, func(id string) bool { return r.ends[id].Status == graph.Done }) {
		r.Fatalf("%s starts although none of %v is done", a.ID, v.Any)
	}
	r.running[a.ID] = a
	used, units, aside := map[string]int64{}, map[string]bool{}, r.spent
	for id, s := range r.running {
		for _, c := range r.byID[id].Takes {
			used[c.Name] += c.Amount
		}
		for _, unit := range s.Devices["gpu"] {
			if units[unit] {
				r.Fatalf("gpu %s has two users", unit)
			}
			units[unit] = true
		}
		aside += r.byID[id].Spends["usd"]
	}
	if used["memory"] > r.config.Capacity["memory"] || used["lock"] > 1 || used["gpu"] > 2 || int64(len(units)) != used["gpu"] {
		r.Fatalf("too much is used: %v, %v", used, units)
	}
	if aside > r.config.Accounts["usd"]+1e-9 {
		r.Fatalf("%v may be spent of %v", aside, r.config.Accounts["usd"])
	}
}

// drive runs a graph to its end; decide says what comes of a try.
func (r *referee) drive(decide func(id string, n int) (graph.Report, time.Duration)) {
	g, err := graph.New(r.config)
	if err != nil {
		r.Fatal(err)
	}
	var now time.Duration
	for step := 0; ; step++ {
		if step > 2000 {
			r.Fatal("it does not end")
		}
		for _, a := range g.Next(now) {
			r.see(a)
		}
		if g.Over() {
			break
		}
		if g.Running() != len(r.running) {
			r.Fatalf("%d run, not %d", g.Running(), len(r.running))
		}
		ids := []string{}
		for _, v := range r.config.Vertices {
			if _, runs := r.running[v.ID]; runs {
				ids = append(ids, v.ID)
			}
		}
		if len(ids) == 0 {
			at, ok := g.Wake()
			if !ok && !g.Over() {
				r.Fatal("nothing runs, and nothing can start")
			}
			now = max(now, at)
			continue
		}
		id := ids[step%len(ids)]
		report, took := decide(id, step)
		now += took
		delete(r.running, id)
		r.spent += report.Spent["usd"]
		g.Finish(id, report, now)
	}
	if len(r.ends) != len(r.config.Vertices) {
		r.Fatalf("%d of %d ended", len(r.ends), len(r.config.Vertices))
	}
}

// Every schedule respects every edge, every vertex ends exactly once, nothing is
// over-used or overspent, no round is half begun, and equal input gives equal
// order.
func TestSchedules(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawConfig(t)
		type fate struct {
			report graph.Report
			took   time.Duration
		}
		var fates []fate
		decide := func(id string, n int) (graph.Report, time.Duration) {
			for len(fates) <= n {
				r := graph.Report{Status: rapid.SampledFrom([]graph.Status{graph.Done, graph.Done, graph.Done, graph.Failed, graph.Errored, graph.Errored, graph.Skipped, graph.Cancelled}).Draw(t, "status")}
				r.Class = rapid.SampledFrom([]string{"sandbox", "provider", "auth", "check"}).Draw(t, "class")
				fates = append(fates, fate{r, time.Duration(rapid.IntRange(0, 30).Draw(t, "took")) * time.Second})
			}
			f := fates[n]
			f.report.Spent = map[string]float64{"usd": 0}
			for _, v := range c.Vertices {
				if v.ID == id {
					f.report.Spent["usd"] = v.Spends["usd"] / 2
				}
			}
			return f.report, f.took
		}
		first := newReferee(t, c)
		first.drive(decide)
		first.checkRounds()
		again := newReferee(t, c)
		again.drive(decide)
		if !slices.Equal(first.log, again.log) {
			t.Fatalf("not the same order again:\n%v\n%v", first.log, again.log)
		}
	})
}

// checkRounds demands that no round has members that started beside such as the
// budget did not cover.
func (r *referee) checkRounds() {
	begun, refused := map[string]string{}, map[string]string{}
	for id, e := range r.ends {
		v := r.byID[id]
		if r.tries[id] > 0 {
			begun[v.Round] = id
		} else if e.Reason == graph.ReasonBudget && e.Cause == "" {
			refused[v.Round] = id
		}
	}
	for round, id := range refused {
		if other, ok := begun[round]; ok && round != "" {
			r.Fatalf("round %s: %s was begun, and %s was not", round, other, id)
		}
	}
}
