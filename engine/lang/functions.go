package lang

import (
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// A funcDef is a function that expressions can call. It is pure: it gives the
// same for the same arguments, and for the same files of the project. What
// changes between plan and apply (a clock, a random number, the environment) is
// not among the functions, and never will be; see absent.
type funcDef struct {
	name     string
	category string // a heading of the language reference
	params   string // as a signature shows them
	result   string // its type, in words
	doc      string // one sentence
	example  string
	gives    string // what the example gives, as it would be written
	impl     function.Function
	files    func(l *loader, file string) function.Function // for those that read the project, instead of impl
	cost     func(args []cty.Value) int64                   // what a call costs beyond its arguments and its result; nil for nothing
}

// functionNames lists what can be called, sorted.
func functionNames() []string {
	var names []string
	for _, d := range functionTable {
		names = append(names, d.name)
	}
	slices.Sort(names)
	return names
}

// functions are all that can be called in an expression of the given file.
func (l *loader) functions(file string) map[string]function.Function {
	if l.calls == nil {
		l.calls = map[string]function.Function{}
		for _, d := range functionTable {
			if d.files == nil {
				l.calls[d.name] = l.meter.guard(d.impl, d.cost)
			}
		}
	}
	out := maps.Clone(l.calls)
	for _, d := range functionTable {
		if d.files != nil {
			out[d.name] = l.meter.guard(d.files(l, file), nil)
		}
	}
	return out
}

// guard makes a function pay before it runs, and lets no mark vanish: what was
// made from a sensitive value is sensitive, even where only its length is left.
func (m *meter) guard(f function.Function, cost func([]cty.Value) int64) function.Function {
	open := func(p function.Parameter) function.Parameter {
		return function.Parameter{Name: p.Name, Type: p.Type, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true}
	}
	spec := &function.Spec{Type: function.StaticReturnType(cty.DynamicPseudoType)} // f itself checks types
	for _, p := range f.Params() {
		spec.Params = append(spec.Params, open(p))
	}
	if p := f.VarParam(); p != nil {
		rest := open(*p)
		spec.VarParam = &rest
	}
	spec.Impl = func(args []cty.Value, _ cty.Type) (cty.Value, error) {
		if cost != nil && !m.charge(cost(bareArgs(args))) {
			return cty.NilVal, errTooLarge
		}
		v, err := f.Call(args)
		if err != nil || v.ContainsMarked() {
			return v, err
		}
		return v.WithMarks(marksOf(args)), nil
	}
	return function.New(spec)
}

// bareArgs are arguments without marks, for looking at their sizes.
func bareArgs(args []cty.Value) []cty.Value {
	out := make([]cty.Value, len(args))
	for i, a := range args {
		out[i], _ = a.UnmarkDeep()
	}
	return out
}

func marksOf(args []cty.Value) cty.ValueMarks {
	out := cty.ValueMarks{}
	for _, a := range args {
		if !a.Type().IsCapsuleType() {
			_, marks := a.UnmarkDeep()
			maps.Copy(out, marks)
		}
	}
	return out
}

// absent answers names of functions that people expect, and that are missing on
// purpose.
var absent = map[string]string{
	"timestamp":      absentClock,
	"now":            absentClock,
	"formatdate":     "It is of use only with a clock, and none can be read: a plan must mean the same tomorrow. Write the text itself, or give it as a variable.",
	"uuid":           absentRandom,
	"random":         absentRandom,
	"env":            absentEnv,
	"getenv":         absentEnv,
	"exec":           "An expression never runs a program: reading a benchfile must be safe. Write what it prints to a file and read that with file, or give it as a variable.",
	"templatefile":   "There is one way to fill in a text: a string with ${...}, or between <<EOT and EOT. Read a text as it is with file.",
	"templatestring": "There is one way to fill in a text: a string with ${...}, or between <<EOT and EOT.",
	"pathexpand":     "Paths never leave the project root, so no home directory can be meant. Write the path from the root, or beside this file as \"./...\".",
	"abspath":        "Paths never leave the project root, so that a suite means the same on every machine. Write the path from the root, or beside this file as \"./...\".",
	"sensitive":      "What is sensitive is said where it comes in: by sensitive = true in its variable block.",
	"nonsensitive":   "A value that is sensitive stays so. Leave out sensitive = true in its variable block if it may be shown.",
}

const (
	absentClock  = "A plan must mean the same tomorrow, so no clock can be read. When a run took place is in its results; give a date as a variable."
	absentRandom = "A plan must be the same each time it is made, so nothing is random. Every trial has a number of its own in trial.seed."
	absentEnv    = "The environment is another one on every machine, so it is not read. Declare a variable, and give it with --var or as BENCH_VAR_NAME; a key belongs into a secret."
)

// unknownFunction says what to do about a name that cannot be called.
func unknownFunction(name string) (summary, detail string) {
	summary = fmt.Sprintf("unknown function %q", name)
	if hint, ok := absent[name]; ok {
		return summary, "There is no function of this name, on purpose. " + hint
	}
	return summary, "There is no function of this name." + didYouMean(name, functionNames(), func(n string) string { return n })
}
