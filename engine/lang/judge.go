package lang

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// Ended is what has come of matrices and gates so far.
type Ended struct {
	Results Results                     // by matrix that has ended
	Gates   map[string]engine.Judgement // by gate that was judged
	Left    map[string]int              // by matrix: trials that a selection left out
}

// Judge decides a gate. It is inconclusive, and its message says why, unless all
// that its condition reads is whole and known.
func (x *Session) Judge(g *engine.Gate, ended Ended) engine.GateResult {
	out := engine.GateResult{Gate: g, Judgement: engine.GateSkipped, Message: "its if is false"}
	if !g.If {
		return out
	}
	out.Judgement = engine.GateInconclusive
	j, err := x.judging(x.scope.reopen("gate", g.Name, gateSpec), "condition", ended)
	if err != nil {
		out.Message = line(err.Error())
		return out
	}
	out.Values = j.values()
	why := ended.missing(g.Condition)
	if why == "" {
		why = ended.partial(g)
	}
	if why != "" {
		out.Message = why
		return out
	}
	passed, err := j.holds()
	switch {
	case err != nil:
		out.Message = line(err.Error())
	case passed:
		out.Judgement, out.Message = engine.GatePassed, j.compared()
	default:
		out.Judgement, out.Message = engine.GateFailed, x.message(g, j.compared())
	}
	return out
}

// Holds evaluates the if of a matrix. An error says why it is neither true nor
// false.
func (x *Session) Holds(m *engine.Matrix, ended Ended) (bool, error) {
	switch {
	case m.If == nil:
		return true, nil
	case m.If.Static != nil:
		return *m.If.Static, nil
	}
	holds, err := x.holds(m, ended)
	if err != nil {
		return false, fmt.Errorf("the if of matrix.%s cannot be decided: %s", m.Name, line(err.Error()))
	}
	return holds, nil
}

func (x *Session) holds(m *engine.Matrix, ended Ended) (bool, error) {
	if why := ended.missing(m.If); why != "" {
		return false, errors.New(why)
	}
	j, err := x.judging(x.scope.reopen("matrix", m.Name, matrixSpec), "if", ended)
	if err != nil {
		return false, err
	}
	return j.holds()
}

// missing says what a condition reads and nobody knows; empty if that is nothing.
func (e Ended) missing(c *engine.Condition) string {
	for _, m := range c.Matrices {
		if _, ok := e.Results[m]; !ok && e.Left[m] == 0 {
			return fmt.Sprintf("matrix.%s has no results", m)
		}
	}
	for _, g := range c.Gates {
		if e.Gates[g] == "" {
			return fmt.Sprintf("gate.%s was not judged", g)
		}
	}
	return ""
}

// partial says which matrix is not whole and must be; empty if that is none. What
// was narrowed is worse than incomplete: nobody knows what it would have given.
func (e Ended) partial(g *engine.Gate) string {
	for _, m := range g.Condition.Matrices {
		if n := e.Left[m]; n > 0 {
			return fmt.Sprintf("matrix.%s was narrowed on the command line, and is %s short", m, trials(n))
		}
	}
	for _, m := range g.Condition.Matrices {
		if why := incomplete(e.Results[m]); why != "" && !g.AllowIncomplete {
			return fmt.Sprintf("matrix.%s is incomplete: %s", m, why)
		}
	}
	return ""
}

// trials counts them in words.
func trials(n int) string {
	if n == 1 {
		return "1 trial"
	}
	return fmt.Sprintf("%d trials", n)
}

// incomplete counts the trials without a verdict; empty if there is none.
func incomplete(text json.RawMessage) string {
	var r struct {
		Complete                    bool
		Trials, Passed, Failed      int
		Errored, Skipped, Cancelled int
	}
	if err := json.Unmarshal(text, &r); err != nil {
		panic("lang: results of a matrix: " + err.Error())
	}
	if r.Complete {
		return ""
	}
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{r.Errored, "errored"}, {r.Skipped, "skipped"}, {r.Cancelled, "cancelled"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	return fmt.Sprintf("%d of %s came to no verdict (%s)", r.Trials-r.Passed-r.Failed, trials(r.Trials), strings.Join(parts, ", "))
}

// judging prepares an expression of a block that reads results.
func (x *Session) judging(b *body, argument string, ended Ended) (*judging, error) {
	x.begin(ended.Results, ended.Gates)
	e, ok := b.expr(argument, kBool)
	if !ok {
		panic("lang: " + b.label + " has no " + argument)
	}
	ctx, ok := b.context(e, phaseResult)
	if !ok { // a suite without mistakes can still cost too much
		return nil, fmt.Errorf("%s cannot be evaluated", b.text(e.Range()))
	}
	return &judging{b.scope, e.(hclsyntax.Expression), ctx}, nil
}

// message is what a gate says of having failed: what its author wrote, if it can
// be said of these results.
func (x *Session) message(g *engine.Gate, compared string) string {
	b := x.scope.reopen("gate", g.Name, gateSpec)
	e, ok := b.expr("message", kString)
	if !ok {
		return compared
	}
	ctx, ok := b.context(e, phaseResult)
	if !ok {
		return compared
	}
	v, diags := e.Value(ctx)
	if diags.HasErrors() || v.ContainsMarked() {
		return compared
	}
	if v, err := convertQuietly(v, cty.String); err == nil && v.IsKnown() && !v.IsNull() && line(v.AsString()) != "" {
		return line(v.AsString())
	}
	return compared
}

// line makes a text fit for one line.
func line(text string) string {
	return shorten(hideKeys(strings.Join(strings.Fields(text), " ")), maxDetail)
}

// judging is a condition with the values of the names in it.
type judging struct {
	*scope
	condition hclsyntax.Expression
	ctx       *hcl.EvalContext
}

// holds is the value of the condition. An error says in words what of it is not
// known.
func (j *judging) holds() (bool, error) {
	v, diags := j.condition.Value(j.ctx)
	if diags.HasErrors() {
		return false, j.unknown(diags)
	}
	v, _ = v.Unmark()
	switch text := j.text(j.condition.Range()); {
	case v.IsNull() || !v.IsKnown():
		return false, fmt.Errorf("%s is not known", text)
	case v.Type() != cty.Bool:
		return false, fmt.Errorf("%s is %s, not true or false", text, article(v.Type().FriendlyName()))
	}
	return v.True(), nil
}

// unknown says why there is no value: the first result that is not known, or
// what the library complains of.
func (j *judging) unknown(diags hcl.Diagnostics) error {
	for _, d := range diags {
		if d.Severity != hcl.DiagError || d.Expression == nil || d.EvalContext == nil {
			continue
		}
		for _, t := range d.Expression.Variables() {
			if name := j.nullIn(t, d.EvalContext); name != "" {
				return fmt.Errorf("%s is not known", name)
			}
		}
		break
	}
	if holdsSensitive(j.ctx) {
		return fmt.Errorf("%s cannot be evaluated, and uses a sensitive value, so more cannot be said", j.text(j.condition.Range()))
	}
	return evalError(diags)
}

// nullIn is the first part of a name that is null or not there.
func (j *judging) nullIn(t hcl.Traversal, ctx *hcl.EvalContext) string {
	for n := 1; n <= len(t); n++ {
		v, diags := t[:n].TraverseAbs(ctx)
		if bare, _ := v.Unmark(); diags.HasErrors() || bare.IsNull() {
			return j.text(hcl.RangeBetween(t.SourceRange(), t[n-1].SourceRange()))
		}
	}
	return ""
}
