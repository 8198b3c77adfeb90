package lang

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// What is not known is null, and the library calls two nulls equal: a gate could
// pass because two costs are unknown. In conditions, == and != therefore refuse
// null as < does, unless null is what is asked for.
var (
	equalKnown    = &hclsyntax.Operation{Impl: ofKnown(cty.Value.Equals), Type: cty.Bool}
	notEqualKnown = &hclsyntax.Operation{Impl: ofKnown(func(a, b cty.Value) cty.Value { return a.Equals(b).Not() }), Type: cty.Bool}
)

func ofKnown(compare func(a, b cty.Value) cty.Value) function.Function {
	side := function.Parameter{Type: cty.DynamicPseudoType, AllowUnknown: true, AllowDynamicType: true}
	a, b := side, side
	a.Name, b.Name = "a", "b"
	return function.New(&function.Spec{
		Params: []function.Parameter{a, b},
		Type:   function.StaticReturnType(cty.Bool),
		Impl:   func(args []cty.Value, _ cty.Type) (cty.Value, error) { return compare(args[0], args[1]), nil },
	})
}

// refuseNulls makes the comparisons of an expression refuse results that are not
// known.
func refuseNulls(e hcl.Expression) {
	node, ok := e.(hclsyntax.Node)
	if !ok {
		return
	}
	_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
		b, ok := n.(*hclsyntax.BinaryOpExpr)
		if !ok || isNull(b.LHS) || isNull(b.RHS) || !readsResult(b) {
			return nil
		}
		switch b.Op {
		case hclsyntax.OpEqual:
			b.Op = equalKnown
		case hclsyntax.OpNotEqual:
			b.Op = notEqualKnown
		}
		return nil
	})
}

// isNull reports whether an expression is the word null.
func isNull(e hclsyntax.Expression) bool {
	l, ok := bare(e).(*hclsyntax.LiteralValueExpr)
	return ok && l.Val.IsNull()
}

// readsResult reports whether an expression reads a result, maybe through the
// variable of a loop.
func readsResult(e hclsyntax.Expression) bool {
	return slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool {
		return !slices.Contains(valueRoots, t.RootName())
	})
}

// bare is an expression without parentheses.
func bare(e hclsyntax.Expression) hclsyntax.Expression {
	for {
		switch in := e.(type) {
		case *metered:
			e = in.Expression
		case *hclsyntax.ParenthesesExpr:
			e = in.Expression
		default:
			return e
		}
	}
}
