package lang

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// suite decodes the file on the command line with all that it imports.
func (l *loader) suite(main *source) *engine.Suite {
	s := newScope(l)
	for _, a := range main.body.Attributes {
		s.errorAt(a.NameRange, "V01", "a benchfile has no arguments of its own", "Move %q into the suite block.", a.Name)
	}
	s.declare(main.body.Blocks, false)
	suites := s.order["suite"]
	if len(suites) == 0 {
		s.errorAt(main.body.MissingItemRange(), "V02", "this file has no suite block",
			"The file on the command line begins with suite \"name\" { ... }; files without one can only be imported by such a file.")
		return nil
	}
	block := s.blocks["suite"][suites[0]]
	for _, name := range suites[1:] {
		s.errorAt(s.blocks["suite"][name].DefRange(), "V02", "a second suite block",
			"A benchfile declares one suite, and this one does so at %s. Remove one of the two, or move it into a file of its own.", at(block.DefRange()))
	}
	b := s.open(block.Body, suiteSpec, block.DefRange())
	if !b.checkVersion() { // what else seems wrong may be right in the version that is wanted
		l.diags = l.diags[len(l.diags)-1:]
		return nil
	}
	s.include(main.path, block.Body.Attributes["imports"])

	out := &engine.Suite{Name: suites[0], Root: l.rootDir, ResultsDir: ".bench", Pos: pos(block.DefRange())}
	out.Description, _ = b.str("description")
	if n, ok := b.whole("parallel", 1, 4096); ok {
		out.Parallel = int(n)
	}
	out.Seed, _ = b.whole("seed", 0, 1<<53)
	if p, ok := b.path("results_dir"); ok {
		out.ResultsDir = p
	}
	s.evaluateLocals()
	for _, name := range s.order["variable"] {
		s.once("var."+name, nil, func() (cty.Value, bool) { return s.variable(s.blocks["variable"][name]) })
	}
	s.checkVars()
	for _, name := range s.order["sandbox"] {
		s.sandbox(name)
	}
	for _, name := range s.order["case"] {
		s.inlineCase(name)
	}
	for _, name := range s.order["agent"] {
		s.agent(name)
	}
	for _, name := range s.order["matrix"] {
		out.Matrices = append(out.Matrices, s.matrix(name))
	}
	if len(out.Matrices) == 0 {
		s.errorAt(block.DefRange(), "V10", "the suite has no matrix", "Nothing would run. Declare which cases are given to which agents in a matrix block.")
	}
	s.reports(out)
	out.Cases, out.Agents = used(out.Matrices)
	out.Sources = l.sourceList()
	return out
}

// used lists the cases and agents that some matrix names, sorted.
func used(matrices []*engine.Matrix) ([]*engine.Case, []*engine.Agent) {
	cases, agents := map[string]*engine.Case{}, map[string]*engine.Agent{}
	add := func(cs []*engine.Case, as []*engine.Agent) {
		for _, c := range cs {
			cases[c.Name] = c
		}
		for _, a := range as {
			agents[a.Name] = a
		}
	}
	for _, m := range matrices {
		add(m.Cases, m.Agents)
		for _, i := range m.Include {
			add(i.Cases, i.Agents)
		}
	}
	var cs []*engine.Case
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		cs = append(cs, cases[name])
	}
	var as []*engine.Agent
	for _, name := range slices.Sorted(maps.Keys(agents)) {
		as = append(as, agents[name])
	}
	return cs, as
}

func (s *scope) evaluateLocals() {
	for _, name := range slices.Sorted(maps.Keys(s.locals)) {
		a := s.locals[name]
		t := hcl.Traversal{hcl.TraverseRoot{Name: "local", SrcRange: a.NameRange}, hcl.TraverseAttr{Name: name, SrcRange: a.NameRange}}
		s.lookup("local", name, nil, t)
	}
}

func (s *scope) checkVars() {
	for _, name := range slices.Sorted(maps.Keys(s.opts.Vars)) {
		if _, ok := s.blocks["variable"][name]; !ok {
			s.report(engine.Diagnostic{Rule: "V05", Summary: fmt.Sprintf("unknown variable %q", name),
				Detail: "A value was given for it, but the benchfile declares no such variable." + didYouMean(name, s.order["variable"], func(n string) string { return n })})
		}
	}
}

func (b *body) checkVersion() bool {
	want, ok := b.str("required_version")
	if !ok {
		return true
	}
	fits, err := versionFits(b.opts.Version, want)
	if err != nil {
		b.errorAt(b.place("required_version"), "V02", "unusable version constraint", "%v. Write it as \">= 0.1, < 1\".", err)
		return false
	}
	if !fits {
		b.errorAt(b.place("required_version"), "V02", "this suite needs another version of bench", "It wants %s, and this is bench %s. Install one that fits.", want, b.opts.Version)
	}
	return fits
}

// versionFits holds a version against a list of constraints, all of which must
// hold: ">= 0.1, < 1".
func versionFits(have, constraints string) (bool, error) {
	v, err := parseVersion(have)
	if err != nil {
		return true, nil // a build without a version fits everything
	}
	for c := range strings.SplitSeq(constraints, ",") {
		c = strings.TrimSpace(c)
		op := strings.TrimRight(c[:min(2, len(c))], " 0123456789.")
		want, err := parseVersion(strings.TrimSpace(strings.TrimPrefix(c, op)))
		if err != nil {
			return false, fmt.Errorf("%q is not a version constraint", c)
		}
		d := slices.Compare(v[:], want[:])
		holds, known := map[string]bool{"": d == 0, "=": d == 0, "!=": d != 0, ">": d > 0, ">=": d >= 0, "<": d < 0, "<=": d <= 0}[op]
		if !known {
			return false, fmt.Errorf("%q is not a comparison", op)
		}
		if !holds {
			return false, nil
		}
	}
	return true, nil
}

func parseVersion(s string) (v [3]int, err error) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "-")
	parts := strings.Split(s, ".")
	if len(parts) > 3 {
		return v, fmt.Errorf("%q is not a version", s)
	}
	for i, p := range parts {
		if v[i], err = strconv.Atoi(p); err != nil || v[i] < 0 {
			return v, fmt.Errorf("%q is not a version", s)
		}
	}
	return v, nil
}

// agent decodes an agent block. Its command and env may mention the trial.
func (s *scope) agent(name string) {
	block := s.blocks["agent"][name]
	b := s.open(block.Body, agentSpec, block.DefRange())
	a := &engine.Agent{Name: name, Pos: pos(block.DefRange())}
	builtin, isBuiltin := b.str("builtin")
	_, hasCommand := b.content.Attributes["command"]
	_, hasBuiltin := b.content.Attributes["builtin"]
	switch {
	case hasCommand == hasBuiltin:
		s.errorAt(b.rng, "V07", "an agent has either a command or a builtin", "Give exactly one of the two: what runs in the sandbox, or one of \"noop\" and \"oracle\".")
	case hasCommand:
		a.Bind = b.bind()
	case isBuiltin && builtin != string(engine.BuiltinNoop) && builtin != string(engine.BuiltinOracle):
		s.errorAt(b.place("builtin"), "V09", fmt.Sprintf("unknown builtin %q", builtin), "bench brings these agents.%s",
			didYouMean(builtin, []string{"noop", "oracle"}, strconv.Quote))
	}
	a.Builtin = engine.Builtin(builtin)
	a.NeedsModel = b.flag("needs_model", hasCommand)
	if e, ok := b.expr("env", kMap); ok && hasBuiltin {
		s.errorAt(e.Range(), "V07", "a builtin agent takes no env", "Remove it, or give the agent a command.")
	}
	a.Limits = b.limits()
	s.agents[name] = a
}

func (b *body) limits() engine.Limits {
	inner := b.one("limits")
	if inner == nil {
		return engine.Limits{}
	}
	d, _ := inner.duration("wall_clock")
	return engine.Limits{WallClock: d}
}

// bind compiles command and env. What does not mention the trial is evaluated
// now; the rest is type-checked now, and evaluated once per trial.
func (b *body) bind() func(engine.TrialValues) (engine.Invocation, error) {
	var words, vars func(cty.Value) (cty.Value, error)
	command, _ := b.expr("command", kCommand)
	if ctx, ok := b.context(command, true); ok {
		words, _ = b.perTrial(command, ctx, cty.List(cty.String))
	}
	if env, ok := b.expr("env", kMap); !ok {
		vars = func(cty.Value) (cty.Value, error) { return cty.MapValEmpty(cty.String), nil }
	} else if ctx, ok := b.context(env, true); ok {
		var first cty.Value
		if vars, first = b.perTrial(env, ctx, cty.Map(cty.String)); vars != nil && first.IsKnown() {
			keys := map[string]string{}
			for k, e := range first.AsValueMap() {
				keys[k] = ""
				if e.IsKnown() && !e.IsNull() {
					keys[k] = e.AsString()
				}
			}
			b.checkEnv(keys, env.Range())
		}
	}
	if words == nil || vars == nil {
		return nil
	}
	where := command.Range()
	return func(t engine.TrialValues) (engine.Invocation, error) {
		trial := trialValue(t)
		list, err := words(trial)
		if err != nil {
			return engine.Invocation{}, err
		}
		m, err := vars(trial)
		if err != nil {
			return engine.Invocation{}, err
		}
		inv := engine.Invocation{}
		for _, w := range list.AsValueSlice() {
			inv.Command = append(inv.Command, w.AsString())
		}
		if len(inv.Command) == 0 || inv.Command[0] == "" {
			return inv, fmt.Errorf("%s: the command is empty", at(where))
		}
		for k, v := range m.AsValueMap() {
			if inv.Env == nil {
				inv.Env = map[string]string{}
			}
			inv.Env[k] = v.AsString()
		}
		return inv, nil
	}
}

// perTrial gives a function that evaluates an expression for one trial, and what
// can be known of its value before; nil after reporting that it fits no trial.
func (b *body) perTrial(e hcl.Expression, ctx *hcl.EvalContext, want cty.Type) (each func(trial cty.Value) (cty.Value, error), first cty.Value) {
	eval := func(trial cty.Value) (cty.Value, hcl.Diagnostics) {
		child := ctx.NewChild()
		child.Variables = map[string]cty.Value{"trial": trial}
		return e.Value(child)
	}
	first, diags := eval(unknownTrial())
	b.hcl(diags, "V09")
	if diags.HasErrors() {
		return nil, first
	}
	first, ok := b.convert(first, want, e.Range())
	if !ok {
		return nil, first
	}
	finish := func(v cty.Value, diags hcl.Diagnostics) (cty.Value, error) {
		if diags.HasErrors() {
			return v, diags
		}
		out, ok := (&scope{loader: &loader{}}).convert(v, want, e.Range())
		if !ok || !out.IsWhollyKnown() || hasNull(out) {
			return out, fmt.Errorf("%s: %s is expected here", at(e.Range()), describeType(want))
		}
		return out, nil
	}
	if !mentionsTrial(e) {
		v, err := finish(first, nil)
		if err != nil {
			b.errorAt(e.Range(), "V09", "unusable value", "%v.", err)
			return nil, first
		}
		return func(cty.Value) (cty.Value, error) { return v, nil }, v
	}
	return func(trial cty.Value) (cty.Value, error) { return finish(eval(trial)) }, first
}

func hasNull(v cty.Value) bool {
	for it := v.ElementIterator(); it.Next(); {
		if _, e := it.Element(); e.IsNull() {
			return true
		}
	}
	return false
}

func trialValue(t engine.TrialValues) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{
		"case": cty.StringVal(t.Case), "agent": cty.StringVal(t.Agent),
		"n": cty.NumberIntVal(int64(t.N)), "seed": cty.NumberUIntVal(t.Seed),
		"prompt": cty.StringVal(t.Prompt), "prompt_file": cty.StringVal(t.PromptFile), "workspace": cty.StringVal(t.Workspace),
	})
}

// reports decodes the report blocks.
func (s *scope) reports(out *engine.Suite) {
	paths := map[string]hcl.Range{}
	for _, key := range s.order["report"] {
		block := s.blocks["report"][key]
		b := s.open(block.Body, reportSpec, block.DefRange())
		r := &engine.Report{Format: block.Labels[0], Rows: []string{"agent"}, Matrices: out.Matrices, Pos: pos(block.DefRange())}
		formats := []string{"json", "junit", "markdown"}
		if !slices.Contains(formats, r.Format) {
			s.errorAt(block.LabelRanges[0], "V09", fmt.Sprintf("unknown report format %q", r.Format), "bench writes other formats.%s", didYouMean(r.Format, formats, strconv.Quote))
		}
		r.Path, _ = b.path("path")
		if before, ok := paths[r.Path]; ok && r.Path != "" {
			s.errorAt(b.place("path"), "V23", "two reports write the same file", "%s is written by the report at %s already. Give one of them another path.", r.Path, at(before))
		}
		paths[r.Path] = b.rng
		if r.Path == "cases" || strings.HasPrefix(r.Path, "cases/") {
			s.errorAt(b.place("path"), "V23", "a report inside of cases/", "It would change what the next plan reads. Write it to out/ instead.")
		}
		if named := b.refs("matrices", "matrix"); named != nil {
			r.Matrices = nil
			for _, n := range named {
				r.Matrices = append(r.Matrices, s.matrices[n.name])
			}
		}
		if rows, ok := b.stringList("rows", kStrings); ok {
			b.checkRows(rows)
			r.Rows = rows
		}
		out.Reports = append(out.Reports, r)
	}
}

func (b *body) checkRows(rows []string) {
	known := []string{"agent", "case", "category", "tag"}
	for _, r := range rows {
		if !slices.Contains(known, r) {
			b.errorAt(b.place("rows"), "V09", fmt.Sprintf("rows cannot stand for %q", r), "They group the trials of a table.%s", didYouMean(r, known, strconv.Quote))
		}
	}
	if len(rows) == 0 {
		b.errorAt(b.place("rows"), "V10", "rows is empty", "Leave it out, or name what rows stand for.")
	}
}
