package sandboxtest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// The programs of Stops: both say "ready" first. A driver without a shell must
// play them.
const (
	// Polite says "bye" when it gets SIGTERM, and ends. (Some shells remark on
	// standard error that the sleep has been terminated.)
	Polite = `trap 'echo bye; exit 3' TERM; echo ready; while :; do sleep 1; done`
	// Deaf takes no notice of SIGTERM.
	Deaf = `trap '' TERM; echo ready; while :; do sleep 1; done`
)

// Stops holds a driver against what package sandbox says of commands that are
// stopped. It is a part of Run.
func Stops(t *testing.T, d sandbox.Driver, image string) {
	const long, short = time.Minute, 1500 * time.Millisecond
	for _, test := range []struct {
		name   string
		script string
		grace  time.Duration
		cause  error
		kill   bool // cut the grace short
		says   string
		atMost time.Duration
	}{
		{"grace is heard", Polite, long, nil, false, "ready\nbye\n", long / 2},
		{"grace has an end", Deaf, short, nil, false, "ready\n", long / 2},
		{"kill cuts the grace short", Deaf, long, nil, true, "ready\n", long / 2},
		{"no grace", Polite, 0, nil, false, "ready\n", long / 2},
		{"no grace for limits", Polite, long, sandbox.ErrKill, false, "ready\n", long / 2},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			b := &box{Sandbox: start(t, d, Spec(image))}
			ctx, stop := context.WithCancelCause(t.Context())
			defer stop(nil)
			kill := make(chan struct{})
			var stopped time.Time
			out := &listener{heard: func() {
				stopped = time.Now()
				stop(test.cause)
				if test.kill {
					time.AfterFunc(short/3, func() { close(kill) })
				}
			}}
			_, err := b.Exec(ctx, sandbox.Cmd{
				Args: []string{"sh", "-c", test.script}, Dir: "/workspace", User: engine.DefaultUser, Stdout: out, Grace: test.grace, Kill: kill,
			})
			took := time.Since(stopped)
			if !errors.Is(err, context.Canceled) {
				t.Errorf("got error %v, want that of the context", err)
			}
			if got := out.String(); got != test.says {
				t.Errorf("it said %q, want %q", got, test.says)
			}
			if took > test.atMost || test.script == Deaf && !test.kill && took < test.grace {
				t.Errorf("it was gone after %v, with a grace of %v", took, test.grace)
			}
		})
	}
}

// A listener keeps what it hears, and calls heard at the first.
type listener struct {
	heard func()
	once  sync.Once
	text  bytes.Buffer
}

func (l *listener) Write(p []byte) (int, error) {
	l.once.Do(l.heard)
	return l.text.Write(p)
}

func (l *listener) String() string { return l.text.String() }

// descendants end after the command that started them, and within its grace.
func descendants(t *testing.T, b *box) {
	stopAtFirst(t, b, engine.DefaultUser, `(setsid sh -c 'trap "sleep 1; echo bye >bye.txt; exit" TERM; echo >here.txt; while :; do sleep 1; done' >/dev/null 2>&1 &)
while ! [ -e here.txt ]; do sleep 0.1; done; echo ready; sleep 1000`)
	if n := b.alive(t); n != "0" {
		t.Errorf("%s processes of the agent outlived its command", n)
	}
	if _, out := b.sh(t, "cat bye.txt"); out != "bye\n" {
		t.Errorf("a descendant left %q", out)
	}
}

// rootGrace is about a user whose signals reach what keeps the sandbox, too.
func rootGrace(t *testing.T, b *box) {
	out := stopAtFirst(t, b, engine.Root, Polite)
	if out != "ready\nbye\n" {
		t.Errorf("it said %q", out)
	}
	var archive bytes.Buffer
	if err := b.CopyOut(t.Context(), "/workspace", &archive); err != nil || !strings.Contains(archive.String(), "given.txt") {
		t.Errorf("the sandbox is gone: %v", err)
	}
}

// stopAtFirst runs a script until it says something, and stops it with a grace.
func stopAtFirst(t *testing.T, b *box, u engine.User, script string) string {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	out := &listener{heard: stop}
	_, err := b.Exec(ctx, sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/workspace", User: u, Stdout: out, Grace: time.Minute})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("got error %v, want that of the context", err)
	}
	return out.String()
}
