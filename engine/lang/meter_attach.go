package lang

import (
	"slices"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// attach makes all expressions below a node charge the meter.
func (m *meter) attach(n hclsyntax.Node) {
	switch n := n.(type) {
	case *hclsyntax.Body:
		for _, a := range n.Attributes {
			a.Expr = m.wrap(a.Expr, whole)
		}
		for _, b := range n.Blocks {
			m.attach(b.Body)
		}
	case *hclsyntax.ParenthesesExpr:
		m.attach(n.Expression)
	case *hclsyntax.RelativeTraversalExpr:
		n.Source = m.wrap(n.Source, picks)
	case *hclsyntax.IndexExpr:
		n.Collection, n.Key = m.wrap(n.Collection, picks), m.wrap(n.Key, picks)
	case *hclsyntax.FunctionCallExpr:
		m.wrapAll(n.Args, use{whole: true, wide: true, numeric: readsNumbers(n.Name)})
	case *hclsyntax.ConditionalExpr:
		n.Condition, n.TrueResult, n.FalseResult = m.wrap(n.Condition, picks), m.wrap(n.TrueResult, whole), m.wrap(n.FalseResult, whole)
	case *hclsyntax.BinaryOpExpr:
		operand := use{whole: true, numeric: n.Op.Impl.Params()[0].Type == cty.Number}
		n.LHS, n.RHS = m.wrap(n.LHS, operand), m.wrap(n.RHS, operand)
	case *hclsyntax.UnaryOpExpr:
		n.Val = m.wrap(n.Val, use{whole: true, numeric: true})
	case *hclsyntax.TupleConsExpr:
		m.wrapAll(n.Exprs, picks)
	case *hclsyntax.ObjectConsExpr:
		for i := range n.Items {
			if key, ok := n.Items[i].KeyExpr.(*hclsyntax.ObjectConsKeyExpr); ok {
				key.Wrapped = m.wrap(key.Wrapped, picks)
			}
			n.Items[i].ValueExpr = m.wrap(n.Items[i].ValueExpr, picks)
		}
	case *hclsyntax.ForExpr:
		n.CollExpr = m.wrap(n.CollExpr, picks)
		n.ValExpr = m.wrap(n.ValExpr, each)
		if n.KeyExpr != nil {
			n.KeyExpr = m.wrap(n.KeyExpr, each)
		}
		if n.CondExpr != nil {
			n.CondExpr = m.wrap(n.CondExpr, each)
		}
	case *hclsyntax.SplatExpr:
		n.Source, n.Each = m.wrap(n.Source, picks), m.wrap(n.Each, each)
	case *hclsyntax.TemplateExpr:
		m.wrapAll(n.Parts, whole)
	case *hclsyntax.TemplateWrapExpr:
		n.Wrapped = m.wrap(n.Wrapped, picks)
	case *hclsyntax.TemplateJoinExpr:
		n.Tuple = m.wrap(n.Tuple, picks)
	}
}

// A use is what becomes of the value of an expression.
type use struct {
	whole   bool // all that is in it is looked at or copied
	often   bool // it is evaluated again and again
	numeric bool
	wide    bool // it is converted
}

var (
	whole = use{whole: true}
	each  = use{often: true}
	picks = use{} // it is passed on, or one element of it is
)

func (m *meter) wrapAll(list []hclsyntax.Expression, u use) {
	for i := range list {
		list[i] = m.wrap(list[i], u)
	}
}

// wrap makes an expression charge the meter, if it can cost anything: a name
// that is only passed on does not, however large what it stands for.
func (m *meter) wrap(e hclsyntax.Expression, u use) hclsyntax.Expression {
	m.attach(e)
	made := makes(e)
	if !made && !u.whole && !u.often {
		return e
	}
	if l, ok := e.(*hclsyntax.LiteralValueExpr); ok && !u.often && (l.Val.Type() != cty.Number || l.Val.IsNull() || !wildNumber(l.Val.AsBigFloat())) {
		return e
	}
	return &metered{ParenthesesExpr: &hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, meter: m, whole: u.whole || made, numeric: u.numeric, wide: u.wide}
}

// makes reports whether an expression makes a new value, and does not just pick
// one that is there.
func makes(e hclsyntax.Expression) bool {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		return makes(e.Expression)
	case *hclsyntax.LiteralValueExpr, *hclsyntax.ScopeTraversalExpr, *hclsyntax.RelativeTraversalExpr, *hclsyntax.IndexExpr, *hclsyntax.AnonSymbolExpr:
		return false
	}
	return true
}

// readsNumbers reports whether a function takes texts for numbers.
func readsNumbers(name string) bool {
	return slices.ContainsFunc(functionTable, func(d funcDef) bool {
		return d.name == name && (d.category == "Numbers" || name == "tonumber")
	})
}
