package reporters_test

import (
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

func TestVariants(t *testing.T) {
	for want, variants := range map[string][]engine.Variant{
		"":                                   {"", ""},
		"assets full":                        {"full", "", "full"},
		"assets mini":                        {"mini"},
		"assets mini in 1 trial, full in 2":  {"full", "mini", "", "full"},
		"assets mini in 2 trials, full in 1": {"full", "mini", "mini"},
	} {
		var results []engine.Result
		for _, v := range variants {
			results = append(results, engine.Result{Trial: &engine.Trial{Assets: v}, Outcome: engine.Outcome{Status: engine.StatusPassed}})
		}
		if got := reporters.Summarize(results).Assets.Sentence(); got != want {
			t.Errorf("%v: got %q, want %q", variants, got, want)
		}
	}
}
