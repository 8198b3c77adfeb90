package markdown

import (
	"strconv"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

func (p *page) provenance(run *engine.Run, results []engine.Result) {
	p.block("## Provenance")
	version := code(run.Version.Bench)
	if run.Version.Commit != "" {
		version += ", commit " + code(run.Version.Commit)
	}
	suite, o := reporters.Suite(run), run.Origin
	lines := "* bench " + version + "\n" +
		"* began " + moment(run.Began) + ", ended " + moment(run.Ended) + "\n" +
		"* seed " + strconv.FormatUint(suite.Seed, 10)
	if host := known(o.Host, o.OS); host != "" {
		lines += "\n* host " + host
	}
	if o.Engine != "" {
		lines += "\n* engine " + code(o.Engine)
	}
	if o.Commit != "" {
		lines += "\n* git commit " + code(o.Commit)
		if o.Dirty != nil && *o.Dirty {
			lines += ", dirty"
		}
	}
	for _, s := range suite.Sources {
		lines += "\n* source " + code(s.Path) + ", sha256 " + code(s.Sum.Short())
	}
	for _, id := range reporters.Images(results) {
		lines += "\n* image " + code(id)
	}
	p.block("%s", lines)
}

// known joins as code what is not empty.
func known(words ...string) string {
	var out []string
	for _, w := range words {
		if w != "" {
			out = append(out, code(w))
		}
	}
	return strings.Join(out, ", ")
}

func moment(t time.Time) string {
	if t.IsZero() {
		return reporters.Unknown
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}
