package engine

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
	return all
}

// Weaknesses are those of the trial.
func (r *Result) Weaknesses() []string { return r.Trial.Weaknesses() }
