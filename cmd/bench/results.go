package main

import (
	"encoding/json"
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/stats"
	"github.com/ml-dev-bench/bench/engine/store"
	"github.com/ml-dev-bench/bench/reporters"
)

// storedResults adds up what is stored for the trials of a suite. A trial
// without a verdict that still holds counts as skipped; a matrix without any is
// left out, since nothing is known of it.
func (a *app) storedResults(suite *engine.Suite) (lang.Results, error) {
	results, err := openStore(suite)
	if err != nil {
		return nil, cannot(err)
	}
	p, diags := plan.New(suite, results, plan.Options{})
	if diags.HasErrors() {
		return nil, nil // not a plan, so nothing of it can have run
	}
	trials, known := map[string][]stats.Trial{}, map[string]bool{}
	for _, t := range p.Trials {
		r, err := storedResult(results, t)
		if err != nil {
			return nil, cannot(err)
		}
		trials[t.ID.Matrix] = append(trials[t.ID.Matrix], statsOf(r))
		known[t.ID.Matrix] = known[t.ID.Matrix] || r.Outcome.Verdict()
	}
	for matrix := range known {
		if !known[matrix] {
			delete(trials, matrix)
		}
	}
	return addUp(trials)
}

// addUp makes of the trials of each matrix what a benchfile reads as matrix.NAME.
func addUp(matrices map[string][]stats.Trial) (lang.Results, error) {
	out := lang.Results{}
	for matrix, trials := range matrices {
		text, err := json.Marshal(stats.Summarize(trials))
		if err != nil { // a check may report numbers whose sum is none
			return nil, fmt.Errorf("the results of matrix.%s cannot be added up: %w", matrix, err)
		}
		out[matrix] = text
	}
	return out, nil
}

// storedResult is the verdict that is stored for a trial, or that it was skipped.
func storedResult(results *store.Store, t *engine.Trial) (*engine.Result, error) {
	r := &engine.Result{Trial: t, Outcome: engine.Outcome{Status: engine.StatusSkipped}}
	if t.Reuse.Sign != engine.SignSame {
		return r, nil
	}
	var err error
	if r.Attempt, r.Grade, err = results.Load(t.Reuse.Attempt, t.Reuse.Grade); err != nil {
		return nil, err
	}
	r.Outcome = engine.Decide(r.Attempt, r.Grade)
	return r, nil
}

// statsOf is what statistics need of a result. What it took is that of its last
// attempt: earlier tries are in reports, which tell what was spent.
func statsOf(r *engine.Result) stats.Trial {
	t := r.Trial
	out := stats.Trial{
		Cell: t.ID.Cell(), Case: t.ID.Case, Category: t.Case.Category(), Agent: t.ID.Agent, Model: t.ID.Model, Tags: t.Case.Tags,
		Axes: axesOf(t), Status: r.Outcome.Status.String(), Reason: string(r.Outcome.Reason), Metrics: map[string]stats.Metric{},
	}
	if score, ok := r.Score(); ok {
		out.Score = &score
	}
	if took, ok := r.Took(); ok {
		out.Seconds = new(took.Seconds())
	}
	if r.Attempt != nil {
		out.Cost = reporters.TryCost(t, r.Attempt.Cost)
		out.Requests, out.Turns, out.Tokens = askedOf(t, r.Attempt)
	}
	if r.Grade != nil {
		for _, c := range r.Grade.Checks {
			for name, m := range c.Metrics {
				out.Metrics[name] = stats.Metric{Value: m.Value, Unit: m.Unit}
			}
		}
	}
	return out
}

// askedOf is what an attempt asked of models: nothing if its trial has none.
func askedOf(t *engine.Trial, a *engine.Attempt) (requests, turns *int64, tokens *stats.Tokens) {
	if t.Model == nil {
		return new(int64), new(int64), &stats.Tokens{}
	}
	m := a.Models
	if m == nil {
		return nil, nil, nil
	}
	if m.Input != nil && m.Output != nil && a.Tokens != nil {
		tokens = &stats.Tokens{Input: *a.Tokens - *m.Output, Output: *m.Output, Total: *a.Tokens}
		if m.CacheRead != nil {
			tokens.Cached = *m.CacheRead
		}
	}
	return &m.Requests, &m.Turns, tokens
}
