package apply

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/graph"
)

// A Judge evaluates what a benchfile says of results. The results are those of
// all planned trials of matrices that have ended, by name of the matrix.
type Judge interface {
	// Gate judges a gate.
	Gate(g *engine.Gate, results map[string][]engine.Result, gates map[string]engine.Judgement) engine.GateResult
	// Holds evaluates the if of a matrix. After an error it does not hold.
	Holds(m *engine.Matrix, results map[string][]engine.Result, gates map[string]engine.Judgement) (bool, error)
}

// isConditional reports whether the trials of a matrix wait for anything but
// their images.
func isConditional(m *engine.Matrix) bool {
	return len(m.Needs)+len(m.After) > 0 || m.If != nil && (m.If.Static == nil || !*m.If.Static)
}

// control adds the vertices of matrices and gates.
func (r *runner) control(c graph.Config) graph.Config {
	ends := map[string][]string{} // of a matrix: the steps of its trials
	for _, v := range c.Vertices {
		if !isInput(r.steps[v.ID]) {
			for _, m := range v.Scopes {
				ends[m] = append(ends[m], v.ID)
			}
		}
	}
	for _, m := range r.plan.Suite.Matrices {
		end := graph.Vertex{ID: matrixPrefix + m.Name, After: ends[m.Name]}
		if r.conditional[m.Name] {
			c.Vertices = append(c.Vertices, r.startOf(m))
			end.After = append(end.After, startPrefix+m.Name)
		}
		c.Vertices = append(c.Vertices, end)
	}
	for _, g := range r.plan.Suite.Gates {
		c.Vertices = append(c.Vertices, graph.Vertex{ID: gatePrefix + g.Name, After: reads(g.Condition)})
	}
	return c
}

func reads(c *engine.Condition) (ids []string) {
	if c == nil {
		return nil
	}
	for _, m := range c.Matrices {
		ids = append(ids, matrixPrefix+m)
	}
	for _, g := range c.Gates {
		ids = append(ids, gatePrefix+g)
	}
	return ids
}

func (r *runner) startOf(m *engine.Matrix) graph.Vertex {
	v := graph.Vertex{ID: startPrefix + m.Name, After: reads(m.If)}
	id := func(d engine.Dependency) string {
		if d.Gate != nil {
			return gatePrefix + d.Gate.Name
		}
		return matrixPrefix + d.Matrix.Name
	}
	for _, d := range m.Needs {
		v.Needs = append(v.Needs, id(d))
	}
	for _, d := range m.After {
		v.After = append(v.After, id(d))
	}
	return v
}

// doControl does the work of a vertex that is no step.
func (r *runner) doControl(id string) graph.Report {
	kind, name, _ := strings.Cut(id, ":")
	switch kind + ":" {
	case startPrefix:
		return r.mayStart(named(r.plan.Suite.Matrices, name, func(m *engine.Matrix) string { return m.Name }))
	case matrixPrefix:
		return r.endMatrix(name)
	case gatePrefix:
		return r.judge(named(r.plan.Suite.Gates, name, func(g *engine.Gate) string { return g.Name }))
	}
	panic(fmt.Sprintf("apply: unknown vertex %s", id))
}

func named[T any](list []T, name string, nameOf func(T) string) T {
	return list[slices.IndexFunc(list, func(x T) bool { return nameOf(x) == name })]
}

// mayStart evaluates the if of a matrix.
func (r *runner) mayStart(m *engine.Matrix) graph.Report {
	if m.If == nil {
		return graph.Report{Status: graph.Done}
	}
	holds, why := m.If.Static != nil && *m.If.Static, "its if is false: "+m.If.Text
	if m.If.Static == nil {
		results, gates := r.known()
		var err error
		if holds, err = r.Judge.Holds(m, results, gates); err != nil {
			holds, why = false, "its if cannot be evaluated: "+err.Error()
		}
	}
	if holds {
		return graph.Report{Status: graph.Done}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.why[m.Name] = why
	return graph.Report{Status: graph.Skipped, Reason: string(engine.ReasonCondition)}
}

// endMatrix is done if every planned trial of the matrix came to a verdict.
func (r *runner) endMatrix(name string) graph.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.over[name] = true
	for _, result := range r.results {
		if result.Trial.ID.Matrix == name && !result.Outcome.Verdict() {
			return graph.Report{Status: graph.Skipped, Reason: string(engine.ReasonNeeds)}
		}
	}
	return graph.Report{Status: graph.Done}
}

// judge asks for the judgement of a gate.
func (r *runner) judge(g *engine.Gate) graph.Report {
	results, gates := r.known()
	result := r.Judge.Gate(g, results, gates)
	r.mu.Lock()
	r.gates[g.Name] = result
	r.mu.Unlock()
	r.observe(GateEnded{result})
	if result.Judgement == engine.GatePassed {
		return graph.Report{Status: graph.Done}
	}
	return graph.Report{Status: graph.Skipped, Reason: string(engine.ReasonNeeds)}
}

// known is what came of the matrices and gates that have ended.
func (r *runner) known() (map[string][]engine.Result, map[string]engine.Judgement) {
	r.mu.Lock()
	results, gates := map[string][]engine.Result{}, map[string]engine.Judgement{}
	var whole []engine.Result
	var places []int
	for name := range r.over {
		results[name] = nil
	}
	for i, result := range r.results {
		if r.over[result.Trial.ID.Matrix] {
			whole, places = append(whole, result), append(places, i)
		}
	}
	for name, g := range r.gates {
		gates[name] = g.Judgement
	}
	r.mu.Unlock()
	spread(len(whole), func(i int) { r.load(&whole[i], r.kept[places[i]]) })
	for _, result := range whole {
		name := result.Trial.ID.Matrix
		results[name] = append(results[name], result)
	}
	return results, gates
}
