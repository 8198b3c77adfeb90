package plan

import (
	"strconv"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// The versions of what steps do. Raise one when the work of a step changes in a
// way that can change what it gives: stored results of the old way are then not
// taken for results of the new one.
const (
	imageProtocol = "image/1"
	runProtocol   = "run/1"
	checkProtocol = "check/1"
)

// keys makes the keys of steps, and remembers the parts that trials share: a
// plan has many trials, but few cases and agents.
type keys struct {
	images map[*engine.Build]engine.Key
	cases  map[*engine.Case][]engine.Part
	checks map[*engine.Case][]engine.Part
}

func newKeys() *keys {
	return &keys{map[*engine.Build]engine.Key{}, map[*engine.Case][]engine.Part{}, map[*engine.Case][]engine.Part{}}
}

// image: an image is the same if it is defined in the same way. What came of
// the definition, the id of the image, is recorded with each attempt.
func (k *keys) image(i engine.Image) engine.Key {
	if i.Build == nil {
		return digest.NewKey(imageProtocol).Add("ref", i.Ref).Key()
	}
	if key, ok := k.images[i.Build]; ok {
		return key
	}
	key := digest.NewKey(imageProtocol).
		AddTree("context", i.Build.Context).
		Add("dockerfile", i.Build.Dockerfile).
		AddJSON("args", i.Build.Args).
		Add("target", i.Build.Target).
		Key()
	k.images[i.Build] = key
	return key
}

// run: everything that the agent can see or feel.
func (k *keys) run(t *engine.Trial) engine.Key {
	b := digest.NewKey(runProtocol).Extend(k.caseParts(t.Case)).
		Add("limits.wall_clock", t.Limits.WallClock.String()).
		Add("seed", strconv.FormatUint(t.Seed, 10)).
		Add("trial", strconv.Itoa(t.ID.N))
	if t.Agent.Builtin == engine.BuiltinNone {
		b.AddJSON("agent.command", t.Invocation.Command).AddJSON("agent.env", t.Invocation.Env)
	} else {
		b.Add("agent.builtin", string(t.Agent.Builtin))
	}
	if t.Agent.Builtin == engine.BuiltinOracle {
		addScript(b, "solution", t.Case.Solution)
	}
	return b.Key()
}

func (k *keys) caseParts(c *engine.Case) []engine.Part {
	if parts, ok := k.cases[c]; ok {
		return parts
	}
	s := c.Sandbox
	b := new(digest.KeyBuilder).
		Add("prompt", c.Prompt).
		AddTree("workspace", c.Workspace).
		AddSum("sandbox.image", k.image(s.Image).Sum).
		AddJSON("sandbox.cpus", s.CPUs).
		AddJSON("sandbox.memory", s.Memory).
		AddJSON("sandbox.pids", s.PIDs).
		Add("sandbox.network", string(s.Network)).
		AddJSON("sandbox.env", s.Env).
		AddJSON("sandbox.user", s.User).
		Add("sandbox.workdir", s.Workdir)
	addScript(b, "setup", c.Setup)
	parts := b.Parts()
	k.cases[c] = parts
	return parts
}

// check: the run that is graded, and everything that decides how.
func (k *keys) check(t *engine.Trial, run engine.Key) engine.Key {
	parts, ok := k.checks[t.Case]
	if !ok {
		b := new(digest.KeyBuilder).AddJSON("protect", t.Case.Protect)
		for _, c := range t.Case.Checks {
			name := "check." + c.Name
			addScript(b, name, &c.Script)
			b.Add(name+".timeout", c.Timeout.String()).AddJSON(name+".weight", c.Weight).AddJSON(name+".env", c.Env)
		}
		parts = b.Parts()
		k.checks[t.Case] = parts
	}
	return digest.NewKey(checkProtocol).AddSum("run", run.Sum).Extend(parts).Key()
}

func addScript(b *digest.KeyBuilder, name string, s *engine.Script) {
	if s == nil {
		b.Add(name, "none")
		return
	}
	b.AddJSON(name+".command", s.Command).AddTree(name+".files", s.Files)
}
