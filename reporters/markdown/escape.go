package markdown

import (
	"regexp"
	"strings"

	"github.com/ml-dev-bench/bench/reporters"
)

// specials are the characters that begin something in a line of Markdown. The
// underscore is not one of them: within a word, as in nan_loss, it means
// nothing, and names are full of it.
var specials = strings.NewReplacer(
	`\`, `\\`, "`", "\\`", "*", `\*`, "[", `\[`, "]", `\]`, "|", `\|`, "~", `\~`,
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
)

// links are what GitHub makes a link of without being asked: mentions, numbers
// of issues, addresses. An empty comment within hides them from it. A number
// sign after an ampersand belongs to an entity.
var links = regexp.MustCompile(`&#|@|#|://|www\.`)

// escape makes one line of text plain words in a paragraph, heading or cell.
func escape(s string) string {
	return unlink(specials.Replace(reporters.Line(s)))
}

func unlink(s string) string {
	return links.ReplaceAllStringFunc(s, func(m string) string {
		if m == "&#" {
			return m
		}
		return m[:1] + "<!-- -->" + m[1:]
	})
}

// cell escapes text for a cell of a table. Lines are kept.
func cell(s string) string {
	lines := strings.Split(strings.TrimSpace(reporters.Clean(s)), "\n")
	for i, line := range lines {
		lines[i] = escape(line)
	}
	return strings.Join(lines, "<br>")
}

func cells(words []string) []string {
	out := make([]string, 0, len(words))
	for _, w := range words {
		out = append(out, cell(w))
	}
	return out
}

// code makes one line of text a code span, which GitHub shows as it is. It is
// not for cells: a pipe ends a cell even there.
func code(s string) string {
	s = reporters.Line(s)
	if s == "" {
		return reporters.None
	}
	ticks := strings.Repeat("`", longest(s, '`')+1)
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") {
		s = " " + s + " "
	}
	return ticks + s + ticks
}

// fenced makes text a code block with a fence longer than any row of backticks
// in it, so that no line of the text can end it.
func fenced(s string) string {
	fence := strings.Repeat("`", max(3, longest(s, '`')+1))
	return fence + "text\n" + s + "\n" + fence
}

// entities are the specials where a backslash would be shown.
var entities = strings.NewReplacer(
	`\`, "&#92;", "`", "&#96;", "*", "&#42;", "[", "&#91;", "]", "&#93;", "|", "&#124;", "~", "&#126;", "_", "&#95;",
	"&", "&amp;", "<", "&lt;", ">", "&gt;",
)

// htmlText escapes one line of text that stands in an HTML block. Markdown means
// nothing there on GitHub, but it does to others.
func htmlText(s string) string { return unlink(entities.Replace(reporters.Line(s))) }

// longest is the length of the longest row of c in s.
func longest(s string, c rune) int {
	var most, row int
	for _, r := range s {
		if r != c {
			row = 0
			continue
		}
		row++
		most = max(most, row)
	}
	return most
}
