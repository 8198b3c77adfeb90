package gateway_test

import (
	"compress/gzip"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

func zipped(text string) string {
	var out strings.Builder
	zip := gzip.NewWriter(&out)
	_, _ = io.WriteString(zip, text) // a builder takes everything
	_ = zip.Close()
	return out.String()
}

// What a provider does wrong is made good before the agent has seen a byte, told as
// it happened after it, or no fault of the agent's.
func TestProviderFaults(t *testing.T) {
	ok, flow := act{send: whole(200, "", plainChat)}, act{send: answer(200, asStream, allChunks)}
	fail := func(status int, header, body string) act { return act{send: whole(status, header, body)} }
	head := answer(200, asStream, "")
	for _, s := range []struct {
		name   string
		stream bool
		acts   []act
		status int    // that the agent sees; 0 is none
		says   string // what it reads has this in it
		tries  int    // of the call; -1 is more than one
		reason engine.Reason
		cut    bool
	}{
		{"429, then an answer", false, []act{fail(429, "", "{}"), ok}, 200, "Hi there", 2, "", false},
		{"429 with Retry-After, then an answer", false, []act{fail(429, "Retry-After: 0.01\r\n", "{}"), ok}, 200, "Hi there", 2, "", false},
		{"429 with Retry-After-Ms, in a stream", true, []act{fail(429, "Retry-After-Ms: 5\r\n", "{}"), flow}, 200, "[DONE]", 2, "", false},
		{"429 without end", false, []act{fail(429, "", `{"error":{"message":"slow down"}}`)}, 403, "provider_failed", -1, engine.ReasonProvider, false},
		{"429 that asks for an hour", false, []act{fail(429, "Retry-After: 3600\r\n", `{"error":{"message":"slow down"}}`)}, 403, "slow down", 1, engine.ReasonProvider, false},
		{"429 that is not to be tried again", false, []act{fail(429, "X-Should-Retry: false\r\n", `{"error":{"message":"no"}}`)}, 403, "provider_failed", 1, engine.ReasonProvider, false},
		{"500, then an answer", false, []act{fail(500, "", "oops"), fail(500, "", ""), ok}, 200, "Hi there", 3, "", false},
		{"529, then a stream", true, []act{fail(529, "", `{"type":"error","error":{"type":"overloaded_error","message":"busy"}}`), flow}, 200, "[DONE]", 2, "", false},
		{"503 without end", true, []act{fail(503, "", "<html>")}, 403, "status 503", -1, engine.ReasonProvider, false},
		{"501", false, []act{fail(501, "", `{"error":{"message":"not here"}}`)}, 403, "not here", 1, engine.ReasonProvider, false},
		{"silent before the first byte, then an answer", false, []act{{then: hanging}, ok}, 200, "Hi there", 2, "", false},
		{"silent after the headers, then a stream", true, []act{{send: head, then: hanging}, flow}, 200, "[DONE]", 2, "", false},
		{"silent without end", false, []act{{then: hanging}}, 403, "has said nothing for too long", 1, engine.ReasonProvider, false},
		{"silent in the middle of a plain answer", false, []act{{send: answer(200, "Content-Length: 999\r\n", plainChat[:50]), then: hanging}, ok}, 200, "Hi there", 2, "", false},
		{"silent in the middle of a stream", true, []act{{send: head + chunkHi, then: hanging}}, 200, "unexpected EOF", 1, engine.ReasonProvider, true},
		{"reset before the first byte, then an answer", false, []act{{then: reset}, ok}, 200, "Hi there", 2, "", false},
		{"reset after the headers, then a stream", true, []act{{send: head, then: reset}, flow}, 200, "[DONE]", 2, "", false},
		{"reset in the middle of a plain answer", false, []act{{send: answer(200, "Content-Length: 999\r\n", plainChat[:50]), then: reset}, ok}, 200, "Hi there", 2, "", false},
		{"reset in the middle of a stream", true, []act{{send: head + chunkHi + pause, then: reset}}, 200, "unexpected EOF", 1, engine.ReasonProvider, true},
		{"half closed before the first byte", false, []act{{then: halfOpen}, ok}, 200, "Hi there", 2, "", false},
		{"half closed in the middle of a stream", true, []act{{send: head + chunkHi, then: halfOpen}}, 200, "Hi", 1, engine.ReasonProvider, true},
		{"half closed after all of a stream", true, []act{{send: head + allChunks, then: halfOpen}}, 200, "[DONE]", 1, "", false},
		{"half closed in the middle of chunks", true, []act{{send: answer(200, asStream+"Transfer-Encoding: chunked\r\n", "5\r\ndata:\r\n"), then: halfOpen}}, 0, "EOF", 1, engine.ReasonProvider, true},
		{"an empty answer, then one", false, []act{fail(200, "", ""), ok}, 200, "Hi there", 2, "", false},
		{"204, then an answer", false, []act{{send: answer(204, "", "")}, ok}, 200, "Hi there", 2, "", false},
		{"an empty stream, then one", true, []act{{send: head}, flow}, 200, "[DONE]", 2, "", false},
		{"no JSON, then some", false, []act{fail(200, "", plainChat[:40]), fail(200, "", "<html>busy</html>"), ok}, 200, "Hi there", 3, "", false},
		{"no JSON without end", false, []act{fail(200, "", "<html>busy</html>")}, 403, "no JSON", -1, engine.ReasonProvider, false},
		{"no HTTP", false, []act{{send: "SSH-2.0-OpenSSH_9.2\r\n"}, ok}, 200, "Hi there", 2, "", false},
		{"no UTF-8", false, []act{fail(200, "", strings.Replace(plainChat, "Hi", "\xff\xfe", 1))}, 200, "\xff\xfe", 1, "", false},
		{"no UTF-8 in an error", false, []act{fail(400, "", "{\"error\":{\"message\":\"\xff\xfe\"}}")}, 400, "\xff\xfe", 1, "", false},
		{"no JSON in a stream", true, []act{{send: head + "data: {\"choi\n\n" + allChunks}}, 200, "[DONE]", 1, "", false},
		{"an error in a stream", true, []act{{send: head + chunkHi + `data: {"error":{"message":"busy","code":"server_error"}}` + "\n\n"}}, 200, "busy", 1, engine.ReasonProvider, true},
		{"busy at the beginning of a stream, then not", true, []act{{send: head + `data: {"error":{"message":"busy","code":"server_error"}}` + "\n\n"}, flow}, 200, "[DONE]", 2, "", false},
		{"an error of the agent's in a stream", true, []act{{send: head + chunkHi + `data: {"error":{"message":"bad","code":"context_length_exceeded"}}` + "\n\n"}}, 200, "bad", 1, "", true},
		{"slow, then a stream", true, []act{{send: pause + answer(200, asStream, allChunks)}}, 200, "\n" + chunkHi, 1, "", false},
		{"slow, then nothing", true, []act{{send: pause, then: reset}}, 200, "provider_failed", 1, engine.ReasonProvider, false},
		{"slow, then an error of the agent's", true, []act{{send: pause + whole(400, "", `{"error":{"message":"too long","code":"context_length_exceeded"}}`)}}, 200, "too long", 1, "", false},
		{"401", false, []act{fail(401, "", `{"error":{"message":"wrong key","code":"invalid_api_key"}}`)}, 403, "wrong key", 1, engine.ReasonAuth, false},
		{"403", true, []act{fail(403, "", `{"error":{"message":"not you"}}`)}, 403, "not you", 1, engine.ReasonAuth, false},
		{"no money", false, []act{fail(429, "", `{"error":{"message":"pay","type":"insufficient_quota","code":"insufficient_quota"}}`)}, 403, "pay", 1, engine.ReasonAuth, false},
		{"an unknown model", false, []act{fail(404, "", `{"error":{"message":"no such model","code":"model_not_found"}}`)}, 403, "no such model", 1, engine.ReasonAuth, false},
		{"a context too long", false, []act{fail(400, "", `{"error":{"message":"too long","code":"context_length_exceeded"}}`)}, 400, "context_length_exceeded", 1, "", false},
		{"gzip that nobody asked for", false, []act{fail(200, "Content-Encoding: gzip\r\n", zipped(plainChat))}, 200, "Hi there", 1, "", false},
		{"gzip in a stream", true, []act{{send: answer(200, asStream+"Content-Encoding: gzip\r\n", zipped(allChunks))}}, 200, "[DONE]", 1, "", false},
		{"gzip in an error", false, []act{fail(400, "Content-Encoding: gzip\r\n", zipped(`{"error":{"message":"too long","code":"context_length_exceeded"}}`))}, 400, "too long", 1, "", false},
		{"gzip that is none, then an answer", false, []act{fail(200, "Content-Encoding: gzip\r\n", plainChat), ok}, 200, "Hi there", 2, "", false},
		{"another encoding", false, []act{fail(200, "Content-Encoding: br\r\n", plainChat)}, 403, "encoded, although it was asked for none: \\\"br", 1, engine.ReasonProvider, false},
		{"a redirect", false, []act{fail(302, "Location: http://127.0.0.1:1/\r\n", "")}, 403, "correct its base_url", 1, engine.ReasonAuth, false},
	} {
		t.Run(s.name, func(t *testing.T) {
			t.Parallel()
			r := newRig(t, engine.APIOpenAI)
			r.options.Timing.Backoff, r.options.Timing.Longest = 4*time.Millisecond, 8*time.Millisecond
			if r.options.Timing.Patience = 5 * time.Second; s.reason != "" {
				r.options.Timing.Patience = 20 * time.Millisecond
			}
			asked := r.acting(s.acts...)
			status, saw := r.ask(wire.OpenAI, s.stream, true)
			use, calls := r.close()
			r.log(saw, use, calls)
			if status != s.status || !strings.Contains(saw, s.says) {
				t.Errorf("the agent saw %d %q", status, saw)
			}
			if len(calls) != 1 {
				t.Fatalf("%d calls", len(calls))
			}
			c := calls[0]
			if c.Cut != s.cut || int64(c.Tries) != asked.Load() || s.tries > 0 && c.Tries != s.tries || s.tries < 0 && c.Tries < 2 {
				t.Errorf("booked: %+v, asked %d times", c.Row, asked.Load())
			}
			if s.tries != 1 && c.Waited == 0 && use.Waited == 0 {
				t.Error("the agent pays for the provider's time")
			}
			if reason := reasonOf(use); reason != s.reason {
				t.Errorf("trouble: %+v", use.Trouble)
			}
			if s.reason != "" || s.status != 200 || s.cut || !strings.Contains(saw, "stop") {
				return
			}
			// A try that broke off may be billed, and nobody knows for how much.
			lost := 0
			for _, a := range s.acts[:min(c.Tries, len(s.acts))-1] {
				if !strings.HasPrefix(a.send, "HTTP/1.1 4") && !strings.HasPrefix(a.send, "HTTP/1.1 5") && !strings.Contains(a.send, `"error"`) {
					lost++
				}
			}
			if c.Lost != lost || lost == 0 && (use.Tokens == nil || *use.Tokens != 120) || lost > 0 && (use.Tokens != nil || use.Cost != nil) {
				t.Errorf("tokens: %s, %d tries lost, want %d", known(use.Tokens), c.Lost, lost)
			}
		})
	}
}
