package gateway

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/cassette"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// What one session reads and answers at a time; more waits unread. It bounds the
// memory that an agent can make bench use, too.
const (
	callsAtOnce  = 64
	largeAtOnce  = 4       // calls that have more than largeRequest
	largeRequest = 4 << 20 // bytes
)

// An agent that goes on asking after a limit has been told to it so often, or for so
// long, is to be stopped.
const (
	mostRefusals   = 20
	longestRefusal = time.Minute
)

// A Session is what an agent can ask during one attempt at a trial. It is an
// http.Handler, and can be used by many goroutines.
type Session struct {
	gateway  *Gateway
	provider *provider
	trial    *engine.Trial
	token    string
	ctx      context.Context // ends with the session
	cancel   context.CancelFunc
	slots    chan struct{} // calls that are answered
	large    chan struct{} // those of them that have more than largeRequest
	trace    *tracer
	upstream http.RoundTripper
	tape     *cassette.Tape
	playback *cassette.Playback
	actor    *actor

	calls   sync.WaitGroup
	mu      sync.Mutex
	closed  bool
	n       int // calls so far
	ledger  ledger
	limit   engine.Reason // the limit that was reached; empty if none was
	limitIs string        // in a sentence
	limitAt time.Time
	refused int      // calls since then
	trouble *Trouble // beyond repair
	last    *Trouble // the last completion failed for the provider's sake; nil if it did not
	open    map[*call]progress
	waits   []span // of calls for the provider
	served  []span // in which it answered them
	ended   chan struct{}
}

// Trouble is what is wrong with a provider, and no fault of the agent.
type Trouble struct {
	Reason engine.Reason // ReasonProvider or ReasonAuth
	Detail string        // without keys

	// Final is whether another attempt would come to the same: the answer is not in
	// the cassette, or not in the script.
	Final bool
}

// Use is what became of a session.
type Use struct {
	engine.ModelUse
	Cost   *float64 // USD; nil if it is not known
	Tokens *int64   // of all kinds; nil if they are not known

	// What limits went by: about as much, where it is not known.
	AboutCost   float64
	AboutTokens int64

	// Limit is what the agent has used up: a call was refused for it. Empty if none
	// was. LimitDetail says it in a sentence.
	Limit       engine.Reason
	LimitDetail string

	// Trouble is why the attempt says nothing about the agent; nil if it does.
	Trouble *Trouble
}

func (s *Session) begin() { s.ctx, s.cancel = context.WithCancel(context.Background()) }

// Token is what the agent shows instead of a key. It is of no use in any other
// session, and of none in this one after its Close.
func (s *Session) Token() string { return s.token }

// Ended is closed when the agent is to be stopped: it ignores that a limit has been
// reached, or its provider cannot be asked any more.
func (s *Session) Ended() <-chan struct{} { return s.ended }

// Limit is the limit that the agent has reached, and a sentence about it; empty if
// there is none.
func (s *Session) Limit() (engine.Reason, string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.limit, s.limitIs
}

// Close ends the session: calls that are under way are broken off, and the token is
// of no use any more. The use is complete then. The recording is kept unless there
// was trouble. The error is that of the trace or the recording.
func (s *Session) Close() (Use, error) {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return s.use(), nil
	}
	s.closed = true
	s.mu.Unlock()
	s.cancel()
	s.calls.Wait()
	err := s.disconnect(s.found() == nil)
	if s.actor != nil && err != nil { // the fault of the script, not of the world
		s.mu.Lock()
		s.trouble, err = &Trouble{engine.ReasonProvider, err.Error(), true}, nil
		s.mu.Unlock()
	}
	return s.use(), errors.Join(err, s.trace.err)
}

// found is what was wrong with the provider: beyond repair, or at the end.
func (s *Session) found() *Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble != nil {
		return s.trouble
	}
	return s.last
}

func (s *Session) use() Use {
	trouble := s.found()
	s.mu.Lock()
	defer s.mu.Unlock()
	u := s.ledger.use()
	u.Waited = s.waited()
	u.Limit, u.LimitDetail, u.Trouble = s.limit, s.limitIs, trouble
	return u
}

// ServeHTTP answers one request of the agent.
func (s *Session) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{Session: s, Call: wire.Route(r.Method, r.URL, r.Header, nil), w: w, r: r, control: http.NewResponseController(w)}
	if !s.enter(c) {
		c.refuse(wire.Refusal{Status: http.StatusForbidden, Code: "invalid_token", Message: "bench: this session has ended, and its token with it"})
		return
	}
	defer s.calls.Done()
	if !s.knows(r) {
		c.refuse(wire.Refusal{Status: http.StatusForbidden, Code: "invalid_token", Message: "bench: this is not the token of this trial; it is in BENCH_GATEWAY_TOKEN"})
		return
	}
	switch c.Kind {
	case wire.KindHead:
		w.WriteHeader(http.StatusOK)
	case wire.KindUpgrade:
		c.refuse(wire.Refusal{Status: http.StatusUpgradeRequired, Code: "no_websockets", Message: "bench: ask over plain HTTP, there are no websockets"})
	case wire.KindModels:
		c.models()
	case wire.KindUnknown:
		c.refuse(wire.Refusal{Status: http.StatusNotFound, Code: "not_found", Message: fmt.Sprintf("bench: there is no %s %s; the gateway serves chat completions, responses, messages and generateContent", r.Method, r.URL.Path)})
	default:
		select {
		case s.slots <- struct{}{}:
			defer func() { <-s.slots }()
			c.answer()
		case <-s.ctx.Done():
			panic(http.ErrAbortHandler)
		}
	}
}

// enter counts a call, unless the session is closed.
func (s *Session) enter(*call) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.calls.Add(1)
	}
	return !s.closed
}

// knows reports whether a request shows the token, in any of the places where
// clients put their keys.
func (s *Session) knows(r *http.Request) bool {
	shown := []string{r.Header.Get("X-Api-Key"), r.Header.Get("X-Goog-Api-Key"), r.Header.Get("Api-Key"), r.URL.Query().Get("key")}
	if scheme, value, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok && strings.EqualFold(scheme, "Bearer") {
		shown = append(shown, strings.TrimSpace(value))
	}
	for _, v := range shown {
		if subtle.ConstantTimeCompare([]byte(v), []byte(s.token)) == 1 {
			return true
		}
	}
	return false
}

// stop asks for the end of the agent. The lock is held.
func (s *Session) stop() {
	select {
	case <-s.ended:
	default:
		close(s.ended)
	}
}

// broken notes that the provider is beyond repair.
func (s *Session) broken(t Trouble) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.trouble == nil {
		s.trouble = &t
	}
	s.stop()
}

// exhausted says which limit a call would exceed; nil if none. One that was told
// once is told again: what is used up stays so. The lock is held.
func (s *Session) exhausted(c *call) *wire.Refusal {
	if s.limit == "" {
		s.limit, s.limitIs = s.ledger.reached(s.trial.Limits, c.Call)
		if s.limit == "" {
			return nil
		}
		s.limitAt = time.Now()
	}
	if s.refused++; s.refused > mostRefusals || time.Since(s.limitAt) > longestRefusal {
		s.stop()
	}
	return &wire.Refusal{Status: http.StatusForbidden, Code: "budget_exceeded", Message: "bench: the agent has used up what this trial allows: " + s.limitIs}
}

// model is the one that answers a request for another, by the policy of the agent.
func (s *Session) model(asked string) (string, *wire.Refusal) {
	id := s.trial.Model.ID
	if asked == "" || asked == id {
		return id, nil
	}
	if alias, ok := s.trial.Agent.Aliases[asked]; ok {
		return alias, nil
	}
	switch s.trial.Agent.OtherModels {
	case engine.OtherModelsAllow:
		return asked, nil
	case engine.OtherModelsDeny:
		return "", &wire.Refusal{Status: http.StatusForbidden, Code: "model_not_found", Message: fmt.Sprintf("bench: the model of this trial is %q; agent %q may not ask %q", id, s.trial.Agent.Name, asked)}
	}
	return id, nil
}
