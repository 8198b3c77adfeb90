package reportertest

import (
	"crypto/sha256"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// Began is when every fixture began.
var Began = time.Date(2026, 3, 14, 9, 26, 53, 0, time.UTC)

// Empty is the run of a suite of which nothing was selected.
func Empty() *engine.Run {
	b := newBuilder("hello")
	b.run.Exit = engine.Exit{Reason: "nothing to do"}
	return b.run
}

// Example has two matrices, every status, reuse, metrics, tags, models, a weak
// sandbox, assets of both variants, and three trials that one image holds back.
func Example() *engine.Run {
	b := newBuilder("hello")
	b.suite.Seed = 42
	b.suite.Description = "What a report looks like"
	smoke, wide := b.matrix("smoke"), b.matrix("wide")
	hello := b.newCase("hello_world", 12)
	loss := b.newCase("debugging/nan_loss", 30, "easy", "pytorch")
	logs := b.newCase("model_training/parse_logs", 7, "pytorch")
	logs.Sandbox = &engine.Sandbox{Name: "open", Network: engine.NetworkOpen}
	noop, oracle, react := b.agent("noop"), b.agent("oracle"), b.agent("react")

	b.passed(b.trial(smoke, hello, noop, "", 1), 40*time.Millisecond)
	b.passed(b.trial(smoke, hello, oracle, "", 1), 250*time.Millisecond).Reused = true
	b.failedCheck(b.trial(smoke, loss, noop, "", 1), 35*time.Millisecond)
	b.passed(b.trial(smoke, loss, oracle, "", 1), 1800*time.Millisecond).Reused = true

	b.passed(b.trial(wide, loss, react, "gpt", 1), 61*time.Second)
	b.limit(b.trial(wide, loss, react, "gpt", 2))
	b.agentExit(b.trial(wide, loss, react, "qwen", 1))
	b.errored(b.trial(wide, loss, react, "qwen", 2), engine.ReasonSandbox, "the container died: exit status 137")
	for n := 1; n <= 3; n++ {
		b.blocked(b.trial(wide, logs, react, "gpt", n))
	}
	b.undecided(b.trial(wide, logs, react, "qwen", 1)).Attempt.Services = []engine.ServiceRun{
		{Name: "db", Image: "sha256:" + sum("postgres").String(), Exit: new(0)}, {Name: "cache", Image: "sha256:" + sum("redis").String()},
	}
	b.add(b.trial(wide, logs, react, "qwen", 2), engine.Outcome{Status: engine.StatusSkipped, Reason: engine.ReasonSignal, Detail: "bench was told to stop"})
	r := b.add(b.trial(wide, logs, react, "qwen", 3), engine.Outcome{Status: engine.StatusCancelled, Reason: engine.ReasonSignal, Detail: "interrupted after 3s"})
	r.Attempt = b.attempt(r.Trial, 3*time.Second)

	for _, t := range b.run.Plan.Trials {
		t.Assets = map[*engine.Case]engine.Variant{loss: engine.VariantFull, logs: engine.VariantMini}[t.Case]
	}
	b.run.Exit = engine.Exit{Code: 4, Reason: "incomplete: 7 of 14 trials have no verdict"}
	return b.run
}

// Bare has one trial of every status with nothing else known: no case, no
// agent, no attempt, no grade. One has not even a status.
func Bare() *engine.Run {
	b := newBuilder("bare")
	for i, s := range append([]engine.Status{engine.StatusInvalid}, engine.Statuses...) {
		id := engine.TrialID{Matrix: "bare", Case: "nothing", Agent: "noop", N: i + 1}
		b.run.Results = append(b.run.Results, engine.Result{Trial: &engine.Trial{ID: id}, Outcome: engine.Outcome{Status: s}})
	}
	return b.run
}

// Evil is text that tries to break out of every format.
const Evil = "\x1b[31mred\x1b[0m \x1b]0;title\x07\x1b[2J\u009b1m nul\x00 bad\xff\xfe ]]> </failure> <script>alert(1)</script> & \"q\" 'p' " +
	"| a | b |\n```\n~~~\n</details>\n# heading @somebody #1 ![i](http://example.com/x.png)\r\nback\rslash \\ \uffff\ufffe \u202egnp.exe \u0085 \u2028end `tick``s`"

// Hostile says [Evil] wherever an agent or a user could.
func Hostile() *engine.Run {
	b := newBuilder("hostile " + Evil)
	m := b.matrix("m|<b>")
	c := b.newCase("cat|x/case\n"+Evil, 1, "tag|", Evil)
	c.Pos.File = "bench\x00files/" + Evil
	a := b.agent("agent|" + Evil)
	for n := range 3 {
		r := b.failedCheck(b.trial(m, c, a, "mo|del", n+1), time.Second)
		r.Outcome.Detail = Evil
		r.Attempt.Image = Evil
		r.Attempt.Left = []string{Evil}
		r.Grade.Changed = []string{Evil}
		check := &r.Grade.Checks[0]
		check.Name, check.Detail = Evil, Evil
		check.Output = strings.Repeat(Evil+"\n", 100)
		check.Metrics = map[string]engine.Metric{
			Evil: {Value: 1, Unit: Evil, Description: Evil}, "nan": {Value: math.NaN()}, "inf": {Value: math.Inf(-1)},
		}
	}
	r := b.blocked(b.trial(m, c, a, "", 4))
	r.Outcome.Cause, r.Outcome.Detail = Evil, Evil
	b.errored(b.trial(m, c, a, "", 5), Evil, Evil)
	nan := b.passed(b.trial(m, c, a, "", 6), time.Second)
	nan.Grade.Checks[0].Score = math.NaN()
	again(nan, Evil, time.Second, new(math.Inf(1)), new(int64(-1)))
	nan.Attempt.Cost, nan.Attempt.Origin = new(math.NaN()), engine.Origin{Host: Evil, Agent: Evil}
	nan.Earlier = append(nan.Earlier, engine.Try{N: 2})
	nan.Attempt.N = 3
	b.add(b.trial(m, c, a, "", 7), engine.Outcome{Status: engine.StatusSkipped, Reason: engine.ReasonBudget, Detail: Evil})
	b.run.Images = []engine.ImageFindings{{Step: "lint:" + Evil, Findings: []engine.Finding{
		{Severity: engine.SeverityError, Rule: Evil, Path: "/" + Evil, Summary: Evil, Detail: Evil, Fix: Evil},
		{Severity: engine.SeverityNote, Rule: "entrypoint", Summary: "the image has an ENTRYPOINT, which is not used", Detail: "What it prepares is not prepared.", Fix: "Do it in the Dockerfile."},
	}}}
	gate := b.gate(Evil, engine.GateFailed, Evil, Evil)
	gate.Gate.Pos.File, gate.Gate.Condition.Text, gate.Values[0] = Evil, Evil, engine.GateValue{Name: Evil, Value: Evil}
	b.run.Gates = append(b.run.Gates, engine.GateResult{})
	b.run.Origin = engine.Origin{Host: Evil, OS: Evil, Engine: Evil, Commit: Evil, Weakness: Evil}
	b.run.Exit = engine.Exit{Code: 4, Reason: Evil}
	b.run.Version.Bench = Evil
	b.suite.Sources[0].Path = Evil
	return b.run
}

// Many has more failures than anyone wants to read.
func Many() *engine.Run {
	b := newBuilder("many")
	m, c, a := b.matrix("many"), b.newCase("hard/one", 3), b.agent("noop")
	for n := 1; n <= 130; n++ {
		b.failedCheck(b.trial(m, c, a, "", n), time.Duration(n)*time.Millisecond)
	}
	b.run.Exit = engine.Exit{Reason: "all trials have a verdict"}
	return b.run
}

// A builder makes runs. Its methods that add a result return it for changes,
// which must be made before the next one is added.
type builder struct {
	run   *engine.Run
	suite *engine.Suite
}

func newBuilder(name string) *builder {
	suite := &engine.Suite{
		Name:    name,
		Sources: []engine.Source{{Path: "benchfiles/hello.hcl", Sum: sum("hello")}, {Path: "cases/hello_world/case.hcl", Sum: sum("case")}},
	}
	return &builder{suite: suite, run: &engine.Run{
		Plan:    &engine.Plan{Suite: suite},
		Version: engine.Version{Bench: "0.1.0", Commit: "0123456789abcdef"},
		Began:   Began, Ended: Began.Add(95 * time.Second),
		Exit: engine.Exit{Reason: "done"},
	}}
}

func sum(s string) engine.Digest { return sha256.Sum256([]byte(s)) }

func (b *builder) matrix(name string) *engine.Matrix {
	m := &engine.Matrix{Name: name, Trials: 1}
	b.suite.Matrices = append(b.suite.Matrices, m)
	return m
}

func (b *builder) newCase(name string, line int, tags ...string) *engine.Case {
	c := &engine.Case{Name: name, Tags: tags, Pos: engine.Pos{File: "cases/" + name + "/case.hcl", Line: line, Column: 1}}
	b.suite.Cases = append(b.suite.Cases, c)
	return c
}

func (b *builder) agent(name string) *engine.Agent {
	a := &engine.Agent{Name: name}
	b.suite.Agents = append(b.suite.Agents, a)
	return a
}

func (b *builder) trial(m *engine.Matrix, c *engine.Case, a *engine.Agent, model string, n int) *engine.Trial {
	id := engine.TrialID{Matrix: m.Name, Case: c.Name, Agent: a.Name, Model: model, N: n}
	t := &engine.Trial{ID: id, Matrix: m, Case: c, Agent: a, Seed: id.Seed(b.suite.Seed)}
	if model != "" {
		t.Model = &engine.Model{Name: model}
	}
	t.Run = &engine.RunStep{ID: engine.StepID("run:" + id.String()), Image: "image:python", Trials: []*engine.Trial{t},
		Key: engine.Key{Sum: sum("run " + id.String())}}
	t.Check = &engine.CheckStep{ID: engine.StepID("check:" + id.String()), Run: t.Run.ID, Image: "image:python", Trials: []*engine.Trial{t},
		Key: engine.Key{Sum: sum("check " + id.String())}}
	b.run.Plan.Trials = append(b.run.Plan.Trials, t)
	b.run.Plan.Steps = append(b.run.Plan.Steps, t.Run, t.Check)
	return t
}

func (b *builder) add(t *engine.Trial, o engine.Outcome) *engine.Result {
	b.run.Results = append(b.run.Results, engine.Result{Trial: t, Outcome: o})
	return &b.run.Results[len(b.run.Results)-1]
}

func (b *builder) attempt(t *engine.Trial, took time.Duration) *engine.Attempt {
	return &engine.Attempt{
		Trial: t.ID, N: 1, Key: t.Run.Key, Seed: t.Seed, Exit: new(0),
		Image:   "sha256:" + sum("image").String(),
		Usage:   engine.Usage{CPU: new(took / 2), PeakMemory: new(int64(64 << 20)), OOMKills: new(int64(0))},
		Version: b.run.Version, Began: b.run.Began.Add(time.Second), Took: took,
	}
}

func (b *builder) grade(t *engine.Trial, checks ...engine.CheckResult) *engine.Grade {
	return &engine.Grade{Key: t.Check.Key, Checks: checks, Version: b.run.Version, Began: b.run.Began.Add(time.Minute), Took: time.Second}
}

func (b *builder) passed(t *engine.Trial, took time.Duration) *engine.Result {
	r := b.add(t, engine.Outcome{Status: engine.StatusPassed})
	r.Attempt = b.attempt(t, took)
	r.Grade = b.grade(t, engine.CheckResult{Name: "tests", Passed: true, Score: 1, Weight: 1, Output: "3 passed\n", Took: time.Second,
		Metrics: map[string]engine.Metric{
			"loss":  {Value: took.Seconds() / 10, Unit: "nats", Description: "of the last epoch"},
			"steps": {Value: 12},
		}})
	return r
}

func (b *builder) failedCheck(t *engine.Trial, took time.Duration) *engine.Result {
	r := b.add(t, engine.Outcome{})
	r.Attempt = b.attempt(t, took)
	r.Grade = b.grade(t,
		engine.CheckResult{Name: "tests", Detail: "1 of 3 tests failed", Output: pytest(), Score: 0.667, Weight: 2, Took: time.Second,
			Metrics: map[string]engine.Metric{"loss": {Value: 9.5, Unit: "nats"}}},
		engine.CheckResult{Name: "style", Passed: true, Score: 1, Weight: 1, Took: time.Second})
	r.Outcome = engine.Decide(r.Attempt, r.Grade)
	return r
}

func pytest() string {
	var s strings.Builder
	for i := 1; i <= 25; i++ {
		fmt.Fprintf(&s, "test_%02d \x1b[32mok\x1b[0m\n", i)
	}
	return s.String() + "E   assert \x1b[31mnan\x1b[0m < 0.5\n```\n1 failed, 2 passed\n"
}

func (b *builder) limit(t *engine.Trial) *engine.Result {
	r := b.failedCheck(t, 2*time.Minute)
	r.Attempt.Exit, r.Attempt.Limit, r.Attempt.LimitDetail = nil, engine.ReasonLimitWallClock, "the agent was stopped after 2m0s"
	r.Outcome = engine.Decide(r.Attempt, r.Grade)
	return r
}

func (b *builder) agentExit(t *engine.Trial) *engine.Result {
	r := b.failedCheck(t, 12*time.Second)
	r.Attempt.N, r.Attempt.Exit, r.Attempt.Left = 2, new(3), []string{"checkpoints/big.pt"}
	r.Grade.Changed = []string{"tests/test_loss.py"}
	r.Outcome = engine.Decide(r.Attempt, r.Grade)
	return r
}

func (b *builder) errored(t *engine.Trial, reason engine.Reason, detail string) *engine.Result {
	r := b.add(t, engine.Outcome{Status: engine.StatusErrored, Reason: reason, Detail: detail})
	r.Attempt = b.attempt(t, 5*time.Second)
	r.Attempt.Exit, r.Attempt.Usage, r.Attempt.Outcome = nil, engine.Usage{}, r.Outcome
	return r
}

func (b *builder) undecided(t *engine.Trial) *engine.Result {
	o := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonCheck, Detail: `check "tests" timed out after 5m0s`, Cause: t.Check.ID}
	r := b.add(t, o)
	r.Attempt = b.attempt(t, 30*time.Second)
	r.Grade = b.grade(t)
	r.Grade.Outcome = o
	return r
}

func (b *builder) blocked(t *engine.Trial) *engine.Result {
	return b.add(t, engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonImage,
		Detail: "pip install failed with exit status 1", Cause: "image:python"})
}
