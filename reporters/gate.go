package reporters

import (
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// A Gate is what came of a gate, as reports tell of it. Its texts are as they
// were recorded.
type Gate struct {
	Name      string
	Judgement engine.Judgement
	Severity  engine.Severity
	Condition string // as it is written; empty if it is not known
	Message   string
	Values    []engine.GateValue
	Pos       engine.Pos
}

// Gates lists what came of the gates of a run, in their order. A gate without a
// judgement is a bug of bench and inconclusive, so that silence never passes.
func Gates(run *engine.Run) []Gate {
	var out []Gate
	for _, r := range run.Gates {
		g := Gate{Judgement: r.Judgement, Severity: engine.SeverityError, Message: r.Message, Values: r.Values}
		if r.Gate != nil {
			g.Name, g.Pos = r.Gate.Name, r.Gate.Pos
			if r.Gate.Severity == engine.SeverityWarning {
				g.Severity = engine.SeverityWarning
			}
			if r.Gate.Condition != nil {
				g.Condition = r.Gate.Condition.Text
			}
		}
		if !slices.Contains(judgements, g.Judgement) {
			g.Judgement, g.Message = engine.GateInconclusive, "bench recorded no judgement for this gate"
		}
		out = append(out, g)
	}
	return out
}

var judgements = []engine.Judgement{engine.GatePassed, engine.GateFailed, engine.GateInconclusive, engine.GateSkipped}

// ID names the gate as a benchfile does, on one clean line.
func (g Gate) ID() string { return Line("gate." + g.Name) }

// Bad reports whether the gate failed and that is more than a warning.
func (g Gate) Bad() bool {
	return g.Judgement == engine.GateFailed && g.Severity == engine.SeverityError
}

// Word says how the gate ended: its judgement, or "warning" if it failed and is
// no more than that.
func (g Gate) Word() string {
	if g.Judgement == engine.GateFailed && g.Severity == engine.SeverityWarning {
		return string(engine.SeverityWarning)
	}
	return string(g.Judgement)
}

// Text is the message on one clean line, or what the condition read if there is
// none.
func (g Gate) Text() string {
	if text := Line(g.Message); text != "" {
		return text
	}
	return g.Read()
}

// Read is what the condition read, on one clean line.
func (g Gate) Read() string {
	var parts []string
	for _, v := range g.Values {
		parts = append(parts, Line(v.Name)+" = "+Line(v.Value))
	}
	return strings.Join(parts, ", ")
}

// selectGates keeps the gates that read one of the matrices, be it through
// another gate, and those that read none.
func selectGates(gates []engine.GateResult, names map[string]bool) []engine.GateResult {
	byName := map[string]*engine.Gate{}
	for _, g := range gates {
		if g.Gate != nil {
			byName[g.Gate.Name] = g.Gate
		}
	}
	var out []engine.GateResult
	for _, g := range gates {
		if read := matricesRead(g.Gate, byName, map[*engine.Gate]bool{}); len(read) == 0 || slices.ContainsFunc(read, func(m string) bool { return names[m] }) {
			out = append(out, g)
		}
	}
	return out
}

func matricesRead(g *engine.Gate, byName map[string]*engine.Gate, seen map[*engine.Gate]bool) []string {
	if g == nil || g.Condition == nil || seen[g] {
		return nil
	}
	seen[g] = true
	out := slices.Clone(g.Condition.Matrices)
	for _, other := range g.Condition.Gates {
		out = append(out, matricesRead(byName[other], byName, seen)...)
	}
	return out
}
