package plan

import (
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// reserve says what each attempt of a trial may spend, where a budget bounds the
// sum: its limit, or else what 95 % of the earlier attempts of its kind have
// spent at most.
func (b *builder) reserve() {
	spent := map[string][]float64{}
	var bounded []*engine.Trial
	for _, t := range b.plan.Trials {
		s, m := b.plan.Suite.Budget, t.Matrix.Budget
		if t.Model == nil || s.Cost+m.Cost <= 0 && s.Tokens+m.Tokens <= 0 {
			continue
		}
		t.Reserve = engine.Reserve{Cost: t.Limits.Cost, Tokens: t.Limits.Tokens}
		if t.Reserve.Cost <= 0 {
			bounded = append(bounded, t)
			spent[t.ID.Work()] = nil
		}
	}
	if len(bounded) == 0 || b.history == nil {
		return
	}
	for s := range b.history.All() {
		work := s.Trial.Work()
		if _, wanted := spent[work]; wanted && s.Cost != nil {
			spent[work] = append(spent[work], *s.Cost)
		}
	}
	for work, costs := range spent {
		slices.Sort(costs)
		spent[work] = costs
	}
	for _, t := range bounded {
		if costs := spent[t.ID.Work()]; len(costs) > 0 {
			t.Reserve.Cost = costs[min(len(costs)-1, len(costs)*95/100)]
		}
	}
}
