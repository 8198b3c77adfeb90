package engine_test

import (
	"slices"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
)

func TestWeaknesses(t *testing.T) {
	box := &engine.Sandbox{Network: engine.NetworkGateway}
	r := engine.Result{Trial: &engine.Trial{Case: &engine.Case{Sandbox: box}}}
	if got := r.Weaknesses(); len(got) != 0 {
		t.Errorf("a sealed trial has %q", got)
	}
	if got := (&engine.Result{Trial: &engine.Trial{}}).Weaknesses(); len(got) != 0 {
		t.Errorf("a trial of which little is known has %q", got)
	}
	box.Network = engine.NetworkOpen
	r.Attempt = &engine.Attempt{Services: []engine.ServiceRun{{Name: "job", Exit: new(0)}, {Name: "db", Exit: new(137)}, {Name: "cache"}}}
	want := []string{
		`network = "open": the agent can reach everything outside, answers included`,
		`service "db" ended with exit status 137 before the agent did`,
	}
	if got := r.Weaknesses(); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
