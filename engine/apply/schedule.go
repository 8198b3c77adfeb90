package apply

import (
	"cmp"
	"slices"
	"strconv"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/graph"
)

// The graph that is walked has the steps of the plan, and beside them what the
// suite says of their order:
//
//	start:M   whether the trials of a matrix with needs, after or if start at all
//	matrix:M  what its trials came to; done if it is complete
//	gate:G    the judgement over matrices; done if it passed
//
//	image ─► lint, asset ─► run ─► check ─► matrix:A ─► gate:G ─► start:B ─► run …
const (
	startPrefix  = "start:"
	matrixPrefix = "matrix:"
	gatePrefix   = "gate:"
)

// config is the plan as the scheduler sees it.
func (r *runner) config() graph.Config {
	var c graph.Config
	r.resources(&c)
	r.limits(&c)
	k := newRanks(r.plan)
	trials := r.trialsByStep()
	for _, s := range r.plan.Steps {
		c.Vertices = append(c.Vertices, r.vertex(&c, k, s, trials[s.StepID()]))
	}
	return r.control(c)
}

// isInput reports whether a step makes what trials need, whose work they share.
func isInput(s engine.Step) bool {
	switch s.(type) {
	case *engine.ImageStep, *engine.LintStep, *engine.AssetStep:
		return true
	}
	return false
}

// trialsByStep lists the trials that steps work for, less those that have a
// verdict: for an image, a look at one or an asset, all that need it, or need what
// is made of it.
func (r *runner) trialsByStep() map[engine.StepID][]*engine.Trial {
	out := map[engine.StepID][]*engine.Trial{}
	for _, s := range slices.Backward(r.plan.Steps) {
		switch s := s.(type) {
		case *engine.RunStep:
			out[s.ID] = slices.DeleteFunc(slices.Clone(s.Trials), reused)
		case *engine.CheckStep:
			out[s.ID] = slices.DeleteFunc(slices.Clone(s.Trials), reused)
		}
		if _, ok := s.(*engine.LintStep); ok {
			continue // its runs bring the trials to the image
		}
		if _, ok := s.(*engine.CheckStep); ok && r.steps[string(s.Needs()[0])] != nil {
			continue // its run brings the trials to what both need
		}
		for _, need := range s.Needs() {
			if isInput(r.steps[string(need)]) {
				out[need] = append(out[need], out[s.StepID()]...)
			}
		}
	}
	return out
}

// vertex says what a step waits for, takes and may spend.
func (r *runner) vertex(c *graph.Config, k *ranks, s engine.Step, trials []*engine.Trial) graph.Vertex {
	v := graph.Vertex{ID: string(s.StepID()), Scopes: matricesOf(trials)}
	for _, need := range s.Needs() {
		if _, planned := r.steps[string(need)]; planned {
			v.Needs = append(v.Needs, string(need))
		}
	}
	t := trials[0]
	v.Retry, v.Seed = retryOf(t.Matrix), t.Seed
	switch s := s.(type) {
	case *engine.ImageStep, *engine.LintStep:
		v.Takes, v.Rank = []graph.Claim{{Name: resourceBuild, Amount: 1}}, k.of(rankImage, trials)
		return v
	case *engine.AssetStep:
		v.Takes, v.Rank = []graph.Claim{{Name: resourceBuild, Amount: 1}}, k.of(rankImage, trials)
		if s.Variant == engine.VariantMini {
			box := s.Case.Sandbox
			v.Takes = append(v.Takes, machineClaims(c, box.CPUs, box.Memory, box.PIDs)...)
		}
		return v
	case *engine.RunStep:
		v.Takes, v.Rank = claims(c, true, s.Trials), k.of(rankRun, trials)
		r.asks(c, &v, k, trials)
		r.waits(&v, trials)
	case *engine.CheckStep:
		v.Takes, v.Rank, v.Counts = claims(c, false, s.Trials), k.of(rankCheck, trials), true
		v.Tail = r.steps[string(s.Run)] != nil
		if r.steps[string(s.Run)] == nil {
			r.waits(&v, trials)
		}
	default:
		panic("apply: unknown step " + v.ID)
	}
	return v
}

// waits lets a step wait for the matrices that want it: one that has started is
// enough.
func (r *runner) waits(v *graph.Vertex, trials []*engine.Trial) {
	var starts []string
	for _, name := range matricesOf(trials) {
		if !r.conditional[name] {
			return
		}
		starts = append(starts, startPrefix+name)
	}
	v.Any = starts
}

// asks says which provider a run asks, and what it may spend.
func (r *runner) asks(c *graph.Config, v *graph.Vertex, k *ranks, trials []*engine.Trial) {
	t := slices.MinFunc(trials, func(a, b *engine.Trial) int { return cmp.Compare(k.depth[b.Matrix], k.depth[a.Matrix]) })
	if t.Model == nil {
		return
	}
	if name := providerOf(t); name != "" {
		v.Breaker = resourceProvider + name
		v.Takes = append(v.Takes, graph.Claim{Name: v.Breaker, Amount: 1})
	}
	v.Round = t.ID.Matrix + "#" + strconv.Itoa(t.ID.N) + "@" + columnOf(t)
	v.Spends = map[string]float64{}
	for _, m := range matricesOf(trials) {
		v.Spends[accountOf(m, accountCost)] = t.Reserve.Cost
		v.Spends[accountOf(m, accountTokens)] = float64(t.Reserve.Tokens)
	}
	v.Spends[accountOf("", accountCost)] = t.Reserve.Cost
	v.Spends[accountOf("", accountTokens)] = float64(t.Reserve.Tokens)
}

// matricesOf names the matrices of trials, each once.
func matricesOf(trials []*engine.Trial) (names []string) {
	for _, t := range trials {
		if !slices.Contains(names, t.ID.Matrix) {
			names = append(names, t.ID.Matrix)
		}
	}
	return names
}

func retryOf(m *engine.Matrix) graph.Retry {
	out := graph.Retry{Attempts: m.Retry.Attempts, Backoff: m.Retry.Backoff, MaxBackoff: m.Retry.MaxBackoff}
	for _, reason := range m.Retry.On {
		out.On = append(out.On, string(reason))
	}
	return out
}

// What budgets are in.
const (
	accountCost   = "cost"   // USD
	accountTokens = "tokens" // of models
)

// accountOf names the account of a matrix; that of the suite has no matrix.
func accountOf(matrix, what string) string { return matrix + "/" + what }

// limits says what ends a matrix or the suite early.
func (r *runner) limits(c *graph.Config) {
	c.Accounts = map[string]float64{}
	open := func(matrix string, b engine.Budget) {
		if b.Cost > 0 {
			c.Accounts[accountOf(matrix, accountCost)] = b.Cost
		}
		if b.Tokens > 0 {
			c.Accounts[accountOf(matrix, accountTokens)] = float64(b.Tokens)
		}
	}
	s := r.plan.Suite
	open("", s.Budget)
	c.Scopes = []graph.Scope{{Name: graph.All, Deadline: s.Budget.WallClock}}
	trials := map[*engine.Matrix]int{}
	for _, t := range r.plan.Trials {
		trials[t.Matrix]++
	}
	for _, m := range s.Matrices {
		open(m.Name, m.Budget)
		c.Scopes = append(c.Scopes, graph.Scope{
			Name: m.Name, MaxErrors: m.MaxErrors.Of(trials[m]), FailFast: m.FailFast, Deadline: m.Budget.WallClock,
		})
	}
}
