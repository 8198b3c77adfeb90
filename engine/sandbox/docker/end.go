package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
)

// killWait is how long a killed command may take to end before its sandbox is
// frozen instead.
const killWait = 3 * time.Second

// startWait bounds the start of a script that sends signals. It is long, and no
// grace cuts it short: a container that is frozen while the engine starts
// something in it can be neither thawed nor removed.
const startWait = 20 * time.Second

// end ends a command whose context has ended, with what grace it has. Whatever
// was seen in the meantime, the kill comes last: nobody can fork away from it.
func (b *box) end(ctx context.Context, c *command) {
	if grace := c.GraceAfter(ctx); grace > 0 {
		b.terminate(c, grace)
	}
	b.kill(c)
}

// terminate asks everything that runs as the user of a command to end, and waits
// until that has happened, the grace is over, or it is cut short.
func (b *box) terminate(c *command, grace time.Duration) {
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	go func() {
		select {
		case <-c.Kill:
			cancel()
		case <-ctx.Done():
		}
	}()
	if b.signal(ctx, c.User, "kill -15 -1") != nil {
		return
	}
	select {
	case <-c.output: // the usual end; what the command started may need longer
	case <-ctx.Done():
		return
	}
	for wait := 10 * time.Millisecond; !b.idle(ctx); wait = min(2*wait, 200*time.Millisecond) {
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// idle reports whether nothing runs in the container but what keeps it: the first
// process, its child, and the helper that carries what is served. An engine that
// cannot say so has nothing to wait for.
func (b *box) idle(ctx context.Context) bool {
	keep := 2
	if b.way.alive() {
		keep++
	}
	top, err := b.client.ContainerTop(ctx, b.id, client.ContainerTopOptions{})
	return err != nil || len(top.Processes) <= keep
}

// kill ends everything that runs as the user of a command. What runs as root cannot
// be killed in this way without the helper, so the container is frozen.
func (b *box) kill(c *command) {
	if c.User.UID != 0 && b.killed(c) {
		return
	}
	b.started(c)
	ctx, cancel := context.WithTimeout(context.Background(), killWait)
	defer cancel()
	if b.freeze(ctx) != nil {
		_, _ = b.client.ContainerKill(ctx, b.id, client.ContainerKillOptions{Signal: "KILL"})
	}
}

// started waits until the engine has started a command. One that it has not begun
// to start looks as if it never would be; so it is waited for, but not as long.
func (b *box) started(c *command) {
	ctx, cancel := context.WithTimeout(context.Background(), startWait)
	defer cancel()
	begun := time.Now()
	for {
		state, err := b.client.ExecInspect(ctx, c.id, client.ExecInspectOptions{})
		if err != nil || state.PID != 0 || !state.Running && time.Since(begun) > killWait {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// killed reports whether a user's processes could be killed. kill(-1) goes over
// all of them under one lock of the kernel, so that nothing can fork away from it.
func (b *box) killed(c *command) bool {
	if b.signal(context.Background(), c.User, "kill -9 -1") != nil {
		return false
	}
	select {
	case <-c.output:
		return true
	case <-time.After(killWait):
		return false
	}
}

// signal runs a script that sends signals as a user, and waits for its end.
func (b *box) signal(ctx context.Context, u engine.User, script string) error {
	starting, cancel := context.WithTimeout(context.WithoutCancel(ctx), startWait)
	defer cancel()
	exec, err := b.client.ExecCreate(starting, b.id, client.ExecCreateOptions{Cmd: []string{"sh", "-c", script}, User: userSpec(u)})
	if err != nil {
		return err
	}
	if _, err := b.client.ExecStart(starting, exec.ID, client.ExecStartOptions{Detach: true}); err != nil {
		return err
	}
	ending, cancel := context.WithTimeout(ctx, killWait)
	defer cancel()
	exit, err := b.exit(ending, exec.ID)
	if err == nil && exit.Code > 125 {
		err = fmt.Errorf("it ended with %d", exit.Code) // it could not be started, or was killed itself
	}
	return err
}
