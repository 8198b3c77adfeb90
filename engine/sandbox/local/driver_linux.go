package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A Driver starts sandboxes on this machine.
type Driver struct {
	host  Host
	image string

	mu      sync.Mutex
	volumes map[string]func() (*os.File, error) // the tar streams by key
	files   []*os.File                          // those that are open
}

// Open tries whether this machine can keep a sandbox. The error wraps
// sandbox.ErrUnavailable if it cannot, and says what is missing.
func Open(ctx context.Context) (*Driver, error) {
	d := &Driver{host: Describe(), volumes: map[string]func() (*os.File, error){}}
	release, _ := os.ReadFile("/etc/os-release") // not every system says so
	d.image = "local:" + digest.Bytes([]byte(d.host.Kernel+"\n"+runtime.GOARCH+"\n"+string(release))).String()
	box, err := d.Start(ctx, sandbox.Spec{
		Sandbox: &engine.Sandbox{Memory: 64 << 20, PIDs: 32, Timeouts: engine.DefaultTimeouts, User: engine.DefaultUser},
		Files:   func(io.Writer) error { return nil },
	})
	if err != nil {
		return nil, fmt.Errorf("%w: this machine cannot keep local sandboxes: %w", sandbox.ErrUnavailable, err)
	}
	exit, err := box.Exec(ctx, sandbox.Cmd{Args: []string{"true"}, Dir: "/", User: engine.DefaultUser})
	if err == nil && exit.Code != 0 {
		err = fmt.Errorf("a command that does nothing ended with %d", exit.Code)
	}
	if err = errors.Join(err, box.Close()); err != nil {
		return nil, fmt.Errorf("%w: nothing runs in a local sandbox of this machine: %w", sandbox.ErrUnavailable, err)
	}
	return d, nil
}

// Describe says what this machine is, whether it can keep sandboxes or not.
func Describe() Host {
	h := Host{CPUs: runtime.NumCPU()}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		h.Kernel = "Linux " + unix.ByteSliceToString(name.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		h.Memory = int64(info.Totalram) * int64(info.Unit)
	}
	return h
}

// Host describes this machine.
func (d *Driver) Host() Host { return d.host }

// Close forgets the volumes. All sandboxes must have been closed.
func (d *Driver) Close() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	var all error
	for _, f := range d.files {
		all = errors.Join(all, f.Close())
	}
	d.files = nil
	return all
}

// Image takes this machine for every image. Its id says so, and which machine this
// is; it is never that of a container's image.
func (d *Driver) Image(_ context.Context, spec sandbox.ImageSpec) (string, error) {
	if spec.Base != "" {
		return "", fmt.Errorf("%s cannot be made: local sandboxes have no images, so nothing can be laid over one", spec.Name)
	}
	return d.image, nil
}

// refuse says what of a sandbox cannot be had here. To leave it out silently would
// change what is measured.
func refuse(s *engine.Sandbox) error {
	for _, missing := range []struct {
		what   string
		wanted bool
	}{
		{"mounts of the host", len(s.Mounts) > 0}, {"services", len(s.Services) > 0}, {"GPUs", s.GPUs > 0}, {"a network", s.Network == engine.NetworkOpen},
		{"other hosts", len(s.Allow) > 0}, {"a runtime of containers", s.Runtime != ""},
	} {
		if missing.wanted {
			return fmt.Errorf("sandbox %q asks for %s, which local sandboxes do not have: use a Docker engine", s.Name, missing.what)
		}
	}
	return nil
}

var errNoImage = errors.New("local sandboxes have no image, so nothing can be installed in them, nor can it be told what changed: use a Docker engine for cases whose snapshot is the file system")

// Start starts a keeper, and lets it make the sandbox.
func (d *Driver) Start(ctx context.Context, spec sandbox.Spec) (_ sandbox.Sandbox, err error) {
	if err := refuse(spec.Sandbox); err != nil {
		return nil, err
	}
	if spec.Compare || spec.Over {
		return nil, errNoImage
	}
	if spec.Serve != nil {
		return nil, errors.New("local sandboxes cannot reach anything outside, be it served or not: use a Docker engine")
	}
	ctx, cancel := context.WithTimeout(ctx, spec.Sandbox.Timeouts.Start)
	defer cancel()
	var volumes []*os.File
	defer func() {
		for _, f := range volumes {
			_ = f.Close()
		}
	}()
	s := start{Size: spec.Sandbox.Memory, Caps: capsOf(spec)}
	for _, v := range spec.Volumes {
		f, err := d.volume(v)
		if err != nil {
			return nil, fmt.Errorf("filling volume %s: %w", v.Target, err)
		}
		volumes, s.Volumes = append(volumes, f), append(s.Volumes, v.Target)
	}
	b, err := newBox(spec.Sandbox)
	if err != nil {
		return nil, fmt.Errorf("starting a sandbox: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("starting a sandbox: %w", err), b.Close())
		}
	}()
	if err := mapIDs(b.keeper.Process.Pid); err != nil {
		return nil, fmt.Errorf("giving it users: %w", err)
	}
	return b, b.fill(ctx, &s, spec.Files, volumes)
}

// Capabilities of root, as package docker gives them.
var (
	gradingCaps = []int{unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_KILL, unix.CAP_SETGID, unix.CAP_SETUID}
	rootCaps    = append([]int{unix.CAP_FSETID, unix.CAP_SETFCAP}, gradingCaps...)
)

func capsOf(spec sandbox.Spec) []int {
	switch {
	case spec.Grading:
		return gradingCaps
	case spec.Sandbox.User == engine.Root:
		return rootCaps
	}
	return nil
}

// volume opens the tar stream of a volume. It is made once, and kept in a file that
// has no name, so that it ends with this process.
func (d *Driver) volume(v sandbox.Volume) (*os.File, error) {
	d.mu.Lock()
	if d.volumes[v.Key] == nil {
		d.volumes[v.Key] = sync.OnceValues(func() (*os.File, error) { return d.pour(v) })
	}
	made := d.volumes[v.Key]
	d.mu.Unlock()
	f, err := made()
	if err != nil {
		return nil, err
	}
	return os.Open(fmt.Sprintf("/proc/self/fd/%d", f.Fd())) // with a position of its own
}

func (d *Driver) pour(v sandbox.Volume) (*os.File, error) {
	f, err := os.CreateTemp("", "bench-volume-")
	if err != nil {
		return nil, err
	}
	if err := errors.Join(os.Remove(f.Name()), v.Files(f)); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.files = append(d.files, f)
	return f, nil
}

// killWait is how long killed processes may take to go before their sandbox does.
const killWait = 10 * time.Second
