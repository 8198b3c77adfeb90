// Package engine holds the words of bench: what a suite declares, what a plan
// will do, what a trial gave. It names, validates and adds up; it does nothing.
//
// The way of the data is one line, and each word of it is a type here:
//
//	benchfiles ──lang──► Suite ──plan──► Plan ──apply──► []Result ──► Run ──► reporters
//
// A [Suite] declares cases, agents and matrices. A [Matrix] crosses them, and
// every cell of it is given to its agent one or more times; one such time is a
// [Trial], named by a [TrialID]:
//
//	id := engine.TrialID{Matrix: "smoke", Case: "debugging/nan_loss", Agent: "oracle", N: 1}
//	fmt.Println(id) // smoke/debugging/nan_loss@oracle#1
//
// A [Plan] is the whole work as a graph of [Step] values: images are built, assets
// are fetched, a run step lets the agent work and keeps a snapshot of what it
// left, a check step grades that snapshot where the agent cannot reach. Steps have
// keys, and equal keys are equal work: what is stored under a key is not done
// again.
//
// An [Attempt] is what a run step gave, a [Grade] what a check step gave; the two
// together make the [Result] of a trial with exactly one [Outcome]. Only passed
// and failed count in a pass rate: errored means that bench or the world is at
// fault, and says nothing of the agent.
//
// All types are plain values. Whoever makes one owns it until it is handed on;
// nobody changes it after that.
package engine

import "time"

// Pos is a place in a benchfile. The zero Pos is "nowhere in particular".
type Pos struct {
	File   string `json:"file"` // relative to the project root, with slashes
	Line   int    `json:"line"` // counts from 1
	Column int    `json:"column"`
	Byte   int    `json:"byte"` // offset in the file
	End    Point  `json:"-"`    // just after the last character; zero if it is not known
}

// Range is the place as a diagnostic shows it.
func (p Pos) Range() Range {
	at := Point{Line: p.Line, Column: p.Column, Byte: p.Byte}
	r := Range{File: p.File, Start: at, End: at}
	if p.End.Byte > at.Byte {
		r.End = p.End
	}
	return r
}

// Version names the build of bench that made a result.
type Version struct {
	Bench  string `json:"bench"`            // "0.1.0"
	Commit string `json:"commit,omitempty"` // of the build, if known
}

// Origin says where something was made: on what machine, and from what sources.
// What is not known is empty.
type Origin struct {
	Host   string `json:"host,omitempty"`   // name of the machine that bench ran on
	OS     string `json:"os,omitempty"`     // of that machine: "linux/amd64"
	Engine string `json:"engine,omitempty"` // of the sandboxes, with its version: "docker 20.10.24"
	Commit string `json:"commit,omitempty"` // of git, that the root of the project was at
	Dirty  *bool  `json:"dirty,omitempty"`  // files of the project differed from the commit; nil if it is not known
	Agent  string `json:"agent,omitempty"`  // version of the agent, as it says itself

	// Weakness is what makes it less trustworthy than it could be, in words; empty
	// if nothing is known to.
	Weakness string `json:"weakness,omitempty"`
}

// A Run is a plan with what came of it: the only thing that reporters get.
type Run struct {
	Plan    *Plan
	Results []Result        // exactly one for each trial of the plan, in its order
	Gates   []GateResult    // one for each gate of the suite, in its order
	Images  []ImageFindings // of the images that were looked at and of which there is something to say, sorted
	Version Version
	Origin  Origin
	Began   time.Time // UTC
	Ended   time.Time // UTC
	Exit    Exit
}

// Exit is how bench itself ended: the code, and one sentence why.
type Exit struct {
	Code   int    `json:"code"`
	Reason string `json:"reason"`
}
