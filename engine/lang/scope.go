package lang

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

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
	busy   []string             // what is being evaluated, to find cycles
	failed map[string]bool      // what was reported already

	sandboxes map[string]*engine.Sandbox
	cases     map[string]*engine.Case
	agents    map[string]*engine.Agent
	matrices  map[string]*engine.Matrix
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
		matrices:  map[string]*engine.Matrix{},
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
		case len(b.Labels) != 1:
			s.errorAt(b.DefRange(), "V01", fmt.Sprintf("%s block has one name", article(b.Type)), "Write it as %s \"name\" { ... }.", b.Type)
		case b.Type == "suite" && imported:
			s.errorAt(b.DefRange(), "V02", "an imported file has no suite block", "Only the file on the command line declares the suite. Remove this block, or run this file by itself.")
		default:
			s.declareBlock(b)
		}
	}
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
		detail += " " + hint
	} else {
		var kinds []string
		for _, sp := range topLevel {
			kinds = append(kinds, sp.kind)
		}
		detail += didYouMean(b.Type, kinds, func(k string) string { return k })
	}
	s.errorAt(b.TypeRange, "V01", fmt.Sprintf("unsupported block type %q", b.Type), "%s", detail)
}

func (s *scope) declareBlock(b *hclsyntax.Block) {
	name := b.Labels[0]
	label := b.LabelRanges[0]
	switch {
	case b.Type == "case" && !engine.ValidCaseName(name), b.Type != "case" && !engine.ValidName(name):
		s.errorAt(label, "V04", fmt.Sprintf("%q cannot be a name", name), "A name is a lower-case letter followed by lower-case letters, digits, underscores and hyphens.")
		return
	}
	if b.Type == "report" { // its label is a format, and several of one format are fine
		name = fmt.Sprintf("%s#%d", name, len(s.order["report"]))
	}
	if before, ok := s.blocks[b.Type][name]; ok {
		s.errorAt(label, "V03", fmt.Sprintf("%s %q is declared twice", b.Type, name),
			"It is declared at %s already. Rename or remove one of the two.", at(before.LabelRanges[0]))
		return
	}
	if s.blocks[b.Type] == nil {
		s.blocks[b.Type] = map[string]*hclsyntax.Block{}
	}
	s.blocks[b.Type][name] = b
	s.order[b.Type] = append(s.order[b.Type], name)
}

func (s *scope) declareLocals(b *hclsyntax.Block) {
	if len(b.Labels) > 0 {
		s.errorAt(b.LabelRanges[0], "V01", "a locals block has no name", "Write it as locals { ... }.")
	}
	for _, inner := range b.Body.Blocks {
		s.errorAt(inner.TypeRange, "V01", "a locals block holds no blocks", "Write values as name = value.")
	}
	for _, name := range slices.Sorted(maps.Keys(b.Body.Attributes)) {
		a := b.Body.Attributes[name]
		if before, ok := s.locals[name]; ok {
			s.errorAt(a.NameRange, "V03", fmt.Sprintf("local %q is declared twice", name), "It is declared at %s already. Rename or remove one of the two.", at(before.NameRange))
			continue
		}
		s.locals[name] = a
	}
}

// include declares the files that an imports attribute names.
func (s *scope) include(from string, a *hclsyntax.Attribute) {
	if a == nil {
		return
	}
	items, ok := hcl.ExprList(a.Expr)
	if ok.HasErrors() {
		s.errorAt(a.Expr.Range(), "V09", "imports must be a list of strings", "Write them as imports = [\"agents/builtin.hcl\"].")
		return
	}
	for _, item := range items {
		v, diags := item.Value(nil)
		if diags.HasErrors() || v.IsNull() || v.Type() != cty.String {
			s.errorAt(item.Range(), "V08", "an import must be a literal string", "Imports are read before any value is known. Write the path itself.")
			continue
		}
		s.importPattern(from, v.AsString(), item.Range())
	}
}

func (s *scope) importPattern(from, pattern string, r hcl.Range) {
	p, err := resolvePath(from, pattern)
	if err == nil && !doublestar.ValidatePattern(p) {
		err = badPattern(pattern)
	}
	if err != nil {
		s.errorAt(r, "V09", "unusable path", "%v.", err)
		return
	}
	files, err := doublestar.Glob(s.root, p, doublestar.WithFilesOnly())
	if err != nil || len(files) == 0 {
		s.errorAt(r, "V10", "the import matches no file", "There is no file %s below the project root %s.%s", p, s.rootDir, s.nearFile(p))
		return
	}
	slices.Sort(files)
	for _, f := range files {
		if f == from {
			continue
		}
		if src := s.parse(f, r); src != nil {
			for _, a := range src.body.Attributes {
				s.errorAt(a.NameRange, "V01", "a file of blocks has no arguments of its own", "Move %q into a block.", a.Name)
			}
			s.declare(src.body.Blocks, true)
		}
	}
}

// nearFile proposes a file of the same directory with a similar name.
func (s *scope) nearFile(p string) string {
	entries, err := fs.ReadDir(s.root, path.Dir(p))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if n := Nearest(path.Base(p), names); n != "" {
		return " Did you mean " + path.Join(path.Dir(p), n) + "?"
	}
	return ""
}

// trialNames are the attributes of trial, with their types.
var trialNames = map[string]cty.Type{
	"case": cty.String, "agent": cty.String, "n": cty.Number, "seed": cty.Number,
	"prompt": cty.String, "prompt_file": cty.String, "workspace": cty.String,
}

func unknownTrial() cty.Value {
	attrs := map[string]cty.Value{}
	for name, t := range trialNames {
		attrs[name] = cty.UnknownVal(t)
	}
	return cty.ObjectVal(attrs)
}

// mentionsTrial reports whether an expression can be known only per trial.
func mentionsTrial(e hcl.Expression) bool {
	return slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool { return t.RootName() == "trial" })
}

// context resolves every name that an expression uses. With perTrial, trial.*
// may be among them, and is unknown.
func (s *scope) context(e hcl.Expression, perTrial bool) (*hcl.EvalContext, bool) {
	roots := map[string]map[string]cty.Value{}
	ok := true
	for _, t := range e.Variables() {
		root := t.RootName()
		if root == "trial" {
			ok = s.checkTrial(t, perTrial) && ok
			continue
		}
		name, rest, fine := s.splitName(t)
		if !fine {
			ok = false
			continue
		}
		if roots[root] == nil {
			roots[root] = map[string]cty.Value{}
		}
		v, fine := s.lookup(root, name, rest, t)
		if !fine {
			ok = false
			continue
		}
		if before, there := roots[root][name]; there && before.Type().IsObjectType() && v.Type().IsObjectType() && root != "local" && root != "var" {
			merged := before.AsValueMap()
			maps.Copy(merged, v.AsValueMap())
			v = cty.ObjectVal(merged)
		}
		roots[root][name] = v
	}
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{}, Functions: s.functions(e.Range().Filename)}
	for root, values := range roots {
		ctx.Variables[root] = cty.ObjectVal(values)
	}
	if perTrial {
		ctx.Variables["trial"] = unknownTrial()
	}
	return ctx, ok
}

func (s *scope) checkTrial(t hcl.Traversal, allowed bool) bool {
	if !allowed {
		s.errorAt(t.SourceRange(), "V08", "trial is known only per trial", "This value must be known for the whole suite. trial.* can be used in the command and env of an agent.")
		return false
	}
	if len(t) < 2 {
		return true
	}
	name, ok := stepName(t[1])
	if _, known := trialNames[name]; ok && !known {
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("a trial has no attribute %q", name), "trial.* holds what is known of one trial.%s",
			didYouMean(name, slices.Collect(maps.Keys(trialNames)), func(n string) string { return "trial." + n }))
		return false
	}
	return true
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

// splitName takes "local.x.y" apart: the name of what is meant, and the steps
// that lead on from there.
func (s *scope) splitName(t hcl.Traversal) (name string, rest hcl.Traversal, ok bool) {
	root := t.RootName()
	valueRoots := []string{"var", "local", "sandbox", "suite"}
	if !slices.Contains(valueRoots, root) {
		detail := didYouMean(root, append(valueRoots, "trial"), func(n string) string { return n })
		if len(t) == 1 {
			detail += fmt.Sprintf(" To leave ${%s} for a shell, write $${%s}.", root, root)
		}
		if blockSpec(root) != nil {
			detail = fmt.Sprintf(" It is the name of a kind of block: refer to %s where a reference is expected, not within a value.", article(root))
		}
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("unknown name %q", root), "Nothing of this name can be used in an expression.%s", detail)
		return "", nil, false
	}
	if root == "suite" {
		return "name", nil, s.suiteName(t)
	}
	if len(t) > 1 {
		if name, ok = stepName(t[1]); ok {
			return name, t[2:], true
		}
	}
	s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s needs a name", root), "Write %s.NAME.", root)
	return "", nil, false
}

func (s *scope) suiteName(t hcl.Traversal) bool {
	if len(t) == 2 {
		if name, ok := stepName(t[1]); ok && name == "name" {
			return true
		}
	}
	s.errorAt(t.SourceRange(), "V05", "only suite.name can be used", "Other attributes of the suite are not values. Use a local for what several places share.")
	return false
}

// lookup evaluates what a name stands for, once.
func (s *scope) lookup(root, name string, rest hcl.Traversal, t hcl.Traversal) (cty.Value, bool) {
	switch root {
	case "suite":
		for n := range s.blocks["suite"] {
			return cty.StringVal(n), true
		}
		return s.unknown(root, name, nil, t)
	case "local":
		a, ok := s.locals[name]
		if !ok {
			return s.unknown(root, name, slices.Collect(maps.Keys(s.locals)), t)
		}
		return s.once("local."+name, t, func() (cty.Value, bool) { return s.eval(a.Expr, cty.DynamicPseudoType) })
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
	if len(rest) == 0 {
		s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("%s is not a value", article(root)), "Use one of its arguments, such as %s.%s.memory.", root, name)
		return cty.NilVal, false
	}
	attr, _ := stepName(rest[0])
	a, ok := b.Body.Attributes[attr]
	if !ok {
		return s.unknown(root+"."+name, attr, slices.Collect(maps.Keys(b.Body.Attributes)), t)
	}
	v, ok := s.once(root+"."+name+"."+attr, t, func() (cty.Value, bool) { return s.eval(a.Expr, cty.DynamicPseudoType) })
	if !ok {
		return v, false
	}
	return cty.ObjectVal(map[string]cty.Value{attr: v}), true
}

func (s *scope) unknown(root, name string, names []string, t hcl.Traversal) (cty.Value, bool) {
	detail := fmt.Sprintf("There is no %s of that name here.", root)
	switch {
	case root == "var":
		detail = fmt.Sprintf("Nothing declares it. Write variable %q { ... } at the top level.", name)
	case root == "local":
		detail = "No locals block gives it a value."
	case strings.Contains(root, "."):
		detail = "That block does not set it, and only what is written can be used."
	}
	s.errorAt(t.SourceRange(), "V05", fmt.Sprintf("unknown name %s.%s", root, name), "%s%s", detail,
		didYouMean(name, names, func(n string) string { return root + "." + n }))
	return cty.NilVal, false
}

// once evaluates a named value a single time, and finds cycles.
func (s *scope) once(name string, t hcl.Traversal, eval func() (cty.Value, bool)) (cty.Value, bool) {
	if v, ok := s.values[name]; ok {
		return v, true
	}
	if s.failed[name] {
		return cty.NilVal, false
	}
	if i := slices.Index(s.busy, name); i >= 0 {
		circle := append(slices.Clone(s.busy[i:]), name)
		s.errorAt(t.SourceRange(), "V06", "these values wait for each other", "%s. Break the circle at one of them.", strings.Join(circle, " needs "))
		for _, n := range circle {
			s.failed[n] = true
		}
		return cty.NilVal, false
	}
	s.busy = append(s.busy, name)
	v, ok := eval()
	s.busy = s.busy[:len(s.busy)-1]
	if !ok {
		s.failed[name] = true
		return cty.NilVal, false
	}
	s.values[name] = v
	return v, true
}

// eval evaluates a static expression and converts it.
func (s *scope) eval(e hcl.Expression, want cty.Type) (cty.Value, bool) {
	ctx, ok := s.context(e, false)
	if !ok {
		return cty.NilVal, false
	}
	v, diags := e.Value(ctx)
	s.hcl(diags, "V09")
	if diags.HasErrors() {
		return cty.NilVal, false
	}
	return s.convert(v, want, e.Range())
}
