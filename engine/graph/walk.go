package graph

import (
	"context"
	"time"
)

// Hooks are what a walk calls. Do is called in a goroutine for each try; the
// others by the walk itself, one at a time, and may be nil.
type Hooks struct {
	// Do does the work of a vertex. Its context ends when the vertex is
	// cancelled, with a *Stopped as its cause; the work ends soon after that.
	Do func(ctx context.Context, s Start) Report
	// Again is told that a vertex has errored and will be tried again.
	Again func(Again)
	// Ended is told how a vertex ended, before anything starts that waits for it.
	Ended func(End)
}

// Stopped is why the context of a vertex ended.
type Stopped struct{ Reason string }

func (s *Stopped) Error() string { return "stopped: " + s.Reason }

// ReasonSignal is the reason of all that a walk whose context has ended does not
// do any more.
const ReasonSignal = "signal"

// Walk runs a graph to its end. When ctx ends, everything is closed and what
// runs is cancelled; Walk returns when all that was started has ended.
func Walk(ctx context.Context, g *Graph, hooks Hooks) {
	w := &walk{g: g, hooks: hooks, base: context.WithoutCancel(ctx), began: time.Now(), reports: make(chan report), cancel: map[string]context.CancelCauseFunc{}}
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	stop := ctx.Done()
	for {
		for _, a := range g.Next(w.now()) {
			w.act(a)
		}
		if g.Over() {
			return
		}
		var wake <-chan time.Time
		if at, ok := g.Wake(); ok {
			timer.Reset(max(0, at-w.now()))
			wake = timer.C
		} else if g.Running() == 0 {
			panic("graph: nothing runs, and nothing can start")
		}
		select {
		case <-stop:
			stop = nil
			g.Close(All, ReasonSignal, true)
		case r := <-w.reports:
			w.cancel[r.id](nil)
			delete(w.cancel, r.id)
			g.Finish(r.id, r.Report, w.now())
		case <-wake:
		}
	}
}

type report struct {
	id string
	Report
}

type walk struct {
	g       *Graph
	hooks   Hooks
	base    context.Context
	began   time.Time
	reports chan report
	cancel  map[string]context.CancelCauseFunc
}

func (w *walk) now() time.Duration { return time.Since(w.began) }

func (w *walk) act(a Action) {
	switch a := a.(type) {
	case Start:
		ctx, cancel := context.WithCancelCause(w.base)
		w.cancel[a.ID] = cancel
		go func() { w.reports <- report{a.ID, w.hooks.Do(ctx, a)} }()
	case Cancel:
		if cancel := w.cancel[a.ID]; cancel != nil {
			cancel(&Stopped{a.Reason})
		}
	case Again:
		if w.hooks.Again != nil {
			w.hooks.Again(a)
		}
	case End:
		if w.hooks.Ended != nil {
			w.hooks.Ended(a)
		}
	default:
		panic("graph: unknown action")
	}
}
