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
	Assets      []*Asset // sorted by name
	Snapshot    Snapshot
	Artifacts   []string // globs of sandbox paths that are kept after the run
	Limits      Limits
	Files       []string // benchfiles that decided what it says, sorted
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

// An Asset is data that a case needs beside its workspace. It is put into the
// sandbox, and cannot be written there.
type Asset struct {
	Name    string
	URL     string  // empty if there is nothing but the stand-in
	SHA256  Digest  // of what lies there
	Target  string  // absolute path in the sandbox, not in "/" itself
	Fixture *Script // makes the small stand-in; nil if there is none
	Pos     Pos
}

// Variant says with which of its assets a case is tried. Results of one variant
// say nothing about the other. The zero value is that of a case without assets.
type Variant string

// The variants.
const (
	VariantFull Variant = "full" // with what lies at the addresses
	VariantMini Variant = "mini" // with a stand-in for at least one of them
)

// VariantOf is what is used of an asset where a variant is wanted: what it has,
// if it has only one.
func (a *Asset) VariantOf(wanted Variant) Variant {
	if a.URL == "" || wanted == VariantMini && a.Fixture != nil {
		return VariantMini
	}
	return VariantFull
}

// Snapshot says what of an agent's sandbox is carried to the one that grades.
type Snapshot string

// The snapshots. The second is the weaker seal, for cases in which an agent must
// install packages.
const (
	SnapshotWorkspace  Snapshot = "workspace"
	SnapshotFilesystem Snapshot = "filesystem"
)

// An Agent is what is measured: either a command that runs in the sandbox of a
// case, or one of the built-in ones.
type Agent struct {
	Name       string
	Builtin    Builtin
	NeedsModel bool
	API        API // that it speaks to its model

	// Aliases are names of models that the agent uses, each with the id by which
	// the provider of the trial's model knows what is meant. They and OtherModels
	// matter only where the agent itself asks.
	Aliases     map[string]string
	OtherModels OtherModels

	Layer     *Build   // laid over the image of the case; nil if it needs none
	Install   bool     // Layer is a script named install, and not a Dockerfile
	Version   []string // prints its version; nil if it has none
	Artifacts []string // globs of sandbox paths that are kept after the run
	Limits    Limits

	// Answer is what an oracle runs in the place of a case's solution; nil for
	// that solution. A case is certified by answers that have to fail.
	Answer *Script

	// Bind gives the command and environment for one trial. It is pure: equal
	// values give equal invocations. Nil for built-in agents.
	Bind func(TrialValues) (Invocation, error)

	Pos Pos
}

// OtherModels says what becomes of a request for a model that is neither the
// trial's nor an alias.
type OtherModels string

// What becomes of it.
const (
	OtherModelsRewrite OtherModels = "rewrite" // the model of the trial answers
	OtherModelsDeny    OtherModels = "deny"    // it is refused
	OtherModelsAllow   OtherModels = "allow"   // the provider is asked as the agent has written it
)

// Builtin names an agent that needs no command.
type Builtin string

// The built-in agents: a floor and a ceiling for every suite.
const (
	BuiltinNone   Builtin = ""       // the agent has a command
	BuiltinNoop   Builtin = "noop"   // does nothing; should fail every case
	BuiltinOracle Builtin = "oracle" // runs the case's solution; should pass every case
	BuiltinReplay Builtin = "replay" // applies the snapshot that is stored under the same trial id
	BuiltinReact  Builtin = "react"  // reason, act, observe, in a loop
)

// Builtins lists the built-in agents.
var Builtins = []Builtin{BuiltinNoop, BuiltinOracle, BuiltinReact, BuiltinReplay}

// PromptFile is where the prompt lies in every sandbox.
const PromptFile = "/bench/prompt.md"

// An Invocation is how an agent is started: a list of words, never a shell line.
type Invocation struct {
	Command []string          `json:"command"`
	Env     map[string]string `json:"env,omitempty"`

	// Sensitive names what must never be shown or stored: "command", or names
	// of environment variables; sorted.
	Sensitive []string `json:"-"`
}

// TrialValues is what a benchfile may know of a trial, as trial.NAME.
type TrialValues struct {
	Case       string
	Agent      string
	Model      *Model // nil if the agent uses none
	Axes       []AxisPoint
	N          int
	Seed       uint64
	Prompt     string
	PromptFile string  // path in the sandbox
	Workspace  string  // path in the sandbox
	Gateway    Gateway // known only while the trial runs
}

// A Gateway is where an agent finds its model.
type Gateway struct{ URL, Token string }

// PlannedGateway stands for the gateway of a trial until it runs. Keys are made
// with it, since the real one is another each time.
var PlannedGateway = Gateway{URL: "http://gateway.invalid", Token: "token"}
