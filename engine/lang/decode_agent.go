package lang

import (
	"errors"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// agent decodes an agent block. Its command and env may mention the trial.
func (s *scope) agent(name string) {
	b := s.open(s.blocks["agent"][name], agentSpec)
	a := &engine.Agent{Name: name, API: engine.APIOpenAI, OtherModels: engine.OtherModelsRewrite, Pos: pos(b.rng)}
	s.agents[name] = a
	builtins := texts(engine.Builtins)
	builtin, _ := b.choice("builtin", builtins...)
	a.Builtin = engine.Builtin(builtin)
	hasCommand, hasBuiltin := b.has("command"), b.has("builtin")
	switch {
	case hasCommand == hasBuiltin:
		s.errorAt(b.rng, "V07", "an agent has either a command or a builtin", "Give exactly one of the two: what runs in the sandbox, or one of %s.", quotedList(builtins))
	case hasCommand:
		a.Bind = b.bind()
		b.layer(a)
		a.Version = b.command("version")
		a.Artifacts = b.globs("artifacts")
	default:
		b.builtinOnly()
	}
	a.NeedsModel = b.flag("needs_model", hasCommand || a.Builtin == engine.BuiltinReact)
	if api, ok := b.choice("api", texts(engine.AgentAPIs)...); ok {
		a.API = engine.API(api)
	}
	b.otherModels(a)
	a.Limits = b.limits()
	if hasCommand != hasBuiltin {
		b.asks(a)
	}
}

// builtinOnly reports what makes sense only with a command.
func (b *body) builtinOnly() {
	for _, name := range []string{"env", "install", "version", "artifacts", "aliases", "other_models"} {
		if a, ok := b.attrs[name]; ok {
			b.errorAt(a.NameRange, "V07", fmt.Sprintf("a builtin agent takes no %s", name), "Remove it, or give the agent a command.")
		}
	}
	if build := b.one("build"); build != nil {
		b.errorAt(build.rng, "V07", "a builtin agent takes no build", "Remove it, or give the agent a command.")
	}
}

// asks reports what an agent wants to know of a model that it does not have, and
// remembers which axes it wants to know.
func (b *body) asks(a *engine.Agent) {
	for _, name := range []string{"command", "env"} {
		attr, ok := b.attrs[name]
		if !ok {
			continue
		}
		for _, t := range unguarded(attr.Expr) {
			if t.RootName() != "trial" || len(t) < 3 {
				continue
			}
			switch what, _ := stepName(t[1]); {
			case what == "axis":
				b.asksFor[a.Name] = append(b.asksFor[a.Name], t)
			case (what == "model" || what == "gateway") && !a.NeedsModel:
				b.errorAt(t.SourceRange(), "V11", fmt.Sprintf("agent %q has no model", a.Name),
					"It says needs_model = false, so there is no trial.%s for it. Remove that line, or do without.", what)
			}
		}
	}
}

// otherModels decodes what an agent that asks for itself may call a model by.
func (b *body) otherModels(a *engine.Agent) {
	if a.Builtin == engine.BuiltinNone && !a.NeedsModel {
		for _, name := range []string{"aliases", "other_models"} {
			if b.written(name) {
				b.errorAt(b.attrs[name].NameRange, "V11", fmt.Sprintf("agent %q has no model", a.Name), "It says needs_model = false, so %s has no use here. Remove one of the two lines.", name)
			}
		}
	}
	a.Aliases = b.stringMap("aliases")
	for _, alias := range slices.Sorted(maps.Keys(a.Aliases)) {
		key, value := b.entry("aliases", alias)
		if strings.TrimSpace(alias) == "" {
			b.errorAt(key, "V09", "an alias without a name", "Write the name of a model as the agent uses it.")
		}
		if strings.TrimSpace(a.Aliases[alias]) == "" {
			b.errorAt(value, "V09", fmt.Sprintf("alias %q stands for nothing", alias), "Write the id by which the provider knows the model that is meant.")
		}
	}
	others := []engine.OtherModels{engine.OtherModelsRewrite, engine.OtherModelsDeny, engine.OtherModelsAllow}
	if v, ok := b.choice("other_models", texts(others)...); ok {
		a.OtherModels = engine.OtherModels(v)
	}
}

// texts are the words of a list of them.
func texts[T ~string](words []T) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = string(w)
	}
	return out
}

// layer decodes what is laid over the image of a case.
func (b *body) layer(a *engine.Agent) {
	build := b.one("build")
	if build != nil && b.written("install") {
		b.errorAt(b.attrs["install"].NameRange, "V07", "an agent has either an install script or a build", "Remove one of the two.")
		return
	}
	if build != nil {
		a.Layer = build.build()
		b.layers[a.Name] = build.place("context")
		build.overBase(a.Layer)
		return
	}
	p, ok := b.path("install")
	if !ok {
		return
	}
	if t := b.scope.file(p, b.place("install")); t != nil {
		a.Layer, a.Install = &engine.Build{Context: t}, true
	}
}

// build decodes the build block of an agent or a sandbox.
func (b *body) build() *engine.Build {
	def := &engine.Build{Dockerfile: "Dockerfile", Args: b.stringMap("args")}
	if f, ok := b.str("dockerfile"); ok {
		def.Dockerfile = path.Clean(f)
	}
	p, ok := b.path("context")
	if !ok {
		return def
	}
	if def.Context = b.buildContext(p, def.Dockerfile, b.place("context")); def.Context == nil || b.findDockerfile(def) != nil {
		return def
	}
	place := b.place("context")
	if b.written("dockerfile") {
		place = b.place("dockerfile")
	}
	var names []string
	for _, e := range def.Context.Entries {
		if e.Mode.IsRegular() {
			names = append(names, e.Path)
		}
	}
	near := ""
	if n := Nearest(def.Dockerfile, names); n != "" {
		near = fmt.Sprintf(" Did you mean dockerfile = %q?", n)
	}
	b.errorAt(place, "V17", "there is no Dockerfile", "The build context %s has no file %s.%s", def.Context.Path, def.Dockerfile, near)
	return def
}

// findDockerfile is the entry of the Dockerfile in its context, or nil.
func (b *body) findDockerfile(def *engine.Build) *engine.TreeEntry {
	if def.Context == nil {
		return nil
	}
	i := slices.IndexFunc(def.Context.Entries, func(e engine.TreeEntry) bool { return e.Path == def.Dockerfile && e.Mode.IsRegular() })
	if i < 0 {
		return nil
	}
	return &def.Context.Entries[i]
}

var fromBase = regexp.MustCompile(`(?im)^\s*FROM\s.*\$(\{BASE[:}]|BASE\b)`)

// overBase reports a Dockerfile of an agent that is not laid over the image of
// a case, so that it would run without what the case needs.
func (b *body) overBase(def *engine.Build) {
	if b.findDockerfile(def) == nil {
		return
	}
	text, err := b.readFile(path.Join(def.Context.Path, def.Dockerfile))
	if err != nil {
		b.unreadable(path.Join(def.Context.Path, def.Dockerfile), err, b.place("context"))
		return
	}
	if !fromBase.Match(text) {
		b.errorAt(b.place("context"), "V09", "the Dockerfile is not laid over the image of a case",
			"BASE is the image of the case, and %s does not build on it. Begin it with ARG BASE and FROM ${BASE}.", path.Join(def.Context.Path, def.Dockerfile))
	}
}

// bind prepares command and env for each trial.
func (b *body) bind() func(engine.TrialValues) (engine.Invocation, error) {
	command, ok := b.expr("command", kCommand)
	if !ok {
		return nil
	}
	words, now := b.perTrial(command, phaseRun, cty.List(cty.String))
	if words != nil && !b.checkWords("command", knownWords(now)) {
		words = nil
	}
	names := mentioned(command)
	vars := func(engine.TrialValues) (cty.Value, error) { return cty.MapValEmpty(cty.String), nil }
	if env, ok := b.expr("env", kMap); ok {
		names = append(names, mentioned(env)...)
		var now cty.Value
		if vars, now = b.perTrial(env, phaseRun, cty.Map(cty.String)); vars != nil {
			b.checkEnv("env", knownVars(now))
		}
	}
	if words == nil || vars == nil {
		return nil
	}
	where := command.Range()
	return remember(names, func(t engine.TrialValues) (engine.Invocation, error) {
		var inv engine.Invocation
		list, err := words(t)
		if err != nil {
			return inv, err
		}
		m, err := vars(t)
		if err != nil {
			return inv, err
		}
		if err := fill(&inv, list, m); err != nil {
			return inv, fmt.Errorf("%s: %w", at(where), err)
		}
		return inv, nil
	})
}

// fill takes the values of command and env into an invocation, and names what of
// them is sensitive.
func fill(inv *engine.Invocation, list, vars cty.Value) error {
	if list.ContainsMarked() {
		inv.Sensitive = append(inv.Sensitive, "command")
	}
	list, _ = list.UnmarkDeep()
	for _, w := range list.AsValueSlice() {
		inv.Command = append(inv.Command, w.AsString())
	}
	if len(inv.Command) == 0 || inv.Command[0] == "" {
		return errors.New("the command is empty")
	}
	vars, marks := vars.Unmark()
	for k, v := range vars.AsValueMap() {
		v, more := v.UnmarkDeep()
		switch {
		case k == "" || strings.ContainsAny(k, "=\x00"):
			return fmt.Errorf("%q cannot be an environment variable", k)
		case strings.HasPrefix(k, "BENCH_"):
			return fmt.Errorf("%s is set by bench", k)
		case len(marks)+len(more) > 0:
			inv.Sensitive = append(inv.Sensitive, k)
		}
		if inv.Env == nil {
			inv.Env = map[string]string{}
		}
		inv.Env[k] = v.AsString()
	}
	slices.Sort(inv.Sensitive)
	if strings.Contains(strings.Join(append(slices.Collect(maps.Values(inv.Env)), inv.Command...), ""), "\x00") {
		return errors.New("a NUL in a command or in an environment variable")
	}
	return nil
}

// knownWords are the words of a command, with something that is not empty for
// those that are not known before the trial.
func knownWords(now cty.Value) []string {
	now, _ = now.UnmarkDeep()
	if !now.IsKnown() {
		return []string{"?"}
	}
	out := []string{}
	for _, w := range now.AsValueSlice() {
		if w.IsKnown() && !w.IsNull() {
			out = append(out, w.AsString())
		} else {
			out = append(out, "?")
		}
	}
	return out
}

// knownVars are the variables of an environment, as far as they are known before
// the trial.
func knownVars(now cty.Value) map[string]string {
	out := map[string]string{}
	now, _ = now.UnmarkDeep()
	if !now.IsKnown() {
		return out
	}
	for k, v := range now.AsValueMap() {
		out[k] = ""
		if v.IsKnown() && !v.IsNull() {
			out[k] = v.AsString()
		}
	}
	return out
}
