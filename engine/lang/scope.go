package lang

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/ml-dev-bench/bench/engine"
)

// A scope is one namespace of blocks: that of the suite with its imports, or
// that of a case file with its own.
type scope struct {
	*loader
	blocks map[string]map[string]*hclsyntax.Block // by kind and name
	order  map[string][]string                    // names by kind, as declared
	locals map[string]*hclsyntax.Attribute
	values map[string]cty.Value // what was evaluated: "local.x", "sandbox.s.memory"
	busy   []visit              // what is being evaluated, to find circles
	failed map[string]bool      // values that were reported already

	sandboxes map[string]*engine.Sandbox
	cases     map[string]*engine.Case
	agents    map[string]*engine.Agent
	secrets   map[string]*engine.Secret
	providers map[string]*engine.Provider
	models    map[string]*engine.Model
	matrices  map[string]*engine.Matrix
	gates     map[string]*engine.Gate
	uses      map[string]bool // "agent.react": what something refers to

	partial bool            // a file could not be imported: any name may be one of its
	lost    map[string]bool // "agent.x": it was declared in a way that was refused
	broken  map[string]bool // "agent.x": something in its block is wrong

	read    []string                                // the benchfiles that it is made from
	known   Results                                 // nil while nothing has run
	judged  map[string]engine.Judgement             // gates; nil while nothing has run
	types   map[string]cty.Type                     // of results, by matrix
	retry   engine.Retry                            // of the suite
	axesOf  []*engine.Axis                          // of the matrix that is being decoded; nil elsewhere
	asksFor map[string][]hcl.Traversal              // by agent: the uses of trial.axis that must have an axis
	layers  map[string]hcl.Range                    // by agent: where its build context is written
	reading string                                  // what is being evaluated, in words: "image"
	calling map[string]map[string]function.Function // by file: what can be called in it
}

func newScope(l *loader) *scope {
	return &scope{
		loader: l,
		blocks: map[string]map[string]*hclsyntax.Block{},
		order:  map[string][]string{},
		locals: map[string]*hclsyntax.Attribute{},
		values: map[string]cty.Value{},
		failed: map[string]bool{},

		sandboxes: map[string]*engine.Sandbox{},
		cases:     map[string]*engine.Case{},
		agents:    map[string]*engine.Agent{},
		secrets:   map[string]*engine.Secret{},
		providers: map[string]*engine.Provider{},
		models:    map[string]*engine.Model{},
		matrices:  map[string]*engine.Matrix{},
		gates:     map[string]*engine.Gate{},
		uses:      map[string]bool{},

		lost:    map[string]bool{},
		broken:  map[string]bool{},
		types:   map[string]cty.Type{},
		asksFor: map[string][]hcl.Traversal{},
		layers:  map[string]hcl.Range{},
		calling: map[string]map[string]function.Function{},
	}
}

// ofCase reports whether the scope is that of a case file.
func (s *scope) ofCase() bool { return s.scope != s }

// trouble counts what has gone wrong so far. Whoever sees it grow knows that what
// came of his work is not whole, and complains of nothing that follows from it.
func (l *loader) trouble() int {
	for ; l.counted < len(l.diags); l.counted++ {
		if l.diags[l.counted].Severity == engine.SeverityError {
			l.mistakes++
		}
	}
	return l.mistakes
}

// warnAt reports what is not wrong, but probably not meant.
func (l *loader) warnAt(r hcl.Range, rule, summary, detail string, args ...any) {
	l.report(engine.Diagnostic{Severity: engine.SeverityWarning, Rule: rule, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: span(r)})
}

// quietly notes trouble of which enough was said before.
func (l *loader) quietly() { l.mistakes++ }

// decodeAll decodes the blocks of a kind, and remembers which of them are broken.
func (s *scope) decodeAll(kind string, decode func(name string)) {
	for _, name := range s.order[kind] {
		before := s.trouble()
		decode(name)
		if s.trouble() != before {
			s.broken[kind+"."+name] = true
		}
	}
}

// declare takes the blocks of a file into the namespace.
func (s *scope) declare(blocks hclsyntax.Blocks, imported bool) {
	for _, b := range blocks {
		sp := blockSpec(b.Type)
		switch {
		case sp == nil:
			s.unknownBlock(b)
		case b.Type == "locals":
			s.declareLocals(b)
		case b.Type == "suite" && imported:
			s.errorAt(b.DefRange(), "V02", "an imported file has no suite block", "Only the file on the command line declares the suite. Remove this block, or run this file by itself.")
		case s.labelled(b, sp):
			s.declareBlock(b)
		}
	}
}

// labelled reports a block that has not exactly the labels that it should have.
func (s *scope) labelled(b *hclsyntax.Block, sp *spec) bool {
	switch {
	case sp.label == "" && len(b.Labels) > 0:
		s.errorAt(b.LabelRanges[0], "V01", fmt.Sprintf("%s block has no name", article(b.Type)), "Write it as %s.", sp.form())
	case sp.label != "" && len(b.Labels) == 0:
		s.errorAt(b.TypeRange, "V01", fmt.Sprintf("%s block has a %s", article(b.Type), sp.label), "Write it as %s.", sp.form())
	case sp.label != "" && len(b.Labels) > 1:
		s.lost[b.Type+"."+b.Labels[0]] = true
		s.errorAt(b.LabelRanges[1], "V01", fmt.Sprintf("%s block has only one %s", article(b.Type), sp.label), "Write it as %s.", sp.form())
	default:
		return true
	}
	return false
}

// form is how a block is written.
func (s *spec) form() string {
	if s.label == "" {
		return s.kind + " { ... }"
	}
	return fmt.Sprintf("%s %q { ... }", s.kind, s.label)
}

func blockSpec(kind string) *spec {
	i := slices.IndexFunc(topLevel, func(sp *spec) bool { return sp.kind == kind })
	if i < 0 {
		return nil
	}
	return topLevel[i]
}

func (s *scope) unknownBlock(b *hclsyntax.Block) {
	detail := "bench knows no block of this type."
	if hint, ok := reserved[b.Type]; ok {
		detail += " " + plain(hint)
	} else {
		kinds := topKinds()
		for _, sp := range topLevel {
			if sp.nested(b.Type) != nil {
				detail = fmt.Sprintf("It belongs into %s block.", article(sp.kind))
			}
		}
		if detail[0] == 'b' {
			detail += didYouMean(b.Type, kinds, func(k string) string { return k })
		}
		if near := Nearest(b.Type, kinds); near != "" && len(b.Labels) > 0 {
			s.lost[near+"."+b.Labels[0]] = true
		}
	}
	s.errorAt(b.TypeRange, "V01", fmt.Sprintf("unsupported block type %q", b.Type), "%s", detail)
}

func topKinds() []string {
	var kinds []string
	for _, sp := range topLevel {
		kinds = append(kinds, sp.kind)
	}
	return kinds
}

const nameRule = "A name is a lower-case letter followed by lower-case letters, digits, underscores and hyphens."

func (s *scope) declareBlock(b *hclsyntax.Block) {
	name := b.Labels[0]
	label := b.LabelRanges[0]
	switch {
	case b.Type == "case" && !engine.ValidCaseName(name):
		s.lost["case."+name] = true
		s.errorAt(label, "V04", fmt.Sprintf("%q cannot be the name of a case", name), "%s A case may lie in groups: \"group/name\".", nameRule)
		return
	case b.Type != "case" && !s.validName(name, label):
		s.lost[b.Type+"."+name] = true
		return
	}
	if b.Type == "report" { // its label is a format, and several of one format are fine
		name = fmt.Sprintf("%s#%d", name, len(s.order["report"]))
	}
	before, twice := s.blocks[b.Type][name]
	switch {
	case b.Type == "suite" && len(s.order["suite"]) > 0:
		first := s.blocks["suite"][s.order["suite"][0]]
		s.errorAt(b.DefRange(), "V02", "a second suite block",
			"A benchfile declares one suite, and this one does so at %s. Remove one of the two, or move it into a file of its own.", at(first.DefRange()))
		return
	case twice:
		s.twice(b.Type, name, label, before.LabelRanges[0])
		return
	}
	if s.blocks[b.Type] == nil {
		s.blocks[b.Type] = map[string]*hclsyntax.Block{}
	}
	s.blocks[b.Type][name] = b
	s.order[b.Type] = append(s.order[b.Type], name)
}

// twice reports a name that is there already.
func (s *scope) twice(what, name string, r, before hcl.Range) {
	s.errorAt(r, "V03", fmt.Sprintf("%s %q is declared twice", what, name), "It is declared at %s already. Rename or remove one of the two.", at(before))
}

func (s *scope) declareLocals(b *hclsyntax.Block) {
	if !s.labelled(b, localsSpec) {
		return
	}
	for _, inner := range b.Body.Blocks {
		s.lost["local."+inner.Type] = true
		s.errorAt(inner.TypeRange, "V01", "a locals block holds no blocks", "Write values as name = value.")
	}
	for _, a := range inOrder(b.Body.Attributes) {
		if before, ok := s.locals[a.Name]; ok {
			s.twice("local", a.Name, a.NameRange, before.NameRange)
			continue
		}
		s.locals[a.Name] = a
	}
}

// inOrder lists arguments as they are written.
func inOrder(attrs hclsyntax.Attributes) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(attrs), func(a, b *hclsyntax.Attribute) int { return a.NameRange.Start.Byte - b.NameRange.Start.Byte })
}

// context resolves every name that an expression uses. Names of its own phase
// and later values are unknown, of the right type.
func (s *scope) context(e hcl.Expression, p phase) (*hcl.EvalContext, bool) {
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: s.functionsOf(e.Range().Filename)}
	ok := true
	names := named{}
	for _, t := range e.Variables() {
		if s.full(engine.SeverityError) {
			s.quietly()
			return ctx, false
		}
		switch root := t.RootName(); root {
		case "trial":
			ok = s.checkTrial(t, p) && ok
			ctx.Variables["trial"] = unknownTrial(s.axesOf)
		case "matrix", "gate":
			if s.checkResult(t, p) {
				name, _ := stepName(t[1])
				names.add(root, name, s.resultOf(root, name))
			} else {
				ok = false
			}
		default:
			ok = s.resolve(names, t) && ok
		}
	}
	names.into(ctx.Variables)
	return ctx, ok
}

// named are the values of names, by first word and name. Of a block, these are
// some of its arguments.
type named map[string]map[string]cty.Value

func (n named) add(root, name string, v cty.Value) {
	if n[root] == nil {
		n[root] = map[string]cty.Value{}
	}
	n[root][name] = v
}

// into gives each first word its value.
func (n named) into(variables map[string]cty.Value) {
	for root, values := range n {
		kind, block, ok := strings.Cut(root, ".")
		if ok {
			n.add(kind, block, cty.ObjectVal(values))
		}
	}
	for root, values := range n {
		if !strings.Contains(root, ".") {
			variables[root] = cty.ObjectVal(values)
		}
	}
}

// functionsOf are the functions that can be called in a file.
func (s *scope) functionsOf(file string) map[string]function.Function {
	if s.calling[file] == nil {
		s.calling[file] = s.functions(file)
	}
	return s.calling[file]
}

// resolve looks up what one traversal names, and adds it to the values of its root.
func (s *scope) resolve(names named, t hcl.Traversal) bool {
	root := t.RootName()
	name, rest, ok := s.splitName(t)
	if !ok {
		return false
	}
	s.uses[kindOf(root)+"."+name] = true
	v, ok := s.lookup(root, name, rest, t)
	if !ok {
		return false
	}
	if !slices.Contains(blockRoots, root) {
		names.add(root, name, v)
		return true
	}
	for argument, value := range v.AsValueMap() {
		names.add(root+"."+name, argument, value)
	}
	return true
}

// kindOf is the kind of block that the first word of a name stands for.
func kindOf(root string) string {
	if root == "var" {
		return "variable"
	}
	return root
}

func stepName(step hcl.Traverser) (string, bool) {
	switch t := step.(type) {
	case hcl.TraverseAttr:
		return t.Name, true
	case hcl.TraverseIndex:
		if t.Key.Type() == cty.String && t.Key.IsKnown() && !t.Key.IsNull() {
			return t.Key.AsString(), true
		}
	}
	return "", false
}

// blockRoots are the kinds of block whose arguments can be used as values.
var blockRoots = []string{"sandbox", "model", "provider", "agent", "case"}

// valueRoots are all first words of names that are known when files are read.
var valueRoots = append([]string{"var", "local", "suite"}, blockRoots...)

// splitName takes "local.x.y" apart: the name of what is meant, and the steps
// that lead on from there.
func (s *scope) splitName(t hcl.Traversal) (name string, rest hcl.Traversal, ok bool) {
	root := t.RootName()
	switch {
	case root == "secret":
		s.errorAt(t.SourceRange(), "V19", "a secret is not a value", "Only a provider can use it, as its api_key or in its headers. An agent never sees a key: it has trial.gateway.token.")
		return "", nil, false
	case !slices.Contains(valueRoots, root):
		s.unknownRoot(t)
		return "", nil, false
	}
	if len(t) > 1 {
		if name, ok = stepName(t[1]); ok {
			return name, t[2:], true
		}
	}
	s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s needs a name", root), "Write %s.NAME.", root)
	return "", nil, false
}

// unknownRoot reports a name of which not even the first word is known.
func (s *scope) unknownRoot(t hcl.Traversal) {
	root := t.RootName()
	r := t.SourceRange()
	text := s.sources.files[r.Filename]
	inText := r.Start.Byte >= 2 && r.Start.Byte <= len(text) && string(text[r.Start.Byte-2:r.Start.Byte]) == "${"
	detail := ""
	switch {
	case root == "variable":
		detail = " A variable is used as var.NAME."
	case root == "locals":
		detail = " A value of a locals block is used as local.NAME."
	case inText && len(t) == 1:
		detail = fmt.Sprintf(" To leave ${%s} for a shell, write $${%s}.", root, root)
	case len(t) == 1 && s.locals[root] != nil && s.reading != "local."+root:
		detail = fmt.Sprintf(" Did you mean local.%s?", root)
	case len(t) == 1 && s.blocks["variable"][root] != nil:
		detail = fmt.Sprintf(" Did you mean var.%s?", root)
	case len(t) == 1:
		detail = fmt.Sprintf(" If it is a text, put it into quotes: %q.", root)
	default:
		detail = didYouMean(root, append([]string{"trial", "matrix", "gate"}, valueRoots...), func(n string) string { return n })
	}
	s.errorAt(r, "V05", fmt.Sprintf("unknown name %q", root), "Nothing of this name can be used in an expression.%s", detail)
}

// lookup evaluates what a name stands for, once.
func (s *scope) lookup(root, name string, rest hcl.Traversal, t hcl.Traversal) (cty.Value, bool) {
	switch root {
	case "suite":
		return s.suiteValue(name, t)
	case "local":
		a, ok := s.locals[name]
		if !ok {
			return s.unknown(root, name, slices.Collect(maps.Keys(s.locals)), t)
		}
		return s.once("local."+name, t, func() (cty.Value, bool) { return s.evalMarked(a.Expr, cty.DynamicPseudoType) })
	case "var":
		b, ok := s.blocks["variable"][name]
		if !ok {
			return s.unknown(root, name, s.order["variable"], t)
		}
		return s.once("var."+name, t, func() (cty.Value, bool) { return s.variable(b) })
	}
	b, ok := s.blocks[root][name]
	if !ok {
		return s.unknown(root, name, s.order[root], t)
	}
	attr, ok := "", false
	if len(rest) > 0 {
		attr, ok = stepName(rest[0])
	}
	if !ok {
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s is not a value", article(root)),
			"Refer to %s where a reference is expected, or use one of its arguments here, such as %s.%s.%s.", article(root), root, name, someArgument(b))
		return cty.NilVal, false
	}
	v, ok := s.argument(root+"."+name, attr, b, t)
	if !ok {
		return v, false
	}
	return cty.ObjectVal(map[string]cty.Value{attr: v}), true
}

// someArgument is an argument of a block that is a value, for an example.
func someArgument(b *hclsyntax.Block) string {
	sp := blockSpec(b.Type)
	for _, a := range inOrder(b.Body.Attributes) {
		if sp.find(a.Name) && sp.attr(a.Name).isValue() {
			return a.Name
		}
	}
	return "ARGUMENT"
}

// isValue reports whether an argument is a value that another block can use.
func (a attr) isValue() bool {
	return len(a.to) == 0 && a.kind != kHeaders && (a.phase == phaseStatic || a.phase == phaseLiteral)
}

// argument evaluates an argument of a block as a value.
func (s *scope) argument(owner, attr string, b *hclsyntax.Block, t hcl.Traversal) (cty.Value, bool) {
	sp := blockSpec(b.Type)
	a, written := b.Body.Attributes[attr]
	switch {
	case sp.nested(attr) != nil:
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s.%s is a block", owner, attr), "Only arguments are values. Put the value that both need into a local.")
	case !sp.find(attr):
		var names []string
		for _, a := range sp.attrs {
			if a.isValue() {
				names = append(names, a.name)
			}
		}
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("unknown name %s.%s", owner, attr), "%s has no argument of this name.%s", upperFirst(article(sp.kind)),
			didYouMean(attr, names, func(n string) string { return owner + "." + n }))
	case !sp.attr(attr).isValue() && sp.attr(attr).phase != phaseStatic:
		s.errorAt(t.SourceRange(), "V08", fmt.Sprintf("%s.%s is known only per trial", owner, attr), "It is read once for each trial, and cannot be used elsewhere. Put what both need into a local.")
	case !sp.attr(attr).isValue():
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s.%s is not a value", owner, attr), "It refers to another block. Refer to that block itself.")
	case !written:
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s.%s is not written", owner, attr), "Only what a block says can be used elsewhere, not what holds without it. Write %s in that block.", attr)
	default:
		return s.once(owner+"."+attr, t, func() (cty.Value, bool) { return s.evalMarked(a.Expr, cty.DynamicPseudoType) })
	}
	return cty.NilVal, false
}

func (s *scope) suiteValue(name string, t hcl.Traversal) (cty.Value, bool) {
	if s.ofCase() {
		s.errorAt(t.SourceRange(), "V05", "a case file knows no suite", "A case means the same in every suite. Write the value itself.")
		return cty.NilVal, false
	}
	label := s.order["suite"][0]
	if name == "name" {
		return cty.StringVal(label), true
	}
	return s.argument("suite", name, s.blocks["suite"][label], t)
}

// unknown reports a name that nothing declares.
func (s *scope) unknown(root, name string, names []string, t hcl.Traversal) (cty.Value, bool) {
	if s.gone(kindOf(root), name) {
		return cty.NilVal, false
	}
	detail := fmt.Sprintf("There is no %s of that name here.", root)
	switch {
	case root == "var" && s.ofCase():
		detail = "A case means the same in every suite, and knows no variables of one. Write the value itself."
	case root == "local" && s.ofCase() && len(names) == 0:
		detail = "A case file has no locals, but for those of the files that it imports. Write the value itself."
	case root == "var":
		detail = fmt.Sprintf("Nothing declares it. Write variable %q { ... } at the top level.", name)
	case root == "local":
		detail = "No locals block gives it a value."
	case root == "provider" && isPredeclared(name):
		detail = "It needs no block, so it has no arguments that could be used. Write the value itself."
		names = nil
	}
	s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("unknown name %s.%s", root, name), "%s%s", detail,
		didYouMean(name, names, func(n string) string { return root + "." + n }))
	return cty.NilVal, false
}

// gone reports whether a block is missing for a reason that was reported.
func (s *scope) gone(kind, name string) bool {
	if s.partial || s.lost[kind+"."+name] {
		s.quietly()
		return true
	}
	return false
}

// A visit is a value that is being evaluated.
type visit struct {
	name string
	from hcl.Range // where it is used
}

// once evaluates a named value a single time, and finds circles.
func (s *scope) once(name string, t hcl.Traversal, eval func() (cty.Value, bool)) (cty.Value, bool) {
	if v, ok := s.values[name]; ok {
		return v, true
	}
	if s.failed[name] {
		s.quietly()
		return cty.NilVal, false
	}
	if i := slices.IndexFunc(s.busy, func(v visit) bool { return v.name == name }); i >= 0 {
		s.circleOfValues(append(slices.Clone(s.busy[i:]), visit{name, t.SourceRange()}))
		return cty.NilVal, false
	}
	if len(s.busy) >= maxChain {
		s.errorAt(t.SourceRange(), "V09", "too many values that need each other", "More than %d of them have to be known before this one. Write some of them out.", maxChain)
		s.failed[name] = true
		return cty.NilVal, false
	}
	v := visit{name: name}
	if t != nil {
		v.from = t.SourceRange()
	}
	s.busy = append(s.busy, v)
	was := s.reading
	s.reading = name
	out, ok := eval()
	s.reading = was
	s.busy = s.busy[:len(s.busy)-1]
	if !ok || s.failed[name] {
		s.failed[name] = true
		return cty.NilVal, false
	}
	s.values[name] = out
	return out, true
}

// maxChain bounds how many values may wait for one, since each is evaluated within
// the one before it.
const maxChain = 500

func (s *scope) circleOfValues(circle []visit) {
	var steps []string
	for i, v := range circle[1:] {
		to := v.name
		if len(circle) == 2 {
			to = "itself"
		}
		steps = append(steps, fmt.Sprintf("%s needs %s (%s:%d)", circle[i].name, to, v.from.Filename, v.from.Start.Line))
		s.failed[v.name] = true
	}
	summary, todo := "these values wait for each other", "Break the circle at one of them."
	if len(circle) == 2 {
		summary, todo = "a value waits for itself", "Write what it is."
	}
	s.errorAt(circle[len(circle)-1].from, "V06", summary, "%s. %s", upperFirst(strings.Join(steps, ", ")), todo)
}

// sensitive marks values that must never be shown or stored.
type mark string

const sensitive mark = "sensitive"

// eval evaluates a static expression to a value that may be shown.
func (s *scope) eval(e hcl.Expression, want cty.Type) (cty.Value, bool) {
	v, ok := s.evalMarked(e, want)
	if ok && !s.fitToShow(v, e) {
		return cty.NilVal, false
	}
	return v, ok
}

// fitToShow reports a sensitive value where it would be shown or stored.
func (s *scope) fitToShow(v cty.Value, e hcl.Expression) bool {
	if v.ContainsMarked() {
		s.errorAt(e.Range(), "V19", "a sensitive value would be shown here", "It can be used only in the command and env of an agent, and in conditions.")
		return false
	}
	return true
}

// evalMarked evaluates a static expression, whose value may be sensitive.
func (s *scope) evalMarked(e hcl.Expression, want cty.Type) (cty.Value, bool) {
	ctx, ok := s.context(e, phaseStatic)
	if !ok {
		return cty.NilVal, false
	}
	v, diags := e.Value(ctx)
	if s.failedEval(diags, ctx) {
		return cty.NilVal, false
	}
	return s.convert(v, want, e)
}

// failedEval reports what went wrong with an expression: the first thing only,
// since the rest follows from it, and without a value that is sensitive.
func (s *scope) failedEval(diags hcl.Diagnostics, ctx *hcl.EvalContext) bool {
	if !diags.HasErrors() {
		return false
	}
	first := *diags[slices.IndexFunc(diags, func(d *hcl.Diagnostic) bool { return d.Severity == hcl.DiagError })]
	if holdsSensitive(ctx) {
		first.Detail = "A sensitive value is used in it, so more cannot be said."
	}
	if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallDiagExtra](&first); ok && slices.Contains([]string{"file", "fileset"}, call.CalledFunctionName()) && !isTooLarge(&first) {
		s.failedRead(call, &first)
		return true
	}
	s.hcl(hcl.Diagnostics{&first}, "V09")
	return true
}

// failedRead reports a file that an expression cannot read.
func (s *scope) failedRead(call hclsyntax.FunctionCallDiagExtra, d *hcl.Diagnostic) {
	err := call.FunctionCallError()
	if err == nil || !strings.HasPrefix(err.Error(), fmt.Sprintf("cannot read %s: ", s.unread.path)) {
		s.hcl(hcl.Diagnostics{d}, "V17")
		return
	}
	switch info, ok := s.stat(s.unread.path, *d.Subject); {
	case !ok:
	case info.IsDir():
		s.notFile(s.unread.path, *d.Subject)
	default:
		s.unreadable(s.unread.path, s.unread.err, *d.Subject)
	}
}

func holdsSensitive(ctx *hcl.EvalContext) bool {
	for _, v := range ctx.Variables {
		if v.ContainsMarked() {
			return true
		}
	}
	return false
}
