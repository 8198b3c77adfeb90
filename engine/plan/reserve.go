package plan

import (
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// reserve says what each attempt of a trial may spend, where a budget bounds the
// sum: its limit, or else what 95 % of the earlier attempts of its kind have
// spent at most.
func (b *builder) reserve() {
	kinds := map[string]*spent{}
	var bounded []*engine.Trial
	for _, t := range b.plan.Trials {
		s, m := b.plan.Suite.Budget, t.Matrix.Budget
		if t.Model == nil || s.Cost+m.Cost <= 0 && s.Tokens+m.Tokens <= 0 {
			continue
		}
		t.Reserve = engine.Reserve{Cost: t.Limits.Cost, Tokens: t.Limits.Tokens}
		if t.Reserve.Cost <= 0 || t.Reserve.Tokens <= 0 {
			bounded = append(bounded, t)
			kinds[t.ID.Work()] = &spent{}
		}
	}
	if len(bounded) == 0 || b.history == nil {
		return
	}
	for s := range b.history.All() {
		if k := kinds[s.Trial.Work()]; k != nil {
			k.add(s)
		}
	}
	for _, k := range kinds {
		slices.Sort(k.costs)
		slices.Sort(k.tokens)
	}
	for _, t := range bounded {
		k := kinds[t.ID.Work()]
		t.Reserve.Cost, t.Reserve.Tokens = most(t.Reserve.Cost, k.costs), most(t.Reserve.Tokens, k.tokens)
	}
}

// spent is what attempts of one kind have spent, as far as it is known.
type spent struct {
	costs  []float64
	tokens []int64
}

func (k *spent) add(s *engine.Stored) {
	if s.Cost != nil {
		k.costs = append(k.costs, *s.Cost)
	}
	if s.Tokens != nil {
		k.tokens = append(k.tokens, *s.Tokens)
	}
}

// most is a limit, or if there is none, what 95 % of some amounts are at most; 0 if
// there are none. The amounts are sorted.
func most[T int64 | float64](limit T, amounts []T) T {
	if limit > 0 || len(amounts) == 0 {
		return limit
	}
	return amounts[min(len(amounts)-1, len(amounts)*95/100)]
}
