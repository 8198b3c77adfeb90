package gateway

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/translate"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// largestRequest bounds the body of a request, in bytes. Providers take at most
// half of it.
const largestRequest = 64 << 20

// A call is one request of the agent that a provider is to answer.
type call struct {
	*Session
	wire.Call
	w       http.ResponseWriter
	r       *http.Request
	control *http.ResponseController

	row      Row
	body     []byte // as the agent has sent it
	taken    bool   // all of it
	asked    []byte // as the provider gets it
	url      string
	up       wire.Family
	state    *translate.State // nil where the families are the same
	isLarge  bool             // it is one of the large ones
	admitted bool             // at the provider, which is to be left
	begun    bool             // the status has been sent
	sent     bool             // and something of the answer
	got      capture          // what the agent has got
	counted  bool             // the ledger has the call
}

// answer takes a call from its request to the row in the ledger.
func (c *call) answer() {
	c.row = Row{Began: time.Now().UTC(), Family: c.Family, Kind: c.Kind}
	defer func() {
		c.book()
		if c.admitted { // only now, for whoever comes next asks what is left of the limits
			c.provider.leave()
		}
		if c.isLarge {
			<-c.large
		}
	}()
	defer context.AfterFunc(c.ctx, c.interrupt)()
	defer func() { _ = c.control.SetWriteDeadline(time.Time{}) }() // the connection has other calls to serve
	refusal := c.read()
	if refusal == nil {
		refusal = c.prepare()
	}
	if refusal == nil {
		refusal = c.allowed(false) // before it waits for anything
	}
	if refusal != nil {
		c.decline(*refusal)
		return
	}
	c.ask()
}

// interrupt ends the reading and writing of a call whose session ends.
func (c *call) interrupt() {
	_ = c.control.SetReadDeadline(time.Unix(1, 0)) // where there is one
	_ = c.control.SetWriteDeadline(time.Now().Add(lastWords))
}

// lastWords bounds the writing to an agent whose session has ended.
const lastWords = time.Second

// decline refuses a call that the provider was not asked.
func (c *call) decline(r wire.Refusal) {
	c.row.Refused = r.Code
	c.refuse(r)
}

// read reads the request.
func (c *call) read() *wire.Refusal {
	body, err := c.readBody()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return &wire.Refusal{Status: http.StatusRequestEntityTooLarge, Code: "request_too_large", Message: fmt.Sprintf("bench: the request has more than %d MiB", largestRequest>>20)}
	case errors.Is(err, errEncoding):
		return &wire.Refusal{Status: http.StatusUnsupportedMediaType, Code: "unsupported_encoding", Message: "bench: send the request as it is, or with gzip"}
	case err != nil:
		return &wire.Refusal{Status: http.StatusBadRequest, Code: "incomplete_request", Message: "bench: the request did not come to its end"}
	}
	_ = c.control.SetReadDeadline(time.Time{}) // where there was one
	c.body, c.taken = body, true
	c.Call = wire.Route(c.r.Method, c.r.URL, c.r.Header, body)
	return nil
}

var errEncoding = errors.New("an encoding that is not known")

// readBody reads the body of the request. Who sends nothing for a while is not
// waited for.
func (c *call) readBody() ([]byte, error) {
	alive := readerFunc(func(p []byte) (int, error) {
		_ = c.control.SetReadDeadline(time.Now().Add(c.gateway.timing.Body))
		if err := c.ctx.Err(); err != nil { // or else interrupt is still to come
			return 0, err
		}
		return c.r.Body.Read(p)
	})
	var from io.Reader = alive
	switch encoding := c.r.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		zip, err := gzip.NewReader(alive)
		if err != nil {
			return nil, err
		}
		from = zip
	default:
		return nil, errEncoding
	}
	var body bytes.Buffer
	if c.r.ContentLength > largestRequest {
		return nil, &http.MaxBytesError{Limit: largestRequest}
	}
	n, err := body.ReadFrom(io.LimitReader(from, largeRequest)) // it grows with what comes, not with what is promised
	if err != nil || n < largeRequest {
		return body.Bytes(), err
	}
	select {
	case c.large <- struct{}{}:
		c.isLarge = true
	case <-c.ctx.Done():
		return nil, c.ctx.Err()
	}
	if _, err = body.ReadFrom(io.LimitReader(from, largestRequest+1-n)); body.Len() > largestRequest {
		return nil, &http.MaxBytesError{Limit: largestRequest}
	}
	return body.Bytes(), err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// longestModel bounds the name of a model, in bytes: it stands in ledgers and errors.
const longestModel = 1000

// prepare makes the request that the provider gets.
func (c *call) prepare() *wire.Refusal {
	if len(c.Model) > longestModel {
		return badRequest(fmt.Sprintf("the name of the model has more than %d bytes", longestModel))
	}
	c.row.Family, c.row.Kind, c.row.Stream, c.row.Requested, c.row.Sent = c.Family, c.Kind, c.Stream, c.Model, int64(len(c.body))
	model, refusal := c.model(c.Model)
	if refusal != nil {
		return refusal
	}
	c.row.Asked = model
	c.up = c.provider.family(c.Family)
	if c.up != c.Family {
		c.row.Upstream = c.up
		if err := c.translate(model); err != nil {
			return err
		}
	} else {
		asked, err := wire.SetModel(c.Family, c.body, model)
		if err != nil {
			return badRequest(err.Error())
		}
		c.asked = asked
		c.url = c.provider.endpoint(c.Path(model), c.query().Encode())
	}
	return c.finish()
}

// query is what goes along of the query. Google's can ask for another format of the
// answer, or for an answer without its usage; clients do not, and agents do not.
func (c *call) query() url.Values {
	q := c.r.URL.Query()
	q.Del("key")
	if c.Family == wire.Google {
		q = url.Values{}
	}
	if c.Family == wire.Google && c.Stream && !c.Array {
		q.Set("alt", "sse")
	}
	return q
}

func badRequest(why string) *wire.Refusal {
	return &wire.Refusal{Status: http.StatusBadRequest, Code: "invalid_request", Message: "bench: " + why}
}

// actions are where families are asked for an answer.
var actions = map[wire.Family]string{
	wire.OpenAI: "/chat/completions", wire.Responses: "/responses", wire.Anthropic: "/messages", wire.Google: ":generateContent",
}

// translate makes a request of the provider's family.
func (c *call) translate(model string) *wire.Refusal {
	if c.Kind != wire.KindCompletion || c.Action == "/responses/compact" {
		return &wire.Refusal{Status: http.StatusNotFound, Code: "not_translated", Message: fmt.Sprintf("bench: %s has no counterpart where the model of this trial is served", c.Action)}
	}
	if c.Array {
		return badRequest("ask for the stream with alt=sse; an array in pieces is not translated")
	}
	asked, state, err := translate.Request(string(c.Family), string(c.up), c.body, model, c.Stream)
	if err != nil {
		return badRequest(err.Error())
	}
	c.asked, c.state, c.row.Dropped, c.Stream = asked, state, state.Dropped(), state.Streamed()
	out, query := wire.Call{Family: c.up, Kind: wire.KindCompletion, Action: actions[c.up]}, ""
	if c.up == wire.Google && state.Streamed() {
		out.Action, query = ":streamGenerateContent", "alt=sse"
	}
	c.url = c.provider.endpoint(out.Path(model), query)
	return nil
}

// finish puts what the benchfile says into the request, and the wish to be told
// what it cost.
func (c *call) finish() *wire.Refusal {
	if c.Kind != wire.KindCompletion {
		return nil
	}
	asked, err := wire.SetParams(c.up, c.asked, c.trial.Params)
	if err == nil && (c.state == nil && c.HidesUsage() || c.state != nil && c.up == wire.OpenAI && c.state.Streamed()) {
		asked, err = wire.AskUsage(asked)
	}
	if err != nil {
		return badRequest(err.Error())
	}
	c.asked = asked
	return nil
}

// allowed says why the trial leaves no room for the call; nil if it does. What
// begins is counted at once, so that of several calls none is one too many.
func (c *call) allowed(begins bool) *wire.Refusal {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.trouble != nil {
		return &wire.Refusal{Status: http.StatusForbidden, Code: "provider_failed", Message: "bench: this attempt has ended: " + c.trouble.Detail}
	}
	if refusal := c.exhausted(c); refusal != nil {
		return refusal
	}
	if begins {
		c.row.Side = !c.ledger.isTurn(c.Call)
		c.ledger.begin(c.Call)
	}
	return nil
}

// perHop are headers that concern a connection, or that the gateway decides itself.
var perHop = []string{
	"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Cookie", "Expect", "Forwarded", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
	"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Openai-Organization", "Openai-Project", "X-Goog-User-Project", "X-Goog-Fieldmask",
}

// header is what is sent along.
func (c *call) header() http.Header {
	h := http.Header{}
	if c.state == nil {
		h = c.r.Header.Clone()
		for _, name := range perHop {
			h.Del(name)
		}
	} else if c.up == wire.Anthropic {
		h.Set("Anthropic-Version", "2023-06-01")
	}
	maps.Copy(h, c.provider.headers)
	h.Set("Content-Type", "application/json")
	h.Set("Accept-Encoding", "identity")
	return h
}

// refuse says what the gateway itself has to say.
func (c *call) refuse(r wire.Refusal) {
	if c.begun {
		c.give(r.InStream(c.Call, c.sent))
		return
	}
	if !c.taken && c.r.ContentLength != 0 { // or else the server would wait for the rest
		_ = c.control.SetReadDeadline(time.Now().Add(c.gateway.timing.Body)) // where there is one
		c.w.Header().Set("Connection", "close")
	}
	maps.Copy(c.w.Header(), r.Header())
	c.row.Status = r.StatusFor(c.Family)
	c.begun = true
	c.w.WriteHeader(c.row.Status)
	c.give(r.Body(c.Family))
}

// give sends a piece of an answer to the agent, at once. It reports whether the
// agent still takes it.
func (c *call) give(piece []byte) bool {
	if c.row.Gone {
		return false
	}
	if len(piece) == 0 {
		return true
	}
	c.got.add(piece)
	c.sent = true
	return c.write(piece)
}

// write sends bytes at once. An agent that does not take them for a while has gone.
func (c *call) write(piece []byte) bool {
	patience := c.gateway.timing.Body
	if c.ctx.Err() != nil {
		patience = min(patience, lastWords)
	}
	_ = c.control.SetWriteDeadline(time.Now().Add(patience)) // where there is one
	_, err := c.w.Write(piece)
	if err == nil {
		err = c.control.Flush()
	}
	c.row.Gone = c.row.Gone || err != nil
	return err == nil
}

// count puts the call into the ledger, once. The next one is held against that.
func (c *call) count() {
	if c.counted {
		return
	}
	c.counted = true
	about := c.price(&c.row)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.row.N = c.n
	c.ledger.end(c.row, about)
}

// book writes the row of the call.
func (c *call) book() {
	r := &c.row
	r.Took = time.Since(r.Began)
	if c.admitted {
		r.Waited = c.ends(c)
	}
	c.count()
	c.mu.Lock()
	if r.Kind == wire.KindCompletion && r.Refused == "" && !r.Gone && c.ctx.Err() == nil { // else it says nothing of the provider
		c.last = c.blame()
	}
	c.mu.Unlock()
	if total := r.Usage.Total(); total != nil {
		c.provider.settle(c.guess(), *total)
	}
	c.trace.write(*r, c.body, &c.got)
}

// blame says that the provider has failed to answer a call; nil if it has not. The
// lock is held.
func (c *call) blame() *Trouble {
	r := &c.row
	reason, why := engine.ReasonProvider, "the answer broke off"
	switch f := r.Failure; {
	case f == nil && !r.Cut:
		return nil
	case f == nil:
	case c.isAgents(f):
		return nil
	case f.Auth:
		reason, why = engine.ReasonAuth, said(f)
	case isProviders(f):
		why = said(f)
	default:
		return nil
	}
	return &Trouble{Reason: reason, Detail: fmt.Sprintf("provider %q: %s", c.provider.Name, c.gateway.mask.String(why))}
}

// guess is about how many tokens a request has: one for each four bytes.
func (c *call) guess() int { return len(c.asked)/bytesOfToken + 1 }
