package gateway_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// Nothing of a stream is kept back: a provider that sends a piece only after the
// agent has read the one before comes to its end, whoever speaks which format.
func TestStreamHoldsNothing(t *testing.T) {
	for _, api := range engine.APIs {
		for _, f := range wire.Families {
			t.Run(fmt.Sprintf("%s/%s", api, f), func(t *testing.T) {
				const pieces = 5
				read := make(chan string, pieces) // so that nobody waits for a provider that has given up
				r := newRig(t, api)
				r.options.Timing = gateway.DefaultTiming
				r.live(func(w http.ResponseWriter, q *http.Request) {
					begin, piece, end := streamOf(q.URL.Path)
					say(w, begin)
					for k := range pieces {
						word := fmt.Sprintf("piece-%d", k)
						say(w, fmt.Sprintf(piece, word))
						select {
						case got := <-read:
							if got != word {
								t.Errorf("%q was read, and %q was sent", got, word)
							}
						case <-time.After(10 * time.Second):
							t.Errorf("%q was sent, and is not there", word)
							return
						}
					}
					say(w, end)
				})
				body := r.stream(f)
				defer func() { _ = body.Close() }()
				lines := bufio.NewScanner(body)
				n := 0
				for lines.Scan() {
					if word := fmt.Sprintf("piece-%d", n); n < pieces && strings.Contains(lines.Text(), word) {
						read <- word
						n++
					}
				}
				if lines.Err() != nil || n != pieces {
					t.Errorf("%d of %d pieces were read: %v", n, pieces, lines.Err())
				}
			})
		}
	}
}

func say(w http.ResponseWriter, text string) {
	_, _ = io.WriteString(w, text)
	w.(http.Flusher).Flush()
}

// streamOf is a stream of what is asked at a path: its begin, a piece with a text in
// the place of the verb, and its end.
func streamOf(path string) (begin, piece, end string) {
	event := func(name, data string) string { return "event: " + name + "\ndata: " + data + "\n\n" }
	data := func(data string) string { return "data: " + data + "\n\n" }
	switch {
	case strings.HasSuffix(path, "/messages"):
		begin = event("message_start", `{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"model-1","content":[],"stop_reason":null,"usage":{"input_tokens":9,"output_tokens":1}}}`) +
			event("content_block_start", `{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`)
		piece = event("content_block_delta", `{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}`)
		end = event("content_block_stop", `{"type":"content_block_stop","index":0}`) +
			event("message_delta", `{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":15}}`) + event("message_stop", `{"type":"message_stop"}`)
	case strings.HasSuffix(path, "/responses"):
		begin = event("response.created", `{"type":"response.created","sequence_number":0,"response":{"id":"resp_1","object":"response","status":"in_progress","model":"model-1","output":[]}}`)
		piece = event("response.output_text.delta", `{"type":"response.output_text.delta","item_id":"msg_1","output_index":0,"content_index":0,"delta":"%s"}`)
		end = event("response.completed", `{"type":"response.completed","response":{"id":"resp_1","object":"response","status":"completed","model":"model-1","output":[],"usage":{"input_tokens":9,"output_tokens":15,"total_tokens":24}}}`)
	case strings.Contains(path, "Content"):
		piece = data(`{"candidates":[{"content":{"role":"model","parts":[{"text":"%s"}]},"index":0}],"modelVersion":"model-1"}`)
		end = data(`{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":15,"totalTokenCount":24},"modelVersion":"model-1"}`)
	default:
		piece = data(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"model-1","choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}`)
		end = data(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"model-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`) +
			data(`{"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"model-1","choices":[],"usage":{"prompt_tokens":9,"completion_tokens":15,"total_tokens":24}}`) + data("[DONE]")
	}
	return begin, piece, end
}

// stream asks for a stream, and gives it as it comes.
func (r *rig) stream(f wire.Family) io.ReadCloser {
	r.Helper()
	q, err := http.NewRequestWithContext(r.Context(), http.MethodPost, r.server.URL+askPath(f, true), strings.NewReader(askBody(f, true, false)))
	if err != nil {
		r.Fatal(err)
	}
	name, scheme := keyHeader(f)
	q.Header.Set(name, scheme+r.session.Token())
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		r.Fatal(err)
	}
	if a.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(a.Body)
		r.Fatalf("status %d: %s", a.StatusCode, body)
	}
	return a.Body
}

// An answer whose end is known says how long it is, so that no client waits for a
// last piece.
func TestPlainAnswersHaveALength(t *testing.T) {
	for _, f := range wire.Families {
		r := newRig(t, engine.APIOpenAI).scripted("turn always\ntext Hi there.\n")
		q, err := http.NewRequest(http.MethodPost, r.server.URL+askPath(f, false), strings.NewReader(askBody(f, false, false)))
		if err != nil {
			t.Fatal(err)
		}
		name, scheme := keyHeader(f)
		q.Header.Set(name, scheme+r.session.Token())
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(a.Body)
		_ = a.Body.Close()
		if err != nil || a.StatusCode != http.StatusOK || a.ContentLength != int64(len(body)) {
			t.Errorf("%s: status %d, %d bytes of %d: %v", f, a.StatusCode, len(body), a.ContentLength, err)
		}
	}
}

// An agent that asks again as soon as it has a plain answer is held against what that
// has cost.
func TestPlainAnswersAreCountedFirst(t *testing.T) {
	for _, f := range wire.Families {
		r := newRig(t, engine.APIOpenAI)
		r.trial.Limits.Tokens = 100
		r.scripted("turn always\ntext Hi there.\nusage input=80 output=20\n")
		ask := func() *http.Request {
			q := httptest.NewRequest(http.MethodPost, askPath(f, false), strings.NewReader(askBody(f, false, false)))
			name, scheme := keyHeader(f)
			q.Header.Set(name, scheme+r.session.Token())
			return q
		}
		next := httptest.NewRecorder()
		hasty := &hastyWriter{ResponseRecorder: httptest.NewRecorder(), then: func() { r.session.ServeHTTP(next, ask()) }}
		r.session.ServeHTTP(hasty, ask())
		if hasty.Code != http.StatusOK || !strings.Contains(next.Body.String(), "used up") {
			t.Errorf("%s: status %d, and then %d: %s", f, hasty.Code, next.Code, next.Body)
		}
	}
}

// A stream is over for an agent when it says so, though its provider may keep the
// connection open: an agent that asks again then is held against what it has cost.
func TestStreamsAreCountedFirst(t *testing.T) {
	for _, api := range engine.APIs {
		for _, f := range wire.Families {
			t.Run(fmt.Sprintf("%s/%s", api, f), func(t *testing.T) {
				r := newRig(t, api)
				r.trial.Limits.Tokens = 20
				r.options.Timing.Silence = time.Minute
				asked := make(chan struct{})
				var calls atomic.Int64
				r.live(func(w http.ResponseWriter, q *http.Request) {
					w.Header().Set("Content-Type", "text/event-stream")
					begin, piece, end := streamOf(q.URL.Path)
					say(w, begin+fmt.Sprintf(piece, "Hi.")+end)
					if calls.Add(1) == 1 && (api != engine.APIGoogle || f == wire.Google) { // or else nothing but the end of the connection ends it
						<-asked
					}
				})
				defer close(asked)
				body := r.stream(f)
				defer body.Close()
				for seen := ""; !strings.Contains(seen, lastWord(f)); {
					piece := make([]byte, 1<<10)
					n, err := body.Read(piece)
					if seen += string(piece[:n]); n == 0 {
						t.Fatalf("%v after %q", err, seen)
					}
				}
				if status, saw := r.ask(f, false, false); !strings.Contains(saw, "used up") {
					t.Errorf("status %d: %s", status, saw)
				}
			})
		}
	}
}

// lastWord is in the last event of a stream of a family.
func lastWord(f wire.Family) string {
	return map[wire.Family]string{wire.OpenAI: "[DONE]", wire.Responses: "response.completed", wire.Anthropic: "message_stop", wire.Google: "STOP"}[f]
}

// A hastyWriter does something when it is given a piece of the body, and before it
// has taken it.
type hastyWriter struct {
	*httptest.ResponseRecorder
	then func()
}

func (w *hastyWriter) Write(p []byte) (int, error) {
	w.then()
	return w.ResponseRecorder.Write(p)
}
