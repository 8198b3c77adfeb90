// Package journal keeps what a run did, event by event, as lines of JSON that are
// only ever added to.
//
//	w, err := journal.Create(s.Runs(), journal.NewID(now))
//	err = w.Write(journal.StepStarted{Step: "run:light/a@x#1", Trial: id, Try: 1}, now)
//	...
//	err = w.Close()
//
//	log, err := journal.Load(s.Runs(), id)
//	journal.Check(log.Records)      // what in it cannot be
//	journal.Unfinished(log.Records) // what was running when bench died
//
// Every run has a file of its own, .bench/<suite>/runs/<id>.ndjson, named by
// the time at which it began. So two runs never write to one file, old ones can
// be deleted one by one, and a crash can damage nothing but the last line of the
// last file:
//
//	{"seq":1,"at":"2026-01-02T12:01:02.5Z","event":"run_start","run":"20260102T120102.500Z-5e21ab07", ...}
//	{"seq":2,"at":"2026-01-02T12:01:02.6Z","event":"step_start","step":"run:light/a@x#1", ...}
//
// A journal is for people and for questions after a crash. It is never needed to
// know what is stored: the files of the attempts are the truth, and a run whose
// journal is gone has lost nothing.
//
// What lines say and what may follow what is decided without any file, in
// journal.go, line.go and check.go; files are in file.go alone.
package journal

import (
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// An Event is something that happened in a run. The implementations are
// RunStarted, StepStarted, StepEnded, TrialEnded, GateEnded, ReportWritten and
// RunEnded; there are no others.
type Event interface{ kind() string }

// RunStarted is the first event of every run.
type RunStarted struct {
	Run     string         `json:"run"` // id of the run, and name of its file
	Version engine.Version `json:"version"`
	Origin  engine.Origin  `json:"origin"`
	Suite   string         `json:"suite"`
	Trials  int            `json:"trials"` // without a verdict so far, each of which will end exactly once
	PID     int            `json:"pid"`    // of bench
}

// StepStarted says that a worker has begun with a step.
type StepStarted struct {
	Step  engine.StepID  `json:"step"`
	Trial engine.TrialID `json:"trial,omitzero"` // the first one that the step is for; zero if it is for an image
	Try   int            `json:"try"`            // counts from 1; a retry is the next one
}

// StepEnded says how it went.
type StepEnded struct {
	Step    engine.StepID  `json:"step"`
	Trial   engine.TrialID `json:"trial,omitzero"`
	Try     int            `json:"try"`
	Outcome engine.Outcome `json:"outcome,omitzero"` // zero if the step did what it should
	Took    time.Duration  `json:"took_ns"`
	Cost    *float64       `json:"cost_usd,omitempty"` // nil if it is not known
	Tokens  *int64         `json:"tokens,omitempty"`   // of models; nil if it is not known
	Retry   bool           `json:"retry,omitempty"`    // another try will be made
}

// TrialEnded says what came of a trial, also of one that never started.
type TrialEnded struct {
	Trial   engine.TrialID `json:"trial"`
	Attempt int            `json:"attempt,omitempty"` // number of the stored one; 0 if there is none
	Outcome engine.Outcome `json:"outcome"`
	Tries   int            `json:"tries"`
}

// GateEnded says how a gate was judged.
type GateEnded struct {
	Gate      string           `json:"gate"`
	Judgement engine.Judgement `json:"judgement"`
	Message   string           `json:"message,omitempty"`
}

// ReportWritten says that a report is there.
type ReportWritten struct {
	Format string `json:"format"`
	Path   string `json:"path"`
	Bytes  int64  `json:"bytes"`
}

// RunEnded is the last event of every run that was not killed.
type RunEnded struct {
	Exit engine.Exit `json:"exit"`
}

func (RunStarted) kind() string    { return "run_start" }
func (StepStarted) kind() string   { return "step_start" }
func (StepEnded) kind() string     { return "step_end" }
func (TrialEnded) kind() string    { return "trial_end" }
func (GateEnded) kind() string     { return "gate_end" }
func (ReportWritten) kind() string { return "report" }
func (RunEnded) kind() string      { return "run_end" }

// A Record is a line of a journal.
type Record struct {
	Seq   int       // counts from 1 in each run
	At    time.Time // UTC
	Event Event
}
