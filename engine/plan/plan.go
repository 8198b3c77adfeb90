// Package plan turns a suite and what is stored of earlier runs into a plan: which
// trials there are, which of them have a verdict already, and the steps that
// the others need.
//
//	p, diags := plan.New(suite, store)
//	for _, t := range p.Trials {
//		fmt.Println(t.Reuse.Sign, t.ID)
//	}
//
// It is pure, needs neither Docker nor a network, and gives equal plans for
// equal input. Reuse is by definition, not by time: a step has a key made of
// everything that can change what it gives, and a stored result is used if, and
// only if, its key is equal. See keys.go for what is in which key.
package plan

import (
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
)

// History is what a plan asks of stored results. Its methods return nil where
// there is nothing.
type History interface {
	// Attempt is the best stored attempt for a run key: one that can be graded
	// before one that cannot, and the latest of those.
	Attempt(run engine.Digest) *engine.Attempt
	// Grade is the latest grade of an attempt under a check key; with the zero
	// key, the latest under any.
	Grade(a *engine.Attempt, check engine.Digest) *engine.Grade
	// Latest is the newest attempt of a trial, whatever its key.
	Latest(id engine.TrialID) *engine.Attempt
}

// New makes the plan of a suite. A nil history means that nothing is stored.
// The plan is nil if a diagnostic is an error.
func New(suite *engine.Suite, history History) (*engine.Plan, engine.Diagnostics) {
	b := &builder{
		plan:   &engine.Plan{Suite: suite},
		keys:   newKeys(),
		runs:   map[engine.Digest]*engine.RunStep{},
		checks: map[engine.Digest]*engine.CheckStep{},
		images: map[engine.Digest]*engine.ImageStep{},
		ids:    map[engine.StepID]bool{},

		planned: map[*engine.ImageStep]bool{},
	}
	for _, m := range suite.Matrices {
		b.expand(m)
	}
	if b.diags.HasErrors() {
		return nil, b.diags.Sorted()
	}
	for _, t := range b.plan.Trials {
		b.addSteps(t, history)
	}
	return b.plan, b.diags.Sorted()
}

type builder struct {
	plan   *engine.Plan
	keys   *keys
	runs   map[engine.Digest]*engine.RunStep
	checks map[engine.Digest]*engine.CheckStep
	images map[engine.Digest]*engine.ImageStep
	ids    map[engine.StepID]bool // of images, since two sandboxes may share a name

	planned map[*engine.ImageStep]bool
	diags   engine.Diagnostics
}

// A cell is a case crossed with an agent.
type cell struct {
	c *engine.Case
	a *engine.Agent
}

// expand crosses a matrix: all cells, less the excluded, then the included.
func (b *builder) expand(m *engine.Matrix) {
	removed := make([]bool, len(m.Exclude))
	there := map[cell]bool{}
	before := len(b.plan.Trials)
	for _, c := range m.Cases {
		for _, a := range m.Agents {
			if excluded(m.Exclude, c, a, removed) {
				continue
			}
			there[cell{c, a}] = true
			b.addCell(m, c, a, m.Trials)
		}
	}
	for i, e := range m.Exclude {
		if !removed[i] {
			b.report(engine.SeverityWarning, "V13", e.Pos, "this exclude removes nothing", "No cell of matrix %q matches all that it gives. Remove it, or correct it.", m.Name)
		}
	}
	for _, i := range m.Include {
		for _, c := range i.Cases {
			for _, a := range i.Agents {
				if there[cell{c, a}] {
					b.report(engine.SeverityError, "V14", i.Pos, "an include adds a cell that exists already",
						"Case %s with agent %s is in matrix %q already. An include only adds cells; to change one, exclude it first.", c.Name, a.Name, m.Name)
					continue
				}
				there[cell{c, a}] = true
				b.addCell(m, c, a, i.Trials)
			}
		}
	}
	if len(b.plan.Trials) == before && !b.diags.HasErrors() {
		b.report(engine.SeverityError, "V10", m.Pos, fmt.Sprintf("matrix %q has no trial left", m.Name), "Its exclude blocks remove every cell. Selecting nothing is an error; remove one of them, or the matrix.")
	}
}

func excluded(excludes []*engine.Exclude, c *engine.Case, a *engine.Agent, removed []bool) bool {
	hit := false
	for i, e := range excludes {
		if e.Agent != nil && e.Agent != a || e.Cases != nil && !contains(e.Cases, c) {
			continue
		}
		hit, removed[i] = true, true
	}
	return hit
}

func contains(cases []*engine.Case, c *engine.Case) bool {
	for _, other := range cases {
		if other == c {
			return true
		}
	}
	return false
}

// addCell adds the trials of a cell.
func (b *builder) addCell(m *engine.Matrix, c *engine.Case, a *engine.Agent, trials int) {
	if a.Builtin == engine.BuiltinOracle && c.Solution == nil {
		b.report(engine.SeverityError, "V22", m.Pos, fmt.Sprintf("case %q has no solution", c.Name),
			"Agent %q runs the solution of a case, and this one has none. Add a solution block to it, or exclude it from matrix %q.", a.Name, m.Name)
		return
	}
	for n := 1; n <= trials; n++ {
		id := engine.TrialID{Matrix: m.Name, Case: c.Name, Agent: a.Name, N: n}
		t := &engine.Trial{
			ID: id, Matrix: m, Case: c, Agent: a,
			Seed:   id.Seed(b.plan.Suite.Seed),
			Limits: engine.Strictest(c.Limits, a.Limits, m.Limits),
		}
		if a.Bind != nil {
			inv, err := a.Bind(values(t))
			if err != nil {
				b.report(engine.SeverityError, "V09", a.Pos, fmt.Sprintf("agent %q cannot be started", a.Name), "For trial %s: %v.", id, err)
				return
			}
			t.Invocation = inv
		}
		b.plan.Trials = append(b.plan.Trials, t)
	}
}

func values(t *engine.Trial) engine.TrialValues {
	return engine.TrialValues{
		Case: t.Case.Name, Agent: t.Agent.Name, N: t.ID.N, Seed: t.Seed,
		Prompt: t.Case.Prompt, PromptFile: engine.PromptFile, Workspace: t.Case.Sandbox.Workdir,
	}
}

func (b *builder) report(s engine.Severity, rule string, at engine.Pos, summary, detail string, args ...any) {
	b.diags = append(b.diags, engine.Diagnostic{Severity: s, Rule: rule, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: at.Range()})
}

// addSteps finds out what a trial still needs, and adds the steps for it.
func (b *builder) addSteps(t *engine.Trial, history History) {
	runKey := b.keys.run(t)
	checkKey := b.keys.check(t, runKey)
	t.Reuse = reuse(t, runKey, checkKey, history)
	image := b.image(t.Case.Sandbox, t.Reuse.Sign != engine.SignSame)

	run := b.runs[runKey.Sum]
	if run == nil {
		run = &engine.RunStep{ID: engine.StepID("run:" + t.ID.String()), Key: runKey, Image: image.ID}
		b.runs[runKey.Sum] = run
		if t.Reuse.Attempt == nil {
			b.plan.Steps = append(b.plan.Steps, run)
		}
	}
	run.Trials = append(run.Trials, t)
	check := b.checks[checkKey.Sum]
	if check == nil {
		check = &engine.CheckStep{ID: engine.StepID("check:" + t.ID.String()), Key: checkKey, Run: run.ID, Image: image.ID}
		b.checks[checkKey.Sum] = check
		if t.Reuse.Sign != engine.SignSame {
			b.plan.Steps = append(b.plan.Steps, check)
		}
	}
	check.Trials = append(check.Trials, t)
	t.Run, t.Check = run, check
}

// image gives the step of a sandbox's image; it is part of the plan once some
// trial needs it.
func (b *builder) image(s *engine.Sandbox, needed bool) *engine.ImageStep {
	key := b.keys.image(s.Image)
	step := b.images[key.Sum]
	if step == nil {
		id := engine.StepID("image:" + s.Name)
		if b.ids[id] {
			id += engine.StepID("-" + key.Sum.Short())
		}
		b.ids[id] = true
		step = &engine.ImageStep{ID: id, Key: key, Image: s.Image, Sandbox: s}
		b.images[key.Sum] = step
	}
	if needed && !b.planned[step] {
		b.planned[step] = true
		b.plan.Steps = append(b.plan.Steps, step)
	}
	return step
}

// reuse compares the keys of a trial with what is stored.
func reuse(t *engine.Trial, run, check engine.Key, history History) engine.Reuse {
	if history == nil {
		return engine.Reuse{Sign: engine.SignNew}
	}
	a := history.Attempt(run.Sum)
	switch {
	case a == nil:
		old := history.Latest(t.ID)
		if old == nil {
			return engine.Reuse{Sign: engine.SignNew}
		}
		return engine.Reuse{Sign: engine.SignChanged, Changed: run.Changed(old.Key)}
	case a.Outcome.Verdict(): // nothing could be graded, and that is the verdict
		return engine.Reuse{Sign: engine.SignSame, Attempt: a}
	case a.Outcome.Status != engine.StatusInvalid:
		return engine.Reuse{Sign: engine.SignAgain}
	}
	g := history.Grade(a, check.Sum)
	switch {
	case g == nil:
		out := engine.Reuse{Sign: engine.SignRegrade, Attempt: a}
		if old := history.Grade(a, engine.Digest{}); old != nil {
			out.Changed = check.Changed(old.Key)
		}
		return out
	case g.Outcome.Status != engine.StatusInvalid:
		return engine.Reuse{Sign: engine.SignAgain, Attempt: a}
	}
	return engine.Reuse{Sign: engine.SignSame, Attempt: a, Grade: g}
}
