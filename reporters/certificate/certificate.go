// Package certificate writes what bench test has found out about cases: as JSON
// for programs, as Markdown for pages and step summaries, and as JUnit XML for CI
// systems, in which a case is a suite and each proof is a test.
//
// A proof that does not hold is a failure, and one that is not known is an error:
// the world was at fault, and not the case. Text that an agent may have printed
// is cleaned and kept from becoming a part of the page.
package certificate

import (
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Schema names the form of the JSON document. It changes when readers must.
const Schema = "bench-test/1"

// A Report is what one bench test found out.
type Report struct {
	Version      engine.Version
	Origin       engine.Origin
	Certificates []*engine.Certificate
}

// Counts are how many cases are certified, are not, and are not known to be.
func (r *Report) Counts() (certified, broken, unknown int) {
	for _, c := range r.Certificates {
		switch {
		case c.Certified():
			certified++
		case c.Broken():
			broken++
		default:
			unknown++
		}
	}
	return certified, broken, unknown
}

// Summary lists how many proofs of each kind hold, as "oracle 3/3, cheats 14/14".
func Summary(c *engine.Certificate) string {
	var parts []string
	for _, k := range engine.ProofKinds {
		if holding, all := c.Count(k); all > 0 {
			name := string(k)
			if k == engine.ProofCheat || k == engine.ProofMutant {
				name += "s"
			} else {
				holding, all = verdicts(c, k)
			}
			parts = append(parts, fmt.Sprintf("%s %d/%d", name, holding, all))
		}
	}
	return strings.Join(parts, ", ")
}

func verdicts(c *engine.Certificate, k engine.ProofKind) (right, asked int) {
	for _, p := range c.Proofs {
		if p.Kind == k {
			right, asked = right+p.Right, asked+p.Asked
		}
	}
	return right, asked
}

// Word says of a certificate what came of it.
func Word(c *engine.Certificate) string {
	switch {
	case c.Certified():
		return "certified"
	case c.Broken():
		return "not certified"
	}
	return "unknown"
}

// Name is that of a proof: its kind, and which of its kind it is.
func Name(p *engine.Proof) string {
	if p.Name == "" {
		return string(p.Kind)
	}
	return string(p.Kind) + " " + p.Name
}

type document struct {
	Schema    string       `json:"schema"`
	Bench     string       `json:"bench"`
	Commit    string       `json:"commit,omitempty"`
	Engine    string       `json:"engine,omitempty"`
	Certified int          `json:"certified"`
	Broken    int          `json:"not_certified"`
	Unknown   int          `json:"unknown"`
	Cases     []caseObject `json:"cases"`
}

type caseObject struct {
	Case   string        `json:"case"`
	Digest engine.Digest `json:"digest"`
	State  string        `json:"state"`
	Before bool          `json:"certified_before,omitempty"`
	Repeat int           `json:"repeat"`
	Flake  *flake        `json:"flake,omitempty"`
	Proofs []proof       `json:"proofs,omitempty"`
}

type flake struct {
	Asked int `json:"verdicts"`
	Odd   int `json:"odd"`
}

type proof struct {
	Kind   engine.ProofKind  `json:"kind"`
	Name   string            `json:"name,omitempty"`
	Want   string            `json:"want"`
	State  engine.ProofState `json:"state"`
	Detail string            `json:"detail,omitempty"`
	Trials []engine.TrialID  `json:"trials,omitempty"`
	Right  int               `json:"right"`
	Asked  int               `json:"asked"`
}

// JSON writes the report for programs.
func JSON(w io.Writer, r *Report) error {
	d := document{Schema: Schema, Bench: r.Version.Bench, Commit: r.Version.Commit, Engine: r.Origin.Engine, Cases: []caseObject{}}
	d.Certified, d.Broken, d.Unknown = r.Counts()
	for _, c := range r.Certificates {
		o := caseObject{Case: c.Case.Name, Digest: c.Digest, State: Word(c), Before: c.Old, Repeat: c.Repeat}
		if !c.Old {
			o.Flake = &flake{c.Flake.Asked, c.Flake.Odd}
		}
		for _, p := range c.Proofs {
			o.Proofs = append(o.Proofs, proof(p))
		}
		d.Cases = append(d.Cases, o)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(d)
}

// Markdown writes the report as a page.
func Markdown(w io.Writer, r *Report) error {
	var b strings.Builder
	certified, _, _ := r.Counts()
	fmt.Fprintf(&b, "# Certified: %d of %d cases\n\n", certified, len(r.Certificates))
	b.WriteString("| case | state | verdicts | flake |\n| --- | --- | --- | --- |\n")
	for _, c := range r.Certificates {
		rate, summary := "", "at this digest before"
		if !c.Old {
			rate, summary = fmt.Sprintf("%d of %d", c.Flake.Odd, c.Flake.Asked), Summary(c)
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(c.Case.Name), Word(c), summary, rate)
	}
	for _, c := range r.Certificates {
		if c.Certified() {
			continue
		}
		fmt.Fprintf(&b, "\n## %s\n\n", code(c.Case.Name))
		for _, p := range c.Proofs {
			if p.State != engine.ProofHolds {
				fmt.Fprintf(&b, "* **%s** is %s. %s\n", Name(&p), p.State, code(p.Detail))
			}
		}
	}
	fmt.Fprintf(&b, "\nbench %s, sandboxes: %s\n", code(r.Version.Bench), code(r.Origin.Engine))
	_, err := io.WriteString(w, b.String())
	return err
}

// code makes a text a code span, of which nothing is taken for Markdown.
func code(text string) string {
	text = strings.ReplaceAll(strings.ReplaceAll(reporters.Line(text), "`", "'"), "|", "/")
	if text == "" {
		return "unknown"
	}
	return "`" + text + "`"
}

type testsuites struct {
	XMLName  xml.Name `xml:"testsuites"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Suites   []testsuite
}

type testsuite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Cases    []testcase
}

type testcase struct {
	XMLName   xml.Name `xml:"testcase"`
	Name      string   `xml:"name,attr"`
	Classname string   `xml:"classname,attr"`
	File      string   `xml:"file,attr,omitempty"`
	Failure   *message `xml:"failure"`
	Error     *message `xml:"error"`
	Skipped   *message `xml:"skipped"`
}

type message struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit writes the report for CI systems.
func JUnit(w io.Writer, r *Report) error {
	doc := testsuites{Name: "bench test"}
	for _, c := range r.Certificates {
		s := suiteOf(c)
		doc.Tests += s.Tests
		doc.Failures += s.Failures
		doc.Errors += s.Errors
		doc.Skipped += s.Skipped
		doc.Suites = append(doc.Suites, s)
	}
	if _, err := io.WriteString(w, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(w)
	e.Indent("", "  ")
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("junit: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func suiteOf(c *engine.Certificate) testsuite {
	s := testsuite{Name: reporters.Line(c.Case.Name)}
	add := func(t testcase) {
		t.Classname, t.File = s.Name, c.Case.Pos.File
		s.Tests++
		s.Cases = append(s.Cases, t)
	}
	if c.Old {
		s.Skipped++
		add(testcase{Name: "certified", Skipped: &message{Message: "it was certified before, at the same digest"}})
	}
	for _, p := range c.Proofs {
		t := testcase{Name: reporters.Line(Name(&p) + ": " + p.Want)}
		told := &message{Message: reporters.Line(p.Detail), Text: reporters.Line(p.Detail)}
		switch p.State {
		case engine.ProofBroken:
			t.Failure = told
			s.Failures++
		case engine.ProofUnknown:
			t.Error = told
			s.Errors++
		case engine.ProofHolds:
		}
		add(t)
	}
	return s
}
