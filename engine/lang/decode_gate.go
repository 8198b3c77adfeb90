package lang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// gate decodes a gate block but for its condition, which connect reads when all
// matrices have their baselines.
func (s *scope) gate(name string) *engine.Gate {
	b := s.open(s.blocks["gate"][name], gateSpec)
	g := &engine.Gate{Name: name, Severity: engine.SeverityError, Pos: pos(b.rng)}
	s.gates[name] = g
	if v, ok := b.choice("severity", string(engine.SeverityError), string(engine.SeverityWarning)); ok {
		g.Severity = engine.Severity(v)
	}
	g.AllowIncomplete = b.flag("allow_incomplete", false)
	g.If = b.flag("if", true)
	return g
}

// connect resolves what matrices and gates wait for, and reports circles.
func (s *scope) connect() {
	for _, name := range s.order["matrix"] {
		before := s.trouble()
		s.matrices[name].Baseline = s.reopen("matrix", name, matrixSpec).baseline(name)
		if s.trouble() != before {
			s.broken["matrix."+name] = true
		}
	}
	for _, name := range s.order["matrix"] {
		b, m := s.reopen("matrix", name, matrixSpec), s.matrices[name]
		m.Needs, m.After = b.dependencies("needs"), b.dependencies("after")
		if e, ok := b.expr("if", kBool); ok {
			m.If = b.condition(e)
		}
	}
	for _, name := range s.order["gate"] {
		s.reopen("gate", name, gateSpec).judge(s.gates[name])
	}
	s.circles()
}

// reopen opens a block again without reporting a second time.
func (s *scope) reopen(kind, name string, sp *spec) *body {
	block := s.blocks[kind][name]
	return &body{scope: s, spec: sp, attrs: block.Body.Attributes, label: name, rng: block.DefRange(), file: block.DefRange().Filename}
}

// baseline reads what a matrix is compared with.
func (b *body) baseline(name string) *engine.Baseline {
	e, ok := b.expr("baseline", kPathRef)
	if !ok {
		return nil
	}
	if t, diags := hcl.AbsTraversalForExpr(e); !diags.HasErrors() && t.RootName() == "matrix" {
		r, ok := b.refOf(e, "matrix")
		if !ok {
			return nil
		}
		if r.name == name {
			b.errorAt(e.Range(), "V06", "a matrix is its own baseline", "Name another matrix, or a results file.")
			return nil
		}
		return &engine.Baseline{Matrix: b.matrices[r.name]}
	}
	v, ok := b.eval(e, cty.String)
	if !ok {
		return nil
	}
	p, ok := b.cleanPath(v.AsString(), e.Range())
	if !ok {
		return nil
	}
	b.exists("baseline", p)
	return &engine.Baseline{Path: p}
}

// dependencies reads what must come before a matrix.
func (b *body) dependencies(name string) []engine.Dependency {
	var out []engine.Dependency
	for _, r := range b.refs(name) {
		d := engine.Dependency{Matrix: b.matrices[r.name], Pos: pos(r.rng)}
		if r.kind == "gate" {
			d = engine.Dependency{Gate: b.gates[r.name], Pos: pos(r.rng)}
		}
		out = append(out, d)
	}
	return out
}

// condition checks an expression that is true or false once results are there.
func (s *scope) condition(e hcl.Expression) *engine.Condition {
	out := &engine.Condition{Text: s.text(e.Range()), Pos: pos(e.Range())}
	ctx, ok := s.context(e, phaseResult)
	if !ok {
		return out
	}
	out.Matrices, out.Gates = resultsRead(e)
	refuseNulls(e)
	v, diags := e.Value(ctx)
	if s.failedEval(diags, ctx) {
		return out
	}
	v, _ = v.Unmark()
	switch t := v.Type(); {
	case v.IsNull():
		s.errorAt(e.Range(), "V09", "null is not a value here", "This must be true or false.")
	case t != cty.Bool && t != cty.DynamicPseudoType:
		s.errorAt(e.Range(), "V09", "wrong type", "This must be true or false%s. Compare it with something.", whyNot(v))
	case v.IsKnown() && t == cty.Bool:
		static := v.True()
		out.Static = &static
	}
	return out
}

// resultsRead lists the matrices and gates whose results an expression reads.
func resultsRead(e hcl.Expression) (matrices, gates []string) {
	for _, t := range e.Variables() {
		name := ""
		if len(t) > 1 {
			name, _ = stepName(t[1])
		}
		switch t.RootName() {
		case "matrix":
			matrices = append(matrices, name)
		case "gate":
			gates = append(gates, name)
		}
	}
	slices.Sort(matrices)
	slices.Sort(gates)
	return slices.Compact(matrices), slices.Compact(gates)
}

// judge reads the condition and message of a gate.
func (b *body) judge(g *engine.Gate) {
	e, ok := b.expr("condition", kBool)
	if !ok {
		return
	}
	before := b.trouble()
	g.Condition = b.condition(e)
	fine := b.trouble() == before
	if fine && len(g.Condition.Matrices)+len(g.Condition.Gates) == 0 {
		b.errorAt(e.Range(), "V20", "the gate reads no result", "It would say the same before anything has run. Read a result, such as matrix.NAME.pass_rate.")
	}
	if message, ok := b.expr("message", kString); ok {
		b.message(message, g.Condition, fine)
		g.Message = b.text(message.Range())
	}
	b.sure(g, e)
}

// sure warns of a gate that will hardly ever decide.
func (b *body) sure(g *engine.Gate, e hcl.Expression) {
	for _, t := range e.Variables() {
		if t.RootName() != "matrix" || len(t) < 3 || g.AllowIncomplete {
			continue
		}
		name, _ := stepName(t[1])
		if what, _ := stepName(t[2]); what != "pass_rate" && what != "score" {
			continue
		}
		if m := b.matrices[name]; m != nil && m.FailFast {
			b.warnAt(t.SourceRange(), "V20", fmt.Sprintf("gate %q will nearly always be inconclusive", g.Name),
				"Matrix %q ends at its first failed trial, and is then incomplete. Remove fail_fast there, or read matrix.%s.failed with allow_incomplete = true.", name, name)
			return
		}
	}
}

// message type-checks a text that may show results: those that the condition
// waits for.
func (s *scope) message(e hcl.Expression, c *engine.Condition, fine bool) {
	ctx, ok := s.context(e, phaseResult)
	if !ok {
		return
	}
	v, diags := e.Value(ctx)
	if s.failedEval(diags, ctx) || !s.fitToShow(v, e) {
		return
	}
	if _, ok := s.convert(v, cty.String, e); !ok || !fine {
		return
	}
	for _, t := range e.Variables() {
		if len(t) < 2 || t.RootName() != "matrix" && t.RootName() != "gate" {
			continue
		}
		name, _ := stepName(t[1])
		if of := map[string][]string{"matrix": c.Matrices, "gate": c.Gates}[t.RootName()]; !slices.Contains(of, name) {
			s.errorAt(t.SourceRange(), "V20", fmt.Sprintf("the gate does not wait for %s", refText(t.RootName(), name)),
				"A gate is decided when what its condition reads has ended, and its message can show nothing else. Read it in the condition, too, or leave it out.")
		}
	}
}

// text is what stands at a place, on one line.
func (l *loader) text(r hcl.Range) string {
	text := l.sources.files[r.Filename]
	if r.End.Byte > len(text) {
		return ""
	}
	return hideKeys(strings.Join(strings.Fields(string(text[r.Start.Byte:r.End.Byte])), " "))
}

// An edge says that one block waits for another.
type edge struct {
	from, verb, to string
	at             engine.Pos
}

// circles reports matrices and gates that wait for each other.
func (s *scope) circles() {
	edges := map[string][]edge{}
	add := func(e edge) { edges[e.from] = append(edges[e.from], e) }
	reads := func(from string, c *engine.Condition) {
		if c == nil {
			return
		}
		for _, m := range c.Matrices {
			add(edge{from, "reads", "matrix." + m, c.Pos})
		}
		for _, g := range c.Gates {
			add(edge{from, "reads", "gate." + g, c.Pos})
		}
	}
	for name, m := range s.matrices {
		from := "matrix." + name
		for _, d := range m.Needs {
			add(edge{from, "needs", d.Ref(), d.Pos})
		}
		for _, d := range m.After {
			add(edge{from, "comes after", d.Ref(), d.Pos})
		}
		reads(from, m.If)
	}
	for name, g := range s.gates {
		reads("gate."+name, g.Condition)
	}
	state := map[string]int{} // 1: on the way, 2: done
	var way []edge
	var visit func(name string)
	visit = func(name string) {
		state[name] = 1
		for _, e := range edges[name] {
			way = append(way, e)
			switch state[e.to] {
			case 0:
				visit(e.to)
			case 1:
				i := slices.IndexFunc(way, func(w edge) bool { return w.from == e.to })
				s.circle(way[i:])
			}
			way = way[:len(way)-1]
		}
		state[name] = 2
	}
	for _, name := range slices.Sorted(maps.Keys(edges)) {
		if state[name] == 0 {
			visit(name)
		}
	}
}

// circle reports one, starting at the block with the shortest name.
func (s *scope) circle(edges []edge) {
	if len(edges) == 1 {
		e := edges[0]
		s.report(engine.Diagnostic{Rule: "V06", Subject: e.at.Range(), Summary: fmt.Sprintf("%s waits for itself", e.from),
			Detail: fmt.Sprintf("%s %s itself. Remove that.", upperFirst(e.from), e.verb)})
		return
	}
	first := slices.MinFunc(edges, func(a, b edge) int {
		if len(a.from) != len(b.from) {
			return len(a.from) - len(b.from)
		}
		return strings.Compare(a.from, b.from)
	})
	i := slices.Index(edges, first)
	var steps []string
	for _, e := range append(slices.Clone(edges[i:]), edges[:i]...) {
		steps = append(steps, fmt.Sprintf("%s %s %s (%s:%d)", e.from, e.verb, e.to, e.at.File, e.at.Line))
	}
	s.report(engine.Diagnostic{Rule: "V06", Subject: first.at.Range(), Summary: "these blocks wait for each other",
		Detail: strings.Join(steps, ", ") + ". Remove one of these."})
}
