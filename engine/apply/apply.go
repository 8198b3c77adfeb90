// Package apply carries out a plan: it walks the graph of its steps, keeps what
// they give, and says how each trial and each gate ended.
//
//	results, gates := apply.Run(ctx, plan, apply.Options{Driver: driver, Store: store, Judge: judge, Observe: show})
//
// It adds nothing to the plan. Steps are of four kinds, each in a file of its
// own:
//
//	image.go  makes an image available, or lays an agent over one
//	asset.go  fetches an asset, or lets a fixture make its stand-in
//	lint.go   looks at what is in an image before an agent works in it
//	run.go    lets an agent work in a sandbox, and stores what it left
//	check.go  grades what is stored, in a sandbox that the agent never saw
//
// Package graph decides when they start; schedule.go tells it what they wait for,
// machine.go what they take, control.go what matrices and gates come to, and
// end.go makes outcomes of trials of what it answers.
//
// What a suite may say and this version cannot do yet is told by [Unsupported],
// before anything starts.
//
// An infrastructure error ends the trials that it concerns as errored, and no
// others, once their matrix does not try again. Every attempt is stored, also one
// that errored or was stopped: its cost must not be lost. When ctx ends, what
// runs is stopped, nothing more is started, and Run returns results for all
// trials all the same.
package apply

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"runtime/debug"
	"sync"
	"syscall"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/graph"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/store"
)

// Options say with what a plan is carried out.
type Options struct {
	Driver   sandbox.Driver // needed if the plan has steps
	Store    *store.Store   // locked by the caller
	Assets   *asset.Cache   // needed if cases have assets; closed by the caller, later
	Judge    Judge          // needed if the suite has gates, or matrices with an if
	Machine  Machine        // that sandboxes run on
	Parallel int            // trials at once; 0 means as many as the machine holds
	Version  engine.Version
	Origin   engine.Origin // that attempts and grades are stored with

	// Kill ends the time that agents have to end by themselves once ctx has
	// ended. It may be nil.
	Kill <-chan struct{}

	// Gateway is the way to models. It may be nil if no trial has one.
	Gateway *gateway.Gateway

	// Inventories remembers what is in images. It may be nil.
	Inventories Inventories
	// Unsafe lets agents work in images with errors.
	Unsafe bool

	// Observe is told what happens, in order, by one goroutine at a time. It
	// may be nil.
	Observe func(Event)
}

// An Event is something that happened in a run: an ImageStarted, an ImageEnded,
// an ImageLinted, an AssetEnded, a StepStarted, a StepEnded, a TrialEnded or a
// GateEnded.
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

// AssetEnded says that an asset is there, or why it is not.
type AssetEnded struct {
	Step  *engine.AssetStep
	Bytes int64
	Err   error
	Log   string // what its fixture has printed; empty if none ran
}

// ImageLinted says what was found in an image, if anything was.
type ImageLinted struct {
	Step     *engine.LintStep
	Findings []engine.Finding // errors first; at least one
}

// StepStarted says that a step is about to be done, for the first time or once
// more. The trial of a run step is at work from then on.
type StepStarted struct {
	Step  engine.Step
	Trial *engine.Trial // the first one that it is for; nil for an image, a look at one or an asset
	Try   int           // counts from 1 in each run
}

// StepEnded says how a try of a step ended.
type StepEnded struct {
	Step    engine.Step
	Trial   *engine.Trial
	Try     int
	Outcome engine.Outcome // zero if the step did what it should
	Took    time.Duration
	Cost    *float64       // USD; nil if it is not known
	Tokens  *int64         // of models; nil if it is not known
	Again   *time.Duration // until the next try; nil if there is none
}

// TrialEnded says how a trial ended. Reused trials end without having started.
type TrialEnded struct{ Result *engine.Result }

// GateEnded says how a gate ended.
type GateEnded struct{ Result engine.GateResult }

func (ImageStarted) event() {}
func (ImageEnded) event()   {}
func (AssetEnded) event()   {}
func (ImageLinted) event()  {}
func (StepStarted) event()  {}
func (StepEnded) event()    {}
func (TrialEnded) event()   {}
func (GateEnded) event()    {}

// Run carries out a plan. It returns one result for each trial, in the order of
// the plan, and one for each gate of the suite.
func Run(ctx context.Context, plan *engine.Plan, o Options) ([]engine.Result, []engine.GateResult) {
	r := newRunner(plan, o)
	g, err := graph.New(r.config())
	if err != nil {
		panic(err) // the plan is malformed, and no user can make it so
	}
	r.reuse()
	began := time.Now()
	graph.Walk(ctx, g, graph.Hooks{Do: r.work, Ended: r.ended, Again: func(a graph.Again) { r.again(a, a.At-time.Since(began)) }})
	r.fetch()
	var gates []engine.GateResult
	for _, g := range plan.Suite.Gates {
		gates = append(gates, r.gates[g.Name])
	}
	return r.results, gates
}

type runner struct {
	Options
	plan        *engine.Plan
	steps       map[string]engine.Step
	conditional map[string]bool // matrices that wait for more than their images and assets

	mu       sync.Mutex
	results  []engine.Result // without what the store has of them, until fetch
	kept     []kept          // where the store has it
	position map[*engine.Trial]int
	images   map[engine.StepID]string // ids of the images that are there
	assets   map[engine.StepID]*asset.File
	records  map[engine.StepID]*record
	starts   map[string]graph.End // of matrices that are conditional
	over     map[string]bool      // matrices of which all trials have ended
	gates    map[string]engine.GateResult
	why      map[string]string // a matrix did not start
	agents   versions
}

// A record is what is known of a run or check step.
type record struct {
	attempt *engine.Attempt // the last one that is stored
	made    *engine.Attempt // by a try whose end has not been told, stored or not
	grade   *engine.Grade
	outcome engine.Outcome // of the last try; zero if there is something to go on with
	began   time.Time      // of the last try
	try     int
	retried bool // its end has been told, and the next try has not begun
	end     graph.End
	over    bool // end is how it ended
}

func newRunner(plan *engine.Plan, o Options) *runner {
	r := &runner{
		Options: o, plan: plan, results: make([]engine.Result, len(plan.Trials)), kept: make([]kept, len(plan.Trials)),
		position: make(map[*engine.Trial]int, len(plan.Trials)), steps: make(map[string]engine.Step, len(plan.Steps)), conditional: map[string]bool{},
		images: map[engine.StepID]string{}, assets: map[engine.StepID]*asset.File{}, records: make(map[engine.StepID]*record, len(plan.Steps)),
		starts: map[string]graph.End{}, over: map[string]bool{}, gates: map[string]engine.GateResult{}, why: map[string]string{},
	}
	for _, s := range plan.Steps {
		r.steps[string(s.StepID())] = s
		r.records[s.StepID()] = &record{}
	}
	for _, m := range plan.Suite.Matrices {
		r.conditional[m.Name] = isConditional(m)
	}
	for i, t := range plan.Trials {
		r.position[t] = i
		r.results[i] = engine.Result{Trial: t}
	}
	return r
}

// work does one vertex. A bug in it ends its trials as errored(engine), and
// nothing else.
func (r *runner) work(ctx context.Context, s graph.Start) (report graph.Report) {
	step := r.steps[s.ID]
	defer func() {
		if p := recover(); p != nil {
			report = r.note(s.ID, engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonEngine, Detail: fmt.Sprintf("bug in bench, please report: %v\n%s", p, debug.Stack())})
		}
	}()
	if step != nil {
		r.begin(step, s.Try)
	}
	switch step := step.(type) {
	case *engine.ImageStep:
		return r.image(ctx, step)
	case *engine.AssetStep:
		return r.asset(ctx, step)
	case *engine.LintStep:
		return r.lint(ctx, step)
	case *engine.RunStep:
		return r.run(ctx, step, s.Devices[resourceGPU])
	case *engine.CheckStep:
		return r.check(ctx, step, s.Devices[resourceGPU])
	case nil:
		return r.doControl(s.ID)
	}
	panic(fmt.Sprintf("apply: unknown step %T", step))
}

// note records how a try of a step ended, and makes the report of it.
func (r *runner) note(id string, o engine.Outcome) graph.Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.records[engine.StepID(id)]; rec != nil {
		rec.outcome = o
	}
	report := graph.Report{Class: string(o.Reason), Reason: string(o.Reason)}
	switch o.Status {
	case engine.StatusInvalid, engine.StatusPassed:
		report.Status = graph.Done
	case engine.StatusFailed:
		report.Status = graph.Failed
	case engine.StatusErrored:
		report.Status = graph.Errored
	case engine.StatusCancelled, engine.StatusSkipped:
		report.Status = graph.Cancelled
	}
	return report
}

func (r *runner) observe(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tell(e)
}

// tell is observe for who holds the lock.
func (r *runner) tell(e Event) {
	if r.Observe != nil {
		r.Observe(e)
	}
}

// failure turns an error of the world into an outcome.
func failure(ctx context.Context, err error) engine.Outcome {
	if ctx.Err() != nil {
		return stopped(ctx)
	}
	o := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonSandbox, Detail: err.Error()}
	if errors.As(err, new(*providerError)) {
		o.Reason = engine.ReasonProvider
	}
	for _, host := range []error{sandbox.ErrUnavailable, sandbox.ErrNoMemory, syscall.ENOSPC, syscall.EROFS, syscall.EDQUOT, digest.ErrChanged, asset.ErrDamaged, fs.ErrNotExist} {
		if errors.Is(err, host) {
			o.Reason = engine.ReasonHost
		}
	}
	return o
}

// stopped is the outcome of what ran when its context ended.
func stopped(ctx context.Context) engine.Outcome {
	reason := engine.ReasonSignal
	var why *graph.Stopped
	if errors.As(context.Cause(ctx), &why) {
		reason = engine.Reason(why.Reason)
	}
	return engine.Outcome{Status: engine.StatusCancelled, Reason: reason, Detail: sentences[reason].stopped}
}
