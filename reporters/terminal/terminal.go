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
// world, the sign - what was left or stopped as the benchfile says. Trials that
// one thing holds back are counted in one line. Trials that were tried again and
// gates have lines of their own:
//
//	retried smoke/hello_world@react+gpt#1  passed (2 tries): 1 errored(provider), 4.20 s, $0.03; 2 passed, 8.00 s, $0.12
//	gate.healthy  passed  matrix.smoke.pass_rate = 1
//
// So have things that make verdicts prove less:
//
//	weak  2 trials  network = "open": the agent can reach everything outside, answers included
//
// Columns and lines of what has not happened, or costs nothing by nature, are
// left out. Colour, if wanted, is one of the sixteen basic ones and says nothing
// that the words do not.
package terminal

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Summary is the reporter. The zero value prints without colour.
type Summary struct {
	Color bool
}

const (
	maxProblems = 20  // lines of failures and errors, again of common causes, and again of trials tried again
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
	s.retried(&b, results)
	s.gates(&b, reporters.Gates(run))
	s.weaknesses(&b, reporters.Weaknesses(results))
	sum := reporters.Summarize(results)
	fmt.Fprintln(&b, s.totals(sum))
	if text := sum.Assets.Sentence(); text != "" {
		fmt.Fprintln(&b, text)
	}
	if sum.Cost.Models {
		fmt.Fprintln(&b, sum.Cost.Sentence())
	}
	if w := reporters.Line(run.Origin.Weakness); w != "" {
		fmt.Fprintln(&b, s.paint(yellow, "weakness: "+w))
	}
	if reason := reporters.Line(run.Exit.Reason); reason != "" {
		fmt.Fprintln(&b, reason)
	}
	_, err := w.Write(b.Bytes())
	return err
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
		fmt.Fprintln(b, s.paint(yellow, g.Sign()), reporters.Head(g.Sentence(), 2*maxDetail))
	}
	more(b, len(blocked))
	if len(single)+len(blocked) > 0 {
		b.WriteByte('\n')
	}
}

// retried tells of every attempt at the trials that had more than one.
func (s Summary) retried(b *bytes.Buffer, results []engine.Result) {
	retried := reporters.Retried(results)
	for i := range retried[:min(len(retried), maxProblems)] {
		r := &retried[i]
		var parts []string
		for _, t := range reporters.Tries(r) {
			parts = append(parts, fmt.Sprintf("%d %s", t.N, t.Sentence(reporters.HasModel(r.Trial))))
		}
		fmt.Fprintf(b, "retried %s  %s: %s\n", reporters.Line(r.Trial.ID.String()), reporters.Ended(r),
			reporters.Head(strings.Join(parts, "; "), 2*maxDetail))
	}
	more(b, len(retried))
	if len(retried) > 0 {
		b.WriteByte('\n')
	}
}

func (s Summary) gates(b *bytes.Buffer, gates []reporters.Gate) {
	for _, g := range gates {
		c := yellow
		switch {
		case g.Bad():
			c = red
		case g.Judgement == engine.GatePassed:
			c = green
		}
		line := g.ID() + "  " + s.paint(c, g.Word())
		if text := g.Text(); text != "" {
			line += "  " + reporters.Head(text, maxDetail)
		}
		fmt.Fprintln(b, line)
	}
	if len(gates) > 0 {
		b.WriteByte('\n')
	}
}

func (s Summary) weaknesses(b *bytes.Buffer, all []reporters.Weakness) {
	for _, w := range all[:min(len(all), maxProblems)] {
		fmt.Fprintf(b, "%s  %s  %s\n", s.paint(yellow, "weak"), w.Count(), reporters.Head(w.Text, maxDetail))
	}
	more(b, len(all))
	if len(all) > 0 {
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
