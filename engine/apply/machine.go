package apply

import (
	"cmp"
	"math"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/graph"
)

// A Machine is what sandboxes can have together. A zero is not known, and bounds
// nothing.
type Machine struct {
	CPUs   int
	Memory int64    // bytes; a tenth of it is left to the machine itself
	PIDs   int64    // processes and threads
	GPUs   []string // ids of devices
}

// Resources that steps hold while they run. Those after resourcePart go by name.
const (
	resourceTrial  = "trial"  // sandboxes of trials
	resourceCPU    = "cpu"    // thousandths of a core
	resourceMemory = "memory" // bytes
	resourcePIDs   = "pids"
	resourceGPU    = "gpu"
	resourceBuild  = "build" // images and assets being fetched, made or looked at

	resourceMatrix   = "matrix:"
	resourceLock     = "lock:"
	resourceProvider = "provider:"
)

// buildsAtOnce is how many images and assets are made at once: they share a network and a
// disk.
const buildsAtOnce = 2

// resources fills in what there is.
func (r *runner) resources(c *graph.Config) {
	m := r.Machine
	c.Capacity = map[string]int64{resourceBuild: buildsAtOnce, resourceCPU: 1000 * int64(max(1, m.CPUs))}
	c.Machine = []string{resourceCPU, resourceMemory, resourcePIDs, resourceGPU}
	c.Devices = map[string][]string{resourceGPU: m.GPUs}
	bound := func(name string, n int64) {
		if n > 0 {
			c.Capacity[name] = n
		}
	}
	bound(resourceTrial, int64(r.Parallel))
	bound(resourceMemory, m.Memory-m.Memory/10)
	bound(resourcePIDs, m.PIDs-m.PIDs/10)
	for _, m := range r.plan.Suite.Matrices {
		bound(resourceMatrix+m.Name, int64(m.Parallel))
	}
	for _, p := range r.plan.Suite.Providers {
		bound(resourceProvider+p.Name, int64(p.Parallel))
	}
	for _, name := range locksOf(r.plan.Trials) {
		c.Capacity[resourceLock+name] = int64(max(1, r.plan.Suite.Locks[name]))
	}
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

// claims are what a sandbox for trials takes. More than the machine leaves for
// sandboxes is taken for all of it: what it does not have at all is refused
// before anything starts. Only a run has services; their cores are not set aside,
// since they mostly wait.
func claims(c *graph.Config, run bool, trials []*engine.Trial) []graph.Claim {
	t := first(trials)
	box := t.Case.Sandbox
	memory, pids := box.Memory, box.PIDs
	if run {
		memory, pids = box.WithServices()
	}
	out := []graph.Claim{{Name: resourceTrial, Amount: 1}, {Name: resourceMatrix + t.ID.Matrix, Amount: 1}}
	for _, name := range locksOf(slices.DeleteFunc(slices.Clone(trials), reused)) {
		out = append(out, graph.Claim{Name: resourceLock + name, Amount: 1})
	}
	out = append(out, machineClaims(c, box.CPUs, memory, pids)...)
	if box.GPUs > 0 {
		out = append(out, graph.Claim{Name: resourceGPU, Amount: int64(box.GPUs)})
	}
	return out
}

// machineClaims are what any sandbox takes of the machine, but for GPUs.
func machineClaims(c *graph.Config, cpus float64, memory, pids int64) (out []graph.Claim) {
	for _, claim := range []graph.Claim{
		{Name: resourceCPU, Amount: int64(math.Ceil(1000 * cpus))},
		{Name: resourceMemory, Amount: memory},
		{Name: resourcePIDs, Amount: pids},
	} {
		if most, bounded := c.Capacity[claim.Name]; bounded {
			out = append(out, graph.Claim{Name: claim.Name, Amount: min(claim.Amount, most)})
		}
	}
	return out
}

// ranks order steps: first what others wait for through matrices and gates, then
// images and assets, then checks, so that trials end early instead of all at once,
// then runs in turns.
type ranks struct {
	depth map[*engine.Matrix]int
	deep  int
	turns map[*engine.Trial]int
}

func newRanks(p *engine.Plan) *ranks {
	k := &ranks{depth: map[*engine.Matrix]int{}, turns: map[*engine.Trial]int{}}
	for _, m := range p.Suite.Matrices {
		k.deepen(p.Suite, m)
		k.deep = max(k.deep, k.depth[m])
	}
	byMatrix := map[*engine.Matrix][]*engine.Trial{}
	for _, t := range p.Trials {
		byMatrix[t.Matrix] = append(byMatrix[t.Matrix], t)
	}
	for _, trials := range byMatrix {
		k.takeTurns(trials)
	}
	return k
}

// deepen counts the matrices that wait for a matrix, one after the other.
func (k *ranks) deepen(s *engine.Suite, m *engine.Matrix) int {
	if d, known := k.depth[m]; known {
		return d
	}
	d := 0
	for _, other := range s.Matrices {
		if slices.Contains(s.Before(other, true), m) {
			d = max(d, 1+k.deepen(s, other))
		}
	}
	k.depth[m] = d
	return d
}

// takeTurns orders the trials of a matrix so that those next to each other are of
// other cases, and of other agents and models: neither do slow cases fill the
// machine, nor do all ask one provider.
func (k *ranks) takeTurns(trials []*engine.Trial) {
	cases, columns := map[string]int{}, map[string]int{}
	place := func(in map[string]int, name string) {
		if _, known := in[name]; !known {
			in[name] = len(in)
		}
	}
	for _, t := range alternate(trials) {
		place(columns, columnOf(t))
	}
	for _, t := range trials {
		place(cases, t.ID.Case)
	}
	for _, t := range trials {
		i, j := cases[t.ID.Case], columns[columnOf(t)]
		turn := (j - i%len(columns) + len(columns)) % len(columns)
		k.turns[t] = ((t.ID.N-1)*len(columns)+turn)*len(cases) + i
	}
}

// columnOf names who works on a case, in how a report has columns.
func columnOf(t *engine.Trial) string {
	return t.ID.Agent + "+" + t.ID.Model + "," + t.ID.Axes
}

// alternate orders trials so that providers take turns.
func alternate(trials []*engine.Trial) []*engine.Trial {
	seen, turn := map[string]int{}, map[*engine.Trial]int{}
	columns := map[string]bool{}
	var out []*engine.Trial
	for _, t := range trials {
		if column := columnOf(t); !columns[column] {
			columns[column] = true
			turn[t] = seen[providerOf(t)]
			seen[providerOf(t)]++
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b *engine.Trial) int { return cmp.Compare(turn[a], turn[b]) })
	return out
}

func providerOf(t *engine.Trial) string {
	if t.Model == nil || t.Model.Provider == nil {
		return ""
	}
	return t.Model.Provider.Name
}

// Kinds of steps, in the order in which they start.
const (
	rankImage = iota
	rankCheck
	rankRun
	rankKinds
)

// of gives the rank of a step that works for trials.
func (k *ranks) of(kind int, trials []*engine.Trial) int {
	depth, turn := 0, 0
	for i, t := range trials {
		depth = max(depth, k.depth[t.Matrix])
		if i == 0 || k.turns[t] < turn {
			turn = k.turns[t]
		}
	}
	if kind == rankImage {
		turn = 0
	}
	return ((k.deep-depth)*rankKinds+kind)*(len(k.turns)+1)*2 + min(turn, 2*len(k.turns)+1)
}
