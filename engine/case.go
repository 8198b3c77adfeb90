package engine

import (
	"strings"
	"time"
)

// A Case is one task: a prompt, a workspace, and checks that the agent never sees.
type Case struct {
	Name        string // "debugging/nan_loss_debug"
	Dir         string // relative to the root; empty for a case written in a benchfile
	Description string
	Prompt      string
	Tags        []string // sorted
	Sandbox     *Sandbox
	Workspace   *Tree   // nil: the agent starts in an empty directory
	Setup       *Script // nil if there is nothing to prepare
	Checks      []*Check
	Protect     []string // globs of workspace files that are restored before checking
	Solution    *Script  // nil if the case has none; then no oracle can pass it
	Limits      Limits
	Pos         Pos
}

// Category is the first part of the name of a case that lies in a group, else "".
func (c *Case) Category() string {
	group, _, ok := strings.Cut(c.Name, "/")
	if !ok {
		return ""
	}
	return group
}

// A Script is a command together with the files that it needs.
type Script struct {
	Command []string
	Files   *Tree // nil if it needs none
}

// A Check decides whether a trial passed. Its files are hidden: they exist only
// in the sandbox in which it runs.
type Check struct {
	Name    string
	Script  Script
	Timeout time.Duration
	Weight  float64 // in the score of the trial, above 0
	Env     map[string]string
}

// An Agent is what is measured: either a command that runs in the sandbox of a
// case, or one of the built-in ones.
type Agent struct {
	Name       string
	Builtin    Builtin
	NeedsModel bool
	Limits     Limits

	// Bind gives the command and environment for one trial. It is pure: equal
	// values give equal invocations. Nil for built-in agents.
	Bind func(TrialValues) (Invocation, error)

	Pos Pos
}

// Builtin names an agent that needs no command.
type Builtin string

// The built-in agents: a floor and a ceiling for every suite.
const (
	BuiltinNone   Builtin = ""       // the agent has a command
	BuiltinNoop   Builtin = "noop"   // does nothing; should fail every case
	BuiltinOracle Builtin = "oracle" // runs the case's solution; should pass every case
)

// PromptFile is where the prompt lies in every sandbox.
const PromptFile = "/bench/prompt.md"

// An Invocation is how an agent is started: a list of words, never a shell line.
type Invocation struct {
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`
}

// TrialValues is what a benchfile may know of a trial, as trial.NAME.
type TrialValues struct {
	Case       string
	Agent      string
	N          int
	Seed       uint64
	Prompt     string
	PromptFile string // path in the sandbox
	Workspace  string // path in the sandbox
}
