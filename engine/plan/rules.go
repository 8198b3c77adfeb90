package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/prices"
	"github.com/ml-dev-bench/bench/engine/gateway/translate"
)

// checkPairs reports cells that can never be tried, each pair once: cases
// without a solution for an agent that runs it, and agents that cannot ask their
// model.
func (b *builder) checkPairs(cells []*cell) {
	type pair struct {
		m *engine.Matrix
		subject
		box *engine.Sandbox
	}
	told := map[pair]bool{}
	first := func(p pair) bool {
		before := told[p]
		told[p] = true
		return !before
	}
	for _, c := range cells {
		if c.a.Builtin == engine.BuiltinOracle && c.c.Solution == nil && c.a.Answer == nil && first(pair{m: c.m, subject: subject{c: c.c, a: c.a}}) {
			b.report(engine.SeverityError, "V22", c.m.Pos, fmt.Sprintf("case %q has no solution", c.c.Name),
				"Agent %q runs the solution of a case, and this one has none. Add a solution block to it, or exclude it from matrix %q.", c.a.Name, c.m.Name)
		}
		if c.model == nil || c.a.Builtin != engine.BuiltinNone { // nobody asks, or bench itself
			continue
		}
		if box := c.c.Sandbox; box.Network == engine.NetworkNone && first(pair{m: c.m, subject: subject{a: c.a}, box: box}) {
			b.report(engine.SeverityError, "V12", c.m.Pos, fmt.Sprintf("agent %q cannot reach its model in sandbox %q", c.a.Name, box.Name),
				"The agent asks from inside of the sandbox, and that has network = \"none\". Write network = \"gateway\" there, by which it reaches its model and nothing else, or exclude the two together from matrix %q.", c.m.Name)
		}
		if err := translate.Can(string(c.a.API), string(c.model.Provider.Asked(c.a.API))); err != nil && first(pair{m: c.m, subject: subject{a: c.a, model: c.model}}) {
			b.report(engine.SeverityError, "V12", c.m.Pos, fmt.Sprintf("agent %q cannot be given model %q", c.a.Name, c.model.Name),
				"The agent speaks the API of %s, provider %q of the model serves that of %s, and bench cannot translate (%v). Exclude the two together from matrix %q, or choose another agent or model.",
				c.a.API, c.model.Provider.Name, c.model.Provider.API, err, c.m.Name)
		}
	}
}

// checkDriver reports what local sandboxes cannot give. To leave it out would
// change what is measured.
func (b *builder) checkDriver(cells []*cell) {
	if b.plan.Driver != engine.DriverLocal {
		return
	}
	told := map[any]bool{}
	for _, c := range cells {
		if c.a.Layer != nil && !told[c.a] {
			told[c.a] = true
			b.report(engine.SeverityError, "", c.a.Pos, fmt.Sprintf("agent %q cannot be installed into local sandboxes", c.a.Name),
				"They have no images: programs are those of this machine. Use a Docker engine, or leave the agent out with --agent '!%s'.", c.a.Name)
		}
		if asks := [2]any{"model", c.a}; c.model != nil && c.a.Builtin == engine.BuiltinNone && !told[asks] {
			told[asks] = true
			b.report(engine.SeverityError, "", c.a.Pos, fmt.Sprintf("agent %q cannot ask its model from a local sandbox", c.a.Name),
				"Nothing outside can be reached from there. Use a Docker engine, or leave the agent out with --agent '!%s'. The builtin agent react asks from outside of its sandbox.", c.a.Name)
		}
		s := c.c.Sandbox
		if told[s] {
			continue
		}
		told[s] = true
		for _, missing := range []struct {
			what string
			is   bool
		}{{"mounts", len(s.Mounts) > 0}, {"services", len(s.Services) > 0}, {"GPUs", s.GPUs > 0}, {"an open network", s.Network == engine.NetworkOpen},
			{"allow_hosts", len(s.Allow) > 0}, {"a runtime", s.Runtime != ""}} {
			if missing.is {
				b.report(engine.SeverityError, "", s.Pos, fmt.Sprintf("sandbox %q cannot have %s locally", s.Name, missing.what),
					"Local sandboxes are processes of this machine that have no %s. Use a Docker engine, or leave out the cases that use the sandbox.", strings.TrimPrefix(strings.TrimPrefix(missing.what, "an "), "a "))
			}
		}
	}
}

// checkPrices reports bounds on cost where the price of a model is not known:
// an unknown cost is not zero.
func (b *builder) checkPrices(cells []*cell) {
	byMatrix := map[*engine.Matrix][]string{}
	bounded := map[*engine.Matrix]bool{}
	var everywhere []string
	for _, c := range cells {
		if c.model == nil || prices.Known(c.model) {
			continue
		}
		if c.m.Limits.Cost > 0 || c.m.Budget.Cost > 0 || c.c.Limits.Cost > 0 || c.a.Limits.Cost > 0 || b.dear[c.m] {
			bounded[c.m] = true
			byMatrix[c.m] = appendNew(byMatrix[c.m], c.model.Name)
		}
		everywhere = appendNew(everywhere, c.model.Name)
	}
	for _, m := range b.plan.Suite.Matrices {
		if bounded[m] {
			b.noPrice(m.Pos, fmt.Sprintf("matrix %q", m.Name), byMatrix[m])
		}
	}
	if b.plan.Suite.Budget.Cost > 0 && len(everywhere) > 0 {
		b.noPrice(b.plan.Suite.Pos, fmt.Sprintf("suite %q", b.plan.Suite.Name), everywhere)
	}
}

func (b *builder) noPrice(at engine.Pos, where string, models []string) {
	slices.Sort(models)
	what, it := "model "+quoted(models)+" has no price", "it"
	if len(models) > 1 {
		what, it = "models "+quoted(models)+" have no price", "each"
	}
	b.report(engine.SeverityError, "V15", at, what,
		"The cost is bounded in %s, and it cannot be known without a price. Give %s a price = { input = ..., output = ... }, or limit tokens instead.", where, it)
}

// quoted names things in a sentence.
func quoted(names []string) string {
	return `"` + strings.Join(names, `", "`) + `"`
}

func appendNew(list []string, s string) []string {
	if slices.Contains(list, s) {
		return list
	}
	return append(list, s)
}

// noteEarlyEnds notes matrices that wait for one that may be left incomplete.
func (b *builder) noteEarlyEnds() {
	waits := func(m *engine.Matrix) bool {
		return slices.ContainsFunc(m.Needs, func(d engine.Dependency) bool { return d.Matrix != nil })
	}
	if !slices.ContainsFunc(b.plan.Suite.Matrices, waits) {
		return
	}
	work := b.workOf()
	for _, m := range b.plan.Suite.Matrices {
		for _, need := range m.Needs {
			if need.Matrix == nil || work[m] == nil || work[need.Matrix] == nil {
				continue
			}
			why := b.earlyEnds(need.Matrix, work[need.Matrix])
			if len(why) == 0 {
				continue
			}
			at := need.Pos
			if at == (engine.Pos{}) {
				at = m.Pos
			}
			b.report(engine.SeverityNote, "V21", at, fmt.Sprintf("matrix %q may be left incomplete, and then matrix %q does not start", need.Matrix.Name, m.Name),
				"Matrix %q ends early when it reaches %s. Raise that, or write after instead of needs if matrix %q is to start all the same.",
				need.Matrix.Name, strings.Join(why, " or "), m.Name)
		}
	}
}

// earlyEnds lists what may end a matrix before its last trial.
func (b *builder) earlyEnds(m *engine.Matrix, w *Worst) []string {
	var why []string
	if !m.MaxErrors.IsZero() {
		why = append(why, "max_errors")
	}
	atOnce := parallel(b.plan.Suite.Parallel, m.Parallel)
	for _, budget := range []struct {
		of string
		engine.Budget
	}{{"its budget", m.Budget}, {"the budget of the suite", b.plan.Suite.Budget}} {
		cost := budget.Cost > 0 && w.Cost != nil && budget.Cost < *w.Cost
		wall := budget.WallClock > 0 && budget.WallClock.Seconds() < w.AgentSeconds/float64(max(1, atOnce))
		if cost || wall {
			why = append(why, budget.of)
		}
	}
	return why
}

// parallel is how many trials of a matrix run at once at most; 0 if only the
// machine says so.
func parallel(suite, matrix int) int {
	if suite == 0 || matrix != 0 && matrix < suite {
		return matrix
	}
	return suite
}
