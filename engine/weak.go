package engine

import "fmt"

// Weaknesses says why a verdict on the trial proves less than others: what the
// benchfile leaves open to the agent. Each is an argument and what it means, in one
// line. Most trials have none. Plans and all reports tell them.
func (t *Trial) Weaknesses() (all []string) {
	if t.Case == nil {
		return nil
	}
	if t.Case.Snapshot == SnapshotFilesystem {
		all = append(all, `snapshot = "filesystem": the agent can change the programs with which it is checked`)
	}
	if t.Case.Sandbox != nil && t.Case.Sandbox.Network == NetworkOpen {
		all = append(all, `network = "open": the agent can reach everything outside, answers included`)
	}
	return all
}

// Weaknesses are those of the trial, and what the attempt adds to them.
func (r *Result) Weaknesses() []string {
	all := r.Trial.Weaknesses()
	if r.Attempt == nil {
		return all
	}
	for _, s := range r.Attempt.Services {
		if s.Exit != nil && *s.Exit != 0 {
			all = append(all, fmt.Sprintf("service %q ended with exit status %d before the agent did", s.Name, *s.Exit))
		}
	}
	return all
}
