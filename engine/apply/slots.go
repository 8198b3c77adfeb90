package apply

import (
	"fmt"
	"math"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/graph"
)

// Slots that steps hold while they run.
const (
	slotTrial  = "trial"  // sandboxes of trials
	slotCPU    = "cpu"    // whole cores of the machine
	slotBuild  = "build"  // images being pulled or built
	slotMatrix = "matrix" // + ":" + name
	slotLock   = "lock"   // + ":" + name
)

func (r *runner) slots() map[string]int {
	slots := map[string]int{slotBuild: 2, slotCPU: r.cpus()}
	if r.Parallel > 0 {
		slots[slotTrial] = r.Parallel
	}
	for _, m := range r.plan.Suite.Matrices {
		if m.Parallel > 0 {
			slots[slotMatrix+":"+m.Name] = m.Parallel
		}
	}
	for _, name := range locksOf(r.plan.Trials) {
		slots[slotLock+":"+name] = max(1, r.plan.Suite.Locks[name])
	}
	return slots
}

// locksOf names the locks that are held while trials run, each once: those of
// their sandboxes, and of all matrices that they are part of.
func locksOf(trials []*engine.Trial) (names []string) {
	for _, t := range trials {
		for _, name := range []string{t.Case.Sandbox.Lock, t.Matrix.Lock} {
			if name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	return names
}

func (r *runner) cpus() int { return max(1, r.CPUs) }

// vertex says what a step waits for and takes. Checks come before runs, so that
// trials end early instead of all at once; images come first of all.
func (r *runner) vertex(s engine.Step) graph.Vertex {
	v := graph.Vertex{ID: string(s.StepID())}
	for _, need := range s.Needs() {
		if _, planned := r.steps[string(need)]; planned {
			v.Needs = append(v.Needs, string(need))
		}
	}
	var trials []*engine.Trial
	switch s := s.(type) {
	case *engine.ImageStep:
		v.Takes = []string{slotBuild}
		return v
	case *engine.CheckStep:
		v.Rank, trials = 1, s.Trials
	case *engine.RunStep:
		v.Rank, trials = 2, s.Trials
	default:
		panic(fmt.Sprintf("apply: unknown step %T", s))
	}
	trial := first(trials)
	v.Takes = []string{slotTrial, slotMatrix + ":" + trial.ID.Matrix}
	for _, name := range locksOf(slices.DeleteFunc(slices.Clone(trials), reused)) {
		v.Takes = append(v.Takes, slotLock+":"+name)
	}
	for range min(r.cpus(), int(math.Ceil(trial.Case.Sandbox.CPUs))) {
		v.Takes = append(v.Takes, slotCPU)
	}
	return v
}
