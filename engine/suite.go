package engine

import "time"

// A Suite is what one set of benchfiles declares, after evaluation. It is never
// changed after lang has made it.
type Suite struct {
	Name        string
	Description string
	Root        string // absolute path of the project root on the host
	ResultsDir  string // relative to Root unless absolute
	Parallel    int    // trials at once; 0 means as many as the machine has CPUs
	Seed        uint64 // root of all trial seeds
	Cases       []*Case
	Agents      []*Agent
	Matrices    []*Matrix
	Reports     []*Report
	Sources     []Source // every benchfile that was read, sorted by path
	Pos         Pos
}

// A Source is a file that decided what the suite says.
type Source struct {
	Path string `json:"path"` // relative to the project root
	Sum  Digest `json:"sha256"`
}

// A Matrix declares which cases are given to which agents, and how often.
type Matrix struct {
	Name     string
	Cases    []*Case // selected by glob, reference and tags; sorted by name
	Agents   []*Agent
	Trials   int // per cell, at least 1
	Parallel int // trials of this matrix at once; 0 means the suite's number
	Limits   Limits
	Exclude  []*Exclude
	Include  []*Include
	Pos      Pos
}

// An Exclude removes the cells that match all that it gives.
type Exclude struct {
	Cases []*Case // nil if it names no case
	Agent *Agent  // nil if it names no agent
	Pos   Pos
}

// An Include adds cells that the crossing does not have.
type Include struct {
	Cases  []*Case
	Agents []*Agent
	Trials int
	Pos    Pos
}

// A Report is a document to be written when the run has ended.
type Report struct {
	Format   string // "junit", "markdown" or "json"
	Path     string // relative to the root
	Matrices []*Matrix
	Rows     []string // what the rows of its tables stand for, e.g. "agent", "case"
	Pos      Pos
}

// Limits bound what an agent may use up. A zero means "not limited here".
type Limits struct {
	WallClock time.Duration
}

// DefaultWallClock bounds an agent where nothing else does.
const DefaultWallClock = 30 * time.Minute

// Strictest is the limit that holds where several apply.
func Strictest(all ...Limits) Limits {
	var out Limits
	for _, l := range all {
		if l.WallClock > 0 && (out.WallClock == 0 || l.WallClock < out.WallClock) {
			out.WallClock = l.WallClock
		}
	}
	if out.WallClock == 0 {
		out.WallClock = DefaultWallClock
	}
	return out
}
