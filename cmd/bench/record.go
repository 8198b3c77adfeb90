package main

import (
	"os"
	"sync"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/journal"
)

// A recorder writes the journal of a run. Results do not depend on it: what
// cannot be written is complained of once, and the run goes on.
type recorder struct {
	app  *app
	mu   sync.Mutex
	file *journal.Writer // nil if there is none, or none any more
}

// newRecorder begins the journal of a run in a directory.
func (a *app) newRecorder(run *engine.Run, dir string) *recorder {
	r := &recorder{app: a}
	id := journal.NewID(run.Began)
	var err error
	if r.file, err = journal.Create(dir, id); err != nil {
		r.giveUp(err)
		return r
	}
	todo := 0
	for _, t := range run.Plan.Trials {
		if t.Reuse.Sign != engine.SignSame {
			todo++
		}
	}
	r.write(journal.RunStarted{Run: id, Version: run.Version, Origin: run.Origin, Suite: run.Plan.Suite.Name, Trials: todo, PID: os.Getpid()})
	return r
}

func (r *recorder) giveUp(err error) {
	r.app.complain("the journal of this run is not whole: " + err.Error())
	r.file = nil
}

func (r *recorder) write(e journal.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return
	}
	if err := r.file.Write(e, time.Now().UTC()); err != nil {
		_ = r.file.Close() // what it says is said already
		r.giveUp(err)
	}
}

// observe is told what happens in a run.
func (r *recorder) observe(e apply.Event) {
	switch e := e.(type) {
	case apply.StepStarted:
		r.write(journal.StepStarted{Step: e.Step.StepID(), Trial: idOf(e.Trial), Try: e.Try})
	case apply.StepEnded:
		r.write(journal.StepEnded{
			Step: e.Step.StepID(), Trial: idOf(e.Trial), Try: e.Try, Outcome: e.Outcome, Took: e.Took, Cost: e.Cost, Tokens: e.Tokens, Retry: e.Again != nil,
		})
	case apply.TrialEnded:
		if e.Result.Reused { // nothing has happened
			return
		}
		n := 0
		if a := e.Result.Attempt; a != nil {
			n = a.N
		}
		r.write(journal.TrialEnded{Trial: e.Result.Trial.ID, Attempt: n, Outcome: e.Result.Outcome, Tries: e.Result.Tries()})
	case apply.GateEnded:
		r.write(journal.GateEnded{Gate: e.Result.Gate.Name, Judgement: e.Result.Judgement, Message: e.Result.Message})
	}
}

func idOf(t *engine.Trial) engine.TrialID {
	if t == nil {
		return engine.TrialID{}
	}
	return t.ID
}

// wrote records that a report is there.
func (r *recorder) wrote(report *engine.Report, file string) {
	if info, err := os.Stat(file); err == nil {
		r.write(journal.ReportWritten{Format: report.Format, Path: report.Path, Bytes: info.Size()})
	}
}

func (r *recorder) ended(e engine.Exit) { r.write(journal.RunEnded{Exit: e}) }

func (r *recorder) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file != nil {
		_ = r.file.Close() // every line was written and checked
	}
}
