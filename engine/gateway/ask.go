package gateway

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/cassette"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// Bounds of what is read of an answer before the agent gets any of it, in bytes. A
// plain answer that breaks off before that is asked for again.
const (
	heldAnswer    = 4 << 20
	heldFailure   = 1 << 20
	largestAnswer = 64 << 20 // that is translated
)

// A reply is what came of asking: an answer that has begun, or why there is none.
type reply struct {
	response *http.Response // of a try that succeeded; its body is to be closed, and the provider left
	watch    *watch
	held     []byte // the beginning of its body
	whole    bool   // which is all of it

	failure *wire.Failure
	status  int
	body    []byte // of the failure
	err     error  // that the provider was not asked, or not answered
	lost    bool   // nobody knows whether it takes anything for that
	refusal *wire.Refusal
}

// ask asks the provider until it answers, and hands the answer on.
func (c *call) ask() {
	ctx, cancel := context.WithCancel(c.ctx)
	defer cancel()
	// An agent that has gone pays for what was asked all the same: the rest is read
	// for a while, for the usage at its end.
	stop := context.AfterFunc(c.r.Context(), func() {
		_ = sleep(ctx, c.gateway.timing.Drain)
		cancel()
	})
	defer stop()
	c.waitsFor(c)
	r := c.await(ctx)
	if r.response == nil {
		c.row.Waited = c.ends(c)
		c.fail(r)
		return
	}
	c.admitted = true
	defer r.response.Body.Close()
	c.relay(r)
}

// await asks the provider, and keeps an agent that waits for a stream from giving
// up.
func (c *call) await(ctx context.Context) *reply {
	if !c.Stream {
		return c.try(ctx)
	}
	replies := make(chan *reply, 1)
	go func() { replies <- c.try(ctx) }()
	timer := time.NewTimer(c.gateway.timing.Early)
	defer timer.Stop()
	for {
		select {
		case r := <-replies:
			return r
		case <-timer.C:
			if !c.begun {
				c.open(streamType(c.Call))
			}
			c.write([]byte(wire.KeepAlive))
			timer.Reset(c.gateway.timing.KeepAlive)
		}
	}
}

func streamType(c wire.Call) string {
	if c.Array {
		return "application/json"
	}
	return "text/event-stream"
}

// open sends the status of an answer.
func (c *call) open(kind string) {
	h := c.w.Header()
	h.Set("Content-Type", kind)
	if c.Stream {
		h.Set("Cache-Control", "no-cache")
		h.Set("X-Accel-Buffering", "no")
	}
	c.row.Status, c.begun = http.StatusOK, true
	c.w.WriteHeader(http.StatusOK)
}

// try asks the provider, again and again while that makes sense.
func (c *call) try(ctx context.Context) *reply {
	var r *reply
	var until time.Time // the first try is not waited for: that others ask, too, is no failure
	for {
		patience := c.gateway.timing.Patience
		if r != nil {
			patience = time.Until(until)
		}
		err := c.provider.admit(ctx, c.guess(), patience)
		if err != nil && r != nil {
			return r
		}
		if err != nil {
			return &reply{err: err}
		}
		if err := c.r.Context().Err(); err != nil { // nobody would read the answer
			c.provider.leave()
			return &reply{err: err}
		}
		if r == nil { // others may have used up the limits while it waited
			if refusal := c.allowed(true); refusal != nil {
				c.provider.leave()
				return &reply{refusal: refusal}
			}
		}
		c.row.Tries++
		sent := time.Now()
		if r == nil {
			until = sent.Add(c.gateway.timing.Patience)
		}
		c.sends(c, sent)
		if r = c.once(ctx); r.response != nil {
			return r
		}
		c.provider.leave()
		if r.lost {
			c.row.Lost++
		}
		if ctx.Err() != nil || c.r.Context().Err() != nil {
			return r // whatever it was, the agent did not wait for it
		}
		c.sends(c, time.Time{})
		if !r.again() {
			return r
		}
		wait := c.provider.backoff(c.row.Tries, r.after())
		if r.status == http.StatusTooManyRequests || r.after() != nil {
			c.provider.rest(wait) // it told one, and means all
			continue
		}
		if wait > time.Until(until) || sleep(ctx, wait) != nil {
			return r
		}
	}
}

func (r *reply) again() bool {
	if r.failure != nil {
		return r.failure.Retry
	}
	var miss *cassette.Miss
	return !errors.As(r.err, &miss) && !errors.Is(r.err, errLargeAnswer) && !errors.Is(r.err, errEncoded)
}

// errLargeAnswer would be as large, and cost as much, the next time.
var errLargeAnswer = fmt.Errorf("the answer has more than %d MiB, and is to be translated", largestAnswer>>20)

func (r *reply) after() *time.Duration {
	if r.failure == nil {
		return nil
	}
	return r.failure.After
}

// once asks the provider once, and reads as much of its answer as is held.
func (c *call) once(ctx context.Context) *reply {
	ctx, w := newWatch(ctx, c.gateway.timing.First)
	q, err := http.NewRequestWithContext(ctx, c.r.Method, c.url, bytes.NewReader(c.asked))
	if err != nil {
		w.end()
		return &reply{err: err}
	}
	q.Header = c.header()
	q.Host = c.provider.headers.Get("Host")
	a, err := c.upstream.RoundTrip(q)
	if err != nil {
		w.end()
		return &reply{err: w.because(err), lost: sentAway(err)}
	}
	if !c.gateway.keyless {
		a.Body = newMasked(a.Body, c.gateway.mask)
	}
	if a.StatusCode >= 300 {
		defer w.end()
		defer a.Body.Close()
		return c.failed(a)
	}
	r := &reply{response: a, watch: w}
	if err := c.hold(r); err != nil {
		a.Body.Close()
		w.end()
		return &reply{err: w.because(err), lost: true}
	}
	if f := c.failedAtOnce(r); f != nil {
		a.Body.Close()
		w.end()
		return &reply{status: cmp.Or(f.Status, http.StatusBadGateway), failure: f}
	}
	return r
}

// failedAtOnce is an error that a stream begins with, of those that may well pass:
// the agent has seen nothing yet, and need not see it.
func (c *call) failedAtOnce(r *reply) *wire.Failure {
	_, first, _ := bytes.Cut(r.held, []byte("data:"))
	if first, _, _ = bytes.Cut(first, []byte("\n")); !c.Stream || !bytes.Contains(first, []byte(`"error"`)) {
		return nil
	}
	fold := wire.NewFolder(c.up)
	_, _ = fold.Write(r.held) // takes everything
	a := fold.Answer()
	if a.Failure == nil || !a.Failure.Retry || a.Usage != (wire.Usage{}) {
		return nil
	}
	return a.Failure
}

// sentAway reports whether a request that got no answer may have reached its
// provider, and be billed.
func sentAway(err error) bool {
	var op *net.OpError
	var miss *cassette.Miss
	if errors.As(err, &op) && op.Op == "dial" {
		return false
	}
	return !errors.As(err, &miss)
}

// failed reads an answer that is none.
func (c *call) failed(a *http.Response) *reply {
	body, _ := io.ReadAll(io.LimitReader(a.Body, heldFailure)) // what there is of it
	if a.StatusCode < 400 {
		return &reply{status: http.StatusNotFound, body: body, failure: &wire.Failure{Status: http.StatusNotFound, Auth: true, Message: fmt.Sprintf("it is not there: it answers with status %d; correct its base_url", a.StatusCode)}}
	}
	f := wire.ReadFailure(c.up, a.StatusCode, a.Header, body, time.Now())
	return &reply{status: a.StatusCode, body: body, failure: &f}
}

// hold reads the beginning of an answer: the first piece of a stream, or else all of
// it, unless that is too much. An answer that makes no sense is an error.
func (c *call) hold(r *reply) error {
	if c.Stream || c.state == nil && strings.HasPrefix(r.response.Header.Get("Content-Type"), "text/event-stream") { // also where nobody asked for it
		return r.holdPiece()
	}
	limit := heldAnswer
	if c.state != nil {
		limit = largestAnswer
	}
	var held bytes.Buffer
	_, err := held.ReadFrom(io.LimitReader(touched{r.response.Body, r.watch, c.gateway.timing.Silence}, int64(limit)))
	r.held, r.whole = held.Bytes(), held.Len() < limit
	switch {
	case err != nil:
		return err
	case r.whole && !wire.Valid(r.held):
		return errors.New("the answer is no JSON")
	case c.state != nil && !r.whole:
		return errLargeAnswer
	}
	return nil
}

// holdPiece reads the first piece of a stream.
func (r *reply) holdPiece() error {
	piece := make([]byte, pieceSize)
	n, err := r.response.Body.Read(piece)
	r.held, r.whole = piece[:n], errors.Is(err, io.EOF)
	switch {
	case n > 0:
		return nil
	case r.whole:
		return errors.New("the answer is empty")
	}
	return err
}

// pieceSize is how much of a stream is read at a time, at most, in bytes.
const pieceSize = 8 << 10

// fail tells the agent that there is no answer, and notes whose fault that is.
func (c *call) fail(r *reply) {
	c.row.Failure = r.failure
	if c.r.Context().Err() != nil {
		c.row.Gone = true
		panic(http.ErrAbortHandler) // or else whoever still reads sees an empty answer that succeeded
	}
	var miss *cassette.Miss
	switch {
	case c.ctx.Err() != nil:
		panic(http.ErrAbortHandler) // the session is over
	case r.refusal != nil:
		c.decline(*r.refusal)
	case errors.As(r.err, &miss):
		c.hopeless(Trouble{engine.ReasonProvider, miss.Error(), true})
	case c.Kind == wire.KindCount && (r.failure == nil || r.failure.Auth || isProviders(r.failure)):
		c.decline(wire.Refusal{Status: http.StatusNotFound, Code: "not_counted", Message: "bench: the provider counts no tokens"}) // not all do, and clients do without
	case r.failure == nil:
		c.row.Failure = &wire.Failure{Message: c.gateway.mask.String(r.err.Error()), Retry: true}
		c.hopeless(Trouble{Reason: engine.ReasonProvider, Detail: c.detail(r.err.Error())})
	case c.isAgentsOwn(r.failure):
		c.pass(r)
	case r.failure.Auth:
		c.hopeless(Trouble{Reason: engine.ReasonAuth, Detail: c.detail(said(r.failure))})
	case isProviders(r.failure):
		c.hopeless(Trouble{Reason: engine.ReasonProvider, Detail: c.detail(said(r.failure))})
	case c.scriptErr() != nil:
		c.hopeless(Trouble{engine.ReasonProvider, "the script has no answer: " + c.scriptErr().Error(), true})
	default:
		c.pass(r)
	}
}

func (c *call) scriptErr() error {
	if c.actor == nil {
		return nil
	}
	return c.actor.trial.Err()
}

// isAgents reports whether something is not there that the agent has named: another
// model than the benchfile does, or, where its model has answered before, an item of
// the conversation or a file. The lock is held.
func (c *call) isAgents(f *wire.Failure) bool {
	_, aliased := c.trial.Agent.Aliases[c.Model]
	another := c.row.Asked != c.trial.Model.ID && !aliased
	return f.Status == http.StatusNotFound && (another || c.ledger.answered || c.Action != actions[c.Family] && c.Family != wire.Google)
}

func (c *call) isAgentsOwn(f *wire.Failure) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isAgents(f)
}

// isProviders reports whether a failure says nothing about the request: also one
// that is not to be tried again, such as a limit of a day that is used up.
func isProviders(f *wire.Failure) bool {
	return f.Retry || f.Status == http.StatusTooManyRequests || f.Status >= http.StatusInternalServerError
}

// longestSaid bounds what is told of an error, in bytes.
const longestSaid = 1000

// said is what a provider has said, in a line.
func said(f *wire.Failure) string {
	var parts []string
	if f.Status != 0 {
		parts = append(parts, fmt.Sprintf("status %d", f.Status))
	}
	if f.Code != "" {
		parts = append(parts, "("+f.Code+")")
	}
	text := strings.Join(parts, " ")
	if m := strings.Join(strings.Fields(f.Message), " "); m != "" {
		text += ": " + m
	}
	if len(text) > longestSaid {
		text = strings.ToValidUTF8(text[:longestSaid], "") + "…"
	}
	return strings.TrimPrefix(text, ": ")
}

// detail says what is wrong with the provider, and for how long it was asked.
func (c *call) detail(what string) string {
	text := fmt.Sprintf("provider %q: %s", c.provider.Name, c.gateway.mask.String(what))
	if c.row.Tries > 1 {
		text += fmt.Sprintf(" (asked %d times)", c.row.Tries)
	}
	return text
}

// hopeless ends the attempt for the sake of its provider, and tells the agent to
// give up.
func (c *call) hopeless(t Trouble) {
	c.row.Refused = "provider_failed"
	c.refuse(wire.Refusal{Status: http.StatusForbidden, Code: "provider_failed", Message: "bench: the provider of the model has failed, and this attempt ends: " + t.Detail})
	c.broken(t)
}

// pass hands an error on that is the agent's own: a request that no provider would
// answer.
func (c *call) pass(r *reply) {
	body := r.body
	if c.state != nil {
		body = c.state.Error(r.status, body)
	}
	if c.begun {
		c.refuse(wire.Refusal{Status: r.status, Code: r.failure.Code, Message: r.failure.Message})
		return
	}
	c.w.Header().Set("Content-Type", "application/json")
	c.row.Status, c.begun = r.status, true
	c.w.WriteHeader(r.status)
	c.give(body)
}
