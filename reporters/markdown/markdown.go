// Package markdown writes a run as GitHub-flavoured Markdown, for step summaries,
// pull requests and pages: the verdict first, then gates, totals, a table and a
// grid for each matrix, what was found in images, what went wrong, what was tried again, and where the
// numbers come from.
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
	"slices"
	"strconv"
	"strings"

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
	p.weaknesses(reporters.Weaknesses(results))
	if err := p.gates(reporters.Gates(run)); err != nil {
		return err
	}
	for _, m := range reporters.Matrices(results) {
		if err := p.matrix(m); err != nil {
			return err
		}
	}
	if err := p.images(run.Images); err != nil {
		return err
	}
	p.problems(results)
	if err := p.retried(reporters.Retried(results)); err != nil {
		return err
	}
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
	if w := run.Origin.Weakness; w != "" {
		p.block("**Weakness:** %s", escape(w))
	}
	p.totals(sum)
}

func (p *page) totals(sum reporters.Summary) {
	text := fmt.Sprintf("%s. Pass rate: %s", sum.Sentence(), percent(sum.PassRate))
	if sum.FirstDiffers() {
		text += fmt.Sprintf(", at the first try: %s", percent(sum.First.PassRate))
	}
	if variants := sum.Assets.Sentence(); variants != "" {
		text += ". " + strings.Replace(variants, "assets ", "Assets: ", 1)
	}
	if sum.Cost.Models {
		text += ". " + strings.Replace(sum.Cost.Sentence(), "cost ", "Cost: ", 1)
	}
	p.block("%s.", text)
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
	p.totals(m.Summary)
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

func (p *page) problems(results []engine.Result) {
	single, blocked := reporters.Problems(results)
	var broken, left []reporters.Blocked
	for _, b := range blocked {
		if b.Trouble() {
			broken = append(broken, b)
		} else {
			left = append(left, b)
		}
	}
	if len(left) > 0 {
		p.block("## Skipped and cancelled")
		p.blocked(left)
	}
	if len(single)+len(broken) == 0 {
		return
	}
	p.block("## Failures and errors")
	p.blocked(broken)
	for _, problem := range single[:min(len(single), maxProblems)] {
		p.problem(problem)
	}
	p.more(len(single), "trials")
}

func (p *page) blocked(blocked []reporters.Blocked) {
	for _, b := range blocked[:min(len(blocked), maxProblems)] {
		p.block("%s", code(reporters.Head(b.Sentence(), maxDetail)))
	}
	p.more(len(blocked), "common causes")
}

// retried is a table of every attempt at the trials that had more than one.
func (p *page) retried(results []engine.Result) error {
	if len(results) == 0 {
		return nil
	}
	p.block("## Tried again")
	out := newTable([]string{"trial", "ended"}, []string{"attempt"})
	out.add([]string{"outcome"}, []string{"took (s)"})
	models := slices.ContainsFunc(results, func(r engine.Result) bool { return reporters.HasModel(r.Trial) })
	if models {
		out.add(nil, []string{"cost ($)"})
	}
	for i := range results[:min(len(results), maxProblems)] {
		r := &results[i]
		for _, t := range reporters.Tries(r) {
			row := []string{cell(r.Trial.ID.String()), cell(reporters.Ended(r)), strconv.Itoa(t.N), cell(t.Outcome.String()), reporters.Seconds(t.Took)}
			if models {
				row = append(row, cell(reporters.Dollars(t.Cost)))
			}
			out.rows = append(out.rows, row)
		}
	}
	text, err := out.render()
	if err != nil {
		return err
	}
	p.block("%s", text)
	p.more(len(results), "trials")
	return nil
}

func (p *page) gates(gates []reporters.Gate) error {
	if len(gates) == 0 {
		return nil
	}
	p.block("## Gates")
	out := newTable([]string{"gate", "judgement", "severity", "message", "read"}, nil)
	for _, g := range gates {
		judgement := cell(string(g.Judgement))
		if g.Bad() {
			judgement = "**" + judgement + "**"
		}
		out.rows = append(out.rows, []string{cell(g.Name), judgement, cell(string(g.Severity)), cell(reporters.Head(g.Text(), maxDetail)), cell(reporters.Head(g.Read(), maxDetail))})
	}
	text, err := out.render()
	if err != nil {
		return err
	}
	p.block("%s", text)
	return nil
}

// weaknesses lists what makes verdicts prove less than they say.
func (p *page) weaknesses(all []reporters.Weakness) {
	if len(all) == 0 {
		return
	}
	p.block("## Weak verdicts")
	var lines []string
	for _, w := range all[:min(len(all), maxProblems)] {
		lines = append(lines, fmt.Sprintf("* %s: %s", w.Count(), code(reporters.Head(w.Text, maxDetail))))
	}
	p.block("%s", strings.Join(lines, "\n"))
	p.more(len(all), "reasons")
}

// images is a table of what was found in images.
func (p *page) images(images []engine.ImageFindings) error {
	out := newTable([]string{"image", "severity", "rule", "finding", "what to do"}, nil)
	for _, i := range images {
		for _, f := range i.Findings {
			out.rows = append(out.rows, []string{
				cell(strings.TrimPrefix(string(i.Step), "lint:")), cell(string(f.Severity)), cell(f.Rule), cell(reporters.Head(f.String(), maxDetail)), cell(f.Fix),
			})
		}
	}
	if len(out.rows) == 0 {
		return nil
	}
	p.block("## Image findings")
	text, err := out.render()
	if err != nil {
		return err
	}
	p.block("%s", text)
	return nil
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
