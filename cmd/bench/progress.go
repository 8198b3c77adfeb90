package main

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/reporters"
)

// A progress tells on standard error what a run is doing: one line when
// something ends, and one from time to time when nothing does, since silence
// reads as a hang.
type progress struct {
	w       io.Writer
	mu      sync.Mutex
	silent  bool // of trials: what comes of them is told elsewhere
	total   int
	ended   int
	reused  int
	running map[*engine.Trial]bool
	last    time.Time
	began   map[engine.StepID]time.Time
	errored map[engine.StepID]trouble // of images and assets, which may be tried again
	told    map[string]bool           // of images
	done    chan struct{}
}

// heartbeat is how long nothing may be said.
const heartbeat = 30 * time.Second

func newProgress(a *app, p *engine.Plan) *progress {
	s := &progress{w: a.stderr, total: len(p.Trials), running: map[*engine.Trial]bool{}, began: map[engine.StepID]time.Time{}, errored: map[engine.StepID]trouble{}, told: map[string]bool{}, last: time.Now(), done: make(chan struct{})}
	for _, t := range p.Trials {
		if t.Reuse.Sign == engine.SignSame {
			s.reused++
		}
	}
	if s.reused > 0 {
		s.say("%d of %s reused: a verdict is stored", s.reused, plural(s.total, "trial"))
	}
	go s.beat()
	return s
}

func (s *progress) stop() { close(s.done) }

func (s *progress) beat() {
	tick := time.NewTicker(heartbeat / 10)
	defer tick.Stop()
	for {
		select {
		case <-s.done:
			return
		case now := <-tick.C:
			s.mu.Lock()
			if now.Sub(s.last) >= heartbeat {
				s.say("%d running, %d of %d ended", len(s.running), s.ended, s.total)
			}
			s.mu.Unlock()
		}
	}
}

func (s *progress) say(format string, args ...any) {
	s.last = time.Now()
	fmt.Fprintf(s.w, format+"\n", args...)
}

// observe is told what happens in a run.
func (s *progress) observe(e apply.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch e := e.(type) {
	case apply.ImageStarted:
		s.began[e.Step.ID] = time.Now()
	case apply.ImageEnded:
		s.image(e)
	case apply.AssetEnded:
		s.asset(e)
	case apply.ImageLinted:
		s.linted(e)
	case apply.StepStarted:
		switch e.Step.(type) {
		case *engine.RunStep:
			s.running[e.Trial] = true
		case *engine.AssetStep:
			s.began[e.Step.StepID()] = time.Now()
		}
	case apply.StepEnded:
		s.step(e)
	case apply.GateEnded:
		s.say("%-8s%s %s  %s", "gate", e.Result.Gate.Name, e.Result.Judgement, reporters.Line(e.Result.Message))
	case apply.TrialEnded:
		delete(s.running, e.Result.Trial)
		s.ended++
		if !e.Result.Reused && !s.silent {
			s.trial(e.Result)
		}
	default:
		panic(fmt.Sprintf("bench: unknown event %T", e))
	}
}

// step tells of what is tried again, and of images and assets that are not; all
// else is told of its trial.
func (s *progress) step(e apply.StepEnded) {
	if e.Again == nil {
		if t, ok := s.errored[e.Step.StepID()]; ok && e.Outcome.Status == engine.StatusErrored {
			s.trouble(e.Step, t)
		}
		return
	}
	what := string(e.Step.StepID())
	if e.Trial != nil {
		what = e.Trial.ID.String()
		delete(s.running, e.Trial)
	}
	s.say("%-8s%s  try %d %s: %s; again in %s", "retry", what, e.Try, e.Outcome, reporters.Line(e.Outcome.Detail), short(*e.Again))
}

func (s *progress) image(e apply.ImageEnded) {
	took := short(time.Since(s.began[e.Step.ID]))
	if e.Err == nil {
		name := e.Step.Sandbox.Name
		if e.Step.Service != nil {
			name += "." + e.Step.Service.Name
		}
		s.say("%-8s%s  %s", "image", name, took)
		return
	}
	s.errored[e.Step.ID] = trouble{e.Err, e.Log}
}

// linted tells once what is wrong with an image. Notes are for reports alone.
func (s *progress) linted(e apply.ImageLinted) {
	words := map[engine.Severity]string{engine.SeverityError: "ERROR", engine.SeverityWarning: "warning"}
	for _, f := range e.Findings {
		line := fmt.Sprintf("%-8s%s: %s. %s", words[f.Severity], e.Step.ID, reporters.Line(f.String()), reporters.Line(f.Fix))
		if words[f.Severity] != "" && !s.told[line] {
			s.told[line] = true
			s.say("%s", line)
		}
	}
}

func (s *progress) asset(e apply.AssetEnded) {
	if e.Err != nil {
		s.errored[e.Step.ID] = trouble{e.Err, e.Log}
		return
	}
	s.say("%-8s%s  %s, %s, %s", "asset", e.Step.Asset.Name, e.Step.Variant, formatSize(e.Bytes), short(time.Since(s.began[e.Step.ID])))
}

// A trouble is why there is no image or no asset, and what was said meanwhile.
type trouble struct {
	err error
	log string
}

func (s *progress) trouble(step engine.Step, t trouble) {
	s.say("%-8s%s: %s", "ERROR", step.StepID(), reporters.Line(t.err.Error()))
	if log := strings.TrimSpace(reporters.Clean(t.log)); log != "" {
		s.say("        %s", strings.ReplaceAll(reporters.LastLines(log, 15), "\n", "\n        "))
	}
}

// short is a duration as people say it.
func short(d time.Duration) string {
	if d < 100*time.Millisecond {
		return "<0.1s"
	}
	return d.Round(100 * time.Millisecond).String()
}

var labels = map[engine.Status]string{
	engine.StatusPassed: "ok", engine.StatusFailed: "FAIL", engine.StatusErrored: "ERROR",
	engine.StatusSkipped: "skip", engine.StatusCancelled: "stop",
}

func (s *progress) trial(r *engine.Result) {
	if r.Outcome.Cause != "" || r.Outcome.Status == engine.StatusSkipped {
		return // the cause has been told; the summary counts the rest
	}
	line := fmt.Sprintf("%-8s%s", labels[r.Outcome.Status], r.Trial.ID)
	if took, ok := r.Took(); ok {
		line += "  " + short(took)
	}
	if r.Outcome.Detail != "" {
		line += "  " + reporters.Line(r.Outcome.Detail)
	}
	s.say("%s", line)
}
