package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"math"
	"math/big"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/ml-dev-bench/bench/engine"
)

// A body is a block that is being decoded. Its methods read one argument each:
// they report what is wrong with it, and say by ok whether it can be used. An
// argument that is not written is ok=false without a report.
type body struct {
	*scope
	spec  *spec
	attrs map[string]*hclsyntax.Attribute
	inner []*hclsyntax.Block // nested blocks that the spec knows
	meant map[string]bool    // words that it probably has, in a form that was refused
	label string
	rng   hcl.Range // of the header, for what is missing
	file  string    // in which it is written
}

// open checks a block against its spec.
func (s *scope) open(block *hclsyntax.Block, sp *spec) *body {
	b := s.openBody(block.Body, sp, block.DefRange())
	if len(block.Labels) > 0 {
		b.label = block.Labels[0]
	}
	return b
}

func (s *scope) openBody(in *hclsyntax.Body, sp *spec, rng hcl.Range) *body {
	b := &body{scope: s, spec: sp, attrs: map[string]*hclsyntax.Attribute{}, meant: map[string]bool{}, rng: rng, file: rng.Filename}
	for _, a := range inOrder(in.Attributes) {
		if sp.find(a.Name) {
			b.attrs[a.Name] = a
		} else {
			b.meant[s.unknownArgument(a, sp)] = true
		}
	}
	for _, block := range in.Blocks {
		if s.knownNested(block, sp) {
			b.inner = append(b.inner, block)
		} else {
			b.meant[Nearest(block.Type, sp.names())] = true
		}
	}
	for _, a := range sp.attrs {
		if _, written := b.attrs[a.name]; a.required && !written && !b.meant[a.name] {
			s.errorAt(rng, "V01", fmt.Sprintf("missing argument %q", a.name), "Write %s = ... in it: %s", a.name, lowerFirst(plain(a.doc)))
		}
	}
	return b
}

// plain is a sentence of the reference without its markup.
func plain(doc string) string { return strings.ReplaceAll(doc, "`", "") }

// has reports whether an argument or nested block is there, if only in a form
// that was refused.
func (b *body) has(name string) bool {
	_, written := b.attrs[name]
	return written || b.meant[name] || slices.ContainsFunc(b.inner, func(n *hclsyntax.Block) bool { return n.Type == name })
}

// names are all words that a block of this kind can hold.
func (s *spec) names() []string {
	var out []string
	for _, a := range s.attrs {
		out = append(out, a.name)
	}
	for _, b := range s.blocks {
		out = append(out, b.kind)
	}
	return out
}

// unknownArgument reports an argument that a block does not have, and gives the
// one that was probably meant.
func (s *scope) unknownArgument(a *hclsyntax.Attribute, sp *spec) string {
	near := Nearest(a.Name, sp.names())
	detail := fmt.Sprintf("%s has no argument of this name.", upperFirst(article(sp.kind)))
	switch hint, isReserved := reserved[a.Name]; {
	case sp.nested(a.Name) != nil:
		detail = fmt.Sprintf("Write it as a block: %s, without an equals sign.", sp.nested(a.Name).form())
	case isReserved:
		detail += " " + plain(hint)
	case blockSpec(a.Name) != nil && near == "":
		detail += fmt.Sprintf(" Write %s as a block, at the top level of a benchfile.", article(a.Name))
	default:
		detail += didYouMean(a.Name, sp.names(), func(n string) string { return n })
	}
	s.errorAt(a.NameRange, "V01", fmt.Sprintf("unknown argument %q", a.Name), "%s", detail)
	return near
}

// knownNested reports a nested block that a block cannot hold.
func (s *scope) knownNested(block *hclsyntax.Block, sp *spec) bool {
	known := sp.nested(block.Type)
	switch hint, isReserved := reserved[block.Type]; {
	case known == nil && sp.find(block.Type):
		detail := fmt.Sprintf("Write it with an equals sign: %s = ...", block.Type)
		if blockSpec(block.Type) != nil && len(block.Labels) == 1 {
			detail = fmt.Sprintf("Declare the %s at the top level of the file, and write %s = %s here.", block.Type, block.Type, refText(block.Type, block.Labels[0]))
		}
		s.errorAt(block.TypeRange, "V01", fmt.Sprintf("%s is an argument", block.Type), "%s", detail)
	case known == nil:
		detail := fmt.Sprintf("%s holds no block of this type.", upperFirst(article(sp.kind)))
		switch near := Nearest(block.Type, sp.names()); {
		case isReserved:
			detail += " " + plain(hint)
		case sp == caseFileSpec && blockSpec(block.Type) != nil:
			detail += " Beside the body of its case it holds only sandboxes. Put the block into a benchfile."
		case blockSpec(block.Type) != nil:
			detail += fmt.Sprintf(" Write %s at the top level of the file.", articleForBlock(block.Type))
		case near != "" && sp.nested(near) == nil:
			detail += fmt.Sprintf(" Did you mean %s = ...?", near)
		default:
			var kinds []string
			for _, inner := range sp.blocks {
				kinds = append(kinds, inner.kind)
			}
			detail += didYouMean(block.Type, kinds, func(n string) string { return n })
		}
		s.errorAt(block.TypeRange, "V01", fmt.Sprintf("unknown block %q", block.Type), "%s", detail)
	default:
		return s.labelled(block, known)
	}
	return false
}

// articleForBlock is an article and a kind of block, as in "Write a case".
func articleForBlock(kind string) string {
	if kind == "locals" {
		return "locals"
	}
	return article(kind)
}

// each opens the nested blocks of a kind.
func (b *body) each(kind string) []*body {
	var out []*body
	for _, block := range b.inner {
		if block.Type == kind {
			out = append(out, b.open(block, b.spec.nested(kind)))
		}
	}
	return out
}

// named opens the nested blocks of a kind whose labels are names, and reports
// names that are not valid or not unique.
func (b *body) named(kind string) []*body {
	first := map[string]hcl.Range{}
	var out []*body
	for _, block := range b.inner {
		if block.Type != kind {
			continue
		}
		label := block.LabelRanges[0]
		if !b.validName(block.Labels[0], label) {
			continue
		}
		if before, ok := first[block.Labels[0]]; ok {
			b.twice(kind, block.Labels[0], label, before)
			continue
		}
		first[block.Labels[0]] = label
		out = append(out, b.open(block, b.spec.nested(kind)))
	}
	return out
}

func (s *scope) validName(name string, r hcl.Range) bool {
	if !engine.ValidName(name) {
		s.errorAt(r, "V04", fmt.Sprintf("%q cannot be a name", name), nameRule)
		return false
	}
	return true
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

// written reports whether an argument stands there.
func (b *body) written(name string) bool {
	b.spec.attr(name)
	_, ok := b.attrs[name]
	return ok
}

// expr gives the expression of an argument of the given kind.
func (b *body) expr(name string, k kind) (hcl.Expression, bool) {
	if a := b.spec.attr(name); a.kind != k {
		panic(fmt.Sprintf("lang: %s.%s is a %s, not a %s", b.spec.kind, name, a.kind, k))
	}
	a, ok := b.attrs[name]
	if !ok {
		return nil, false
	}
	b.reading = name
	if slices.Contains([]kind{kMap, kObject, kLocks, kHeaders}, k) {
		b.twins(a.Expr)
	}
	return a.Expr, true
}

// twins reports keys that stand in a map twice: the library would take the last
// one, and say nothing.
func (s *scope) twins(e hcl.Expression) {
	pairs, _ := hcl.ExprMap(e)
	first := map[string]hcl.Range{}
	for _, pair := range pairs {
		key, diags := pair.Key.Value(nil)
		if diags.HasErrors() || !key.IsKnown() || key.IsNull() || key.Type() != cty.String {
			continue
		}
		name := key.AsString()
		if before, twice := first[name]; twice {
			s.errorAt(pair.Key.Range(), "V03", fmt.Sprintf("%q is given twice", name), "It is given at %s already. Remove one of the two.", at(before))
			continue
		}
		first[name] = pair.Key.Range()
	}
}

// place is where an argument is written, or else the block.
func (b *body) place(name string) hcl.Range {
	if a, ok := b.attrs[name]; ok {
		return a.Expr.Range()
	}
	return b.rng
}

// item is where an element of a list argument is written, or else the argument.
func (b *body) item(name string, i int) hcl.Range {
	if a, ok := b.attrs[name]; ok {
		return itemAt(a.Expr, i)
	}
	return b.rng
}

func itemAt(e hcl.Expression, i int) hcl.Range {
	if items, diags := hcl.ExprList(e); !diags.HasErrors() && i < len(items) {
		return items[i].Range()
	}
	return e.Range()
}

// entry is where the key and the value of an entry of a map argument are
// written, or else the argument.
func (b *body) entry(name, key string) (k, v hcl.Range) {
	if a, ok := b.attrs[name]; ok {
		return entryAt(a.Expr, key)
	}
	return b.rng, b.rng
}

func entryAt(e hcl.Expression, key string) (k, v hcl.Range) {
	pairs, _ := hcl.ExprMap(e)
	for _, pair := range pairs {
		name, diags := pair.Key.Value(nil)
		if !diags.HasErrors() && name.IsKnown() && !name.IsNull() && name.Type() == cty.String && name.AsString() == key {
			return pair.Key.Range(), pair.Value.Range()
		}
	}
	return e.Range(), e.Range()
}

// convertQuietly converts as convert does, and leaves it to others to complain.
func convertQuietly(v cty.Value, want cty.Type) (cty.Value, error) {
	if wild(v, holdsNumbers(want)) {
		return cty.NilVal, errWild
	}
	if want != cty.DynamicPseudoType && tooWide(v) {
		return cty.NilVal, errTooLarge
	}
	out, err := convert.Convert(v, want)
	if err == nil && wild(out, false) {
		return cty.NilVal, errWild
	}
	return out, err
}

// convert gives a value the type that is wanted, and reports one that cannot
// have it: at the element that is wrong, where there is one.
func (s *scope) convert(v cty.Value, want cty.Type, e hcl.Expression) (cty.Value, bool) {
	out, err := convertQuietly(v, want)
	if errors.Is(err, errWild) {
		s.errorAt(e.Range(), "V09", "number out of range", "%s", wildDetail)
		return cty.NilVal, false
	}
	if errors.Is(err, errTooLarge) {
		s.errorAt(e.Range(), "V09", errTooLarge.Error(), tooLargeDetail)
		return cty.NilVal, false
	}
	if err != nil {
		r := e.Range()
		if at, element, ok := misfit(v, want, e); ok {
			r, v, want = at, element, want.ElementType()
		}
		s.errorAt(r, "V09", "wrong type", "This must be %s%s.", describeType(want), whyNot(v))
		return cty.NilVal, false
	}
	if out.IsNull() && want != cty.DynamicPseudoType {
		s.errorAt(e.Range(), "V09", "null is not a value here", "Write %s, or leave the argument out.", describeType(want))
		return cty.NilVal, false
	}
	return out, true
}

// misfit finds the element that keeps a value from being a list or a map.
func misfit(v cty.Value, want cty.Type, e hcl.Expression) (hcl.Range, cty.Value, bool) {
	v, _ = v.UnmarkDeep()
	t := v.Type()
	sequence := want.IsListType() && (t.IsTupleType() || t.IsListType() || t.IsSetType())
	if v.IsNull() || !v.IsKnown() || !sequence && (!want.IsMapType() || !t.IsObjectType() && !t.IsMapType()) {
		return hcl.Range{}, v, false
	}
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		key, element := it.Element()
		if _, err := convertQuietly(element, want.ElementType()); err == nil {
			continue
		}
		if sequence {
			return itemAt(e, i), element, true
		}
		_, r := entryAt(e, key.AsString())
		return r, element, true
	}
	return hcl.Range{}, v, false
}

// whyNot says what a value of the wrong type is, without showing it.
func whyNot(v cty.Value) string {
	t := v.Type()
	switch {
	case t.IsTupleType() || t.IsListType() || t.IsSetType():
		return ", not a list"
	case t.IsObjectType() || t.IsMapType():
		return ", not a map"
	case t.IsPrimitiveType():
		return ", not " + describeType(t)
	}
	return ""
}

func describeType(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsListType() && t.ElementType().IsPrimitiveType():
		return "a list of " + plurals[t.ElementType()]
	case t.IsMapType() && t.ElementType().IsPrimitiveType():
		return "a map of " + plurals[t.ElementType()]
	case t.IsListType() || t.IsTupleType():
		return "a list"
	case t.IsMapType() || t.IsObjectType():
		return "a map"
	}
	return t.FriendlyName()
}

var plurals = map[cty.Type]string{cty.String: "strings", cty.Number: "numbers", cty.Bool: "booleans"}

func (b *body) value(name string, k kind, want cty.Type) (cty.Value, bool) {
	e, ok := b.expr(name, k)
	if !ok {
		return cty.NilVal, false
	}
	if b.spec.attr(name).phase == phaseLiteral {
		return b.literal(name, e, want)
	}
	return b.eval(e, want)
}

// literal reads a value that may use no names.
func (b *body) literal(name string, e hcl.Expression, want cty.Type) (cty.Value, bool) {
	v, diags := e.Value(nil)
	if b.meter.spent() {
		b.reportSpent()
		return cty.NilVal, false
	}
	if diags.HasErrors() {
		r := e.Range()
		if names := e.Variables(); len(names) > 0 {
			r = names[0].SourceRange()
		}
		b.errorAt(r, "V08", fmt.Sprintf("%s must be a literal value", name), "It is read before any name or function is known, so none can be used in it. Write the value itself.")
		return cty.NilVal, false
	}
	return b.convert(v, want, e)
}

// choice reads a string that is one of a few.
func (b *body) choice(name string, choices ...string) (string, bool) {
	v, ok := b.str(name)
	if !ok {
		return "", false
	}
	if !slices.Contains(choices, v) {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("unknown %s %q", name, v), "Write %s.%s", anyOf(choices), meant(v, choices))
		return "", false
	}
	return v, true
}

// anyOf lists words of which one is to be chosen.
func anyOf(words []string) string {
	return strings.ReplaceAll(quotedList(words), " and ", " or ")
}

func quotedList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	if len(quoted) == 1 {
		return quoted[0]
	}
	return strings.Join(quoted[:len(quoted)-1], ", ") + " and " + quoted[len(quoted)-1]
}

// meant proposes the nearest of words, if one is near.
func meant(v string, words []string) string {
	if n := Nearest(v, words); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	return ""
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
	f, err := numberIn(v, low, high)
	if err != nil {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("%s is out of range", name), "%v", err)
	}
	return f, err == nil
}

// numberIn gives a number, or an error in a whole sentence.
func numberIn(v cty.Value, low, high float64) (float64, error) {
	f, _ := v.AsBigFloat().Float64()
	if f < low || f > high {
		return 0, fmt.Errorf("It must be between %s and %s, not %s.", plainNumber(low), plainNumber(high), plainNumber(f)) //nolint:staticcheck // a sentence of a diagnostic
	}
	return f, nil
}

func plainNumber(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// whole reads a whole number within bounds.
func (b *body) whole(name string, low, high uint64) (uint64, bool) {
	v, ok := b.value(name, kNumber, cty.Number)
	if !ok {
		return 0, false
	}
	n, err := wholeIn(v, low, high)
	if err != nil {
		b.errorAt(b.place(name), "V09", fmt.Sprintf("%s is out of range", name), "%v", err)
	}
	return n, err == nil
}

// wholeIn gives a whole number, or an error in a whole sentence.
func wholeIn(v cty.Value, low, high uint64) (uint64, error) {
	n, accuracy := v.AsBigFloat().Uint64()
	if accuracy != big.Exact || n < low || n > high {
		if high > 1<<40 && v.AsBigFloat().Cmp(new(big.Float).SetUint64(high)) <= 0 {
			return 0, fmt.Errorf("It must be a whole number of at least %d, not %s.", low, v.AsBigFloat().Text('g', 20)) //nolint:staticcheck // a sentence of a diagnostic
		}
		return 0, fmt.Errorf("It must be a whole number from %d to %d, not %s.", low, high, v.AsBigFloat().Text('g', 20)) //nolint:staticcheck // a sentence of a diagnostic
	}
	return n, nil
}

func (b *body) duration(name string) (time.Duration, bool) {
	v, ok := b.value(name, kDuration, cty.String)
	if !ok {
		return 0, false
	}
	d, err := parseDuration(v.AsString())
	if err != nil {
		b.badDuration(v.AsString(), err, b.place(name))
	}
	return d, err == nil
}

// badDuration reports a text that is no duration.
func (s *scope) badDuration(text string, err error, r hcl.Range) {
	detail := durationForm
	if _, notNumber := strconv.ParseFloat(text, 64); notNumber == nil && text != "0" {
		detail += fmt.Sprintf(" Did you mean %q?", text+"s")
	}
	s.errorAt(r, "V09", err.Error(), "%s", detail)
}

const durationForm = "Write a number with a unit, such as \"90s\", \"10m\" or \"1h30m\"."

func parseDuration(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is not a duration", s)
	}
	if d <= 0 {
		return 0, fmt.Errorf("%q is not above zero", s)
	}
	return d, nil
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
		detail := "Write a number with a unit, such as \"512MiB\", \"4GiB\" or \"8GB\"."
		if _, ok := parseSize(v.AsString() + "MiB"); ok {
			detail += fmt.Sprintf(" Did you mean %q?", v.AsString()+"MiB")
		}
		b.errorAt(b.place(name), "V09", fmt.Sprintf("%q is not a size", v.AsString()), "%s", detail)
	}
	return n, ok
}

func (b *body) stringList(name string, k kind) ([]string, bool) {
	v, ok := b.value(name, k, cty.List(cty.String))
	if !ok {
		return nil, false
	}
	return b.asStrings(v, b.attrs[name].Expr)
}

func (s *scope) asStrings(v cty.Value, e hcl.Expression) ([]string, bool) {
	out := []string{}
	for i, element := range v.AsValueSlice() {
		if element.IsNull() {
			s.errorAt(itemAt(e, i), "V09", "null in a list of strings", "Leave the element out.")
			return nil, false
		}
		out = append(out, element.AsString())
	}
	return out, true
}

func (b *body) stringMap(name string) map[string]string {
	v, ok := b.value(name, kMap, cty.Map(cty.String))
	if !ok {
		return nil
	}
	out := map[string]string{}
	for k, e := range v.AsValueMap() {
		if e.IsNull() {
			_, r := b.entry(name, k)
			b.errorAt(r, "V09", fmt.Sprintf("%q is null", k), "Leave it out, or give it a string.")
			continue
		}
		out[k] = e.AsString()
	}
	return out
}

// env reads a map of environment variables.
func (b *body) env(name string) map[string]string {
	m := b.stringMap(name)
	b.checkEnv(name, m)
	return m
}

// checkEnv reports variables that no agent and no check can be given.
func (b *body) checkEnv(name string, m map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(m)) {
		switch {
		case strings.HasPrefix(k, "BENCH_"):
			key, _ := b.entry(name, k)
			b.errorAt(key, "V19", fmt.Sprintf("%s is set by bench", k), "Names that begin with BENCH_ are taken. Choose another one.")
		case k == "" || strings.ContainsAny(k, "=\x00"):
			key, _ := b.entry(name, k)
			b.errorAt(key, "V09", fmt.Sprintf("%q cannot be an environment variable", k), "A name is not empty, and has no \"=\" and no NUL in it.")
		case strings.Contains(m[k], "\x00"):
			_, value := b.entry(name, k)
			b.errorAt(value, "V09", fmt.Sprintf("a NUL in %s", k), "No environment variable can hold one. Remove it.")
		}
	}
}

// command reads a list of words.
func (b *body) command(name string) []string {
	words, ok := b.stringList(name, kCommand)
	if !ok || !b.checkWords(name, words) {
		return nil
	}
	return words
}

const commandForm = "Write the program and its arguments, such as [\"python3\", \"main.py\"]."

// checkWords reports a command that cannot be started.
func (b *body) checkWords(name string, words []string) bool {
	if len(words) == 0 || words[0] == "" {
		b.errorAt(b.place(name), "V09", "empty command", commandForm)
		return false
	}
	for i, w := range words {
		if strings.Contains(w, "\x00") {
			b.errorAt(b.item(name, i), "V09", "a NUL in a command", "No program can be given one. Remove it.")
			return false
		}
	}
	return true
}

// ref reads a reference to a block, and gives its name.
func (b *body) ref(name string) (namedRef, bool) {
	e, ok := b.expr(name, kRef)
	if !ok {
		return namedRef{}, false
	}
	return b.refOf(e, b.spec.attr(name).to...)
}

// A namedRef is a reference with the place where it is written.
type namedRef struct {
	kind, name string
	rng        hcl.Range
}

func (r namedRef) String() string { return r.kind + "." + r.name }

// refOf reads an expression as a reference to a block of one of some kinds.
func (s *scope) refOf(e hcl.Expression, kinds ...string) (namedRef, bool) {
	t, diags := hcl.AbsTraversalForExpr(e)
	r := namedRef{rng: e.Range()}
	if !diags.HasErrors() && len(t) == 2 && slices.Contains(kinds, t.RootName()) {
		r.kind = t.RootName()
		r.name, _ = stepName(t[1])
	}
	if r.name == "" {
		s.errorAt(e.Range(), "V05", fmt.Sprintf("a reference to %s is expected", article(strings.Join(kinds, " or "))), "%s", s.refForm(e, t, kinds))
		return r, false
	}
	s.uses[r.String()] = true
	if _, ok := s.blocks[r.kind][r.name]; !ok && (r.kind != "provider" || !isPredeclared(r.name)) {
		if s.gone(r.kind, r.name) {
			return r, false
		}
		names := slices.Clone(s.order[r.kind])
		if r.kind == "provider" {
			names = append(names, predeclaredNames()...)
		}
		s.errorAt(e.Range(), "V05", fmt.Sprintf("unknown %s %q", r.kind, r.name), "%s%s", s.noSuch(r.kind, r.name),
			didYouMean(r.name, names, func(n string) string { return refText(r.kind, n) }))
		return r, false
	}
	if s.broken[r.String()] {
		s.quietly()
	}
	return r, true
}

// noSuch says that nothing of a name is declared, and if that is so, how.
func (s *scope) noSuch(kind, name string) string {
	text := fmt.Sprintf("There is no %s %q here.", kind, name)
	if kind == "case" && !s.ofCase() {
		if _, err := fs.Stat(s.root, path.Join("cases", name, "case.hcl")); err == nil {
			return text + fmt.Sprintf(" It has a file of its own: write %q, in quotes.", path.Join("cases", name))
		}
	}
	if len(s.order[kind]) == 0 && kind != "provider" {
		text += " Declare one, or import a file that does."
	}
	return text
}

// refText is a reference as it is written.
func refText(kind, name string) string {
	if hclsyntax.ValidIdentifier(name) {
		return kind + "." + name
	}
	return fmt.Sprintf("%s[%q]", kind, name)
}

// refForm says how a reference would be written.
func (s *scope) refForm(e hcl.Expression, t hcl.Traversal, kinds []string) string {
	if v, d := e.Value(nil); !d.HasErrors() && !v.IsNull() && v.IsKnown() && v.Type() == cty.String {
		name := v.AsString()
		for _, k := range kinds {
			if _, ok := s.blocks[k][name]; ok {
				return fmt.Sprintf("Write %s, without quotes.", refText(k, name))
			}
		}
		return fmt.Sprintf("Write %s.NAME, without quotes.", kinds[0])
	}
	if len(t) > 2 && slices.Contains(kinds, t.RootName()) {
		if name, ok := stepName(t[1]); ok {
			return fmt.Sprintf("Write %s, without an argument.", refText(t.RootName(), name))
		}
	}
	if len(t) == 1 {
		for _, k := range kinds {
			if _, ok := s.blocks[k][t.RootName()]; ok {
				return fmt.Sprintf("Write %s.", refText(k, t.RootName()))
			}
		}
	}
	forms := make([]string, len(kinds))
	for i, k := range kinds {
		forms[i] = k + ".NAME"
	}
	return fmt.Sprintf("Write %s.", strings.Join(forms, " or "))
}

// refs reads a list of references. It reports duplicates and an empty list.
func (b *body) refs(name string) []namedRef {
	e, ok := b.expr(name, kRefs)
	if !ok {
		return nil
	}
	a := b.spec.attr(name)
	items, diags := hcl.ExprList(e)
	if diags.HasErrors() {
		b.errorAt(e.Range(), "V05", fmt.Sprintf("%s must be a list of references", name), "%s", b.listForm(e, a.to))
		return nil
	}
	if len(items) == 0 {
		detail := fmt.Sprintf("Name at least one %s", strings.Join(a.to, " or "))
		if !a.required {
			detail += ", or leave it out"
		}
		b.errorAt(e.Range(), "V10", fmt.Sprintf("%s is empty", name), "%s.", detail)
	}
	var out []namedRef
	seen := map[string]bool{}
	for _, item := range items {
		for _, r := range b.refsOf(item, a.to) {
			if seen[r.String()] {
				b.errorAt(item.Range(), "V10", fmt.Sprintf("%s is listed twice", r), "Remove one of the two.")
				continue
			}
			seen[r.String()] = true
			out = append(out, r)
		}
	}
	return out
}

// listForm says how a list of references would be written.
func (b *body) listForm(e hcl.Expression, kinds []string) string {
	if t, diags := hcl.AbsTraversalForExpr(e); !diags.HasErrors() && len(t) == 2 && slices.Contains(kinds, t.RootName()) {
		if name, ok := stepName(t[1]); ok {
			return fmt.Sprintf("Write it as [%s].", refText(t.RootName(), name))
		}
	}
	if splat, ok := hcl.UnwrapExpression(e).(*hclsyntax.SplatExpr); ok {
		if t, diags := hcl.AbsTraversalForExpr(splat.Source); !diags.HasErrors() && len(t) == 1 && slices.Contains(kinds, t.RootName()) {
			return fmt.Sprintf("Write it as [%s.*].", t.RootName())
		}
	}
	if t, diags := hcl.AbsTraversalForExpr(e); !diags.HasErrors() && slices.Contains([]string{"local", "var"}, t.RootName()) {
		return fmt.Sprintf("References are not values, so they cannot come from elsewhere. Write the list here, as [%s.a, %s.b].", kinds[0], kinds[len(kinds)-1])
	}
	return fmt.Sprintf("Write it as [%s.a, %s.b].", kinds[0], kinds[len(kinds)-1])
}

// refsOf reads one element of a list of references: agent.react, or agent.* for
// all agents, sorted by name.
func (b *body) refsOf(item hcl.Expression, kinds []string) []namedRef {
	splat, ok := hcl.UnwrapExpression(item).(*hclsyntax.SplatExpr)
	if !ok {
		if r, ok := b.refOf(item, kinds...); ok {
			return []namedRef{r}
		}
		return nil
	}
	source, diags := hcl.AbsTraversalForExpr(splat.Source)
	_, bare := hcl.UnwrapExpression(splat.Each).(*hclsyntax.AnonSymbolExpr)
	if diags.HasErrors() || !bare || len(source) != 1 || !slices.Contains(kinds, source.RootName()) {
		b.errorAt(item.Range(), "V05", fmt.Sprintf("a reference to %s is expected", article(strings.Join(kinds, " or "))), "Write %s.NAME, or %s.* for all of them.", kinds[0], kinds[0])
		return nil
	}
	kind := source.RootName()
	var out []namedRef
	for _, name := range slices.Sorted(slices.Values(b.order[kind])) {
		b.uses[kind+"."+name] = true
		out = append(out, namedRef{kind, name, item.Range()})
		if b.broken[kind+"."+name] {
			b.quietly()
		}
	}
	if len(out) == 0 && !b.gone(kind, "") {
		b.errorAt(item.Range(), "V10", fmt.Sprintf("there is no %s", kind), "%s.* is all that this file and its imports declare, and they declare none. Declare one, or import a file that does.", kind)
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
		b.errorAt(r, "V09", "unusable path", "%s.", upperFirst(err.Error()))
		return "", false
	}
	return out, true
}

// A placed path is one with the place where it is written.
type placed struct {
	path string
	rng  hcl.Range
}

// paths reads one path or a list of them.
func (b *body) paths(name string) []placed {
	e, ok := b.expr(name, kPaths)
	if !ok {
		return nil
	}
	v, ok := b.eval(e, cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	if !v.IsNull() && v.Type() == cty.String {
		if p, ok := b.cleanPath(v.AsString(), e.Range()); ok {
			return []placed{{p, e.Range()}}
		}
		return nil
	}
	if v.IsNull() {
		b.errorAt(e.Range(), "V09", "null is not a value here", "Write a path or a list of paths, or leave the argument out.")
		return nil
	}
	if v, ok = b.convert(v, cty.List(cty.String), e); !ok {
		return nil
	}
	list, _ := b.asStrings(v, e)
	if v.LengthInt() == 0 {
		b.errorAt(e.Range(), "V09", fmt.Sprintf("%s is empty", name), "Name at least one file or directory, or leave it out.")
	}
	var out []placed
	for i := range list {
		if p, ok := b.cleanPath(list[i], itemAt(e, i)); ok {
			out = append(out, placed{p, itemAt(e, i)})
		}
	}
	return out
}
