package lang

import (
	"fmt"
	"maps"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// use fills in what the matrices use, each list sorted by name.
func (s *scope) use(out *engine.Suite) {
	cases, agents, models := map[string]*engine.Case{}, map[string]*engine.Agent{}, map[string]*engine.Model{}
	add := func(cs []*engine.Case, as []*engine.Agent, ms []*engine.Model) {
		for _, c := range cs {
			cases[c.Name] = c
		}
		for _, a := range as {
			agents[a.Name] = a
		}
		for _, m := range ms {
			models[m.Name] = m
		}
	}
	for _, m := range out.Matrices {
		add(m.Cases, m.Agents, m.Models)
		for _, i := range m.Include {
			add(i.Cases, i.Agents, i.Models)
		}
	}
	out.Cases, out.Agents, out.Models = sorted(cases), sorted(agents), sorted(models)
	providers, secrets := map[string]*engine.Provider{}, map[string]*engine.Secret{}
	for _, m := range out.Models {
		if m.Provider != nil {
			providers[m.Provider.Name] = m.Provider
		}
	}
	out.Providers = sorted(providers)
	for _, p := range out.Providers {
		if p.APIKey != nil {
			secrets[p.APIKey.Name] = p.APIKey
		}
		for _, h := range p.Headers {
			if h.Secret != nil {
				secrets[h.Secret.Name] = h.Secret
			}
		}
	}
	out.Secrets = sorted(secrets)
}

// sorted gives the values of a map in the order of their keys.
func sorted[V any](m map[string]V) []V {
	var out []V
	for _, k := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[k])
	}
	return out
}

// unusedBlocks warns of blocks of the suite file itself that nothing refers to.
// Files that are imported may hold more than one suite needs.
func (s *scope) unusedBlocks(file string) {
	for _, kind := range []string{"variable", "secret", "provider", "model", "agent", "sandbox", "case"} {
		for _, name := range s.order[kind] {
			block := s.blocks[kind][name]
			if block.DefRange().Filename != file || s.uses[kind+"."+name] {
				continue
			}
			s.report(engine.Diagnostic{Severity: engine.SeverityWarning, Rule: "V24", Subject: span(block.DefRange()),
				Summary: fmt.Sprintf("%s %q is not used", kind, name), Detail: "Nothing in this suite refers to it. Use it, or remove it."})
		}
	}
}
