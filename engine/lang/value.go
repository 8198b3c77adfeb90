package lang

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// A body is a block that is being decoded. Its methods read one argument each:
// they report what is wrong with it, and say by ok whether it can be used. An
// argument that is not written is ok=false without a report.
type body struct {
	*scope
	spec    *spec
	content *hcl.BodyContent
	rng     hcl.Range // of the header, for what is missing
	file    string    // in which it is written
}

// open checks a body against its spec.
func (s *scope) open(b hcl.Body, sp *spec, rng hcl.Range) *body {
	content, diags := b.Content(sp.schema())
	s.hcl(diags, "V01")
	if content == nil {
		content = &hcl.BodyContent{}
	}
	return &body{scope: s, spec: sp, content: content, rng: rng, file: rng.Filename}
}

// each opens the nested blocks of a kind.
func (b *body) each(kind string) []*body {
	var out []*body
	for _, sp := range b.spec.blocks {
		if sp.kind != kind {
			continue
		}
		for _, block := range b.content.Blocks.OfType(kind) {
			out = append(out, b.open(block.Body, sp, block.DefRange))
		}
	}
	return out
}

// one opens the nested block of a kind that may stand at most once.
func (b *body) one(kind string) *body {
	all := b.each(kind)
	if len(all) == 0 {
		return nil
	}
	for _, extra := range all[1:] {
		b.errorAt(extra.rng, "V03", fmt.Sprintf("a second %s block", kind), "The first one is at %s. Keep one of the two.", at(all[0].rng))
	}
	return all[0]
}

// expr gives the expression of an argument of the given kind.
func (b *body) expr(name string, k kind) (hcl.Expression, bool) {
	if a := b.spec.attr(name); a.kind != k {
		panic(fmt.Sprintf("lang: %s.%s is a %s, not a %s", b.spec.kind, name, a.kind, k))
	}
	a, ok := b.content.Attributes[name]
	if !ok {
		return nil, false
	}
	return a.Expr, true
}

// place is where an argument is written, or else the block.
func (b *body) place(name string) hcl.Range {
	if a, ok := b.content.Attributes[name]; ok {
		return a.Expr.Range()
	}
	return b.rng
}

func (s *scope) convert(v cty.Value, want cty.Type, r hcl.Range) (cty.Value, bool) {
	out, err := convert.Convert(v, want)
	if err != nil {
		s.errorAt(r, "V09", "wrong type", "This must be %s%s.", describeType(want), whyNot(v, err))
		return cty.NilVal, false
	}
	if out.IsNull() && want != cty.DynamicPseudoType {
		s.errorAt(r, "V09", "null is not a value here", "Write %s, or leave the argument out.", describeType(want))
		return cty.NilVal, false
	}
	return out, true
}

// whyNot says what is wrong with a value of the wrong type, without showing it.
func whyNot(v cty.Value, err error) string {
	var inside cty.PathError
	if errors.As(err, &inside) && len(inside.Path) > 0 {
		return fmt.Sprintf("; in it, %v", err)
	}
	t := v.Type()
	switch {
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return ", not a list"
	case t.IsObjectType() || t.IsMapType():
		return ", not a map"
	case t.IsPrimitiveType():
		return ", not a " + t.FriendlyName()
	}
	return fmt.Sprintf(": %v", err)
}

func describeType(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsListType():
		return "a list of strings"
	case t.IsMapType():
		return "a map of strings"
	}
	return t.FriendlyName()
}

func (b *body) value(name string, k kind, want cty.Type) (cty.Value, bool) {
	e, ok := b.expr(name, k)
	if !ok {
		return cty.NilVal, false
	}
	return b.eval(e, want)
}

func (b *body) str(name string) (string, bool) {
	v, ok := b.value(name, kString, cty.String)
	if !ok {
		return "", false
	}
	return v.AsString(), true
}

func (b *body) flag(name string, otherwise bool) bool {
	v, ok := b.value(name, kBool, cty.Bool)
	if !ok {
		return otherwise
	}
	return v.True()
}

// number reads a number within bounds.
func (b *body) number(name string, low, high float64) (float64, bool) {
	v, ok := b.value(name, kNumber, cty.Number)
	if !ok {
		return 0, false
	}
	f, _ := v.AsBigFloat().Float64()
	if f < low || f > high {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("%s is out of range", name), "It must be between %s and %s, not %s.", plainNumber(low), plainNumber(high), plainNumber(f))
		return 0, false
	}
	return f, true
}

func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// whole reads a whole number within bounds.
func (b *body) whole(name string, low, high uint64) (uint64, bool) {
	v, ok := b.value(name, kNumber, cty.Number)
	if !ok {
		return 0, false
	}
	n, accuracy := v.AsBigFloat().Uint64()
	if accuracy != big.Exact || n < low || n > high {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("%s is out of range", name), "It must be a whole number from %d to %d, not %s.", low, high, v.AsBigFloat().Text('g', 20))
		return 0, false
	}
	return n, true
}

func (b *body) duration(name string) (time.Duration, bool) {
	v, ok := b.value(name, kDuration, cty.String)
	if !ok {
		return 0, false
	}
	d, err := time.ParseDuration(v.AsString())
	if err != nil || d <= 0 {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("%q is not a duration", v.AsString()), "Write a number with a unit, such as \"90s\", \"10m\" or \"1h30m\".")
		return 0, false
	}
	return d, true
}

var sizeUnits = []struct {
	suffix string
	bytes  float64
}{{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40}, {"KB", 1e3}, {"kB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1}}

// parseSize reads "512MiB" or "8GB" as bytes.
func parseSize(s string) (int64, bool) {
	for _, u := range sizeUnits {
		if number, ok := strings.CutSuffix(s, u.suffix); ok {
			f, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
			if n := f * u.bytes; err == nil && n >= 1 && n < math.MaxInt64 {
				return int64(n), true
			}
			return 0, false
		}
	}
	return 0, false
}

func (b *body) size(name string) (int64, bool) {
	v, ok := b.value(name, kSize, cty.String)
	if !ok {
		return 0, false
	}
	n, ok := parseSize(v.AsString())
	if !ok {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("%q is not a size", v.AsString()), "Write a number with a unit, such as \"512MiB\", \"4GiB\" or \"8GB\".")
	}
	return n, ok
}

func (b *body) stringList(name string, k kind) ([]string, bool) {
	v, ok := b.value(name, k, cty.List(cty.String))
	if !ok {
		return nil, false
	}
	return b.asStrings(v, b.place(name))
}

func (s *scope) asStrings(v cty.Value, r hcl.Range) ([]string, bool) {
	out := []string{}
	for _, e := range v.AsValueSlice() {
		if e.IsNull() {
			s.errorAt(r, "V09", "null in a list of strings", "Leave the element out.")
			return nil, false
		}
		out = append(out, e.AsString())
	}
	return out, true
}

func (b *body) stringMap(name string) map[string]string {
	v, ok := b.value(name, kMap, cty.Map(cty.String))
	if !ok {
		return nil
	}
	return b.asMap(v, b.place(name))
}

func (s *scope) asMap(v cty.Value, r hcl.Range) map[string]string {
	out := map[string]string{}
	for k, e := range v.AsValueMap() {
		if e.IsNull() {
			s.errorAt(r, "V09", fmt.Sprintf("%q is null", k), "Leave it out, or give it a string.")
			continue
		}
		out[k] = e.AsString()
	}
	return out
}

// env reads a map of environment variables.
func (b *body) env(name string) map[string]string {
	m := b.stringMap(name)
	b.checkEnv(m, b.place(name))
	return m
}

func (s *scope) checkEnv(m map[string]string, r hcl.Range) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch {
		case strings.HasPrefix(k, "BENCH_"):
			s.errorAt(r, "V19", fmt.Sprintf("%s is set by bench", k), "Names that begin with BENCH_ are taken. Choose another one.")
		case k == "" || strings.ContainsAny(k, "=\x00") || strings.Contains(m[k], "\x00"):
			s.errorAt(r, "V09", fmt.Sprintf("%q cannot be an environment variable", k), "A name has no \"=\" and is not empty, and no value has a NUL.")
		}
	}
}

// command reads a list of words.
func (b *body) command(name string) []string {
	words, ok := b.stringList(name, kCommand)
	if ok && (len(words) == 0 || words[0] == "") {
		b.errorAt(b.place(name), "V09", "empty command", "Write the program and its arguments, such as [\"python3\", \"main.py\"].")
		return nil
	}
	return words
}

// ref reads a reference to a block of a kind, and gives its name.
func (b *body) ref(name, kind string) (string, bool) {
	e, ok := b.expr(name, kRef)
	if !ok {
		return "", false
	}
	return b.refOf(e, kind)
}

func (s *scope) refOf(e hcl.Expression, kind string) (string, bool) {
	t, diags := hcl.AbsTraversalForExpr(e)
	name := ""
	if !diags.HasErrors() && len(t) == 2 && t.RootName() == kind {
		name, _ = stepName(t[1])
	}
	if name == "" {
		detail := fmt.Sprintf("Write %s.NAME.", kind)
		if v, d := e.Value(nil); !d.HasErrors() && !v.IsNull() && v.Type() == cty.String {
			detail = fmt.Sprintf("Write %s.%s, without quotes.", kind, v.AsString())
		}
		s.errorAt(e.Range(), "V05", fmt.Sprintf("a reference to %s is expected", article(kind)), "%s", detail)
		return "", false
	}
	if _, ok := s.blocks[kind][name]; !ok {
		s.errorAt(e.Range(), "V05", fmt.Sprintf("unknown %s %q", kind, name), "There is no %s %q here.%s", kind, name,
			didYouMean(name, s.order[kind], func(n string) string { return kind + "." + n }))
		return "", false
	}
	return name, true
}

// A namedRef is a reference with the place where it is written.
type namedRef struct {
	name string
	rng  hcl.Range
}

// refs reads a list of references. It reports duplicates and an empty list.
func (b *body) refs(name, kind string) []namedRef {
	e, ok := b.expr(name, kRefs)
	if !ok {
		return nil
	}
	items, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		b.errorAt(e.Range(), "V05", fmt.Sprintf("%s must be a list of references", name), "Write it as [%s.a, %s.b].", kind, kind)
		return nil
	}
	if len(items) == 0 {
		b.errorAt(e.Range(), "V10", fmt.Sprintf("%s is empty", name), "Name at least one %s.", kind)
	}
	var out []namedRef
	for _, item := range items {
		n, ok := b.refOf(item, kind)
		if !ok {
			continue
		}
		if i := slices.IndexFunc(out, func(r namedRef) bool { return r.name == n }); i >= 0 {
			b.errorAt(item.Range(), "V10", fmt.Sprintf("%s.%s is listed twice", kind, n), "Remove one of the two.")
			continue
		}
		out = append(out, namedRef{n, item.Range()})
	}
	return out
}

// path reads a path argument, relative to the root.
func (b *body) path(name string) (string, bool) {
	v, ok := b.value(name, kPath, cty.String)
	if !ok {
		return "", false
	}
	return b.cleanPath(v.AsString(), b.place(name))
}

func (b *body) cleanPath(p string, r hcl.Range) (string, bool) {
	out, err := resolvePath(b.file, p)
	if p == "" {
		err = errors.New("the path is empty")
	}
	if err != nil {
		b.errorAt(r, "V09", "unusable path", "%v.", err)
		return "", false
	}
	return out, true
}

// paths reads one path or a list of them.
func (b *body) paths(name string) ([]string, bool) {
	e, ok := b.expr(name, kPaths)
	if !ok {
		return nil, false
	}
	v, ok := b.eval(e, cty.DynamicPseudoType)
	if !ok {
		return nil, false
	}
	if !v.IsNull() && v.Type() == cty.String {
		p, ok := b.cleanPath(v.AsString(), e.Range())
		return []string{p}, ok
	}
	if v, ok = b.convert(v, cty.List(cty.String), e.Range()); !ok {
		return nil, false
	}
	list, ok := b.asStrings(v, e.Range())
	for i := range list {
		p, fine := b.cleanPath(list[i], e.Range())
		list[i], ok = p, ok && fine
	}
	return list, ok
}

// variable gives a variable its value: from the command line, else its default.
func (s *scope) variable(block *hclsyntax.Block) (cty.Value, bool) {
	b := s.open(block.Body, variableSpec, block.DefRange())
	b.str("description")
	want := cty.DynamicPseudoType
	if e, ok := b.expr("type", kAny); ok {
		t, diags := typeexpr.TypeConstraint(e)
		s.hcl(diags, "V09")
		if diags.HasErrors() {
			return cty.NilVal, false
		}
		want = t
	}
	name := block.Labels[0]
	var fallback cty.Value
	e, hasDefault := b.expr("default", kAny)
	if hasDefault {
		v, diags := e.Value(nil)
		if diags.HasErrors() {
			s.errorAt(e.Range(), "V08", "a default must be a literal value", "No names can be used in it. Use a local for a value that is computed.")
			return cty.NilVal, false
		}
		var ok bool
		if fallback, ok = s.convert(v, want, e.Range()); !ok {
			return cty.NilVal, false
		}
		if want == cty.DynamicPseudoType {
			want = fallback.Type()
		}
	}
	text, given := s.opts.Vars[name]
	if !given {
		if !hasDefault {
			s.errorAt(block.DefRange(), "V09", fmt.Sprintf("variable %q has no value", name), "It has no default. Give it one with --var %s=... or in the environment as BENCH_VAR_%s.", name, name)
		}
		return fallback, hasDefault
	}
	return s.givenValue(name, text, want, block.DefRange())
}

// givenValue reads a value as written on a command line: as it is where a
// string is wanted, as an expression elsewhere.
func (s *scope) givenValue(name, text string, want cty.Type, r hcl.Range) (cty.Value, bool) {
	if want == cty.String || want == cty.DynamicPseudoType {
		return cty.StringVal(text), true
	}
	e, diags := hclsyntax.ParseExpression([]byte(text), "--var "+name, hcl.InitialPos)
	if !diags.HasErrors() {
		var v cty.Value
		if v, diags = e.Value(nil); !diags.HasErrors() {
			out, err := convert.Convert(v, want)
			if err == nil && !out.IsNull() {
				return out, true
			}
		}
	}
	s.errorAt(r, "V09", fmt.Sprintf("unusable value for variable %q", name), "%q was given, and it must be %s.", text, describeType(want))
	return cty.NilVal, false
}
