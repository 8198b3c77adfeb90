package plan

import (
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

const secretPower = "secret."

// The powers of a plan whose sandboxes are local. The second is for agents that
// think for themselves: what others do, a person has written.
const (
	PowerLocal    = "sandbox.local"
	PowerLocalAny = "sandbox.local.any"
)

// Powers lists what the work of a plan reaches beyond its sandboxes, sorted:
// "net.open", "mount.host=PATH", "mount.write=PATH", "sandbox.local" and
// "sandbox.local.any", which must be allowed, and "secret.NAME", which is said for
// people to know.
func Powers(p *engine.Plan) []string {
	found := map[string]bool{}
	boxes, models := map[*engine.Sandbox]bool{}, map[*engine.Model]bool{}
	for _, t := range p.Trials {
		if t.Reuse.Sign == engine.SignSame {
			continue
		}
		boxes[t.Case.Sandbox] = true
		if p.Driver == engine.DriverLocal {
			found[PowerLocal] = true
			if t.Model != nil && mustRun(t) {
				found[PowerLocalAny] = true
			}
		}
		if t.Model != nil && mustRun(t) {
			models[t.Model] = true
		}
	}
	for s := range boxes {
		if s.Network == engine.NetworkOpen {
			found["net.open"] = true
		}
		for _, m := range s.Mounts {
			if m.Outside {
				found["mount.host="+m.Source] = true
			}
			if !m.ReadOnly {
				found["mount.write="+m.Source] = true
			}
		}
	}
	for m := range models {
		for _, s := range secretsOf(m.Provider) {
			found[secretPower+s.Name] = true
		}
	}
	out := make([]string, 0, len(found))
	for power := range found {
		out = append(out, power)
	}
	slices.Sort(out)
	return out
}

// secretsOf are those that a provider is asked with. One that asks nobody has no
// use for them.
func secretsOf(p *engine.Provider) []*engine.Secret {
	if p.Mode == engine.ModeReplay || p.Mode == engine.ModeScripted {
		return nil
	}
	var out []*engine.Secret
	if p.APIKey != nil {
		out = append(out, p.APIKey)
	}
	for _, h := range p.Headers {
		if h.Secret != nil {
			out = append(out, h.Secret)
		}
	}
	return out
}

// MissingPowers are those that a plan needs and that are not allowed.
func MissingPowers(p *engine.Plan, allowed []string) []string {
	return slices.DeleteFunc(Powers(p), func(power string) bool {
		return strings.HasPrefix(power, secretPower) || slices.Contains(allowed, power)
	})
}
