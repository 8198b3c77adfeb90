package main

import (
	"path/filepath"
	"strings"
	"time"
)

// checkInvariants looks at what must hold whenever no bench is at work, whatever
// has happened to the last one.
func (r *rig) checkInvariants() {
	r.Helper()
	r.nothingLost()
	all, bad := r.stored()
	for file, err := range bad {
		if !r.broken[file] {
			r.violated("%s is stored and cannot be read: %v", r.short(file), err)
		}
	}
	for _, a := range all {
		verdicts := a.verdicts()
		for _, v := range verdicts {
			r.row.checked["verdicts"]++
			if v != deserved(a.trial) {
				r.violated("%s: %s has %s, and deserves %s", r.short(a.dir), a.trial, v, deserved(a.trial))
			}
		}
		if len(verdicts) > 1 {
			r.violated("%s: graded %d times", r.short(a.dir), len(verdicts))
		}
	}
	r.nothingAgain(all)
}

// nothingLost holds what was stored against what was seen before.
func (r *rig) nothingLost() {
	r.Helper()
	now := r.sums(r.trials(), results)
	for path, sum := range r.seen {
		r.row.checked["files"]++
		switch got, there := now[path]; {
		case !there:
			r.violated("%s was stored, and is gone", r.short(path))
		case got != sum:
			r.violated("%s was stored, and is another now", r.short(path))
		}
	}
	r.seen = now
}

// nothingAgain asks the engine whether a sandbox was made for a trial that had a
// verdict already.
func (r *rig) nothingAgain(all []*foundAttempt) {
	r.Helper()
	for _, m := range r.watch.creations() {
		if at, ok := r.ended[m.trial]; ok && m.at.After(at) {
			r.violated("%s had a verdict, and %v later a sandbox was made for it", m.trial, m.at.Sub(at))
			delete(r.ended, m.trial) // told once
		}
	}
	for _, a := range all {
		if _, known := r.ended[a.trial]; !known && len(a.verdicts()) > 0 {
			r.ended[a.trial] = time.Now()
		}
	}
}

// nothingLeft runs one more command of bench, after which nothing may be left on
// the engine of any that died.
func (r *rig) nothingLeft() {
	r.Helper()
	status, _, stderr := r.bench("version")
	if status != 0 {
		r.violated("bench version: exit status %d\n%s", status, stderr)
	}
	r.row.checked["engine"]++
	if left := r.left(); len(left) > 0 {
		r.violated("left on the engine: %s\n%s", strings.Join(left, ", "), stderr)
	}
}

// finish lets one more apply do what is left, and looks at the whole.
func (r *rig) finish() {
	r.Helper()
	p := r.apply()
	if status := p.wait(); status != 0 {
		r.violated("the last apply, which nothing disturbed: exit status %d\n%s%s", status, p.out.String(), p.err.String())
		return
	}
	r.checkInvariants()
	r.nothingLeft()
	r.reportsAgree(p.out.String())
	r.eachOnce()
	status, stdout, stderr := r.bench("plan", "bench.hcl")
	if status != 0 || !strings.Contains(stdout, "Nothing to do") {
		r.violated("after all is done, plan has exit status %d and says\n%s%s", status, stdout, stderr)
	}
	r.checkInvariants()
}

// eachOnce demands that each trial has exactly one attempt with a verdict, made
// by exactly one execution of its agent, and that what a dead bench had stored
// was graded and not made again. Attempts that the test has damaged do not count.
func (r *rig) eachOnce() {
	r.Helper()
	all, _ := r.stored()
	verdicts, finished, from := map[string]int{}, map[string]int{}, map[string]string{}
	for _, a := range all {
		if a.outcome != "" && a.outcome != "failed" || r.broken[a.dir] {
			continue
		}
		if finished[a.trial]++; finished[a.trial] > 1 {
			r.violated("%s had finished an attempt, and made another: %s", a.trial, r.short(a.dir))
		}
		if len(a.verdicts()) > 0 {
			verdicts[a.trial]++
		}
		if r.broken[filepath.Join(a.dir, "workspace.tar.gz")] {
			continue
		}
		ran, err := tokens(a.dir)
		if err != nil || len(ran) != 1 {
			r.violated("%s: the agent ran %d times in one attempt (%v)", r.short(a.dir), len(ran), err)
			continue
		}
		if other := from[ran[0]]; other != "" {
			r.violated("%s and %s store the same execution", r.short(a.dir), r.short(other))
		}
		from[ran[0]] = a.dir
	}
	report := r.readReports()
	made := map[string]bool{}
	for _, m := range r.watch.creations() {
		made[m.trial] = true
	}
	for _, t := range report.json.Trials {
		if n := verdicts[t.ID]; n != 1 {
			r.violated("%s has %d attempts with a verdict", t.ID, n)
		}
		if !made[t.ID] {
			r.Fatalf("the engine told of no sandbox for %s: the test looks in the wrong way", t.ID)
		}
	}
}

// short is a path as people want to read it.
func (r *rig) short(path string) string {
	for _, dir := range []string{r.trials(), r.dir} {
		if rel, ok := strings.CutPrefix(path, dir+"/"); ok {
			return rel
		}
	}
	return path
}
