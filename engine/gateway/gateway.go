// Package gateway is the one way from agents to models: a metering proxy in the
// process of bench.
//
//	g, err := gateway.New(providers, gateway.Options{Root: root, Secret: read})
//	s, err := g.Open(trial, record)   // one session for each attempt
//	spec.Serve = s                    // it is an http.Handler
//	...                               // the agent works
//	use := s.Close()                  // what it asked, and what that has cost
//
// An agent is told an address and a token, and shows the token where it would show
// a key. What it asks goes to the provider of the trial's model, in the format that
// the agent speaks or in that of the provider, and the answer comes back as it is,
// as soon as it is there:
//
//	agent ──token──► Session ──► policy, limits ──► provider ──key──► the model
//	                    │        translation         slots, rate, retries
//	                    └──► ledger, trace
//
// # What it takes from the agent
//
// Keys: they are added on the way out, and are in no sandbox. Errors of the world:
// a provider that is busy or broken is asked again, before the agent has seen a
// byte, for as long as Timing.Patience, and that time is not the agent's. Metering:
// usage is read from what providers say on the wire, the same way for all.
//
// # What ends an agent
//
// A limit that is reached is told with a status that makes clients give up at once.
// One that goes on asking all the same, and one whose provider is beyond repair, are
// to be stopped: [Session.Ended] says when.
package gateway

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/mask"
)

// Options are what a gateway is made with.
type Options struct {
	// Root is the directory that paths of cassettes are relative to.
	Root string

	// Secret gives the value of a secret, or "" for an optional one that is not
	// there. It is asked once for each.
	Secret func(*engine.Secret) (string, error)

	// Timing is how long things may take; a zero is replaced by DefaultTiming's.
	Timing Timing

	// Transport asks providers; nil is one of the gateway's own.
	Transport http.RoundTripper
}

// Timing is how long things may take.
type Timing struct {
	Patience  time.Duration // how long a call that a provider does not answer is tried again
	Backoff   time.Duration // before the second try; doubles with each
	Longest   time.Duration // between two tries, unless the provider asks for more
	First     time.Duration // until the first byte of an answer
	Silence   time.Duration // between two pieces of an answer
	Early     time.Duration // until a stream is begun without an answer, so that clients wait on
	KeepAlive time.Duration // between signs of life in such a stream
	Body      time.Duration // between two pieces of a request, and of an answer that is taken
	Drain     time.Duration // how long an answer that nobody wants any more is read for its usage
}

// DefaultTiming follows what clients put up with: some give a request up after 60
// seconds without headers, and send it again.
var DefaultTiming = Timing{
	Patience: 5 * time.Minute, Backoff: 500 * time.Millisecond, Longest: 30 * time.Second, First: 10 * time.Minute, Silence: 5 * time.Minute,
	Early: 20 * time.Second, KeepAlive: 10 * time.Second, Body: time.Minute, Drain: 5 * time.Second,
}

func (t Timing) or(d Timing) Timing {
	return Timing{
		Patience: cmp.Or(t.Patience, d.Patience), Backoff: cmp.Or(t.Backoff, d.Backoff), Longest: cmp.Or(t.Longest, d.Longest),
		First: cmp.Or(t.First, d.First), Silence: cmp.Or(t.Silence, d.Silence), Early: cmp.Or(t.Early, d.Early),
		KeepAlive: cmp.Or(t.KeepAlive, d.KeepAlive), Body: cmp.Or(t.Body, d.Body), Drain: cmp.Or(t.Drain, d.Drain),
	}
}

// A Gateway is what the trials of a run share: the view of each provider, and the
// keys. It can be used by many goroutines.
type Gateway struct {
	timing    Timing
	mask      *mask.Masker
	keyless   bool // there is nothing to mask
	providers map[*engine.Provider]*provider
}

// New makes a gateway to some providers, and reads the secrets that they need. The
// errors, joined, are those of secrets that cannot be read or kept out of logs, and
// of scripts.
func New(providers []*engine.Provider, o Options) (*Gateway, error) {
	g := &Gateway{timing: o.Timing.or(DefaultTiming), providers: map[*engine.Provider]*provider{}}
	k := &keys{read: o.Secret, values: map[*engine.Secret]string{}}
	transport := o.Transport
	if transport == nil {
		transport = newTransport()
	}
	var failed []error
	for _, p := range providers {
		made, err := newProvider(p, k, plainly{transport}, g.timing)
		failed = append(failed, err)
		g.providers[p] = made
	}
	masker, err := mask.New(k.secrets()...)
	if err := errors.Join(append(failed, err)...); err != nil {
		return nil, err
	}
	g.mask, g.keyless = masker, len(k.secrets()) == 0
	for _, p := range g.providers {
		p.openCassette(o.Root, g.Mask)
	}
	return g, nil
}

// Mask takes all keys out of a text, in whatever form they are in it. A nil gateway
// has none.
func (g *Gateway) Mask(text []byte) []byte {
	if g == nil {
		return text
	}
	return g.mask.Bytes(text)
}

// Open begins an attempt at a trial that has a model. Whoever opened the session
// closes it. A line of JSON for each call is written to trace, which may be nil.
// The error is that of a cassette.
func (g *Gateway) Open(t *engine.Trial, trace io.Writer) (*Session, error) {
	p := g.providers[t.Model.Provider]
	if p == nil {
		return nil, fmt.Errorf("the gateway was not made for provider %q", t.Model.Provider.Name)
	}
	s := &Session{
		gateway: g, provider: p, trial: t, token: newToken(), slots: make(chan struct{}, callsAtOnce), large: make(chan struct{}, largeAtOnce),
		ended: make(chan struct{}), open: map[*call]progress{}, trace: &tracer{to: trace, mask: g.Mask},
	}
	if err := s.connect(); err != nil {
		return nil, err
	}
	s.begin()
	return s, nil
}

// tokenPrefix makes a token one that people know when they see it.
const tokenPrefix = "bench-"

// newToken makes a token of 192 bits.
func newToken() string {
	secret := make([]byte, 24)
	_, _ = rand.Read(secret) // never fails
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(secret)
}
