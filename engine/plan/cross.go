package plan

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
)

// A cell is what statistics compare: a case crossed with an agent, a model and
// a point on every axis.
type cell struct {
	subject
	m      *engine.Matrix
	at     *point
	trials int
	picked []int // numbers of the trials that are wanted; nil for all
}

// A point is one combination of the values of all axes of a matrix.
type point struct {
	axes []engine.AxisPoint
	text string // "temperature=0.3,minutes=5"
}

// id is that of the trials of the cell, but for their number.
func (c *cell) id() engine.TrialID {
	id := engine.TrialID{Matrix: c.m.Name, Case: c.c.Name, Agent: c.a.Name, Axes: c.at.text}
	if c.model != nil {
		id.Model = c.model.Name
	}
	return id
}

// cross gives the cells of all matrices: for each all of its cells, less the
// excluded, then the included.
func (b *builder) cross() []*cell {
	var all []*cell
	trials := 0.0
	for _, m := range b.plan.Suite.Matrices {
		if trials += howMany(m); trials > maxTrials {
			b.report(engine.SeverityError, "V10", m.Pos, "too many trials",
				"With matrix %q the suite has %.0f trials, and a plan holds at most %d. Cross less, or divide the suite.", m.Name, trials, maxTrials)
			return nil
		}
		points := pointsOf(m.Axes)
		cells := b.exclude(m, crossed(m, m.Cases, m.Agents, m.Models, points, m.Trials))
		cells = b.include(m, cells, points)
		if len(cells) == 0 && !b.diags.HasErrors() {
			b.report(engine.SeverityError, "V10", m.Pos, fmt.Sprintf("matrix %q has no trial left", m.Name), "Its exclude blocks remove every cell. Selecting nothing is an error; remove one of them, or the matrix.")
		}
		all = append(all, cells...)
	}
	return all
}

// maxTrials bounds a plan. More are a mistake in a product, and would fill the
// memory before anybody could say so.
const maxTrials = 1_000_000

// howMany counts the trials of a matrix, those that it excludes among them,
// without making any. It is a float, since the product of a mistake may be larger
// than any integer.
func howMany(m *engine.Matrix) float64 {
	points := 1.0
	for _, a := range m.Axes {
		points *= float64(len(a.Values))
	}
	cells := func(cases, models int, agents []*engine.Agent) float64 {
		n := 0.0
		for _, a := range agents {
			if a.NeedsModel {
				n += float64(models)
			} else {
				n++
			}
		}
		return n * float64(cases) * points
	}
	total := cells(len(m.Cases), len(m.Models), m.Agents) * float64(m.Trials)
	for _, i := range m.Include {
		total += cells(len(i.Cases), len(i.Models), i.Agents) * float64(i.Trials)
	}
	return total
}

// pointsOf crosses axes, the first one slowest. Without an axis there is one
// point.
func pointsOf(axes []*engine.Axis) []*point {
	points := []*point{{}}
	for _, axis := range axes {
		var next []*point
		for _, p := range points {
			for _, v := range axis.Values {
				text := axis.Name + "=" + v.Name
				if p.text != "" {
					text = p.text + "," + text
				}
				// The capacity is cut, so that points never share an array.
				next = append(next, &point{append(p.axes[:len(p.axes):len(p.axes)], engine.AxisPoint{Axis: axis.Name, Value: v}), text})
			}
		}
		points = next
	}
	return points
}

// modelsFor are the models that an agent is crossed with: one that needs none
// has one cell without a model, and not one for each.
func modelsFor(a *engine.Agent, models []*engine.Model) []*engine.Model {
	if !a.NeedsModel {
		return []*engine.Model{nil}
	}
	return models
}

func crossed(m *engine.Matrix, cases []*engine.Case, agents []*engine.Agent, models []*engine.Model, points []*point, trials int) []*cell {
	var out []*cell
	for _, c := range cases {
		for _, a := range agents {
			for _, model := range modelsFor(a, models) {
				for _, p := range points {
					out = append(out, &cell{subject: subject{c, a, model}, m: m, at: p, trials: trials})
				}
			}
		}
	}
	return out
}

// exclude removes the cells that an exclude of the matrix matches.
func (b *builder) exclude(m *engine.Matrix, cells []*cell) []*cell {
	var all []*exclusion
	for _, e := range m.Exclude {
		all = append(all, newExclusion(e))
	}
	kept := cells[:0]
	for _, c := range cells {
		hit := false
		for _, e := range all {
			if e.matches(c) {
				hit, e.removes = true, true
			}
		}
		if !hit {
			kept = append(kept, c)
		}
	}
	for _, e := range all {
		if !e.removes {
			b.report(engine.SeverityWarning, "V13", e.Pos, "this exclude removes nothing", "No cell of matrix %q matches all that it gives. Remove it, or correct it.", m.Name)
		}
	}
	return kept
}

// An exclusion is an exclude with what makes it quick to ask.
type exclusion struct {
	*engine.Exclude
	cases   map[*engine.Case]bool
	names   map[string]string // by axis: a value that is given as a text
	removes bool
}

func newExclusion(e *engine.Exclude) *exclusion {
	out := &exclusion{Exclude: e, cases: map[*engine.Case]bool{}, names: map[string]string{}}
	for _, c := range e.Cases {
		out.cases[c] = true
	}
	for axis, value := range e.Axes {
		var name string
		if json.Unmarshal(value, &name) == nil {
			out.names[axis] = name
		}
	}
	return out
}

func (e *exclusion) matches(c *cell) bool {
	if e.Cases != nil && !e.cases[c.c] || e.Agent != nil && e.Agent != c.a || e.Model != nil && e.Model != c.model {
		return false
	}
	there := 0
	for _, p := range c.at.axes {
		value, given := e.Axes[p.Axis]
		if !given {
			continue
		}
		if name, ok := e.names[p.Axis]; !bytes.Equal(value, p.Value.Value) && (!ok || name != p.Value.Name) {
			return false
		}
		there++
	}
	return there == len(e.Axes)
}

// include adds cells that the crossing does not have.
func (b *builder) include(m *engine.Matrix, cells []*cell, points []*point) []*cell {
	if len(m.Include) == 0 {
		return cells
	}
	type key struct {
		subject
		at *point
	}
	there := map[key]bool{}
	for _, c := range cells {
		there[key{c.subject, c.at}] = true
	}
	for _, i := range m.Include {
		for _, c := range crossed(m, i.Cases, i.Agents, i.Models, points, i.Trials) {
			if k := (key{c.subject, c.at}); !there[k] {
				there[k] = true
				cells = append(cells, c)
				continue
			}
			b.report(engine.SeverityError, "V14", i.Pos, "an include adds a cell that exists already",
				"Case %s with %s is in matrix %q already. An include only adds cells; to change one, exclude it first.", c.c.Name, c.who(), m.Name)
		}
	}
	return cells
}

// who names the agent and its model in a sentence.
func (s subject) who() string {
	if s.model == nil {
		return "agent " + s.a.Name
	}
	return "agent " + s.a.Name + " and model " + s.model.Name
}
