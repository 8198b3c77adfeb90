package stats_test

import (
	"encoding/json"
	"math"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine/stats"
)

var statuses = []string{"passed", "failed", "errored", "skipped", "cancelled"}

func trial(cell, status string) stats.Trial {
	return stats.Trial{Cell: cell, Case: cell, Agent: "a", Status: status}
}

func TestRates(t *testing.T) {
	g := stats.Summarize([]stats.Trial{trial("x", "passed"), trial("x", "failed"), trial("x", "errored"), trial("y", "passed")})
	if *g.PassRate != 2.0/3 || g.Complete || g.Trials != 4 || g.Errored != 1 {
		t.Errorf("got %+v", g.Group)
	}
	if g := stats.Summarize([]stats.Trial{trial("x", "errored")}); g.PassRate != nil {
		t.Errorf("no verdict, and pass rate %v", *g.PassRate)
	}
	if g := stats.Summarize(nil); g.PassRate != nil || g.Cost != nil || !g.Complete {
		t.Errorf("nothing at all: %+v", g.Group)
	}
}

// One of two trials of x passes, both of y: by hand, pass@1 is (1/2+1)/2 and
// pass@2 is (1+1)/2; that all pass is as likely as 3/4 and (0+1)/2.
func TestPassAt(t *testing.T) {
	g := stats.Summarize([]stats.Trial{trial("x", "passed"), trial("x", "failed"), trial("y", "passed"), trial("y", "passed")})
	if diff := cmp.Diff(map[string]float64{"1": 0.75, "2": 1}, g.PassAt); diff != "" {
		t.Errorf("at (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(map[string]float64{"1": 0.75, "2": 0.5}, g.PassAll); diff != "" {
		t.Errorf("all (-want +got):\n%s", diff)
	}
}

// The estimators are the shares of all ways to choose k of n trials: counted here
// one by one.
func TestPassAtIsACount(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		verdicts := rapid.SliceOfN(rapid.Bool(), 1, 8).Draw(rt, "verdicts")
		var trials []stats.Trial
		for _, passed := range verdicts {
			status := "failed"
			if passed {
				status = "passed"
			}
			trials = append(trials, trial("x", status))
		}
		g := stats.Summarize(trials)
		k := rapid.IntRange(1, len(verdicts)).Draw(rt, "k")
		ways, one, every := 0, 0, 0
		for set := range 1 << len(verdicts) {
			var chosen []bool
			for i, passed := range verdicts {
				if set&(1<<i) != 0 {
					chosen = append(chosen, passed)
				}
			}
			if len(chosen) != k {
				continue
			}
			ways++
			if slices.Contains(chosen, true) {
				one++
			}
			if !slices.Contains(chosen, false) {
				every++
			}
		}
		key := []string{"0", "1", "2", "3", "4", "5", "6", "7", "8"}[k]
		near := func(got float64, part int) bool { return math.Abs(got-float64(part)/float64(ways)) < 1e-9 }
		if !near(g.PassAt[key], one) || !near(g.PassAll[key], every) {
			rt.Errorf("k=%d of %v: got %v and %v, want %d and %d of %d", k, verdicts, g.PassAt[key], g.PassAll[key], one, every, ways)
		}
	})
}

func TestMetricsAndDurations(t *testing.T) {
	with := func(value float64, unit string, seconds float64) stats.Trial {
		out := trial("x", "passed")
		out.Metrics = map[string]stats.Metric{"loss": {Value: value, Unit: unit}}
		out.Seconds, out.Cost, out.Score = &seconds, new(value), new(0.5)
		return out
	}
	g := stats.Summarize([]stats.Trial{with(1, "nat", 10), with(3, "nat", 20)})
	want := stats.Spread{Mean: 2, Min: 1, Max: 3, Total: 4, Std: new(math.Sqrt2), N: 2, Unit: new("nat")}
	if diff := cmp.Diff(want, g.Metrics["loss"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if *g.Duration.P50 != 15 || *g.Duration.P95 != 19.5 || *g.Duration.Total != 30 || *g.Cost != 4 || *g.Score != 0.5 {
		t.Errorf("got %v %v %v, cost %v, score %v", *g.Duration.P50, *g.Duration.P95, *g.Duration.Total, *g.Cost, *g.Score)
	}
	g = stats.Summarize([]stats.Trial{with(1, "nat", 10), with(3, "bit", 20), trial("x", "passed")})
	if g.Cost != nil || g.Metrics["loss"].Unit != nil {
		t.Errorf("an unknown cost is no cost, and two units are none: %+v", g.Group)
	}
	if g := stats.Summarize([]stats.Trial{with(1, "nat", 10)}); g.Metrics["loss"].Std != nil {
		t.Error("a single value has no spread")
	}
}

// Groups add up to the whole, and all of it can be written as JSON.
func TestGroupsAddUp(t *testing.T) {
	names := rapid.SampledFrom([]string{"a", "b", "c"})
	trials := rapid.SliceOf(rapid.Custom(func(t *rapid.T) stats.Trial {
		return stats.Trial{
			Cell: names.Draw(t, "cell"), Case: names.Draw(t, "case"), Agent: names.Draw(t, "agent"), Model: names.Draw(t, "model"), Category: names.Draw(t, "category"),
			Axes: map[string]string{"x": names.Draw(t, "x")}, Status: rapid.SampledFrom(statuses).Draw(t, "status"), Reason: "limit_cost",
		}
	}))
	rapid.Check(t, func(rt *rapid.T) {
		all := trials.Draw(rt, "trials")
		m := stats.Summarize(all)
		if m.Passed+m.Failed+m.Errored+m.Skipped+m.Cancelled != len(all) || m.Trials != len(all) {
			rt.Errorf("%+v does not add up to %d", m.Group, len(all))
		}
		for name, groups := range map[string]map[string]stats.Group{"agent": m.ByAgent, "model": m.ByModel, "case": m.ByCase, "category": m.ByCategory, "axis": m.ByAxis["x"]} {
			sum := 0
			for _, g := range groups {
				sum += g.Trials
			}
			if sum != len(all) {
				rt.Errorf("by %s: %d trials, want %d", name, sum, len(all))
			}
		}
		if _, err := json.Marshal(m); err != nil {
			rt.Error(err)
		}
	})
}
