package plan_test

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// A world is a suite with one of everything that can be in a key.
type world struct {
	suite    *engine.Suite
	matrix   *engine.Matrix
	c        *engine.Case
	box      *engine.Sandbox
	a        *engine.Agent
	inv      *engine.Invocation // what Bind gives
	model    *engine.Model
	provider *engine.Provider
}

func tree(t testing.TB, files ...string) *engine.Tree {
	t.Helper()
	m := fstest.MapFS{}
	for _, f := range files {
		name, text, _ := strings.Cut(f, "=")
		m[name] = &fstest.MapFile{Data: []byte(text)}
	}
	out, err := digest.Tree("t", m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tape is a cassette with what the trials of a world have recorded, the first one
// of them the given text.
func tape(t testing.TB, text string) *engine.Tree {
	t.Helper()
	files := []string{"a@a2+m2#1.txt=" + text, "a@run+gpt#1.txt=" + text, "a@run+other#1.txt=" + text}
	for n := range 7 {
		files = append(files, fmt.Sprintf("a@run+gpt#%d.txt", n+2), fmt.Sprintf("a@run+other#%d.txt", n+2))
	}
	return tree(t, files...)
}

func newWorld(t testing.TB) *world {
	w := &world{inv: &engine.Invocation{Command: []string{"run"}, Env: map[string]string{"LEVEL": "1", "TOKEN": "hush"}, Sensitive: []string{"TOKEN"}}}
	w.box = &engine.Sandbox{
		Name: "box", Image: engine.Image{Ref: "debian", Pin: "debian@sha256:1"}, CPUs: 1, Memory: 1 << 30, PIDs: 64, GPUs: 1, Platform: "linux/amd64",
		Network: engine.NetworkGateway, Allow: []string{"api.test"}, Env: map[string]string{"A": "1"}, User: engine.DefaultUser, Workdir: "/workspace",
		Mounts:   []*engine.Mount{{Source: "data", Target: "/data", ReadOnly: true}},
		Runtime:  "runsc",
		Services: []*engine.Service{{Name: "db", Image: engine.Image{Ref: "postgres"}, Env: map[string]string{"P": "1"}, Command: []string{"pg"}, Memory: 1 << 20, Ready: []string{"ok"}, Timeout: time.Minute}},
	}
	w.c = newCase("a")
	w.c.Sandbox, w.c.Workspace, w.c.Snapshot, w.c.Protect = w.box, tree(t, "w"), engine.SnapshotWorkspace, []string{"*.py"}
	w.c.Setup = &engine.Script{Command: []string{"setup"}, Files: tree(t, "s")}
	w.c.Assets = []*engine.Asset{
		{Name: "weights", URL: "https://a.example", SHA256: engine.Digest{1}, Target: "/assets/w", Fixture: &engine.Script{Command: []string{"make"}, Files: tree(t, "f")}},
		{Name: "rows", Target: "/assets/r", Fixture: &engine.Script{Command: []string{"make"}, Files: tree(t, "f")}},
	}
	w.c.Checks[0].Script.Files, w.c.Checks[0].Env = tree(t, "c"), map[string]string{"C": "1"}
	w.a = &engine.Agent{
		Name: "run", NeedsModel: true, API: engine.APIOpenAI, Install: true, Aliases: map[string]string{"small": "gpt-5-nano"}, OtherModels: engine.OtherModelsRewrite,
		Layer: &engine.Build{Context: tree(t, "install.sh"), Dockerfile: "install.sh", Args: map[string]string{"V": "1"}, Target: "stage"},
		Bind:  func(engine.TrialValues) (engine.Invocation, error) { return *w.inv, nil },
	}
	w.provider = &engine.Provider{
		Name: "up", API: engine.APIOpenAI, Mode: engine.ModeReplay, BaseURL: "https://up.example", Cassette: "tape", Recordings: tape(t, "a"), Script: tree(t, "turns"),
		APIKey: &engine.Secret{Name: "key"}, Headers: map[string]engine.HeaderValue{"X-A": {Text: "a"}, "X-B": {Secret: &engine.Secret{Name: "b"}}},
	}
	w.model = &engine.Model{Name: "gpt", Provider: w.provider, ID: "gpt-5", Params: engine.Params{"temperature": json.RawMessage("0")}, Price: &engine.Price{}}
	w.matrix = matrixOf("m", []*engine.Case{w.c}, []*engine.Agent{w.a}, w.model)
	w.matrix.Limits = engine.Limits{WallClock: time.Minute, Tokens: 100, Cost: 0.5, Turns: 10, Requests: 30}
	w.suite = suiteOf(w.matrix)
	return w
}

// What local sandboxes gave is never taken for what a container would have given:
// no run and no check of the one has a key of the other.
func TestKeysOfDrivers(t *testing.T) {
	plain := func() *engine.Suite {
		return suiteOf(matrixOf("m", []*engine.Case{newCase("a")}, []*engine.Agent{command("run")}))
	}
	inDocker := newPlan(t, plain(), nil).Trials[0]
	p, diags := plan.New(plain(), nil, plan.Options{Driver: engine.DriverLocal})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	local := p.Trials[0]
	if local.Run.Key.Sum == inDocker.Run.Key.Sum || local.Check.Key.Sum == inDocker.Check.Key.Sum {
		t.Error("a local result has the key of another")
	}
	var h history
	h.add(local, passed)
	if got := newPlan(t, plain(), &h).Trials[0].Reuse.Sign; got == engine.SignSame || got == engine.SignRegrade {
		t.Errorf("a local result is reused for a container: %s", got)
	}
	if p, _ = plan.New(plain(), &h, plan.Options{Driver: engine.DriverLocal}); p.Trials[0].Reuse.Sign != engine.SignSame {
		t.Errorf("a local result is not reused locally: %s", p.Trials[0].Reuse.Sign)
	}
}

// What decides whether work is equal: each part of the world is changed alone,
// and the parts of keys that name it change with it, and no others.
func TestKeys(t *testing.T) {
	base := newPlan(t, newWorld(t).suite, nil).Trials[0]
	layer := "sandbox.image agent.layer"
	for _, tt := range []struct {
		name   string
		change func(*world)
		run    string // parts that change
		check  string // the same; the part run follows from the key of the run
	}{
		{"nothing", func(*world) {}, "", ""},
		{"name of the suite", func(w *world) { w.suite.Name = "other" }, "", ""},
		{"name of the matrix", func(w *world) { w.matrix.Name = "other" }, "", ""},
		{"words for people", func(w *world) { w.c.Description, w.c.Tags, w.c.Pos.Line = "x", []string{"y"}, 9 }, "", ""},
		{"names of the sandbox, the agent and the model", func(w *world) {
			w.box.Name, w.a.Name, w.model.Name = "b2", "a2", "m2"
			w.matrix.Seeds = []uint64{base.Seed}
		}, "", ""},
		{"timeouts and locks of the sandbox", func(w *world) { w.box.Timeouts.Pull, w.box.Lock, w.matrix.Lock = 1, "l", "m" }, "", ""},
		{"artifacts", func(w *world) { w.c.Artifacts, w.a.Artifacts = []string{"x"}, []string{"y"} }, "", ""},
		{"retry, budget, errors", func(w *world) { w.matrix.Retry.Attempts, w.matrix.Budget.Tokens, w.matrix.MaxErrors.Count = 9, 9, 9 }, "", ""},
		{"pace and key of the provider", func(w *world) { w.provider.Parallel, w.provider.Rate.RequestsPerMinute, w.provider.APIKey = 9, 9, nil }, "", ""},
		{"price", func(w *world) { w.model.Price.Input = 9 }, "", ""},
		{"solution, which this agent never sees", func(w *world) { w.c.Solution.Command = []string{"x"} }, "", ""},
		{"a limit that does not bind", func(w *world) { w.c.Limits.WallClock, w.a.Limits.Tokens = time.Hour, 200 }, "", ""},

		{"prompt", func(w *world) { w.c.Prompt = "other" }, "prompt", ""},
		{"workspace", func(w *world) { w.c.Workspace = tree(t, "w=other") }, "workspace", ""},
		{"no workspace", func(w *world) { w.c.Workspace = nil }, "workspace", ""},
		{"setup", func(w *world) { w.c.Setup.Command = []string{"x"} }, "setup.command", ""},
		{"files of the setup", func(w *world) { w.c.Setup.Files = tree(t, "s=other") }, "setup.files", ""},
		{"no setup", func(w *world) { w.c.Setup = nil }, "setup setup.command setup.files", ""},
		{"snapshot", func(w *world) { w.c.Snapshot = engine.SnapshotFilesystem }, "snapshot", "snapshot"},
		{"asset: url, and a fixture that is not used", func(w *world) { w.c.Assets[0].URL, w.c.Assets[0].Fixture = "x", nil }, "", ""},
		{"asset: sha256", func(w *world) { w.c.Assets[0].SHA256[0]++ }, "asset.weights.sha256", ""},
		{"asset: target", func(w *world) { w.c.Assets[0].Target = "/assets/x" }, "asset.weights.target", ""},
		{"asset: fixture", func(w *world) { w.c.Assets[1].Fixture.Command = []string{"x"} }, "asset.rows.fixture.command", ""},
		{"asset: files of a fixture", func(w *world) { w.c.Assets[1].Fixture.Files = tree(t, "x") }, "asset.rows.fixture.files", ""},
		{"asset: variant", func(w *world) { w.c.Assets[0].URL = "" }, "asset.weights.fixture.command asset.weights.fixture.files asset.weights.sha256 asset.weights.variant", ""},

		{"image", func(w *world) { w.box.Image.Ref = "alpine" }, layer, "sandbox.image"},
		{"pin of the image", func(w *world) { w.box.Image.Pin = "debian@sha256:2" }, layer, "sandbox.image"},
		{"no pin of the image", func(w *world) { w.box.Image.Pin = "" }, layer, "sandbox.image"},
		{"image that is built", func(w *world) { w.box.Image = engine.Image{Build: &engine.Build{}} }, layer, "sandbox.image"},
		{"platform", func(w *world) { w.box.Platform = "linux/arm64" }, layer + " sandbox.platform sandbox.service.db.image", "sandbox.image"},
		{"runtime", func(w *world) { w.box.Runtime = "kata" }, "sandbox.runtime", ""},
		{"no runtime", func(w *world) { w.box.Runtime = "" }, "sandbox.runtime", ""},
		{"cpus", func(w *world) { w.box.CPUs = 2 }, "sandbox.cpus", ""},
		{"memory", func(w *world) { w.box.Memory++ }, "sandbox.memory", ""},
		{"pids", func(w *world) { w.box.PIDs++ }, "sandbox.pids", ""},
		{"gpus", func(w *world) { w.box.GPUs++ }, "sandbox.gpus", ""},
		{"network", func(w *world) { w.box.Network = engine.NetworkOpen }, "sandbox.network", ""},
		{"allow_hosts", func(w *world) { w.box.Allow = append(w.box.Allow, "x") }, "sandbox.allow_hosts", ""},
		{"env of the sandbox", func(w *world) { w.box.Env["A"] = "2" }, "sandbox.env.A", ""},
		{"user", func(w *world) { w.box.User.GID++ }, "sandbox.user", ""},
		{"workdir", func(w *world) { w.box.Workdir = "/x" }, "sandbox.workdir", ""},
		{"mount: source", func(w *world) { w.box.Mounts[0].Source = "x" }, "sandbox.mount./data.source", ""},
		{"mount: read_only", func(w *world) { w.box.Mounts[0].ReadOnly = false }, "sandbox.mount./data.read_only", ""},
		{"mount: target", func(w *world) { w.box.Mounts[0].Target = "/x" }, "sandbox.mount./data.read_only sandbox.mount./data.source sandbox.mount./x.read_only sandbox.mount./x.source", ""},
		{"service: image", func(w *world) { w.box.Services[0].Image.Ref = "x" }, "sandbox.service.db.image", ""},
		{"service: env", func(w *world) { w.box.Services[0].Env["P"] = "2" }, "sandbox.service.db.env.P", ""},
		{"service: command", func(w *world) { w.box.Services[0].Command = nil }, "sandbox.service.db.command", ""},
		{"service: memory", func(w *world) { w.box.Services[0].Memory = 0 }, "sandbox.service.db.memory", ""},
		{"service: ready", func(w *world) { w.box.Services[0].Ready = nil }, "sandbox.service.db.ready", ""},
		{"service: timeout", func(w *world) { w.box.Services[0].Timeout++ }, "sandbox.service.db.timeout", ""},

		{"layer: files", func(w *world) { w.a.Layer.Context = tree(t, "install.sh=other") }, "agent.layer", ""},
		{"layer: kind", func(w *world) { w.a.Install = false }, "agent.layer", ""},
		{"layer: dockerfile", func(w *world) { w.a.Layer.Dockerfile = "x" }, "agent.layer", ""},
		{"layer: args", func(w *world) { w.a.Layer.Args["V"] = "2" }, "agent.layer", ""},
		{"layer: target", func(w *world) { w.a.Layer.Target = "x" }, "agent.layer", ""},
		{"no layer", func(w *world) { w.a.Layer = nil }, "agent.layer", ""},
		{"command", func(w *world) { w.inv.Command = []string{"x"} }, "agent.command", ""},
		{"env of the agent", func(w *world) { w.inv.Env["LEVEL"] = "2" }, "agent.env.LEVEL", ""},
		{"sensitive env of the agent", func(w *world) { w.inv.Env["TOKEN"] = "louder" }, "agent.env.TOKEN", ""},
		{"another env of the agent", func(w *world) { w.inv.Env["X"] = "" }, "agent.env.X", ""},
		{"builtin", func(w *world) { w.a.Builtin, w.a.Bind = engine.BuiltinReact, nil }, "agent.builtin agent.command agent.env.LEVEL agent.env.TOKEN", ""},
		{"api of the agent", func(w *world) { w.a.API, w.provider.API = engine.APIGoogle, engine.APIGoogle }, "agent.api model.api", ""},
		{"alias", func(w *world) { w.a.Aliases["small"] = "x" }, "agent.aliases.small", ""},
		{"another alias", func(w *world) { w.a.Aliases["large"] = "x" }, "agent.aliases.large", ""},
		{"other models", func(w *world) { w.a.OtherModels = engine.OtherModelsDeny }, "agent.other_models", ""},

		{"model", func(w *world) { w.model.ID = "x" }, "model.id", ""},
		{"params of the model", func(w *world) { w.model.Params["temperature"] = json.RawMessage("0.2") }, "model.params.temperature", ""},
		{"params of the matrix", func(w *world) { w.matrix.Params = engine.Params{"top_p": json.RawMessage("1")} }, "model.params.top_p", ""},
		{"params of the trial", func(w *world) {
			w.matrix.Vary = func(engine.TrialValues) (engine.Limits, engine.Params, error) {
				return w.matrix.Limits, engine.Params{"temperature": json.RawMessage("1")}, nil
			}
		}, "model.params.temperature", ""},
		{"provider", func(w *world) { w.provider.Name = "x" }, "model.provider", ""},
		{"mode", func(w *world) { w.provider.Mode = engine.ModeLive }, "provider.cassette provider.mode", ""},
		{"where the cassette lies", func(w *world) { w.provider.Cassette = "x" }, "", ""},
		{"recording", func(w *world) { w.provider.Recordings = tape(t, "b") }, "provider.cassette", ""},
		{"recordings of others", func(w *world) {
			w.provider.Recordings = tree(t, "a@run+gpt#1.txt=a", "a@run+gpt#2.txt=other", "a@a2+m2#1.txt")
		}, "", ""},
		{"base_url", func(w *world) { w.provider.BaseURL = "x" }, "provider.base_url", ""},
		{"script", func(w *world) { w.provider.Script = tree(t, "turns=other") }, "provider.script", ""},
		{"header", func(w *world) { w.provider.Headers["X-A"] = engine.HeaderValue{Text: "b"} }, "provider.headers.X-A", ""},
		{"header with a secret", func(w *world) { w.provider.Headers["X-B"] = engine.HeaderValue{Secret: &engine.Secret{Name: "c"}} }, "provider.headers.X-B", ""},
		{"header that looks like one", func(w *world) { w.provider.Headers["X-B"] = engine.HeaderValue{Text: "secret.b"} }, "provider.headers.X-B", ""},

		{"wall_clock", func(w *world) { w.matrix.Limits.WallClock = time.Second }, "limits.wall_clock", ""},
		{"tokens", func(w *world) { w.a.Limits.Tokens = 1 }, "limits.tokens", ""},
		{"cost", func(w *world) { w.c.Limits.Cost = 0.1 }, "limits.cost", ""},
		{"turns", func(w *world) { w.matrix.Limits.Turns = 0 }, "limits.turns", ""},
		{"requests", func(w *world) { w.matrix.Limits.Requests = 20 }, "limits.requests", ""},
		{"other requests", func(w *world) { w.c.Limits.Requests = 5 }, "limits.requests", ""},
		{"no bound on requests", func(w *world) { w.matrix.Limits.Requests = 0 }, "limits.requests", ""},
		{"seed", func(w *world) { w.suite.Seed++ }, "seed", ""},
		{"seeds", func(w *world) { w.matrix.Seeds = []uint64{1} }, "seed", ""},

		{"protect", func(w *world) { w.c.Protect = nil }, "", "protect"},
		{"check", func(w *world) { w.c.Checks[0].Script.Command = []string{"false"} }, "", "check.c.command"},
		{"check: files", func(w *world) { w.c.Checks[0].Script.Files = tree(t, "c=other") }, "", "check.c.files"},
		{"check: timeout", func(w *world) { w.c.Checks[0].Timeout++ }, "", "check.c.timeout"},
		{"check: weight", func(w *world) { w.c.Checks[0].Weight++ }, "", "check.c.weight"},
		{"check: env", func(w *world) { w.c.Checks[0].Env["C"] = "2" }, "", "check.c.env.C"},
		{"another check", func(w *world) { w.c.Checks = append(w.c.Checks, &engine.Check{Name: "d"}) }, "", "check.d.command check.d.files check.d.timeout check.d.weight"},
	} {
		w := newWorld(t)
		tt.change(w)
		got := newPlan(t, w.suite, nil).Trials[0]
		wantCheck := tt.check
		if tt.run != "" {
			wantCheck += " run"
		}
		for _, key := range []struct {
			name     string
			now, was engine.Key
			want     string
		}{{"run", got.Run.Key, base.Run.Key, tt.run}, {"check", got.Check.Key, base.Check.Key, wantCheck}} {
			want := strings.Fields(key.want)
			slices.Sort(want)
			if diff := cmp.Diff(strings.Join(want, "\n"), strings.Join(names(key.now.Changed(key.was)), "\n")); diff != "" {
				t.Errorf("%s: the %s key (-want +got):\n%s", tt.name, key.name, diff)
			}
			if same := key.now.Sum == key.was.Sum; same != (len(want) == 0) {
				t.Errorf("%s: the sum of the %s key is the same: %v", tt.name, key.name, same)
			}
			if diff := cmp.Diff(names(key.now.Changed(key.was)), names(key.now.Changed(readBack(key.was)))); diff != "" {
				t.Errorf("%s: the %s key, held against what was stored (-in memory +stored):\n%s", tt.name, key.name, diff)
			}
		}
	}
}

func names(changes []engine.Change) (out []string) {
	for _, c := range changes {
		out = append(out, c.Name)
	}
	slices.Sort(out)
	return out
}

func value(k engine.Key, name string) string {
	for _, p := range k.All() {
		if p.Name == name {
			return p.Value
		}
	}
	return "(no such part)"
}

// A plan names what has changed in the words of the benchfile.
func TestKeyValues(t *testing.T) {
	w := newWorld(t)
	key := newPlan(t, w.suite, nil).Trials[0].Run.Key
	for name, want := range map[string]string{
		"protocol": "run/3", "limits.wall_clock": "1m0s", "limits.tokens": "100", "limits.cost": "0.5", "limits.turns": "10", "trial": "1",
		"model.params.temperature": "0", "sandbox.allow_hosts": `["api.test"]`, "provider.headers.X-B": "secret.b", "agent.env.LEVEL": "1",
		"agent.command": `["run"]`, "agent.env.TOKEN": "sha256:" + digest.Bytes([]byte("hush")).String(),
	} {
		if got := value(key, name); got != want {
			t.Errorf("%s: got %s, want %s", name, got, want)
		}
	}
	w.inv.Sensitive = []string{"command"}
	w.matrix.Limits = engine.Limits{}
	key = newPlan(t, w.suite, nil).Trials[0].Run.Key
	if got := value(key, "agent.command"); got != "sha256:"+digest.Bytes([]byte(`["run"]`)).String() {
		t.Errorf("a sensitive command is kept as %s", got)
	}
	if got := value(key, "limits.tokens"); got != "none" {
		t.Errorf("no limit is kept as %s", got)
	}
}

// What an oracle answers with in the place of the solution is another work.
func TestAnswerIsInKey(t *testing.T) {
	w := newWorld(t)
	answer := func(text string) *engine.Agent {
		a := builtin("oracle", engine.BuiltinOracle)
		if text != "" {
			a.Answer = &engine.Script{Command: []string{"sh", text}}
		}
		return a
	}
	sums := map[engine.Digest]bool{}
	for _, text := range []string{"", "a.sh", "b.sh"} {
		w.matrix.Agents, w.matrix.Models = []*engine.Agent{answer(text)}, nil
		sums[newPlan(t, w.suite, nil).Trials[0].Run.Key.Sum] = true
	}
	if len(sums) != 3 {
		t.Errorf("the solution and two answers have %d keys", len(sums))
	}
}

// No part may stand in two layers of a key: it would be in its JSON twice.
func TestPartsAreThereOnce(t *testing.T) {
	w := newWorld(t)
	w.matrix.Agents = append(w.matrix.Agents, builtin("oracle", engine.BuiltinOracle))
	p := newPlan(t, w.suite, nil)
	for _, tr := range p.Trials {
		for _, key := range []engine.Key{tr.Run.Key, tr.Check.Key} {
			all := key.All()
			for i, part := range all {
				if i > 0 && all[i-1].Name >= part.Name {
					t.Errorf("%s: %s after %s", tr.ID, part.Name, all[i-1].Name)
				}
			}
		}
	}
	if got := value(p.Trials[1].Run.Key, "solution.command"); got != `["solve","a"]` {
		t.Errorf("the oracle does its work by %s", got)
	}
	if got := value(p.Trials[1].Run.Key, "model.id"); got != "(no such part)" {
		t.Errorf("the oracle asks model %s", got)
	}
}

// Equal work is found to be equal, wherever its values come from.
func TestKeysDoNotKnowWhereValuesComeFrom(t *testing.T) {
	w := newWorld(t)
	want := newPlan(t, w.suite, nil).Trials[0].Run.Key
	again := newWorld(t)
	limits := again.matrix.Limits
	again.matrix.Limits = engine.Limits{}
	again.matrix.Vary = func(engine.TrialValues) (engine.Limits, engine.Params, error) {
		return limits, engine.Params{"temperature": json.RawMessage("0")}, nil
	}
	again.model.Params = nil
	if got := newPlan(t, again.suite, nil).Trials[0].Run.Key; got.Sum != want.Sum {
		t.Errorf("values that vary, but not here: %v", got.Changed(want))
	}
	both := newPlan(t, suiteOf(w.matrix, renamed(again.matrix, "n")), nil)
	if both.Trials[0].Run != both.Trials[1].Run {
		t.Error("the two are run twice")
	}
}

// Keys of trials that come one after the other share what is equal in them, and
// nothing else: each is what it is in a plan of its own.
func TestKeysOfManyTrials(t *testing.T) {
	build := func() *world {
		w := newWorld(t)
		second := *w.model
		second.Name, second.ID = "other", "other"
		w.matrix.Models = append(w.matrix.Models, &second)
		w.matrix.Trials = 8
		w.a.Bind = func(v engine.TrialValues) (engine.Invocation, error) { // one thing changes at a time
			out := engine.Invocation{Command: []string{"run"}, Env: map[string]string{"A": "1"}}
			switch v.N {
			case 2:
				out.Command = []string{"walk"}
			case 3:
				out.Command, out.Env["A"] = []string{"walk"}, "2"
			case 4:
				out.Command, out.Env["A"], out.Sensitive = []string{"walk"}, "2", []string{"A"}
			}
			return out, nil
		}
		w.matrix.Vary = func(v engine.TrialValues) (engine.Limits, engine.Params, error) {
			limits, params := engine.Limits{Tokens: 5}, engine.Params{}
			if v.N > 5 {
				limits.Tokens = 6
			}
			if v.N > 6 {
				params["x"] = json.RawMessage("1")
			}
			return limits, params, nil
		}
		return w
	}
	for i, tr := range newPlan(t, build().suite, nil).Trials {
		alone := newPlan(t, build().suite, nil, plan.Options{Select: plan.Selection{Targets: []string{tr.ID.String()}}}).Trials
		if len(alone) != 1 || alone[0].ID != tr.ID {
			t.Fatalf("got %v for %s", alone, tr.ID)
		}
		if got := tr.Run.Key; got.Sum != alone[0].Run.Key.Sum || got.Changed(alone[0].Run.Key) != nil {
			t.Errorf("%d: %s: among others its key differs in %v", i, tr.ID, got.Changed(alone[0].Run.Key))
		}
		if want := string(tr.Params["x"]); tr.ID.N > 6 && value(tr.Run.Key, "model.params.x") != want || value(tr.Run.Key, "model.id") != tr.Model.ID {
			t.Errorf("%s: got params.x = %s and model.id = %s", tr.ID, value(tr.Run.Key, "model.params.x"), value(tr.Run.Key, "model.id"))
		}
	}
}

func renamed(m *engine.Matrix, name string) *engine.Matrix {
	m.Name = name
	return m
}

// A field that is added to what a trial is made of changes its keys, or it is
// known not to: nobody may forget to decide.
func TestFieldsAreDecided(t *testing.T) {
	for _, tt := range []struct {
		of      reflect.Type
		in, out string // of keys
	}{
		{reflect.TypeFor[engine.Case](), "Prompt Sandbox Workspace Setup Checks Protect Solution Assets Snapshot Limits", "Name Dir Description Tags Artifacts Files Pos"},
		{reflect.TypeFor[engine.Script](), "Command Files", ""},
		{reflect.TypeFor[engine.Check](), "Name Script Timeout Weight Env", ""},
		{reflect.TypeFor[engine.Asset](), "Name URL SHA256 Target Fixture", "Pos"},
		{reflect.TypeFor[engine.Sandbox](), "Image CPUs Memory PIDs GPUs Platform Runtime Network Allow Env User Workdir Mounts Services", "Name Lock Timeouts Pos"},
		{reflect.TypeFor[engine.Mount](), "Source Target ReadOnly", "Outside Pos"},
		{reflect.TypeFor[engine.Service](), "Name Image Env Command Memory Ready Timeout", "Pos"},
		{reflect.TypeFor[engine.Image](), "Ref Pin Build", ""},
		{reflect.TypeFor[engine.Build](), "Context Dockerfile Args Target", ""},
		{reflect.TypeFor[engine.Agent](), "Builtin Answer API Aliases OtherModels Layer Install Limits Bind", "Name NeedsModel Version Artifacts Pos"},
		{reflect.TypeFor[engine.Invocation](), "Command Env", "Sensitive"},
		{reflect.TypeFor[engine.Model](), "Provider ID Params", "Name Price Tags Pos"},
		{reflect.TypeFor[engine.Provider](), "Name API Mode BaseURL Recordings Script Headers", "Cassette APIKey Parallel Rate Predeclared Pos"},
		{reflect.TypeFor[engine.Limits](), "WallClock Tokens Cost Turns Requests", ""},
	} {
		var got []string
		for i := range tt.of.NumField() {
			got = append(got, tt.of.Field(i).Name)
		}
		want := strings.Fields(tt.in + " " + tt.out)
		slices.Sort(got)
		slices.Sort(want)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: put what is new into keys.go and TestKeys, or say here that no key has it (-decided +there):\n%s", tt.of.Name(), diff)
		}
	}
}
