// Package terminal prints the summary with which bench apply ends: a table of
// who passed what, the failures and errors, the totals, and why bench ends as it
// does.
//
//	matrix  agent   trials  passed  failed  errored  pass rate (%)  score  p50 (s)
//	smoke   noop         2       1       1        0           50.0  0.889     0.04
//	smoke   oracle       2       2       0        0          100.0  1.000     1.02
//
//	x smoke/debugging/nan_loss@noop#1  failed(check)  check "tests" failed
//
//	4 trials: 3 passed, 1 failed (2 reused)
//	every trial has a verdict
//
// The sign x marks a failure of an agent, the sign ! trouble of bench or of the
// world. Trials that one step holds back are counted in one line. Colour, if
// wanted, is one of the sixteen basic ones and says nothing that the words do
// not.
package terminal

import (
	"bytes"
	"fmt"
	"io"
	"strconv"

	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/tw"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Summary is the reporter. The zero value prints without colour.
type Summary struct {
	Color bool
}

const (
	maxProblems = 20  // lines of failures and errors, and again of common causes
	maxDetail   = 240 // bytes of a detail
)

// Report prints the summary. Its last line is the reason of the exit.
func (s Summary) Report(w io.Writer, run *engine.Run) error {
	results := reporters.Results(run)
	var b bytes.Buffer
	if err := s.table(&b, reporters.Matrices(results)); err != nil {
		return err
	}
	s.problems(&b, results)
	fmt.Fprintln(&b, s.totals(reporters.Summarize(results)))
	if reason := reporters.Line(run.Exit.Reason); reason != "" {
		fmt.Fprintln(&b, reason)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// A column of the table, after the matrix and the agent.
type column struct {
	heading string
	cell    func(reporters.Summary) string
}

func count(status engine.Status) column {
	return column{status.String(), func(s reporters.Summary) string { return strconv.Itoa(s.Count(status)) }}
}

// columns leaves out what is rare unless it has happened, so that the counts of
// a row always add up.
func columns(all reporters.Summary) []column {
	out := []column{
		{"trials", func(s reporters.Summary) string { return strconv.Itoa(s.Trials) }},
		count(engine.StatusPassed), count(engine.StatusFailed), count(engine.StatusErrored),
	}
	for _, status := range []engine.Status{engine.StatusSkipped, engine.StatusCancelled} {
		if all.Count(status) > 0 {
			out = append(out, count(status))
		}
	}
	return append(out,
		column{"pass rate (%)", func(s reporters.Summary) string { return reporters.Percent(s.PassRate) }},
		column{"score", func(s reporters.Summary) string { return reporters.Decimal(s.Score) }},
		column{"p50 (s)", func(s reporters.Summary) string { return reporters.Seconds(s.P50) }})
}

func (s Summary) table(b *bytes.Buffer, matrices []reporters.Matrix) error {
	if len(matrices) == 0 {
		return nil
	}
	var all []engine.Result
	for _, m := range matrices {
		all = append(all, m.Results...)
	}
	cols := columns(reporters.Summarize(all))
	header, align := []string{"matrix", "agent"}, tw.Alignment{tw.AlignLeft, tw.AlignLeft}
	for _, c := range cols {
		header, align = append(header, c.heading), append(align, tw.AlignRight)
	}
	var rows [][]string
	for _, m := range matrices {
		more, err := matrixRows(m, cols)
		if err != nil {
			return err
		}
		rows = append(rows, more...)
	}
	if err := render(b, header, align, rows); err != nil {
		return err
	}
	b.WriteByte('\n')
	return nil
}

func matrixRows(m reporters.Matrix, cols []column) ([][]string, error) {
	table, err := reporters.NewTable(m.Results, []string{"agent", "model"})
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, r := range table.Rows {
		agent := r.Keys[0]
		if len(r.Keys) > 1 && r.Keys[1] != reporters.None {
			agent += "+" + r.Keys[1]
		}
		row := []string{reporters.Line(m.Name), reporters.Line(agent)}
		for _, c := range cols {
			row = append(row, c.cell(r.Summary))
		}
		rows = append(rows, row)
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

func (s Summary) problems(b *bytes.Buffer, results []engine.Result) {
	single, blocked := reporters.Problems(results)
	for _, p := range single[:min(len(single), maxProblems)] {
		sign, outcome := p.Sign(), p.Outcome
		c := red
		if p.Result.Outcome.Status == engine.StatusErrored {
			c = yellow
		}
		line := s.paint(c, sign) + " " + p.ID + "  " + s.paint(c, outcome)
		if p.Detail != "" {
			line += "  " + reporters.Head(p.Detail, maxDetail)
		}
		fmt.Fprintln(b, line)
	}
	more(b, len(single))
	for _, g := range blocked[:min(len(blocked), maxProblems)] {
		fmt.Fprintln(b, s.paint(yellow, "!"), reporters.Head(g.Sentence(), 2*maxDetail))
	}
	more(b, len(blocked))
	if len(single)+len(blocked) > 0 {
		b.WriteByte('\n')
	}
}

func more(b *bytes.Buffer, n int) {
	if n > maxProblems {
		fmt.Fprintf(b, "  and %d more\n", n-maxProblems)
	}
}

func (s Summary) totals(sum reporters.Summary) string {
	c := green
	switch {
	case sum.Failed > 0:
		c = red
	case !sum.Complete():
		c = yellow
	}
	return s.paint(c, sum.Sentence())
}

// The colours in use, by their numbers in an escape.
const (
	red    = 31
	green  = 32
	yellow = 33
)

func (s Summary) paint(colour int, text string) string {
	if !s.Color {
		return text
	}
	return fmt.Sprintf("\x1b[%dm%s\x1b[0m", colour, text)
}
