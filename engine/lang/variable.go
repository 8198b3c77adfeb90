package lang

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// A Var is the value of a variable as it was given: as a text, or as an
// expression in a file.
type Var struct {
	Text string
	File string // where it is from: "--var", "BENCH_VAR_x", or a file; for messages
	expr hcl.Expression
}

// variable gives a variable its value: what was given, else its default.
func (s *scope) variable(block *hclsyntax.Block) (cty.Value, bool) {
	b := s.open(block, variableSpec)
	b.str("description")
	hide := b.flag("sensitive", false)
	v, ok := b.variableValue(hide)
	if !ok {
		return v, false
	}
	if hide {
		v = v.Mark(sensitive)
	}
	for _, rule := range b.each("validation") {
		ok = rule.validation(b.label, v) && ok
	}
	return v, ok
}

func (b *body) variableValue(hide bool) (cty.Value, bool) {
	want, ok := b.typeOf("type")
	if !ok {
		return cty.NilVal, false
	}
	fallback := cty.NilVal
	e, hasDefault := b.expr("default", kAny)
	if hasDefault {
		if fallback, ok = b.literal("default", e, want); !ok {
			return cty.NilVal, false
		}
		if fallback.IsNull() {
			b.errorAt(e.Range(), "V09", "null is not a value here", "Write a value, or leave default out if one must be given.")
			return cty.NilVal, false
		}
		if want == cty.DynamicPseudoType {
			want = typeLike(fallback)
		}
	}
	if given, ok := b.opts.Vars[b.label]; ok && !b.ofCase() {
		return b.given(given, want, hide)
	}
	switch {
	case hasDefault || b.meant["default"]:
	case b.ofCase():
		b.errorAt(b.rng, "V09", fmt.Sprintf("variable %q has no value", b.label),
			"A case file uses it, and a case means the same in every suite: only a default can be its value. Give it one.")
	default:
		b.errorAt(b.rng, "V09", fmt.Sprintf("variable %q has no value", b.label),
			"It has no default. Give it one with --var %s=..., in a file with --var-file, or in the environment as BENCH_VAR_%s.", b.label, b.label)
	}
	return fallback, hasDefault
}

// typeLike is the type that values may have that are given instead of a default:
// a list of three may be replaced by a list of two.
func typeLike(v cty.Value) cty.Type {
	t := v.Type()
	if !t.IsTupleType() {
		return t
	}
	if t.Length() == 0 {
		return cty.List(cty.DynamicPseudoType)
	}
	if of, _ := convert.UnifyUnsafe(t.TupleElementTypes()); of != cty.NilType {
		return cty.List(of)
	}
	return t
}

// typeOf reads a type; that of anything if none is written.
func (b *body) typeOf(name string) (cty.Type, bool) {
	e, ok := b.expr(name, kType)
	if !ok {
		return cty.DynamicPseudoType, !b.meant[name]
	}
	t, diags := typeexpr.TypeConstraint(e)
	if !diags.HasErrors() {
		return t, true
	}
	detail := "Write string, number, bool, list(string), map(number), object({ name = string }) and so on."
	if v, diags := e.Value(nil); !diags.HasErrors() && v.IsKnown() && !v.IsNull() && v.Type() == cty.String {
		detail = fmt.Sprintf("Write %s, without quotes.", v.AsString())
	}
	r := e.Range()
	if diags[0].Subject != nil {
		r = *diags[0].Subject
	}
	b.errorAt(r, "V09", "unknown type", "%s", detail)
	return cty.NilType, false
}

// given reads the value that somebody gave: a text as it is where a string is
// wanted, and as an expression elsewhere.
func (b *body) given(g Var, want cty.Type, hide bool) (cty.Value, bool) {
	e := g.expr
	if e == nil {
		if want == cty.String || want == cty.DynamicPseudoType {
			return cty.StringVal(g.Text), true
		}
		if tooDeep([]byte(g.Text)) != nil {
			return b.unusable(g, want, hide)
		}
		parsed, diags := hclsyntax.ParseExpression([]byte(g.Text), g.File, hcl.InitialPos)
		if diags.HasErrors() {
			return b.unusable(g, want, hide)
		}
		e = b.meter.wrap(parsed, whole)
	}
	v, diags := e.Value(nil)
	if diags.HasErrors() {
		return b.unusable(g, want, hide)
	}
	out, err := convertQuietly(v, want)
	if err != nil || out.IsNull() {
		return b.unusable(g, want, hide)
	}
	return out, true
}

func (b *body) unusable(g Var, want cty.Type, hide bool) (cty.Value, bool) {
	what := "What was given"
	if g.Text != "" && !hide {
		what = fmt.Sprintf("%q", g.Text)
	}
	b.errorAt(b.rng, "V09", fmt.Sprintf("unusable value for variable %q", b.label), "%s (%s) is not usable: it must be %s.", what, g.File, describeType(want))
	return cty.NilVal, false
}

// validation checks one rule of a variable.
func (b *body) validation(name string, v cty.Value) bool {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{"var": cty.ObjectVal(map[string]cty.Value{name: v})}, Functions: b.functions(b.file)}
	condition, ok := b.expr("condition", kBool)
	if !ok || !b.onlyVar(condition, name) {
		return false
	}
	holds, diags := condition.Value(ctx)
	if b.failedEval(diags, ctx) {
		return false
	}
	holds, _ = holds.Unmark()
	if holds, ok = b.convert(holds, cty.Bool, condition); !ok {
		return false
	}
	message, ok := b.expr("error_message", kString)
	if !ok || !b.onlyVar(message, name) {
		return false
	}
	text, diags := message.Value(ctx)
	if b.failedEval(diags, ctx) {
		return false
	}
	bare, marks := text.Unmark()
	if bare, ok = b.convert(bare, cty.String, message); !ok {
		return false
	}
	if holds.True() {
		return true
	}
	detail := bare.AsString()
	if len(marks) > 0 {
		detail = "Its message would show a sensitive value."
	}
	b.errorAt(condition.Range(), "V09", fmt.Sprintf("variable %q has a value that is not allowed", name), "%s", detail)
	return false
}

// onlyVar reports names other than that of the variable itself.
func (b *body) onlyVar(e hcl.Expression, name string) bool {
	for _, t := range e.Variables() {
		own := false
		if t.RootName() == "var" && len(t) > 1 {
			n, _ := stepName(t[1])
			own = n == name
		}
		if !own {
			b.errorAt(t.SourceRange(), "V08", "a validation knows only its own variable", "Use var.%s, and no other name.", name)
			return false
		}
	}
	return true
}

// variables evaluates all variables, used or not, and reports values that were
// given for none.
func (s *scope) variables() []*engine.Variable {
	for _, name := range slices.Sorted(maps.Keys(s.opts.Vars)) {
		if _, ok := s.blocks["variable"][name]; !ok {
			s.report(engine.Diagnostic{Rule: "V05", Summary: fmt.Sprintf("unknown variable %q", name),
				Detail: fmt.Sprintf("A value was given for it (%s), but the benchfile declares no such variable.%s", s.opts.Vars[name].File,
					didYouMean(name, s.order["variable"], func(n string) string { return n }))})
		}
	}
	var out []*engine.Variable
	for _, name := range slices.Sorted(slices.Values(s.order["variable"])) {
		v, ok := s.once("var."+name, nil, func() (cty.Value, bool) { return s.variable(s.blocks["variable"][name]) })
		if !ok {
			continue
		}
		bare, marks := v.UnmarkDeep()
		text, err := toJSON(bare)
		if err != nil {
			continue // a type such as a function has no values that can be written
		}
		// The salt keeps a sensitive value from being looked up in a table; it
		// is no secret, since equal plans must be equal.
		known := &engine.Variable{Name: name, Sensitive: len(marks) > 0, Sum: digest.Bytes(fmt.Appendf(nil, "%s\n%s\n%s", s.order["suite"], name, text))}
		if !known.Sensitive {
			known.Value = string(text)
		}
		out = append(out, known)
	}
	return out
}
