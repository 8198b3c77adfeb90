package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"runtime"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// keeperName is what a keeper is called, and how it knows that it is one.
const keeperName = "bench-sandbox"

// keeperSocket is the number of the file that is its connection with bench.
const keeperSocket = 3

// Main is to be called first by a program that uses this package. In a process
// that the package has started to keep a sandbox it does that, and never returns.
func Main() {
	if len(os.Args) == 0 || os.Args[0] != keeperName {
		return
	}
	// What a thread may do is its own matter in Linux. This one starts all
	// commands, so they may do what it may.
	runtime.LockOSThread()
	signal.Notify(make(chan os.Signal, 1)) // root of the sandbox must not stop it by accident; commands do not inherit this
	unix.CloseOnExec(keeperSocket)
	unix.Umask(0o022)
	k := &keeper{waiting: map[int]int{}, idle: true, started: make(chan struct{}, 1)}
	go k.reap()
	err := k.serve()
	if errors.Is(err, io.EOF) {
		os.Exit(0) // and with it everything in the sandbox
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// A keeper is process 1 of a sandbox.
type keeper struct {
	mu      sync.Mutex
	waiting map[int]int // requests by the process that they wait for
	gone    []int       // requests that wait until no process is left
	idle    bool        // no process is left
	started chan struct{}
}

// serve does what bench asks for, until bench is gone.
func (k *keeper) serve() error {
	for {
		var r request
		files, err := receive(keeperSocket, &r)
		if err != nil {
			return err
		}
		if err := k.do(&r, files); err != nil {
			k.reply(reply{ID: r.ID, Err: err.Error(), None: r.Copy != "" && errors.Is(err, fs.ErrNotExist)})
		}
		for _, f := range files {
			unix.Close(f)
		}
	}
}

// do does one thing. It replies itself, if not with an error.
func (k *keeper) do(r *request, files []int) error {
	var err error
	switch {
	case r.Start != nil && len(files) == 1+len(r.Start.Volumes):
		err = k.start(r.Start, files)
	case r.Exec != nil && len(files) == 2:
		return k.exec(r.ID, r.Exec, files)
	case r.Signal != nil:
		k.signal(r.ID, unix.Signal(r.Signal.Signal))
		return nil
	case r.Copy != "" && len(files) == 1:
		err = pack(r.Copy, writer(files[0]))
	default:
		err = errors.New("a request that nobody makes")
	}
	if err == nil {
		k.reply(reply{ID: r.ID})
	}
	return err
}

func (k *keeper) reply(r reply) { _ = send(keeperSocket, r) } // bench may be gone; then so is this process

// start makes the sandbox what it is to be, from the outside to the inside. Bench
// has said by now which users there are.
func (k *keeper) start(s *start, files []int) error {
	if err := errors.Join(syscall.Setgroups(nil), syscall.Setgid(0), syscall.Setuid(0)); err != nil {
		return fmt.Errorf("cannot become root of the sandbox: %w", err)
	}
	_, _ = unix.KeyctlJoinSessionKeyring("") // an empty one: keys of the host are not for the sandbox; not every kernel has keys
	if err := enterRoot(s.Size); err != nil {
		return err
	}
	if err := errors.Join(unix.Sethostname([]byte("sandbox")), loopback()); err != nil {
		return err
	}
	if err := unpack("/", reader(files[0])); err != nil {
		return err
	}
	for i, target := range s.Volumes {
		if err := os.MkdirAll(target, 0o755); err != nil {
			return err
		}
		if err := errors.Join(unpack(target, reader(files[1+i])), seal(target)); err != nil {
			return fmt.Errorf("volume %s: %w", target, err)
		}
	}
	return forgo(s.Caps)
}

// forgo bounds what the commands that this thread starts can ever be allowed.
func forgo(keep []int) error {
	kept := map[int]bool{}
	for _, c := range keep {
		kept[c] = true
	}
	for c := 0; c <= unix.CAP_LAST_CAP; c++ {
		if kept[c] {
			continue
		}
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, uintptr(c), 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) { // one that an older kernel does not know
			return err
		}
	}
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var mine [2]unix.CapUserData
	if err := unix.Capget(&header, &mine[0]); err != nil {
		return err
	}
	mine[0].Inheritable, mine[1].Inheritable = 0, 0 // and the ambient ones with them
	if err := unix.Capset(&header, &mine[0]); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
}

// gate waits until its process is bounded, and then becomes the command.
const gate = `read -r _ && exec "$@" </dev/null`

// exec starts a command. The reaper replies when it has ended.
func (k *keeper) exec(id int, c *command, files []int) error {
	var pipe [2]int
	if err := unix.Pipe2(pipe[:], unix.O_CLOEXEC); err != nil {
		return err
	}
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	k.mu.Lock()
	pid, err := syscall.ForkExec("/bin/sh", append([]string{"sh", "-c", gate, "sh"}, c.Args...), &syscall.ProcAttr{
		Dir: c.Dir, Env: c.Env, Files: []uintptr{uintptr(pipe[0]), uintptr(files[0]), uintptr(files[1])},
		Sys: &syscall.SysProcAttr{Setsid: true, Credential: &syscall.Credential{Uid: uint32(c.UID), Gid: uint32(c.GID)}},
	})
	if err == nil {
		k.waiting[pid], k.idle = id, false
	}
	k.mu.Unlock()
	if err != nil {
		return fmt.Errorf("cannot start a shell in %s: %w", c.Dir, err)
	}
	select {
	case k.started <- struct{}{}:
	default:
	}
	if err := bound(pid, c); err != nil {
		return fmt.Errorf("cannot bound a command: %w", err)
	}
	_, err = unix.Write(pipe[1], []byte("\n"))
	return err
}

// openFiles bounds the open files of a process.
const openFiles = 4096

// bound sets the limits of a process, and of those that it will start.
func bound(pid int, c *command) error {
	for resource, most := range map[int]uint64{unix.RLIMIT_DATA: c.Memory, unix.RLIMIT_NPROC: c.PIDs, unix.RLIMIT_NOFILE: openFiles, unix.RLIMIT_CORE: 0} {
		var now unix.Rlimit
		if err := unix.Prlimit(pid, resource, nil, &now); err != nil {
			return err
		}
		most = min(most, now.Max) // nobody here may raise it
		if err := unix.Prlimit(pid, resource, &unix.Rlimit{Cur: most, Max: most}, nil); err != nil {
			return err
		}
	}
	return nil
}

// signal sends a signal to every process of the sandbox, under one lock of the
// kernel, so that nothing can fork away from it.
func (k *keeper) signal(id int, s unix.Signal) {
	k.mu.Lock()
	idle := k.idle
	if !idle {
		k.gone = append(k.gone, id)
	}
	k.mu.Unlock()
	if idle {
		k.reply(reply{ID: id})
		return
	}
	_ = unix.Kill(-1, s) // an error says that there is nothing to signal
}

// reap waits for all processes: for commands, and for what they left behind, whose
// parent this process becomes.
func (k *keeper) reap() {
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, 0, nil)
		switch {
		case err == nil:
			k.ended(pid, status)
		case errors.Is(err, unix.ECHILD) && k.rest():
			<-k.started
		}
	}
}

func (k *keeper) ended(pid int, status unix.WaitStatus) {
	k.mu.Lock()
	id, ok := k.waiting[pid]
	delete(k.waiting, pid)
	k.mu.Unlock()
	if !ok {
		return
	}
	code := status.ExitStatus()
	if status.Signaled() {
		code = 128 + int(status.Signal())
	}
	k.reply(reply{ID: id, Code: code})
}

// rest replies to all who wait until no process is left. It is false if one has
// been started since.
func (k *keeper) rest() bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.waiting) > 0 {
		return false
	}
	k.idle = true
	for _, id := range k.gone {
		k.reply(reply{ID: id})
	}
	k.gone = nil
	return true
}

// A reader reads from a file whose number came with a request.
type reader int

func (r reader) Read(p []byte) (int, error) {
	for {
		n, err := unix.Read(int(r), p)
		switch {
		case errors.Is(err, unix.EINTR):
		case err != nil:
			return 0, err
		case n == 0 && len(p) > 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// A writer is the same for writing.
type writer int

func (w writer) Write(p []byte) (written int, err error) {
	for written < len(p) {
		n, err := unix.Write(int(w), p[written:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return written, err
		}
		written += n
	}
	return written, nil
}
