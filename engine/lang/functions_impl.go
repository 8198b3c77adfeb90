package lang

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// The functions that no library has as we want them.

var sumFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
	Type:   function.StaticReturnType(cty.Number),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if !args[0].IsWhollyKnown() {
			return cty.UnknownVal(cty.Number), nil
		}
		total := cty.Zero
		for it := args[0].ElementIterator(); it.Next(); {
			_, n := it.Element()
			if n.IsNull() {
				return cty.NilVal, function.NewArgErrorf(0, "one of its elements is null")
			}
			total = total.Add(n)
		}
		return total, nil
	},
})

var (
	startsWithFunc = textTest("prefix", strings.HasPrefix)
	endsWithFunc   = textTest("suffix", strings.HasSuffix)
)

func textTest(what string, holds func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "string", Type: cty.String}, {Name: what, Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(holds(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

var sha256Func = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "string", Type: cty.String}},
	Type:   function.StaticReturnType(cty.String),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		sum := sha256.Sum256([]byte(args[0].AsString()))
		return cty.StringVal(hex.EncodeToString(sum[:])), nil
	},
})

var jsonDecodeFunc = decoder(func(text string) (cty.Value, error) {
	if jsonNesting(text) > maxNesting {
		return cty.NilVal, errNested
	}
	return stdlib.JSONDecode(cty.StringVal(text))
})

var yamlDecodeFunc = decoder(func(text string) (cty.Value, error) {
	if yamlNesting(text) > maxNesting {
		return cty.NilVal, errNested
	}
	t, err := yaml.Standard.ImpliedType([]byte(text))
	if err != nil {
		return cty.NilVal, err
	}
	return yaml.Standard.Unmarshal([]byte(text), t)
})

var errNested = fmt.Errorf("it is nested more than %d deep", maxNesting)

func decoder(decode func(string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "string", Type: cty.String}},
		Type:   function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := decode(args[0].AsString())
			if err != nil {
				return cty.NilVal, function.NewArgError(0, err)
			}
			return v, nil
		},
	})
}

var tryFunc = function.New(&function.Spec{
	VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
	Type:     function.StaticReturnType(cty.DynamicPseudoType),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		marks := cty.ValueMarks{}
		var last hcl.Diagnostics
		for _, arg := range args {
			v, diags, err := attempt(arg, marks)
			switch {
			case err != nil:
				return cty.NilVal, err
			case diags.HasErrors():
				last = diags
			case !v.IsWhollyKnown(): // it may still turn out to have no value
				return cty.DynamicVal.WithMarks(marks), nil
			default:
				return v.WithMarks(marks), nil
			}
		}
		if last == nil {
			return cty.NilVal, errors.New("it needs at least one expression")
		}
		return cty.NilVal, fmt.Errorf("none of its expressions has a value; of the last one: %s", lowerFirst(strings.TrimSuffix(last[0].Detail, ".")))
	},
})

var canFunc = function.New(&function.Spec{
	Params: []function.Parameter{{Name: "expression", Type: customdecode.ExpressionClosureType}},
	Type:   function.StaticReturnType(cty.Bool),
	Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		marks := cty.ValueMarks{}
		v, diags, err := attempt(args[0], marks)
		switch {
		case err != nil:
			return cty.NilVal, err
		case !diags.HasErrors() && !v.IsWhollyKnown():
			return cty.UnknownVal(cty.Bool).WithMarks(marks), nil
		}
		return cty.BoolVal(!diags.HasErrors()).WithMarks(marks), nil
	},
})

// attempt evaluates an argument of try or can. Whether it succeeds says
// something about every value in it, so it collects the marks of these. What no
// value can mend is an error, and not just a failure.
func attempt(arg cty.Value, marks cty.ValueMarks) (cty.Value, hcl.Diagnostics, error) {
	c := customdecode.ExpressionClosureFromVal(arg)
	for _, t := range c.Expression.Variables() {
		for n := len(t); n > 0; n-- { // as much of it as there is
			if v, diags := t[:n].TraverseAbs(c.EvalContext); !diags.HasErrors() {
				maps.Copy(marks, marksOf([]cty.Value{v}))
				break
			}
		}
	}
	v, diags := c.Value()
	maps.Copy(marks, marksOf([]cty.Value{v}))
	for _, d := range diags {
		if unknown := asUnknownCall(d); unknown != nil {
			return v, diags, unknownCall{unknown}
		}
		if isTooLarge(d) {
			return v, diags, errTooLarge
		}
	}
	return v, diags, nil
}

// asUnknownCall gives the diagnostic of a call of a function that is not there,
// through all those that try it; nil for any other.
func asUnknownCall(d *hcl.Diagnostic) *hcl.Diagnostic {
	if _, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok {
		return d
	}
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](d); ok {
		var inner unknownCall
		if errors.As(call.FunctionCallError(), &inner) {
			return inner.diag
		}
	}
	return nil
}

// unknownCall is the error of a function that tries to call one that is not there.
type unknownCall struct{ diag *hcl.Diagnostic }

func (e unknownCall) Error() string { return e.diag.Detail }
