package lang

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/ml-dev-bench/bench/engine"
)

// A resultAttr is an attribute of matrix.NAME.
type resultAttr struct {
	name string
	typ  cty.Type
	doc  string
}

var (
	numbersType  = cty.Map(cty.Number)
	intervalType = cty.Object(map[string]cty.Type{"low": cty.Number, "high": cty.Number})
	metricType   = cty.Object(map[string]cty.Type{
		"mean": cty.Number, "min": cty.Number, "max": cty.Number, "total": cty.Number, "std": cty.Number, "n": cty.Number, "unit": cty.String,
	})
	baselineType = cty.Object(map[string]cty.Type{
		"pass_rate": cty.Number, "cost": cty.Number, "difference": cty.Number, "ci": intervalType, "p_value": cty.Number,
		"regressed": cty.List(cty.String), "fixed": cty.List(cty.String), "worse": cty.List(cty.String), "better": cty.List(cty.String), "unmatched": cty.List(cty.String),
	})
)

// resultAttrs is what is known of some trials once they have ended.
var resultAttrs = []resultAttr{
	{"complete", cty.Bool, "Every planned trial came to a verdict."},
	{"trials", cty.Number, "All of them; the next five add up to it."},
	{"passed", cty.Number, "Trials whose checks all passed."},
	{"failed", cty.Number, "Trials that the agent lost."},
	{"errored", cty.Number, "Trials without a verdict, through no fault of the agent."},
	{"skipped", cty.Number, "Trials that never started."},
	{"cancelled", cty.Number, "Trials that were stopped."},
	{"pass_rate", cty.Number, "Passed, of those with a verdict; null if there is none. Errored, skipped and cancelled are in no denominator."},
	{"score", cty.Number, "Mean of the scores of trials; null if there is none."},
	{"ci", intervalType, "95 % interval of the pass rate, clustered by case, since trials of one case are not independent."},
	{"pass_at", numbersType, "By k: how likely one of k trials passes."},
	{"pass_all", numbersType, "By k: how likely all of k trials pass."},
	{"cost", cty.Number, "USD; null if some price is unknown."},
	{"tokens", cty.Object(map[string]cty.Type{"input": cty.Number, "output": cty.Number, "cached": cty.Number, "total": cty.Number}), "As the gateway counted them."},
	{"requests", cty.Number, "To providers."},
	{"turns", cty.Number, "Requests that asked a model to go on."},
	{"duration", cty.Object(map[string]cty.Type{"p50": cty.Number, "p95": cty.Number, "total": cty.Number}), "Seconds of agents at work."},
	{"metrics", cty.Map(metricType), "What checks reported, by name; over the trials that have it."},
	{"errors", numbersType, "Errored trials by reason."},
	{"limits", numbersType, "Trials that reached a limit, by limit."},
}

// aggregateType is the type of each group of trials.
var aggregateType = func() cty.Type {
	attrs := map[string]cty.Type{}
	for _, a := range resultAttrs {
		attrs[a.name] = a.typ
	}
	return cty.Object(attrs)
}()

// groupNames are the ways in which the trials of a matrix are divided.
var groupNames = []string{"by_agent", "by_axis", "by_case", "by_category", "by_model", "by_tag"}

// groups lists the groups of a matrix, by way of dividing and name. Names that
// are known make a misspelt one an error before anything runs.
func groups(m *engine.Matrix) map[string][]string {
	out := map[string][]string{}
	for _, a := range m.Agents {
		out["by_agent"] = append(out["by_agent"], a.Name)
	}
	for _, model := range m.Models {
		out["by_model"] = append(out["by_model"], model.Name)
	}
	addCases := func(cases []*engine.Case) {
		for _, c := range cases {
			out["by_case"] = append(out["by_case"], c.Name)
			out["by_category"] = append(out["by_category"], c.Category())
			out["by_tag"] = append(out["by_tag"], c.Tags...)
		}
	}
	addCases(m.Cases)
	for _, i := range m.Include {
		addCases(i.Cases)
		for _, a := range i.Agents {
			out["by_agent"] = append(out["by_agent"], a.Name)
		}
		for _, model := range i.Models {
			out["by_model"] = append(out["by_model"], model.Name)
		}
	}
	return out
}

// resultType is the type of matrix.NAME.
func resultType(m *engine.Matrix) cty.Type {
	attrs := maps.Clone(aggregateType.AttributeTypes())
	for by, names := range groups(m) {
		attrs[by] = groupType(names)
	}
	axes := map[string]cty.Type{}
	for _, a := range m.Axes {
		var names []string
		for _, v := range a.Values {
			names = append(names, v.Name)
		}
		axes[a.Name] = groupType(names)
	}
	attrs["by_axis"] = cty.Object(axes)
	for _, by := range groupNames {
		if attrs[by] == cty.NilType {
			attrs[by] = cty.EmptyObject
		}
	}
	if m.Baseline != nil {
		attrs["vs_baseline"] = baselineType
	}
	return cty.Object(attrs)
}

func groupType(names []string) cty.Type {
	attrs := map[string]cty.Type{}
	for _, n := range names {
		attrs[n] = aggregateType
	}
	return cty.Object(attrs)
}

// Results are the values of matrix.NAME by name, as JSON of the type that
// matrices have; what is not known is null.
type Results map[string]json.RawMessage

// resultOf is matrix.NAME or gate.NAME: unknown before anything has run.
func (s *scope) resultOf(kind, name string) cty.Value {
	if kind == "gate" {
		if judgement := s.judged[name]; judgement != "" {
			return cty.ObjectVal(map[string]cty.Value{"outcome": cty.StringVal(string(judgement))})
		}
		return cty.UnknownVal(gateType)
	}
	m := s.matrices[name]
	if text, ok := s.known[name]; ok {
		return resultValue(m, text)
	}
	return cty.UnknownVal(s.resultTypeOf(m))
}

// resultTypeOf is resultType, made once; of a matrix that is not whole, nothing is
// known.
func (s *scope) resultTypeOf(m *engine.Matrix) cty.Type {
	if s.broken["matrix."+m.Name] {
		return cty.DynamicPseudoType
	}
	if _, ok := s.types[m.Name]; !ok {
		s.types[m.Name] = resultType(m)
	}
	return s.types[m.Name]
}

// resultValue reads the results of a matrix. Groups that have no trial are null.
func resultValue(m *engine.Matrix, text json.RawMessage) cty.Value {
	attrs := map[string]json.RawMessage{}
	err := json.Unmarshal(text, &attrs)
	want := resultType(m)
	// What is missing in an object is null; what is missing of null is an error.
	for _, by := range groupNames {
		if attrs[by] == nil {
			attrs[by] = json.RawMessage("{}")
		}
	}
	axes := map[string]json.RawMessage{}
	if err == nil {
		err = json.Unmarshal(attrs["by_axis"], &axes)
	}
	for _, a := range m.Axes {
		if axes[a.Name] == nil {
			axes[a.Name] = json.RawMessage("{}")
		}
	}
	if err == nil {
		attrs["by_axis"], err = json.Marshal(axes)
	}
	if err == nil {
		text, err = json.Marshal(attrs)
	}
	var v cty.Value
	if err == nil {
		v, err = ctyjson.Unmarshal(text, want)
	}
	if err != nil {
		panic("lang: results of matrix " + m.Name + ": " + err.Error())
	}
	return countAll(v)
}

// reasonCounts are the keys of results that count trials by reason.
var reasonCounts = func() map[string][]string {
	out := map[string][]string{}
	for _, o := range outcomeRows {
		switch {
		case o.Status == engine.StatusErrored:
			out["errors"] = append(out["errors"], string(o.Reason))
		case strings.HasPrefix(string(o.Reason), "limit_"):
			out["limits"] = append(out["limits"], string(o.Reason))
		}
	}
	return out
}()

// countAll gives each reason that did not occur a zero, so that a gate can ask for
// it.
func countAll(v cty.Value) cty.Value {
	v, _ = cty.Transform(v, func(p cty.Path, v cty.Value) (cty.Value, error) {
		if len(p) == 0 || !v.Type().Equals(numbersType) || v.IsNull() {
			return v, nil
		}
		step, ok := p[len(p)-1].(cty.GetAttrStep)
		if !ok || reasonCounts[step.Name] == nil {
			return v, nil
		}
		counts := map[string]cty.Value{}
		for _, reason := range reasonCounts[step.Name] {
			counts[reason] = cty.Zero
		}
		maps.Copy(counts, v.AsValueMap())
		return cty.MapVal(counts), nil
	})
	return v
}

// checkResult reports a use of a result where none is known, or of a matrix or
// gate that is not declared.
func (s *scope) checkResult(t hcl.Traversal, p phase) bool {
	kind := t.RootName()
	if p != phaseResult {
		s.errorAt(t.SourceRange(), "V08", "results are known only when trials have ended",
			"The value of %s must be known before any of them starts. %s.* can be used in the condition and message of a gate, and in the if of a matrix.", s.reading, kind)
		return false
	}
	name := ""
	if len(t) > 1 {
		name, _ = stepName(t[1])
	}
	if name == "" {
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s needs a name", kind), "Write %s.NAME.", kind)
		return false
	}
	if _, ok := s.blocks[kind][name]; !ok {
		if s.gone(kind, name) {
			return false
		}
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("unknown %s %q", kind, name), "There is no %s %q here.%s", kind, name,
			didYouMean(name, s.order[kind], func(n string) string { return refText(kind, n) }))
		return false
	}
	if s.broken[kind+"."+name] {
		s.quietly()
		return true
	}
	return len(t) < 3 || s.checkResultAttr(t, kind, name)
}

// gateType is the type of gate.NAME.
var gateType = cty.Object(map[string]cty.Type{"outcome": cty.String})

// checkResultAttr reports an attribute that a result does not have, however deep
// in it.
func (s *scope) checkResultAttr(t hcl.Traversal, kind, name string) bool {
	what, of := gateType, fmt.Sprintf("gate %q", name)
	if kind == "matrix" {
		m := s.matrices[name]
		if m == nil {
			return true
		}
		what, of = s.resultTypeOf(m), fmt.Sprintf("matrix %q", name)
		if attr, _ := stepName(t[2]); attr == "vs_baseline" && m.Baseline == nil {
			s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("matrix %q has no baseline", name), "There is nothing to compare it with. Give it a baseline: a results file, or another matrix.")
			return false
		}
	}
	counts := ""      // what the step before was, if it was a result
	by, left := "", 0 // what the next steps divide the trials by, and how many they are
	for _, step := range t[2:] {
		attr, ok := stepName(step)
		reasons := reasonCounts[counts]
		if !ok || !what.IsObjectType() && reasons == nil {
			return true // an index that is computed, or a map: evaluation will tell
		}
		if reasons != nil {
			if !slices.Contains(reasons, attr) {
				s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("no trial can end with %q", attr), "What %s counts is the reasons of trials.%s", counts, didYouMean(attr, reasons, strconv.Quote))
				return false
			}
			return true
		}
		known := slices.Sorted(maps.Keys(what.AttributeTypes()))
		switch {
		case slices.Contains(known, attr):
		case left > 0:
			s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s has no %s %q", of, by, attr), "None of its trials belongs to it.%s", didYouMean(attr, known, strconv.Quote))
			return false
		default:
			s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s has no result %q", of, attr), "Nothing of this name is known once it has ended.%s",
				didYouMean(attr, known, func(n string) string { return n }))
			return false
		}
		what, counts = what.AttributeType(attr), attr
		if left > 0 {
			counts = ""
		}
		switch group, isGroup := strings.CutPrefix(attr, "by_"); {
		case left > 0:
			by, left = attr, left-1 // of an axis comes one of its values
		case isGroup && group == "axis":
			by, left = group, 2
		case isGroup:
			by, left = group, 1
		}
	}
	return true
}
