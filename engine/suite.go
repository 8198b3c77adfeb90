package engine

import "time"

// A Suite is what one set of benchfiles declares, after evaluation. It is never
// changed after lang has made it.
type Suite struct {
	Name          string
	Description   string
	Root          string // absolute path of the project root on the host
	ResultsDir    string // relative to Root unless absolute
	Parallel      int    // trials at once; 0 means as many as the machine has CPUs
	Seed          uint64 // root of all trial seeds
	KeepArtifacts Keep
	Locks         map[string]int // capacity of named locks; one that is not listed has 1
	Budget        Budget
	Variables     []*Variable // sorted by name
	Secrets       []*Secret   // those in use, sorted by name
	Providers     []*Provider // those in use, sorted by name
	Models        []*Model    // those in use, sorted by name
	Cases         []*Case     // those in use, sorted by name
	Agents        []*Agent    // those in use, sorted by name
	Matrices      []*Matrix   // in the order of the file
	Gates         []*Gate     // in the order of the file
	Reports       []*Report
	Sources       []Source            // every file that decided what the suite says, sorted by path
	Reads         map[string][]string // by benchfile: the files that its expressions read
	Pos           Pos
}

// Keep says whose artifacts are kept. The snapshot for grading is always kept,
// unless it is KeepNone.
type Keep string

// What can be kept.
const (
	KeepAll    Keep = "all"
	KeepFailed Keep = "failed"
	KeepNone   Keep = "none"
)

// A Budget bounds what a suite or a matrix may use up. A zero means "no bound".
type Budget struct {
	Cost      float64 // USD
	Tokens    int64
	WallClock time.Duration
}

// IsZero reports whether nothing is bounded.
func (b Budget) IsZero() bool { return b == Budget{} }

// A Variable is an input of a suite.
type Variable struct {
	Name      string
	Value     string // as JSON; empty if it is sensitive
	Sensitive bool
	Sum       Digest // of the value, salted if it is sensitive
}

// A Secret is a value that only a provider may use. The value itself is read
// when a run begins, and is never part of a suite or a plan.
type Secret struct {
	Name     string
	Env      string // name of the environment variable that holds it; or
	File     string // path relative to the root
	Optional bool
	Pos      Pos
}

// A Source is a file that decided what the suite says: a benchfile, or what an
// expression read.
type Source struct {
	Path string `json:"path"` // relative to the project root
	Sum  Digest `json:"sha256"`
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
	Tokens    int64
	Cost      float64 // USD
	Turns     int64   // requests to models by which the agent goes on with its work
	Requests  int64   // all requests to models, turns included
}

// DefaultWallClock bounds an agent where nothing else does.
const DefaultWallClock = 30 * time.Minute

// Strictest is the limit that holds where several apply.
func Strictest(all ...Limits) Limits {
	var out Limits
	for _, l := range all {
		out.WallClock = stricter(out.WallClock, l.WallClock)
		out.Tokens = stricter(out.Tokens, l.Tokens)
		out.Cost = stricter(out.Cost, l.Cost)
		out.Turns = stricter(out.Turns, l.Turns)
		out.Requests = stricter(out.Requests, l.Requests)
	}
	if out.WallClock == 0 {
		out.WallClock = DefaultWallClock
	}
	return out
}

// stricter is the smaller of two bounds, where zero is no bound.
func stricter[N int64 | float64 | time.Duration](a, b N) N {
	if a <= 0 || b > 0 && b < a {
		return b
	}
	return a
}
