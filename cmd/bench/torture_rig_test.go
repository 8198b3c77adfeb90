package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/client"
)

// A rig is a project with a results directory that is injured, and what is known
// of it from outside.
type rig struct {
	*testing.T
	row    *row
	rng    *rand.Rand
	dir    string // of the project
	state  string // BENCH_STATE_DIR: nobody else's containers carry its label
	host   string // DOCKER_HOST, if it is not that of the tests
	engine *client.Client
	seen   map[string]string    // path of a stored file → its sum when it was seen first
	broken map[string]bool      // stored files that the test itself has damaged
	ended  map[string]time.Time // trial → when its verdict was seen first
	watch  *watcher

	// An engine of the rig's own can be stopped with a signal, and started again.
	engineDown func(signal string)
	engineUp   func()
}

// tortureFile is the suite. What its agents deserve is known: idle fails, the
// others pass. Each execution leaves a line in the workspace that no other has.
const tortureFile = `suite "torture" { parallel = 3 }

sandbox "tiny" {
  image  = "debian:trixie-slim"
  cpus   = 0.5
  memory = "64MiB"
}

case "runs" {
  prompt  = "Run."
  sandbox = sandbox.tiny
  check "done" { command = ["grep", "-q", "^done$", "ran.txt"] }
  solution { command = ["sh", "-c", "echo done >ran.txt"] }
}

agent "quick" {
  command     = ["sh", "-c", "echo ran $(cat /proc/sys/kernel/random/uuid) >>ran.txt; echo done >>ran.txt"]
  needs_model = false
}

agent "slow" {
  command     = ["sh", "-c", "echo ran $(cat /proc/sys/kernel/random/uuid) >>ran.txt; sleep 0.$(od -An -N1 -tu1 /dev/urandom | tr -d ' '); echo done >>ran.txt"]
  needs_model = false
}

agent "idle" {
  command     = ["sh", "-c", "echo ran $(cat /proc/sys/kernel/random/uuid) >>ran.txt"]
  needs_model = false
}

matrix "m" {
  cases  = [case.runs]
  agents = [agent.quick, agent.slow, agent.idle]
  trials = %d
}

report "json" { path = "out/results.json" }
report "junit" { path = "out/junit.xml" }
report "markdown" { path = "out/report.md" }
`

func deserved(trial string) string {
	if strings.Contains(trial, "@idle#") {
		return "failed"
	}
	return "passed"
}

// newRig makes a project of which nothing has run.
func newRig(t *testing.T, row *row, rng *rand.Rand, trials int) *rig {
	dir := t.TempDir()
	r := &rig{T: t, row: row, rng: rng, dir: filepath.Join(dir, "project"), state: filepath.Join(dir, "state"),
		seen: map[string]string{}, broken: map[string]bool{}, ended: map[string]time.Time{}}
	row.dirs++
	r.must(os.MkdirAll(filepath.Join(r.dir, ".bench"), 0o755))
	r.must(os.WriteFile(filepath.Join(r.dir, "bench.hcl"), fmt.Appendf(nil, tortureFile, trials), 0o644))
	c, err := client.New(client.FromEnv)
	r.must(err)
	r.use(c, "")
	return r
}

// use makes an engine the one that bench works on, and watches it.
func (r *rig) use(c *client.Client, host string) {
	if r.watch != nil {
		r.close()
	}
	r.engine, r.host = c, host
	r.watch = watchEngine(c, ownerOf(r.state))
}

func (r *rig) close() {
	r.watch.stop()
	r.engine.Close()
}

func (r *rig) must(err error) {
	r.Helper()
	if err != nil {
		r.Fatal(err)
	}
}

// violated says that bench broke a promise.
func (r *rig) violated(format string, args ...any) {
	r.Helper()
	r.row.violations++
	r.Errorf("violated: "+format, args...)
}

// between is a random time.
func (r *rig) between(from, to time.Duration) time.Duration {
	return from + time.Duration(r.rng.Int64N(int64(to-from)))
}

// A process is one of bench.
type process struct {
	rig      *rig
	cmd      *exec.Cmd
	out, err bytes.Buffer
	done     chan struct{} // closed when it has ended
}

// tooLong is when a bench with so little to do hangs.
const tooLong = 3 * time.Minute

func (r *rig) start(args ...string) *process {
	r.Helper()
	p := &process{rig: r, cmd: exec.Command("bench", args...), done: make(chan struct{})}
	p.cmd.Dir = r.dir
	p.cmd.Env = append(os.Environ(), "BENCH_STATE_DIR="+r.state, "NO_COLOR=1")
	if r.host != "" {
		p.cmd.Env = append(p.cmd.Env, "DOCKER_HOST="+r.host)
	}
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	r.must(p.cmd.Start())
	go func() {
		defer close(p.done)
		_ = p.cmd.Wait() // the status is in ProcessState
	}()
	r.Cleanup(func() { _ = p.cmd.Process.Kill(); <-p.done })
	return p
}

func (r *rig) apply() *process { r.Helper(); return r.start("apply", "bench.hcl") }

// bench runs one command to its end.
func (r *rig) bench(args ...string) (status int, stdout, stderr string) {
	r.Helper()
	p := r.start(args...)
	status = p.wait()
	return status, p.out.String(), p.err.String()
}

// wait gives the exit status, or 128 and the signal that killed it.
func (p *process) wait() int {
	p.rig.Helper()
	select {
	case <-p.done:
	case <-time.After(tooLong):
		_ = p.cmd.Process.Signal(syscall.SIGQUIT) // shows where it hangs
		<-p.done
		p.rig.violated("%v hangs: it had not ended after %v\n%s", p.cmd.Args, tooLong, p.err.String())
	}
	if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return 128 + int(status.Signal())
	}
	return p.cmd.ProcessState.ExitCode()
}

// strike sends a signal after a while; it gives false if bench had ended before.
func (p *process) strike(after time.Duration, signal syscall.Signal) bool {
	select {
	case <-p.done:
		return false
	case <-time.After(after):
	}
	err := p.cmd.Process.Signal(signal)
	if errors.Is(err, os.ErrProcessDone) {
		return false
	}
	p.rig.must(err)
	p.rig.row.injuries++
	return true
}

// until waits for something that bench does; it gives false if bench ended first.
func (p *process) until(holds func() bool) bool {
	for deadline := time.Now().Add(tooLong); time.Now().Before(deadline); {
		if holds() {
			return true
		}
		select {
		case <-p.done:
			return false
		case <-time.After(5 * time.Millisecond):
		}
	}
	p.rig.Fatal("bench did not get on")
	return false
}

// hasGrade reports whether a first trial has a verdict.
func (r *rig) hasGrade() bool {
	files, _ := filepath.Glob(filepath.Join(r.trials(), "*", "attempt-*", "grade-*", "grade.json"))
	return len(files) > 0
}

func (r *rig) trials() string { return filepath.Join(r.dir, ".bench", "torture", "trials") }

// left lists what carries the label of this rig on the engine.
func (r *rig) left() []string {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	left, err := leftovers(ctx, r.engine, ownerOf(r.state))
	r.must(err)
	return left
}
