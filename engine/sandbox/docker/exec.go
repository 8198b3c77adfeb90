package docker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A command is one that runs in a container, or ran.
type command struct {
	sandbox.Cmd
	id     string
	output chan struct{} // closed at the end of its output
	broken error         // why the output ended too early; not before that
}

// Exec runs a command to its end, or to that of ctx.
func (b *box) Exec(ctx context.Context, cmd sandbox.Cmd) (sandbox.Exit, error) {
	if err := ctx.Err(); err != nil {
		return sandbox.Exit{}, err
	}
	exec, err := b.client.ExecCreate(ctx, b.id, client.ExecCreateOptions{
		Cmd: cmd.Args, User: userSpec(cmd.User), WorkingDir: cmd.Dir, Env: envList(cmd.Env), AttachStdout: true, AttachStderr: true,
	})
	if err != nil {
		return sandbox.Exit{}, wrap("exec", err)
	}
	c := &command{Cmd: cmd, id: exec.ID, output: make(chan struct{})}
	stream, err := b.client.ExecAttach(ctx, exec.ID, client.ExecAttachOptions{})
	if err != nil {
		close(c.output)
		if ctx.Err() != nil { // the engine may have started it all the same
			b.kill(c)
			return sandbox.Exit{}, ctx.Err()
		}
		return sandbox.Exit{}, wrap("exec", err)
	}
	defer stream.Close()
	go func() {
		defer close(c.output)
		_, c.broken = stdcopy.StdCopy(orDiscard(cmd.Stdout), orDiscard(cmd.Stderr), stream.Reader)
	}()
	exit, err := b.wait(ctx, c)
	switch {
	case err == nil:
		return exit, nil
	case ctx.Err() != nil:
		err = ctx.Err()
		b.end(ctx, c)
	case errors.Is(err, errCutOff):
		b.kill(c)
	default:
		return sandbox.Exit{}, err
	}
	stream.Close()
	<-c.output // or a writer of the caller could be written to after the return
	return sandbox.Exit{}, err
}

// wait waits for the end of a command: of its output, and then of itself.
func (b *box) wait(ctx context.Context, c *command) (sandbox.Exit, error) {
	select {
	case <-c.output:
	case <-ctx.Done():
		return sandbox.Exit{}, ctx.Err()
	case <-b.way.isBroken():
		return sandbox.Exit{}, b.way.err
	}
	if c.broken != nil {
		return sandbox.Exit{}, wrap("reading the output of a command", c.broken)
	}
	exit, err := b.exit(ctx, c.id)
	if err == nil {
		err = b.intact(ctx)
	}
	return exit, err
}

// exit waits for the status of a command whose output has ended, and makes sure
// that it was not the end of the container.
func (b *box) exit(ctx context.Context, id string) (sandbox.Exit, error) {
	code, err := b.status(ctx, id)
	if err == nil {
		err = b.alive(ctx)
	}
	if err == nil && code >= exitSignalled {
		err = b.survived(ctx)
	}
	return sandbox.Exit{Code: code}, err
}

// status waits for the end of a command.
func (b *box) status(ctx context.Context, id string) (code int, err error) {
	for wait := time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		state, err := b.client.ExecInspect(ctx, id, client.ExecInspectOptions{})
		if err != nil {
			if gone(err) {
				err = errors.New("the container died")
			}
			return 0, wrap("waiting for a command", err)
		}
		if !state.Running {
			return state.ExitCode, nil
		}
		select {
		case <-ctx.Done():
			return 0, ctx.Err()
		case <-time.After(wait):
		}
	}
}

// alive reports an error if the container ended while a command ran in it: its
// exit status then says nothing about the command.
func (b *box) alive(ctx context.Context) error {
	c, err := b.client.ContainerInspect(ctx, b.id, client.ContainerInspectOptions{})
	switch {
	case gone(err), err == nil && (c.Container.State == nil || !c.Container.State.Running):
		return errDied
	case err != nil:
		return wrap("inspecting a sandbox", err)
	}
	return nil
}

// exitSignalled is the lowest status of a command that a signal has ended.
const exitSignalled = 128

// errDied is that a container ended while a command ran in it.
var errDied = errors.New("the container died while a command ran in it")

// missing is a program that no image has.
const missing = "/.bench-looks-for-this"

// survived makes sure that it was not the end of the container that killed a
// command. The engine may not know of it yet, and would even copy files out; but
// the kernel kills the commands of a container only once its first process is
// ending, and lets nothing more start in it from then on. So a program is started
// that is missing, since a command may have removed all others: of a container that
// lives, the engine says that the program was looked for in it.
func (b *box) survived(ctx context.Context) error {
	starting, cancel := context.WithTimeout(ctx, startWait)
	defer cancel()
	exec, err := b.client.ExecCreate(starting, b.id, client.ExecCreateOptions{Cmd: []string{missing}, User: "0:0"})
	if err == nil {
		_, err = b.client.ExecStart(starting, exec.ID, client.ExecStartOptions{Detach: true})
	}
	if err == nil { // some engines tell it by the exit status
		var code int
		if code, err = b.status(starting, exec.ID); err == nil && code < exitSignalled {
			return nil
		}
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && strings.Contains(err.Error(), missing):
		return nil
	case err != nil && errors.Is(wrap("", err), sandbox.ErrUnavailable):
		return wrap("inspecting a sandbox", err)
	}
	return errDied
}

func userSpec(u engine.User) string { return fmt.Sprintf("%d:%d", u.UID, u.GID) }

func envList(env map[string]string) []string {
	var out []string
	for _, k := range slices.Sorted(maps.Keys(env)) {
		out = append(out, k+"="+env[k])
	}
	return out
}

func orDiscard(w io.Writer) io.Writer {
	if w == nil {
		return io.Discard
	}
	return w
}
