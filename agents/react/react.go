// Package react is the agent that comes with bench: a loop in which a model is
// asked, runs a command, reads what it printed, and is asked again.
//
//	exit, err := react.Run(ctx, react.Options{
//		Box: box, User: user, Dir: "/workspace", Env: env,
//		Client: client, BaseURL: url, Token: token, Model: "some-model",
//		Prompt: prompt, Log: out,
//	})
//
// It runs on the host, and does nothing there: what the model wants to have done
// is done by [sandbox.Sandbox.Exec]. So it works in any image that has a POSIX
// shell and the everyday programs beside it. The model is asked over HTTP in the
// format of chat completions, not streamed; the gateway makes of it what the
// provider speaks.
//
// # Tools
//
// There are two. "bash" runs a command with sh. "write_file" writes a text to a
// file, since texts that go through a shell need quotes, and models get them wrong.
// Everything else that others have tools for, a shell has commands for: reading,
// searching, listing. To be done is no tool either: a model that answers without
// calling one has ended its work, as it is in every family of models.
//
// What a command prints is cut in its middle before the model gets it. A command
// that takes too long is killed with all that it started, and the model is told
// so. It is found by its process group, which leaves earlier commands alone; what
// has made a session of its own escapes, as it does from a shell. Where not even
// that can be done, such as when no further process can be started, the driver has
// to stop all that runs in the sandbox, which for root means to freeze it: the
// agent is at its end then.
//
// What a command leaves running in the background goes on while the next ones
// run. When the agent ends, so does what still holds the output of a command.
//
// # Ends
//
// An error is never the model's doing: the sandbox is gone, the context has ended,
// or the model cannot be reached although bench's own gateway is all that there is
// in between. Everything else is an exit:
//
//	0  the model has answered without calling a tool
//	1  it was refused (a limit is reached, the conversation is too long), it does
//	   not get its calls right, or its commands cannot be stopped
//
// The log says which, as its last line. Nothing in the conversation depends on a
// clock, a host or chance: equal answers get equal questions, so that cassettes
// can be replayed.
package react

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Options say what an agent works on, and with what.
type Options struct {
	Box  sandbox.Sandbox // the caller's: it is not closed, and nobody else runs anything in it meanwhile
	User engine.User     // whom commands run as
	Dir  string          // absolute path of the directory that commands start in
	Env  map[string]string

	Client  *http.Client // asks the model
	BaseURL string       // "/chat/completions" is put behind it
	Token   string       // shown as a key
	Model   string       // as the request names it

	Prompt string // what is to be done

	// CommandTimeout bounds each command of the model, which may ask for less.
	// With 0 it is DefaultCommandTimeout.
	CommandTimeout time.Duration

	// Log gets a transcript: what the model says, each call with what it was
	// answered, and why it ended. It is written to by one goroutine, and its
	// errors are ignored. With nil there is none.
	Log io.Writer

	Grace time.Duration   // of commands that run when ctx ends; see sandbox.Cmd
	Kill  <-chan struct{} // see sandbox.Cmd
}

// DefaultCommandTimeout bounds a command where nobody says otherwise.
const DefaultCommandTimeout = 10 * time.Minute

// How an agent can end.
const (
	exitDone   = 0
	exitFailed = 1
)

// mostMistakes is how many answers in a row may be of no use.
const mostMistakes = 5

const system = `You work alone in a sandbox: a Linux machine that you use through tools. Nobody answers questions, so decide for yourself.

Look at what is there before you change it, make the changes that the task asks for, and run what you made to see whether it works. The files of the task are in the directory in which every command starts. Each command gets a new shell: a cd or a variable of one is gone in the next. Start what runs for long in the background, with its output in a file.

When the task is done, answer with a short summary and call no tool. That ends your work, and it cannot be taken up again.`

// Run lets a model work until it says that it is done, or cannot go on. The error
// is that of ctx if it has ended. What runs in the background without holding the
// output of a command goes on until the sandbox is frozen or closed.
func Run(ctx context.Context, o Options) (sandbox.Exit, error) {
	o.CommandTimeout = cmp.Or(o.CommandTimeout, DefaultCommandTimeout)
	if o.Log == nil {
		o.Log = io.Discard
	}
	a := &agent{Options: o, shell: &shell{Options: &o}}
	defer a.shell.close(ctx)
	end, err := a.work(ctx)
	switch {
	case ctx.Err() != nil:
		a.note("end", "Stopped from outside.")
		return sandbox.Exit{}, ctx.Err()
	case errors.Is(err, errStuck):
		a.note("end", "A command had to be stopped with all that ran in the sandbox.")
		return sandbox.Exit{Code: exitFailed}, nil
	case err != nil:
		a.note("end", "It cannot go on: "+err.Error())
		return sandbox.Exit{}, err
	}
	a.note("end", end.why)
	return sandbox.Exit{Code: end.code}, nil
}

// An agent is one at work.
type agent struct {
	Options
	shell        *shell
	conversation []any // of messages, and of those of the model as it sent them
	mistakes     int   // answers in a row that were of no use
}

// An ending is how an agent has come to its end by itself.
type ending struct {
	code int
	why  string
}

// work asks and does in turns.
func (a *agent) work(ctx context.Context) (ending, error) {
	a.conversation = []any{message{Role: "system", Content: system}}
	a.say(a.Prompt, "task")
	for {
		got, err := a.ask(ctx)
		var no *refusal
		if errors.As(err, &no) {
			return ending{exitFailed, no.Error()}, nil
		}
		if err != nil {
			return ending{}, err
		}
		a.conversation = append(a.conversation, got.message)
		if got.text != "" {
			a.note("model", got.text)
		}
		if len(got.calls) == 0 && got.stop != stopLength {
			return got.ending(), nil
		}
		useful, err := a.do(ctx, got)
		if err != nil {
			return ending{}, err
		}
		a.mistakes++
		if useful {
			a.mistakes = 0
		}
		if a.mistakes == mostMistakes {
			return ending{exitFailed, fmt.Sprintf("The last %d answers of the model were of no use.", mostMistakes)}, nil
		}
	}
}

// do does what an answer asks for, one call after another. It reports whether any
// of it made sense.
func (a *agent) do(ctx context.Context, got *answer) (useful bool, err error) {
	if len(got.calls) == 0 {
		a.say("Your answer was cut off, since it became too long. Go on in smaller steps, by calling a tool; or answer in short if the task is done.", "bench")
		return false, nil
	}
	for _, c := range got.calls {
		result, ok, err := a.call(ctx, c)
		if err != nil {
			return false, err
		}
		useful = useful || ok
		a.note("", result)
		a.conversation = append(a.conversation, message{Role: "tool", ToolCallID: c.id, Content: result})
	}
	return useful, nil
}

// say says something to the model that it did not call for.
func (a *agent) say(text, who string) {
	a.conversation = append(a.conversation, message{Role: "user", Content: text})
	a.note(who, text)
}

// note writes a piece of the transcript.
func (a *agent) note(title, text string) {
	if title != "" {
		fmt.Fprintf(a.Log, "\n=== %s\n", title)
	}
	fmt.Fprintln(a.Log, clean(cut(text)))
}
