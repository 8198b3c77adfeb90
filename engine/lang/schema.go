package lang

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
)

// A spec says what a block may hold. The decoder is as strict as it, and reads
// nothing that is not in it.
type spec struct {
	kind   string
	label  bool
	attrs  []attr
	blocks []*spec // nested ones
}

// An attr is an argument of a block.
type attr struct {
	name     string
	kind     kind
	required bool
}

// kind is the type of an argument, in the words of the language reference.
type kind string

const (
	kString   kind = "string"
	kNumber   kind = "number"
	kBool     kind = "bool"
	kDuration kind = "duration"
	kSize     kind = "size"
	kPath     kind = "path"
	kPaths    kind = "path or list of paths"
	kStrings  kind = "list of strings"
	kMap      kind = "map of strings"
	kCommand  kind = "command"
	kRef      kind = "reference"
	kRefs     kind = "list of references"
	kCases    kind = "list of globs or references"
	kAny      kind = "any"
)

var limitsSpec = &spec{kind: "limits", attrs: []attr{{name: "wall_clock", kind: kDuration}}}

var scriptAttrs = []attr{{name: "command", kind: kCommand, required: true}, {name: "files", kind: kPaths}}

var suiteSpec = &spec{kind: "suite", label: true, attrs: []attr{
	{name: "description", kind: kString},
	{name: "required_version", kind: kString},
	{name: "imports", kind: kStrings},
	{name: "parallel", kind: kNumber},
	{name: "seed", kind: kNumber},
	{name: "results_dir", kind: kPath},
}}

var variableSpec = &spec{kind: "variable", label: true, attrs: []attr{
	{name: "type", kind: kAny},
	{name: "default", kind: kAny},
	{name: "description", kind: kString},
}}

var sandboxSpec = &spec{kind: "sandbox", label: true, attrs: []attr{
	{name: "image", kind: kString},
	{name: "cpus", kind: kNumber},
	{name: "memory", kind: kSize},
	{name: "pids", kind: kNumber},
	{name: "network", kind: kString},
	{name: "env", kind: kMap},
	{name: "user", kind: kString},
	{name: "workdir", kind: kString},
}, blocks: []*spec{
	{kind: "build", attrs: []attr{
		{name: "context", kind: kPath, required: true},
		{name: "dockerfile", kind: kString},
		{name: "args", kind: kMap},
		{name: "target", kind: kString},
	}},
	{kind: "timeouts", attrs: []attr{
		{name: "pull", kind: kDuration},
		{name: "build", kind: kDuration},
		{name: "start", kind: kDuration},
		{name: "setup", kind: kDuration},
		{name: "stop", kind: kDuration},
	}},
}}

var caseSpec = &spec{kind: "case", label: true, attrs: []attr{
	{name: "description", kind: kString},
	{name: "tags", kind: kStrings},
	{name: "prompt", kind: kString, required: true},
	{name: "sandbox", kind: kRef, required: true},
	{name: "workspace", kind: kPath},
	{name: "protect", kind: kStrings},
}, blocks: []*spec{
	{kind: "setup", attrs: scriptAttrs},
	{kind: "check", label: true, attrs: append(slices.Clone(scriptAttrs),
		attr{name: "timeout", kind: kDuration},
		attr{name: "weight", kind: kNumber},
		attr{name: "env", kind: kMap},
	)},
	{kind: "solution", attrs: scriptAttrs},
	limitsSpec,
}}

// caseFileSpec is the body of a case as a file of its own.
var caseFileSpec = &spec{
	kind:   "case file",
	attrs:  append(slices.Clone(caseSpec.attrs), attr{name: "imports", kind: kStrings}),
	blocks: append(slices.Clone(caseSpec.blocks), sandboxSpec),
}

var agentSpec = &spec{kind: "agent", label: true, attrs: []attr{
	{name: "command", kind: kCommand},
	{name: "builtin", kind: kString},
	{name: "env", kind: kMap},
	{name: "needs_model", kind: kBool},
}, blocks: []*spec{limitsSpec}}

var matrixSpec = &spec{kind: "matrix", label: true, attrs: []attr{
	{name: "cases", kind: kCases, required: true},
	{name: "tags", kind: kStrings},
	{name: "agents", kind: kRefs, required: true},
	{name: "trials", kind: kNumber},
	{name: "parallel", kind: kNumber},
}, blocks: []*spec{
	limitsSpec,
	{kind: "exclude", attrs: []attr{{name: "case", kind: kCases}, {name: "agent", kind: kRef}}},
	{kind: "include", attrs: []attr{
		{name: "cases", kind: kCases, required: true},
		{name: "agents", kind: kRefs, required: true},
		{name: "trials", kind: kNumber},
	}},
}}

var reportSpec = &spec{kind: "report", label: true, attrs: []attr{
	{name: "path", kind: kPath, required: true},
	{name: "matrices", kind: kRefs},
	{name: "rows", kind: kStrings},
}}

var localsSpec = &spec{kind: "locals"}

// topLevel lists the blocks of a benchfile, in the order in which people read them.
var topLevel = []*spec{suiteSpec, variableSpec, localsSpec, sandboxSpec, caseSpec, agentSpec, matrixSpec, reportSpec}

// reserved answers words that people try, with what bench says instead.
var reserved = map[string]string{
	"job":       "Trials come from a `matrix`.",
	"step":      "Trials come from a `matrix`.",
	"steps":     "Trials come from a `matrix`.",
	"task":      "A task is a `case`.",
	"module":    "Share blocks by `imports` in the suite block.",
	"import":    "Share blocks by `imports` in the suite block.",
	"runs":      "Repetition is `trials` in a matrix.",
	"resource":  "What runs is declared by `case`, `agent` and `matrix`.",
	"data":      "What runs is declared by `case`, `agent` and `matrix`.",
	"output":    "Results go where a `report` block says.",
	"dynamic":   "Cells are multiplied by a `matrix`.",
	"for_each":  "Cells are multiplied by a `matrix`.",
	"count":     "Cells are multiplied by a `matrix`.",
	"container": "A place to run in is a `sandbox`.",
}

func (s *spec) attr(name string) attr {
	for _, a := range s.attrs {
		if a.name == name {
			return a
		}
	}
	panic("lang: " + s.kind + " has no argument " + name)
}

func (s *spec) schema() *hcl.BodySchema {
	out := &hcl.BodySchema{}
	for _, a := range s.attrs {
		out.Attributes = append(out.Attributes, hcl.AttributeSchema{Name: a.name, Required: a.required})
	}
	for _, b := range s.blocks {
		h := hcl.BlockHeaderSchema{Type: b.kind}
		if b.label {
			h.LabelNames = []string{"name"}
		}
		out.Blocks = append(out.Blocks, h)
	}
	return out
}
