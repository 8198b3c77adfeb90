// Package markdown writes a run as GitHub-flavoured Markdown, for step summaries,
// pull requests and pages: the verdict first, then totals, a table and a grid for
// each matrix, what went wrong, and where the numbers come from.
//
//	# Done: hello
//
//	every trial has a verdict
//
//	4 trials: 3 passed, 1 failed (2 reused). Pass rate: 75.0 %.
//
//	## Matrix smoke
//
//	| agent  | trials | passed | … |
//
// Nothing that an agent, a check or a file name says can become a part of the
// page: cells and sentences are escaped, details stand in code spans, output
// stands in a fence longer than any in it. Mentions and issue numbers do not
// link.
package markdown

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Reporter writes Markdown. Rows are what the rows of its tables stand for, as
// in engine.Report; none means agent and model. Report refuses a name that it
// does not know.
type Reporter struct {
	Rows []string
}

const (
	maxProblems = 100  // trials whose failure is told in detail
	maxDetail   = 500  // bytes of a detail
	maxLines    = 20   // last lines of the output of a check
	maxOutput   = 4096 // bytes of those lines
)

// Report writes the page.
func (r Reporter) Report(w io.Writer, run *engine.Run) error {
	p := &page{rows: r.Rows}
	results := reporters.Results(run)
	p.verdict(run, reporters.Summarize(results))
	for _, m := range reporters.Matrices(results) {
		if err := p.matrix(m); err != nil {
			return err
		}
	}
	p.problems(results)
	p.provenance(run, results)
	_, err := w.Write(p.b.Bytes())
	return err
}

// A page is Markdown that is being written. Every block ends with an empty line
// but the last.
type page struct {
	b    bytes.Buffer
	rows []string
}

// block writes one block. What comes from elsewhere must be escaped already.
func (p *page) block(format string, args ...any) {
	if p.b.Len() > 0 {
		p.b.WriteByte('\n')
	}
	fmt.Fprintf(&p.b, format, args...)
	p.b.WriteByte('\n')
}

func (p *page) verdict(run *engine.Run, sum reporters.Summary) {
	name := reporters.Suite(run).Name
	if name == "" {
		name = "unnamed suite"
	}
	p.block("# %s: %s", exitWord(run.Exit.Code), escape(name))
	if run.Exit.Reason != "" {
		p.block("%s", escape(run.Exit.Reason))
	}
	p.block("%s. Pass rate: %s.", sum.Sentence(), percent(sum.PassRate))
}

func percent(rate *float64) string {
	if rate == nil {
		return reporters.Unknown
	}
	return reporters.Percent(rate) + " %"
}

// exitWord is a word for an exit code of bench.
func exitWord(code int) string {
	switch code {
	case 0:
		return "Done"
	case 2:
		return "Not run"
	case 3:
		return "Failed"
	case 4:
		return "Incomplete"
	case 130, 143:
		return "Interrupted"
	}
	return "Broken off"
}

func (p *page) matrix(m reporters.Matrix) error {
	p.block("## Matrix %s", escape(m.Name))
	p.block("%s. Pass rate: %s.", m.Summary.Sentence(), percent(m.Summary.PassRate))
	t, err := reporters.NewTable(m.Results, p.rows)
	if err != nil {
		return err
	}
	for _, table := range []struct {
		title string
		*table
	}{
		{"", summaryTable(t)},
		{"Cases and agents, passed of trials", gridTable(reporters.NewGrid(m.Results))},
		{"Metrics", metricTable(t)},
	} {
		if len(table.rows) == 0 {
			continue
		}
		if table.title != "" {
			p.block("### %s", table.title)
		}
		text, err := table.render()
		if err != nil {
			return err
		}
		p.block("%s", text)
	}
	return nil
}

func summaryTable(t reporters.Table) *table {
	out := newTable(t.Columns, []string{"trials", "passed", "failed", "errored", "skipped", "cancelled", "reused", "pass rate (%)", "score", "p50 (s)", "total (s)"})
	for _, r := range t.Rows {
		s := r.Summary
		row := cells(r.Keys)
		for _, n := range []int{s.Trials, s.Passed, s.Failed, s.Errored, s.Skipped, s.Cancelled, s.Reused} {
			row = append(row, strconv.Itoa(n))
		}
		out.rows = append(out.rows, append(row, reporters.Percent(s.PassRate), reporters.Decimal(s.Score),
			reporters.Seconds(s.P50), reporters.Seconds(s.Total)))
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

func (p *page) problems(results []engine.Result) {
	single, blocked := reporters.Problems(results)
	if len(single)+len(blocked) == 0 {
		return
	}
	p.block("## Failures and errors")
	for _, b := range blocked[:min(len(blocked), maxProblems)] {
		p.block("%s", code(reporters.Head(b.Sentence(), maxDetail)))
	}
	p.more(len(blocked), "common causes")
	for _, problem := range single[:min(len(single), maxProblems)] {
		p.problem(problem)
	}
	p.more(len(single), "trials")
}

func (p *page) more(n int, what string) {
	if n > maxProblems {
		p.block("And %d more %s.", n-maxProblems, what)
	}
}

func (p *page) problem(problem reporters.Problem) {
	p.block("### %s %s", code(problem.ID), code(problem.Outcome))
	if problem.Detail != "" {
		p.block("%s", code(reporters.Head(problem.Detail, maxDetail)))
	}
	if problem.Check == nil {
		return
	}
	output := reporters.LastLines(reporters.Clean(problem.Check.Output), maxLines)
	if output == "" {
		return
	}
	p.block("<details><summary>Output of check %s</summary>\n\n%s\n\n</details>",
		htmlText(problem.Check.Name), fenced(reporters.Tail(output, maxOutput)))
}

func (p *page) provenance(run *engine.Run, results []engine.Result) {
	p.block("## Provenance")
	version := code(run.Version.Bench)
	if run.Version.Commit != "" {
		version += ", commit " + code(run.Version.Commit)
	}
	suite := reporters.Suite(run)
	lines := "* bench " + version + "\n" +
		"* began " + moment(run.Began) + ", ended " + moment(run.Ended) + "\n" +
		"* seed " + strconv.FormatUint(suite.Seed, 10)
	for _, s := range suite.Sources {
		lines += "\n* source " + code(s.Path) + ", sha256 " + code(s.Sum.Short())
	}
	for _, id := range reporters.Images(results) {
		lines += "\n* image " + code(id)
	}
	p.block("%s", lines)
}

func moment(t time.Time) string {
	if t.IsZero() {
		return reporters.Unknown
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
