package apply

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/ml-dev-bench/bench/agents/react"
	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/store"
)

// A talk is what an attempt has to do with its model. A nil talk is that of a trial
// without one.
type talk struct {
	*gateway.Session
	trace *os.File
	use   *gateway.Use // once it has ended
}

// openTalk opens the way to the model of the trial, and the record of its calls in
// the draft.
func (w *worker) openTalk() (*talk, error) {
	if w.trial.Model == nil {
		return nil, nil
	}
	trace, err := os.Create(filepath.Join(w.dir, store.CallsFile))
	if err != nil {
		return nil, err
	}
	s, err := w.Gateway.Open(w.trial, trace)
	if err != nil {
		return nil, errors.Join(&providerError{err}, trace.Close())
	}
	return &talk{Session: s, trace: trace}, nil
}

// A providerError is about the provider of a model, and nothing that an agent did.
// Another attempt would come to the same.
type providerError struct{ error }

func (e *providerError) Unwrap() error { return e.error }

// close ends what the agent can ask, and records what it has asked.
func (t *talk) close(a *engine.Attempt) error {
	if t == nil || t.use != nil {
		return nil
	}
	use, err := t.Close()
	t.use = &use
	a.Models, a.Cost, a.Tokens = &use.ModelUse, use.Cost, use.Tokens
	return errors.Join(err, t.trace.Close())
}

// over reports whether there was a talk, and it has ended.
func (t *talk) over() bool { return t != nil && t.use != nil }

// judge makes of a talk that has ended what it means for the attempt.
func (t *talk) judge(a *engine.Attempt) {
	switch {
	case !t.over():
	case t.troubled():
		a.Outcome = engine.Outcome{Status: engine.StatusErrored, Reason: t.use.Trouble.Reason, Detail: t.use.Trouble.Detail}
	case t.use.Limit != "" && a.Limit == "":
		a.Limit, a.LimitDetail = t.use.Limit, "the agent has used up what the trial allows: "+t.use.LimitDetail
	}
}

// troubled reports whether the attempt says nothing about the agent, for its
// provider's sake.
func (t *talk) troubled() bool { return t.over() && t.use.Trouble != nil }

// final reports whether another attempt would come to the same.
func (t *talk) final() bool {
	return t.troubled() && t.use.Trouble.Final
}

func (t *talk) waited() time.Duration {
	if t == nil {
		return 0
	}
	return t.Waited()
}

func (t *talk) ended() <-chan struct{} {
	if t == nil {
		return nil
	}
	return t.Ended()
}

// env tells programs in the sandbox of it.
func (t *talk) env(w *worker) map[string]string {
	if t == nil || w.trial.Agent.Builtin != engine.BuiltinNone {
		return nil
	}
	return map[string]string{"BENCH_MODEL": w.trial.Model.ID, "BENCH_GATEWAY_URL": gatewayURL, "BENCH_GATEWAY_TOKEN": t.Token()}
}

// gatewayURL is where the model is asked in a sandbox.
const gatewayURL = "http://" + sandbox.ServeAddr

// invocation is how the agent is started, now that its gateway is known.
func (w *worker) invocation() (engine.Invocation, error) {
	a := w.trial.Agent
	if w.talk == nil || a.Bind == nil {
		return w.trial.Invocation, nil
	}
	t := w.trial
	return a.Bind(engine.TrialValues{
		Case: t.Case.Name, Agent: a.Name, Model: t.Model, Axes: t.Axes, N: t.ID.N, Seed: t.Seed,
		Prompt: t.Case.Prompt, PromptFile: engine.PromptFile, Workspace: t.Case.Sandbox.Workdir,
		Gateway: engine.Gateway{URL: gatewayURL, Token: w.talk.Token()},
	})
}

// react lets the built-in agent work in the place of a command.
func (w *worker) react(ctx context.Context, box sandbox.Sandbox, cmd sandbox.Cmd) (sandbox.Exit, error) {
	return react.Run(ctx, react.Options{
		Box: box, User: cmd.User, Dir: cmd.Dir, Env: cmd.Env, Log: cmd.Stdout, Grace: cmd.Grace, Kill: cmd.Kill,
		Client: w.talk.Client(), BaseURL: gateway.ClientURL + "/v1", Token: w.talk.Token(), Model: w.trial.Model.ID, Prompt: w.trial.Case.Prompt,
	})
}

// Why an agent is killed. Neither leaves it time to end by itself.
var (
	errTimeUp  = fmt.Errorf("its time is over: %w", sandbox.ErrKill)
	errStopped = fmt.Errorf("it goes on asking in vain: %w", sandbox.ErrKill)
)

// lastWords is how long an agent has to end by itself once it is of no use that it
// goes on: its log says more then.
const lastWords = 2 * time.Second

// bounded gives the agent its time. What it waited for its provider is not its own.
// The cause of the end is errTimeUp or errStopped, unless it is that of ctx.
func (w *worker) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	began, limit := time.Now(), w.trial.Limits.WallClock
	go func() {
		for {
			left := limit + w.talk.waited() - time.Since(began)
			if left <= 0 {
				cancel(errTimeUp)
				return
			}
			timer := time.NewTimer(left)
			select {
			case <-timer.C:
			case <-w.talk.ended():
				timer.Stop()
				select {
				case <-time.After(lastWords):
				case <-ctx.Done():
				}
				cancel(errStopped)
				return
			case <-ctx.Done():
				timer.Stop()
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}
