// Package junit writes a run as JUnit XML, which CI systems show as test results.
//
// There is no standard of this format, only consumers; what is written here is
// what GitLab, Jenkins, dorny/test-reporter and mikepenz/action-junit-report
// read:
//
//	<testsuites name="hello" tests="2" failures="1" errors="0" skipped="0" time="1.840">
//	  <testsuite name="smoke" tests="2" … timestamp="2026-03-14T09:26:53">
//	    <testcase name="debugging/nan_loss@noop#1" classname="smoke.debugging"
//	        time="0.040" file="cases/debugging/nan_loss/case.hcl" line="30">
//	      <properties>…</properties>
//	      <failure type="check" message="check &#34;tests&#34; failed">…</failure>
//	      <system-out>…</system-out>
//
// A matrix is a suite, a trial is a test case. What failed is the agent's fault
// and a failure; what errored is bench's or the world's and an error; what was
// skipped or cancelled is skipped. The counts add up: tests less failures,
// errors and skipped are the trials that passed.
//
// A test case tells of the last attempt at its trial. Its properties have the
// number of all ("tries"), and if there were several, what became of each:
// "first_try" is "errored(provider)", "try.1" is "errored(provider), 4.20 s, $0.03".
//
// Gates are test cases of one more suite, which comes last. A gate that failed is
// a failure; one that is only a warning, or came to no judgement, is skipped.
//
// Times are of the agent's work in seconds, the timestamp is UTC. Text is
// cleaned of escapes and of what XML forbids, and cut to 16 KiB for each trial.
package junit

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Reporter writes JUnit XML. It has no options.
type Reporter struct{}

const (
	maxOutput  = 16 << 10 // bytes of output of a trial
	maxMessage = 4 << 10  // bytes of a message
)

// Report writes the document.
func (Reporter) Report(w io.Writer, run *engine.Run) error {
	doc := document(run)
	var b bytes.Buffer
	b.WriteString(xml.Header)
	e := xml.NewEncoder(&b)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	b.WriteByte('\n')
	_, err := w.Write(b.Bytes())
	return err
}

func document(run *engine.Run) testsuites {
	doc := testsuites{Name: reporters.Line(reporters.Suite(run).Name)}
	var suites []testsuite
	for _, m := range reporters.Matrices(reporters.Results(run)) {
		suites = append(suites, suite(run, m))
	}
	if gates := reporters.Gates(run); len(gates) > 0 {
		suites = append(suites, gateSuite(gates))
	}
	for _, s := range suites {
		doc.Suites = append(doc.Suites, s)
		doc.Tests += s.Tests
		doc.Failures += s.Failures
		doc.Errors += s.Errors
		doc.Skipped += s.Skipped
		doc.Time += s.Time
	}
	return doc
}

func suite(run *engine.Run, m reporters.Matrix) testsuite {
	s := testsuite{
		Name: reporters.Line(m.Name), Tests: m.Summary.Trials,
		counts:     counts{Failures: m.Summary.Failed, Errors: m.Summary.Errored, Skipped: m.Summary.Skipped + m.Summary.Cancelled},
		Properties: suiteProperties(run).list(),
	}
	if !run.Began.IsZero() {
		s.Timestamp = run.Began.UTC().Format("2006-01-02T15:04:05")
	}
	for i := range m.Results {
		c := testcaseOf(&m.Results[i])
		s.Time += c.Time
		s.Cases = append(s.Cases, c)
	}
	return s
}

func testcaseOf(r *engine.Result) testcase {
	t := r.Trial
	c := testcase{
		Name:      reporters.Line(strings.TrimPrefix(t.ID.String(), t.ID.Matrix+"/")),
		Classname: classname(t),
	}
	if took, ok := r.Took(); ok {
		c.Time = seconds(took.Milliseconds())
	}
	if t.Case != nil && t.Case.Pos.Line > 0 {
		c.File, c.Line = reporters.Line(t.Case.Pos.File), t.Case.Pos.Line
	}
	if printed := printedBy(r); printed != "" {
		c.SystemOut = &output{bodyOf(reporters.Tail(printed, maxOutput))}
	}
	c.Properties = trialProperties(r).list()
	c.judge(r)
	return c
}

func classname(t *engine.Trial) string {
	name := t.ID.Matrix
	if category := reporters.Category(t); category != "" {
		name += "." + category
	}
	return reporters.Line(name)
}

// judge sets the one element that says how the trial ended, or none if it
// passed.
func (c *testcase) judge(r *engine.Result) {
	o := r.Outcome
	message := reporters.Head(reporters.Line(o.Detail), maxMessage)
	if message == "" {
		message = reporters.Line(o.String())
	}
	kind := reporters.Line(string(o.Reason))
	if kind == "" {
		kind = o.Status.String()
	}
	switch o.Status {
	case engine.StatusFailed:
		c.Failure = &problem{Type: kind, Message: message, Body: problemBody(message, r)}
	case engine.StatusErrored:
		c.Error = &problem{Type: kind, Message: message, Body: problemBody(message, r)}
	case engine.StatusSkipped, engine.StatusCancelled:
		text := reporters.Line(o.String())
		if text != message {
			text += ": " + message
		}
		c.Skipped = &skipped{Message: text}
	}
}

// problemBody says the message again, since GitLab shows nothing else, and then
// what the check that failed has printed.
func problemBody(message string, r *engine.Result) string {
	text := message
	if o := r.Outcome; o.Cause != "" {
		text += "\ncaused by " + reporters.Line(string(o.Cause))
	}
	if check := reporters.FailedCheck(r); check != nil {
		if out := strings.TrimRight(reporters.Clean(check.Output), " \t\n"); out != "" {
			text += "\n\n" + reporters.Tail(out, maxOutput)
		}
	}
	return bodyOf(text)
}

// printedBy is what all checks of a trial printed, one after the other.
func printedBy(r *engine.Result) string {
	if r.Grade == nil {
		return ""
	}
	var b strings.Builder
	for _, c := range r.Grade.Checks {
		if out := strings.TrimRight(reporters.Clean(c.Output), " \t\n"); out != "" {
			fmt.Fprintf(&b, "check %s:\n%s\n", reporters.Line(c.Name), out)
		}
	}
	return b.String()
}
