package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/moby/moby/client"
)

// killBench kills bench again and again on one results directory.
func killBench(r *rig, most int) {
	for range most {
		p := r.apply()
		killed := p.strike(r.moment(p), syscall.SIGKILL)
		p.wait()
		if !killed {
			return // all was done
		}
		if r.rng.IntN(2) == 0 { // else the next apply finds it as it was left
			r.nothingLeft()
		}
		r.checkInvariants()
	}
}

// moment is when to strike: while bench locks, reads and plans; or while it works;
// or, half of the time, right after it has stored something, for which this waits.
func (r *rig) moment(p *process) time.Duration {
	switch r.rng.IntN(4) {
	case 0:
		return r.between(0, 500*time.Millisecond)
	case 1:
		return r.between(0, 5*time.Second)
	}
	files := len(r.seen) + 1 + r.rng.IntN(8)
	p.until(func() bool { return len(r.sums(r.trials(), results)) >= files })
	return r.between(0, 300*time.Millisecond)
}

// termBench asks bench to stop. It must end soon, in good order.
func termBench(r *rig, most int) {
	for range most {
		p := r.apply()
		asked := p.strike(r.between(0, 3*time.Second), syscall.SIGTERM)
		began := time.Now()
		status := p.wait()
		if !asked {
			return
		}
		if status != 128+int(syscall.SIGTERM) && status != 0 {
			r.violated("after SIGTERM: exit status %d\n%s%s", status, p.out.String(), p.err.String())
		}
		if took := time.Since(began); took > patience {
			r.violated("after SIGTERM it took %v to end", took)
		}
		if sentenceForm.MatchString(p.out.String()) { // else it was stopped before anything ran
			r.reportsAgree(p.out.String())
		}
		r.nothingLeft()
		r.checkInvariants()
	}
}

// loseContainers takes containers away from a run: a fault of the world, of which
// no agent may be accused.
func loseContainers(r *rig, most int) {
	p := r.apply()
	most = min(most, r.rng.IntN(most)+3)
	taken := map[string]bool{}
	for range most {
		var victim string
		if !p.until(func() bool { victim = r.someContainer(taken); return victim != "" }) || !p.pause(r.between(0, 400*time.Millisecond)) {
			break
		}
		taken[victim] = true
		r.row.injuries++
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		if r.rng.IntN(2) == 0 {
			_, _ = r.engine.ContainerKill(ctx, victim, client.ContainerKillOptions{Signal: "KILL"}) // it may be gone already
		} else {
			_, _ = r.engine.ContainerRemove(ctx, victim, client.ContainerRemoveOptions{Force: true})
		}
		cancel()
	}
	if status := p.wait(); status != 0 && status != 4 {
		r.violated("after containers were lost: exit status %d\n%s%s", status, p.out.String(), p.err.String())
	}
	r.reportsAgree(p.out.String())
	r.nothingLeft()
	r.checkInvariants()
}

// pause waits; it gives false if bench ended first.
func (p *process) pause(d time.Duration) bool {
	select {
	case <-p.done:
		return false
	case <-time.After(d):
		return true
	}
}

// someContainer is a random one of the run that was not struck yet, or empty.
func (r *rig) someContainer(not map[string]bool) string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	list, err := r.engine.ContainerList(ctx, client.ContainerListOptions{Filters: make(client.Filters).Add("label", "bench.owner="+ownerOf(r.state))})
	r.must(err)
	var ids []string
	for _, c := range list.Items {
		if !not[c.ID] {
			ids = append(ids, c.ID)
		}
	}
	if len(ids) == 0 {
		return ""
	}
	return ids[r.rng.IntN(len(ids))]
}

var inUse = regexp.MustCompile(`^bench: the results directory .* is in use by another bench: process \d+ .*; wait until it has ended`)

// secondBench starts a second bench on the directory of one that works. The first
// is halted meanwhile, so that whatever changes is the doing of the second.
func secondBench(r *rig, most int) {
	first := r.apply()
	if !first.until(func() bool { return atWork(r.left()) }) {
		return
	}
	for range min(most, 5) {
		if !first.pause(r.between(0, time.Second)) || !first.strike(0, syscall.SIGSTOP) {
			break
		}
		waitFor(func() bool { return halted(first.cmd.Process.Pid) })
		// The index is a cache that whoever reads may leave, without any lock.
		toKeep := func(path string) bool { return filepath.Base(path) != "index" }
		before := r.sums(r.dir, toKeep)
		status, stdout, stderr := r.bench("apply", "bench.hcl")
		after := r.sums(r.dir, toKeep)
		r.must(first.cmd.Process.Signal(syscall.SIGCONT))
		if status != 1 || stdout != "" || !inUse.MatchString(stderr) {
			r.violated("a second bench: exit status %d, and it says\n%s%s", status, stdout, stderr)
		}
		r.sameFiles(before, after)
	}
	if status := first.wait(); status != 0 {
		r.violated("the first bench: exit status %d\n%s", status, first.err.String())
	}
	r.checkInvariants()
}

// halted reports whether all threads of a process have stopped: a signal that halts
// them does not wait for that. Where it cannot be seen, it is believed.
func halted(pid int) bool {
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", pid))
	if err != nil {
		return true
	}
	for _, stat := range threads {
		text, err := os.ReadFile(stat)
		if _, state, ok := strings.Cut(string(text), ") "); err == nil && ok && !strings.HasPrefix(state, "T") {
			return false
		}
	}
	return true
}

// sameFiles demands that a directory is as it was.
func (r *rig) sameFiles(before, after map[string]string) {
	r.Helper()
	for path, sum := range before {
		r.row.checked["files"]++
		if after[path] != sum {
			r.violated("%s was changed or removed", r.short(path))
		}
	}
	for path := range after {
		if _, known := before[path]; !known {
			r.violated("%s was made", r.short(path))
		}
	}
}
