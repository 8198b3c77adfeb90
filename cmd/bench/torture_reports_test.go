package main

import (
	"encoding/json"
	"encoding/xml"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// tortureReports are the reports of one run, as far as they must agree.
type tortureReports struct {
	json struct {
		Exit   struct{ Code int }
		Totals map[string]any
		Trials []struct {
			ID, Status, Reason string
			Reused             bool
		}
	}
	junit struct {
		junitCounts
		Suites []struct {
			junitCounts
			Cases []struct {
				Failure *struct{} `xml:"failure"`
				Error   *struct{} `xml:"error"`
				Skipped *struct{} `xml:"skipped"`
			} `xml:"testcase"`
		} `xml:"testsuite"`
	}
	markdown string
}

type junitCounts struct {
	Tests    int `xml:"tests,attr"`
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
}

func (r *rig) readReports() (out tortureReports) {
	r.Helper()
	read := func(name string) []byte {
		text, err := os.ReadFile(filepath.Join(r.dir, "out", name))
		r.must(err)
		return text
	}
	r.must(json.Unmarshal(read("results.json"), &out.json))
	r.must(xml.Unmarshal(read("junit.xml"), &out.junit))
	out.markdown = string(read("report.md"))
	return out
}

// countWords are the words of a sentence of totals, and of the totals in JSON.
var countWords = []string{"trials", "passed", "failed", "errored", "skipped", "cancelled", "reused"}

var (
	sentenceForm = regexp.MustCompile(`(?m)^\d+ trials?: .*$`)
	countForm    = regexp.MustCompile(`(\d+) (trial|passed|failed|errored|skipped|cancelled|reused)`)
)

// reportsAgree holds the reports of an ended run against each other, and against
// what it printed.
func (r *rig) reportsAgree(stdout string) {
	r.Helper()
	reports := r.readReports()
	r.row.checked["reports"] += 4
	counted := map[string]int{"trials": len(reports.json.Trials)}
	for _, t := range reports.json.Trials {
		counted[t.Status]++
		if t.Reused {
			counted["reused"]++
		}
	}
	for _, word := range countWords {
		if got, _ := reports.json.Totals[word].(float64); int(got) != counted[word] {
			r.violated("results.json lists %d %s, and its totals say %v", counted[word], word, got)
		}
	}
	for name, text := range map[string]string{"report.md": reports.markdown, "the summary": stdout} {
		sentence := sentenceForm.FindString(text)
		said := map[string]int{}
		for _, m := range countForm.FindAllStringSubmatch(sentence, -1) {
			said[strings.Replace(m[2], "trial", "trials", 1)], _ = strconv.Atoi(m[1])
		}
		for _, word := range countWords {
			if said[word] != counted[word] {
				r.violated("results.json lists %d %s, and %s says %q", counted[word], word, name, sentence)
			}
		}
	}
	want := junitCounts{counted["trials"], counted["failed"], counted["errored"], counted["skipped"] + counted["cancelled"]}
	var listed, added junitCounts
	for _, s := range reports.junit.Suites {
		added.Tests, added.Failures = added.Tests+s.Tests, added.Failures+s.Failures
		added.Errors, added.Skipped = added.Errors+s.Errors, added.Skipped+s.Skipped
		for _, c := range s.Cases {
			listed.Tests++
			listed.Failures += oneIf(c.Failure != nil)
			listed.Errors += oneIf(c.Error != nil)
			listed.Skipped += oneIf(c.Skipped != nil)
		}
	}
	for what, got := range map[string]junitCounts{"all": reports.junit.junitCounts, "its suites": added, "its cases": listed} {
		if got != want {
			r.violated("junit.xml: %s say %+v, and results.json says %+v", what, got, want)
		}
	}
}

func oneIf(is bool) int {
	if is {
		return 1
	}
	return 0
}
