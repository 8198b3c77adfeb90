package lang

import (
	"bytes"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ml-dev-bench/bench/engine"
)

// syntaxErrors reports why a text does not parse: of each block at the left
// margin the first mistake, since what the parser says of the rest of it mostly
// follows from that. The library would be silent about all later blocks, so each
// is parsed by itself.
func (l *loader) syntaxErrors(name string, text []byte, whole hcl.Diagnostics) {
	before := len(l.diags)
	for _, item := range items(text) {
		p := &parsed{name: name, text: item.text, start: item.start}
		_, diags := hclsyntax.ParseConfig(item.text, name, item.start)
		if !diags.HasErrors() || l.full(engine.SeverityError) {
			continue
		}
		p.tokens, _ = hclsyntax.LexConfig(item.text, name, item.start)
		for _, d := range p.roots(diags) {
			l.reportSyntax(p.explain(d))
		}
	}
	if len(l.diags) == before { // what is wrong is only wrong together
		p := &parsed{name: name, text: text, start: hcl.InitialPos}
		p.tokens, _ = hclsyntax.LexConfig(text, name, hcl.InitialPos)
		l.reportFirst(p, whole)
	}
}

// reportFirst reports the first root of some mistakes.
func (l *loader) reportFirst(p *parsed, diags hcl.Diagnostics) {
	roots := p.roots(diags)
	if len(roots) == 0 { // none of them has a place
		l.hcl(diags[:1], "V01")
		return
	}
	l.reportSyntax(p.explain(roots[0]))
}

// expressionError reports why an expression does not parse.
func (l *loader) expressionError(name string, text []byte, diags hcl.Diagnostics) {
	p := &parsed{name: name, text: text, start: hcl.InitialPos}
	p.tokens, _ = hclsyntax.LexExpression(text, name, hcl.InitialPos)
	l.reportFirst(p, diags)
}

func (l *loader) reportSyntax(e explained) {
	l.report(engine.Diagnostic{Rule: "V01", Summary: e.summary, Detail: e.detail, Subject: span(e.rng)})
}

// An item is a stretch of a file that begins with a block at the left margin.
type item struct {
	text  []byte
	start hcl.Pos
}

var (
	itemStart    = regexp.MustCompile(`^([a-z]+)(\s+("[^"]*"|[\w-]+))*\s*\{`)
	heredocStart = regexp.MustCompile(`<<-?([A-Za-z_][\w-]*)\s*$`)
)

// beginsItem reports whether a line opens a block that stands in no other one.
func beginsItem(line []byte) bool {
	m := itemStart.FindSubmatch(line)
	return m != nil && (blockSpec(string(m[1])) != nil || reserved[string(m[1])] != "")
}

// items divides a file at its left margin. Lines of texts between <<EOT and EOT
// belong to where the text is; if there is no EOT, there is no text.
func items(text []byte) []item {
	var out []item
	last := map[string]int{} // where a line stands that is one word, the last time
	for at, line := 0, []byte(nil); at < len(text); at += len(line) + 1 {
		line, _, _ = bytes.Cut(text[at:], []byte("\n"))
		if word := bytes.TrimSpace(line); len(word) < 100 && !bytes.ContainsAny(word, " \t\"") {
			last[string(word)] = at
		}
	}
	from, end := hcl.InitialPos, []byte(nil)
	pos := hcl.InitialPos
	for rest := text; len(rest) > 0; {
		line, after, _ := bytes.Cut(rest, []byte("\n"))
		switch m := heredocStart.FindSubmatch(line); {
		case end != nil:
			if bytes.Equal(bytes.TrimSpace(line), end) {
				end = nil
			}
		case m != nil && last[string(m[1])] > pos.Byte:
			end = m[1]
		}
		if end == nil && pos.Byte > from.Byte && beginsItem(line) {
			out = append(out, item{text[from.Byte:pos.Byte], from})
			from = pos
		}
		pos.Line++
		pos.Byte += len(rest) - len(after)
		rest = after
	}
	return append(out, item{text[from.Byte:], from})
}

// parsed is an item with its tokens.
type parsed struct {
	name   string
	text   []byte
	start  hcl.Pos
	tokens hclsyntax.Tokens
}

// alone are mistakes that confuse nothing after them.
var alone = []string{"Attribute redefined", "Invalid escape sequence", "Invalid number literal"}

// roots picks the diagnostics that do not follow from another one: all that
// stand alone, and of the others the first. A character that has no meaning
// comes before what the parser makes of its line.
func (p *parsed) roots(diags hcl.Diagnostics) hcl.Diagnostics {
	errs := slices.DeleteFunc(slices.Clone(diags), func(d *hcl.Diagnostic) bool {
		return d.Severity != hcl.DiagError || d.Subject == nil
	})
	slices.SortStableFunc(errs, func(a, b *hcl.Diagnostic) int { return a.Subject.Start.Byte - b.Subject.Start.Byte })
	var out hcl.Diagnostics
	first := slices.IndexFunc(errs, func(d *hcl.Diagnostic) bool { return !slices.Contains(alone, d.Summary) })
	if first >= 0 {
		line := errs[first].Subject.Start.Line
		better := func(is func(*hcl.Diagnostic) bool) bool {
			i := slices.IndexFunc(errs, func(d *hcl.Diagnostic) bool { return is(d) && d.Subject.Start.Line == line })
			if i >= 0 {
				errs[first] = errs[i]
			}
			return i >= 0
		}
		_ = better(isInterpolation) || better(isLexical)
		out = append(out, errs[first])
	}
	for i, d := range errs {
		if len(out) > maxTold {
			break
		}
		if slices.Contains(alone, d.Summary) && (first < 0 || i < first) {
			out = append(out, d)
		}
	}
	if len(out) == 0 && len(errs) > 0 {
		out = errs[:1]
	}
	return out
}

// isInterpolation reports whether a diagnostic is about a ${ without its brace,
// after which the string seems to have no end.
func isInterpolation(d *hcl.Diagnostic) bool {
	return d.Summary == "Unclosed template interpolation sequence"
}

// isLexical reports whether a diagnostic is about characters.
func isLexical(d *hcl.Diagnostic) bool {
	return slices.Contains([]string{"Invalid character", "Invalid character encoding", "Invalid multi-line string", "Unsupported operator"}, d.Summary)
}

// at gives the token that begins at a byte of the file, and the one after it.
func (p *parsed) at(b int) (hclsyntax.Token, hclsyntax.Token) {
	none := hclsyntax.Token{Type: hclsyntax.TokenEOF}
	for i, t := range p.tokens {
		if t.Range.Start.Byte >= b {
			if i+1 < len(p.tokens) {
				none = p.tokens[i+1]
			}
			return t, none
		}
	}
	return none, none
}

// opener gives the last token of some types before a byte of the file.
func (p *parsed) opener(b int, types ...hclsyntax.TokenType) (hclsyntax.Token, bool) {
	for i := len(p.tokens) - 1; i >= 0; i-- {
		if t := p.tokens[i]; t.Range.Start.Byte < b && slices.Contains(types, t.Type) {
			return t, true
		}
	}
	return hclsyntax.Token{}, false
}
