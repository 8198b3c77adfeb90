package engine

import "slices"

// Before lists the matrices that must have ended before a matrix starts, through
// gates too, in the order of the file: those that it needs and whose results its
// if reads, and, with after, those that it only comes after.
func (s *Suite) Before(m *Matrix, after bool) (out []*Matrix) {
	var matrices, gates []string
	waits := m.Needs
	if after {
		waits = slices.Concat(m.Needs, m.After)
	}
	for _, d := range waits {
		if d.Gate != nil {
			gates = append(gates, d.Gate.Name)
		} else {
			matrices = append(matrices, d.Matrix.Name)
		}
	}
	read := func(c *Condition) {
		if c != nil {
			matrices, gates = append(matrices, c.Matrices...), append(gates, c.Gates...)
		}
	}
	read(m.If)
	for seen := map[string]bool{}; len(gates) > 0; gates = gates[1:] {
		for _, g := range s.Gates {
			if g.Name == gates[0] && !seen[g.Name] {
				seen[g.Name] = true
				read(g.Condition)
			}
		}
	}
	for _, other := range s.Matrices {
		if slices.Contains(matrices, other.Name) {
			out = append(out, other)
		}
	}
	return out
}
