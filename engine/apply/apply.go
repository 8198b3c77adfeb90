// Package apply carries out a plan: it walks the graph of its steps, keeps what
// they give, and says how each trial ended.
//
//	results := apply.Run(ctx, plan, apply.Options{Driver: driver, Store: store, Parallel: 4, Observe: show})
//
// It adds nothing to the plan. Steps are of three kinds, each in a file of its
// own:
//
//	image.go  makes an image available, or lays an agent over one
//	run.go    lets an agent work in a sandbox, and stores what it left
//	check.go  grades what is stored, in a sandbox that the agent never saw
//
// What a suite may say and this version cannot do yet is told by [Unsupported],
// before anything starts.
//
// An infrastructure error ends the trials that it concerns as errored, and no
// others. When ctx ends, what runs is stopped, nothing more is started, and
// Run returns results for all trials all the same.
package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"slices"
	"sync"
	"syscall"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/graph"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/store"
)

// Options say with what a plan is carried out.
type Options struct {
	Driver   sandbox.Driver // needed if the plan has steps
	Store    *store.Store   // locked by the caller
	CPUs     int            // of the machine that sandboxes run on; at least 1
	Parallel int            // trials at once; 0 means as many as the CPUs allow
	Version  engine.Version

	// Observe is told what happens, in order, by one goroutine at a time. It
	// may be nil.
	Observe func(Event)
}

// An Event is something that happened in a run: an ImageStarted, an ImageEnded,
// a TrialStarted or a TrialEnded.
type Event interface{ event() }

// ImageStarted says that an image is looked for, and pulled or built if it is
// not there.
type ImageStarted struct{ Step *engine.ImageStep }

// ImageEnded says that an image is there, or why it is not.
type ImageEnded struct {
	Step *engine.ImageStep
	Err  error
	Log  string // the end of what the build printed, if it failed
}

// TrialStarted says that the agent of a trial is about to work.
type TrialStarted struct{ Trial *engine.Trial }

// TrialEnded says how a trial ended. Reused trials end without having started.
type TrialEnded struct{ Result *engine.Result }

func (ImageStarted) event() {}
func (ImageEnded) event()   {}
func (TrialStarted) event() {}
func (TrialEnded) event()   {}

// Run carries out a plan. It returns one result for each trial, in the order of
// the plan.
func Run(ctx context.Context, plan *engine.Plan, o Options) []engine.Result {
	r := &runner{
		Options: o, plan: plan, results: make([]engine.Result, len(plan.Trials)),
		position: map[*engine.Trial]int{}, steps: map[string]engine.Step{},
		images: map[engine.StepID]string{}, attempts: map[engine.StepID]*engine.Attempt{},
	}
	var vertices []graph.Vertex
	for _, s := range plan.Steps {
		r.steps[string(s.StepID())] = s
	}
	for _, s := range plan.Steps {
		vertices = append(vertices, r.vertex(s))
	}
	for i, t := range plan.Trials {
		r.position[t] = i
		r.results[i] = engine.Result{Trial: t}
	}
	r.reuse()
	g, err := graph.New(vertices, r.slots())
	if err != nil {
		panic(err) // the plan is malformed, and no user can make it so
	}
	graph.Walk(ctx, g, r.work, r.blocked)
	r.finish()
	return r.results
}

type runner struct {
	Options
	plan  *engine.Plan
	steps map[string]engine.Step

	mu       sync.Mutex
	results  []engine.Result
	position map[*engine.Trial]int
	images   map[engine.StepID]string // ids of the images that are there
	attempts map[engine.StepID]*engine.Attempt
}

// work does one step, and reports whether those that need it can go on. A bug
// in it ends its trials as errored(engine), and nothing else.
func (r *runner) work(ctx context.Context, id string) (ok bool) {
	step := r.steps[id]
	defer func() {
		if p := recover(); p != nil {
			ok = false
			r.endAll(r.trialsOf(step), nil, engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonEngine, Detail: fmt.Sprintf("bug in bench, please report: %v\n%s", p, debug.Stack())})
		}
	}()
	switch s := step.(type) {
	case *engine.ImageStep:
		return r.image(ctx, s)
	case *engine.RunStep:
		return r.run(ctx, s)
	case *engine.CheckStep:
		return r.check(ctx, s)
	}
	panic(fmt.Sprintf("apply: unknown step %T", step))
}

// blocked ends the trials of a step that can never run, unless its cause has
// ended them already.
func (r *runner) blocked(id, cause string) {
	image, ok := r.steps[cause].(*engine.ImageStep)
	if !ok {
		return
	}
	r.endAll(r.trialsOf(r.steps[id]), nil, engine.Outcome{
		Status: engine.StatusErrored, Reason: engine.ReasonImage, Cause: image.ID,
		Detail: "its image could not be made",
	})
}

// trialsOf are the trials that a step works for; those of an image are all that
// need it, or an image that is laid over it.
func (r *runner) trialsOf(s engine.Step) (trials []*engine.Trial) {
	switch s := s.(type) {
	case *engine.RunStep:
		return s.Trials
	case *engine.CheckStep:
		return s.Trials
	}
	for _, other := range r.plan.Steps {
		if slices.Contains(other.Needs(), s.StepID()) {
			trials = append(trials, r.trialsOf(other)...)
		}
	}
	return trials
}

// endAll ends trials alike, except those that have ended.
func (r *runner) endAll(trials []*engine.Trial, a *engine.Attempt, o engine.Outcome) {
	for _, t := range trials {
		r.end(t, engine.Result{Trial: t, Attempt: a, Outcome: o})
	}
}

func (r *runner) end(t *engine.Trial, result engine.Result) {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := r.position[t]
	if r.results[i].Outcome.Status != engine.StatusInvalid {
		return
	}
	r.results[i] = result
	if r.Observe != nil {
		r.Observe(TrialEnded{&r.results[i]})
	}
}

func (r *runner) observe(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.Observe != nil {
		r.Observe(e)
	}
}

// finish ends the trials that were never started.
func (r *runner) finish() {
	r.endAll(r.plan.Trials, nil, engine.Outcome{Status: engine.StatusSkipped, Reason: engine.ReasonSignal, Detail: "not started, since bench was told to stop"})
}

// failure turns an error of the world into an outcome.
func failure(ctx context.Context, err error) engine.Outcome {
	if ctx.Err() != nil {
		return engine.Outcome{Status: engine.StatusCancelled, Reason: engine.ReasonSignal, Detail: "stopped, since bench was told to"}
	}
	o := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonSandbox, Detail: err.Error()}
	for _, host := range []error{sandbox.ErrUnavailable, syscall.ENOSPC, digest.ErrChanged, fs.ErrNotExist} {
		if errors.Is(err, host) {
			o.Reason = engine.ReasonHost
		}
	}
	return o
}
