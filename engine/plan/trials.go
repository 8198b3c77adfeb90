package plan

import (
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
)

// makeTrials adds the trials that are wanted of cells to the plan.
func (b *builder) makeTrials(cells []*cell) {
	total := 0
	for _, c := range cells {
		total += c.size()
	}
	b.plan.Trials = make([]*engine.Trial, 0, total)
	b.dear = map[*engine.Matrix]bool{}
	f := filler{params: map[modelIn]engine.Params{}, told: map[string]bool{}, builder: b}
	for _, c := range cells {
		trials := make([]engine.Trial, c.size()) // together, since a plan may have very many
		for i := range trials {
			n := i + 1
			if c.picked != nil {
				n = c.picked[i]
			}
			t := &trials[i]
			*t = engine.Trial{ID: c.id(), Matrix: c.m, Case: c.c, Agent: c.a, Model: c.model, Axes: c.at.axes}
			t.ID.N = n
			t.Seed = b.seed(t)
			f.fill(t)
			b.plan.Trials = append(b.plan.Trials, t)
		}
	}
}

// seed is that of the matrix, if it gives one, or derived from the suite's.
func (b *builder) seed(t *engine.Trial) uint64 {
	if seeds := t.Matrix.Seeds; t.ID.N <= len(seeds) {
		return seeds[t.ID.N-1]
	}
	return t.ID.Seed(b.plan.Suite.Seed)
}

// A filler gives trials what functions of the benchfile say of them.
type filler struct {
	*builder
	params map[modelIn]engine.Params // that are the same for all trials
	told   map[string]bool           // mistakes
}

// modelIn is a model in a matrix.
type modelIn struct {
	m     *engine.Matrix
	model *engine.Model
}

func (f *filler) fill(t *engine.Trial) {
	limits := t.Matrix.Limits
	if t.Matrix.Vary == nil {
		t.Params = f.paramsOf(t.Matrix, t.Model)
	} else {
		var params engine.Params
		var err error
		if limits, params, err = t.Matrix.Vary(values(t)); err != nil {
			f.mistake(t, t.Matrix.Pos, fmt.Sprintf("matrix %q has no limits or params for a trial", t.Matrix.Name), err)
		}
		if t.Model != nil {
			t.Params = params.Over(t.Model.Params)
		}
		f.dear[t.Matrix] = f.dear[t.Matrix] || limits.Cost > 0
	}
	t.Limits = engine.Strictest(t.Case.Limits, t.Agent.Limits, limits)
	if t.Agent.Bind != nil {
		var err error
		if t.Invocation, err = t.Agent.Bind(values(t)); err != nil {
			f.mistake(t, t.Agent.Pos, fmt.Sprintf("agent %q cannot be started", t.Agent.Name), err)
		}
	}
}

// mistake reports what a function of the benchfile cannot say, once for all
// trials that it cannot say it for.
func (f *filler) mistake(t *engine.Trial, at engine.Pos, summary string, err error) {
	if key := summary + "\n" + err.Error(); !f.told[key] {
		f.told[key] = true
		f.report(engine.SeverityError, "V09", at, summary, "For trial %s: %v.", t.ID, err)
	}
}

// paramsOf are the parameters of a model in a matrix that does not vary them.
func (f *filler) paramsOf(m *engine.Matrix, model *engine.Model) engine.Params {
	if model == nil {
		return nil
	}
	at := modelIn{m, model}
	out, ok := f.params[at]
	if !ok {
		out = m.Params.Over(model.Params)
		f.params[at] = out
	}
	return out
}

// values is what a benchfile may know of a trial. The gateway is the one that
// keys are made with: the real one is known only when the trial runs.
func values(t *engine.Trial) engine.TrialValues {
	return engine.TrialValues{
		Case: t.Case.Name, Agent: t.Agent.Name, Model: t.Model, Axes: t.Axes, N: t.ID.N, Seed: t.Seed,
		Prompt: t.Case.Prompt, PromptFile: engine.PromptFile, Workspace: t.Case.Sandbox.Workdir,
		Gateway: engine.PlannedGateway,
	}
}
