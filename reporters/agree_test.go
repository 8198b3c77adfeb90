package reporters_test

import (
	"bytes"
	stdjson "encoding/json"
	"encoding/xml"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/json"
	"github.com/ml-dev-bench/bench/reporters/junit"
	"github.com/ml-dev-bench/bench/reporters/markdown"
	"github.com/ml-dev-bench/bench/reporters/terminal"
)

// totals are the counts that all reports have, by name.
type totals map[string]int

var statuses = []string{"passed", "failed", "errored", "skipped", "cancelled"}

// truth counts the results by itself, without the package under test.
func truth(run *engine.Run) totals {
	out := totals{"trials": len(run.Results)}
	for _, r := range run.Results {
		out[r.Outcome.Status.String()]++
		n := len(r.Earlier)
		if r.Attempt != nil {
			n++
		}
		out["tries"] += n
		if n > 1 {
			out["retried"]++
		}
		if r.Reused {
			out["reused"]++
		}
	}
	return out
}

// only keeps some of the counts, each of which is there.
func (t totals) only(names ...string) totals {
	out := totals{}
	for _, n := range names {
		out[n] = t[n]
	}
	return out
}

func (t totals) plus(other totals) {
	for name, n := range other {
		t[name] += n
	}
}

// Whatever happened in a run, each report says the same of it, in every place
// where it says it.
func TestReportsAgree(t *testing.T) {
	all := append([]string{"trials", "reused", "retried", "tries"}, statuses...)
	said := append([]string{"trials", "reused", "retried"}, statuses...)
	rapid.Check(t, func(t *rapid.T) {
		run := runs.Draw(t, "run")
		want := truth(run)
		sum := 0
		for _, s := range statuses {
			sum += want[s]
		}
		if sum != want["trials"] {
			t.Fatalf("%d trials have %d statuses", want["trials"], sum)
		}
		same := func(where string, got, want totals) {
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s (-want +got):\n%s", where, diff)
			}
		}
		checkJSON(t, write(t, json.Reporter{}, run), func(where string, got totals) { same("json, "+where, got.only(all...), want.only(all...)) })
		checkJUnit(t, write(t, junit.Reporter{}, run), run, same)

		page := write(t, markdown.Reporter{}, run)
		same("markdown, sentence", sentence(t, page, `(?m)^(\d+ trials?.*)\. Pass rate: `).only(said...), want.only(said...))
		inTables := said
		if strings.Count(page, "tries |") == strings.Count(page, "## Matrix") {
			inTables = all
		}
		same("markdown, tables", tables(page).only(inTables...), want.only(inTables...))
		screen := write(t, terminal.Summary{}, run)
		same("terminal, sentence", sentence(t, screen, `(?m)^(\d+ trials?(?:: \d+ .*)?)$`).only(said...), want.only(said...))
		inTable := append([]string{"trials"}, statuses...)
		if want["retried"] > 0 {
			inTable = append(inTable, "tries")
		}
		same("terminal, table", tables(screen).only(inTable...), want.only(inTable...))
		if strings.Contains(screen, "cost ($)") != models(run) || strings.Contains(page, "cost ($)") != models(run) {
			t.Errorf("cost is shown, or not, though the run has models: %v\n%s", models(run), screen)
		}
	})
}

func models(run *engine.Run) bool {
	for _, r := range run.Results {
		if r.Trial.Model != nil {
			return true
		}
	}
	return false
}

func write(t *rapid.T, r reporters.Reporter, run *engine.Run) string {
	var first, second bytes.Buffer
	if err := r.Report(&first, run); err != nil {
		t.Fatal(err)
	}
	if err := r.Report(&second, run); err != nil || first.String() != second.String() {
		t.Fatalf("%T gives other bytes the second time, or the error %v", r, err)
	}
	return first.String()
}

type jsonTotals struct {
	Trials, Passed, Failed, Errored, Skipped, Cancelled, Reused, Retried, Tries int

	FirstPassed int      `json:"first_try_passed"`
	FirstFailed int      `json:"first_try_failed"`
	Cost        *float64 `json:"cost_usd"`
	Verdicts    *float64 `json:"verdicts_cost_usd"`
	Trouble     *float64 `json:"trouble_cost_usd"`
	Tokens      *int64
}

func (j jsonTotals) counts() totals {
	return totals{"trials": j.Trials, "passed": j.Passed, "failed": j.Failed, "errored": j.Errored, "skipped": j.Skipped,
		"cancelled": j.Cancelled, "reused": j.Reused, "retried": j.Retried, "tries": j.Tries}
}

type jsonTry struct {
	Status string
	Cost   *float64 `json:"cost_usd"`
	Tokens *int64
}

type jsonDocument struct {
	Totals   jsonTotals
	Matrices []struct {
		Totals jsonTotals
		Agents []struct{ Totals jsonTotals }
	}
	Trials []struct {
		jsonTry
		Reused  bool
		Attempt int
		First   string `json:"first_try_status"`
		Tries   int
		Earlier []jsonTry
	}
}

// checkJSON adds up matrices, agents and trials.
func checkJSON(t *rapid.T, text string, check func(where string, got totals)) {
	var doc jsonDocument
	if err := stdjson.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	check("totals", doc.Totals.counts())
	matrices, agents, trials := totals{}, totals{}, totals{}
	for _, m := range doc.Matrices {
		matrices.plus(m.Totals.counts())
		for _, a := range m.Agents {
			agents.plus(a.Totals.counts())
		}
	}
	first := map[string]int{}
	var tries []jsonTry
	for _, r := range doc.Trials {
		trials.plus(totals{"trials": 1, r.Status: 1, "tries": r.Tries, "reused": one(r.Reused), "retried": one(r.Tries > 1)})
		first[r.First]++
		tries = append(tries, r.Earlier...)
		if r.Attempt > 0 {
			tries = append(tries, r.jsonTry)
		}
	}
	check("matrices", matrices)
	check("agents", agents)
	check("trials", trials)
	if len(tries) != doc.Totals.Tries || first["passed"] != doc.Totals.FirstPassed || first["failed"] != doc.Totals.FirstFailed {
		t.Errorf("%d tries and the first tries %v, but the totals say %+v", len(tries), first, doc.Totals)
	}
	checkCost(t, tries, doc.Totals)
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// checkCost adds up what the attempts cost, and their tokens: one that is not known
// makes the sum unknown.
func checkCost(t *rapid.T, tries []jsonTry, said jsonTotals) {
	verdicts, trouble, tokens := new(0.0), new(0.0), new(int64(0))
	for _, try := range tries {
		if tokens == nil || try.Tokens == nil {
			tokens = nil
		} else {
			tokens = new(*tokens + *try.Tokens)
		}
		sum := &trouble
		if try.Status == "passed" || try.Status == "failed" {
			sum = &verdicts
		}
		if *sum == nil || try.Cost == nil {
			*sum = nil
			continue
		}
		*sum = new(**sum + *try.Cost)
	}
	var all *float64
	if verdicts != nil && trouble != nil {
		all = new(*verdicts + *trouble)
	}
	if diff := cmp.Diff([]*float64{all, verdicts, trouble}, []*float64{said.Cost, said.Verdicts, said.Trouble}); diff != "" {
		t.Errorf("cost: all, of verdicts, of trouble (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(tokens, said.Tokens); diff != "" {
		t.Errorf("tokens (-want +got):\n%s", diff)
	}
}

type junitCounts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
}

func (c junitCounts) counts() totals {
	return totals{"trials": c.Tests, "failed": c.Failures, "errored": c.Errors, "left": c.Skipped,
		"passed": c.Tests - c.Failures - c.Errors - c.Skipped}
}

type junitDocument struct {
	junitCounts
	Suites []struct {
		Name string `xml:"name,attr"`
		junitCounts
		Cases []struct {
			Failure, Error *struct{}
			Skipped        *struct {
				Message string `xml:"message,attr"`
			} `xml:"skipped"`
			Properties []struct {
				Name  string `xml:"name,attr"`
				Value string `xml:"value,attr"`
			} `xml:"properties>property"`
		} `xml:"testcase"`
	} `xml:"testsuite"`
}

// checkJUnit counts trials apart from gates, whose suite is the last.
func checkJUnit(t *rapid.T, text string, run *engine.Run, same func(where string, got, want totals)) {
	var doc junitDocument
	if err := xml.Unmarshal([]byte(text), &doc); err != nil {
		t.Fatal(err)
	}
	suites, all := doc.Suites, doc.counts()
	if len(run.Gates) > 0 {
		gates := suites[len(suites)-1]
		if gates.Name != "gates" || gates.Tests != len(run.Gates) {
			t.Fatalf("the last suite is %q with %d tests, want %d gates", gates.Name, gates.Tests, len(run.Gates))
		}
		for name, n := range gates.counts() {
			all[name] -= n
		}
		suites = suites[:len(suites)-1]
	}
	sum, told := totals{}, totals{}
	for _, s := range suites {
		sum.plus(s.counts())
		for _, c := range s.Cases {
			if c.Skipped != nil {
				status, _, _ := strings.Cut(c.Skipped.Message, "(")
				told[status]++
			}
			for _, p := range c.Properties {
				n, err := strconv.Atoi(p.Value)
				if p.Name == "tries" && err == nil {
					told.plus(totals{"tries": n, "retried": one(n > 1)})
				}
				if p.Name == "reused" && p.Value == "true" {
					told["reused"]++
				}
			}
		}
	}
	want := truth(run)
	cases := []string{"skipped", "cancelled", "reused", "retried", "tries"}
	same("junit, test cases", told.only(cases...), want.only(cases...))
	want["left"] = want["skipped"] + want["cancelled"]
	counts := []string{"trials", "passed", "failed", "errored", "left"}
	same("junit, suites", sum.only(counts...), want.only(counts...))
	same("junit, all", all.only(counts...), want.only(counts...))
}
