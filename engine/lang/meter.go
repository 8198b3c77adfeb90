package lang

import (
	"errors"
	"strings"
	"sync/atomic"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// budget is what the expressions of a suite may cost together: about the bytes
// that they make. What people write costs a thousandth of it.
const budget = 64 << 20

// costElement is what an evaluation costs, and each element of a value.
const costElement = 64

// costError is what an evaluation costs that fails: a diagnostic is large.
const costError = 1024

// A meter bounds what the expressions of a suite may cost, so that reading one
// neither hangs nor eats the memory of the machine. The zero meter is full.
type meter struct {
	used    atomic.Int64
	spentAt atomic.Pointer[hcl.Diagnostics] // what used up the rest
	told    atomic.Bool                     // that it is used up
}

// refill gives a new budget, for what is evaluated after a suite has been read.
func (m *meter) refill() {
	m.used.Store(0)
	m.spentAt.Store(nil)
	m.told.Store(false)
}

func (m *meter) spent() bool { return m.used.Load() > budget }

// charge takes from the budget, and reports whether it was enough.
func (m *meter) charge(cost int64) bool {
	return !m.spent() && m.used.Add(min(cost, budget+1)) <= budget
}

// errTooLarge is the error of a function that would cost more than is left.
var errTooLarge = errors.New("the expression is too large")

// tooLarge marks the diagnostic of what used up the budget, which is that of
// everything after it, too.
type tooLarge struct{}

// isTooLarge recognizes what follows from a budget that is used up.
func isTooLarge(d *hcl.Diagnostic) bool {
	if _, ok := hcl.DiagnosticExtra[tooLarge](d); ok {
		return true
	}
	call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d)
	return ok && call.FunctionCallError() != nil && strings.HasSuffix(call.FunctionCallError().Error(), errTooLarge.Error())
}

// reportSpent says, once, that the suite costs too much to be read, if it does.
func (l *loader) reportSpent() {
	if !l.meter.spent() {
		return
	}
	l.quietly()
	if l.meter.told.Swap(true) {
		return
	}
	var where hcl.Range
	if first := l.meter.spentAt.Load(); first != nil {
		where = *(*first)[0].Subject
	}
	l.errorAt(where, "V09", errTooLarge.Error(), tooLargeDetail)
}

// metered is an expression that charges the meter. It is made of parentheses,
// the only expression that shows what is in it to everything that walks a tree.
type metered struct {
	*hclsyntax.ParenthesesExpr
	meter   *meter
	whole   bool // charges for all that is in its value, and not just for itself
	numeric bool // what is text in its value will be read as a number
	wide    bool // its value will be converted to another type
}

// UnwrapExpression shows the expression as it was written, to those who ask for
// references, lists and types.
func (e *metered) UnwrapExpression() hcl.Expression { return e.Expression }

func (e *metered) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	m := e.meter
	if !m.charge(costElement) {
		return e.refuse()
	}
	v, diags := e.Expression.Value(ctx)
	if m.spent() {
		return e.refuse()
	}
	if diags.HasErrors() {
		// The first one says it, and all of a long loop would be many.
		m.charge(costError)
		return v, firstError(diags)
	}
	if !e.whole {
		return v, diags
	}
	w := scale{left: budget - m.used.Load(), numeric: e.numeric, wide: e.wide}
	before := w.left
	w.weigh(v)
	if !m.charge(before - w.left) {
		return e.refuse()
	}
	if w.wild {
		return cty.DynamicVal, hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Number out of range", Subject: e.SrcRange.Ptr(), Detail: wildDetail}}
	}
	return v, diags
}

// refuse is the value of everything once the budget is used up. It remembers
// where that was: the innermost expression comes here first.
func (e *metered) refuse() (cty.Value, hcl.Diagnostics) {
	first := e.meter.spentAt.Load()
	if first == nil {
		first = &hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: upperFirst(errTooLarge.Error()), Detail: tooLargeDetail, Subject: &e.SrcRange, Extra: tooLarge{},
		}}
		e.meter.spentAt.CompareAndSwap(nil, first)
	}
	return cty.DynamicVal, *first
}

const tooLargeDetail = "With it, reading this suite takes more memory than any needs. Make it smaller: loop over less, and nest loops less."

func firstError(diags hcl.Diagnostics) hcl.Diagnostics {
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			return hcl.Diagnostics{d}
		}
	}
	return nil
}
