package lang_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
)

// suiteOf reads a suite in which nothing is wrong. Warnings are let pass.
func suiteOf(t *testing.T, root string, vars map[string]lang.Var) *engine.Suite {
	t.Helper()
	suite, sources, diags := lang.Load(filepath.Join(root, "s.hcl"), lang.Options{Root: root, Version: "0.1.0", Vars: vars})
	if suite == nil {
		show(t, sources, diags)
	}
	return suite
}

func check(t *testing.T, what string, want, got any) {
	t.Helper()
	if diff := gocmp.Diff(want, got, whole(), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// What holds where nothing is written.
func TestDefaults(t *testing.T) {
	s := suiteOf(t, project(t, map[string]string{"s.hcl": `suite "s" {}

model "m" {
  provider = provider.openai
  id       = "gpt"
}

provider "local" {
  base_url = "http://127.0.0.1:8000/v1/"
}

model "local" {
  provider = provider.local
  id       = "qwen"
}

agent "a" {
  command = ["a"]
}

agent "noop" {
  builtin = "noop"
}

agent "react" {
  builtin = "react"
}

sandbox "box" {
  image = "debian:trixie-slim"

  service "db" {
    image = "postgres:17"
  }
}

case "c" {
  prompt  = "p"
  sandbox = sandbox.box

  check "k" {
    command = ["true"]
  }
}

matrix "m" {
  cases  = [case.c]
  agents = [agent.a, agent.noop, agent.react]
  models = [model.m, model.local]

  include {
    cases  = [case.c]
    agents = [agent.noop]
  }
}

gate "g" {
  condition = matrix.m.passed > 0
}

report "json" {
  path = "out/results.json"
}
`}), nil)
	box := &engine.Sandbox{
		Name: "box", Image: engine.Image{Ref: "debian:trixie-slim"}, CPUs: 1, Memory: 2 << 30, PIDs: 512, Network: engine.NetworkGateway,
		User: engine.DefaultUser, Workdir: "/workspace",
		Timeouts: engine.Timeouts{Pull: 10 * time.Minute, Build: 20 * time.Minute, Start: 2 * time.Minute, Setup: 5 * time.Minute, Stop: 10 * time.Second},
		Services: []*engine.Service{{Name: "db", Image: engine.Image{Ref: "postgres:17"}, Timeout: time.Minute}},
	}
	c := &engine.Case{
		Name: "c", Prompt: "p", Sandbox: box, Snapshot: engine.SnapshotWorkspace, Files: []string{"s.hcl"},
		Checks: []*engine.Check{{Name: "k", Script: engine.Script{Command: []string{"true"}}, Timeout: 2 * time.Minute, Weight: 1}},
	}
	openai := &engine.Provider{
		Name: "openai", API: engine.APIOpenAI, Mode: engine.ModeLive, BaseURL: "https://api.openai.com/v1", Parallel: 8, Predeclared: true,
		APIKey: &engine.Secret{Name: "openai", Env: "OPENAI_API_KEY"},
	}
	local := &engine.Provider{Name: "local", API: engine.APIOpenAI, Mode: engine.ModeLive, BaseURL: "http://127.0.0.1:8000/v1", Parallel: 8}
	agents := []*engine.Agent{
		{Name: "a", NeedsModel: true, API: engine.APIOpenAI, OtherModels: engine.OtherModelsRewrite},
		{Name: "noop", Builtin: engine.BuiltinNoop, API: engine.APIOpenAI, OtherModels: engine.OtherModelsRewrite},
		{Name: "react", Builtin: engine.BuiltinReact, NeedsModel: true, API: engine.APIOpenAI, OtherModels: engine.OtherModelsRewrite},
	}
	models := []*engine.Model{{Name: "local", Provider: local, ID: "qwen"}, {Name: "m", Provider: openai, ID: "gpt"}}
	m := &engine.Matrix{
		Name: "m", Cases: []*engine.Case{c}, Agents: agents, Models: []*engine.Model{models[1], models[0]}, Trials: 1, Reuse: true,
		Retry: engine.Retry{
			Attempts: 2, On: []engine.Reason{engine.ReasonImage, engine.ReasonAsset, engine.ReasonSandbox, engine.ReasonProvider, engine.ReasonHost},
			Backoff: 5 * time.Second, MaxBackoff: 2 * time.Minute,
		},
		Include: []*engine.Include{{Cases: []*engine.Case{c}, Agents: agents[1:2], Trials: 1}},
	}
	check(t, "suite", &engine.Suite{
		Name: "s", ResultsDir: ".bench", KeepArtifacts: engine.KeepFailed,
		Secrets: []*engine.Secret{openai.APIKey}, Providers: []*engine.Provider{local, openai}, Models: models,
		Cases: []*engine.Case{c}, Agents: agents, Matrices: []*engine.Matrix{m},
		Gates: []*engine.Gate{{Name: "g", Severity: engine.SeverityError, If: true,
			Condition: &engine.Condition{Text: "matrix.m.passed > 0", Matrices: []string{"m"}}}},
		Reports: []*engine.Report{{Format: "json", Path: "out/results.json", Matrices: []*engine.Matrix{m}, Rows: []string{"agent", "model"}}},
	}, s)
}

// What is written is what holds, wherever it comes from.
func TestEverything(t *testing.T) {
	root := project(t, map[string]string{
		"s.hcl": `suite "s" {
  description    = "all of it"
  parallel       = 2
  seed           = 7
  results_dir    = "results"
  keep_artifacts = "all"
  locks          = { gpu = 2 }

  budget {
    cost       = 1.5
    tokens     = 1000
    wall_clock = "1h"
  }

  retry {
    attempts = 4
    on       = ["host"]
  }
}

locals {
  image = sandbox.base.image
}

secret "key" {
  env      = "KEY"
  optional = true
}

secret "team" {
  file = "./team.key"
}

provider "local" {
  api      = "anthropic"
  mode     = "record"
  base_url = "https://example.org/v1/"
  cassette = "./cassettes/new"
  api_key  = secret.key
  headers  = { X-Team = secret.team, "X-Suite" = suite.name }
  parallel = 3

  rate {
    requests_per_minute = 5
    tokens_per_minute   = 6
  }
}

provider "canned" {
  mode   = "scripted"
  script = "./turns.txt"
}

provider "replayed" {
  mode     = "replay"
  cassette = "./old"
}

model "m" {
  provider = provider.local
  id       = "claude"
  params   = { temperature = 0.2, stop = ["x"] }
  price    = { input = 3, output = 15, cached_input = 0.3, cache_write = 3.75 }
  tags     = ["big"]
}

model "n" {
  provider = provider.canned
  id       = "${model.m.id}-canned"
  price    = model.m.price
}

model "o" {
  provider = provider.replayed
  id       = "o"
}

agent "a" {
  command   = ["a", trial.model.id]
  install   = "./install.sh"
  api       = "responses"
  version   = ["a", "--version"]
  artifacts = ["/root/.a/**"]
  env       = { LEVEL = trial.axis.level.depth }

  aliases      = { small = "claude-haiku" }
  other_models = "deny"

  limits {
    turns    = 9
    requests = 90
  }
}

agent "b" {
  command     = ["b"]
  needs_model = false

  build {
    context    = "./layer"
    dockerfile = "b.Dockerfile"
    args       = { V = "1" }
  }
}

sandbox "base" {
  image  = "debian:trixie-slim"
  memory = "3GiB"
}

sandbox "box" {
  platform = "linux/amd64"
  runtime  = "runsc"
  cpus     = 0.5
  memory   = sandbox.base.memory
  pids     = 64
  gpus     = 1
  allow_hosts = ["api.test"]
  env      = { A = "${sandbox.base.image} ${sandbox.base.memory}" }
  user     = "1001:1002"
  workdir  = "/home/agent"
  lock     = "gpu"

  build {
    context = "./image"
    args    = { BASE = local.image }
    target  = "last"
  }

  mount {
    source = "./data"
    target = "/data"
  }

  mount {
    source    = "/srv/elsewhere"
    target    = "/elsewhere"
    read_only = false
  }

  service "db" {
    image   = "postgres:17"
    env     = { POSTGRES_PASSWORD = "x" }
    command = ["postgres"]
    memory  = "1GiB"

    ready {
      command = ["pg_isready"]
      timeout = "30s"
    }
  }

  timeouts {
    pull  = "1m"
    build = "2m"
    start = "3m"
    setup = "4m"
    stop  = "5s"
  }
}

case "group/c" {
  description = "a case"
  tags        = ["b", "a", "b"]
  prompt      = file("./prompt.md")
  sandbox     = sandbox.box
  workspace   = "./ws"
  snapshot    = "filesystem"
  protect     = ["a"]
  artifacts   = ["/tmp/*.log"]

  setup {
    command = ["setup"]
    files   = "./setup.sh"
  }

  check "k" {
    command = ["k"]
    files   = ["./k1", "./k2"]
    timeout = "3m"
    weight  = 2
    env     = { LEVEL = 3 }
  }

  solution {
    command = ["solve"]
  }

  asset "weights" {
    url     = "https://example.org/w.bin"
    sha256  = "BA7816BF8F01CFEA414140DE5DAE2223B00361A396177A9CB410FF61F20015AD"
    target  = "/weights/w.bin"
    fixture = ["make"]
  }

  limits {
    wall_clock = "10m"
    tokens     = 11
    cost       = 12
    turns      = 13
    requests   = 14
  }
}

matrix "m" {
  cases      = [case["group/c"]]
  agents     = [agent.a]
  models     = [model.m]
  trials     = 3
  parallel   = 4
  lock       = "gpu"
  params     = { top_p = 0.9 }
  max_errors = "5%"
  fail_fast  = true
  reuse      = false
  if         = var.nightly

  axis "level" {
    values = [{ name = "low", depth = 1 }, { name = "high", depth = 2 }]
  }

  limits {
    wall_clock = "1m"
    tokens     = 1
    cost       = 2
    turns      = 3
    requests   = 4
  }

  budget {
    cost = 4
  }

  retry {
    max_backoff = "1m"
  }

  exclude {
    case  = case["group/c"]
    agent = agent.a
    model = model.m
    axis  = { level = "low" }
  }
}

variable "nightly" {
  default = true
}

matrix "n" {
  cases      = [case["group/c"]]
  agents     = [agent.b]
  seeds      = [3, 1]
  max_errors = 20
  needs      = [matrix.m]
  after      = [matrix.m, gate.g]
  baseline   = matrix.m
  if         = gate.g.outcome == "passed"

  include {
    cases  = [case["group/c"]]
    agents = [agent.a]
    models = [model.n, model.o]
    trials = 1
  }

  axis "level" {
    values = [{ name = "low", depth = 1 }]
  }
}

gate "g" {
  condition        = matrix.m.passed > 0 && length(matrix.m.by_tag) > 0
  message          = "${matrix.m.passed} passed"
  severity         = "warning"
  allow_incomplete = true
  if               = false
}

report "markdown" {
  path     = "out/n.md"
  matrices = [matrix.n]
  rows     = ["category", "axis.level"]
}
`,
		"team.key": "k", "turns.txt": "turn\ntext Done.\n", "old/hello@a+m#1.txt": "", "install.sh": "true\n", "layer/b.Dockerfile": "ARG BASE\nfrom $BASE\n",
		"image/Dockerfile": "FROM x\n", "data/d": "", "prompt.md": "Do it.\n", "ws/a": "a", "setup.sh": "true\n", "k1/one": "1", "k2/two": "2", "cases/README": "",
	})
	s := suiteOf(t, root, nil)
	m, n := s.Matrices[0], s.Matrices[1]
	a, b := s.Agents[0], s.Agents[1]
	box := s.Cases[0].Sandbox
	check(t, "budget", engine.Budget{Cost: 1.5, Tokens: 1000, WallClock: time.Hour}, s.Budget)
	check(t, "suite", []any{"all of it", 2, uint64(7), "results", engine.KeepAll, map[string]int{"gpu": 2}},
		[]any{s.Description, s.Parallel, s.Seed, s.ResultsDir, s.KeepArtifacts, s.Locks})
	check(t, "reads", map[string][]string{"s.hcl": {"prompt.md"}}, s.Reads)

	key, team := &engine.Secret{Name: "key", Env: "KEY", Optional: true}, &engine.Secret{Name: "team", File: "team.key"}
	check(t, "secrets", []*engine.Secret{key, team}, s.Secrets)
	check(t, "providers", []string{"canned", "local", "replayed"}, namesOf(s.Providers, func(p *engine.Provider) string { return p.Name }))
	check(t, "provider", &engine.Provider{
		Name: "local", API: engine.APIAnthropic, Mode: engine.ModeRecord, BaseURL: "https://example.org/v1", Cassette: "cassettes/new", APIKey: key,
		Headers: map[string]engine.HeaderValue{"X-Team": {Secret: team}, "X-Suite": {Text: "s"}}, Parallel: 3,
		Rate: engine.Rate{RequestsPerMinute: 5, TokensPerMinute: 6},
	}, s.Providers[1])
	if got := s.Providers[0]; got.Script == nil || got.Script.Entries[0].Path != "turns.txt" || got.BaseURL != "" {
		t.Errorf("scripted provider: got %+v", got)
	}
	if got := s.Providers[2]; got.Cassette != "old" || got.Recordings == nil || got.Recordings.Path != "old" || got.Recordings.Entries[0].Path != "hello@a+m#1.txt" {
		t.Errorf("provider that replays: got %+v", got)
	}
	price := &engine.Price{Input: 3, Output: 15, CachedInput: new(0.3), CacheWrite: new(3.75)}
	check(t, "price", price, s.Models[0].Price)
	check(t, "price of another model", price, s.Models[1].Price)
	check(t, "params", engine.Params{"temperature": json.RawMessage("0.2"), "stop": json.RawMessage(`["x"]`)}, s.Models[0].Params)
	check(t, "model", []any{"claude-canned", []string{"big"}}, []any{s.Models[1].ID, s.Models[0].Tags})

	check(t, "agent", []any{true, engine.APIResponses, map[string]string{"small": "claude-haiku"}, engine.OtherModelsDeny, []string{"a", "--version"}, []string{"/root/.a/**"}, engine.Limits{Turns: 9, Requests: 90}, true, "install.sh"},
		[]any{a.NeedsModel, a.API, a.Aliases, a.OtherModels, a.Version, a.Artifacts, a.Limits, a.Install, a.Layer.Context.Path})
	check(t, "agent with an image", []any{false, false, "layer", "b.Dockerfile", map[string]string{"V": "1"}},
		[]any{b.NeedsModel, b.Install, b.Layer.Context.Path, b.Layer.Dockerfile, b.Layer.Args})

	check(t, "image", []any{"image", "Dockerfile", map[string]string{"BASE": "debian:trixie-slim"}, "last"},
		[]any{box.Image.Build.Context.Path, box.Image.Build.Dockerfile, box.Image.Build.Args, box.Image.Build.Target})
	check(t, "sandbox", &engine.Sandbox{
		Name: "box", Image: box.Image, CPUs: 0.5, Memory: 3 << 30, PIDs: 64, GPUs: 1, Platform: "linux/amd64", Runtime: "runsc", Network: engine.NetworkGateway, Allow: []string{"api.test"},
		Env: map[string]string{"A": "debian:trixie-slim 3GiB"}, User: engine.User{UID: 1001, GID: 1002}, Workdir: "/home/agent", Lock: "gpu",
		Mounts: []*engine.Mount{{Source: "data", Target: "/data", ReadOnly: true}, {Source: "/srv/elsewhere", Outside: true, Target: "/elsewhere"}},
		Services: []*engine.Service{{
			Name: "db", Image: engine.Image{Ref: "postgres:17"}, Env: map[string]string{"POSTGRES_PASSWORD": "x"}, Command: []string{"postgres"}, Memory: 1 << 30,
			Ready: []string{"pg_isready"}, Timeout: 30 * time.Second,
		}},
		Timeouts: engine.Timeouts{Pull: time.Minute, Build: 2 * time.Minute, Start: 3 * time.Minute, Setup: 4 * time.Minute, Stop: 5 * time.Second},
	}, box)

	c := *s.Cases[0]
	check(t, "files", []string{"one", "two"}, namesOf(c.Checks[0].Script.Files.Entries, func(e engine.TreeEntry) string { return e.Path }))
	check(t, "trees", []string{"ws", "setup.sh"}, []string{c.Workspace.Path, c.Setup.Files.Path})
	c.Workspace, c.Setup, c.Sandbox, c.Checks[0].Script.Files = nil, nil, nil, nil
	sum := engine.Digest{}
	if err := sum.UnmarshalText([]byte("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")); err != nil {
		t.Fatal(err)
	}
	check(t, "case", engine.Case{
		Name: "group/c", Description: "a case", Prompt: "Do it.\n", Tags: []string{"a", "b"}, Snapshot: engine.SnapshotFilesystem, Protect: []string{"a"},
		Artifacts: []string{"/tmp/*.log"}, Solution: &engine.Script{Command: []string{"solve"}}, Files: []string{"s.hcl"},
		Checks: []*engine.Check{{Name: "k", Script: engine.Script{Command: []string{"k"}}, Timeout: 3 * time.Minute, Weight: 2, Env: map[string]string{"LEVEL": "3"}}},
		Assets: []*engine.Asset{{Name: "weights", URL: "https://example.org/w.bin", SHA256: sum, Target: "/weights/w.bin", Fixture: &engine.Script{Command: []string{"make"}}}},
		Limits: engine.Limits{WallClock: 10 * time.Minute, Tokens: 11, Cost: 12, Turns: 13, Requests: 14},
	}, c)

	yes := true
	low, high := json.RawMessage(`{"depth":1,"name":"low"}`), json.RawMessage(`{"depth":2,"name":"high"}`)
	check(t, "matrix", &engine.Matrix{
		Name: "m", Cases: m.Cases, Agents: m.Agents, Models: m.Models, Trials: 3, Parallel: 4, Lock: "gpu", Params: engine.Params{"top_p": json.RawMessage("0.9")},
		MaxErrors: engine.MaxErrors{Percent: 5}, FailFast: true, If: &engine.Condition{Text: "var.nightly", Static: &yes},
		Axes:    []*engine.Axis{{Name: "level", Values: []engine.AxisValue{{Name: "low", Value: low}, {Name: "high", Value: high}}}},
		Limits:  engine.Limits{WallClock: time.Minute, Tokens: 1, Cost: 2, Turns: 3, Requests: 4},
		Budget:  engine.Budget{Cost: 4},
		Retry:   engine.Retry{Attempts: 4, On: []engine.Reason{engine.ReasonHost}, Backoff: 5 * time.Second, MaxBackoff: time.Minute},
		Exclude: []*engine.Exclude{{Cases: m.Cases, Agent: a, Model: s.Models[0], Axes: map[string]json.RawMessage{"level": json.RawMessage(`"low"`)}}},
	}, m)
	check(t, "other matrix", []any{[]uint64{3, 1}, 2, engine.MaxErrors{Count: 20}, "m", []string{"gate.g"}, true, []string{"g"}},
		[]any{n.Seeds, n.Trials, n.MaxErrors, n.Baseline.Matrix.Name, []string{n.After[1].Ref()}, n.Reuse, n.If.Gates})
	check(t, "gate", &engine.Gate{
		Name: "g", Message: `"${matrix.m.passed} passed"`, Severity: engine.SeverityWarning, AllowIncomplete: true,
		Condition: &engine.Condition{Text: "matrix.m.passed > 0 && length(matrix.m.by_tag) > 0", Matrices: []string{"m"}},
	}, s.Gates[0])
	check(t, "report", []any{"markdown", []string{"category", "axis.level"}, "n"}, []any{s.Reports[0].Format, s.Reports[0].Rows, s.Reports[0].Matrices[0].Name})

	inv, err := a.Bind(engine.TrialValues{Model: s.Models[0], Axes: []engine.AxisPoint{{Axis: "level", Value: m.Axes[0].Values[1]}}})
	if err != nil {
		t.Fatal(err)
	}
	check(t, "invocation", engine.Invocation{Command: []string{"a", "claude"}, Env: map[string]string{"LEVEL": "2"}}, inv)
}

func namesOf[T any](list []T, name func(T) string) []string {
	var out []string
	for _, e := range list {
		out = append(out, name(e))
	}
	return out
}

// tiny is a suite with one agent and one matrix, and room for more.
func tiny(agent, matrix, more string) map[string]string {
	return map[string]string{"cases/README": "", "s.hcl": fmt.Sprintf(`suite "s" {}

sandbox "box" {
  image = "debian:trixie-slim"
}

case "c" {
  prompt  = "say ${"$"}{x}"
  sandbox = sandbox.box

  check "k" {
    command = ["true"]
  }

  solution {
    command = ["true"]
  }
}

model "m" {
  provider = provider.openai
  id       = "gpt"
}

agent "a" {
%s
}

matrix "m" {
  cases  = [case.c]
  agents = [agent.a]
%s
}

%s`, agent, matrix, more)}
}

var anyTrial = engine.TrialValues{
	Case: "c", Agent: "a", N: 2, Seed: 1<<64 - 1, Prompt: "say ${x}", PromptFile: "/p", Workspace: "/w", Gateway: engine.Gateway{URL: "http://g", Token: "t"},
	Model: &engine.Model{Name: "m", ID: "gpt", Provider: &engine.Provider{Name: "openai", API: engine.APIOpenAI}},
	Axes:  []engine.AxisPoint{{Axis: "level", Value: engine.AxisValue{Name: "low", Value: json.RawMessage(`{"n":[1,"x"]}`)}}},
}

// Agents are told what they ask for, and nothing is evaluated twice in another way.
func TestBind(t *testing.T) {
	for _, tt := range []struct{ command, env, want string }{
		{`["x", trial.case, trial.agent, trial.n, trial.seed]`, `{}`, `x c a 2 18446744073709551615`},
		{`["x", trial.prompt, trial.prompt_file, trial.workspace, "$${HOME}"]`, `{}`, "x say ${x} /p /w ${HOME}"},
		{`["x"]`, `{ A = trial.gateway.url, B = "${trial.gateway.token}!" }`, `x A=http://g B=t!`},
		{`["x", trial.model.name, trial.model.id, trial.model.provider, trial.model.api]`, `{}`, `x m gpt openai openai`},
		{`["x", jsonencode(trial.axis)]`, `{}`, `x {"level":{"n":[1,"x"]}}`},
		{`["x", trial.axis.level.n[1], try(trial.axis.none, "none"), can(trial.axis.none)]`, `{}`, `x x none false`},
		{`concat(["x"], [for k, v in trial.axis : k])`, `{ for k, v in trial.axis : upper(k) => v.n[0] }`, `x level LEVEL=1`},
		{`["x", can(regex("seed", jsonencode(trial)))]`, `{}`, `x true`},
		{`trial.n > 1 ? ["many"] : ["one"]`, `{ N = trial.n > 1 ? "2" : "1" }`, `many N=2`},
		{`["x", trial["case"]]`, `{ (upper(trial.case)) = "y" }`, `x c C=y`},
	} {
		s := suiteOf(t, project(t, tiny("command = "+tt.command+"\nenv = "+tt.env, "models = [model.m]\naxis \"level\" {\n values = [1]\n}", "")), nil)
		for range 2 {
			inv, err := s.Agents[0].Bind(anyTrial)
			if err != nil {
				t.Errorf("%s: %v", tt.command, err)
				continue
			}
			got := strings.Join(inv.Command, " ")
			for _, k := range slices.Sorted(maps.Keys(inv.Env)) {
				got += " " + k + "=" + inv.Env[k]
			}
			if got != tt.want || inv.Sensitive != nil {
				t.Errorf("%s: got %q (%v), want %q", tt.command, got, inv.Sensitive, tt.want)
			}
		}
	}
}

// An agent that needs no model is not asked for one, and can be careful itself.
func TestBindWithoutModel(t *testing.T) {
	s := suiteOf(t, project(t, tiny("needs_model = false\ncommand = [\"x\", trial.model == null, try(trial.model.id, \"none\"), trial.n]", "", "")), nil)
	none := anyTrial
	none.Model = nil
	inv, err := s.Agents[0].Bind(none)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "command", []string{"x", "true", "none", "2"}, inv.Command)
}

// What cannot be said before a trial is known is said for that trial, with its
// place, and without values that are sensitive.
func TestBindErrors(t *testing.T) {
	const hide = "variable \"v\" {\n default = \"hunter2\"\n sensitive = true\n}\n"
	for _, tt := range []struct{ command, env, want string }{
		{`[trial.n > 1 ? "" : "x"]`, `{}`, "s.hcl:26:11: the command is empty"},
		{`trial.n > 1 ? [] : ["x"]`, `{}`, "s.hcl:26:11: the command is empty"},
		{`["x", trial.axis.level]`, `{}`, "s.hcl:26:17: a string is expected here"},
		{`["x", trial.axis.level.none]`, `{}`, "unsupported attribute"},
		{`["x", trial.n > 1 ? null : "x"]`, `{}`, "s.hcl:26:17: a string is expected here"},
		{`["x"]`, `{ (trial.n > 1 ? "BENCH_X" : "X") = "1" }`, "s.hcl:26:11: BENCH_X is set by bench"},
		{`["x"]`, `{ (trial.n > 1 ? "A=B" : "X") = "1" }`, "s.hcl:26:11: \"A=B\" cannot be an environment variable"},
		{`["x", trial.n > 1 ? "a\u0000" : "x"]`, `{}`, "s.hcl:26:11: a NUL in a command or in an environment variable"},
		{`["x"]`, `{ A = tonumber("${var.v}${trial.n}") }`, "s.hcl:27:7: a sensitive value cannot be used in this way"},
	} {
		s := suiteOf(t, project(t, tiny("command = "+tt.command+"\nenv = "+tt.env, "models = [model.m]\naxis \"level\" {\n values = [1]\n}", hide)), nil)
		_, err := s.Agents[0].Bind(anyTrial)
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), "hunter") {
			t.Errorf("%s %s: got %v, want %q", tt.command, tt.env, err, tt.want)
		}
	}
}

// What is sensitive is named, however it came there, and is nowhere in the suite.
func TestSensitive(t *testing.T) {
	const more = `
variable "token" {
  default   = "hunter2"
  sensitive = true
}

variable "map" {
  default   = { SECRET = "hunter2" }
  sensitive = true
}

variable "plain" {
  default = 3
}

locals {
  header = "Bearer ${var.token}"
}
`
	for _, tt := range []struct {
		command, env string
		want         []string
	}{
		{`["x", var.plain]`, `{ A = "b" }`, nil},
		{`["x", var.token]`, `{ A = "b" }`, []string{"command"}},
		{`["x", "${upper(local.header)} ${trial.n}"]`, `{ A = "b" }`, []string{"command"}},
		{`["x"]`, `{ A = "b", B = local.header, C = "${trial.n} ${var.token}" }`, []string{"B", "C"}},
		{`["x"]`, `merge({ A = "b" }, var.map)`, []string{"A", "SECRET"}},
		{`["x"]`, `trial.n > 1 ? var.map : {}`, []string{"SECRET"}},
		{`["x"]`, `{ for k in ["A"] : k => trial.n > 1 ? var.token : "" }`, []string{"A"}},
		{`["x", var.token]`, `{ "${var.token}" = "b" }`, []string{"command", "hunter2"}},
	} {
		s := suiteOf(t, project(t, tiny("needs_model = false\ncommand = "+tt.command+"\nenv = "+tt.env, "", more)), nil)
		inv, err := s.Agents[0].Bind(anyTrial)
		if err != nil {
			t.Fatal(err)
		}
		check(t, tt.command+" "+tt.env, tt.want, inv.Sensitive)
		s.Root = ""
		if text := fmt.Sprintf("%+v %+v %+v", *s, *s.Matrices[0], *s.Agents[0]); strings.Contains(text, "hunter2") {
			t.Errorf("a sensitive value is in the suite: %s", text)
		}
		text, err := json.Marshal(s.Variables)
		if err != nil || strings.Contains(string(text), "hunter2") {
			t.Errorf("variables (%v): %s", err, text)
		}
		for _, v := range s.Variables {
			if v.Sensitive != (v.Name != "plain") || v.Sum.IsZero() || (v.Value == "") != v.Sensitive {
				t.Errorf("variable %+v", v)
			}
		}
	}
}

// Limits and params of a matrix may depend on the trial.
func TestVary(t *testing.T) {
	s := suiteOf(t, project(t, tiny(`command = ["x"]`, `models = [model.m]
axis "level" {
  values = [{ name = "low", n = [1] }]
}
params = { temperature = trial.axis.level.n[0], who = trial.agent }
limits {
  tokens     = 100 * trial.n
  turns      = trial.n
  requests   = 10 * trial.n
  cost       = trial.n / 4
  wall_clock = "${trial.n}m"
}`, "")), nil)
	l, p, err := s.Matrices[0].Vary(anyTrial)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "limits", engine.Limits{WallClock: 2 * time.Minute, Tokens: 200, Cost: 0.5, Turns: 2, Requests: 20}, l)
	check(t, "params", engine.Params{"temperature": json.RawMessage("1"), "who": json.RawMessage(`"a"`)}, p)

	for _, tt := range []struct{ matrix, want string }{
		{"limits {\n turns = trial.n - 2\n}", "turns: it must be a whole number of at least 1, not 0"},
		{"limits {\n requests = trial.n - 2\n}", "requests: it must be a whole number of at least 1, not 0"},
		{"limits {\n cost = trial.n - 2\n}", "cost: it must be between"},
		{"limits {\n tokens = trial.n / 4\n}", "tokens: it must be a whole number of at least 1, not 0.5"},
		{"limits {\n wall_clock = trial.n\n}", "wall_clock: \"2\" is not a duration"},
		{"limits {\n tokens = trial.axis.level.none\n}", "unsupported attribute"},
		{"params = trial.axis.level.n", "params must be an object"},
		{"params = { model = trial.agent }", "params cannot have model"},
		{"params = trial.axis.level.none", "unsupported attribute"},
	} {
		axis := "axis \"level\" {\n values = [1, \"x\"]\n}\n"
		s := suiteOf(t, project(t, tiny(`command = ["x"]`, "models = [model.m]\n"+axis+tt.matrix, "")), nil)
		if _, _, err := s.Matrices[0].Vary(anyTrial); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.matrix, err, tt.want)
		}
	}
}

// A provider that is declared takes the place of the built-in one. Only one that
// says nothing of its address keeps it, with the API that is spoken there.
func TestPredeclaredProviders(t *testing.T) {
	for _, tt := range []struct {
		block string
		want  engine.Provider
	}{
		{"", engine.Provider{API: engine.APIAnthropic, BaseURL: "https://api.anthropic.com/v1", Parallel: 8, Predeclared: true, APIKey: &engine.Secret{Name: "anthropic", Env: "ANTHROPIC_API_KEY"}}},
		{"parallel = 2", engine.Provider{API: engine.APIAnthropic, BaseURL: "https://api.anthropic.com/v1", Parallel: 2}},
		{"base_url = \"https://proxy.example.org\"", engine.Provider{API: engine.APIOpenAI, BaseURL: "https://proxy.example.org", Parallel: 8}},
		{"base_url = \"https://proxy.example.org\"\napi = \"anthropic\"", engine.Provider{API: engine.APIAnthropic, BaseURL: "https://proxy.example.org", Parallel: 8}},
	} {
		more := "model \"n\" {\n provider = provider.anthropic\n id = \"claude\"\n}\n"
		if tt.block != "" {
			more += "provider \"anthropic\" {\n" + tt.block + "\n}\n"
		}
		s := suiteOf(t, project(t, tiny("command = [\"x\"]\napi = \"anthropic\"", "models = [model.n]", more)), nil)
		tt.want.Name, tt.want.Mode = "anthropic", engine.ModeLive
		check(t, tt.block, &tt.want, s.Providers[0])
	}
}

// A declared secret may have the name of the one of a built-in provider.
func TestSecretsOfOneName(t *testing.T) {
	more := `
secret "openai" {
  env = "OTHER_KEY"
}

provider "proxy" {
  base_url = "http://127.0.0.1/v1"
  api_key  = secret.openai
}

model "n" {
  provider = provider.proxy
  id       = "x"
}
`
	s := suiteOf(t, project(t, tiny(`command = ["x"]`, "models = [model.m, model.n]", more)), nil)
	check(t, "secrets", []*engine.Secret{{Name: "OPENAI_API_KEY", Env: "OPENAI_API_KEY"}, {Name: "openai", Env: "OTHER_KEY"}}, s.Secrets)
}

// Values that are given take the place of defaults, and are of the same type.
func TestGivenValues(t *testing.T) {
	more := `
variable "text" {
  default = "x"
}

variable "number" {
  type = number
}

variable "list" {
  default = ["a", "b"]
}

variable "empty" {
  default = []
}

variable "any" {}

variable "object" {
  type    = object({ a = number })
  default = { a = 1 }
}
`
	text := func(s string) lang.Var { return lang.Var{Text: s, File: "--var"} }
	root := project(t, tiny(`needs_model = false
command = ["x", var.text, var.number, join("+", var.list), length(var.empty), var.any, var.object.a]`, "", more))
	s := suiteOf(t, root, map[string]lang.Var{
		"text": text(`["not a list"]`), "number": text("1e3"), "list": text(`["c"]`), "empty": text(`[1, 2, 3]`), "any": text("[word]"), "object": text("{ a = 1 + 1 }"),
	})
	inv, err := s.Agents[0].Bind(anyTrial)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "command", []string{"x", `["not a list"]`, "1000", "c", "3", "[word]", "2"}, inv.Command)
	check(t, "variables", []string{"any", "empty", "list", "number", "object", "text"}, namesOf(s.Variables, func(v *engine.Variable) string { return v.Name }))
	check(t, "value", `["c"]`, s.Variables[2].Value)

	file := filepath.Join(root, "values.hcl")
	if err := os.WriteFile(file, []byte("number = 5\nlist = []\nany = true\nempty = [\"x\"]\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	vars, _, diags := lang.ReadVarFile(file)
	if len(diags) > 0 {
		t.Fatal(diags)
	}
	inv, err = suiteOf(t, root, vars).Agents[0].Bind(anyTrial)
	if err != nil {
		t.Fatal(err)
	}
	check(t, "command with a file", []string{"x", "x", "5", "", "1", "true", "1"}, inv.Command)
}

// Images are what the lock file says that they are.
func TestLockFile(t *testing.T) {
	const sum = "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	pins := []lang.Pin{{Ref: "debian:trixie-slim", To: "debian@" + sum}, {Ref: "local/built:1", To: sum}}
	files := tiny(`command = ["x"]`, "models = [model.m]", "")
	files[lang.LockFile] = string(lang.FormatLock(pins))
	root := project(t, files)
	suite, sources, diags := lang.Load(filepath.Join(root, "s.hcl"), lang.Options{Root: root})
	if len(diags) > 0 {
		show(t, sources, diags)
	}
	check(t, "image", engine.Image{Ref: "debian:trixie-slim", Pin: "debian@" + sum}, suite.Cases[0].Sandbox.Image)
	check(t, "pins", map[string]string{"debian:trixie-slim": "debian@" + sum, "local/built:1": sum}, sources.Pins())
	check(t, "pin", "local/built:1 is "+sum, pins[1].String())
	if !slices.ContainsFunc(suite.Sources, func(s engine.Source) bool { return s.Path == lang.LockFile }) {
		t.Errorf("the lock file is not among the sources: %v", suite.Sources)
	}
	formatted, _, _ := lang.Format(lang.LockFile, []byte(files[lang.LockFile]))
	check(t, "format", files[lang.LockFile], string(formatted))
}

// What came of the trials can be asked for, as in a gate.
func TestSessionEval(t *testing.T) {
	root := project(t, tiny("needs_model = false\ncommand = [\"x\"]", "axis \"level\" {\n values = [1, 2]\n}", `
variable "token" {
  default   = "hunter2"
  sensitive = true
}

gate "g" {
  condition = matrix.m.passed > 0 && matrix.m.by_axis["level"][2].passed == 1
}
`))
	session, sources, diags := lang.Open(filepath.Join(root, "s.hcl"), lang.Options{Root: root})
	if session == nil {
		show(t, sources, diags)
	}
	results := lang.Results{"m": json.RawMessage(`{"passed": 3, "trials": 4, "pass_rate": 0.75, "by_agent": {"a": {"passed": 3}}, "metrics": {"loss": {"mean": 0.5}}, "errors": {"host": 2}}`)}
	for _, tt := range []struct {
		text    string
		results lang.Results
		want    string
	}{
		{"1 + 1", nil, "2"},
		{"case.c.prompt", nil, `"say $${x}"`},
		{"matrix.m.passed", nil, "(not known before the trials have ended)"},
		{"matrix.m.passed", results, "3"},
		{"matrix.m.by_agent[\"a\"].passed", results, "3"},
		{"matrix.m.by_axis[\"level\"][\"1\"] == null", results, "true"},
		{"matrix.m.metrics[\"loss\"].mean", results, "0.5"},
		{"matrix.m.cost == null", results, "true"},
		{"matrix.m.errors[\"host\"]", results, "2"},
		{"matrix.m.errors[\"provider\"]", results, "0"},
		{"matrix.m.limits.limit_memory == null", results, "error: attempt to get attribute from null value"},
		{"matrix.m.errors.hots", results, "error: no trial can end with \"hots\""},
		{"gate.g.outcome", results, "(not known before the trials have ended)"},
		{"var.token", nil, "(sensitive)"},
		{"matrix.m.passd", results, "error: matrix \"m\" has no result \"passd\""},
		{"matrix.m.by_agent[\"b\"]", results, "error: matrix \"m\" has no agent \"b\""},
		{"trial.n", nil, "error: trial is known only per trial"},
		{"1 +", nil, "error:"},
	} {
		for range 2 { // the second time is as the first
			got, _, diags := session.Eval(tt.text, tt.results)
			for _, d := range diags {
				got += "error: " + d.Summary
			}
			if got != tt.want && (tt.want != "error:" || !strings.HasPrefix(got, tt.want)) {
				t.Errorf("%s: got %s, want %s", tt.text, got, tt.want)
			}
		}
	}
}
