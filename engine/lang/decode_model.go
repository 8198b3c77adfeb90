package lang

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
)

// predeclared are the providers that need no block.
var predeclared = []struct {
	name    string
	api     engine.API
	baseURL string
	key     string // environment variable that holds it
}{
	{"anthropic", engine.APIAnthropic, "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"},
	{"google", engine.APIGoogle, "https://generativelanguage.googleapis.com/v1beta", "GEMINI_API_KEY"},
	{"openai", engine.APIOpenAI, "https://api.openai.com/v1", "OPENAI_API_KEY"},
}

func predeclaredNames() []string {
	var out []string
	for _, p := range predeclared {
		out = append(out, p.name)
	}
	return out
}

func isPredeclared(name string) bool { return slices.Contains(predeclaredNames(), name) }

// defaultParallel is how many requests a provider gets at once.
const defaultParallel = 8

// decodeModels decodes secrets, providers and models.
func (s *scope) decodeModels() {
	s.decodeAll("secret", s.secret)
	for _, p := range predeclared {
		s.providers[p.name] = &engine.Provider{
			Name: p.name, API: p.api, Mode: engine.ModeLive, BaseURL: p.baseURL, Parallel: defaultParallel, Predeclared: true,
			APIKey: s.predeclaredKey(p.name, p.key),
		}
	}
	s.decodeAll("provider", s.provider)
	s.decodeAll("model", s.model)
}

// predeclaredKey is the secret of a predeclared provider. It has the name of the
// provider; where a secret of that name is declared, that of its variable, which
// no declared one can have.
func (s *scope) predeclaredKey(name, env string) *engine.Secret {
	switch declared := s.secrets[name]; {
	case declared == nil:
		return &engine.Secret{Name: name, Env: env}
	case declared.Env == env:
		return declared
	}
	return &engine.Secret{Name: env, Env: env}
}

func (s *scope) secret(name string) {
	b := s.open(s.blocks["secret"][name], secretSpec)
	out := &engine.Secret{Name: name, Optional: b.flag("optional", false), Pos: pos(b.rng)}
	s.secrets[name] = out
	if b.has("env") == b.has("file") {
		s.errorAt(b.rng, "V07", "a secret has either an env or a file", "Give exactly one of the two: where its value is found when a run begins.")
	}
	if v, ok := b.str("env"); ok {
		out.Env = v
		if !isEnvName(v) {
			s.errorAt(b.place("env"), "V09", fmt.Sprintf("%q cannot be an environment variable", v), "Write the name of the variable that holds the key, such as \"OPENAI_API_KEY\", and not the key itself.")
		}
	}
	out.File, _ = b.path("file")
}

func isEnvName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func (s *scope) provider(name string) {
	b := s.open(s.blocks["provider"][name], providerSpec)
	out := &engine.Provider{Name: name, API: engine.APIOpenAI, Mode: engine.ModeLive, Parallel: defaultParallel, Pos: pos(b.rng)}
	s.providers[name] = out
	if u, ok := b.str("base_url"); ok {
		out.BaseURL = strings.TrimRight(u, "/")
		b.checkURL("base_url", u)
	}
	for _, p := range predeclared {
		if p.name == name && !b.has("base_url") { // an address and what is spoken there belong together
			out.API, out.BaseURL = p.api, p.baseURL
		}
	}
	if api, ok := b.providerAPI(); ok {
		out.API = api
	}
	m, ok := b.choice("mode", string(engine.ModeLive), string(engine.ModeRecord), string(engine.ModeReplay), string(engine.ModeScripted))
	if ok {
		out.Mode = engine.Mode(m)
	}
	if ok || !b.has("mode") {
		b.source(out)
	}
	if r, ok := b.ref("api_key"); ok {
		out.APIKey = s.secrets[r.name]
	}
	out.Headers = b.headers()
	if n, ok := b.whole("parallel", 1, 4096); ok {
		out.Parallel = int(n)
	}
	if rate := b.one("rate"); rate != nil {
		out.Rate.RequestsPerMinute = rate.positive("requests_per_minute")
		out.Rate.TokensPerMinute = rate.positive("tokens_per_minute")
	}
}

func (b *body) providerAPI() (engine.API, bool) {
	text, ok := b.str("api")
	if !ok {
		return "", false
	}
	if engine.API(text) == engine.APIResponses {
		b.errorAt(b.place("api"), "V09", fmt.Sprintf("unknown api %q", text), "Only an agent says which of OpenAI's two formats it speaks. Write %q, which is for providers of both, or %q for one that has no responses.", engine.APIOpenAI, engine.APIChat)
		return "", false
	}
	text, ok = b.choice("api", texts(engine.APIs)...)
	return engine.API(text), ok
}

func (b *body) checkURL(name, text string) {
	u, err := url.Parse(text)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		b.errorAt(b.place(name), "V09", fmt.Sprintf("unusable %s", name), "Write an address that begins with http:// or https://.")
	case u.User != nil:
		b.errorAt(b.place(name), "V19", fmt.Sprintf("a password in %s", name), "It would be stored with every result. Use a secret, as api_key or in headers.")
	}
}

// source checks what the mode of a provider needs, and what it has no use for.
func (b *body) source(out *engine.Provider) {
	for _, need := range []struct {
		name, why string
		modes     []engine.Mode
	}{
		{"base_url", "That is where it is asked.", []engine.Mode{engine.ModeLive, engine.ModeRecord}},
		{"cassette", "That is the directory with its answers.", []engine.Mode{engine.ModeRecord, engine.ModeReplay}},
		{"script", "That is where its answers are.", []engine.Mode{engine.ModeScripted}},
	} {
		wanted := slices.Contains(need.modes, out.Mode)
		switch {
		case wanted && !b.has(need.name) && (need.name != "base_url" || out.BaseURL == ""):
			b.errorAt(b.rng, "V07", fmt.Sprintf("provider %q needs a %s", out.Name, need.name), "Its mode is %q. %s", out.Mode, need.why)
		case !wanted && b.written(need.name) && need.name != "base_url":
			b.errorAt(b.attrs[need.name].NameRange, "V07", fmt.Sprintf("%s has no use here", need.name), "It belongs to %s, and the mode of this provider is %q. Remove it, or change the mode.", modeWords(need.modes), out.Mode)
		}
	}
	if p, ok := b.path("cassette"); ok {
		out.Cassette = p
		if out.Mode == engine.ModeReplay {
			out.Recordings = b.dirTree(p, b.place("cassette"))
		}
	}
	if p, ok := b.path("script"); ok && out.Mode == engine.ModeScripted {
		out.Script = b.turns(p)
	}
}

// turns reads what a provider answers, and reports what is wrong in it at its
// lines, once for all providers that have it.
func (b *body) turns(p string) *engine.Tree {
	t := b.tree(p, b.place("script"))
	if t == nil {
		return nil
	}
	for _, other := range b.providers {
		if other.Script == t {
			return t
		}
	}
	_, diags := scripted.Load(t)
	for _, d := range diags {
		d.Rule = "V01"
		if d.Subject.Start.Line == 0 { // it is about no line
			d.Subject = span(b.place("script"))
		} else if text, err := b.tryRead(d.Subject.File); err == nil {
			b.sources.files[d.Subject.File] = text
		}
		b.report(d)
	}
	return t
}

func modeWords(modes []engine.Mode) string {
	if len(modes) == 1 {
		return fmt.Sprintf("the mode %q", modes[0])
	}
	return fmt.Sprintf("the modes %q and %q", modes[0], modes[1])
}

// headers reads a map whose values are strings or secrets.
func (b *body) headers() map[string]engine.HeaderValue {
	e, ok := b.expr("headers", kHeaders)
	if !ok {
		return nil
	}
	pairs, diags := hcl.ExprMap(e)
	if diags.HasErrors() {
		b.errorAt(e.Range(), "V09", "wrong type", "Write headers as { \"X-Name\" = \"value\" }; a value may be a reference such as secret.NAME.")
		return nil
	}
	out := map[string]engine.HeaderValue{}
	for _, pair := range pairs {
		k, ok := b.eval(pair.Key, cty.String)
		if !ok {
			continue
		}
		name := k.AsString()
		if name == "" || strings.ContainsAny(name, " \t\r\n:") {
			b.errorAt(pair.Key.Range(), "V09", fmt.Sprintf("%q cannot be the name of a header", name), "A name has no spaces and no colon.")
		}
		if t, diags := hcl.AbsTraversalForExpr(pair.Value); !diags.HasErrors() && t.RootName() == "secret" {
			if r, ok := b.refOf(pair.Value, "secret"); ok {
				out[name] = engine.HeaderValue{Secret: b.secrets[r.name]}
			}
			continue
		}
		v, ok := b.eval(pair.Value, cty.String)
		if ok && strings.ContainsAny(v.AsString(), "\r\n\x00") {
			b.errorAt(pair.Value.Range(), "V09", fmt.Sprintf("unusable value of header %s", name), "It must be one line.")
		} else if ok {
			out[name] = engine.HeaderValue{Text: v.AsString()}
		}
	}
	return out
}

func (s *scope) model(name string) {
	b := s.open(s.blocks["model"][name], modelSpec)
	out := &engine.Model{Name: name, Tags: b.tags(), Pos: pos(b.rng)}
	s.models[name] = out
	if r, ok := b.ref("provider"); ok {
		out.Provider = s.providers[r.name]
	}
	if id, ok := b.str("id"); ok {
		out.ID = id
		if strings.TrimSpace(id) == "" {
			b.errorAt(b.place("id"), "V09", "the id is empty", "Write the name by which the provider knows the model.")
		}
	}
	if v, ok := b.value("params", kObject, cty.DynamicPseudoType); ok {
		out.Params, _ = b.params(v, b.attrs["params"].Expr)
	}
	out.Price = b.price()
}

// isObject reports a value that is none.
func (s *scope) isObject(v cty.Value, e hcl.Expression) bool {
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		s.errorAt(e.Range(), "V09", "wrong type", "This must be an object, such as { temperature = 0.2 }.")
		return false
	}
	return true
}

// params takes an object apart into parameters.
func (s *scope) params(v cty.Value, e hcl.Expression) (engine.Params, bool) {
	if !s.isObject(v, e) {
		return nil, false
	}
	for _, name := range notParams {
		if v.AsValueMap()[name] != cty.NilVal {
			key, _ := entryAt(e, name)
			s.errorAt(key, "V09", name+" is no parameter", "%s", whyNoParam)
			return nil, false
		}
	}
	out, err := toParams(v)
	if err != nil {
		s.errorAt(e.Range(), "V09", "unusable params", "%s.", upperFirst(err.Error()))
	}
	return out, err == nil
}

// notParams are what a request is made of in the families of wire formats: over
// these, what the agent asks would be lost.
var notParams = []string{"contents", "input", "messages", "model", "stream"}

const whyNoParam = "What is asked and how the answer comes is the agent's, and the model has its id. Remove it."

func toParams(v cty.Value) (engine.Params, error) {
	out := engine.Params{}
	for name, p := range v.AsValueMap() {
		if slices.Contains(notParams, name) {
			return nil, fmt.Errorf("params cannot have %s, which every request has already", name)
		}
		text, err := toJSON(p)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be sent to a model: %w", name, err)
		}
		out[name] = text
	}
	return out, nil
}

var priceNames = []string{"input", "output", "cached_input", "cache_write"}

func (b *body) price() *engine.Price {
	v, ok := b.value("price", kObject, cty.DynamicPseudoType)
	if !ok {
		return nil
	}
	const form = "Write { input = 3, output = 15 }, in USD per million tokens."
	if v.IsNull() || !v.Type().IsObjectType() && !v.Type().IsMapType() {
		b.errorAt(b.place("price"), "V09", "wrong type", form)
		return nil
	}
	numbers := map[string]*float64{}
	for _, name := range slices.Sorted(maps.Keys(v.AsValueMap())) {
		key, value := b.entry("price", name)
		n, err := convertQuietly(v.AsValueMap()[name], cty.Number)
		if !slices.Contains(priceNames, name) {
			b.errorAt(key, "V09", fmt.Sprintf("a price has no %q", name), "%s%s", form, didYouMean(name, priceNames, func(n string) string { return n }))
			return nil
		}
		if err != nil || n.IsNull() || n.LessThan(cty.Zero).True() {
			b.errorAt(value, "V09", fmt.Sprintf("the price of %s is not a number of at least 0", name), form)
			return nil
		}
		f, _ := n.AsBigFloat().Float64()
		numbers[name] = &f
	}
	if numbers["input"] == nil || numbers["output"] == nil {
		b.errorAt(b.place("price"), "V09", "half a price", "Both input and output are needed. %s", form)
		return nil
	}
	return &engine.Price{Input: *numbers["input"], Output: *numbers["output"], CachedInput: numbers["cached_input"], CacheWrite: numbers["cache_write"]}
}
