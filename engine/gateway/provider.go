package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"time"
	"unicode"

	"golang.org/x/time/rate"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/cassette"
	"github.com/ml-dev-bench/bench/engine/gateway/mask"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// keys reads the secrets of providers, each once.
type keys struct {
	read   func(*engine.Secret) (string, error)
	values map[*engine.Secret]string
}

func (k *keys) value(s *engine.Secret) (string, error) {
	if v, ok := k.values[s]; ok {
		return v, nil
	}
	v, err := k.read(s)
	if strings.ContainsFunc(v, unicode.IsControl) {
		v, err = "", fmt.Errorf("secret %q cannot be sent in a header: there is a line break or another control character in it", s.Name)
	}
	k.values[s] = v
	return v, err
}

// secrets are those that have a value.
func (k *keys) secrets() (out []mask.Secret) {
	for s, v := range k.values {
		if v != "" {
			out = append(out, mask.Secret{Name: s.Name, Value: v})
		}
	}
	return out
}

// A provider is what all trials know of one: how it is asked, and how it is.
type provider struct {
	*engine.Provider
	timing    Timing
	base      *url.URL    // nil where nobody is asked over the net
	headers   http.Header // with the key
	transport http.RoundTripper
	recorder  *cassette.Recorder
	player    *cassette.Player
	script    *scripted.Script

	slots            chan struct{} // requests at once
	requests, tokens *rate.Limiter // nil without a bound

	mu     sync.Mutex
	until  time.Time     // it wants to be left alone until then
	spread time.Duration // after that, in which those who waited come back
}

func newProvider(p *engine.Provider, k *keys, transport http.RoundTripper, timing Timing) (*provider, error) {
	out := &provider{
		Provider: p, timing: timing, transport: transport, headers: http.Header{},
		slots: make(chan struct{}, max(1, p.Parallel)), requests: perMinute(p.Rate.RequestsPerMinute), tokens: perMinute(p.Rate.TokensPerMinute),
	}
	var failed []error
	switch p.Mode {
	case engine.ModeScripted:
		script, diags := scripted.Load(p.Script)
		if diags.HasErrors() {
			failed = append(failed, fmt.Errorf("the script of provider %q: %s: %s", p.Name, diags[0].Summary, diags[0].Detail))
		}
		out.script = script
	case engine.ModeLive, engine.ModeRecord:
		base, err := url.Parse(p.BaseURL)
		if err != nil {
			failed = append(failed, fmt.Errorf("the base_url of provider %q: %w", p.Name, err))
		}
		out.base = base
		failed = append(failed, out.setHeaders(k))
	}
	return out, errors.Join(failed...)
}

// setHeaders prepares what is added to each request.
func (p *provider) setHeaders(k *keys) error {
	var failed []error
	if p.APIKey != nil {
		key, err := k.value(p.APIKey)
		failed = append(failed, err)
		if key != "" {
			name, scheme := keyHeader(p.API)
			p.headers.Set(name, scheme+key)
		}
	}
	for name, h := range p.Headers {
		value := h.Text
		if h.Secret != nil {
			var err error
			value, err = k.value(h.Secret)
			failed = append(failed, err)
		}
		if h.Secret == nil || value != "" { // an optional one that is not there
			p.headers.Set(name, value)
		}
	}
	return errors.Join(failed...)
}

// keyHeader is where an API wants its key.
func keyHeader(a engine.API) (name, scheme string) {
	switch a {
	case engine.APIAnthropic:
		return "X-Api-Key", ""
	case engine.APIGoogle:
		return "X-Goog-Api-Key", ""
	}
	return "Authorization", "Bearer "
}

func (p *provider) openCassette(root string, mask func([]byte) []byte) {
	dir := filepath.Join(root, filepath.FromSlash(p.Cassette))
	o := cassette.Options{Mask: mask, Name: p.Cassette}
	switch p.Mode {
	case engine.ModeRecord:
		p.recorder = cassette.NewRecorder(dir, o)
	case engine.ModeReplay:
		p.player = cassette.NewPlayer(dir, o)
	}
}

// family is the format in which the provider is asked what an agent asks in f.
func (p *provider) family(f wire.Family) wire.Family {
	return wire.Family(p.Asked(engine.API(f)))
}

// newTransport is what asks providers over the net. Answers come as they are sent:
// what was compressed could not be read on its way.
func newTransport() *http.Transport {
	return &http.Transport{
		Proxy:               http.ProxyFromEnvironment,
		DialContext:         (&net.Dialer{Timeout: 30 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		ForceAttemptHTTP2:   true,
		MaxIdleConnsPerHost: 64, IdleConnTimeout: 90 * time.Second, TLSHandshakeTimeout: 30 * time.Second,
		DisableCompression: true,
	}
}

// perMinute makes a limiter that lets a whole minute's worth through at once.
func perMinute(n int64) *rate.Limiter {
	if n == 0 {
		return nil
	}
	return rate.NewLimiter(rate.Limit(float64(n)/60), int(n))
}

// errResting is that a provider wants to be left alone for longer than a call waits.
var errResting = errors.New("it is at its limit, and asks to be left alone for longer than a call is tried again")

// admit waits until a request of about so many tokens may be sent; for a provider
// that wants to be left alone, no longer than patience. After a nil error, leave is
// to be called when the answer has ended.
func (p *provider) admit(ctx context.Context, tokens int, patience time.Duration) error {
	select {
	case p.slots <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	for _, l := range []struct {
		limiter *rate.Limiter
		n       int
	}{{p.requests, 1}, {p.tokens, tokens}} {
		if l.limiter == nil {
			continue
		}
		if err := sleep(ctx, l.limiter.ReserveN(time.Now(), min(l.n, l.limiter.Burst())).Delay()); err != nil {
			p.leave()
			return err
		}
	}
	if err := p.pause(ctx, time.Now().Add(patience)); err != nil {
		p.leave()
		return err
	}
	return nil
}

// pause lets a provider alone for as long as it wants. Those who waited come back one
// after the other, so that the first of them learn for the rest whether it is over.
func (p *provider) pause(ctx context.Context, until time.Time) error {
	for {
		p.mu.Lock()
		rest, spread := p.until, p.spread
		p.mu.Unlock()
		wait := time.Until(rest)
		if wait <= 0 {
			return nil
		}
		if rest.After(until) {
			return errResting
		}
		if err := sleep(ctx, wait+rand.N(spread)); err != nil {
			return err
		}
	}
}

func (p *provider) leave() { <-p.slots }

// settle corrects what a request was taken for once its tokens are known.
func (p *provider) settle(estimate int, tokens int64) {
	if more := tokens - int64(estimate); p.tokens != nil && more > 0 {
		p.tokens.ReserveN(time.Now(), int(min(more, int64(p.tokens.Burst()))))
	}
}

// rest lets nobody ask the provider for a while.
func (p *provider) rest(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until := time.Now().Add(d); until.After(p.until) {
		p.until, p.spread = until, d/2+1
	}
}

// backoff is how long to wait after so many tries that failed: what the provider
// asks for, or a time that doubles, with jitter, so that trials do not come back
// all at once.
func (p *provider) backoff(try int, after *time.Duration) time.Duration {
	if p.Mode == engine.ModeReplay {
		return 0 // the failure was recorded, and so was what came next
	}
	wait := min(p.timing.Longest, p.timing.Backoff<<min(try-1, 20))
	wait = wait/2 + rand.N(wait/2+1)
	if after != nil {
		wait = max(*after, wait/4)
	}
	return wait
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// endpoint is where a call goes.
func (p *provider) endpoint(path, query string) string {
	if p.base == nil {
		u := url.URL{Scheme: "http", Host: "provider.invalid"}
		return u.String() + path + withQuery(query)
	}
	u := *p.base
	u.RawQuery, u.Fragment = "", ""
	if p.base.RawQuery != "" {
		query = strings.Trim(p.base.RawQuery+"&"+query, "&")
	}
	return strings.TrimRight(u.String(), "/") + path + withQuery(query)
}

func withQuery(query string) string {
	if query == "" {
		return ""
	}
	return "?" + query
}
