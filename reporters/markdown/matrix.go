package markdown

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// summaryTable leaves out what has not happened or costs nothing by nature: tries
// and cost.
func summaryTable(t reporters.Table) *table {
	any := func(f func(reporters.Summary) bool) bool {
		return slices.ContainsFunc(t.Rows, func(r reporters.Row) bool { return f(r.Summary) })
	}
	numbers := []number{
		count("trials", func(s reporters.Summary) int { return s.Trials }),
	}
	for _, status := range engine.Statuses {
		numbers = append(numbers, count(status.String(), func(s reporters.Summary) int { return s.Count(status) }))
	}
	numbers = append(numbers, count("reused", func(s reporters.Summary) int { return s.Reused }))
	if any(func(s reporters.Summary) bool { return s.Retried > 0 }) {
		numbers = append(numbers, count("retried", func(s reporters.Summary) int { return s.Retried }),
			count("tries", func(s reporters.Summary) int { return s.Tries }))
	}
	numbers = append(numbers, number{"pass rate (%)", func(s reporters.Summary) string { return reporters.Percent(s.PassRate) }})
	if any(reporters.Summary.FirstDiffers) {
		numbers = append(numbers, number{"first try (%)", func(s reporters.Summary) string { return reporters.Percent(s.First.PassRate) }})
	}
	numbers = append(numbers,
		number{"score", func(s reporters.Summary) string { return reporters.Decimal(s.Score) }},
		number{"p50 (s)", func(s reporters.Summary) string { return reporters.Seconds(s.P50) }},
		number{"total (s)", func(s reporters.Summary) string { return reporters.Seconds(s.Total) }})
	if any(func(s reporters.Summary) bool { return s.Cost.Models }) {
		numbers = append(numbers, number{"cost ($)", func(s reporters.Summary) string { return cell(reporters.Dollars(s.Cost.USD)) }})
	}
	return numbersTable(t, numbers)
}

// A number is a column of the table of totals.
type number struct {
	heading string
	of      func(reporters.Summary) string
}

func count(heading string, of func(reporters.Summary) int) number {
	return number{heading, func(s reporters.Summary) string { return strconv.Itoa(of(s)) }}
}

func numbersTable(t reporters.Table, numbers []number) *table {
	var headings []string
	for _, n := range numbers {
		headings = append(headings, n.heading)
	}
	out := newTable(t.Columns, headings)
	for _, r := range t.Rows {
		row := cells(r.Keys)
		for _, n := range numbers {
			row = append(row, n.of(r.Summary))
		}
		out.rows = append(out.rows, row)
	}
	return out
}

func gridTable(g reporters.Grid) *table {
	out := newTable([]string{"case"}, cells(g.Agents))
	for i, name := range g.Cases {
		row := []string{cell(name)}
		for _, s := range g.Cells[i] {
			row = append(row, gridCell(s))
		}
		out.rows = append(out.rows, row)
	}
	return out
}

// gridCell notes what has no verdict, so that 1/3 never hides two errors.
func gridCell(s *reporters.Summary) string {
	if s == nil {
		return ""
	}
	text := fmt.Sprintf("%d/%d", s.Passed, s.Trials)
	if n := s.Trials - s.Passed - s.Failed; n > 0 {
		text += fmt.Sprintf(" (%d without verdict)", n)
	}
	return text
}

func metricTable(t reporters.Table) *table {
	out := newTable(append(append([]string{}, t.Columns...), "metric", "unit"), []string{"trials with it", "mean", "min", "max"})
	for _, r := range t.Rows {
		for _, m := range r.Summary.Metrics {
			row := append(cells(r.Keys), cell(m.Name), cell(m.Unit))
			out.rows = append(out.rows, append(row, strconv.Itoa(m.N),
				reporters.Number(m.Mean), reporters.Number(m.Min), reporters.Number(m.Max)))
		}
	}
	return out
}
