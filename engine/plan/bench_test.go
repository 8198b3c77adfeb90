package plan_test

import (
	"fmt"
	"iter"
	"runtime"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

func BenchmarkPlan(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) { benchmark(b, n, nil) })
	}
}

func BenchmarkPlanAgainstHistory(b *testing.B) {
	const n = 100_000
	p, _ := plan.New(large(n), nil, plan.Options{})
	h := &finished{runs: map[engine.Digest]*engine.Stored{}, ids: map[engine.TrialID]*engine.Stored{}}
	for _, t := range p.Trials {
		s := &engine.Stored{Trial: t.ID, N: 1, Run: t.Run.Key.Sum, Took: time.Minute, Grades: []engine.StoredGrade{{N: 1, Check: t.Check.Key.Sum, Outcome: passed}}}
		h.all, h.runs[s.Run], h.ids[s.Trial] = append(h.all, s), s, s
	}
	benchmark(b, n, h)
}

func benchmark(b *testing.B, n int, h plan.History) {
	before := heap()
	b.ReportAllocs()
	var p *engine.Plan
	for b.Loop() {
		p, _ = plan.New(large(n), h, plan.Options{})
	}
	if len(p.Trials) != n || h != nil && len(p.Steps) > 0 {
		b.Fatalf("%d trials and %d steps", len(p.Trials), len(p.Steps))
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/plan")
	b.ReportMetric(float64(heap()-before)/float64(n), "heap-B/trial")
	runtime.KeepAlive(p)
}

func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// finished is a history that is quick to ask.
type finished struct {
	all  []*engine.Stored
	runs map[engine.Digest]*engine.Stored
	ids  map[engine.TrialID]*engine.Stored
}

func (*finished) HasSnapshot(*engine.Stored) bool               { return true }
func (f *finished) Best(run engine.Digest) *engine.Stored       { return f.runs[run] }
func (f *finished) Latest(id engine.TrialID) *engine.Stored     { return f.ids[id] }
func (f *finished) Keys(*engine.Stored) (run, check engine.Key) { return engine.Key{}, engine.Key{} }
func (f *finished) All() iter.Seq[*engine.Stored] {
	return func(yield func(*engine.Stored) bool) {
		for _, s := range f.all {
			if !yield(s) {
				return
			}
		}
	}
}
