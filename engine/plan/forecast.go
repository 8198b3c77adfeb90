package plan

import (
	"math"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// findGone lists the trials that are stored and that the suite does not have.
func (b *builder) findGone(cells []*cell) {
	if b.history == nil {
		return
	}
	trials := make(map[engine.TrialID]int, len(cells)) // by cell
	for _, c := range cells {
		trials[c.id()] = c.trials
	}
	gone := map[engine.TrialID]string{}
	for s := range b.history.All() {
		cell := s.Trial
		cell.N = 0
		if s.Trial.N > trials[cell] {
			gone[s.Trial] = s.Trial.String()
		}
	}
	for id := range gone {
		b.plan.Gone = append(b.plan.Gone, id)
	}
	slices.SortFunc(b.plan.Gone, func(x, y engine.TrialID) int { return strings.Compare(gone[x], gone[y]) })
}

// A sample is what earlier trials of one kind of work took.
type sample struct {
	attempts   int // that say something
	time, cost moments
	free       bool // no model is asked
}

// forecast adds up the means of earlier trials over the runs of the plan.
func (b *builder) forecast() {
	if b.history == nil {
		b.plan.Expect.Unknown = WorstCase(b.plan).Runs
		return
	}
	work := map[string]*sample{}
	var runs []*sample // in the order of the plan
	for _, step := range b.plan.Steps {
		run, ok := step.(*engine.RunStep)
		if !ok {
			continue
		}
		name := run.Trials[0].ID.Work()
		if work[name] == nil {
			work[name] = &sample{free: run.Trials[0].Model == nil}
		}
		runs = append(runs, work[name])
	}
	if len(runs) == 0 {
		return
	}
	for s := range b.history.All() {
		if w := work[s.Trial.Work()]; w != nil {
			w.add(s)
		}
	}
	var time, cost estimate
	for _, w := range runs {
		if w.attempts == 0 {
			b.plan.Expect.Unknown++
		}
		time.add(w.time)
		if !w.free || w.cost.n > 0 {
			cost.add(w.cost)
		}
	}
	for _, w := range work {
		b.plan.Expect.Samples += w.attempts
	}
	b.plan.Expect.Time, b.plan.Expect.Cost = time.sum(), cost.sum()
}

// add takes an attempt in, unless bench or the world ended it.
func (w *sample) add(s *engine.Stored) {
	if s.Outcome.Status != engine.StatusInvalid && !s.Outcome.Verdict() || s.Took <= 0 {
		return
	}
	w.attempts++
	w.time.add(s.Took.Seconds())
	if s.Cost != nil {
		w.cost.add(*s.Cost)
	}
}

// moments are mean and variance of numbers that come one by one (Welford).
type moments struct {
	n       int
	mean    float64
	squares float64 // of the differences from the mean
}

func (m *moments) add(x float64) {
	m.n++
	d := x - m.mean
	m.mean += d / float64(m.n)
	m.squares += d * (x - m.mean)
}

// An estimate is a sum of independent works.
type estimate struct {
	known    int
	mean     float64
	variance float64
	vague    bool // there is work whose variance is not known
}

func (e *estimate) add(m moments) {
	if m.n > 0 {
		e.known++
		e.mean += m.mean
	}
	if m.n < 2 {
		e.vague = true
		return
	}
	e.variance += m.squares / float64(m.n-1)
}

func (e *estimate) sum() *engine.Estimate {
	if e.known == 0 {
		return nil
	}
	out := &engine.Estimate{Mean: e.mean}
	if !e.vague {
		out.Spread = new(math.Sqrt(e.variance))
	}
	return out
}
