package main

import (
	"fmt"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// Exit statuses. Each has one meaning, the same in every command.
const (
	exitDone       = 0
	exitBroken     = 1 // bench itself could not work: no Docker, disk full, a bug
	exitUsage      = 2 // a mistake in the command or the benchfile; nothing ran
	exitFailed     = 3 // a gate failed; or a trial, and --fail-on failed was given
	exitIncomplete = 4 // a gate could not decide, or a trial came to no verdict
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
// failed, incomplete, done. Failed is a gate of severity error, or with --fail-on
// failed a trial. Incomplete is such a gate that cannot decide, a suite whose wall
// clock ran out (deadline), or a trial without a verdict that nothing excuses.
func exitOf(results []engine.Result, gates []engine.GateResult, signal int, deadline bool, failOn string) engine.Exit {
	s := reporters.Summarize(results)
	failed := ofError(gates, engine.GateFailed)
	unsure := ofError(gates, engine.GateInconclusive)
	bugs, missing := bugsOf(results), unexcused(results, gates)
	switch {
	case signal != 0:
		return engine.Exit{Code: exitSignal + signal, Reason: "Stopped by a signal; what had ended is stored, and the next apply goes on from there."}
	case bugs > 0:
		return engine.Exit{Code: exitBroken, Reason: plural(bugs, "trial") + " ran into a bug of bench."}
	case len(failed) > 0:
		return engine.Exit{Code: exitFailed, Reason: gateNames(failed) + " failed."}
	case s.Failed > 0 && failOn == "failed":
		return engine.Exit{Code: exitFailed, Reason: plural(s.Failed, "trial") + " failed, and --fail-on failed was given."}
	case deadline:
		return engine.Exit{Code: exitIncomplete, Reason: "Incomplete: the wall clock of the suite's budget ran out. The next apply goes on from there."}
	case len(unsure) == 1:
		return engine.Exit{Code: exitIncomplete, Reason: gateNames(unsure) + " is inconclusive."}
	case len(unsure) > 1:
		return engine.Exit{Code: exitIncomplete, Reason: gateNames(unsure) + " are inconclusive."}
	case missing > 0:
		return engine.Exit{Code: exitIncomplete, Reason: fmt.Sprintf("Incomplete: %d of %s came to no verdict. The next apply tries again.", missing, plural(s.Trials, "trial"))}
	}
	return engine.Exit{Code: exitDone, Reason: done(&s, gates)}
}

// done says what an exit status of zero means.
func done(s *reporters.Summary, gates []engine.GateResult) string {
	out := "Every trial came to a verdict"
	if !s.Complete() {
		out = fmt.Sprintf("%d of %s came to no verdict, which the suite allows", s.Trials-s.Passed-s.Failed, plural(s.Trials, "trial"))
	}
	passed, warned := 0, []string(nil)
	for _, g := range gates {
		switch g.Judgement {
		case engine.GatePassed:
			passed++
		case engine.GateFailed, engine.GateInconclusive:
			warned = append(warned, g.Gate.Name)
		}
	}
	switch {
	case len(warned) > 0:
		return fmt.Sprintf("%s. %s did not pass, which is only a warning.", out, gateNames(warned))
	case passed > 0:
		return out + ", and every gate passed."
	case s.Failed > 0:
		return out + ". Failed trials do not change the exit status; --fail-on failed makes it 3."
	}
	return out + "."
}

// ofError names the gates of severity error that ended in a way.
func ofError(gates []engine.GateResult, how engine.Judgement) (names []string) {
	for _, g := range gates {
		if g.Judgement == how && g.Gate.Severity == engine.SeverityError {
			names = append(names, g.Gate.Name)
		}
	}
	return names
}

// gateNames is the beginning of a sentence about gates.
func gateNames(names []string) string {
	if len(names) == 1 {
		return "Gate " + names[0]
	}
	last := len(names) - 1
	return "Gates " + strings.Join(names[:last], ", ") + " and " + names[last]
}

func bugsOf(results []engine.Result) (n int) {
	for _, r := range results {
		if r.Outcome.Reason == engine.ReasonEngine {
			n++
		}
	}
	return n
}

// unexcused counts the trials without a verdict that nobody has reckoned with: a
// gate with allow_incomplete excuses those of the matrices that it reads, and the
// if of a matrix those that it leaves out.
func unexcused(results []engine.Result, gates []engine.GateResult) (n int) {
	excused := map[string]bool{}
	for _, g := range gates {
		if g.Gate.AllowIncomplete && g.Judgement != engine.GateSkipped {
			for _, m := range g.Gate.Condition.Matrices {
				excused[m] = true
			}
		}
	}
	for _, r := range results {
		if !r.Outcome.Verdict() && !excused[r.Trial.ID.Matrix] && r.Outcome.Reason != engine.ReasonCondition {
			n++
		}
	}
	return n
}
