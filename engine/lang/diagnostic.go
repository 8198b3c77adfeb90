package lang

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/agext/levenshtein"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/mitchellh/go-wordwrap"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/keyshape"
)

// Sources are the benchfiles that were read. They can show a diagnostic
// together with the line that it is about.
type Sources struct {
	Root  string // absolute path of the project root
	files map[string][]byte
	pins  map[string]string // of the lock file
	keys  map[string][]keyshape.Stretch
}

// Write shows diagnostics, each with its line and a caret under the mistake:
//
//	error: unknown agent "raect"
//	  benchfiles/ci.hcl:20:17
//	     |
//	  20 |   agents = [agent.raect]
//	     |             ^^^^^^^^^^^
//	  There is no agent "raect" here. Did you mean agent.react?
//
// Text is wrapped at width columns. Colour only repeats what words say.
func (s *Sources) Write(w io.Writer, diags engine.Diagnostics, width int, color bool) error {
	var b bytes.Buffer
	for i, d := range diags {
		if i > 0 {
			b.WriteByte('\n')
		}
		s.write(&b, d, max(width, 40), color)
	}
	_, err := w.Write(b.Bytes())
	return err
}

func (s *Sources) write(b *bytes.Buffer, d engine.Diagnostic, width int, color bool) {
	paint := func(code, text string) string {
		if !color {
			return text
		}
		return "\x1b[" + code + "m" + text + "\x1b[0m"
	}
	code := "31"
	if d.Severity == engine.SeverityWarning {
		code = "33"
	}
	fmt.Fprintf(b, "%s %s\n", paint(code+";1", string(d.Severity)+":"), paint("1", printable(hideKeys(d.Summary))))
	if d.Subject.File != "" {
		fmt.Fprintf(b, "  %s:%d:%d\n", printable(d.Subject.File), d.Subject.Start.Line, d.Subject.Start.Column)
		s.snippet(b, d.Subject, func(text string) string { return paint(code, text) })
	}
	if d.Detail != "" {
		for line := range strings.SplitSeq(wordwrap.WrapString(hideKeys(d.Detail), uint(width-2)), "\n") {
			b.WriteString("  " + printable(line) + "\n")
		}
	}
}

// report takes a diagnostic, whose texts may quote what others wrote: they show
// no key, and not a book.
func (l *loader) report(d engine.Diagnostic) {
	if d.Severity == "" {
		d.Severity = engine.SeverityError
	}
	if l.full(d.Severity) {
		if d.Severity == engine.SeverityError {
			l.quietly()
		}
		l.dropped[d.Severity]++
		return
	}
	l.told[d.Severity]++
	d.Summary, d.Detail = shorten(hideKeys(d.Summary), maxSummary), shorten(hideKeys(d.Detail), maxDetail)
	l.diags = append(l.diags, d)
}

// maxTold bounds how many diagnostics of each severity are reported. Nobody reads
// more, and explaining all of many thousand takes long.
const maxTold = 100

// full reports whether more diagnostics of a severity would be dropped.
func (l *loader) full(s engine.Severity) bool { return l.told[s] >= maxTold }

// all are the diagnostics in order, with how many there were more.
func (l *loader) all() engine.Diagnostics {
	out := l.diags.Sorted()
	for _, s := range []engine.Severity{engine.SeverityError, engine.SeverityWarning} {
		if n := l.dropped[s]; n > 0 {
			out = append(out, engine.Diagnostic{Severity: s, Summary: fmt.Sprintf("and %d more", n),
				Detail: "Only the first of them are shown. Correct these, and see what is left."})
		}
	}
	return out
}

// errorAt reports a mistake at a place.
func (l *loader) errorAt(r hcl.Range, rule, summary, detail string, args ...any) {
	l.report(engine.Diagnostic{Rule: rule, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: span(r)})
}

// hcl takes over the diagnostics of the library, in our style.
func (l *loader) hcl(diags hcl.Diagnostics, rule string) {
	for _, d := range diags {
		if isTooLarge(d) {
			l.reportSpent()
			continue
		}
		if unknown := asUnknownCall(d); unknown != nil {
			d = unknown
		}
		out := engine.Diagnostic{Rule: rule, Summary: lowerFirst(d.Summary), Detail: d.Detail, Severity: engine.SeverityError}
		if d.Severity == hcl.DiagWarning {
			out.Severity = engine.SeverityWarning
		}
		if d.Subject != nil {
			out.Subject = span(*d.Subject)
		}
		// The library proposes any function that is near, in the order of a map.
		if call, ok := hcl.DiagnosticExtra[hclsyntax.FunctionCallUnknownDiagExtra](d); ok {
			out.Summary, out.Detail = unknownFunction(call.CalledFunctionName())
		}
		l.report(out)
	}
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}

// upperFirst begins a sentence, unless with a name of the benchfile: those are
// written as they are.
func upperFirst(s string) string {
	first, _, _ := strings.Cut(s, " ")
	if s == "" || strings.ContainsAny(first, "._") {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func span(r hcl.Range) engine.Range {
	if r.Filename == "" {
		return engine.Range{}
	}
	point := func(p hcl.Pos) engine.Point { return engine.Point{Line: p.Line, Column: p.Column, Byte: p.Byte} }
	return engine.Range{File: r.Filename, Start: point(r.Start), End: point(r.End)}
}

// What is longer, or more, is not looked through for what was meant: comparing
// all with all takes long.
const (
	maxName  = 100
	maxNames = 1000
)

// Nearest is the one of names that s was probably meant to be, or "" if none is
// near. It is for messages: the command line asks the same of its flags.
func Nearest(s string, names []string) string {
	best, distance := "", len(s)/3+2
	if len(s) > maxName || len(names) > maxNames {
		return "" // no person has misspelt this
	}
	names = slices.Clone(names)
	slices.Sort(names)
	for _, name := range names {
		if len(name) > maxName {
			continue
		}
		if d := levenshtein.Distance(s, name, nil); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// didYouMean is a sentence that proposes the nearest of names, or lists them if
// none is near; with a space before it.
func didYouMean(s string, names []string, show func(string) string) string {
	if n := Nearest(s, names); n != "" {
		return " Did you mean " + show(n) + "?"
	}
	if len(names) == 0 || len(names) > maxNames {
		return ""
	}
	names = slices.Clone(names)
	slices.Sort(names)
	more := ""
	if len(names) > 8 {
		more = fmt.Sprintf(" and %d more", len(names)-8)
		names = names[:8]
	}
	for i := range names {
		names[i] = show(names[i])
	}
	if len(names) == 1 {
		return " There is " + names[0] + "."
	}
	return " There are " + strings.Join(names, ", ") + more + "."
}

// article puts "a" or "an" before the name of a kind of block.
func article(kind string) string {
	if kind != "" && strings.Contains("aeiou", kind[:1]) {
		return "an " + kind
	}
	return "a " + kind
}

// at is a place as it is written in a sentence.
func at(r hcl.Range) string { return fmt.Sprintf("%s:%d:%d", r.Filename, r.Start.Line, r.Start.Column) }
