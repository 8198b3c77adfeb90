package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Limits are bounds on a sandbox. What is not known, or not bounded, is nil.
type Limits struct {
	Memory *int64   // bytes
	PIDs   *int64   // processes and threads
	CPUs   *float64 // of the machine's cores
}

// ErrNoImage says that there is no image here that surely has a shell.
var ErrNoImage = errors.New("there is no image on the engine to start a sandbox from")

// limitsScript prints the bounds of the control group that it runs in, each as
// both versions of control groups have it.
const limitsScript = `cd /sys/fs/cgroup
echo memory $(cat memory/memory.limit_in_bytes memory.max 2>/dev/null)
echo pids $(cat pids/pids.max pids.max 2>/dev/null)
echo cpu $(cat cpu/cpu.cfs_quota_us cpu/cpu.cfs_period_us cpu.max 2>/dev/null)`

// ProbeLimits starts a sandbox with limits, and reads from inside which of them
// the kernel has. The error is ErrNoImage if there is nothing to start.
func (d *Driver) ProbeLimits(ctx context.Context) (asked, found Limits, err error) {
	box := &engine.Sandbox{Name: "doctor", CPUs: 0.5, Memory: 64 << 20, PIDs: 32, Network: engine.NetworkNone, User: engine.DefaultUser, Timeouts: engine.DefaultTimeouts}
	asked = Limits{&box.Memory, &box.PIDs, &box.CPUs}
	image, err := d.shellImage(ctx)
	if err != nil {
		return asked, found, err
	}
	started, err := d.Start(ctx, sandbox.Spec{Image: image, Sandbox: box, Trial: "bench doctor", Files: func(w io.Writer) error { return tar.NewWriter(w).Close() }})
	if err != nil {
		return asked, found, err
	}
	var out bytes.Buffer
	_, err = started.Exec(ctx, sandbox.Cmd{Args: []string{"/bin/sh", "-c", limitsScript}, Dir: "/", Env: map[string]string{"PATH": "/usr/bin:/bin"}, Stdout: &out})
	return asked, parseLimits(out.String()), errors.Join(err, started.Close())
}

func parseLimits(text string) (l Limits) {
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		var numbers []int64 // "max" is none
		for _, w := range words[min(1, len(words)):] {
			if n, err := strconv.ParseInt(w, 10, 64); err == nil {
				numbers = append(numbers, n)
			}
		}
		switch {
		case len(numbers) == 0:
		case words[0] == "memory":
			l.Memory = &numbers[0]
		case words[0] == "pids":
			l.PIDs = &numbers[0]
		case words[0] == "cpu" && len(numbers) == 2 && numbers[0] > 0 && numbers[1] > 0:
			l.CPUs = new(float64(numbers[0]) / float64(numbers[1]))
		}
	}
	return l
}

// shells begin the names of images that have a shell and cat. Those that bench
// has built come last: they may be about to be removed.
var shells = []string{"debian:", "ubuntu:", "alpine:", "busybox:", "python:", builtRepo}

// shellImage is the id of an image that is here, and that a sandbox can start
// from.
func (d *Driver) shellImage(ctx context.Context) (string, error) {
	all, err := d.listImages(ctx, "")
	if err != nil {
		return "", err
	}
	for _, shell := range shells {
		for _, s := range all {
			if slices.ContainsFunc(s.RepoTags, func(tag string) bool { return strings.HasPrefix(tag, shell) }) {
				return s.ID, nil
			}
		}
	}
	return "", ErrNoImage
}
