package reporters

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// escape matches what terminals take as a command, at the beginning of a text
// that isCommand has found: CSI, then the strings of OSC, DCS, SOS, PM and APC
// up to their end or the end of the line, then every other escape. A bare ESC is
// matched too, so none is ever left.
var escape = regexp.MustCompile("^(?:(?:\x1b\\[|\u009b)[0-?]*[ -/]*[@-~]?" +
	"|(?:\x1b[\\]PX^_]|[\u0090\u0098\u009d-\u009f])[^\x07\x1b\u009c\n]*(?:\x07|\x1b\\\\|\u009c)?" +
	"|\x1b[ -/]*[0-~]?)")

func isCommand(r rune) bool {
	switch r {
	case 0x1b, 0x90, 0x98, 0x9b, 0x9d, 0x9e, 0x9f:
		return true
	}
	return false
}

// stripEscapes asks the expression only where a command begins, since to search
// megabytes of output with it is slow.
func stripEscapes(s string) string {
	var out strings.Builder
	for {
		i := strings.IndexFunc(s, isCommand)
		if i < 0 {
			return out.String() + s
		}
		out.WriteString(s[:i])
		s = s[i+len(escape.FindString(s[i:])):]
	}
}

var newlines = strings.NewReplacer("\r\n", "\n", "\r", "\n", "\u2028", "\n", "\u2029", "\n", "\u0085", "\n")

// Clean makes text of any origin fit to be shown: valid UTF-8, without terminal
// escapes, control characters other than newline and tab, invisible marks that
// turn the direction of text, and characters that XML forbids. A carriage
// return begins a new line.
func Clean(s string) string {
	s = strings.ToValidUTF8(s, "\uFFFD")
	s = stripEscapes(s)
	s = newlines.Replace(s)
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r), r == '\uFEFF':
			return -1
		case r == 0xFFFE || r == 0xFFFF:
			return utf8.RuneError
		}
		return r
	}, s)
}

// Line is clean text on one line: every run of white space is one space.
func Line(s string) string { return strings.Join(strings.Fields(Clean(s)), " ") }

// Head cuts text to at most limit bytes by leaving out its end. The note of how
// much was cut is part of the limit.
func Head(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	keep := max(0, limit-len(cutNote(len(s)))-1)
	for keep > 0 && !utf8.RuneStart(s[keep]) {
		keep--
	}
	return s[:keep] + " " + cutNote(len(s)-keep)
}

// Tail cuts text to at most limit bytes by leaving out its beginning, since what
// a check says last mostly matters most. The note stands on a line before it.
func Tail(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	from := len(s) - max(0, limit-len(cutNote(len(s)))-1)
	for from < len(s) && !utf8.RuneStart(s[from]) {
		from++
	}
	return cutNote(from) + "\n" + s[from:]
}

func cutNote(n int) string { return fmt.Sprintf("[%d bytes cut]", n) }

// LastLines keeps the last n lines of text, with a note before them of how many
// were left out. White space at the end is dropped.
func LastLines(s string, n int) string {
	lines := strings.Split(strings.TrimRight(s, " \t\n"), "\n")
	if len(lines) <= n {
		return strings.Join(lines, "\n")
	}
	return fmt.Sprintf("[%d lines cut]\n", len(lines)-n) + strings.Join(lines[len(lines)-n:], "\n")
}
