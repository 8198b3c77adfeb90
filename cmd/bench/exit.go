package main

import (
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Exit statuses. Each has one meaning, the same in every command.
const (
	exitDone       = 0
	exitBroken     = 1 // bench itself could not work: no Docker, disk full, a bug
	exitUsage      = 2 // a mistake in the command or the benchfile; nothing ran
	exitFailed     = 3 // trials failed, and --fail-on failed was given
	exitIncomplete = 4 // some trials came to no verdict
	exitDiffers    = 5 // fmt --check found something
	exitSignal     = 128
)

// An exitError ends a command with a status. Without a message, everything that
// there is to say has been said.
type exitError struct {
	code    int
	message string
}

func (e *exitError) Error() string { return fmt.Sprintf("exit status %d: %s", e.code, e.message) }

func cannot(err error) error { return &exitError{exitBroken, err.Error()} }

// exitOf says how apply ends: the first that holds of interrupted, broken,
// failed (if asked for), incomplete, done.
func exitOf(results []engine.Result, signal int, failOn string) engine.Exit {
	s := reporters.Summarize(results)
	bugs := 0
	for _, r := range results {
		if r.Outcome.Reason == engine.ReasonEngine {
			bugs++
		}
	}
	switch {
	case signal != 0:
		return engine.Exit{Code: exitSignal + signal, Reason: "Stopped by a signal; what had ended is stored, and the next apply goes on from there."}
	case bugs > 0:
		return engine.Exit{Code: exitBroken, Reason: plural(bugs, "trial") + " ran into a bug of bench."}
	case s.Failed > 0 && failOn == "failed":
		return engine.Exit{Code: exitFailed, Reason: plural(s.Failed, "trial") + " failed, and --fail-on failed was given."}
	case !s.Complete():
		return engine.Exit{Code: exitIncomplete, Reason: fmt.Sprintf("Incomplete: %d of %s came to no verdict. The next apply tries again.", s.Trials-s.Passed-s.Failed, plural(s.Trials, "trial"))}
	case s.Failed > 0:
		return engine.Exit{Code: exitDone, Reason: "Every trial came to a verdict. Failed trials do not change the exit status; --fail-on failed makes it 3."}
	}
	return engine.Exit{Code: exitDone, Reason: "Every trial came to a verdict."}
}
