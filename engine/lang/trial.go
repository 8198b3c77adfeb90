package lang

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/ml-dev-bench/bench/engine"
)

// trialTypes are the attributes of trial, with their types.
var trialTypes = map[string]cty.Type{
	"case": cty.String, "agent": cty.String, "n": cty.Number, "seed": cty.Number,
	"prompt": cty.String, "prompt_file": cty.String, "workspace": cty.String,
	"model":   cty.Object(map[string]cty.Type{"name": cty.String, "id": cty.String, "provider": cty.String, "api": cty.String}),
	"axis":    cty.DynamicPseudoType,
	"gateway": cty.Object(map[string]cty.Type{"url": cty.String, "token": cty.String}),
}

// unknownTrial is a trial of which nothing is known but its axes, with the types
// of their values. With nil for these, any name will do: an agent may be used in
// any matrix.
func unknownTrial(axes []*engine.Axis) cty.Value {
	attrs := map[string]cty.Value{}
	for name, t := range trialTypes {
		attrs[name] = cty.UnknownVal(t)
	}
	if axes != nil {
		points := map[string]cty.Value{}
		for _, a := range axes {
			points[a.Name] = cty.UnknownVal(axisType(a))
		}
		attrs["axis"] = cty.ObjectVal(points)
	}
	return cty.ObjectVal(attrs)
}

// axisType is the type that all values of an axis have, or that of anything.
func axisType(a *engine.Axis) cty.Type {
	t := cty.DynamicPseudoType
	for i, v := range a.Values {
		switch of := fromJSON(v.Value).Type(); {
		case i == 0:
			t = of
		case !t.Equals(of):
			return cty.DynamicPseudoType
		}
	}
	return t
}

// checkTrial reports a use of trial.* where it is not known, or of an attribute
// that a trial does not have.
func (s *scope) checkTrial(t hcl.Traversal, p phase) bool {
	switch {
	case p == phaseResult:
		s.errorAt(t.SourceRange(), "V08", "trial is known only per trial",
			"This is read once, when all trials of a matrix have ended. Read their results, as matrix.NAME.")
		return false
	case p != phaseTrial && p != phaseRun:
		detail := fmt.Sprintf("The value of %s must be known for the whole suite. trial.* can be used in the command and env of an agent, and in the params and limits of a matrix.", s.reading)
		if slices.Contains([]string{"image", "memory", "cpus", "network", "user", "workdir", "gpus", "pids"}, s.reading) {
			detail += " Declare two sandboxes."
		}
		s.errorAt(t.SourceRange(), "V08", "trial is known only per trial", "%s", upperFirst(detail))
		return false
	}
	if len(t) < 2 {
		return true
	}
	name, ok := stepName(t[1])
	if _, known := trialTypes[name]; ok && !known {
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("a trial has no attribute %q", name), "trial.* holds what is known of one trial.%s",
			didYouMean(name, slices.Collect(maps.Keys(trialTypes)), func(n string) string { return "trial." + n }))
		return false
	}
	if name == "gateway" && p != phaseRun {
		s.errorAt(t.SourceRange(), "V08", "the gateway is known only when a trial runs", "The value of %s must be known when the plan is made. trial.gateway.* can be used in the command and env of an agent.", s.reading)
		return false
	}
	if name == "axis" && len(t) > 2 && s.axesOf != nil {
		return s.checkAxis(t)
	}
	return true
}

// checkAxis reports an axis that the matrix that is being decoded does not have.
func (s *scope) checkAxis(t hcl.Traversal) bool {
	axis, ok := stepName(t[2])
	var names []string
	for _, a := range s.axesOf {
		names = append(names, a.Name)
	}
	if !ok || slices.Contains(names, axis) {
		return true
	}
	s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("the matrix has no axis %q", axis), "Add axis %q { values = [...] } to it.%s", axis,
		didYouMean(axis, names, func(n string) string { return "trial.axis." + n }))
	return false
}

// A trialFunc gives the value of an expression for one trial.
type trialFunc func(engine.TrialValues) (cty.Value, error)

// perTrial prepares an expression that may mention the trial: it is type-checked
// now, and evaluated once for each set of the values that it mentions. Its value
// now is unknown in parts. It gives nil after reporting that it fits no trial.
func (s *scope) perTrial(e hcl.Expression, p phase, want cty.Type) (each trialFunc, now cty.Value) {
	ctx, ok := s.context(e, p)
	if !ok {
		return nil, cty.NilVal
	}
	now, diags := e.Value(ctx)
	if s.failedEval(diags, ctx) {
		return nil, cty.NilVal
	}
	if now, ok = s.convert(now, want, e); !ok {
		return nil, cty.NilVal
	}
	if s.hasHole(now, want, e) {
		return nil, cty.NilVal
	}
	names := mentioned(e)
	if len(names) == 0 {
		return func(engine.TrialValues) (cty.Value, error) { return now, nil }, now
	}
	secret := holdsSensitive(ctx)
	delete(ctx.Variables, "trial")
	if words, ok := hcl.UnwrapExpression(e).(*hclsyntax.TupleConsExpr); ok && want.Equals(cty.List(cty.String)) {
		return s.wordByWord(words.Exprs, ctx, secret), now
	}
	return s.later(e, ctx, want, secret), now
}

// wordByWord evaluates each element of a list by itself: most words of a command
// are the same for all trials.
func (s *scope) wordByWord(words []hclsyntax.Expression, ctx *hcl.EvalContext, secret bool) trialFunc {
	each := make([]trialFunc, len(words))
	for i, w := range words {
		each[i] = s.later(w, ctx, cty.String, secret)
	}
	return func(t engine.TrialValues) (cty.Value, error) {
		out := make([]cty.Value, len(each))
		for i, f := range each {
			v, err := f(t)
			if err != nil {
				return v, err
			}
			out[i] = v
		}
		return cty.ListVal(out), nil
	}
}

// later evaluates an expression, which was checked before, for one trial.
func (s *scope) later(e hcl.Expression, ctx *hcl.EvalContext, want cty.Type, secret bool) trialFunc {
	names := mentioned(e)
	return remember(names, func(t engine.TrialValues) (cty.Value, error) {
		s.meter.refill() // the reading of the suite is over
		child := ctx
		if len(names) > 0 {
			child = ctx.NewChild()
			child.Variables = map[string]cty.Value{"trial": trialValue(t, names)}
		}
		v, diags := e.Value(child)
		if diags.HasErrors() {
			if secret {
				return v, fmt.Errorf("%s: a sensitive value cannot be used in this way", at(e.Range()))
			}
			return v, evalError(diags)
		}
		out, err := convertQuietly(v, want)
		if err != nil || !usable(out, want) {
			return out, fmt.Errorf("%s: %s is expected here", at(e.Range()), describeType(want))
		}
		return out, nil
	})
}

// hasHole reports a null in a list or a map, as far as it is known.
func (s *scope) hasHole(now cty.Value, want cty.Type, e hcl.Expression) bool {
	bare, _ := now.UnmarkDeep()
	if want == cty.DynamicPseudoType || !bare.IsKnown() || bare.IsNull() || !bare.CanIterateElements() {
		return false
	}
	i := 0
	for it := bare.ElementIterator(); it.Next(); i++ {
		key, v := it.Element()
		if !v.IsNull() {
			continue
		}
		r := itemAt(e, i)
		if want.IsMapType() {
			_, r = entryAt(e, key.AsString())
		}
		s.errorAt(r, "V09", "null is not a value here", "Write %s, or leave it out.", describeType(want.ElementType()))
		return true
	}
	return false
}

// evalError is what the library says of an expression, in our style: the first
// thing only, without a full stop.
func evalError(diags hcl.Diagnostics) error {
	d := diags[slices.IndexFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity == hcl.DiagError })]
	text := lowerFirst(d.Summary)
	if d.Detail != "" {
		text += ": " + strings.TrimSuffix(d.Detail, ".")
	}
	return fmt.Errorf("%s: %s", at(*d.Subject), shorten(hideKeys(text), maxDetail))
}

// usable reports whether a value has no hole in it.
func usable(v cty.Value, want cty.Type) bool {
	bare, _ := v.UnmarkDeep()
	return !bare.IsNull() && bare.IsWhollyKnown() && (want == cty.DynamicPseudoType || !bare.CanIterateElements() || !hasNull(bare))
}

func hasNull(v cty.Value) bool {
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); e.IsNull() {
			return true
		}
	}
	return false
}

// unguarded lists the names that an expression uses outside of try and can,
// which answer for a name that may be missing.
func unguarded(e hcl.Expression) []hcl.Traversal {
	var guards []hcl.Range
	if node, ok := e.(hclsyntax.Node); ok {
		_ = hclsyntax.VisitAll(node, func(n hclsyntax.Node) hcl.Diagnostics {
			if call, ok := n.(*hclsyntax.FunctionCallExpr); ok && (call.Name == "try" || call.Name == "can") {
				guards = append(guards, call.Range())
			}
			return nil
		})
	}
	return slices.DeleteFunc(e.Variables(), func(t hcl.Traversal) bool {
		at := t.SourceRange().Start.Byte
		return slices.ContainsFunc(guards, func(g hcl.Range) bool { return g.Start.Byte <= at && at < g.End.Byte })
	})
}

// mentioned lists the attributes of trial that an expression uses, sorted.
func mentioned(e hcl.Expression) []string {
	names := map[string]bool{}
	for _, t := range e.Variables() {
		if t.RootName() != "trial" {
			continue
		}
		name, ok := "", false
		if len(t) > 1 {
			name, ok = stepName(t[1])
		}
		if !ok { // trial as a whole
			maps.Copy(names, allTrialNames())
			continue
		}
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

func allTrialNames() map[string]bool {
	out := map[string]bool{}
	for name := range trialTypes {
		out[name] = true
	}
	return out
}

// remember keeps what a function of some attributes has given. A plan has many
// trials, and few different values of most attributes. Nobody changes a value
// that it gives.
func remember[T any](names []string, f func(engine.TrialValues) (T, error)) func(engine.TrialValues) (T, error) {
	if slices.Contains(names, "n") || slices.Contains(names, "seed") {
		return f
	}
	var mu sync.Mutex
	known := map[string]T{}
	var key []byte
	return func(t engine.TrialValues) (T, error) {
		mu.Lock()
		defer mu.Unlock()
		key = key[:0]
		for _, n := range names {
			key = strconv.AppendQuote(key, trialKey(t, n))
		}
		if v, ok := known[string(key)]; ok {
			return v, nil
		}
		v, err := f(t)
		if err == nil && len(known) < 10_000 {
			known[string(key)] = v
		}
		return v, err
	}
}

// trialKey tells values of an attribute apart.
func trialKey(t engine.TrialValues, name string) string {
	switch name {
	case "case", "prompt": // the one follows from the other
		return t.Case
	case "agent":
		return t.Agent
	case "model":
		if t.Model != nil {
			return t.Model.Name
		}
		return ""
	case "axis":
		var b strings.Builder
		for _, p := range t.Axes {
			fmt.Fprintf(&b, "%q=%q,", p.Axis, p.Value.Value)
		}
		return b.String()
	case "prompt_file":
		return t.PromptFile
	case "workspace":
		return t.Workspace
	case "gateway":
		return t.Gateway.URL + " " + t.Gateway.Token
	}
	panic("lang: trial." + name + " has no key")
}

// trialValue is a trial with the named attributes.
func trialValue(t engine.TrialValues, names []string) cty.Value {
	attrs := map[string]cty.Value{}
	for _, n := range names {
		attrs[n] = trialAttr(t, n)
	}
	return cty.ObjectVal(attrs)
}

func trialAttr(t engine.TrialValues, name string) cty.Value {
	switch name {
	case "case":
		return cty.StringVal(t.Case)
	case "agent":
		return cty.StringVal(t.Agent)
	case "n":
		return cty.NumberIntVal(int64(t.N))
	case "seed":
		return cty.NumberUIntVal(t.Seed)
	case "prompt":
		return cty.StringVal(t.Prompt)
	case "prompt_file":
		return cty.StringVal(t.PromptFile)
	case "workspace":
		return cty.StringVal(t.Workspace)
	case "gateway":
		return cty.ObjectVal(map[string]cty.Value{"url": cty.StringVal(t.Gateway.URL), "token": cty.StringVal(t.Gateway.Token)})
	case "model":
		if t.Model == nil {
			return cty.NullVal(trialTypes["model"])
		}
		return cty.ObjectVal(map[string]cty.Value{
			"name": cty.StringVal(t.Model.Name), "id": cty.StringVal(t.Model.ID),
			"provider": cty.StringVal(t.Model.Provider.Name), "api": cty.StringVal(string(t.Model.Provider.API)),
		})
	case "axis":
		points := map[string]cty.Value{}
		for _, p := range t.Axes {
			points[p.Axis] = fromJSON(p.Value.Value)
		}
		return cty.ObjectVal(points)
	}
	panic("lang: unknown attribute trial." + name)
}

// fromJSON reads what toJSON has written.
func fromJSON(text json.RawMessage) cty.Value {
	t, err := ctyjson.ImpliedType(text)
	if err == nil {
		var v cty.Value
		if v, err = ctyjson.Unmarshal(text, t); err == nil {
			return v
		}
	}
	panic("lang: " + err.Error())
}

// toJSON writes a value in the one way in which equal values are equal texts.
func toJSON(v cty.Value) (json.RawMessage, error) { return ctyjson.Marshal(v, v.Type()) }
