package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A box is the end of a sandbox that is in bench.
type box struct {
	sandbox *engine.Sandbox
	keeper  *exec.Cmd
	stderr  *sandbox.Output
	frozen  bool
	close   sync.Once

	mu     sync.Mutex
	socket int // to the keeper; -1 once it is closed
	last   int // id of the latest request
	open   map[int]chan reply
	gone   chan struct{} // closed when the keeper is gone
}

// keeperCaps are what a keeper needs to make a sandbox of its namespaces, and to
// start and signal what runs there. They count for nothing outside.
var keeperCaps = []uintptr{
	unix.CAP_SYS_ADMIN, unix.CAP_NET_ADMIN, unix.CAP_SETPCAP, unix.CAP_SYS_RESOURCE, unix.CAP_SETUID, unix.CAP_SETGID,
	unix.CAP_CHOWN, unix.CAP_DAC_OVERRIDE, unix.CAP_FOWNER, unix.CAP_FSETID, unix.CAP_KILL, unix.CAP_SETFCAP,
}

// newBox starts a keeper, which waits for its first request.
func newBox(s *engine.Sandbox) (*box, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	theirs := os.NewFile(uintptr(pair[1]), "keeper")
	defer theirs.Close()
	b := &box{sandbox: s, socket: pair[0], open: map[int]chan reply{}, gone: make(chan struct{}), stderr: sandbox.NewOutput(4 << 10)}
	b.keeper = &exec.Cmd{
		Path: "/proc/self/exe", Args: []string{keeperName}, Env: []string{}, ExtraFiles: []*os.File{theirs}, Stderr: b.stderr, WaitDelay: time.Second,
		SysProcAttr: &syscall.SysProcAttr{
			Cloneflags:  unix.CLONE_NEWUSER | unix.CLONE_NEWNS | unix.CLONE_NEWPID | unix.CLONE_NEWNET | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS,
			AmbientCaps: keeperCaps,
			Setsid:      true, // the Ctrl-C of a terminal is for bench alone
		},
	}
	if err := b.keeper.Start(); err != nil {
		unix.Close(pair[0])
		return nil, fmt.Errorf("no namespaces can be had: %w; they may be switched off for this user (see user.max_user_namespaces and kernel.apparmor_restrict_unprivileged_userns of sysctl), or within a container", err)
	}
	go b.listen(pair[0])
	return b, nil
}

// listen gives replies to those who wait for them, until the keeper is gone.
func (b *box) listen(socket int) {
	defer close(b.gone)
	for {
		var r reply
		if _, err := receive(socket, &r); err != nil {
			return
		}
		b.mu.Lock()
		if to := b.open[r.ID]; to != nil {
			to <- r
			delete(b.open, r.ID)
		}
		b.mu.Unlock()
	}
}

// ask sends a request, and does not wait for the reply.
func (b *box) ask(r request, files ...*os.File) (<-chan reply, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.socket < 0 {
		return nil, errDied
	}
	b.last++
	r.ID = b.last
	to := make(chan reply, 1)
	b.open[r.ID] = to
	var numbers []int
	for _, f := range files {
		numbers = append(numbers, int(f.Fd()))
	}
	if err := send(b.socket, r, numbers...); err != nil {
		delete(b.open, r.ID)
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) {
			err = errDied
		}
		return nil, err
	}
	return to, nil
}

// errDied is that the keeper ended, and everything in the sandbox with it.
var errDied = errors.New("the sandbox died")

// wait waits for a reply.
func (b *box) wait(ctx context.Context, to <-chan reply) (reply, error) {
	select {
	case r := <-to:
		return r, r.err()
	case <-ctx.Done():
		return reply{}, ctx.Err()
	case <-b.gone:
	}
	select {
	case r := <-to: // it came first
		return r, r.err()
	default:
		return reply{}, errDied
	}
}

func (r reply) err() error {
	if r.Err == "" {
		return nil
	}
	return errors.New(r.Err)
}

// fill lets the keeper make the sandbox, with files.
func (b *box) fill(ctx context.Context, s *start, files func(io.Writer) error, volumes []*os.File) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	to, err := b.ask(request{Start: s}, append([]*os.File{r}, volumes...)...)
	r.Close()
	if err != nil {
		w.Close()
		return err
	}
	written := make(chan error, 1)
	go func() { written <- errors.Join(files(w), w.Close()) }()
	_, err = b.wait(ctx, to)
	if err != nil {
		_ = b.Close() // so that nobody reads any more, and the writer ends
	}
	if writeErr := <-written; err == nil || !errors.Is(writeErr, unix.EPIPE) {
		err = errors.Join(writeErr, err)
	}
	if errors.Is(err, errDied) {
		err = fmt.Errorf("%w: %s", err, strings.TrimSpace(b.stderr.String()))
	}
	return err
}

// programs is where commands are looked for.
const programs = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

func (b *box) command(cmd *sandbox.Cmd) *command {
	c := &command{Args: cmd.Args, Dir: cmd.Dir, UID: cmd.User.UID, GID: cmd.User.GID, Memory: uint64(b.sandbox.Memory), PIDs: uint64(b.sandbox.PIDs)}
	env := map[string]string{"PATH": programs}
	maps.Copy(env, cmd.Env)
	for name, value := range env {
		c.Env = append(c.Env, name+"="+value)
	}
	return c
}

// Exec runs a command to its end, or to that of ctx.
func (b *box) Exec(ctx context.Context, cmd sandbox.Cmd) (sandbox.Exit, error) {
	if err := ctx.Err(); err != nil {
		return sandbox.Exit{}, err
	}
	if b.frozen {
		return sandbox.Exit{}, errors.New("the sandbox is frozen, and runs nothing any more")
	}
	out, err := newStreams(cmd.Stdout, cmd.Stderr)
	if err != nil {
		return sandbox.Exit{}, err
	}
	to, err := b.ask(request{Exec: b.command(&cmd)}, out.ends[0], out.ends[1])
	out.drain()
	if err != nil {
		<-out.over
		return sandbox.Exit{}, err
	}
	r, err := b.wait(ctx, to)
	if err == nil {
		select { // what it started may hold its output still
		case <-out.over:
			return sandbox.Exit{Code: r.Code}, nil
		case <-ctx.Done():
		}
	}
	if ctx.Err() != nil {
		b.end(ctx, &cmd)
		err = ctx.Err()
	}
	<-out.over
	return sandbox.Exit{}, err
}

// end ends all commands, with what grace there is. The kill comes last, whatever
// was seen before.
func (b *box) end(ctx context.Context, cmd *sandbox.Cmd) {
	if grace := cmd.GraceAfter(ctx); grace > 0 {
		ending, cancel := context.WithTimeout(context.Background(), grace)
		defer cancel()
		go func() {
			select {
			case <-cmd.Kill:
				cancel()
			case <-ending.Done():
			}
		}()
		_ = b.signal(ending, unix.SIGTERM)
	}
	ending, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	if b.signal(ending, unix.SIGKILL) != nil {
		_ = b.Close()
	}
}

// signal sends a signal to everything in the sandbox, and waits until it is empty.
func (b *box) signal(ctx context.Context, s unix.Signal) error {
	to, err := b.ask(request{Signal: &unixKill{int(s)}})
	if err == nil {
		_, err = b.wait(ctx, to)
	}
	return err
}

// Freeze kills every process: that stops them as well, and nothing may follow in
// which they could be missed.
func (b *box) Freeze(ctx context.Context) error {
	if err := b.signal(ctx, unix.SIGKILL); err != nil {
		return fmt.Errorf("freezing a sandbox: %w", err)
	}
	b.frozen = true
	return nil
}

// CopyOut streams a directory.
func (b *box) CopyOut(ctx context.Context, dir string, w io.Writer) error {
	r, theirs, err := os.Pipe()
	if err != nil {
		return err
	}
	to, err := b.ask(request{Copy: dir}, theirs)
	theirs.Close()
	if err != nil {
		r.Close()
		return fmt.Errorf("copying %s out of a sandbox: %w", dir, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = r.Close() })
	defer stop()
	_, copyErr := io.Copy(w, r)
	_ = r.Close() // so that the keeper ends, if w has failed
	done, err := b.wait(ctx, to)
	if done.None {
		err = sandbox.ErrNoDirectory
	}
	if copyErr != nil && ctx.Err() == nil {
		return copyErr
	}
	if err != nil {
		return fmt.Errorf("copying %s out of a sandbox: %w", dir, err)
	}
	return nil
}

// Changes is refused at Start.
func (b *box) Changes(context.Context, func(sandbox.Change) error) error { return errNoImage }

// Usage is unknown: only control groups could tell.
func (b *box) Usage(context.Context) (engine.Usage, error) { return engine.Usage{}, nil }

// Services are refused at Start.
func (b *box) Services() []sandbox.ServiceState { return nil }

// Close kills the keeper. It is waited for until everything has gone with it.
func (b *box) Close() error {
	b.close.Do(func() {
		_ = b.keeper.Process.Kill()
		_ = b.keeper.Wait() // its status is that it was killed
		<-b.gone
		b.mu.Lock()
		defer b.mu.Unlock()
		unix.Close(b.socket)
		b.socket = -1
	})
	return nil
}
