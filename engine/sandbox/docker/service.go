package docker

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	tc "github.com/testcontainers/testcontainers-go"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A service is the container of one. What its first process is, its image says,
// so that bench cannot make it watch its standard input. Another container does
// that for all services of a sandbox, the keeper: they are in its namespace of
// processes, so when its first process ends, the kernel kills theirs.
type service struct {
	*Driver
	sandbox.Service
	id     string
	output client.HijackedResponse
	log    *logged
	copied chan struct{} // closed at the end of the output
	cancel context.CancelFunc

	mu      sync.Mutex
	exit    *sandbox.Exit
	lost    error         // why it is not known how it ended
	ended   chan struct{} // closed when exit is set, or never will be
	closing bool          // what ends from now on is ended by bench
}

// serviceCaps are what the entrypoints of official images need, to own their data
// and then run as a user without privileges.
var serviceCaps = []string{"CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"}

// keeperMemory is enough for two shells that wait, in bytes.
const keeperMemory = 32 << 20

// startServices starts all services, and waits until each is ready.
func (s *surrounding) startServices(ctx context.Context, spec sandbox.Spec) (err error) {
	if s.inner, err = s.network(ctx, spec.Trial, 1+len(spec.Services), reachNothing); err != nil {
		return err
	}
	s.keeper, err = s.Start(ctx, sandbox.Spec{
		Image: spec.Image, Trial: spec.Trial, Files: func(w io.Writer) error { return tar.NewWriter(w).Close() },
		Sandbox: &engine.Sandbox{CPUs: 1, Memory: keeperMemory, PIDs: 16, Platform: spec.Sandbox.Platform, User: engine.DefaultUser, Timeouts: spec.Sandbox.Timeouts},
	})
	if err != nil {
		return err
	}
	for _, of := range spec.Services {
		s.services = append(s.services, &service{Driver: s.Driver, Service: of, log: newLogged(), copied: make(chan struct{}), ended: make(chan struct{})})
	}
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var wg sync.WaitGroup
	for _, one := range s.services {
		wg.Go(func() {
			if err := s.bring(ctx, one, spec); err != nil {
				cancel(err) // one that is not there is enough
			}
		})
	}
	wg.Wait()
	return context.Cause(ctx)
}

// bring starts a service, and waits until it is ready.
func (s *surrounding) bring(ctx context.Context, one *service, spec sandbox.Spec) error {
	err := s.startService(ctx, one, spec)
	if err != nil {
		err = fmt.Errorf("did not start: %w", wrap("its container", err))
	} else if len(one.Ready) > 0 {
		err = one.waitReady(ctx)
	}
	if err == nil || ctx.Err() != nil {
		return err
	}
	return &sandbox.ServiceError{Name: one.Name, Log: one.log.String(), Err: err}
}

// startService makes and starts the container of a service.
func (s *surrounding) startService(ctx context.Context, one *service, spec sandbox.Spec) error {
	select {
	case s.starts <- struct{}{}:
		defer func() { <-s.starts }()
	case <-ctx.Done():
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(ctx, spec.Sandbox.Timeouts.Start)
	defer cancel()
	c, err := s.createService(ctx, one, spec)
	if c != nil {
		one.id = c.GetContainerID()
	}
	if err == nil {
		err = one.listen(ctx)
	}
	if err != nil {
		return err
	}
	return c.Start(ctx)
}

// createService makes the container, and waits for the engine's answer as create
// does.
func (s *surrounding) createService(ctx context.Context, one *service, spec sandbox.Spec) (tc.Container, error) {
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), spec.Sandbox.Timeouts.Start)
	defer cancel()
	s.session.creates(1)
	defer s.session.creates(-1)
	c, err := s.provider.CreateContainer(waiting, tc.ContainerRequest{
		Image:         one.Service.Image,
		ImagePlatform: spec.Sandbox.Platform,
		Cmd:           one.Command,
		Env:           one.Env,
		Labels:        s.session.labels(spec.Trial),
		ConfigModifier: func(c *container.Config) {
			c.AttachStdout, c.AttachStderr = true, true
			c.Healthcheck = &container.HealthConfig{Test: []string{"NONE"}}
		},
		HostConfigModifier: func(h *container.HostConfig) {
			serviceConfig(h, one.Service, spec)
			h.NetworkMode = container.NetworkMode(s.inner.Name)
			h.PidMode = container.PidMode("container:" + s.keeper.(*box).id)
		},
		EndpointSettingsModifier: func(all map[string]*network.EndpointSettings) {
			all[s.inner.Name] = &network.EndpointSettings{NetworkID: s.inner.ID, Aliases: []string{one.Name}}
		},
	})
	return c, errors.Join(err, ctx.Err())
}

// serviceConfig bounds a service as its sandbox is, as far as its image allows.
func serviceConfig(h *container.HostConfig, of sandbox.Service, spec sandbox.Spec) {
	memory := spec.Sandbox.MemoryOf(of.Service)
	h.AutoRemove = true
	h.LogConfig.Type = "none"
	closed(h)
	h.CapDrop, h.CapAdd = []string{"ALL"}, serviceCaps
	h.SecurityOpt = []string{"no-new-privileges"}
	h.NanoCPUs = int64(spec.Sandbox.CPUs * 1e9)
	h.Memory, h.MemorySwap = memory, memory
	h.ShmSize = memory / 2
	h.PidsLimit = &spec.Sandbox.PIDs
	h.Ulimits = []*container.Ulimit{{Name: "core"}}
}

// listen keeps what a service prints, and notes when it ends. It begins before the
// start, so that nothing is missed.
func (s *service) listen(ctx context.Context) error {
	att, err := s.client.ContainerAttach(ctx, s.id, client.ContainerAttachOptions{Stream: true, Stdout: true, Stderr: true})
	if err != nil {
		return err
	}
	s.output = att.HijackedResponse
	go func() {
		defer close(s.copied)
		_, _ = stdcopy.StdCopy(s.log, s.log, s.output.Reader) // what could not be read is missing from the log, and no more
	}()
	waiting, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	wait := s.client.ContainerWait(waiting, s.id, client.ContainerWaitOptions{Condition: container.WaitConditionNextExit})
	go func() {
		defer close(s.ended)
		var exit *sandbox.Exit
		var lost error
		select {
		case end := <-wait.Result:
			exit = &sandbox.Exit{Code: int(end.StatusCode)}
		case lost = <-wait.Error:
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if !s.closing {
			s.exit, s.lost = exit, lost
		}
	}()
	return nil
}

// Waits between two tries of a ready command.
const (
	readyWait    = 50 * time.Millisecond
	maxReadyWait = time.Second
)

// waitReady tries the ready command until it succeeds.
func (s *service) waitReady(ctx context.Context) error {
	limited, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	go func() { // a command whose container dies may not be told to have ended
		select {
		case <-s.ended:
			cancel()
		case <-limited.Done():
		}
	}()
	why := "its ready command did not end"
	for wait := readyWait; ; wait = min(2*wait, maxReadyWait) {
		ok, found, err := s.try(limited)
		switch {
		case ok:
			return nil
		case errors.Is(wrap("", err), sandbox.ErrUnavailable):
			return wrap("could not be asked whether it is ready", err)
		case limited.Err() != nil:
		case err != nil:
			why = err.Error()
		default:
			why = found
		}
		select {
		case <-limited.Done():
			return s.notReady(ctx, why)
		case <-time.After(wait):
		}
	}
}

// notReady says why a service is no longer waited for.
func (s *service) notReady(ctx context.Context, why string) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	select {
	case <-s.ended:
	default:
		return fmt.Errorf("was not ready within %s (%s)", s.Timeout, why)
	}
	s.drain()
	exit := s.state().Exit
	if exit == nil {
		return wrap("was lost before it was ready", s.lost)
	}
	return fmt.Errorf("ended with exit status %d before it was ready", exit.Code)
}

// try runs the ready command once, as the user of the image. If it does not
// succeed, found says how it ended.
func (s *service) try(ctx context.Context) (ok bool, found string, err error) {
	exec, err := s.client.ExecCreate(ctx, s.id, client.ExecCreateOptions{Cmd: s.Ready, AttachStdout: true, AttachStderr: true})
	if err != nil {
		return false, "", err
	}
	stream, err := s.client.ExecAttach(ctx, exec.ID, client.ExecAttachOptions{})
	if err != nil {
		return false, "", err
	}
	stop := context.AfterFunc(ctx, stream.Close)
	out := sandbox.NewOutput(shownOutput)
	_, err = stdcopy.StdCopy(out, out, stream.Reader)
	if stop() {
		stream.Close()
	}
	if err != nil {
		return false, "", err
	}
	exit, err := (&box{Driver: s.Driver, id: s.id}).exit(ctx, exec.ID)
	if err != nil || exit.Code == 0 {
		return err == nil, "", err
	}
	found = fmt.Sprintf("its ready command ended with exit status %d", exit.Code)
	if line, _, _ := strings.Cut(strings.TrimSpace(out.String()), "\n"); line != "" {
		found += ": " + line
	}
	return false, found, nil
}

// shownOutput is how much of the output of a ready command is looked at, in bytes.
const shownOutput = 1 << 10

// drainWait is how long the last output of a service may take to arrive.
const drainWait = 2 * time.Second

// drain waits for the output of a service that has ended.
func (s *service) drain() {
	select {
	case <-s.copied:
	case <-time.After(drainWait):
	}
}

func (s *service) state() sandbox.ServiceState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return sandbox.ServiceState{Name: s.Name, Log: s.log.String(), Exit: s.exit}
}

// stopServices ends all services in one moment, and removes them.
func (s *surrounding) stopServices(ctx context.Context) (all error) {
	for _, one := range s.services {
		one.mu.Lock()
		one.closing = true
		one.mu.Unlock()
	}
	if s.keeper != nil {
		all = s.keeper.Close()
	}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for _, one := range s.services {
		wg.Go(func() {
			err := one.remove(ctx)
			mu.Lock()
			defer mu.Unlock()
			all = errors.Join(all, err)
		})
	}
	wg.Wait()
	return all
}

// remove removes the container of a service, if there is one.
func (s *service) remove(ctx context.Context) error {
	if s.id == "" {
		return nil
	}
	err := wrap("removing service "+s.Name, s.Driver.remove(ctx, s.id))
	if s.cancel != nil {
		s.drain()
		s.output.Close()
		s.cancel()
		<-s.copied
		<-s.ended
	}
	return err
}

// Services tells of the services, whether they run or not.
func (b *box) Services() (out []sandbox.ServiceState) {
	if b.around == nil {
		return nil
	}
	for _, one := range b.around.services {
		out = append(out, one.state())
	}
	return out
}

// A logged is an Output that can be read while it is written.
type logged struct {
	mu  sync.Mutex
	out *sandbox.Output
}

func newLogged() *logged { return &logged{out: sandbox.NewOutput(sandbox.ServiceLogLimit)} }

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}
