package terminal

import (
	"bytes"
	"io"
	"slices"
	"strconv"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// A column of the table, after the matrix and the agent.
type column struct {
	heading string
	cell    func(reporters.Summary) string
}

func count(status engine.Status) column {
	return column{status.String(), func(s reporters.Summary) string { return strconv.Itoa(s.Count(status)) }}
}

// columns leaves out what is rare unless it has happened, so that the counts of
// a row always add up. The pass rate at the first try is wanted if it is another
// than the final one in some row.
func columns(all reporters.Summary, first bool) []column {
	out := []column{
		{"trials", func(s reporters.Summary) string { return strconv.Itoa(s.Trials) }},
		count(engine.StatusPassed), count(engine.StatusFailed), count(engine.StatusErrored),
	}
	for _, status := range []engine.Status{engine.StatusSkipped, engine.StatusCancelled} {
		if all.Count(status) > 0 {
			out = append(out, count(status))
		}
	}
	if all.Retried > 0 {
		out = append(out, column{"tries", func(s reporters.Summary) string { return strconv.Itoa(s.Tries) }})
	}
	out = append(out, column{"pass rate (%)", func(s reporters.Summary) string { return reporters.Percent(s.PassRate) }})
	if first {
		out = append(out, column{"first try (%)", func(s reporters.Summary) string { return reporters.Percent(s.First.PassRate) }})
	}
	out = append(out,
		column{"score", func(s reporters.Summary) string { return reporters.Decimal(s.Score) }},
		column{"p50 (s)", func(s reporters.Summary) string { return reporters.Seconds(s.P50) }})
	if all.Cost.Models {
		out = append(out, column{"cost ($)", func(s reporters.Summary) string { return reporters.Dollars(s.Cost.USD) }})
	}
	return out
}

func (s Summary) table(b *bytes.Buffer, matrices []reporters.Matrix) error {
	if len(matrices) == 0 {
		return nil
	}
	var all []engine.Result
	var rows []row
	for _, m := range matrices {
		all = append(all, m.Results...)
		more, err := matrixRows(m)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	first := slices.ContainsFunc(rows, func(r row) bool { return r.sum.FirstDiffers() })
	cols := columns(reporters.Summarize(all), first)
	header, align := []string{"matrix", "agent"}, tw.Alignment{tw.AlignLeft, tw.AlignLeft}
	for _, c := range cols {
		header, align = append(header, c.heading), append(align, tw.AlignRight)
	}
	var cells [][]string
	for _, r := range rows {
		cells = append(cells, r.cells(cols))
	}
	if err := render(b, header, align, cells); err != nil {
		return err
	}
	b.WriteByte('\n')
	return nil
}

// A row of the table is an agent in a matrix.
type row struct {
	matrix, agent string
	sum           reporters.Summary
}

func (r row) cells(cols []column) []string {
	out := []string{r.matrix, r.agent}
	for _, c := range cols {
		out = append(out, c.cell(r.sum))
	}
	return out
}

func matrixRows(m reporters.Matrix) ([]row, error) {
	table, err := reporters.NewTable(m.Results, []string{"agent", "model"})
	if err != nil {
		return nil, err
	}
	var rows []row
	for _, r := range table.Rows {
		agent := r.Keys[0]
		if len(r.Keys) > 1 && r.Keys[1] != reporters.None {
			agent += "+" + r.Keys[1]
		}
		rows = append(rows, row{reporters.Line(m.Name), reporters.Line(agent), r.Summary})
	}
	return rows, nil
}

// render draws a table without lines, as kubectl does.
func render(w io.Writer, header []string, align tw.Alignment, rows [][]string) error {
	pads := make([]tw.Padding, len(header))
	for i := range pads {
		pads[i] = tw.Padding{Right: "  ", Overwrite: true}
	}
	pads[len(pads)-1] = tw.PaddingNone
	padding := tw.CellPadding{PerColumn: pads}
	t := tablewriter.NewTable(w,
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithAlignment(align),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithHeaderPaddingPerColumn(pads),
		tablewriter.WithRowPaddingPerColumn(padding.PerColumn),
		tablewriter.WithRendition(tw.Rendition{
			Borders:  tw.BorderNone,
			Settings: tw.Settings{Separators: tw.SeparatorsNone, Lines: tw.LinesNone},
		}))
	t.Header(header)
	if err := t.Bulk(rows); err != nil {
		return err
	}
	return t.Render()
}
