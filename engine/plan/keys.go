package plan

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// The versions of what steps do. Raise one when the work of a step changes in a
// way that can change what it gives: stored results of the old way are then not
// taken for results of the new one.
const (
	imageProtocol = "image/2"
	assetProtocol = "asset/1"
	lintProtocol  = "lint/1"
	runProtocol   = "run/3"
	checkProtocol = "check/3"
)

// none is the value of a part that the benchfile does not give.
const none = "none"

// keys makes the keys of runs and checks. A plan has many trials, but few cases,
// agents and models: the key of a run is laid over keys that trials share, in
// layers that are the same for all runs, whether there is something to share or
// not:
//
//	case ── agent ── model ── limits, params ── command, env ── seed, trial, recording
type keys struct {
	images *images
	driver engine.Driver
	assets *assets
	cases  map[*engine.Case]*engine.Key
	models map[subject]*engine.Key // down to the model
	checks map[*engine.Case]*engine.Key

	// The layers above those come from functions, for each trial anew. Mostly
	// they are what they were for the trial before.
	bounds, invocation layer
}

// A subject is what is tried: a case, an agent and its model, if it uses one.
type subject struct {
	c     *engine.Case
	a     *engine.Agent
	model *engine.Model
}

// A layer is a key with the trial that it was made for.
type layer struct {
	trial *engine.Trial
	key   *engine.Key
}

func newKeys(i *images, a *assets, d engine.Driver) *keys {
	return &keys{images: i, assets: a, driver: d, cases: map[*engine.Case]*engine.Key{}, models: map[subject]*engine.Key{}, checks: map[*engine.Case]*engine.Key{}}
}

// run: everything that the agent can see or feel.
func (k *keys) run(t *engine.Trial) engine.Key {
	b := digest.Over(k.invocationKey(t, k.boundsKey(t, k.modelKey(t)))).Grow(2).
		Add("seed", strconv.FormatUint(t.Seed, 10)).
		Add("trial", strconv.Itoa(t.ID.N))
	if replays(t) {
		b.Grow(1).AddSum("provider.cassette", recordingOf(t).Sum)
	}
	return b.Key()
}

func (k *keys) invocationKey(t *engine.Trial, base *engine.Key) *engine.Key {
	if l := k.invocation; l.key != nil && l.key.Base == base && sameInvocation(l.trial.Invocation, t.Invocation) {
		return l.key
	}
	b := digest.Over(base).Grow(1 + len(t.Invocation.Env))
	if t.Agent.Builtin == engine.BuiltinNone {
		add := func(part, name, value string) {
			if slices.Contains(t.Invocation.Sensitive, name) {
				b.AddHidden(part, value)
				return
			}
			b.Add(part, value)
		}
		add("agent.command", "command", digest.JSON(t.Invocation.Command))
		for name, value := range t.Invocation.Env {
			add("agent.env."+name, name, value)
		}
	}
	k.invocation = layer{t, new(b.Key())}
	return k.invocation.key
}

func sameInvocation(a, b engine.Invocation) bool {
	return slices.Equal(a.Command, b.Command) && maps.Equal(a.Env, b.Env) && slices.Equal(a.Sensitive, b.Sensitive)
}

func (k *keys) boundsKey(t *engine.Trial, base *engine.Key) *engine.Key {
	if l := k.bounds; l.key != nil && l.key.Base == base && l.trial.Limits == t.Limits && sameParams(l.trial.Params, t.Params) {
		return l.key
	}
	b := digest.Over(base).Grow(5+len(t.Params)).
		Add("limits.wall_clock", t.Limits.WallClock.String()).
		Add("limits.tokens", wholeOrNone(t.Limits.Tokens)).
		Add("limits.cost", numberOrNone(t.Limits.Cost)).
		Add("limits.turns", wholeOrNone(t.Limits.Turns))
	if t.Limits.Requests > 0 {
		b.Add("limits.requests", wholeOrNone(t.Limits.Requests))
	}
	for name, value := range t.Params {
		b.Add("model.params."+name, string(value))
	}
	k.bounds = layer{t, new(b.Key())}
	return k.bounds.key
}

func sameParams(a, b engine.Params) bool {
	return maps.EqualFunc(a, b, func(x, y json.RawMessage) bool { return bytes.Equal(x, y) })
}

// modelKey covers the case, the agent and its model.
func (k *keys) modelKey(t *engine.Trial) *engine.Key {
	s := subject{t.Case, t.Agent, t.Model}
	if key, ok := k.models[s]; ok {
		return key
	}
	agent := digest.Over(k.caseKey(t.Case))
	if t.Agent.Layer == nil {
		agent.Add("agent.layer", none)
	} else {
		agent.AddSum("agent.layer", k.images.of(t.Case.Sandbox, t.Agent).Key.Sum)
	}
	if t.Agent.Builtin != engine.BuiltinNone {
		agent.Add("agent.builtin", string(t.Agent.Builtin))
	}
	if t.Agent.Builtin == engine.BuiltinOracle {
		addScript(agent, "solution", t.Solution())
	}
	model := digest.Over(new(agent.Key()))
	if t.Model != nil {
		model.Add("agent.api", string(t.Agent.API)).Add("agent.other_models", string(t.Agent.OtherModels))
		for alias, id := range t.Agent.Aliases {
			model.Add("agent.aliases."+alias, id)
		}
		addModel(model, t.Model)
	}
	key := model.Key()
	k.models[s] = &key
	return &key
}

// addModel: what is asked, and where. Secrets are never part of a key, and a
// price changes no answer. Of a cassette every trial has a file of its own.
func addModel(b *digest.KeyBuilder, m *engine.Model) {
	p := m.Provider
	b.Add("model.id", m.ID).
		Add("model.provider", p.Name).
		Add("model.api", string(p.API)).
		Add("provider.mode", string(p.Mode)).
		Add("provider.base_url", p.BaseURL).
		AddTree("provider.script", p.Script)
	for name, h := range p.Headers {
		if h.Secret != nil {
			b.Add("provider.headers."+name, "secret."+h.Secret.Name)
			continue
		}
		b.AddJSON("provider.headers."+name, h.Text)
	}
}

func (k *keys) caseKey(c *engine.Case) *engine.Key {
	if key, ok := k.cases[c]; ok {
		return key
	}
	b := digest.NewKey(runProtocol).
		Add("prompt", c.Prompt).
		AddTree("workspace", c.Workspace).
		Add("snapshot", string(c.Snapshot))
	addScript(b, "setup", c.Setup)
	for i, step := range k.assets.of(c) {
		addAsset(b, c.Assets[i], step.Variant)
	}
	k.addSandbox(b, c.Sandbox)
	if k.driver != "" {
		b.Add("sandbox.driver", string(k.driver)) // and with the run's, the key of its check differs as well
	}
	key := b.Key()
	k.cases[c] = &key
	return &key
}

// addAsset: what is used of an asset, and where it lies. Where it was fetched from
// cannot be seen in it, and how a fixture would make another one neither.
func addAsset(b *digest.KeyBuilder, a *engine.Asset, v engine.Variant) {
	name := "asset." + a.Name
	b.Add(name+".variant", string(v)).Add(name+".target", a.Target)
	if v == engine.VariantFull {
		b.AddSum(name+".sha256", a.SHA256)
		return
	}
	addScript(b, name+".fixture", a.Fixture)
}

func (k *keys) addSandbox(b *digest.KeyBuilder, s *engine.Sandbox) {
	b.AddSum("sandbox.image", k.images.of(s, nil).Key.Sum).
		Add("sandbox.platform", s.Platform).
		AddJSON("sandbox.cpus", s.CPUs).
		AddJSON("sandbox.memory", s.Memory).
		AddJSON("sandbox.pids", s.PIDs).
		AddJSON("sandbox.gpus", s.GPUs).
		Add("sandbox.network", string(s.Network)).
		Add("sandbox.allow_hosts", listOrNone(s.Allow)).
		AddJSON("sandbox.user", s.User).
		Add("sandbox.workdir", s.Workdir)
	if s.Runtime != "" {
		b.Add("sandbox.runtime", s.Runtime)
	}
	addEnv(b, "sandbox", s.Env)
	for _, m := range s.Mounts {
		name := "sandbox.mount." + m.Target
		b.Add(name+".source", m.Source).AddJSON(name+".read_only", m.ReadOnly)
	}
	for _, v := range s.Services {
		name := "sandbox.service." + v.Name
		b.AddSum(name+".image", imageKey(v.Image, s.Platform).Sum).
			Add(name+".command", listOrNone(v.Command)).
			Add(name+".memory", wholeOrNone(v.Memory)).
			Add(name+".ready", listOrNone(v.Ready)).
			Add(name+".timeout", v.Timeout.String())
		addEnv(b, name, v.Env)
	}
}

// CaseKeys covers what a case is, apart from its solution: what an agent finds,
// and how what it leaves is graded.
func CaseKeys(c *engine.Case) (found, graded engine.Key) {
	images := newImages()
	k := newKeys(images, newAssets(images, engine.VariantFull), "")
	return *k.caseKey(c), *k.checkKey(c)
}

// check: the run that is graded, and everything that decides how.
func (k *keys) check(c *engine.Case, run engine.Digest) engine.Key {
	return digest.Over(k.checkKey(c)).Grow(1).AddSum("run", run).Key()
}

func (k *keys) checkKey(c *engine.Case) *engine.Key {
	if key, ok := k.checks[c]; ok {
		return key
	}
	b := digest.NewKey(checkProtocol).
		AddSum("sandbox.image", k.images.of(c.Sandbox, nil).Key.Sum).
		Add("snapshot", string(c.Snapshot)).
		Add("protect", listOrNone(c.Protect))
	for _, check := range c.Checks {
		name := "check." + check.Name
		addScript(b, name, &check.Script)
		b.Add(name+".timeout", check.Timeout.String()).AddJSON(name+".weight", check.Weight)
		addEnv(b, name, check.Env)
	}
	key := b.Key()
	k.checks[c] = &key
	return &key
}

// addEnv gives each variable a part of its own, so that a plan can name it.
func addEnv(b *digest.KeyBuilder, owner string, env map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(env)) {
		b.Add(owner+".env."+name, env[name])
	}
}

func addScript(b *digest.KeyBuilder, name string, s *engine.Script) {
	if s == nil {
		b.Add(name, none)
		return
	}
	b.AddJSON(name+".command", s.Command).AddTree(name+".files", s.Files)
}

// imageKey: an image is the same if it is defined in the same way. What came of
// the definition, the id of the image, is recorded with each attempt.
func imageKey(i engine.Image, platform string) engine.Key {
	b := digest.NewKey(imageProtocol).Add("platform", platform)
	if i.Build != nil {
		addBuild(b, i.Build)
		return b.Key()
	}
	b.Add("ref", i.Ref)
	if i.Pin != "" {
		b.Add("pin", i.Pin)
	}
	return b.Key()
}

// lintKey: a look at an image is the same if the image is.
func lintKey(image *engine.ImageStep) engine.Key {
	return digest.NewKey(lintProtocol).AddSum("image", image.Key.Sum).Key()
}

// layerKey is that of an agent's layer over the image of a case.
func layerKey(a *engine.Agent, base engine.Digest) engine.Key {
	kind := "dockerfile"
	if a.Install {
		kind = "install"
	}
	b := digest.NewKey(imageProtocol).Add("kind", kind).AddSum("base", base)
	addBuild(b, a.Layer)
	return b.Key()
}

func addBuild(b *digest.KeyBuilder, build *engine.Build) {
	b.AddTree("context", build.Context).
		Add("dockerfile", build.Dockerfile).
		Add("args", mapOrNone(build.Args)).
		Add("target", build.Target)
}

func wholeOrNone(n int64) string {
	if n <= 0 {
		return none
	}
	return strconv.FormatInt(n, 10)
}

func numberOrNone(n float64) string {
	if n <= 0 {
		return none
	}
	return strconv.FormatFloat(n, 'g', -1, 64)
}

func listOrNone(list []string) string {
	if len(list) == 0 {
		return none
	}
	return digest.JSON(list)
}

func mapOrNone(m map[string]string) string {
	if len(m) == 0 {
		return none
	}
	return digest.JSON(m)
}
