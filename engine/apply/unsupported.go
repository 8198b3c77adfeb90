package apply

import (
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
)

// Unsupported reports what a plan asks for and this version cannot carry out yet.
// It is an error before anything starts: what a benchfile says is never left out
// in silence.
func Unsupported(p *engine.Plan) engine.Diagnostics {
	u := &unsupported{seen: map[any]bool{}}
	u.suite(p.Suite)
	used := map[*engine.Matrix]bool{}
	for _, t := range p.Trials {
		used[t.Matrix] = true
		u.agent(t)
		u.inCase(t.Case)
		u.sandbox(t.Case.Sandbox)
	}
	for _, m := range p.Suite.Matrices {
		if used[m] || p.Left[m.Name] == 0 { // without trials, they may all have been left out
			u.matrix(m)
		}
	}
	return u.found.Sorted()
}

type unsupported struct {
	found engine.Diagnostics
	seen  map[any]bool // what was looked at; many trials share it
}

// first reports whether something is looked at for the first time.
func (u *unsupported) first(thing any) bool {
	before := u.seen[thing]
	u.seen[thing] = true
	return !before
}

// unless reports a thing that is not fine. The detail goes on after "This version
// of bench plans".
func (u *unsupported) unless(fine bool, at engine.Pos, summary, detail string) {
	if !fine {
		u.found = append(u.found, engine.Diagnostic{
			Severity: engine.SeverityError, Subject: at.Range(), Summary: summary, Detail: "This version of bench plans " + detail,
		})
	}
}

func (u *unsupported) suite(s *engine.Suite) {
	u.unless(s.KeepArtifacts == "" || s.KeepArtifacts == engine.KeepFailed, s.Pos, fmt.Sprintf("keep_artifacts = %q cannot be followed yet", s.KeepArtifacts),
		fmt.Sprintf("suites with it, but keeps artifacts as with %q. Remove the argument.", engine.KeepFailed))
}

func (u *unsupported) matrix(m *engine.Matrix) {
	no := func(fine bool, at engine.Pos, what, detail string) {
		u.unless(fine, at, fmt.Sprintf("matrix %q cannot %s yet", m.Name, what), detail)
	}
	no(m.Baseline == nil, m.Pos, "be compared with a baseline", "matrices with a baseline, but compares them with nothing. Remove the argument.")
}

// agent is about an agent as it is tried: with a model or without.
func (u *unsupported) agent(t *engine.Trial) {
	type tried struct {
		agent *engine.Agent
		model bool
	}
	a := t.Agent
	if !u.first(tried{a, t.Model != nil}) {
		return
	}
	u.unless(a.Builtin != engine.BuiltinReplay, a.Pos, fmt.Sprintf("agent %q cannot run yet", a.Name),
		fmt.Sprintf("trials that replay what is stored, but cannot run them. Leave the agent out with --agent '!%s'.", a.Name))
	if u.first(a) {
		u.unless(len(a.Artifacts) == 0, a.Pos, fmt.Sprintf("artifacts of agent %q cannot be kept yet", a.Name), "agents with artifacts, but keeps none. Remove the argument.")
	}
}

func (u *unsupported) inCase(c *engine.Case) {
	if !u.first(c) {
		return
	}
	u.unless(len(c.Artifacts) == 0, c.Pos, fmt.Sprintf("artifacts of case %s cannot be kept yet", c.Name), "cases with artifacts, but keeps none. Remove the argument.")
}

func (u *unsupported) sandbox(s *engine.Sandbox) {
	if !u.first(s) {
		return
	}
	no := func(fine bool, at engine.Pos, what, detail string) {
		u.unless(fine, at, fmt.Sprintf("sandbox %q cannot %s yet", s.Name, what), detail)
	}
	for _, m := range s.Mounts {
		no(false, m.Pos, "mount "+m.Source, "sandboxes with mounts, but mounts nothing. Put the files into the image, or leave out the cases that use the sandbox.")
	}
}
