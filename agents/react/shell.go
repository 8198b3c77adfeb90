package react

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// shown is how much of what a command prints the model gets to read, in bytes.
const shown = 16 << 10

// How long is waited for the end of a command.
const (
	startWait = 5 * time.Second        // for its beginning, when it is to be killed already
	sendWait  = 20 * time.Second       // for the sending of a signal
	termWait  = 2 * time.Second        // between SIGTERM and SIGKILL
	killWait  = time.Second            // for the last of its output, after SIGKILL
	lastWait  = 500 * time.Millisecond // for its Exec, when the agent ends
)

// errStuck is that a command could not be stopped alone: nothing more can be run.
var errStuck = errors.New("the sandbox had to be stopped")

// A shell runs commands, one after another.
type shell struct {
	*Options
	count int
	left  []*process // commands that have ended, while their Exec may go on: something holds their output
}

// A result is how a command ended.
type result struct {
	output  string
	status  int
	expired bool // it was killed at its limit
}

// A process is a command that was started.
type process struct {
	out  *listener
	stop context.CancelCauseFunc
	over chan struct{} // closed when its Exec has returned
	exit sandbox.Exit  // when it is over
	err  error
}

// wrapper runs a script in a directory. Around what that prints, it tells its own
// process, which leads the group of all that it starts, and the status of the script.
// It outlives SIGTERM, so that the status is told then, too; and it stays while
// anything holds the output, since an engine closes that with the command, and
// whoever writes to it then is killed. Its own status counts if none was told,
// which means that the script has killed what was to tell it.
const wrapper = `exec </dev/null 2>&1
trap : TERM
mark=$1
echo "$mark$$"
{
	trap : TERM
	cd "$2" && shift 2 && sh -c "$@"
	echo "$mark$?"
} 2>&1 | (trap '' TERM; exec cat)
exit 1`

// run runs a script of sh. The error is that of ctx or the sandbox, or errStuck.
func (s *shell) run(ctx context.Context, limit time.Duration, script string, args ...string) (result, error) {
	if err := ctx.Err(); err != nil {
		return result{}, err
	}
	s.left = slices.DeleteFunc(s.left, (*process).isOver)
	p := s.start(ctx, script, args)
	expired := !p.wait(ctx, p.out.ended, limit)
	if expired && (ctx.Err() != nil || !s.kill(ctx, p)) {
		p.end(cmp.Or(context.Cause(ctx), sandbox.ErrKill))
		return result{}, cmp.Or(ctx.Err(), errStuck)
	}
	status := 0
	if !p.isOver() {
		s.left = append(s.left, p)
	} else if status = p.exit.Code; p.err != nil {
		return result{}, p.err
	}
	output, told := p.out.seal()
	if len(told) == 2 {
		status = told[1]
	}
	return result{output, status, expired}, nil
}

func (s *shell) start(ctx context.Context, script string, args []string) *process {
	s.count++
	mark := fmt.Sprintf("\x1ereact %d ", s.count) // nobody prints that by chance
	p := &process{out: newListener(mark), over: make(chan struct{})}
	// The sandbox is told of the end of ctx for one command after another.
	own, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	p.stop = stop
	go func() {
		defer close(p.over)
		defer stop(nil)
		p.exit, p.err = s.exec(own, p.out, append([]string{wrapper, "sh", mark, s.Dir, script, "sh"}, args...))
	}()
	return p
}

func (s *shell) exec(ctx context.Context, out *listener, args []string) (sandbox.Exit, error) {
	cmd := sandbox.Cmd{Args: append([]string{"sh", "-c"}, args...), Dir: "/", Env: s.Env, User: s.User, Grace: s.Grace, Kill: s.Kill}
	if out != nil {
		cmd.Stdout, cmd.Stderr = out, out
	}
	return s.Box.Exec(ctx, cmd)
}

// wait waits for something to be so, or for the end of the command. It reports
// whether that came in time.
func (p *process) wait(ctx context.Context, so <-chan struct{}, limit time.Duration) bool {
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-so:
		return true
	case <-p.over:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func (p *process) isOver() bool {
	select {
	case <-p.over:
		return true
	default:
		return false
	}
}

// end lets the sandbox stop a command, and whatever it has to stop with it.
func (p *process) end(cause error) {
	p.stop(cause)
	<-p.over
}

// kill ends the process group of a command. It reports whether that could be done
// before the end of ctx.
func (s *shell) kill(ctx context.Context, p *process) bool {
	if !p.wait(ctx, p.out.begun, startWait) || !s.signal(p, 15) {
		return false
	}
	p.wait(ctx, p.out.ended, termWait)
	if ctx.Err() != nil || !s.signal(p, 9) {
		return false
	}
	p.wait(ctx, p.out.ended, killWait)
	return ctx.Err() == nil
}

// signal sends a signal to what is left of the process group of a command, and
// reports whether it could be sent.
func (s *shell) signal(p *process, number int) bool {
	group := p.out.leader()
	if group <= 1 {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), sendWait)
	defer cancel()
	exit, err := s.exec(ctx, nil, []string{fmt.Sprintf("kill -%d -%d", number, group)})
	return err == nil && exit.Code < 126 // from there on it was not started, or killed itself
}

// close ends what still holds the output of a command. If ctx has ended, or only
// the sandbox can do it, all else that runs as the user ends with it.
func (s *shell) close(ctx context.Context) {
	for _, p := range s.left {
		if p.wait(ctx, nil, lastWait) || ctx.Err() == nil && s.signal(p, 9) && p.wait(ctx, nil, killWait) {
			continue
		}
		p.end(context.Cause(ctx))
	}
}

// A listener takes what a command prints, without the marks of the wrapper.
type listener struct {
	mark  []byte
	begun chan struct{} // closed when the process is known
	ended chan struct{} // closed when the status is

	mu     sync.Mutex
	out    *sandbox.Output
	held   []byte // may be the beginning of a mark
	told   []int  // the process, and then the status
	sealed bool   // what comes now is not for the model
}

// longestNumber bounds what follows a mark.
const longestNumber = 10

func newListener(mark string) *listener {
	return &listener{mark: []byte(mark), begun: make(chan struct{}), ended: make(chan struct{}), out: sandbox.NewOutput(shown)}
}

// Write takes everything, and never fails.
func (l *listener) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = append(l.held, p...)
	for !l.sealed && l.next() {
	}
	if l.sealed {
		l.held = nil
	}
	return len(p), nil
}

// next takes a piece of what is held, if it is known what it is.
func (l *listener) next() bool {
	i := bytes.Index(l.held, l.mark)
	if i < 0 {
		l.take(len(l.held) - len(l.mark) + 1)
		return false
	}
	l.take(i)
	rest := l.held[len(l.mark):]
	end := bytes.IndexByte(rest, '\n')
	if end < 0 && len(rest) <= longestNumber {
		return false
	}
	n, err := strconv.Atoi(string(rest[:max(end, 0)]))
	if err != nil || n < 0 { // somebody has printed the mark
		l.take(len(l.mark))
		return true
	}
	l.held = rest[end+1:]
	if l.told = append(l.told, n); len(l.told) == 1 {
		close(l.begun)
		return true
	}
	l.sealed = true
	close(l.ended)
	return false
}

// take takes the first bytes of what is held for output.
func (l *listener) take(n int) {
	if n > 0 {
		_, _ = l.out.Write(l.held[:n]) // never fails
		l.held = l.held[n:]
	}
}

// leader is the process that leads the group of the command; 0 if it is not known.
func (l *listener) leader() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.told) == 0 {
		return 0
	}
	return l.told[0]
}

// seal ends the output, and gives it with what was told of the command.
func (l *listener) seal() (output string, told []int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.sealed {
		l.take(len(l.held))
		l.sealed = true
	}
	return clean(l.out.String()), l.told
}

// cut takes out the middle of a text that is too long.
func cut(text string) string {
	out := sandbox.NewOutput(2 * shown)
	_, _ = out.Write([]byte(text)) // never fails
	return out.String()
}

// clean makes of some bytes what every provider takes for a text.
func clean(text string) string {
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD")
}
