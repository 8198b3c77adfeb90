package main

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestTorture injures bench while it works, and then looks from outside whether
// anything was lost, done twice, left behind or told wrongly. It runs the real
// binary as a process on a real Docker engine, and knows of it only what a user
// can see: exit statuses, what it prints, its files, its containers.
//
// The short form is part of "make test". The long one, "make torture", injures
// it a few hundred times:
//
//	BENCH_TORTURE=long go test ./cmd/bench -run Torture -v
//
// Moments and victims are random, by a seed that is printed. With the same seed
// the same moments come again, which is as near as one gets to the same race:
//
//	BENCH_TORTURE_SEED=42 go test ./cmd/bench -run Torture/kill -v
//
// Faults that need a Linux host and root (or sudo that does not ask) are in
// torture_host_linux_test.go; without root they fail and say what is missing.
func TestTorture(t *testing.T) {
	long := os.Getenv("BENCH_TORTURE") == "long"
	seed := tortureSeed(t)
	t.Logf("seed %d; to see the same moments again: BENCH_TORTURE_SEED=%d", seed, seed)
	rows := make([]*row, len(faults))
	for i, f := range faults {
		rows[i] = &row{fault: f.what, checked: map[string]int{}}
		t.Run(f.name, func(t *testing.T) {
			t.Parallel() // mostly they wait, and nothing of one can be seen by another
			f.torture(t, rows[i], seed, long)
		})
	}
	t.Cleanup(func() { t.Log("\n" + tortureReport(rows)) }) // when all have ended
}

// A fault is one way to injure bench.
type fault struct {
	name        string
	what        string            // for the report
	short, long int               // how often
	run         func(*rig, int)   // does up to so many injuries to one results directory
	ready       func(*rig) func() // what the directory needs before; undone by what it gives; may be nil
}

// faults is the table; the ones that only Linux can make are added to it there.
var faults = []fault{
	{name: "kill", what: "SIGKILL of bench", short: 6, long: 100, run: killBench},
	{name: "term", what: "SIGTERM of bench", short: 2, long: 30, run: termBench},
	{name: "container", what: "container killed or removed", short: 3, long: 40, run: loseContainers},
	{name: "two", what: "second bench on the directory", short: 2, long: 20, run: secondBench},
	{name: "clock", what: "clock that stepped", short: 1, long: 5, run: stepClock},
	{name: "damage", what: "stored file cut off or overwritten", short: 4, long: 40, run: damageFiles},
	{name: "snapshot", what: "snapshot damaged before it was graded", short: 1, long: 5, run: damageSnapshot},
}

// tooMany violations make it pointless to go on.
const tooMany = 20

// torture does one fault as often as wanted, on as many directories as it takes.
func (f fault) torture(t *testing.T, row *row, seed uint64, long bool) {
	times, trials := f.short, 2
	if long {
		times, trials = f.long, 5
	}
	began := time.Now()
	defer func() { row.took += time.Since(began) }()
	name := fnv.New64a()
	name.Write([]byte(f.name)) // each fault has moments of its own, so that it can be repeated alone
	rng := rand.New(rand.NewPCG(seed, name.Sum64()))
	for row.injuries < times && row.violations < tooMany {
		before := row.injuries
		r := newRig(t, row, rng, trials)
		undo := func() {}
		if f.ready != nil {
			undo = f.ready(r)
		}
		f.run(r, times-row.injuries)
		r.finish()
		r.close()
		undo()
		if row.injuries == before {
			t.Fatalf("%s: the run was over before it could be injured", f.what)
		}
	}
}

func tortureSeed(t *testing.T) uint64 {
	text := os.Getenv("BENCH_TORTURE_SEED")
	if text == "" {
		return rand.Uint64() >> 32
	}
	seed, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		t.Fatalf("BENCH_TORTURE_SEED is a number, not %q", text)
	}
	return seed
}

// A row is what the report says of a fault.
type row struct {
	fault      string
	injuries   int
	dirs       int
	checked    map[string]int // what was looked at, and how often
	violations int
	took       time.Duration
}

// looks lists what is counted in row.checked, in the order of the report.
var looks = []string{"files", "verdicts", "reports", "engine"}

func tortureReport(rows []*row) string {
	var b strings.Builder
	line := func(what, times, dirs string, checked []string, violations, took string) {
		fmt.Fprintf(&b, "%-38s %5s %5s", what, times, dirs)
		for _, c := range checked {
			fmt.Fprintf(&b, " %8s", c)
		}
		fmt.Fprintf(&b, " %10s %8s\n", violations, took)
	}
	line("FAULT", "TIMES", "DIRS", upper(looks), "VIOLATIONS", "TOOK")
	for _, r := range rows {
		if r.dirs == 0 {
			continue // not selected by -run
		}
		checked := make([]string, len(looks))
		for i, look := range looks {
			checked[i] = strconv.Itoa(r.checked[look])
		}
		times := strconv.Itoa(r.injuries)
		line(r.fault, times, strconv.Itoa(r.dirs), checked, strconv.Itoa(r.violations), r.took.Round(time.Second).String())
	}
	b.WriteString("files: compared with what they were; verdicts: there once, and deserved; reports: agree; engine: nothing left on it\n")
	return b.String()
}

func upper(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = strings.ToUpper(w)
	}
	return out
}
