// Package plan turns a suite and what is stored of earlier runs into a plan: which
// trials there are, which of them have a verdict already, and the steps that
// the others need.
//
//	p, diags := plan.New(suite, store, plan.Options{})
//	for _, t := range p.Trials {
//		fmt.Println(t.Reuse.Sign, t.ID)
//	}
//
// It is pure, needs neither Docker nor a network, and gives equal plans for
// equal input. Reuse is by definition, not by time: a step has a key made of
// everything that can change what it gives, and a stored result is used if, and
// only if, its key is equal. See keys.go for what is in which key.
//
// A [Document] is a plan as it is saved. It says what was promised, and
// [Document.Stale] whether a plan that is made later still keeps it.
package plan

// How a suite becomes a plan, and where:
//
//	cross.go     cells: what a matrix crosses, less the excluded, then the included
//	rules.go     what is wrong with them, or worth a note
//	select.go    which of their trials are wanted (changed.go: by files; along.go:
//	             for the sake of others)
//	trials.go    the trials, with what their agents are given
//	recording.go what they replay, where a cassette answers for a model
//	steps.go     the graph (keys.go, images.go, assets.go), and what is reused (reuse.go)
//	reserve.go   what each may spend, where there are budgets
//	forecast.go  what earlier trials say of it
//
// What is wrong with the suite is said of all of it, whatever is selected.

import (
	"fmt"
	"iter"

	"github.com/ml-dev-bench/bench/engine"
)

// History is what a plan asks of stored results. Its methods return nil where
// there is nothing.
type History interface {
	// Best is the best stored attempt for a run key: one that can be graded
	// before one that cannot, and the latest of those.
	Best(run engine.Digest) *engine.Stored
	// Latest is the newest attempt of a trial, whatever its key.
	Latest(id engine.TrialID) *engine.Stored
	// Keys are the full keys of an attempt and of its latest grade; zero if
	// there is none, or it cannot be read.
	Keys(s *engine.Stored) (run, check engine.Key)
	// HasSnapshot reports whether what the agent of an attempt left is stored
	// still, so that it can be graded.
	HasSnapshot(s *engine.Stored) bool
	// All gives every attempt, in an order that is always the same.
	All() iter.Seq[*engine.Stored]
}

// Options say which part of a suite is planned, and what may be reused.
type Options struct {
	Select Selection `json:"select"`
	// Rerun names trials of which nothing stored is used: by what came of them,
	// "failed", "errored" or "all", or by globs over their ids.
	Rerun   []string `json:"rerun"`
	NoReuse bool     `json:"no_reuse"`
	// Assets is the variant of assets that is used: full, which is also meant
	// by the zero value, or mini. It never depends on what can be reached.
	Assets     engine.Variant `json:"assets"`
	AllowEmpty bool           `json:"allow_empty"` // to select nothing is no error

	Driver engine.Driver `json:"driver,omitempty"` // what keeps the sandboxes
}

// New makes the plan of a suite. A nil history means that nothing is stored.
// The plan is nil if a diagnostic is an error.
func New(suite *engine.Suite, history History, o Options) (*engine.Plan, engine.Diagnostics) {
	b := &builder{plan: &engine.Plan{Suite: suite, Driver: o.Driver}, history: history, options: o}
	cells := b.cross()
	b.checkPairs(cells)
	wanted := b.choose(cells)
	b.checkDriver(wanted)
	b.checkAssets(wanted)
	b.makeTrials(wanted)
	b.checkRecordings()
	b.checkPrices(cells)
	if b.diags.HasErrors() {
		return nil, b.diags.Sorted()
	}
	b.makeSteps(wanted)
	b.reserve()
	b.noteEarlyEnds()
	b.findGone(cells)
	b.forecast()
	return b.plan, b.diags.Sorted()
}

type builder struct {
	plan    *engine.Plan
	history History
	options Options
	rerun   rerun
	dear    map[*engine.Matrix]bool // its trials have a limit on cost that only they know
	diags   engine.Diagnostics
}

func (b *builder) report(s engine.Severity, rule string, at engine.Pos, summary, detail string, args ...any) {
	b.diags = append(b.diags, engine.Diagnostic{Severity: s, Rule: rule, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: at.Range()})
}
