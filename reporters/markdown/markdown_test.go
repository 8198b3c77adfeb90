package markdown_test

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/reporters/markdown"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

func TestConformance(t *testing.T) { reportertest.Run(t, markdown.Reporter{}) }

func TestGolden(t *testing.T) {
	for name, build := range reportertest.Runs() {
		t.Run(name, func(t *testing.T) {
			reportertest.Golden(t, name+".md", reportertest.Report(t, markdown.Reporter{}, build()))
		})
	}
	t.Run("rows", func(t *testing.T) {
		r := markdown.Reporter{Rows: []string{"category", "tag"}}
		reportertest.Golden(t, "example_rows.md", reportertest.Report(t, r, reportertest.Example()))
	})
}

func TestUnknownRows(t *testing.T) {
	err := markdown.Reporter{Rows: []string{"colour"}}.Report(&bytes.Buffer{}, reportertest.Example())
	if err == nil || !strings.Contains(err.Error(), `"colour"`) {
		t.Errorf("rows of a colour give the error %v, want one that names it", err)
	}
}

// outside gives a page without its code: what is left is seen by GitHub as
// Markdown.
func outside(page string) string {
	var out []string
	fence := ""
	for line := range strings.Lines(page) {
		line = strings.TrimSuffix(line, "\n")
		ticks := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		switch {
		case fence != "" && line == fence:
			fence = ""
		case fence == "" && strings.HasSuffix(line, "text") && line == ticks+"text" && len(ticks) >= 3:
			fence = ticks
		case fence == "":
			out = append(out, spans(line))
		}
	}
	return strings.Join(out, "\n")
}

// spans drops the code spans of a line, each of which ends at a row of as many
// backticks as it began with. A backtick after a backslash begins none.
func spans(line string) string {
	rows := regexp.MustCompile("\\\\.|`+")
	var out strings.Builder
	for {
		begin := rows.FindStringIndex(line)
		if begin == nil {
			return out.String() + line
		}
		open := line[begin[0]:begin[1]]
		out.WriteString(line[:begin[0]])
		line = line[begin[1]:]
		if open[0] == '\\' {
			out.WriteString(open)
			continue
		}
		for _, end := range regexp.MustCompile("`+").FindAllStringIndex(line, -1) {
			if end[1]-end[0] == len(open) {
				line = line[end[1]:]
				break
			}
		}
	}
}

func TestHostileTextStaysText(t *testing.T) {
	page := outside(reportertest.Report(t, markdown.Reporter{}, reportertest.Hostile()))
	for _, bad := range []string{"<script", "@somebody", " #1", "![", "://", "</failure>"} {
		if strings.Contains(page, bad) {
			t.Errorf("%q is on the page as Markdown:\n%s", bad, page)
		}
	}
	if open, shut := strings.Count(page, "<details>"), strings.Count(page, "</details>"); open != shut || open != 3 {
		t.Errorf("%d <details> and %d </details>, want 3 of both", open, shut)
	}
	if strings.Contains(page, "\n# heading") {
		t.Error("a heading came from outside")
	}
}

func TestRowsOfATableHaveEqualCells(t *testing.T) {
	bar := regexp.MustCompile(`\\.|\|`)
	width := 0
	for line := range strings.Lines(outside(reportertest.Report(t, markdown.Reporter{}, reportertest.Hostile()))) {
		if !strings.HasPrefix(line, "|") {
			width = 0
			continue
		}
		n := 0
		for _, m := range bar.FindAllString(line, -1) {
			if m == "|" {
				n++
			}
		}
		if width == 0 {
			width = n
		}
		if n != width {
			t.Errorf("%d bars where the table has %d: %s", n, width, line)
		}
	}
}
