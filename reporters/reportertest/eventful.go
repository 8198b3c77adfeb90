package reportertest

import (
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// Eventful is a run in which much has happened: trials were tried again, gates
// did not pass, a budget ran out, and money was spent, of some of which nobody
// knows how much.
func Eventful() *engine.Run {
	b := newBuilder("eventful")
	b.run.Origin = engine.Origin{Host: "ci-7", OS: "linux/amd64", Engine: "docker 20.10.24",
		Commit: "89abcdef01234567", Dirty: new(true), Weakness: "the network was open"}
	smoke, wide, late := b.matrix("smoke"), b.matrix("wide"), b.matrix("late")
	hello, logs := b.newCase("hello_world", 12), b.newCase("model_training/parse_logs", 7)
	oracle, react := b.agent("oracle"), b.agent("react")

	again(b.passed(b.trial(smoke, hello, oracle, "", 1), 2*time.Second), engine.ReasonSandbox, 0, nil, nil)
	paid(b.passed(b.trial(smoke, hello, react, "gpt", 1), 8*time.Second), 0.12, 5200)
	r := paid(b.passed(b.trial(smoke, hello, react, "gpt", 2), 9*time.Second), 0.1, 4800)
	again(again(r, engine.ReasonProvider, 4200*time.Millisecond, new(0.034), new(int64(1700))), engine.ReasonHost, 0, nil, nil)
	r = paid(b.errored(b.trial(smoke, hello, react, "qwen", 1), engine.ReasonProvider, "the provider answered 529 three times"), 0.002, 90)
	again(again(r, engine.ReasonProvider, time.Second, new(0.001), new(int64(40))), engine.ReasonProvider, time.Second, new(0.0005), new(int64(20)))
	again(paid(b.failedCheck(b.trial(smoke, hello, react, "qwen", 2), 30*time.Second), 0.5, 70000), engine.ReasonProvider, time.Second, new(0.25), new(int64(35000)))

	r = paid(b.passed(b.trial(wide, logs, react, "gpt", 1), 40*time.Second), 1, 100000)
	r.Reused = true
	for n := 2; n <= 4; n++ {
		b.add(b.trial(wide, logs, react, "gpt", n), engine.Outcome{Status: engine.StatusSkipped, Reason: engine.ReasonBudget,
			Detail: "the rest of the budget did not cover them"})
	}
	for n := 1; n <= 2; n++ {
		o := engine.Outcome{Status: engine.StatusCancelled, Reason: engine.ReasonDeadline}
		r := b.add(b.trial(wide, logs, react, "qwen", n), o)
		r.Attempt = b.attempt(r.Trial, 3*time.Second)
		r.Attempt.Outcome = o
		paid(r, 0.01, 300)
	}
	b.add(b.trial(wide, logs, react, "qwen", 3), engine.Outcome{Status: engine.StatusSkipped, Reason: engine.ReasonMaxErrors})
	for n := 1; n <= 2; n++ {
		b.add(b.trial(late, hello, react, "gpt", n), engine.Outcome{Status: engine.StatusSkipped, Reason: engine.ReasonNeeds,
			Detail: "gate.healthy did not pass", Cause: "gate.healthy"})
	}

	b.gate("ready", engine.GatePassed, engine.SeverityError, "matrix.smoke.complete = false")
	b.gate("healthy", engine.GateFailed, engine.SeverityError, "only 75 % of the smoke test passed")
	b.gate("cheap", engine.GateFailed, engine.SeverityWarning, "")
	b.gate("fast", engine.GateInconclusive, engine.SeverityError, "matrix.late.p50_seconds is not known")
	b.gate("nightly", engine.GateSkipped, engine.SeverityError, "its if is false")
	b.run.Exit = engine.Exit{Code: 3, Reason: "gate.healthy failed: only 75 % of the smoke test passed"}
	return b.run
}

// again puts an errored try after those that the result already has, before the
// attempt that it is of.
func again(r *engine.Result, reason engine.Reason, took time.Duration, cost *float64, tokens *int64) *engine.Result {
	r.Earlier = append(r.Earlier, engine.Try{N: len(r.Earlier) + 1, Took: took, Cost: cost, Tokens: tokens,
		Outcome: engine.Outcome{Status: engine.StatusErrored, Reason: reason}})
	r.Attempt.N = len(r.Earlier) + 1
	return r
}

// paid says what the attempt of a result cost, and where it was made.
func paid(r *engine.Result, usd float64, tokens int64) *engine.Result {
	a := r.Attempt
	a.Cost, a.Tokens = &usd, &tokens
	a.Models = &engine.ModelUse{Requests: 7, Turns: 5, Refused: 1, Input: new(tokens - 10), Output: new(int64(10)), Served: []string{"gpt-5.1-2026"}, Waited: 1500 * time.Millisecond}
	a.Ended = a.Began.Add(a.Took)
	a.Origin = engine.Origin{Host: "ci-7", OS: "linux/amd64", Engine: "docker 20.10.24", Commit: "89abcdef01234567", Dirty: new(false), Agent: "react 2.1"}
	return r
}

func (b *builder) gate(name string, j engine.Judgement, s engine.Severity, message string) *engine.GateResult {
	g := &engine.Gate{Name: name, Severity: s, If: j != engine.GateSkipped, Pos: engine.Pos{File: "benchfiles/hello.hcl", Line: 40 + 5*len(b.suite.Gates), Column: 1},
		Condition: &engine.Condition{Text: "matrix.smoke.pass_rate == 1", Matrices: []string{"smoke"}}}
	b.suite.Gates = append(b.suite.Gates, g)
	b.run.Gates = append(b.run.Gates, engine.GateResult{Gate: g, Judgement: j, Message: message,
		Values: []engine.GateValue{{Name: "matrix.smoke.pass_rate", Value: "0.75"}}})
	return &b.run.Gates[len(b.run.Gates)-1]
}
