package json

import (
	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

func trialOf(r *engine.Result) trial {
	t := r.Trial
	out := trial{
		ID: t.ID.String(), Matrix: t.ID.Matrix, Case: t.ID.Case, Category: reporters.Category(t),
		Agent: t.ID.Agent, Model: t.ID.Model, N: t.ID.N, Seed: t.Seed, Assets: t.Assets,
		Status: r.Outcome.Status, Reason: r.Outcome.Reason, Detail: r.Outcome.Detail, Cause: r.Outcome.Cause,
		Reused: r.Reused, Score: reporters.Score(r),
		FirstStatus: r.FirstTry().Status, FirstReason: r.FirstTry().Reason, Tries: r.Tries(), Earlier: earlier(r),
		Weaknesses: r.Weaknesses(),
		Checks:     []check{}, Changed: []string{}, Left: []string{},
	}
	for _, p := range t.ID.Points() {
		out.Axes = append(out.Axes, axis{p[0], p[1]})
	}
	if took, ok := r.Took(); ok {
		out.Took = seconds(&took)
	}
	if t.Run != nil {
		out.RunKey = t.Run.Key.Sum
	}
	if t.Check != nil {
		out.CheckKey = t.Check.Key.Sum
	}
	out.attempt(t, r.Attempt)
	out.grade(r.Grade)
	return out
}

// earlier lists the attempts before the one that the trial itself tells of.
func earlier(r *engine.Result) []try {
	out := []try{}
	for _, t := range reporters.Tries(r)[:len(r.Earlier)] {
		out = append(out, try{Attempt: t.N, Status: t.Outcome.Status, Reason: t.Outcome.Reason,
			Detail: t.Outcome.Detail, Took: seconds(t.Took), Cost: t.Cost, Tokens: t.Tokens})
	}
	return out
}

func (t *trial) attempt(of *engine.Trial, a *engine.Attempt) {
	if a == nil {
		return
	}
	t.Attempt, t.Exit, t.Image = a.N, a.Exit, a.Image
	t.Cost, t.Tokens = reporters.TryCost(of, a.Cost), reporters.TryTokens(of, a.Tokens)
	t.Models = modelUseOf(a.Models)
	t.Began, t.Ended, t.Usage, t.Left = moment(a.Began), moment(a.Ended), usageOf(a.Usage), list(a.Left)
	t.Origin = originOf(a.Origin)
	for _, s := range a.Services {
		t.Services = append(t.Services, service(s))
	}
	if a.Version != (engine.Version{}) {
		t.Version = &a.Version
	}
	if !a.Key.Sum.IsZero() {
		t.RunKey = a.Key.Sum
	}
}

func modelUseOf(m *engine.ModelUse) *modelUse {
	if m == nil {
		return nil
	}
	return &modelUse{
		Requests: m.Requests, Turns: m.Turns, Refused: m.Refused, Input: m.Input, CacheRead: m.CacheRead, CacheWrite: m.CacheWrite,
		Output: m.Output, Reasoning: m.Reasoning, Served: list(m.Served), Waited: m.Waited.Seconds(),
	}
}

func (t *trial) grade(g *engine.Grade) {
	if g == nil {
		return
	}
	t.Changed = list(g.Changed)
	if !g.Key.Sum.IsZero() {
		t.CheckKey = g.Key.Sum
	}
	for i := range g.Checks {
		t.Checks = append(t.Checks, checkOf(&g.Checks[i]))
	}
}

func checkOf(c *engine.CheckResult) check {
	out := check{Name: c.Name, Passed: c.Passed, Score: number(c.Score), Weight: number(c.Weight),
		Detail: c.Detail, Output: c.Output, Metrics: []metric{}}
	if c.Took > 0 {
		out.Took = seconds(&c.Took)
	}
	for _, m := range reporters.Metrics(c) {
		out.Metrics = append(out.Metrics, metric{m.Name, m.Value, m.Unit, m.Description})
	}
	return out
}

func usageOf(u engine.Usage) *usage {
	if u == (engine.Usage{}) {
		return nil
	}
	return &usage{CPU: seconds(u.CPU), PeakMemory: u.PeakMemory, OOMKills: u.OOMKills, AtLimit: u.AtLimit}
}
