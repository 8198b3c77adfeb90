package lang

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// matrix decodes a matrix block, and resolves what it selects. What it waits for
// is resolved by connect, once all matrices and gates are known.
func (s *scope) matrix(name string) *engine.Matrix {
	b := s.open(s.blocks["matrix"][name], matrixSpec)
	m := &engine.Matrix{Name: name, Trials: 1, Pos: pos(b.rng)}
	s.matrices[name] = m
	before := b.trouble()
	selected := b.selectCases("cases")
	m.Cases = b.withTags(selected, b.trouble() == before)
	before = b.trouble()
	m.Axes = b.axes()
	axesKnown := b.trouble() == before && !b.meant["axis"]
	m.Agents, m.Models = b.crew(m, axesKnown)
	b.trials(m)
	if n, ok := b.whole("parallel", 1, 4096); ok {
		m.Parallel = int(n)
	}
	m.Lock = b.lock()
	b.vary(m, axesKnown)
	m.Budget = b.budget()
	m.Retry = b.retryOr(s.retry)
	m.MaxErrors = b.maxErrors()
	m.FailFast = b.flag("fail_fast", false)
	m.Reuse = b.flag("reuse", true)
	for _, e := range b.each("exclude") {
		if out, ok := e.exclude(m, axesKnown); ok {
			m.Exclude = append(m.Exclude, out)
		}
	}
	for _, i := range b.each("include") {
		m.Include = append(m.Include, i.include(m, axesKnown))
	}
	b.checkModelless(m)
	for _, a := range m.Agents {
		s.leaksTo(a, m.Cases)
	}
	for _, i := range m.Include {
		for _, a := range i.Agents {
			s.leaksTo(a, i.Cases)
		}
	}
	return m
}

// checkModelless reports params and limits that look at a model which some agent
// of the matrix does not have.
func (b *body) checkModelless(m *engine.Matrix) {
	agents := slices.Clone(m.Agents)
	for _, i := range m.Include {
		agents = append(agents, i.Agents...)
	}
	i := slices.IndexFunc(agents, func(a *engine.Agent) bool { return !a.NeedsModel && !b.broken["agent."+a.Name] })
	if i < 0 {
		return
	}
	exprs := []*hclsyntax.Attribute{b.attrs["params"]}
	for _, inner := range b.inner {
		if inner.Type == "limits" {
			exprs = append(exprs, inOrder(inner.Body.Attributes)...)
		}
	}
	for _, attr := range exprs {
		if attr == nil {
			continue
		}
		for _, t := range unguarded(attr.Expr) {
			if len(t) < 3 || t.RootName() != "trial" {
				continue
			}
			if what, _ := stepName(t[1]); what == "model" {
				b.errorAt(t.SourceRange(), "V11", fmt.Sprintf("agent %q has no model", agents[i].Name),
					"There is no trial.model for its trials. Give it a matrix of its own, or write try(%s, ...) with what holds without a model.", refOfTrial(t))
				return
			}
		}
	}
}

// refOfTrial is a name below trial as it is written.
func refOfTrial(t hcl.Traversal) string {
	out := t.RootName()
	for _, step := range t[1:] {
		name, ok := stepName(step)
		if !ok {
			return out
		}
		out += "." + name
	}
	return out
}

// maxTrials bounds the trials of a cell.
const maxTrials = 100_000

// trials reads how often each cell is tried.
func (b *body) trials(m *engine.Matrix) {
	if n, ok := b.whole("trials", 1, maxTrials); ok {
		m.Trials = int(n)
	}
	v, ok := b.value("seeds", kNumbers, cty.List(cty.Number))
	if !ok {
		return
	}
	if b.has("trials") {
		b.errorAt(b.attrs["seeds"].NameRange, "V07", "a matrix has either trials or seeds", "There is one trial for each seed. Remove one of the two.")
		return
	}
	for i, e := range v.AsValueSlice() {
		if e.IsNull() {
			b.errorAt(b.item("seeds", i), "V09", "null in a list of numbers", "Leave the element out.")
			return
		}
		n, err := wholeIn(e, 0, 1<<53)
		if err != nil {
			b.errorAt(b.item("seeds", i), "V09", "a seed is out of range", "%v", err)
			return
		}
		if slices.Contains(m.Seeds, n) {
			b.errorAt(b.item("seeds", i), "V10", fmt.Sprintf("seed %d is listed twice", n), "Two trials of a cell would be one and the same. Remove one of the two.")
			return
		}
		m.Seeds = append(m.Seeds, n)
	}
	if m.Trials = len(m.Seeds); m.Trials == 0 {
		b.errorAt(b.place("seeds"), "V10", "seeds is empty", "Name at least one, or write trials instead.")
	}
}

// crew reads agents and models, and reports agents that have no model, models
// that have no agent, and agents that want to know an axis that is not there.
func (b *body) crew(m *engine.Matrix, axesKnown bool) ([]*engine.Agent, []*engine.Model) {
	before := b.trouble()
	var agents []*engine.Agent
	refs := b.refs("agents")
	for _, r := range refs {
		agents = append(agents, b.agents[r.name])
	}
	known := b.trouble() == before && b.written("agents")
	var models []*engine.Model
	for _, r := range b.refs("models") {
		models = append(models, b.models[r.name])
	}
	if axesKnown {
		for _, r := range refs {
			b.checkAsked(r, m)
		}
	}
	if !known {
		return agents, models
	}
	i := slices.IndexFunc(agents, func(a *engine.Agent) bool { return a.NeedsModel })
	switch {
	case i >= 0 && !b.has("models"):
		b.errorAt(refs[i].rng, "V11", fmt.Sprintf("agent %q needs a model", agents[i].Name),
			"Add models = [model.NAME]. If agent %q calls none, write needs_model = false in its block.", agents[i].Name)
	case i < 0 && len(agents) > 0 && b.written("models"):
		b.errorAt(b.attrs["models"].NameRange, "V11", "no agent uses these models", "None of the agents needs a model. Remove models, or add an agent that uses them.")
	}
	return agents, models
}

// checkAsked reports an agent that wants to know an axis that its matrix does
// not have.
func (b *body) checkAsked(agent namedRef, m *engine.Matrix) {
	for _, t := range b.asksFor[agent.name] {
		axis, ok := stepName(t[2])
		if !ok || slices.ContainsFunc(m.Axes, func(a *engine.Axis) bool { return a.Name == axis }) {
			continue
		}
		b.errorAt(agent.rng, "V05", fmt.Sprintf("matrix %q has no axis %q", m.Name, axis),
			"Agent %q uses trial.axis.%s (%s). Add axis %q { values = [...] } to the matrix, or write try(trial.axis.%s, ...) there, with what holds without it.",
			agent.name, axis, at(t.SourceRange()), axis, axis)
		return
	}
}

// axes decodes the dimensions of a matrix.
func (b *body) axes() []*engine.Axis {
	var out []*engine.Axis
	for _, inner := range b.named("axis") {
		axis := &engine.Axis{Name: inner.label, Pos: pos(inner.rng)}
		out = append(out, axis)
		v, ok := inner.value("values", kList, cty.DynamicPseudoType)
		if !ok {
			continue
		}
		place := inner.place("values")
		if v.IsNull() || !v.CanIterateElements() || v.Type().IsObjectType() || v.Type().IsMapType() {
			b.errorAt(place, "V09", "wrong type", "This must be a list, such as [0, 0.5, 1].")
			continue
		}
		names := map[string]bool{}
		for i, e := range v.AsValueSlice() {
			if e.IsNull() {
				b.errorAt(inner.item("values", i), "V09", "null is not a value here", "Leave the element out.")
				continue
			}
			value, err := axisValue(e)
			if err != nil {
				b.errorAt(inner.item("values", i), "V09", "unusable value of an axis", "%s.", upperFirst(err.Error()))
				continue
			}
			if names[value.Name] {
				b.errorAt(inner.item("values", i), "V10", fmt.Sprintf("%s is listed twice", value.Name), "The values of an axis are told apart by their names. Remove one of the two, or give objects different names.")
				continue
			}
			names[value.Name] = true
			axis.Values = append(axis.Values, value)
		}
		if v.LengthInt() == 0 {
			b.errorAt(place, "V10", "values is empty", "Name at least one value, or remove the axis.")
		}
	}
	return out
}

// axisValue names a value of an axis.
func axisValue(v cty.Value) (engine.AxisValue, error) {
	text, err := toJSON(v)
	if err != nil {
		return engine.AxisValue{}, err
	}
	out := engine.AxisValue{Value: text}
	switch t := v.Type(); {
	case t == cty.String:
		out.Name = v.AsString()
	case t == cty.Bool:
		out.Name = strconv.FormatBool(v.True())
	case t == cty.Number:
		out.Name = v.AsBigFloat().Text('f', -1)
	case (t.IsObjectType() || t.IsMapType()) && v.AsValueMap()["name"] != cty.NilVal && v.AsValueMap()["name"].Type() == cty.String && !v.AsValueMap()["name"].IsNull():
		out.Name = v.AsValueMap()["name"].AsString()
	default:
		return out, errors.New("write numbers, booleans and short strings, or objects with a name: { name = \"low\", ... }")
	}
	if !engine.ValidAxisValue(out.Name) {
		shown := out.Name
		if len(shown) > 40 {
			shown = strings.ToValidUTF8(shown[:40], "") + "..."
		}
		return out, fmt.Errorf("%q cannot stand in the id of a trial: only 1 to 40 letters, digits, dots, underscores and hyphens can. Give it a name: { name = \"short\", value = ... }", shown)
	}
	return out, nil
}

// vary reads limits and params, which may depend on the trial.
func (b *body) vary(m *engine.Matrix, axesKnown bool) {
	if axesKnown {
		b.axesOf = append([]*engine.Axis{}, m.Axes...)
		defer func() { b.axesOf = nil }()
	}
	params, varies := b.matrixParams(m)
	limits := map[string]trialFunc{}
	inner := b.one("limits")
	if inner != nil {
		for _, a := range inner.spec.attrs {
			inner.limit(a, m, limits)
		}
	}
	if !varies && len(limits) == 0 {
		return
	}
	m.Vary = func(t engine.TrialValues) (engine.Limits, engine.Params, error) {
		l, p := m.Limits, m.Params
		if varies {
			v, err := params(t)
			if err == nil {
				p, err = objectParams(v)
			}
			if err != nil {
				return l, p, err
			}
		}
		for _, a := range inner.limitAttrs() {
			f := limits[a.name]
			if f == nil {
				continue
			}
			v, err := f(t)
			if err == nil {
				err = setLimit(&l, a.name, v)
			}
			if err != nil {
				return l, p, fmt.Errorf("%s: %s", a.name, lowerFirst(strings.TrimSuffix(err.Error(), ".")))
			}
		}
		return l, p, nil
	}
}

// matrixParams reads the params of a matrix: at once if they are the same for
// all trials, else as a function of the trial.
func (b *body) matrixParams(m *engine.Matrix) (each trialFunc, varies bool) {
	e, ok := b.expr("params", kObject)
	if !ok {
		return nil, false
	}
	each, now := b.perTrial(e, phaseTrial, cty.DynamicPseudoType)
	if each == nil || !b.fitToShow(now, e) {
		return nil, false
	}
	if len(mentioned(e)) > 0 && (!now.IsKnown() && now.Type() == cty.DynamicPseudoType || b.isObject(now, e)) {
		return each, true
	}
	if now.IsWhollyKnown() {
		m.Params, _ = b.params(now, e)
	}
	return nil, false
}

func (b *body) limitAttrs() []attr {
	if b == nil {
		return nil
	}
	return b.spec.attrs
}

func objectParams(v cty.Value) (engine.Params, error) {
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() || v.ContainsMarked() {
		return nil, errors.New("params must be an object that can be shown")
	}
	return toParams(v)
}

// limit reads one limit of a matrix: at once if it is the same for all trials.
func (b *body) limit(a attr, m *engine.Matrix, into map[string]trialFunc) {
	e, ok := b.expr(a.name, a.kind)
	if !ok {
		return
	}
	want := cty.Number
	if a.kind == kDuration {
		want = cty.String
	}
	f, now := b.perTrial(e, a.phase, want)
	if f == nil || !b.fitToShow(now, e) {
		return
	}
	if len(mentioned(e)) > 0 {
		into[a.name] = f
		return
	}
	err := setLimit(&m.Limits, a.name, now)
	switch {
	case err != nil && a.kind == kDuration:
		b.badDuration(now.AsString(), err, e.Range())
	case err != nil:
		b.errorAt(e.Range(), "V09", fmt.Sprintf("%s is out of range", a.name), "%v", err)
	}
}

func setLimit(l *engine.Limits, name string, v cty.Value) (err error) {
	if v.ContainsMarked() {
		return errors.New("a sensitive value would be shown here")
	}
	var n uint64
	switch name {
	case "wall_clock":
		l.WallClock, err = parseDuration(v.AsString())
	case "cost":
		l.Cost, err = numberIn(v, 0.000001, 1e9)
	case "tokens":
		n, err = wholeIn(v, 1, maxTokens)
		l.Tokens = int64(n)
	case "turns":
		n, err = wholeIn(v, 1, maxTokens)
		l.Turns = int64(n)
	case "requests":
		n, err = wholeIn(v, 1, maxTokens)
		l.Requests = int64(n)
	default:
		panic("lang: unknown limit " + name)
	}
	return err
}

// exclude reads which cells are removed; ok is false if it cannot remove any.
func (b *body) exclude(m *engine.Matrix, axesKnown bool) (out *engine.Exclude, ok bool) {
	out, ok = &engine.Exclude{Pos: pos(b.rng)}, true
	if e, written := b.expr("case", kCase); written {
		out.Cases = b.casesOf([]hcl.Expression{e}, func(r hcl.Range, pattern string) {
			ok = false
			b.warnAt(r, "V13", "this exclude removes nothing", "No directory with a case.hcl matches %q.%s", pattern, b.nearCase(pattern))
		})
	}
	if r, ok := b.ref("agent"); ok {
		out.Agent = b.agents[r.name]
	}
	if r, ok := b.ref("model"); ok {
		out.Model = b.models[r.name]
	}
	if v, ok := b.value("axis", kObject, cty.DynamicPseudoType); ok {
		out.Axes = b.points(v, m, axesKnown)
	}
	if !slices.ContainsFunc(b.spec.attrs, func(a attr) bool { return b.has(a.name) }) {
		b.errorAt(b.rng, "V10", "an exclude that names nothing", "Give it a case, an agent, a model or an axis; all that it gives must match.")
	}
	return out, ok
}

// points reads which values of which axes an exclude means.
func (b *body) points(v cty.Value, m *engine.Matrix, axesKnown bool) map[string]json.RawMessage {
	place := b.place("axis")
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		b.errorAt(place, "V09", "wrong type", "This must be an object, such as { temperature = 0.5 }.")
		return nil
	}
	out := map[string]json.RawMessage{}
	if !axesKnown {
		return out
	}
	if v.LengthInt() == 0 {
		b.errorAt(place, "V10", "axis is empty", "Name at least one value of an axis, or leave it out.")
	}
	for _, name := range slices.Sorted(maps.Keys(v.AsValueMap())) {
		key, at := b.entry("axis", name)
		i := slices.IndexFunc(m.Axes, func(a *engine.Axis) bool { return a.Name == name })
		if i < 0 {
			var names []string
			for _, a := range m.Axes {
				names = append(names, a.Name)
			}
			b.errorAt(key, "V05", fmt.Sprintf("the matrix has no axis %q", name), "An exclude can only name axes of its matrix.%s", didYouMean(name, names, func(n string) string { return n }))
			continue
		}
		text, err := toJSON(v.AsValueMap()[name])
		if err != nil {
			b.errorAt(at, "V09", "unusable value of an axis", "%s.", upperFirst(err.Error()))
			continue
		}
		if !slices.ContainsFunc(m.Axes[i].Values, func(o engine.AxisValue) bool { return o.Is(text) }) {
			b.errorAt(at, "V10", fmt.Sprintf("axis %q has no such value", name), "Its values are %s.", axisNames(m.Axes[i]))
			continue
		}
		out[name] = text
	}
	return out
}

func axisNames(a *engine.Axis) string {
	var names []string
	for _, v := range a.Values {
		names = append(names, v.Name)
	}
	return strings.Join(names, ", ")
}

// include reads which cells are added.
func (b *body) include(m *engine.Matrix, axesKnown bool) *engine.Include {
	out := &engine.Include{Trials: m.Trials, Pos: pos(b.rng)}
	if n, ok := b.whole("trials", 1, maxTrials); ok {
		out.Trials = int(n)
		if m.Seeds != nil && out.Trials > len(m.Seeds) {
			b.errorAt(b.place("trials"), "V07", "more trials than seeds", "The matrix names %s, one for each trial. Name more of them, or lower trials.", counted(len(m.Seeds), "seed"))
		}
	}
	before := b.trouble()
	out.Cases = b.selectCases("cases")
	if len(out.Cases) == 0 && b.written("cases") && b.trouble() == before {
		b.errorAt(b.place("cases"), "V10", "the include selects no case", "It would add nothing. Name cases or patterns of them, or remove it.")
	}
	out.Agents, out.Models = b.crew(m, axesKnown)
	return out
}
