package store

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"unicode/utf8"

	"github.com/ml-dev-bench/bench/engine"
)

// A trial is what is known of the directory of one, and how that looked when it
// was read.
type trial struct {
	name     string // of the directory
	modified int64  // nanoseconds since 1970, like all times here
	attempts []*attempt
	damaged  []string
	settled  bool // whatever changes in it will show; see index.go
}

// An attempt is one that can be read.
type attempt struct {
	stored   *engine.Stored // replaced when a grade is added, never changed: plans hold it
	began    int64
	modified int64 // of its directory
	run      file
	grades   []file   // one for each of stored.Grades
	next     *attempt // another one with the same run key
}

// A file is how one looks from outside.
type file struct{ modified, size int64 }

// never is the time of a file whose changes cannot be seen from outside.
const never = math.MaxInt64

// better reports whether an attempt is preferred to another with the same key.
func (a *attempt) better(b *attempt) bool {
	gradable := func(a *attempt) int {
		if a.stored.Outcome.Status == engine.StatusInvalid {
			return 1
		}
		return 0
	}
	x, y := a.stored, b.stored
	return cmp.Or(cmp.Compare(gradable(a), gradable(b)), cmp.Compare(a.began, b.began), cmp.Compare(x.N, y.N), cmp.Compare(x.Trial.String(), y.Trial.String())) > 0
}

// newest is when anything of it changed last.
func (t *trial) newest() int64 {
	at := t.modified
	for _, a := range t.attempts {
		at = max(at, a.modified, a.run.modified)
		for _, g := range a.grades {
			at = max(at, g.modified)
		}
	}
	return at
}

// spread does work for 0 to n-1, in stretches, on a few goroutines.
func spread(n int, work func(from, to int)) {
	const stretch = 64
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(2*runtime.GOMAXPROCS(0), n/stretch+1) {
		wg.Go(func() {
			for {
				to := int(next.Add(stretch))
				if to-stretch >= n {
					return
				}
				work(to-stretch, min(to, n))
			}
		})
	}
	wg.Wait()
}

// stale names the trials below a directory that do not look as they are known.
func stale(trials *os.File, names []string, known map[string]*trial) (stale []string) {
	fits := make([]bool, len(names))
	spread(len(names), func(from, to int) {
		for i := from; i < to; i++ {
			t := known[names[i]]
			fits[i] = t != nil && t.settled && t.looksAsIn(trials)
		}
	})
	for i, name := range names {
		if !fits[i] {
			stale = append(stale, name)
		}
	}
	return stale
}

func (t *trial) looksAsIn(trials *os.File) bool {
	if lookAtDir(trials, t.name) != t.modified {
		return false
	}
	for _, a := range t.attempts {
		dir := t.name + "/attempt-" + strconv.Itoa(a.stored.N)
		if lookAtDir(trials, dir) != a.modified || lookAt(trials, dir+"/run.json") != a.run {
			return false
		}
		for i, g := range a.grades {
			if lookAt(trials, dir+"/grade-"+strconv.Itoa(a.stored.Grades[i].N)+"/grade.json") != g {
				return false
			}
		}
	}
	return true
}

// lookAt sees a file from outside. A link says nothing of what it leads to.
func lookAt(below *os.File, name string) file {
	if f, dir := glance(below, name); !dir {
		return f
	}
	return file{modified: never}
}

func lookAtDir(below *os.File, name string) (modified int64) {
	if f, dir := glance(below, name); dir {
		return f.modified
	}
	return never
}

// readTrials reads trials from their files; nil stands for one that is none.
// Those that have not changed since the stamp are settled.
func readTrials(trials *os.File, names []string, stamp int64) []*trial {
	out := make([]*trial, len(names))
	spread(len(names), func(from, to int) {
		for i := from; i < to; i++ {
			if out[i] = readTrial(trials, names[i]); out[i] != nil {
				out[i].settled = out[i].newest() < stamp
			}
		}
	})
	return out
}

// readTrial reads a trial from its files. It looks at each before it reads it:
// what changes in between is then taken for changed later, too.
func readTrial(trials *os.File, name string) *trial {
	t := &trial{name: name, modified: lookAtDir(trials, name)}
	entries, err := os.ReadDir(filepath.Join(trials.Name(), name))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil
	}
	if err != nil {
		t.damage(err)
	}
	for _, e := range numbered(entries, "attempt-") {
		if !e.dir {
			t.damage(notDir(trials, name, e.name))
			continue
		}
		t.readAttempt(trials, filepath.Join(name, e.name), e.n)
	}
	return t
}

func notDir(trials *os.File, name ...string) error {
	return fmt.Errorf("%s: not a directory", filepath.Join(trials.Name(), filepath.Join(name...)))
}

func (t *trial) damage(err error) { t.damaged = append(t.damaged, err.Error()) }

func (t *trial) readAttempt(trials *os.File, name string, n int) {
	a := &attempt{modified: lookAtDir(trials, name), run: lookAt(trials, name+"/run.json")}
	dir := filepath.Join(trials.Name(), name)
	run, err := readRun(dir)
	if err == nil && (run.Trial.Dir() != t.name || run.N != n) {
		err = fmt.Errorf("%s: attempt %d of %s, which does not belong here", filepath.Join(dir, "run.json"), run.N, run.Trial)
	}
	if err != nil {
		t.damage(err)
		return
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.damage(err)
		return
	}
	a.stored, a.began = storedOf(run), run.Began.UnixNano()
	for _, e := range numbered(entries, "grade-") {
		if !e.dir {
			t.damage(notDir(trials, name, e.name))
			continue
		}
		seen := lookAt(trials, name+"/"+e.name+"/grade.json")
		g, err := readGrade(dir, e.n)
		if err != nil {
			t.damage(err)
			continue
		}
		a.stored.Grades = append(a.stored.Grades, storedGradeOf(run, g, e.n))
		a.grades = append(a.grades, seen)
	}
	t.attempts = append(t.attempts, a)
}

// storedOf is what is remembered of an attempt.
func storedOf(a *engine.Attempt) *engine.Stored {
	st := &engine.Stored{Trial: a.Trial, N: a.N, Run: a.Key.Sum, Outcome: brief(a.Outcome), Took: a.Took}
	if a.Cost != nil {
		st.Cost = new(*a.Cost) // not a pointer that could hold the attempt in memory
	}
	if a.Tokens != nil {
		st.Tokens = new(*a.Tokens)
	}
	return st
}

// storedGradeOf is what is remembered of a grade.
func storedGradeOf(a *engine.Attempt, g *engine.Grade, n int) engine.StoredGrade {
	return engine.StoredGrade{N: n, Check: g.Key.Sum, Outcome: brief(engine.Decide(a, g))}
}

func brief(o engine.Outcome) engine.Outcome {
	o.Detail = ""
	return o
}

func readRun(dir string) (*engine.Attempt, error) {
	a := &engine.Attempt{}
	return a, readJSON(filepath.Join(dir, "run.json"), a)
}

func readGrade(dir string, n int) (*engine.Grade, error) {
	g := &engine.Grade{}
	file := filepath.Join(dir, fmt.Sprintf("grade-%d", n), "grade.json")
	if err := readJSON(file, g); err != nil {
		return nil, err
	}
	if g.Key.Sum.IsZero() { // as in {}, which would be a trial that no check has passed
		return nil, fmt.Errorf("%s: has no key, so nobody knows what was graded", file)
	}
	return g, nil
}

func readJSON(file string, into any) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	if !utf8.Valid(text) { // it was written as text, and the decoder would take damaged texts for others
		return fmt.Errorf("%s: it is not text any more", file)
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	return nil
}

type numberedEntry struct {
	name string
	n    int
	dir  bool // anything else is damaged, but has the number all the same
}

// numbered gives the entries "PREFIX1", "PREFIX2", … in the order of their
// numbers.
func numbered(entries []fs.DirEntry, prefix string) []numberedEntry {
	var out []numberedEntry
	for _, e := range entries {
		digits, ok := strings.CutPrefix(e.Name(), prefix)
		if n, err := strconv.Atoi(digits); ok && err == nil && n > 0 && strconv.Itoa(n) == digits {
			out = append(out, numberedEntry{e.Name(), n, e.IsDir()})
		}
	}
	slices.SortFunc(out, func(a, b numberedEntry) int { return a.n - b.n })
	return out
}
