package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"
)

// Faults of the host, which need root: a file system and an engine that belong to
// the test alone.
func init() {
	faults = append(faults,
		fault{name: "disk", what: "disk full in mid-run", short: 1, long: 10, ready: smallDisk, run: fillDisk},
		fault{name: "readonly", what: "disk read-only in mid-run", short: 1, long: 10, ready: smallDisk, run: protectDisk},
		fault{name: "daemon", what: "Docker daemon stopped and started", short: 1, long: 10, ready: ownDaemon, run: restartDaemon},
	)
}

// asRoot is a command with the rights of root.
func asRoot(args ...string) *exec.Cmd {
	if os.Getuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	return exec.Command(args[0], args[1:]...)
}

func (r *rig) root(args ...string) {
	r.Helper()
	if out, err := asRoot(args...).CombinedOutput(); err != nil {
		r.Fatalf("%s needs root, or sudo that does not ask: %v\n%s", strings.Join(args, " "), err, out)
	}
}

// smallDisk makes the results directory a file system of its own.
func smallDisk(r *rig) func() {
	dir := filepath.Join(r.dir, ".bench")
	r.root("mount", "-t", "tmpfs", "-o", "size=8m,mode=0777", "tmpfs", dir)
	var undone bool
	undo := func() {
		if !undone {
			undone = true
			r.root("umount", "--lazy", dir)
		}
	}
	r.Cleanup(undo)
	return undo
}

var (
	saysFull     = regexp.MustCompile(`(?i)no space left|disk (is )?full`)
	saysReadOnly = regexp.MustCompile(`(?i)read-only`)
)

// fillDisk leaves no room in mid-run, and makes room again afterwards.
func fillDisk(r *rig, _ int) {
	p := r.apply()
	if !p.until(r.hasGrade) || !p.pause(r.between(0, 500*time.Millisecond)) {
		return
	}
	ballast := filepath.Join(r.dir, ".bench", "ballast")
	f, err := os.Create(ballast)
	r.must(err)
	for block := make([]byte, 4096); err == nil; {
		_, err = f.Write(block)
	}
	if !errors.Is(err, syscall.ENOSPC) {
		r.Fatal(err)
	}
	f.Close()
	r.row.injuries++
	r.brokenDisk(p, saysFull)
	r.must(os.Remove(ballast))
}

// protectDisk makes the file system read-only in mid-run, as the kernel does with
// one whose disk has errors.
func protectDisk(r *rig, _ int) {
	p := r.apply()
	if !p.until(r.hasGrade) || !p.pause(r.between(0, 500*time.Millisecond)) {
		return
	}
	dir := filepath.Join(r.dir, ".bench")
	// The kernel refuses while a file is open for writing, which is never long.
	if !p.until(func() bool { return asRoot("mount", "-o", "remount,ro", dir).Run() == nil }) {
		return
	}
	r.row.injuries++
	r.brokenDisk(p, saysReadOnly)
	r.root("mount", "-o", "remount,rw", dir)
}

// brokenDisk is what must hold of a run that cannot store what it does.
func (r *rig) brokenDisk(p *process, says *regexp.Regexp) {
	r.Helper()
	status := p.wait()
	if status != 1 && status != 4 {
		r.violated("without a disk: exit status %d", status)
	}
	if text := p.out.String() + p.err.String(); !says.MatchString(text) {
		r.violated("it does not say what is wrong with the disk (%s):\n%s", says, text)
	}
	if sentenceForm.MatchString(p.out.String()) {
		r.reportsAgree(p.out.String())
		for _, t := range r.readReports().json.Trials {
			if t.Status == "errored" && t.Reason != "host" {
				r.violated("%s is errored(%s), and it is the host that is to blame", t.ID, t.Reason)
			}
		}
	}
	if status, stdout, stderr := r.bench("plan", "bench.hcl"); status != 0 {
		r.violated("plan on such a disk: exit status %d\n%s%s", status, stdout, stderr)
	}
	r.nothingLeft()
	r.checkInvariants()
}

// restartDaemon stops the engine in mid-run, in good order or not, and starts it
// again a while later.
func restartDaemon(r *rig, _ int) {
	p := r.apply()
	if !p.until(r.hasGrade) || !p.pause(r.between(0, time.Second)) {
		return
	}
	r.row.injuries++
	r.engineDown([]string{"TERM", "KILL"}[r.rng.IntN(2)])
	p.pause(r.between(0, 2*time.Second))
	r.engineUp()
	if status := p.wait(); status != 0 && status != 1 && status != 4 {
		r.violated("after the daemon was away: exit status %d\n%s%s", status, p.out.String(), p.err.String())
	}
	if sentenceForm.MatchString(p.out.String()) {
		r.reportsAgree(p.out.String())
	}
	r.nothingLeft()
	r.checkInvariants()
}
