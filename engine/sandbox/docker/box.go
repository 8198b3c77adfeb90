package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	tc "github.com/testcontainers/testcontainers-go"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

type box struct {
	*Driver
	id     string
	stdin  io.Closer // the dead-man's switch: PID 1 ends when it is closed
	way    *way      // to what serves the sandbox; nil if nothing does
	close  sync.Once
	closed error
	frozen bool
	around *surrounding
}

// Start creates a container, puts the files into it and starts it.
func (d *Driver) Start(ctx context.Context, spec sandbox.Spec) (_ sandbox.Sandbox, err error) {
	around, err := d.surround(ctx, spec)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, around.close())
		}
	}()
	select {
	case d.starts <- struct{}{}:
		defer func() { <-d.starts }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, spec.Sandbox.Timeouts.Start)
	defer cancel()
	if spec.Serve != nil {
		helper, err := d.helperVolume(ctx, spec.Image)
		if err != nil {
			return nil, wrap("starting a sandbox", err)
		}
		spec.Volumes = append(slices.Clip(spec.Volumes), helper)
	}
	mounts, err := d.mounts(ctx, spec)
	if err != nil {
		return nil, err
	}
	b := &box{Driver: d, around: around}
	c, err := d.create(ctx, spec, mounts, around)
	if c != nil {
		b.id = c.GetContainerID()
	}
	defer func() {
		if err != nil {
			err = errors.Join(wrap("starting a sandbox", err), b.Close())
		}
	}()
	if err != nil {
		return nil, err // with a container to be removed, if something after its creation failed
	}
	if err := around.join(ctx, b.id); err != nil {
		return nil, err
	}
	if !spec.Over {
		if err := d.copyIn(ctx, b.id, "/", spec.Files); err != nil {
			return nil, err
		}
	}
	// Attached before the start: otherwise PID 1 could see the end at once.
	att, err := d.client.ContainerAttach(ctx, b.id, client.ContainerAttachOptions{Stream: true, Stdin: true})
	if err != nil {
		return nil, err
	}
	b.stdin = att.Conn
	if err := gpuError(c.Start(ctx), spec.GPUs); err != nil {
		return nil, err
	}
	if spec.Over {
		if err := b.removeFiles(ctx, spec.Remove); err != nil {
			return nil, err
		}
		if err := d.copyIn(ctx, b.id, "/", spec.Files); err != nil {
			return nil, err
		}
	}
	if spec.Serve == nil {
		return b, nil
	}
	return b, b.serve(ctx, spec.Serve)
}

// create makes a container. The engine makes it even for a client that has gone
// in the meantime, and only its answer says which one to remove: so the answer
// is waited for, whatever becomes of ctx.
func (d *Driver) create(ctx context.Context, spec sandbox.Spec, mounts []mount.Mount, around *surrounding) (tc.Container, error) {
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), spec.Sandbox.Timeouts.Start)
	defer cancel()
	d.session.creates(1)
	defer d.session.creates(-1)
	c, err := d.provider.CreateContainer(waiting, tc.ContainerRequest{
		Image:          spec.Image,
		ImagePlatform:  spec.Sandbox.Platform,
		Entrypoint:     []string{"sh", "-c", firstProcess},
		Labels:         d.session.labels(spec.Trial),
		ConfigModifier: config,
		HostConfigModifier: func(h *container.HostConfig) {
			hostConfig(h, spec)
			around.hostConfig(h)
			h.DeviceRequests = deviceRequests(d.host.GPUs, spec.GPUs)
			h.Mounts = mounts
		},
	})
	return c, errors.Join(err, ctx.Err())
}

// firstProcess is that of a container: it ends when its standard input does,
// and reaps what daemons leave behind. The kernel lets nobody inside kill it, not even
// root; its child, which waits for the end, can be killed, and there is a new one
// then. So an agent that kills all it can does not take its sandbox away, which would
// look like trouble of the world. It needs no program but the shell that it is.
const firstProcess = "until (while read -r line; do :; done); do :; done"

func config(c *container.Config) {
	c.User = "0:0"
	c.WorkingDir = "/"
	c.OpenStdin, c.StdinOnce, c.AttachStdin = true, true, true
	c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
	c.StopSignal = "SIGKILL" // which no first process can ignore
}

// Capabilities of root. None is needed where root only waits; a check must be
// able to run programs as the agent's user; an agent that is root by the case's
// own wish must be able to install packages.
var (
	gradingCaps = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "KILL", "SETGID", "SETUID"}
	rootCaps    = append(slices.Clone(gradingCaps), "FSETID", "SETFCAP")
)

// maxFiles bounds the open files of a process. Engines that may not raise their
// own limit refuse a higher number.
const maxFiles = 4096

func hostConfig(h *container.HostConfig, spec sandbox.Spec) {
	s := spec.Sandbox
	h.AutoRemove = true
	h.LogConfig.Type = "none"
	h.CapDrop = []string{"ALL"}
	switch {
	case spec.Grading:
		h.CapAdd = gradingCaps
	case s.User.UID == 0:
		h.CapAdd = rootCaps
	}
	h.SecurityOpt = []string{"no-new-privileges"}
	h.Runtime = s.Runtime
	h.NanoCPUs = int64(s.CPUs * 1e9)
	h.Memory, h.MemorySwap = s.Memory, s.Memory
	h.ShmSize = s.Memory / 2
	h.Tmpfs = map[string]string{"/tmp": fmt.Sprintf("rw,exec,nosuid,nodev,mode=1777,size=%d", s.Memory/2)} // counts as its memory
	h.PidsLimit = &s.PIDs
	h.Ulimits = []*container.Ulimit{{Name: "core"}, {Name: "nofile", Soft: maxFiles, Hard: maxFiles}}
}

// copyIn writes files into a container, below a directory.
func (d *Driver) copyIn(ctx context.Context, id, dir string, files func(io.Writer) error) error {
	r, w := io.Pipe()
	packed := make(chan error, 1)
	go func() {
		err := files(w)
		if err != nil {
			err = fmt.Errorf("packing files: %w", err) // the HTTP client compares errors, and some of package tar cannot be compared
		}
		w.CloseWithError(err)
		packed <- err
	}()
	_, err := d.client.CopyToContainer(ctx, id, client.CopyToContainerOptions{DestinationPath: dir, Content: r})
	r.CloseWithError(errors.New("the engine stopped reading"))
	if packErr := <-packed; packErr != nil && (err == nil || !strings.Contains(packErr.Error(), "stopped reading")) {
		return packErr
	}
	return err
}

// freezeTries bounds how often a freeze is tried. The kernel's older freezer
// gives up on a container whose processes come and go too fast, and thaws it.
const freezeTries = 5

// Freeze stops all processes of the container. Nothing is served any more after
// that, and not before it: nobody inside sees it end.
func (b *box) Freeze(ctx context.Context) error {
	return errors.Join(b.freeze(ctx), b.way.end(ctx))
}

// freeze stops all processes with the kernel's freezer.
func (b *box) freeze(ctx context.Context) error {
	var err error
	for try := 0; !b.frozen; try++ {
		if _, err = b.client.ContainerPause(ctx, b.id, client.ContainerPauseOptions{}); err == nil {
			b.frozen = true
		} else if try == freezeTries || ctx.Err() != nil || !strings.Contains(err.Error(), "unable to freeze") {
			return wrap("freezing a sandbox", err)
		}
	}
	return nil
}

// CopyOut streams a directory.
func (b *box) CopyOut(ctx context.Context, dir string, w io.Writer) error {
	r, err := b.client.CopyFromContainer(ctx, b.id, client.CopyFromContainerOptions{SourcePath: dir})
	if gone(err) { // the directory, or the container
		if err = b.alive(ctx); err == nil {
			err = sandbox.ErrNoDirectory
		}
	}
	if err != nil {
		return wrap("copying "+dir+" out of a sandbox", err)
	}
	defer r.Content.Close()
	_, err = io.Copy(w, r.Content)
	return err
}

// usageScript prints CPU time, memory and kills for want of it, each as both
// versions of the kernel's control groups have them.
const usageScript = `cd /sys/fs/cgroup
cat cpuacct/cpuacct.usage 2>/dev/null | sed 's/^/cpu_ns /'
cat memory/memory.max_usage_in_bytes memory.peak 2>/dev/null | sed 's/^/peak /'
cat memory/memory.limit_in_bytes memory.max 2>/dev/null | sed 's/^/limit /'
grep -h . cpu.stat memory/memory.oom_control memory.events 2>/dev/null`

// Usage reads the container's own control group, from inside and as root.
func (b *box) Usage(ctx context.Context) (engine.Usage, error) {
	var out strings.Builder
	_, err := b.Exec(ctx, sandbox.Cmd{Args: []string{"/bin/sh", "-c", usageScript}, Dir: "/", Env: map[string]string{"PATH": "/usr/bin:/bin"}, Stdout: &out})
	if err != nil {
		return engine.Usage{}, err
	}
	return parseUsage(out.String()), nil
}

func parseUsage(text string) engine.Usage {
	values := map[string]*int64{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if n, err := strconv.ParseInt(value, 10, 64); ok && err == nil {
			values[name] = &n
		}
	}
	var u engine.Usage
	if ns := values["cpu_ns"]; ns != nil {
		u.CPU = (*time.Duration)(ns)
	} else if us := values["usage_usec"]; us != nil {
		d := time.Duration(*us) * time.Microsecond
		u.CPU = &d
	}
	u.PeakMemory, u.OOMKills = values["peak"], values["oom_kill"]
	switch limit := values["limit"]; {
	case values["oom"] != nil: // how often the limit was reached, of the newer version alone
		u.AtLimit = new(*values["oom"] > 0)
	case u.PeakMemory != nil && limit != nil:
		u.AtLimit = new(*u.PeakMemory >= *limit)
	}
	return u
}

// closeWait bounds the removal of a container.
const closeWait = 30 * time.Second

// Close removes the container. It never depends on the context of the work
// that was done in it.
func (b *box) Close() error {
	b.close.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), closeWait)
		defer cancel()
		b.closed = b.way.end(ctx)
		if b.id != "" {
			b.closed = errors.Join(b.closed, wrap("removing a sandbox", b.remove(ctx, b.id)))
		}
		if b.stdin != nil {
			b.stdin.Close()
		}
		b.closed = errors.Join(b.closed, b.around.close())
	})
	return b.closed
}

// passing reports an error of a removal that time mends. The engine may be removing
// the container already, and may yet fail to; the runtime may take a while to clean
// up after what it has killed, as that of gVisor does; and an engine that has been
// restarted may find the files of a container busy for a moment.
func passing(err error) bool {
	return gone(err) || strings.Contains(err.Error(), "is zombie and can not be killed") || strings.Contains(err.Error(), "resource busy")
}

// remove removes a container, and asks again until it is gone.
func (d *Driver) remove(ctx context.Context, id string) error {
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, time.Second/4) {
		_, err := d.client.ContainerRemove(ctx, id, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
		switch {
		case err == nil, errdefs.IsNotFound(err):
			return nil
		case !passing(err):
			return err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("container %.12s is still there: %w", id, err)
		case <-time.After(wait):
		}
	}
}
