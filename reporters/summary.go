package reporters

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// A Summary is what several results come to. Passed, Failed, Errored, Skipped
// and Cancelled add up to Trials. A nil pointer is an unknown.
type Summary struct {
	Trials    int
	Passed    int
	Failed    int
	Errored   int
	Skipped   int
	Cancelled int
	Reused    int // of Trials, those for which nothing was executed
	Retried   int // of Trials, those that were tried more than once
	Tries     int // attempts at all of them

	PassRate *float64       // passed / (passed + failed), from 0 to 1
	Score    *float64       // mean of the scores of the verdicts, from 0 to 1
	P50      *time.Duration // median of agent work over the verdicts
	Total    *time.Duration // sum of agent work over all attempts, whatever came of it
	First    FirstTry
	Cost     Cost
	Assets   Variants
	Metrics  []MetricSummary
}

// A FirstTry is what several results would come to if nothing had been tried
// again. Errors are what gets another try, so a trial may be in neither count.
type FirstTry struct {
	Passed   int
	Failed   int
	PassRate *float64 // passed / (passed + failed), from 0 to 1
}

// A MetricSummary adds up the metrics of one name and unit over the trials that
// have one. Equal names with different units are kept apart.
type MetricSummary struct {
	Name string
	Unit string
	N    int // trials that have it
	Mean float64
	Min  float64
	Max  float64
}

// FirstDiffers reports whether the pass rate at the first try is another than the
// final one. They are the same if nothing was retried.
func (s Summary) FirstDiffers() bool {
	a, b := s.First.PassRate, s.PassRate
	if a == nil || b == nil {
		return a != b
	}
	return *a != *b
}

// Complete reports whether every trial got a verdict.
func (s Summary) Complete() bool { return s.Passed+s.Failed == s.Trials }

// Count is the number of trials with the status.
func (s Summary) Count(status engine.Status) int {
	switch status {
	case engine.StatusPassed:
		return s.Passed
	case engine.StatusFailed:
		return s.Failed
	case engine.StatusErrored:
		return s.Errored
	case engine.StatusSkipped:
		return s.Skipped
	case engine.StatusCancelled:
		return s.Cancelled
	}
	return 0
}

// Summarize adds results up. They must come from [Results].
func Summarize(results []engine.Result) Summary {
	s := Summary{Trials: len(results)}
	var scores []float64
	var verdicts, all []time.Duration
	for i := range results {
		r := &results[i]
		s.count(r)
		if score := Score(r); score != nil {
			scores = append(scores, *score)
		}
		for _, t := range Tries(r) {
			if t.Took != nil {
				all = append(all, *t.Took)
			}
		}
		if took, ok := r.Took(); ok && r.Outcome.Verdict() {
			verdicts = append(verdicts, took)
		}
	}
	s.PassRate, s.First.PassRate = rate(s.Passed, s.Failed), rate(s.First.Passed, s.First.Failed)
	if len(scores) > 0 {
		s.Score = new(mean(scores))
	}
	s.P50, s.Total = median(verdicts), total(all)
	s.Metrics, s.Cost = summarizeMetrics(results), summarizeCost(results)
	return s
}

func rate(passed, failed int) *float64 {
	if passed+failed == 0 {
		return nil
	}
	return new(float64(passed) / float64(passed+failed))
}

func (s *Summary) count(r *engine.Result) {
	s.Assets.count(r.Trial)
	s.Tries += r.Tries()
	if r.Tries() > 1 {
		s.Retried++
	}
	switch r.FirstTry().Status {
	case engine.StatusPassed:
		s.First.Passed++
	case engine.StatusFailed:
		s.First.Failed++
	}
	if r.Reused {
		s.Reused++
	}
	switch r.Outcome.Status {
	case engine.StatusPassed:
		s.Passed++
	case engine.StatusFailed:
		s.Failed++
	case engine.StatusErrored:
		s.Errored++
	case engine.StatusSkipped:
		s.Skipped++
	case engine.StatusCancelled:
		s.Cancelled++
	default:
		panic("reporters: " + r.Outcome.Status.String() + " was not put right by Results")
	}
}

// Score is the score of a result, or nil if it is not known or not a number.
func Score(r *engine.Result) *float64 {
	score, ok := r.Score()
	if !ok || !finite(score) {
		return nil
	}
	return &score
}

// A Metric is an [engine.Metric] with its name.
type Metric struct {
	Name string
	engine.Metric
}

// Metrics lists those metrics of a check that are numbers, by name.
func Metrics(c *engine.CheckResult) []Metric {
	var out []Metric
	for _, name := range slices.Sorted(maps.Keys(c.Metrics)) {
		if m := c.Metrics[name]; finite(m.Value) {
			out = append(out, Metric{Name: name, Metric: m})
		}
	}
	return out
}

// TrialMetrics lists the metrics of a result by name and unit. Where two checks
// report the same one, the first check is believed: a trial has one value.
func TrialMetrics(r *engine.Result) []Metric {
	if r.Grade == nil {
		return nil
	}
	var out []Metric
	for i := range r.Grade.Checks {
		out = append(out, Metrics(&r.Grade.Checks[i])...)
	}
	order := func(a, b Metric) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	}
	slices.SortStableFunc(out, order)
	return slices.CompactFunc(out, func(a, b Metric) bool { return order(a, b) == 0 })
}

func summarizeMetrics(results []engine.Result) []MetricSummary {
	type key struct{ name, unit string }
	values := map[key][]float64{}
	for i := range results {
		for _, m := range TrialMetrics(&results[i]) {
			k := key{m.Name, m.Unit}
			values[k] = append(values[k], m.Value)
		}
	}
	var out []MetricSummary
	for k, vs := range values {
		out = append(out, MetricSummary{Name: k.name, Unit: k.unit, N: len(vs),
			Mean: mean(vs), Min: slices.Min(vs), Max: slices.Max(vs)})
	}
	slices.SortFunc(out, func(a, b MetricSummary) int {
		return cmp.Or(cmp.Compare(a.Name, b.Name), cmp.Compare(a.Unit, b.Unit))
	})
	return out
}

// mean holds the result between the smallest and the largest value, which it
// leaves by rounding, and by far when the sum is too large for a float.
func mean(vs []float64) float64 {
	var sum float64
	for _, v := range vs {
		sum += v
	}
	return min(max(sum/float64(len(vs)), slices.Min(vs)), slices.Max(vs))
}

func median(ds []time.Duration) *time.Duration {
	if len(ds) == 0 {
		return nil
	}
	sorted := slices.Sorted(slices.Values(ds))
	low, high := sorted[(len(ds)-1)/2], sorted[len(ds)/2]
	return new(low + (high-low)/2)
}

func total(ds []time.Duration) *time.Duration {
	if len(ds) == 0 {
		return nil
	}
	var sum time.Duration
	for _, d := range ds {
		sum += d
	}
	return &sum
}

func finite(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }

// Images lists the ids of the images that agents worked in, sorted.
func Images(results []engine.Result) []string {
	var out []string
	for _, r := range results {
		if r.Attempt != nil && r.Attempt.Image != "" {
			out = append(out, r.Attempt.Image)
		}
	}
	return unique(out)
}
