package plan

import "github.com/ml-dev-bench/bench/engine"

// along gives the matrices that a selection brings along whole: those that must
// come out well before a matrix with selected trials starts. Without them nothing
// of it would start. A matrix that the selection removes by its name stays away.
func (b *builder) along(wanted map[*engine.Matrix]bool, names patterns) map[*engine.Matrix]bool {
	out := map[*engine.Matrix]bool{}
	var bring func(m *engine.Matrix)
	bring = func(m *engine.Matrix) {
		for _, other := range b.plan.Suite.Before(m, false) {
			if !out[other] && !names.remove(other.Name) {
				out[other] = true
				bring(other)
			}
		}
	}
	for _, m := range b.plan.Suite.Matrices {
		if wanted[m] {
			bring(m)
		}
	}
	return out
}

// remove reports whether a pattern with "!" matches a name.
func (ps patterns) remove(name string) bool {
	for _, p := range ps {
		if p.not && p.matchesName(name) {
			return true
		}
	}
	return false
}
