package markdown

import (
	"bytes"
	"strings"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// A table is rows of escaped cells: words to the left, numbers to the right.
type table struct {
	header []string
	align  tw.Alignment
	rows   [][]string
}

func newTable(words, numbers []string) *table {
	t := &table{}
	t.add(words, numbers)
	return t
}

// add appends columns.
func (t *table) add(words, numbers []string) {
	for _, w := range words {
		t.header, t.align = append(t.header, w), append(t.align, tw.AlignLeft)
	}
	for _, n := range numbers {
		t.header, t.align = append(t.header, n), append(t.align, tw.AlignRight)
	}
}

func (t *table) render() (string, error) {
	var b bytes.Buffer
	w := tablewriter.NewTable(&b,
		tablewriter.WithRenderer(renderer.NewMarkdown()),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: t.align}),
		tablewriter.WithAlignment(t.align))
	w.Header(t.header)
	if err := w.Bulk(t.rows); err != nil {
		return "", err
	}
	if err := w.Render(); err != nil {
		return "", err
	}
	return strings.TrimRight(b.String(), "\n"), nil
}
