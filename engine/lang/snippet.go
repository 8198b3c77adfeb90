package lang

import (
	"bytes"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/displaywidth"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/keyshape"
)

const (
	maxSnippet = 160  // how much of a line is shown, in columns of a terminal
	maxBefore  = 40   // how much of it before the mistake, if the line is longer
	nearby     = 2000 // bytes on each side of a mistake that are looked at
	maxSummary = 200  // characters
	maxDetail  = 2000
)

// snippet shows the line of a mistake, with carets under it.
func (s *Sources) snippet(b *bytes.Buffer, r engine.Range, paint func(string) string) {
	text, ok := s.files[r.File]
	if !ok || r.Start.Byte > len(text) {
		return
	}
	from := bytes.LastIndexByte(text[:r.Start.Byte], '\n') + 1
	to := len(text)
	if i := bytes.IndexByte(text[r.Start.Byte:], '\n'); i >= 0 {
		to = r.Start.Byte + i
	}
	end := max(r.Start.Byte, min(r.End.Byte, to))
	before := s.cells(r.File, max(from, wholeAt(text, r.Start.Byte-nearby)), r.Start.Byte)
	marked := s.cells(r.File, r.Start.Byte, min(end, wholeAt(text, r.Start.Byte+nearby)))
	after := s.cells(r.File, min(end, wholeAt(text, r.Start.Byte+nearby)), min(to, wholeAt(text, end+nearby)))
	lead := ""
	if before.width() > maxSnippet/2 {
		before, lead = before.last(maxBefore), "..."
	}
	room := maxSnippet - before.width()
	shown := marked.first(room)
	rest := after.first(room - shown.width())
	trail := ""
	if len(shown) < len(marked) || len(rest) < len(after) {
		trail = "..."
	}
	gutter := fmt.Sprintf("%4d", r.Start.Line)
	blank := strings.Repeat(" ", len(gutter))
	line := lead + before.String() + shown.String() + rest.String() + trail
	fmt.Fprintf(b, "%s |\n%s\n", blank, strings.TrimRight(gutter+" | "+line, " "))
	fmt.Fprintf(b, "%s | %s%s\n", blank, strings.Repeat(" ", len(lead)+before.width()), paint(strings.Repeat("^", max(1, shown.width()))))
}

// wholeAt is the beginning of the character that a byte of a text belongs to.
func wholeAt(text []byte, at int) int {
	for i := range utf8.UTFMax {
		if at-i <= 0 || at-i < len(text) && utf8.RuneStart(text[at-i]) {
			return max(0, at-i)
		}
	}
	return at
}

// A cell is what a terminal shows as one character, which may be two columns
// wide.
type cell struct {
	text  string
	width int
}

type cells []cell

// cells gives a keyshape.Stretch of a file as it is shown: without what looks like a key.
func (s *Sources) cells(file string, from, to int) cells {
	text := s.files[file]
	if s.keys == nil {
		s.keys = map[string][]keyshape.Stretch{}
	}
	keys, ok := s.keys[file]
	if !ok {
		keys = keyshape.Find(string(text))
		s.keys[file] = keys
	}
	part := bytes.Clone(text[from:to])
	for _, k := range keys {
		for i := max(k.From, from); i < min(k.To, to); i++ {
			part[i-from] = '*'
		}
	}
	var out cells
	for g := displaywidth.StringGraphemes(printable(string(part))); g.Next(); {
		out = append(out, cell{g.Value(), g.Width()})
	}
	return out
}

func (cs cells) width() int {
	w := 0
	for _, c := range cs {
		w += c.width
	}
	return w
}

func (cs cells) String() string {
	var b strings.Builder
	for _, c := range cs {
		b.WriteString(c.text)
	}
	return b.String()
}

// first is as much from the beginning as fits into some columns.
func (cs cells) first(columns int) cells {
	for i, c := range cs {
		if columns -= c.width; columns < 0 {
			return cs[:i]
		}
	}
	return cs
}

// last is as much from the end as fits into some columns.
func (cs cells) last(columns int) cells {
	for i := len(cs) - 1; i >= 0; i-- {
		if columns -= cs[i].width; columns < 0 {
			return cs[i+1:]
		}
	}
	return cs
}

// printable keeps a line of a file, or what a message quotes of it, from playing
// tricks on a terminal: what moves the cursor, colours, turns the direction of
// writing, or cannot be seen is shown as a question mark in a box.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t' || r == '\r':
			return ' '
		case r == '\u200c' || r == '\u200d': // they join letters, and emoji
			return r
		case unicode.IsControl(r), unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp):
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// shorten cuts a text that is too long to be read.
func shorten(s string, length int) string {
	if utf8.RuneCountInString(s) <= length {
		return s
	}
	return string([]rune(s)[:length]) + "…"
}
