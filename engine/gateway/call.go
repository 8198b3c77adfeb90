package gateway

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strings"
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

	row   Row
	body  []byte // as the agent has sent it
	asked []byte // as the provider gets it
	url   string
	up    wire.Family
	state *translate.State // nil where the families are the same
	begun bool             // the status has been sent
	sent  bool             // and something of the answer
	got   capture          // what the agent has got

	counted bool // the ledger has the call
}

// answer takes a call from its request to the row in the ledger.
func (c *call) answer() {
	c.row = Row{Began: time.Now().UTC(), Family: c.Family, Kind: c.Kind}
	defer c.book()
	defer func() { _ = c.control.SetWriteDeadline(time.Time{}) }() // the connection has other calls to serve
	refusal := c.read()
	if refusal == nil {
		refusal = c.prepare()
	}
	if refusal == nil {
		refusal = c.allowed()
	}
	if refusal != nil {
		c.row.Refused = refusal.Code
		c.refuse(*refusal)
		return
	}
	c.ask()
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
	c.body = body
	c.Call = wire.Route(c.r.Method, c.r.URL, c.r.Header, body)
	return nil
}

var errEncoding = errors.New("an encoding that is not known")

// readBody reads the body of the request. Who sends nothing for a while is not
// waited for.
func (c *call) readBody() ([]byte, error) {
	defer func() { _ = c.control.SetReadDeadline(time.Time{}) }() // where there is one
	alive := readerFunc(func(p []byte) (int, error) {
		_ = c.control.SetReadDeadline(time.Now().Add(c.gateway.timing.Body))
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
	if n := c.r.ContentLength; n > largestRequest {
		return nil, &http.MaxBytesError{Limit: largestRequest}
	} else if n > 0 {
		body.Grow(int(n) + bytes.MinRead)
	}
	n, err := body.ReadFrom(io.LimitReader(from, largestRequest+1))
	if n > largestRequest {
		return nil, &http.MaxBytesError{Limit: largestRequest}
	}
	return body.Bytes(), err
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// prepare makes the request that the provider gets.
func (c *call) prepare() *wire.Refusal {
	c.row.Family, c.row.Kind, c.row.Side, c.row.Stream, c.row.Requested, c.row.Sent = c.Family, c.Kind, c.SideCall(), c.Stream, c.Model, int64(len(c.body))
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
		query := c.r.URL.Query()
		query.Del("key")
		c.url = c.provider.endpoint(c.Path(model), query.Encode())
	}
	return c.finish()
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
	c.asked, c.state, c.row.Dropped = asked, state, state.Dropped()
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

// allowed counts the call, if the limits of the trial leave room for it.
func (c *call) allowed() *wire.Refusal {
	if refusal := c.exhausted(c); refusal != nil {
		return refusal
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ledger.begin(c.Call)
	return nil
}

// perHop are headers that concern a connection, or that the gateway decides itself.
var perHop = []string{
	"Accept-Encoding", "Connection", "Content-Encoding", "Content-Length", "Cookie", "Expect", "Forwarded", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
	"Te", "Trailer", "Transfer-Encoding", "Upgrade", "Via", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto",
	"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Openai-Organization", "Openai-Project",
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
	_ = c.control.SetWriteDeadline(time.Now().Add(c.gateway.timing.Body)) // where there is one
	_, err := c.w.Write(piece)
	if err == nil {
		err = c.control.Flush()
	}
	c.got.add(piece)
	c.sent = true
	c.row.Gone = err != nil
	return err == nil
}

// count puts the call into the ledger, once. The next one is held against that.
func (c *call) count() {
	if c.counted {
		return
	}
	c.counted = true
	c.price(&c.row)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.n++
	c.row.N = c.n
	c.ledger.end(c.row)
}

// book writes the row of the call.
func (c *call) book() {
	r := &c.row
	r.Took = time.Since(r.Began)
	c.count()
	c.mu.Lock()
	if r.Kind == wire.KindCompletion && r.Refused == "" {
		c.last = c.blame()
	}
	c.mu.Unlock()
	if total := r.Usage.Total(); total != nil {
		c.provider.settle(c.guess(), *total)
	}
	c.trace.write(*r, c.body, &c.got)
}

// blame says that the provider has failed to answer a call that the agent has not
// given up; nil if it has not.
func (c *call) blame() *Trouble {
	r := &c.row
	if r.Gone || !r.Cut && (r.Failure == nil || !r.Failure.Retry && !r.Failure.Auth) {
		return nil
	}
	why := "the answer broke off"
	if r.Failure != nil && r.Failure.Message != "" {
		why = r.Failure.Message
	}
	return &Trouble{Reason: engine.ReasonProvider, Detail: fmt.Sprintf("provider %q: %s", c.provider.Name, strings.TrimSpace(string(c.gateway.Mask([]byte(why)))))}
}

// guess is about how many tokens a request has: one for each four bytes.
func (c *call) guess() int { return len(c.asked)/4 + 1 }
