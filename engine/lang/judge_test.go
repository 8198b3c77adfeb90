package lang_test

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
)

// judged is a suite with two matrices whose results are known.
func judged(t *testing.T, more string) *lang.Session {
	t.Helper()
	root := project(t, tiny("needs_model = false\ncommand = [\"x\"]", "axis \"level\" {\n values = [1, 2]\n}", `
agent "b" {
  needs_model = false
  command     = ["x"]
}

matrix "two" {
  cases  = [case.c]
  agents = [agent.a, agent.b]
}

variable "floor" {
  default = 0.7
}

variable "secret_floor" {
  default   = 0.9
  sensitive = true
}

locals {
  nothing = null
  names   = ["a", "b"]
}

`+more))
	session, sources, diags := lang.Open(filepath.Join(root, "s.hcl"), lang.Options{Root: root})
	if session == nil {
		show(t, sources, diags)
	}
	return session
}

// ended is what has come of the two: 84 of 136, and nothing but that of the other.
func ended() lang.Ended {
	return lang.Ended{
		Results: lang.Results{
			"m": json.RawMessage(`{"complete": true, "trials": 136, "passed": 84, "failed": 52, "errored": 0, "skipped": 0, "cancelled": 0,
				"pass_rate": 0.6176470588235294, "by_agent": {"a": {"passed": 84, "failed": 52, "pass_rate": 0.6176470588235294, "score": 1}},
				"pass_at": {"1": 0.6, "2": 0.9}, "metrics": {"loss": {"mean": 0.25, "unit": "nats"}}, "errors": {}}`),
			"two": json.RawMessage(`{"complete": true, "trials": 3, "passed": 3, "failed": 0, "errored": 0, "skipped": 0, "cancelled": 0, "pass_rate": 1,
				"by_agent": {"a": {"passed": 3, "failed": 0, "pass_rate": 1, "score": 0.5}, "b": {"passed": 0, "pass_rate": null}}}`),
		},
		Gates: map[string]engine.Judgement{"other": engine.GatePassed},
	}
}

const otherGate = `
gate "other" {
  condition = matrix.m.trials > 0
}
`

func gateOf(x *lang.Session, name string) *engine.Gate {
	for _, g := range x.Suite.Gates {
		if g.Name == name {
			return g
		}
	}
	panic("no gate " + name)
}

func TestJudge(t *testing.T) {
	for _, tt := range []struct {
		body string // of the gate, or its condition
		want string
	}{
		// what was compared
		{`matrix.m.pass_rate >= 0.70`, "failed: matrix.m.pass_rate = 0.618 (84 of 136), wanted >= 0.70"},
		{`matrix.two.pass_rate >= 0.9`, "passed: matrix.two.pass_rate = 1 (3 of 3), wanted >= 0.9"},
		{`matrix.m.by_agent["a"].pass_rate == 1`, `failed: matrix.m.by_agent["a"].pass_rate = 0.618 (84 of 136), wanted == 1`},
		{`0.7 <= matrix.m.pass_rate`, "failed: matrix.m.pass_rate = 0.618 (84 of 136), wanted >= 0.7"},
		{`matrix.m.pass_rate < 0.618`, "passed: matrix.m.pass_rate = 0.6176 (84 of 136), wanted < 0.618"},
		{`matrix.m.pass_rate >= var.floor`, "failed: matrix.m.pass_rate = 0.618 (84 of 136), wanted >= var.floor (0.7)"},
		{`matrix.m.passed >= matrix.two.passed * 30`, "failed: matrix.m.passed = 84, wanted >= matrix.two.passed * 30 (90)"},
		{`matrix.m.metrics["loss"].unit == "nats"`, `passed: matrix.m.metrics["loss"].unit = "nats", wanted == "nats"`},
		{`length(keys(matrix.m.pass_at)) < 2`, "failed: length(keys(matrix.m.pass_at)) = 2, wanted < 2"},
		{`matrix.m.complete`, "passed: matrix.m.complete = true, wanted true"},
		{`!matrix.m.complete`, "failed: matrix.m.complete = true, wanted false"},
		{`matrix.m.failed == 0`, "failed: matrix.m.failed = 52, wanted == 0"},
		{`!(matrix.m.failed > 0)`, "failed: matrix.m.failed = 52, wanted <= 0"},
		{`contains(["passed", "skipped"], gate.other.outcome)`, `passed: gate.other.outcome = "passed", wanted contains(["passed", "skipped"], gate.other.outcome)`},
		{`!contains(["passed"], gate.other.outcome)`, `failed: gate.other.outcome = "passed", wanted !(contains(["passed"], gate.other.outcome))`},
		{`gate.other.outcome == "passed"`, `passed: gate.other.outcome = "passed", wanted == "passed"`},
		{`matrix.two.passed == 3 && gate.other.outcome != "passed"`, `failed: gate.other.outcome = "passed", wanted != "passed"`},
		{`matrix.m.passed < 1 && matrix.m.failed < 1`, "failed: matrix.m.passed = 84, wanted < 1; matrix.m.failed = 52, wanted < 1"},
		{`matrix.m.passed > 1 && matrix.m.failed < 1`, "failed: matrix.m.failed = 52, wanted < 1"},
		{`matrix.m.passed > 1 || matrix.m.failed < 1`, "passed: matrix.m.passed = 84, wanted > 1"},
		{`!(matrix.m.passed > 1 || matrix.m.failed < 1)`, "failed: matrix.m.passed = 84, wanted <= 1"},
		{`var.floor > 0.5 ? matrix.m.passed > 90 : matrix.m.failed > 90`, "failed: matrix.m.passed = 84, wanted > 90"},
		{`matrix.m.passed > 90 ? true : false`, "failed: matrix.m.passed = 84, wanted matrix.m.passed > 90 ? true : false"},
		{`length([for n, a in matrix.m.by_agent : n if a.pass_rate < 0.7]) == 0`, "failed: length([for n, a in matrix.m.by_agent : n if a.pass_rate < 0.7]) = 1, wanted == 0"},

		// what is null decides nothing
		{`matrix.m.cost <= 5`, "inconclusive: matrix.m.cost is not known"},
		{`5 >= matrix.m.cost`, "inconclusive: matrix.m.cost is not known"},
		{`matrix.m.cost == matrix.two.cost`, "inconclusive: matrix.m.cost is not known"},
		{`matrix.m.cost != 5`, "inconclusive: matrix.m.cost is not known"},
		{`!(matrix.m.cost == 5)`, "inconclusive: matrix.m.cost is not known"},
		{`matrix.m.passed > 0 && matrix.m.cost * 2 < 5`, "inconclusive: matrix.m.cost is not known"},
		{`matrix.two.by_agent["b"].pass_rate > 0.5`, `inconclusive: matrix.two.by_agent["b"].pass_rate is not known`},
		{`matrix.m.duration.p50 < 5`, "inconclusive: matrix.m.duration is not known"},
		{`matrix.m.by_axis["level"]["1"].pass_rate > 0`, `inconclusive: matrix.m.by_axis["level"]["1"] is not known`},
		{`matrix.m.pass_at["7"] > 0.5`, `inconclusive: matrix.m.pass_at["7"] is not known`},
		{`matrix.m.metrics["speed"].mean != 1`, `inconclusive: matrix.m.metrics["speed"] is not known`},
		{`length([for a in matrix.two.by_agent : a if a.pass_rate != 1]) == 1`, "inconclusive: a.pass_rate is not known"},
		{`matrix.m.by_agent[local.names[0]].cost > 0`, `inconclusive: s.hcl:`},
		{`matrix.m.passed / matrix.two.failed > 1`, "inconclusive: s.hcl:"},
		{`matrix.m.passed > 1 ? local.nothing : true`, "inconclusive: matrix.m.passed > 1 ? local.nothing : true is not known"},
		{`jsondecode(jsonencode(matrix.m.failed))`, "inconclusive: jsondecode(jsonencode(matrix.m.failed)) is a number, not true or false"},

		// unless it is asked for, or does not matter
		{`matrix.m.cost == null`, "passed: matrix.m.cost = null, wanted == null"},
		{`matrix.m.cost != null`, "failed: matrix.m.cost = null, wanted != null"},
		{`matrix.m.cost == null || matrix.m.cost <= 5`, "passed: matrix.m.cost = null, wanted == null"},
		{`matrix.m.cost != null && matrix.m.cost <= 5`, "failed: matrix.m.cost = null, wanted != null"},
		{`matrix.m.cost <= 5 || matrix.m.passed > 1`, "passed: matrix.m.passed = 84, wanted > 1"},
		{`matrix.m.cost == null ? matrix.m.passed > 1 : matrix.m.cost < 5`, "passed: matrix.m.passed = 84, wanted > 1"},
		{`coalesce(matrix.m.cost, 0) < 5`, "passed: coalesce(matrix.m.cost, 0) = 0, wanted < 5"},
		{`try(matrix.m.pass_at["7"], 1) > 0.5`, `passed: try(matrix.m.pass_at["7"], 1) = 1, wanted > 0.5`},

		// what is sensitive is not shown
		{`matrix.m.pass_rate >= var.secret_floor`, "failed: matrix.m.pass_rate = 0.618 (84 of 136), wanted >= var.secret_floor (sensitive)"},
		{`matrix.m.passed / var.secret_floor > 1 && matrix.m.passed > 1`, "passed: matrix.m.passed / var.secret_floor = (sensitive), wanted > 1; matrix.m.passed = 84, wanted > 1"},
		{`1 / (matrix.two.failed * var.secret_floor) > 1`, "inconclusive: 1 / (matrix.two.failed * var.secret_floor) > 1 cannot be evaluated, and uses a sensitive value, so more cannot be said"},

		// messages
		{"condition = matrix.m.pass_rate >= 0.9\nmessage = \"Only ${format(\"%.0f%%\", 100 * matrix.m.pass_rate)}\\n  passed.\"", "failed: Only 62% passed."},
		{"condition = matrix.m.pass_rate >= 0.1\nmessage = \"Too few passed.\"", "passed: matrix.m.pass_rate = 0.618 (84 of 136), wanted >= 0.1"},
		{"condition = matrix.m.cost >= 0.1\nmessage = \"Too dear.\"", "inconclusive: matrix.m.cost is not known"},
		{"condition = matrix.m.passed < 1\nmessage = \"It was ${matrix.m.cost} USD.\"", "failed: matrix.m.passed = 84, wanted < 1"},
		{"condition = matrix.m.passed < 1\nmessage = \" \"", "failed: matrix.m.passed = 84, wanted < 1"},
		{"condition = matrix.m.passed < 1\nseverity = \"warning\"", "failed: matrix.m.passed = 84, wanted < 1"},
		{"condition = matrix.m.passed < 1\nif = var.floor > 1", "skipped: its if is false"},
	} {
		if !strings.HasPrefix(tt.body, "condition") {
			tt.body = "condition = " + tt.body
		}
		x := judged(t, otherGate+"gate \"g\" {\n"+tt.body+"\n}\n")
		for range 2 { // the second time is as the first
			r := x.Judge(gateOf(x, "g"), ended())
			got := fmt.Sprintf("%s: %s", r.Judgement, r.Message)
			if got != tt.want && (!strings.HasSuffix(tt.want, "s.hcl:") || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("%s\n got %s\nwant %s", tt.body, got, tt.want)
			}
		}
	}
}

// What is not whole decides nothing.
func TestJudgeIncomplete(t *testing.T) {
	const partly = `{"complete": false, "trials": 9, "passed": 3, "failed": 1, "errored": 2, "skipped": 3, "cancelled": 0, "pass_rate": 0.75}`
	const cancelled = `{"complete": false, "trials": 1, "passed": 0, "failed": 0, "errored": 0, "skipped": 0, "cancelled": 1, "pass_rate": null}`
	for _, tt := range []struct {
		name   string
		body   string
		change func(*lang.Ended)
		want   string
	}{
		{"incomplete", `condition = matrix.m.pass_rate > 0.5`, func(e *lang.Ended) { e.Results["m"] = json.RawMessage(partly) },
			"inconclusive: matrix.m is incomplete: 5 of 9 trials came to no verdict (2 errored, 3 skipped)"},
		{"incomplete, and it would not matter", `condition = matrix.two.passed == 3 || matrix.m.passed > 100`, func(e *lang.Ended) { e.Results["m"] = json.RawMessage(cancelled) },
			"inconclusive: matrix.m is incomplete: 1 of 1 trial came to no verdict (1 cancelled)"},
		{"incomplete, but allowed", "condition = matrix.m.pass_rate > 0.5\nallow_incomplete = true", func(e *lang.Ended) { e.Results["m"] = json.RawMessage(partly) },
			"passed: matrix.m.pass_rate = 0.75 (3 of 4), wanted > 0.5"},
		{"no verdict at all, and allowed", "condition = matrix.m.pass_rate > 0.5\nallow_incomplete = true", func(e *lang.Ended) { e.Results["m"] = json.RawMessage(cancelled) },
			"inconclusive: matrix.m.pass_rate is not known"},
		{"narrowed", `condition = matrix.m.pass_rate > 0.5`, func(e *lang.Ended) { e.Left = map[string]int{"m": 4} },
			"inconclusive: matrix.m was narrowed on the command line, and is 4 trials short"},
		{"narrowed to nothing", `condition = matrix.m.pass_rate > 0.5`, func(e *lang.Ended) { e.Left = map[string]int{"m": 1}; delete(e.Results, "m") },
			"inconclusive: matrix.m was narrowed on the command line, and is 1 trial short"},
		{"narrowed, though incomplete is allowed", "condition = matrix.m.pass_rate > 0.5\nallow_incomplete = true", func(e *lang.Ended) { e.Left = map[string]int{"m": 4} },
			"inconclusive: matrix.m was narrowed on the command line, and is 4 trials short"},
		{"narrowed elsewhere", `condition = matrix.m.pass_rate > 0.5`, func(e *lang.Ended) { e.Left = map[string]int{"two": 4} },
			"passed: matrix.m.pass_rate = 0.618 (84 of 136), wanted > 0.5"},
		{"no results", `condition = matrix.m.pass_rate > 0.5`, func(e *lang.Ended) { delete(e.Results, "m") }, "inconclusive: matrix.m has no results"},
		{"no judgement", `condition = gate.other.outcome == "passed"`, func(e *lang.Ended) { e.Gates = nil }, "inconclusive: gate.other was not judged"},
		{"a gate that was inconclusive", `condition = gate.other.outcome == "passed"`, func(e *lang.Ended) { e.Gates["other"] = engine.GateInconclusive },
			`failed: gate.other.outcome = "inconclusive", wanted == "passed"`},
		{"skipped, whatever it reads", "condition = matrix.m.passed > 1\nif = false", func(e *lang.Ended) { *e = lang.Ended{} }, "skipped: its if is false"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			x := judged(t, otherGate+"gate \"g\" {\n"+tt.body+"\n}\n")
			e := ended()
			tt.change(&e)
			r := x.Judge(gateOf(x, "g"), e)
			check(t, "judgement", tt.want, fmt.Sprintf("%s: %s", r.Judgement, r.Message))
		})
	}
}

// The values that a condition reads are those of the results, in its order.
func TestJudgeValues(t *testing.T) {
	x := judged(t, otherGate+`
gate "g" {
  condition = (gate.other.outcome == "passed" && matrix.m.cost == null || matrix.m.cost < 5) && matrix.m.by_agent["a"].pass_rate > 0.5 && length([for n in local.names : n if matrix.two.by_agent[n].score > 0.9]) < matrix.two.by_agent[local.names[0]].passed && matrix.m.by_axis["level"]["1"] == null && matrix.m.metrics["loss"].unit != "x"
}
`)
	r := x.Judge(gateOf(x, "g"), ended())
	want := []engine.GateValue{
		{Name: "gate.other.outcome", Value: `"passed"`},
		{Name: "matrix.m.cost", Value: "null"},
		{Name: `matrix.m.by_agent["a"].pass_rate`, Value: "0.6176470588235294"},
		{Name: "matrix.two.by_agent[local.names[0]].passed", Value: "3"},
		{Name: `matrix.m.by_axis["level"]["1"]`, Value: "null"},
		{Name: `matrix.m.metrics["loss"].unit`, Value: `"nats"`},
	}
	check(t, "values", want, r.Values)
	// The score of agent b is null.
	check(t, "judgement", engine.GateInconclusive, r.Judgement)
}

func TestHolds(t *testing.T) {
	for _, tt := range []struct{ condition, want string }{
		{"", "true"},
		{"if = var.floor > 1", "false"},
		{"if = local.nothing == \"x\"", "false"},
		{"if = matrix.m.pass_rate > 0.5", "true"},
		{"if = matrix.m.passed > 100", "false"},
		{"if = matrix.two.by_agent[\"a\"].passed == 3 && gate.other.outcome == \"passed\"", "true"},
		{"if = gate.other.outcome == \"failed\"", "false"},
		{"if = matrix.m.cost != 5", "the if of matrix.last cannot be decided: matrix.m.cost is not known"},
		{"if = gate.late.outcome == \"passed\"", "the if of matrix.last cannot be decided: gate.late was not judged"},
		{"if = matrix.after.passed > 0", "the if of matrix.last cannot be decided: matrix.after has no results"},
	} {
		x := judged(t, otherGate+`
gate "late" {
  condition = matrix.m.passed > 0
}

matrix "after" {
  cases  = [case.c]
  agents = [agent.a]
}

matrix "last" {
  cases  = [case.c]
  agents = [agent.a]
`+tt.condition+"\n}\n")
		m := x.Suite.Matrices[len(x.Suite.Matrices)-1]
		holds, err := x.Holds(m, ended())
		got := fmt.Sprint(holds)
		if err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s\n got %s\nwant %s", tt.condition, got, tt.want)
		}
	}
}
