package reporters_test

import (
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

func TestGates(t *testing.T) {
	for _, c := range []struct {
		r    engine.GateResult
		word string
		text string
		bad  bool
	}{
		{engine.GateResult{}, "inconclusive", "bench recorded no judgement for this gate", false},
		{engine.GateResult{Judgement: engine.GateFailed, Message: "no\nway"}, "failed", "no way", true},
		{engine.GateResult{Judgement: engine.GateFailed, Gate: &engine.Gate{Severity: engine.SeverityWarning}}, "warning", "", false},
		{engine.GateResult{Judgement: engine.GatePassed, Values: []engine.GateValue{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}}}, "passed", "a = 1, b = 2", false},
	} {
		g := reporters.Gates(&engine.Run{Gates: []engine.GateResult{c.r}})[0]
		if g.Word() != c.word || g.Text() != c.text || g.Bad() != c.bad {
			t.Errorf("%+v reads %q %q, bad %v; want %q %q, %v", c.r, g.Word(), g.Text(), g.Bad(), c.word, c.text, c.bad)
		}
	}
}

func TestSelectGates(t *testing.T) {
	run := reportertest.Eventful()
	of := func(name string, matrices, gates []string) engine.GateResult {
		return engine.GateResult{Gate: &engine.Gate{Name: name, Condition: &engine.Condition{Matrices: matrices, Gates: gates}}, Judgement: engine.GatePassed}
	}
	run.Gates = []engine.GateResult{
		of("smoke", []string{"smoke"}, nil), of("wide", []string{"wide"}, nil), of("both", []string{"smoke", "wide"}, nil),
		of("through", nil, []string{"wide"}), of("around", nil, []string{"around"}), {},
	}
	var got []string
	for _, g := range reporters.Gates(reporters.Select(run, run.Plan.Suite.Matrices[1:2])) {
		got = append(got, g.Name)
	}
	if want := "wide both through around "; strings.Join(got, " ") != want {
		t.Errorf("the report of wide has the gates %q, want %q", strings.Join(got, " "), want)
	}
}
