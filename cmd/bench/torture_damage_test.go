package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// stepClock makes stored results look as if the clock had stepped, by years and
// both ways, between them and now. The clock of the machine belongs to others,
// so it is the files that move: their times, and what is written in them.
func stepClock(r *rig, _ int) {
	if status := r.apply().wait(); status != 0 {
		r.violated("apply: exit status %d", status)
	}
	r.checkInvariants()
	everything := func(string) bool { return true }
	for path := range r.sums(filepath.Join(r.dir, ".bench"), everything) {
		if filepath.Base(path) == "run.json" && r.rng.IntN(2) == 0 {
			r.moveBegan(path)
		}
		at := time.Now().Add(r.between(-5*365*24*time.Hour, 5*365*24*time.Hour))
		for range 1 + strings.Count(strings.TrimPrefix(path, r.dir), "/") {
			r.must(os.Chtimes(path, at, at))
			if path = filepath.Dir(path); path == r.dir {
				break
			}
		}
	}
	r.row.injuries++
	r.seen = r.sums(r.trials(), results) // began was changed by us
	r.allReused()
}

var beganForm = regexp.MustCompile(`"(began|ended)": "20\d\d`)

func (r *rig) moveBegan(path string) {
	text, err := os.ReadFile(path)
	r.must(err)
	year := []byte([]string{`"$1": "1999`, `"$1": "2099`}[r.rng.IntN(2)])
	moved := beganForm.ReplaceAll(text, year)
	if string(moved) == string(text) {
		r.Fatalf("%s does not say when it began", path)
	}
	r.must(os.WriteFile(path, moved, 0o644))
}

// allReused demands that plan and apply find all of it done.
func (r *rig) allReused() {
	r.Helper()
	status, stdout, stderr := r.bench("plan", "bench.hcl")
	if status != 0 || !strings.Contains(stdout, "Nothing to do") {
		r.violated("plan: exit status %d\n%s%s", status, stdout, stderr)
	}
	p := r.apply()
	if status := p.wait(); status != 0 || !strings.Contains(p.out.String(), fmt.Sprintf("(%d reused", len(r.ended))) {
		r.violated("apply: exit status %d\n%s%s", status, p.out.String(), p.err.String())
	}
	r.checkInvariants()
}

// damageFiles cuts off and overwrites stored files, as a disk or a file system
// does that lost power. What is damaged must be told, and be done again under a
// number of its own; the rest must not notice.
func damageFiles(r *rig, most int) {
	if status := r.apply().wait(); status != 0 {
		r.violated("apply: exit status %d", status)
	}
	r.checkInvariants()
	r.damageCaches()
	attempts, bad := r.stored()
	if len(bad) > 0 {
		r.Fatal(bad)
	}
	r.rng.Shuffle(len(attempts), func(i, j int) { attempts[i], attempts[j] = attempts[j], attempts[i] })
	var told []string
	for i, a := range attempts[:min(most, len(attempts)-1)] {
		file := filepath.Join(a.dir, []string{"run.json", "grade-1/grade.json", "workspace.tar.gz"}[i%3])
		r.damage(file)
		r.broken[file] = true
		if i%3 == 2 {
			continue // the verdict stands: it needs no snapshot any more
		}
		r.broken[a.dir] = i%3 == 0
		delete(r.ended, a.trial)
		told = append(told, file)
	}
	r.seen = r.sums(r.trials(), results) // as damaged as they are, they must stay
	for _, args := range [][]string{{"plan", "bench.hcl"}, {"apply", "bench.hcl"}} {
		status, stdout, stderr := r.bench(args...)
		for _, file := range told {
			if rel, _ := filepath.Rel(r.dir, file); !strings.Contains(stdout+stderr, rel) {
				r.violated("%s: exit status %d, and it does not tell that %s is damaged\n%s%s", args[0], status, rel, stdout, stderr)
			}
		}
		r.checkInvariants()
	}
}

// damage zeroes a stretch of a file, or cuts it off.
func (r *rig) damage(file string) {
	text, err := os.ReadFile(file)
	r.must(err)
	if len(text) == 0 {
		r.Fatalf("%s is empty already", file)
	}
	at := r.rng.IntN(len(text))
	if r.rng.IntN(2) == 0 {
		text = text[:at]
	} else {
		for i := range text[at:min(len(text), at+1+r.rng.IntN(64))] {
			if text[at+i] != 0 {
				text[at+i] = 0 // as a file system leaves what it had no time to write
			} else {
				text[at+i] = 0xff
			}
		}
	}
	r.must(os.WriteFile(file, text, 0o644))
	r.row.injuries++
}

// damageCaches damages what bench can do without: the index, the lock file, and
// what it wrote of its runs.
func (r *rig) damageCaches() {
	lock := filepath.Join(r.dir, ".bench", "lock")
	r.must(os.WriteFile(lock, []byte("process nobody\n"), 0o644)) // it is empty while nobody holds it
	files := []string{filepath.Join(r.dir, ".bench", "torture", "index"), lock}
	runs, err := filepath.Glob(filepath.Join(r.dir, ".bench", "torture", "runs", "*.ndjson"))
	r.must(err)
	for _, file := range append(files, runs...) {
		r.damage(file)
	}
	r.row.injuries -= len(files) + len(runs) // in addition to those that were asked for
	r.allReused()
}

// damageSnapshot damages what an agent left before it could be graded, as a host
// that loses power between the two can. Nobody can grade it any more, so bench
// must tell, and let the agent run again.
func damageSnapshot(r *rig, most int) {
	if status := r.apply().wait(); status != 0 {
		r.violated("apply: exit status %d", status)
	}
	r.checkInvariants()
	attempts, _ := r.stored()
	a := attempts[r.rng.IntN(len(attempts))]
	r.must(os.RemoveAll(filepath.Join(a.dir, "grade-1")))
	file := filepath.Join(a.dir, "workspace.tar.gz")
	r.damage(file)
	r.broken[file], r.broken[a.dir] = true, true
	r.seen = r.sums(r.trials(), results)
	delete(r.ended, a.trial)
	status, stdout, stderr := r.bench("apply", "bench.hcl")
	if !strings.Contains(stdout+stderr, "workspace.tar.gz") {
		r.violated("apply: exit status %d, and it does not tell that the snapshot of %s is damaged\n%s%s", status, a.trial, stdout, stderr)
	}
	r.checkInvariants()
}
