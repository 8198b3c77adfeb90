package reporters_test

import (
	"crypto/sha256"
	"fmt"
	"time"

	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
)

// reasons are some of those that each status can have.
var reasons = map[engine.Status][]engine.Reason{
	engine.StatusPassed:    {""},
	engine.StatusFailed:    {engine.ReasonCheck, engine.ReasonLimitCost, engine.ReasonAgentExit},
	engine.StatusErrored:   {engine.ReasonImage, engine.ReasonProvider, engine.ReasonAuth, engine.ReasonEngine},
	engine.StatusSkipped:   {engine.ReasonCondition, engine.ReasonNeeds, engine.ReasonBudget, engine.ReasonFailFast, engine.ReasonMaxErrors, engine.ReasonSignal},
	engine.StatusCancelled: {engine.ReasonDeadline, engine.ReasonSignal, engine.ReasonMaxErrors},
}

func outcomes(statuses ...engine.Status) *rapid.Generator[engine.Outcome] {
	return rapid.Custom(func(t *rapid.T) engine.Outcome {
		status := rapid.SampledFrom(statuses).Draw(t, "status")
		return engine.Outcome{Status: status, Reason: rapid.SampledFrom(reasons[status]).Draw(t, "reason"),
			Detail: rapid.SampledFrom([]string{"", "why", "100 trials: 7 passed (3 reused; 2 retried)"}).Draw(t, "detail")}
	})
}

// costs are multiples of 1/64, so that sums do not depend on their order.
var costs = rapid.Custom(func(t *rapid.T) *float64 {
	if rapid.IntRange(0, 9).Draw(t, "known") == 0 {
		return nil
	}
	return new(float64(rapid.IntRange(0, 640).Draw(t, "cost")) / 64)
})

var tokens = rapid.Custom(func(t *rapid.T) *int64 {
	if rapid.IntRange(0, 9).Draw(t, "known") == 0 {
		return nil
	}
	return new(rapid.Int64Range(0, 1e6).Draw(t, "tokens"))
})

var durations = rapid.Custom(func(t *rapid.T) time.Duration {
	return time.Duration(rapid.IntRange(0, 100000).Draw(t, "took")) * time.Millisecond
})

// runs are runs of up to 40 trials in up to three matrices.
var runs = rapid.Custom(func(t *rapid.T) *engine.Run {
	suite := &engine.Suite{Name: "random"}
	run := &engine.Run{Plan: &engine.Plan{Suite: suite}}
	models := rapid.SampledFrom([][]string{{""}, {"", "gpt"}, {"gpt", "qwen"}}).Draw(t, "models")
	trials := rapid.IntRange(0, 40).Draw(t, "trials")
	for _, matrix := range []string{"gates", "smoke", "wide"} {
		n := rapid.IntRange(0, trials-len(run.Results)).Draw(t, matrix)
		for i := range n {
			id := engine.TrialID{Matrix: matrix, Case: rapid.SampledFrom([]string{"a", "group/b"}).Draw(t, "case"),
				Agent: rapid.SampledFrom([]string{"noop", "react"}).Draw(t, "agent"),
				Model: rapid.SampledFrom(models).Draw(t, "model"), N: i + 1}
			run.Results = append(run.Results, randomResult(t, id))
		}
	}
	for i := range rapid.IntRange(0, 4).Draw(t, "gates") {
		run.Gates = append(run.Gates, engine.GateResult{
			Gate: &engine.Gate{Name: fmt.Sprintf("g%d", i), If: true,
				Severity: rapid.SampledFrom([]engine.Severity{engine.SeverityError, engine.SeverityWarning}).Draw(t, "severity")},
			Judgement: rapid.SampledFrom([]engine.Judgement{engine.GatePassed, engine.GateFailed, engine.GateInconclusive, engine.GateSkipped}).Draw(t, "judgement"),
			Message:   "why",
		})
	}
	return run
})

func randomResult(t *rapid.T, id engine.TrialID) engine.Result {
	trial := &engine.Trial{ID: id}
	if id.Model != "" {
		trial.Model = &engine.Model{Name: id.Model}
	}
	r := engine.Result{Trial: trial, Outcome: outcomes(engine.Statuses...).Draw(t, "outcome")}
	for n := range rapid.IntRange(0, 3).Draw(t, "earlier") {
		r.Earlier = append(r.Earlier, engine.Try{N: n + 1, Outcome: outcomes(engine.StatusErrored, engine.StatusCancelled).Draw(t, "try"),
			Took: durations.Draw(t, "took"), Cost: costs.Draw(t, "cost"), Tokens: tokens.Draw(t, "tokens")})
	}
	if r.Outcome.Status == engine.StatusSkipped || r.Outcome.Status == engine.StatusErrored && rapid.Bool().Draw(t, "blocked") {
		return r
	}
	r.Reused = r.Outcome.Verdict() && rapid.Bool().Draw(t, "reused")
	r.Attempt = &engine.Attempt{Trial: id, N: len(r.Earlier) + 1, Key: engine.Key{Sum: sha256.Sum256([]byte(id.String()))},
		Took: durations.Draw(t, "took"), Cost: costs.Draw(t, "cost"), Tokens: tokens.Draw(t, "tokens")}
	return r
}
