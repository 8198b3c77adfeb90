package junit

import (
	"encoding/xml"
	"fmt"
	"strings"
)

// The elements of the format. Attributes that a consumer needs are written even
// when they are empty: dorny/test-reporter crashes without name and time.

type testsuites struct {
	XMLName xml.Name `xml:"testsuites"`
	Name    string   `xml:"name,attr"`
	Tests   int      `xml:"tests,attr"`
	counts
	Time   seconds     `xml:"time,attr"`
	Suites []testsuite `xml:"testsuite"`
}

type testsuite struct {
	Name  string `xml:"name,attr"`
	Tests int    `xml:"tests,attr"`
	counts
	Time       seconds       `xml:"time,attr"`
	Timestamp  string        `xml:"timestamp,attr,omitempty"`
	Properties *propertyList `xml:"properties"`
	Cases      []testcase    `xml:"testcase"`
}

// counts are the tests that did not pass; none is counted twice.
type counts struct {
	Failures int `xml:"failures,attr"`
	Errors   int `xml:"errors,attr"`
	Skipped  int `xml:"skipped,attr"`
}

type testcase struct {
	Name       string        `xml:"name,attr"`
	Classname  string        `xml:"classname,attr"`
	Time       seconds       `xml:"time,attr"`
	File       string        `xml:"file,attr,omitempty"`
	Line       int           `xml:"line,attr,omitempty"`
	Properties *propertyList `xml:"properties"`
	Failure    *problem      `xml:"failure"`
	Error      *problem      `xml:"error"`
	Skipped    *skipped      `xml:"skipped"`
	SystemOut  *output       `xml:"system-out"`
}

type problem struct {
	Type    string `xml:"type,attr"`
	Message string `xml:"message,attr"`
	Body    string `xml:",innerxml"`
}

type output struct {
	Body string `xml:",innerxml"`
}

type skipped struct {
	Message string `xml:"message,attr"`
}

type property struct {
	Name  string `xml:"name,attr"`
	Value string `xml:"value,attr"`
}

type properties []property

type propertyList struct {
	Properties []property `xml:"property"`
}

func (ps properties) list() *propertyList { return &propertyList{ps} }

var specials = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")

// bodyOf escapes clean text for a place between tags. What encoding/xml does is
// right too, but makes one long line of it.
func bodyOf(clean string) string { return specials.Replace(clean) }

// seconds is a time in thousandths of a second, so that sums are the sums of
// what is printed.
type seconds int64

// MarshalText prints three decimals.
func (s seconds) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%d.%03d", s/1000, s%1000), nil
}
