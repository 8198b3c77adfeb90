package plan

import (
	"maps"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// filesOf lists every file that decided something in a plan, sorted by path.
func filesOf(p *engine.Plan) []engine.Source {
	f := files{}
	for _, s := range p.Suite.Sources {
		f[s.Path] = s.Sum
	}
	seen := map[any]bool{}
	first := func(thing any) bool {
		before := seen[thing]
		seen[thing] = true
		return !before
	}
	for _, t := range p.Trials {
		if first(t.Case) {
			for _, tree := range treesOf(t.Case) {
				f.addTree(tree)
			}
		}
		if t.Agent.Layer != nil && first(t.Agent) {
			f.addTree(t.Agent.Layer.Context)
		}
		if t.Model != nil && first(t.Model) {
			f.addTree(t.Model.Provider.Script)
		}
		if replays(t) {
			r := recordingOf(t)
			f[digest.PathOf(t.Model.Provider.Recordings, *r)] = r.Sum
		}
	}
	out := make([]engine.Source, 0, len(f))
	for _, name := range slices.Sorted(maps.Keys(f)) {
		out = append(out, engine.Source{Path: name, Sum: f[name]})
	}
	return out
}

// files are digests by path.
type files map[string]engine.Digest

// addTree adds the files and links of a tree; a link is what it points to.
func (f files) addTree(t *engine.Tree) {
	for _, part := range unmerged(t) {
		for _, e := range part.Entries {
			name := digest.PathOf(part, e)
			switch {
			case e.Mode.IsDir():
			case e.Mode.IsRegular():
				f[name] = e.Sum
			default:
				f[name] = digest.Bytes([]byte(e.Link))
			}
		}
	}
}
