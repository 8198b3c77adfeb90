package lang

import (
	"fmt"
	"math/big"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// maxShown bounds a value that is shown, in characters.
const maxShown = 200

// notShown stands for a value that is not shown.
const notShown = "(sensitive)"

// values lists the results that the condition reads, in its order.
func (j *judging) values() []engine.GateValue {
	r := &reads{j: j}
	_ = hclsyntax.Walk(j.condition, r)
	return r.found
}

// reads collects results on a walk.
type reads struct {
	j      *judging
	found  []engine.GateValue
	inside hclsyntax.Node // a result that was collected: what is in it is no other one
}

// Enter collects a result, unless it is a part of one.
func (r *reads) Enter(n hclsyntax.Node) hcl.Diagnostics {
	e, ok := n.(hclsyntax.Expression)
	if r.inside != nil || !ok || !isResult(e) {
		return nil
	}
	r.inside = n
	v, ok := r.j.value(e)
	if _, named := bare(e).(*hclsyntax.ScopeTraversalExpr); !ok && !named {
		return nil // in a loop, where it has many values
	}
	name := r.j.text(e.Range())
	if !slices.ContainsFunc(r.found, func(g engine.GateValue) bool { return g.Name == name }) {
		r.found = append(r.found, engine.GateValue{Name: name, Value: shown(v)})
	}
	return nil
}

// Exit leaves it again.
func (r *reads) Exit(n hclsyntax.Node) hcl.Diagnostics {
	if r.inside == n {
		r.inside = nil
	}
	return nil
}

// isResult reports whether an expression is a path into a result.
func isResult(e hclsyntax.Expression) bool {
	switch n := bare(e).(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return slices.Contains([]string{"matrix", "gate"}, n.Traversal.RootName())
	case *hclsyntax.RelativeTraversalExpr:
		return isResult(n.Source)
	case *hclsyntax.IndexExpr:
		return isResult(n.Collection)
	case *hclsyntax.SplatExpr:
		return isResult(n.Source)
	}
	return false
}

// value is that of a part of the condition; null if it has none.
func (j *judging) value(e hclsyntax.Expression) (cty.Value, bool) {
	v, diags := e.Value(j.ctx)
	if diags.HasErrors() || !v.IsKnown() {
		return cty.NullVal(cty.DynamicPseudoType), false
	}
	return v, true
}

// shown is a value as a benchfile would write it, on one line.
func shown(v cty.Value) string {
	switch {
	case v.ContainsMarked():
		return notShown
	case !v.IsWhollyKnown():
		return "null"
	}
	text := strings.Join(strings.Fields(string(hclwrite.Format(hclwrite.TokensForValue(v).Bytes()))), " ")
	return shorten(hideKeys(text), maxShown)
}

// compared says what decided the condition: "matrix.pr.pass_rate = 0.618 (84 of
// 136), wanted >= 0.7".
func (j *judging) compared() string { return line(j.explain(j.condition, false)) }

// explain says what decided an expression, which was wanted to be true; or false,
// inside of a negation.
func (j *judging) explain(e hclsyntax.Expression, not bool) string {
	switch n := bare(e).(type) {
	case *hclsyntax.UnaryOpExpr:
		if n.Op == hclsyntax.OpLogicalNot {
			return j.explain(n.Val, !not)
		}
	case *hclsyntax.BinaryOpExpr:
		if n.Op == hclsyntax.OpLogicalAnd || n.Op == hclsyntax.OpLogicalOr {
			return j.decisive(n, not)
		}
		if i := slices.IndexFunc(comparisons, func(c comparison) bool { return slices.Contains(c.ops, n.Op) }); i >= 0 {
			return j.sides(n, comparisons[i], not)
		}
	case *hclsyntax.ConditionalExpr:
		branch := n.FalseResult
		if v, _ := j.value(n.Condition); isTrue(v) {
			branch = n.TrueResult
		}
		if readsResult(branch) {
			return j.explain(branch, not)
		}
	case *hclsyntax.ScopeTraversalExpr, *hclsyntax.RelativeTraversalExpr, *hclsyntax.IndexExpr:
		v, _ := j.value(e)
		return fmt.Sprintf("%s = %s, wanted %t", j.text(e.Range()), shown(v), !not)
	}
	return j.asWritten(e, not)
}

// decisive explains the sides of && or || that came to the same as the whole: the
// false ones of a false &&, both of a true one.
func (j *judging) decisive(n *hclsyntax.BinaryOpExpr, not bool) string {
	whole, _ := j.value(n)
	var parts []string
	for _, side := range []hclsyntax.Expression{n.LHS, n.RHS} {
		if v, ok := j.value(side); ok && isTrue(v) == isTrue(whole) {
			parts = append(parts, j.explain(side, not))
		}
	}
	return strings.Join(parts, "; ")
}

func isTrue(v cty.Value) bool {
	v, _ = v.Unmark()
	return v.IsKnown() && !v.IsNull() && v.Type() == cty.Bool && v.True()
}

// A comparison is an operator with its relatives.
type comparison struct {
	ops               []*hclsyntax.Operation
	text              string
	inverse, mirrored string // of "a < b": not (a < b), and b > a
}

var comparisons = []comparison{
	{[]*hclsyntax.Operation{hclsyntax.OpEqual, equalKnown}, "==", "!=", "=="},
	{[]*hclsyntax.Operation{hclsyntax.OpNotEqual, notEqualKnown}, "!=", "==", "!="},
	{[]*hclsyntax.Operation{hclsyntax.OpLessThan}, "<", ">=", ">"},
	{[]*hclsyntax.Operation{hclsyntax.OpLessThanOrEqual}, "<=", ">", ">="},
	{[]*hclsyntax.Operation{hclsyntax.OpGreaterThan}, ">", "<=", "<"},
	{[]*hclsyntax.Operation{hclsyntax.OpGreaterThanOrEqual}, ">=", "<", "<="},
}

// sides explains a comparison: what there is, and what was wanted.
func (j *judging) sides(n *hclsyntax.BinaryOpExpr, c comparison, not bool) string {
	is, wanted, op := n.LHS, n.RHS, c.text
	if !readsResult(is) && readsResult(wanted) {
		is, wanted, op = wanted, is, c.mirrored
	}
	if not {
		op = comparisons[slices.IndexFunc(comparisons, func(c comparison) bool { return c.text == op })].inverse
	}
	got, _ := j.value(is)
	limit, _ := j.value(wanted)
	out := fmt.Sprintf("%s = %s%s, wanted %s %s", j.text(is.Range()), near(got, limit), j.counts(is), op, j.text(wanted.Range()))
	if len(wanted.Variables()) > 0 {
		if limit.ContainsMarked() {
			return out + " " + notShown
		}
		out += fmt.Sprintf(" (%s)", near(limit, got))
	}
	return out
}

// counts gives the numbers behind a pass rate.
func (j *judging) counts(e hclsyntax.Expression) string {
	n, ok := bare(e).(*hclsyntax.ScopeTraversalExpr)
	if !ok || len(n.Traversal) < 3 || !isResult(n) {
		return ""
	}
	last := len(n.Traversal) - 1
	if name, _ := stepName(n.Traversal[last]); name != "pass_rate" {
		return ""
	}
	of, diags := n.Traversal[:last].TraverseAbs(j.ctx)
	if diags.HasErrors() || of.IsNull() || !of.IsWhollyKnown() || of.GetAttr("passed").IsNull() || of.GetAttr("failed").IsNull() {
		return ""
	}
	passed := of.GetAttr("passed")
	return fmt.Sprintf(" (%s of %s)", shown(passed), shown(passed.Add(of.GetAttr("failed"))))
}

// asWritten explains what has no simpler form.
func (j *judging) asWritten(e hclsyntax.Expression, not bool) string {
	r := &reads{j: j}
	_ = hclsyntax.Walk(e, r)
	var parts []string
	for _, v := range r.found {
		parts = append(parts, v.Name+" = "+v.Value)
	}
	text := j.text(e.Range())
	if not {
		text = "!(" + text + ")"
	}
	return strings.Join(append(parts, "wanted "+text), ", ")
}

// near is a value as people want to read it: a number to three places, or to as
// many as show on which side of the other value it is.
func near(v, other cty.Value) string {
	if v.ContainsMarked() || v.IsNull() || v.Type() != cty.Number {
		return shown(v)
	}
	exact := v.AsBigFloat()
	if exact.IsInt() {
		return shown(v)
	}
	against := new(big.Float)
	if !other.IsMarked() && !other.IsNull() && other.Type() == cty.Number {
		against = other.AsBigFloat()
	}
	f, _ := exact.Float64()
	for places := 3; places < 17; places++ {
		text := strings.TrimRight(strings.TrimRight(strconv.FormatFloat(f, 'f', places, 64), "0"), ".")
		rounded, _, err := big.ParseFloat(text, 10, 512, big.ToNearestEven)
		if err == nil && rounded.Cmp(against) == exact.Cmp(against) && rounded.Sign() != 0 {
			return text
		}
	}
	return shown(v)
}
