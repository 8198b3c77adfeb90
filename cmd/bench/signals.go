package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/pprof"
	"syscall"
)

// The signals that bench follows while it runs something. SIGTSTP and SIGCONT
// are not among them: what they do by themselves is right, since bench keeps no
// terminal in a mode of its own, and its clocks count the pause.
// What is ignored from the start stays so: nohup and the background jobs of
// shells mean it.
var stopSignals = []os.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT}

// A signalError is the cause of a context that a signal has ended.
type signalError struct{ signal syscall.Signal }

func (e signalError) Error() string { return "stopped by " + e.signal.String() }

// signalOf is the signal that ended a context, or 0. It is SIGTERM for SIGHUP, as
// everything else is: the terminal that could tell the two apart has gone.
func signalOf(ctx context.Context) int {
	var s signalError
	if errors.As(context.Cause(ctx), &s) {
		return int(s.signal)
	}
	return 0
}

// Stages follow the signals from a wish to an order. The first SIGINT, SIGTERM or
// SIGHUP ends ctx: nothing new starts, agents have their grace, and the reports
// are written. The second closes kill: sandboxes are killed, and the reports are
// left out. The third ends bench at once, and the sandboxes go with it. SIGQUIT
// counts as the second, even if it is the first, and tells what bench is doing.
type stages struct {
	ctx  context.Context
	kill chan struct{}
	over chan struct{} // closed by stop
	stop func()        // follow no more; ends ctx, and leaves kill as it is
}

// watchSignals follows signals until stop. What bench is doing at a SIGQUIT is
// written to log, or to standard error if that is nil.
func (a *app) watchSignals(parent context.Context, log io.Writer) *stages {
	if log == nil {
		log = a.stderr
	}
	signals := make(chan os.Signal, len(stopSignals))
	for _, s := range stopSignals {
		if !signal.Ignored(s) {
			signal.Notify(signals, s)
		}
	}
	f := &follower{signals: signals, talk: a.stderr, log: log, exit: os.Exit}
	s := f.start(parent)
	stop := s.stop
	s.stop = func() {
		signal.Stop(signals)
		stop()
	}
	return s
}

// A follower takes bench from stage to stage.
type follower struct {
	signals   <-chan os.Signal
	talk, log io.Writer
	exit      func(code int) // does not return, outside of tests
}

func (f *follower) start(parent context.Context) *stages {
	ctx, cancel := context.WithCancelCause(parent)
	s := &stages{ctx: ctx, kill: make(chan struct{}), over: make(chan struct{})}
	ended := make(chan struct{})
	s.stop = func() {
		close(s.over)
		<-ended // what is being said is said
		cancel(nil)
	}
	go func() {
		defer close(ended)
		for stage := 0; ; {
			select {
			case <-s.over:
				return
			case next := <-f.signals:
				stage = f.enter(s, cancel, stage, next.(syscall.Signal))
			}
		}
	}()
	return s
}

// enter is what a signal does after stage others. It acts before it talks: a
// terminal that is stopped must not keep bench from stopping.
func (f *follower) enter(s *stages, cancel context.CancelCauseFunc, stage int, got syscall.Signal) int {
	stage++
	if got == syscall.SIGHUP {
		got = syscall.SIGTERM
	}
	if got == syscall.SIGQUIT {
		_ = pprof.Lookup("goroutine").WriteTo(f.log, 2) // a log that cannot be written changes nothing
		stage = max(stage, 2)
	}
	switch stage {
	case 1:
		cancel(signalError{got})
		fmt.Fprintln(f.talk, "Stopping; results so far will be written. Again to kill.")
	case 2:
		cancel(signalError{got}) // the cause stays that of the first, if there was one
		close(s.kill)
		fmt.Fprintln(f.talk, "Killing; results so far are stored, reports are left out. Again to leave at once.")
	default:
		f.exit(exitSignal + int(got))
	}
	return stage
}

// killed reports whether the second stage has been reached.
func (s *stages) killed() bool {
	select {
	case <-s.kill:
		return true
	default:
		return false
	}
}
