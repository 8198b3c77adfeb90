package reporters_test

import (
	"fmt"
	"math"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

func ExampleSummarize() {
	results := reporters.Results(reportertest.Example())
	sum := reporters.Summarize(results)
	fmt.Println(sum.Sentence())
	fmt.Println(reporters.Percent(sum.PassRate), "%")
	// Output:
	// 14 trials: 4 passed, 3 failed, 5 errored, 1 skipped, 1 cancelled (2 reused)
	// 57.1 %
}

func TestStatusesAddUp(t *testing.T) {
	for name, build := range reportertest.Runs() {
		results := reporters.Results(build())
		s := reporters.Summarize(results)
		sum := 0
		for _, status := range engine.Statuses {
			sum += s.Count(status)
		}
		if sum != s.Trials || s.Trials != len(results) {
			t.Errorf("%s: %d results are %d trials with %d statuses", name, len(results), s.Trials, sum)
		}
	}
}

func TestNoVerdictIsUnknown(t *testing.T) {
	results := []engine.Result{
		{Trial: &engine.Trial{}, Outcome: engine.Outcome{Status: engine.StatusErrored}},
		{Trial: &engine.Trial{}, Outcome: engine.Outcome{Status: engine.StatusSkipped}},
	}
	s := reporters.Summarize(results)
	if s.PassRate != nil || s.Score != nil || s.P50 != nil || s.Total != nil || s.Complete() {
		t.Errorf("without a verdict, the summary says %+v", s)
	}
	if got := reporters.Percent(s.PassRate); got != "unknown" {
		t.Errorf("the pass rate reads %q, want unknown", got)
	}
}

func TestNoStatusIsAnError(t *testing.T) {
	run := &engine.Run{Results: make([]engine.Result, 1)}
	if s := reporters.Summarize(reporters.Results(run)); s.Errored != 1 {
		t.Errorf("a result without a status counts as %q, want an error", s.Sentence())
	}
	if run.Results[0].Outcome.Status != engine.StatusInvalid || run.Results[0].Trial != nil {
		t.Error("Results has changed the run")
	}
}

func TestDurations(t *testing.T) {
	result := func(status engine.Status, took time.Duration) engine.Result {
		return engine.Result{Trial: &engine.Trial{}, Attempt: &engine.Attempt{Took: took}, Outcome: engine.Outcome{Status: status}}
	}
	s := reporters.Summarize([]engine.Result{
		result(engine.StatusPassed, 8*time.Second), result(engine.StatusFailed, 2*time.Second),
		result(engine.StatusPassed, 4*time.Second), result(engine.StatusPassed, 3*time.Second),
		result(engine.StatusCancelled, time.Hour), result(engine.StatusPassed, 0),
	})
	if got, want := *s.P50, 3500*time.Millisecond; got != want {
		t.Errorf("the median of the verdicts is %v, want %v", got, want)
	}
	if got, want := *s.Total, time.Hour+17*time.Second; got != want {
		t.Errorf("the total of all is %v, want %v", got, want)
	}
}

func TestMetrics(t *testing.T) {
	result := func(checks ...map[string]engine.Metric) engine.Result {
		r := engine.Result{Trial: &engine.Trial{}, Grade: &engine.Grade{}, Outcome: engine.Outcome{Status: engine.StatusPassed}}
		for _, m := range checks {
			r.Grade.Checks = append(r.Grade.Checks, engine.CheckResult{Metrics: m})
		}
		return r
	}
	s := reporters.Summarize([]engine.Result{
		result(map[string]engine.Metric{"loss": {Value: 1}, "time": {Value: 5, Unit: "s"}}, map[string]engine.Metric{"loss": {Value: 100}}),
		result(map[string]engine.Metric{"loss": {Value: 4}, "time": {Value: 5000, Unit: "ms"}}),
		result(map[string]engine.Metric{"loss": {Value: math.NaN()}}),
		result(),
		{Trial: &engine.Trial{}, Outcome: engine.Outcome{Status: engine.StatusSkipped}},
	})
	want := []reporters.MetricSummary{
		{Name: "loss", N: 2, Mean: 2.5, Min: 1, Max: 4},
		{Name: "time", Unit: "ms", N: 1, Mean: 5000, Min: 5000, Max: 5000},
		{Name: "time", Unit: "s", N: 1, Mean: 5, Min: 5, Max: 5},
	}
	if diff := cmp.Diff(want, s.Metrics); diff != "" {
		t.Errorf("metrics (-want +got):\n%s", diff)
	}
}

func TestMeanOfHugeValuesIsFinite(t *testing.T) {
	r := func() engine.Result {
		return engine.Result{Trial: &engine.Trial{}, Outcome: engine.Outcome{Status: engine.StatusPassed},
			Grade: &engine.Grade{Checks: []engine.CheckResult{{Metrics: map[string]engine.Metric{"m": {Value: math.MaxFloat64}}}}}}
	}
	if got := reporters.Summarize([]engine.Result{r(), r()}).Metrics[0].Mean; got != math.MaxFloat64 {
		t.Errorf("the mean is %v", got)
	}
}

func TestPercent(t *testing.T) {
	for _, c := range []struct {
		rate float64
		want string
	}{{0, "0.0"}, {1, "100.0"}, {0.5, "50.0"}, {2.0 / 3, "66.7"}, {0.99999, "99.9"}, {0.00001, "0.1"}} {
		if got := reporters.Percent(&c.rate); got != c.want {
			t.Errorf("Percent(%v) is %q, want %q", c.rate, got, c.want)
		}
	}
}
