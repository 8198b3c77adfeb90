package junit

import (
	"strconv"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

func suiteProperties(run *engine.Run) properties {
	ps := properties{
		{"bench", reporters.Line(run.Version.Bench)},
		{"suite", reporters.Line(reporters.Suite(run).Name)},
		{"seed", strconv.FormatUint(reporters.Suite(run).Seed, 10)},
	}
	if w := reporters.Line(run.Origin.Weakness); w != "" {
		ps = append(ps, property{"weakness", w})
	}
	return ps
}

func trialProperties(r *engine.Result) properties {
	id := r.Trial.ID
	ps := properties{
		{"case", reporters.Line(id.Case)},
		{"agent", reporters.Line(id.Agent)},
	}
	if id.Model != "" {
		ps = append(ps, property{"model", reporters.Line(id.Model)})
	}
	for _, p := range id.Points() {
		ps = append(ps, property{"axis." + reporters.Line(p[0]), reporters.Line(p[1])})
	}
	if r.Trial.Assets != "" {
		ps = append(ps, property{"assets", string(r.Trial.Assets)})
	}
	ps = append(ps,
		property{"seed", strconv.FormatUint(r.Trial.Seed, 10)},
		property{"reused", strconv.FormatBool(r.Reused)})
	if r.Attempt != nil {
		ps = append(ps, property{"attempt", strconv.Itoa(r.Attempt.N)})
	}
	ps = append(ps, tryProperties(r)...)
	if score := reporters.Score(r); score != nil {
		ps = append(ps, property{"score", number(*score)})
	}
	for _, w := range r.Weaknesses() {
		ps = append(ps, property{"weakness", reporters.Line(w)})
	}
	for _, m := range reporters.TrialMetrics(r) {
		name := "metric." + reporters.Line(m.Name)
		ps = append(ps, property{name, number(m.Value)})
		if m.Unit != "" {
			ps = append(ps, property{name + ".unit", reporters.Line(m.Unit)})
		}
	}
	return ps
}

// tryProperties count the attempts, and tell of each if there were several.
func tryProperties(r *engine.Result) properties {
	tries := reporters.Tries(r)
	if len(tries) == 0 {
		return nil
	}
	ps := properties{{"tries", strconv.Itoa(len(tries))}}
	if len(tries) == 1 {
		return ps
	}
	ps = append(ps, property{"first_try", reporters.Line(tries[0].Outcome.String())})
	for _, t := range tries {
		ps = append(ps, property{"try." + strconv.Itoa(t.N), t.Sentence(reporters.HasModel(r.Trial))})
	}
	return ps
}

func number(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
