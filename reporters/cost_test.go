package reporters_test

import (
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

// spent is a result of a model whose attempt and earlier tries cost that much.
func spent(status engine.Status, cost *float64, earlier ...*float64) engine.Result {
	r := engine.Result{Trial: &engine.Trial{Model: &engine.Model{Name: "gpt"}}, Outcome: engine.Outcome{Status: status},
		Attempt: &engine.Attempt{N: len(earlier) + 1, Cost: cost, Tokens: new(int64(10))}}
	for i, c := range earlier {
		r.Earlier = append(r.Earlier, engine.Try{N: i + 1, Cost: c, Outcome: engine.Outcome{Status: engine.StatusErrored}})
	}
	return r
}

func TestCost(t *testing.T) {
	passed, errored := engine.StatusPassed, engine.StatusErrored
	free := spent(passed, nil, nil)
	free.Trial.Model = nil
	shared := spent(passed, new(2.0))
	shared.Attempt.Key.Sum = engine.Digest{1}
	for _, c := range []struct {
		name    string
		results []engine.Result
		want    string
	}{
		{"nothing", nil, "cost $0.00"},
		{"never started", []engine.Result{{Trial: &engine.Trial{Model: &engine.Model{}}, Outcome: engine.Outcome{Status: engine.StatusSkipped}}}, "cost $0.00"},
		{"a trial without a model costs nothing", []engine.Result{free, spent(passed, new(1.0))}, "cost $1.00"},
		{"earlier tries are paid for", []engine.Result{spent(passed, new(1.0), new(0.25))}, "cost $1.25, $0.25 of it without a verdict"},
		{"so are errors", []engine.Result{spent(errored, new(1.0))}, "cost $1.00, $1.00 of it without a verdict"},
		{"an unknown attempt", []engine.Result{spent(passed, nil), spent(passed, new(1.0))}, "cost unknown"},
		{"an unknown earlier try", []engine.Result{spent(passed, new(1.0), nil)}, "cost unknown"},
		{"not a number", []engine.Result{spent(passed, new(math.NaN()))}, "cost unknown"},
		{"less than nothing", []engine.Result{spent(passed, new(-1.0))}, "cost unknown"},
		{"more than a number holds", []engine.Result{spent(passed, new(math.MaxFloat64)), spent(passed, new(math.MaxFloat64))}, "cost unknown"},
		{"shared work is paid for once", []engine.Result{shared, shared}, "cost $2.00"},
		{"less than a cent", []engine.Result{spent(passed, new(0.001))}, "cost <$0.01"},
	} {
		if got := reporters.Summarize(c.results).Cost.Sentence(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
}

func TestTokens(t *testing.T) {
	once, again, free := spent(engine.StatusPassed, nil), spent(engine.StatusPassed, nil, nil), spent(engine.StatusPassed, nil, nil)
	again.Earlier[0].Tokens = new(int64(5))
	free.Trial.Model, free.Attempt.Tokens = nil, nil
	for _, c := range []struct {
		name    string
		results []engine.Result
		want    int64
	}{
		{"two attempts of 10", []engine.Result{once, once}, 20},
		{"an earlier try of 5 comes on top", []engine.Result{once, again}, 25},
		{"two tries without a model", []engine.Result{once, free}, 10},
		{"two earlier tries of a trial that ended before the third", []engine.Result{{Trial: again.Trial, Outcome: again.Outcome, Earlier: slices.Repeat(again.Earlier, 2)}}, 10},
	} {
		if diff := cmp.Diff(&c.want, reporters.Summarize(c.results).Cost.Tokens); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
	unknown, lost, less := spent(engine.StatusPassed, nil), spent(engine.StatusPassed, nil, nil), spent(engine.StatusPassed, nil, nil)
	unknown.Attempt.Tokens = nil
	less.Earlier[0].Tokens = new(int64(-1))
	for _, r := range []engine.Result{unknown, lost, less} {
		if got := reporters.Summarize([]engine.Result{once, r}).Cost.Tokens; got != nil {
			t.Errorf("the tokens of some attempt are not known, but those of all are %d", *got)
		}
	}
}

func TestFirstTry(t *testing.T) {
	s := reporters.Summarize(reporters.Results(reportertest.Eventful()))
	if got, want := s.Sentence(), "14 trials: 4 passed, 1 failed, 1 errored, 6 skipped, 2 cancelled (1 reused; 4 retried)"; got != want {
		t.Errorf("the sentence is %q, want %q", got, want)
	}
	if s.Tries != 14 || s.First.Passed != 2 || s.First.Failed != 0 || *s.First.PassRate != 1 || !s.FirstDiffers() {
		t.Errorf("%d tries, and at first %+v; want 14, and two of two passed", s.Tries, s.First)
	}
	if s := reporters.Summarize(reporters.Results(reportertest.Example())); s.FirstDiffers() {
		t.Error("nothing was retried, but the first try differs")
	}
}
