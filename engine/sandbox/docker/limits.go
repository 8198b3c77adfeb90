package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
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

// ErrNoImage says that there is no image here to start a sandbox from.
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
	image, err := d.anyImage(ctx)
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

// anyImage is the id of an image that has a shell, as likely as can be told from
// its names; else the smallest that has a name.
func (d *Driver) anyImage(ctx context.Context) (string, error) {
	all, err := d.listImages(ctx, "")
	if err != nil {
		return "", err
	}
	best, size := "", int64(0)
	for _, s := range all {
		for _, tag := range s.RepoTags {
			switch {
			case tag == unnamed:
			case strings.HasPrefix(tag, "debian:"), strings.HasPrefix(tag, builtRepo):
				return s.ID, nil
			case best == "" || s.Size < size:
				best, size = s.ID, s.Size
			}
		}
	}
	if best == "" {
		return "", ErrNoImage
	}
	return best, nil
}
