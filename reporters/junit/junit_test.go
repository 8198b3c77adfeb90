package junit_test

import (
	"encoding/xml"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	gojunit "github.com/joshdk/go-junit"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/junit"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

func TestConformance(t *testing.T) { reportertest.Run(t, junit.Reporter{}) }

func TestGolden(t *testing.T) {
	for name, build := range reportertest.Runs() {
		t.Run(name, func(t *testing.T) {
			reportertest.Golden(t, name+".xml", reportertest.Report(t, junit.Reporter{}, build()))
		})
	}
}

// Every report is read by a foreign parser, which must count what we counted.
func TestAcceptedByGoJUnit(t *testing.T) {
	for name, build := range reportertest.Runs() {
		t.Run(name, func(t *testing.T) {
			run := build()
			suites, err := gojunit.Ingest([]byte(reportertest.Report(t, junit.Reporter{}, run)))
			if err != nil {
				t.Fatal(err)
			}
			var got gojunit.Totals
			for _, s := range suites {
				got.Tests += s.Totals.Tests
				got.Passed += s.Totals.Passed
				got.Failed += s.Totals.Failed
				got.Error += s.Totals.Error
				got.Skipped += s.Totals.Skipped
			}
			sum := reporters.Summarize(reporters.Results(run))
			want := gojunit.Totals{Tests: sum.Trials, Passed: sum.Passed, Failed: sum.Failed, Error: sum.Errored, Skipped: sum.Skipped + sum.Cancelled}
			for _, g := range reporters.Gates(run) {
				want.Tests++
				switch {
				case g.Bad():
					want.Failed++
				case g.Judgement == engine.GatePassed:
					want.Passed++
				default:
					want.Skipped++
				}
			}
			if got != want {
				t.Errorf("go-junit counts %+v, want %+v", got, want)
			}
		})
	}
}

func TestAcceptedByPython(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("CI has to have python3")
		}
		t.Skip("python3 is not there")
	}
	const script = `import sys, xml.etree.ElementTree as E
root = E.fromstring(sys.stdin.buffer.read())
print(root.tag, len(list(root.iter("testcase"))))`
	for name, build := range reportertest.Runs() {
		t.Run(name, func(t *testing.T) {
			run := build()
			cmd := exec.Command(python, "-c", script)
			cmd.Stdin = strings.NewReader(reportertest.Report(t, junit.Reporter{}, run))
			out, err := cmd.CombinedOutput()
			if err != nil {
				t.Fatalf("xml.etree: %v\n%s", err, out)
			}
			if want := fmt.Sprintf("testsuites %d\n", len(run.Results)+len(run.Gates)); string(out) != want {
				t.Errorf("xml.etree reads %q, want %q", out, want)
			}
		})
	}
}

// numbers is the document as an independent reader sees its totals.
type numbers struct {
	numbersOfSuite
	Suites []struct {
		numbersOfSuite
		Cases []struct {
			Name      string    `xml:"name,attr"`
			Classname string    `xml:"classname,attr"`
			Time      float64   `xml:"time,attr"`
			Failure   *struct{} `xml:"failure"`
			Error     *struct{} `xml:"error"`
			Skipped   *struct{} `xml:"skipped"`
			SystemOut string    `xml:"system-out"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

type numbersOfSuite struct {
	Tests    int     `xml:"tests,attr"`
	Failures int     `xml:"failures,attr"`
	Errors   int     `xml:"errors,attr"`
	Skipped  int     `xml:"skipped,attr"`
	Time     float64 `xml:"time,attr"`
}

func TestTotalsAddUp(t *testing.T) {
	for name, build := range reportertest.Runs() {
		t.Run(name, func(t *testing.T) {
			var doc numbers
			if err := xml.Unmarshal([]byte(reportertest.Report(t, junit.Reporter{}, build())), &doc); err != nil {
				t.Fatal(err)
			}
			var all numbersOfSuite
			seen := map[string]bool{}
			for _, s := range doc.Suites {
				var sum numbersOfSuite
				for _, c := range s.Cases {
					sum.Tests++
					sum.Failures += one(c.Failure)
					sum.Errors += one(c.Error)
					sum.Skipped += one(c.Skipped)
					sum.Time += c.Time
					if seen[c.Classname+"\x00"+c.Name] {
						t.Errorf("%s %s is there twice", c.Classname, c.Name)
					}
					seen[c.Classname+"\x00"+c.Name] = true
					if len(c.SystemOut) > 16<<10 {
						t.Errorf("system-out of %s has %d bytes", c.Name, len(c.SystemOut))
					}
				}
				compare(t, "testsuite", s.numbersOfSuite, sum)
				all.Tests += s.Tests
				all.Failures += s.Failures
				all.Errors += s.Errors
				all.Skipped += s.Skipped
				all.Time += s.Time
			}
			compare(t, "testsuites", doc.numbersOfSuite, all)
		})
	}
}

func compare(t *testing.T, what string, got, want numbersOfSuite) {
	t.Helper()
	if diff := got.Time - want.Time; diff < -1e-6 || diff > 1e-6 {
		t.Errorf("%s has the time %v, its parts %v", what, got.Time, want.Time)
	}
	got.Time, want.Time = 0, 0
	if got != want {
		t.Errorf("%s says %+v, its parts %+v", what, got, want)
	}
}

func one(e *struct{}) int {
	if e == nil {
		return 0
	}
	return 1
}

func TestTimeHasThreeDecimals(t *testing.T) {
	run := reportertest.Many()
	run.Results = run.Results[:1]
	run.Results[0].Attempt.Took = 61*time.Second + 5*time.Millisecond
	got := reportertest.Report(t, junit.Reporter{}, run)
	if !strings.Contains(got, `time="61.005"`) {
		t.Errorf("no time of 61.005 in\n%s", got)
	}
}

func TestSkippedSaysWhy(t *testing.T) {
	run := reportertest.Many()
	run.Results = run.Results[:1]
	run.Results[0].Outcome = engine.Outcome{Status: engine.StatusCancelled, Reason: engine.ReasonSignal, Detail: "interrupted"}
	got := reportertest.Report(t, junit.Reporter{}, run)
	if want := `<skipped message="cancelled(signal): interrupted">`; !strings.Contains(got, want) {
		t.Errorf("no %s in\n%s", want, got)
	}
}

// What a consumer reads must be the text itself: escaped once, not twice, and
// with its lines.
func TestTextReadsBack(t *testing.T) {
	run := reportertest.Many()
	run.Results = run.Results[:1]
	r := &run.Results[0]
	r.Outcome.Detail = "a < b & \"c\" ]]>"
	r.Grade.Checks[0].Output = "\x1b[31mline <1>\x1b[0m\n  ]]> & line 2\n"
	suites, err := gojunit.Ingest([]byte(reportertest.Report(t, junit.Reporter{}, run)))
	if err != nil {
		t.Fatal(err)
	}
	got := suites[0].Tests[0]
	problem, ok := got.Error.(gojunit.Error)
	if !ok {
		t.Fatalf("the test case has the error %v", got.Error)
	}
	const output = "line <1>\n  ]]> & line 2"
	for _, c := range []struct{ what, got, want string }{
		{"type", problem.Type, "check"},
		{"message", problem.Message, r.Outcome.Detail},
		{"body", problem.Body, r.Outcome.Detail + "\n\n" + output},
		{"system-out", got.SystemOut, "check tests:\n" + output + "\n"},
		{"classname", got.Classname, "many.hard"},
		{"name", got.Name, "hard/one@noop#1"},
		{"file", got.Properties["file"], "cases/hard/one/case.hcl"},
		{"line", got.Properties["line"], "3"},
	} {
		if c.got != c.want {
			t.Errorf("the %s reads %q, want %q", c.what, c.got, c.want)
		}
	}
}

// A gate that is only a warning must not turn a build red.
func TestGates(t *testing.T) {
	suites, err := gojunit.Ingest([]byte(reportertest.Report(t, junit.Reporter{}, reportertest.Eventful())))
	if err != nil {
		t.Fatal(err)
	}
	gates := suites[len(suites)-1]
	var got []string
	for _, c := range gates.Tests {
		got = append(got, fmt.Sprintf("%s %s %s", c.Name, c.Status, c.Message))
	}
	want := []string{
		"gate.ready passed ",
		"gate.healthy failed only 75 % of the smoke test passed",
		"gate.cheap skipped warning: matrix.smoke.pass_rate = 0.75",
		"gate.fast skipped inconclusive: matrix.late.p50_seconds is not known",
		"gate.nightly skipped skipped: its if is false",
	}
	if diff := cmp.Diff(want, got); diff != "" || gates.Name != "gates" {
		t.Errorf("the suite %q (-want +got):\n%s", gates.Name, diff)
	}
}

func TestEveryTryIsTold(t *testing.T) {
	var doc struct {
		Suites []struct {
			Cases []struct {
				Name       string `xml:"name,attr"`
				Properties []struct {
					Name  string `xml:"name,attr"`
					Value string `xml:"value,attr"`
				} `xml:"properties>property"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	if err := xml.Unmarshal([]byte(reportertest.Report(t, junit.Reporter{}, reportertest.Eventful())), &doc); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, c := range doc.Suites[0].Cases {
		for _, p := range c.Properties {
			if c.Name == "hello_world@react+gpt#2" && (strings.Contains(p.Name, "try") || p.Name == "tries") {
				got[p.Name] = p.Value
			}
		}
	}
	want := map[string]string{
		"tries": "3", "first_try": "errored(provider)",
		"try.1": "errored(provider), 4.20 s, $0.03",
		"try.2": "errored(host), time unknown, cost unknown",
		"try.3": "passed, 9.00 s, $0.10",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the tries (-want +got):\n%s", diff)
	}
}
