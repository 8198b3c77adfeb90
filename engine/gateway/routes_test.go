package gateway_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// send makes any request, without a token of its own.
func (r *rig) send(method, path, body string, headers ...string) (*http.Response, string) {
	r.Helper()
	q, err := http.NewRequest(method, r.server.URL+path, strings.NewReader(body))
	if err != nil {
		r.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	a, err := http.DefaultTransport.RoundTrip(q)
	if err != nil {
		r.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		r.Error(err)
	}
	return a, string(text)
}

// The token is looked for wherever clients put keys; one that is not this session's
// is of no use, and what it gets is an error in the family's words.
func TestTokens(t *testing.T) {
	r := newRig(t, engine.APIOpenAI).scripted(always)
	other, err := r.gateway.Open(r.trial, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.Close(); err != nil {
		t.Fatal(err)
	}
	tokens := map[string]string{"its own": r.session.Token(), "of another": other.Token(), "a key": testKey, "none": ""}
	for who, token := range tokens {
		for _, f := range wire.Families {
			for _, place := range []string{"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "?key="} {
				path, headers := askPath(f, false), []string{place, token}
				switch place {
				case "Authorization":
					headers[1] = "Bearer " + token
				case "?key=":
					path, headers = path+"?key="+token, nil
				}
				a, saw := r.send(http.MethodPost, path, askBody(f, false, true), headers...)
				want := 200
				if who != "its own" {
					want = refusalStatus(f)
				}
				if a.StatusCode != want || want != 200 && !hasShape(f, saw) {
					t.Errorf("%s at %s in %s: %d %s", who, f, place, a.StatusCode, saw)
				}
			}
		}
	}
	use, _ := r.close()
	if use.Requests != 20 {
		t.Errorf("%d requests", use.Requests)
	}
	for _, f := range wire.Families {
		if status, saw := r.ask(f, true, true); status != refusalStatus(f) || !strings.Contains(saw, "has ended") || !hasShape(f, saw) {
			t.Errorf("after the end: %d %s", status, saw)
		}
	}
}

func refusalStatus(f wire.Family) int {
	if f == wire.Responses {
		return 400
	}
	return 403
}

// What is no completion is answered, or refused in the family's words.
func TestOtherRequests(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.trial.Agent.Aliases = map[string]string{"small": "model-0"}
	r.scripted(always)
	token := r.session.Token()
	for _, s := range []struct {
		name, method, path, body string
		headers                  []string
		family                   wire.Family
		status                   int
		says                     string
	}{
		{"HEAD", "HEAD", "/", "", nil, wire.Anthropic, 200, ""},
		{"websocket", "GET", "/v1/responses", "", []string{"Connection", "Upgrade", "Upgrade", "websocket"}, wire.Responses, 426, "no websockets"},
		{"models of OpenAI", "GET", "/v1/models", "", nil, wire.OpenAI, 200, `"id":"small"`},
		{"models of Anthropic", "GET", "/v1/models", "", []string{"Anthropic-Version", "2023-06-01"}, wire.Anthropic, 200, `"first_id":"model-1"`},
		{"models of Google", "GET", "/v1beta/models", "", nil, wire.Google, 200, `"name":"models/model-1"`},
		{"a model", "GET", "/v1/models/model-1", "", nil, wire.OpenAI, 200, `"id":"model-1"`},
		{"no model", "GET", "/v1/models/gpt-9", "", nil, wire.OpenAI, 404, "model_not_found"},
		{"nothing", "GET", "/favicon.ico", "", nil, wire.OpenAI, 404, "there is no GET"},
		{"a GET of a completion", "GET", "/v1/messages", "", nil, wire.Anthropic, 404, "there is no GET"},
		{"tokens, across families", "POST", "/v1/messages/count_tokens", `{"model":"m"}`, nil, wire.Anthropic, 404, "no counterpart"},
		{"an array, across families", "POST", "/v1beta/models/model-1:streamGenerateContent", `{"contents":[]}`, nil, wire.Google, 400, "alt=sse"},
		{"no JSON", "POST", "/v1/chat/completions", `{"model`, nil, wire.OpenAI, 400, "not one JSON object"},
		{"an array", "POST", "/v1/messages", `[]`, nil, wire.Anthropic, 400, "array cannot stand here"},
		{"a text", "POST", "/v1beta/models/m:generateContent", `"hello"`, nil, wire.Google, 400, ""},
		{"zeros", "POST", "/v1/responses", "\x00\x00\xff", nil, wire.Responses, 400, ""},
		{"no body", "POST", "/v1/chat/completions", "", nil, wire.OpenAI, 400, "not one JSON object"},
		{"no model named", "POST", "/v1/chat/completions", "{}", nil, wire.OpenAI, 400, "names no model"},
		{"a long name", "POST", "/v1/chat/completions", `{"model":"` + strings.Repeat("m", 2000) + `"}`, nil, wire.OpenAI, 400, "1000 bytes"},
		{"deep JSON", "POST", "/v1/messages", `{"model":"m","messages":` + strings.Repeat("[", 100_000), nil, wire.Anthropic, 400, ""},
		{"zstd", "POST", "/v1/responses", "x", []string{"Content-Encoding", "zstd"}, wire.Responses, 415, "gzip"},
		{"no gzip", "POST", "/v1/messages", "x", []string{"Content-Encoding", "gzip"}, wire.Anthropic, 400, ""},
	} {
		t.Run(s.name, func(t *testing.T) {
			a, saw := r.send(s.method, s.path, s.body, append(s.headers, "Authorization", "Bearer "+token)...)
			t.Logf("%-32s | %d %s", s.name, a.StatusCode, clipped(saw))
			if a.StatusCode != s.status || !strings.Contains(saw, s.says) || a.StatusCode >= 400 && !hasShape(s.family, saw) {
				t.Errorf("%d %s", a.StatusCode, saw)
			}
		})
	}
}

// asked is what a provider was asked.
type asked struct {
	method, path, query, body string
	header                    http.Header
}

// recording lets a handler answer, and keeps what it was asked.
func (r *rig) recording(base string, h http.HandlerFunc) *asked {
	last := &asked{}
	r.live(func(w http.ResponseWriter, q *http.Request) {
		body, _ := io.ReadAll(q.Body)
		*last = asked{q.Method, q.URL.EscapedPath(), q.URL.RawQuery, string(body), q.Header.Clone()}
		q.Body = io.NopCloser(bytes.NewReader(body))
		h(w, q)
	}, base)
	return last
}

// What the provider is asked is what the agent asks, and what the benchfile says.
func TestWhatIsAsked(t *testing.T) {
	const prompt = `"messages":[{"role":"user","content":"Hello"}]`
	for _, s := range []struct {
		name  string
		api   engine.API
		base  string
		setup func(*rig)
		path  string
		body  string
		want  asked
		seen  map[string]string // headers
		code  int
	}{
		{name: "as it is", base: "/v1", path: "/v1/chat/completions", body: `{ "model" : "model-1", ` + prompt + ` }`, want: asked{path: "/v1/chat/completions", body: `{ "model" : "model-1", ` + prompt + ` }`}},
		{name: "no token in the query", base: "/v1", path: "/v1/chat/completions?key=TOKEN&beta=true", body: `{"model":"model-1"}`, want: asked{path: "/v1/chat/completions", query: "beta=true", body: `{"model":"model-1"}`}},
		{name: "a slash and a query in base_url", base: "/deployments/x/?api-version=2024-10-21", path: "/chat/completions", body: `{"model":"model-1"}`, want: asked{path: "/deployments/x/chat/completions", query: "api-version=2024-10-21", body: `{"model":"model-1"}`}},
		{name: "rewritten", base: "/v1", path: "/v1/chat/completions", body: `{"model":"mini"}`, want: asked{path: "/v1/chat/completions", body: `{"model":"model-1"}`}},
		{name: "an alias", base: "/v1", setup: func(r *rig) { r.trial.Agent.Aliases = map[string]string{"mini": "model-0"} }, path: "/v1/chat/completions", body: `{"model":"mini"}`, want: asked{path: "/v1/chat/completions", body: `{"model":"model-0"}`}},
		{name: "allowed", base: "/v1", setup: func(r *rig) { r.trial.Agent.OtherModels = engine.OtherModelsAllow }, path: "/v1/chat/completions", body: `{"model":"mini"}`, want: asked{path: "/v1/chat/completions", body: `{"model":"mini"}`}},
		{name: "denied", base: "/v1", setup: func(r *rig) { r.trial.Agent.OtherModels = engine.OtherModelsDeny }, path: "/v1/chat/completions", body: `{"model":"mini"}`, code: 403},
		{name: "parameters", base: "/v1", setup: func(r *rig) {
			r.trial.Params = engine.Params{"temperature": json.RawMessage("0"), "reasoning": json.RawMessage(`{"effort":"low"}`)}
		}, path: "/v1/chat/completions", body: `{"model":"model-1","temperature":1,"reasoning":{"effort":"high","x":1}}`, want: asked{path: "/v1/chat/completions", body: `{"model":"model-1","reasoning":{"effort":"low","x":1},"temperature":0}`}},
		{name: "headers", base: "/v1", setup: func(r *rig) {
			r.provider.Headers = map[string]engine.HeaderValue{"X-Team": {Text: "bench"}, "X-Second": {Secret: &engine.Secret{Name: "second"}}, "X-Third": {Secret: &engine.Secret{Name: "third", Optional: true}}}
			r.options.Secret = func(s *engine.Secret) (string, error) {
				return map[string]string{"up": testKey, "second": "another-s3cret"}[s.Name], nil
			}
		}, path: "/v1/chat/completions", body: `{"model":"model-1"}`, want: asked{path: "/v1/chat/completions", body: `{"model":"model-1"}`}, seen: map[string]string{"X-Team": "bench", "X-Second": "another-s3cret", "X-Third": "", "Accept-Encoding": "identity", "Cookie": "", "User-Agent": "agent/1"}},
		{name: "responses", base: "/v1", path: "/v1/responses", body: `{"model":"mini","input":"Hello"}`, want: asked{path: "/v1/responses", body: `{"model":"model-1","input":"Hello"}`}},
		{name: "chat, as it is", api: engine.APIChat, base: "/v1", path: "/v1/chat/completions", body: `{ "model":"mini", ` + prompt + `}`, want: asked{path: "/v1/chat/completions", body: `{ "model":"model-1", ` + prompt + `}`}},
		{name: "chat, asked for a response", api: engine.APIChat, base: "/v1", path: "/v1/responses", body: `{"model":"mini","input":"Hello"}`, want: asked{path: "/v1/chat/completions", body: `{"model":"model-1",` + prompt + `}`}, seen: map[string]string{"Authorization": "Bearer " + testKey}},
		{name: "Anthropic", api: engine.APIAnthropic, base: "/v1", path: "/v1/messages?beta=true", body: `{"model":"model-1"}`, want: asked{path: "/v1/messages", query: "beta=true", body: `{"model":"model-1"}`}, seen: map[string]string{"X-Api-Key": testKey, "Authorization": ""}},
		{name: "counted", api: engine.APIAnthropic, base: "/v1", path: "/v1/messages/count_tokens", body: `{"model":"model-1"}`, want: asked{path: "/v1/messages/count_tokens", body: `{"model":"model-1"}`}},
		{name: "Google, one array", api: engine.APIGoogle, base: "/v1beta", path: "/v1beta/models/model-1:streamGenerateContent", body: `{}`, want: asked{path: "/v1beta/models/model-1:streamGenerateContent", body: `{}`}, seen: map[string]string{"X-Goog-Api-Key": testKey}},
		{name: "Google, without its usage", api: engine.APIGoogle, base: "/v1beta", path: "/v1beta/models/other:streamGenerateContent?alt=sse&fields=candidates&key=TOKEN", body: `{}`, want: asked{path: "/v1beta/models/model-1:streamGenerateContent", query: "alt=sse", body: `{}`}},
	} {
		t.Run(s.name, func(t *testing.T) {
			r := newRig(t, engine.APIOpenAI)
			if s.api != "" {
				r.provider.API = s.api
			}
			if s.setup != nil {
				s.setup(r)
			}
			got := r.recording(s.base, func(w http.ResponseWriter, q *http.Request) {
				if s.api == engine.APIGoogle {
					_, _ = io.WriteString(w, `[{"candidates":[]}]`)
					return
				}
				chat(w, q)
			})
			a, saw := r.send(http.MethodPost, strings.ReplaceAll(s.path, "TOKEN", r.session.Token()), s.body, "Authorization", "Bearer "+r.session.Token(), "Cookie", "a=b", "User-Agent", "agent/1", "Accept-Encoding", "gzip, br")
			if s.code != 0 {
				if a.StatusCode != s.code || got.path != "" {
					t.Errorf("%d %s, asked %+v", a.StatusCode, saw, got)
				}
				return
			}
			if a.StatusCode != 200 || got.path != s.want.path || got.query != s.want.query || got.body != s.want.body {
				t.Errorf("%d %s\nasked %s?%s %s\nwant  %s?%s %s", a.StatusCode, saw, got.path, got.query, got.body, s.want.path, s.want.query, s.want.body)
			}
			for name, value := range s.seen {
				if got.header.Get(name) != value {
					t.Errorf("%s: %q, want %q", name, got.header.Get(name), value)
				}
			}
		})
	}
}

// A request may come compressed.
func TestCompressedRequest(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	got := r.recording("/v1", chat)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.WriteString(z, askBody(wire.OpenAI, true, true))
	z.Close()
	a, saw := r.send(http.MethodPost, "/v1/chat/completions", zipped.String(), "Authorization", "Bearer "+r.session.Token(), "Content-Encoding", "gzip")
	use, calls := r.close()
	r.log(saw, use, calls)
	if a.StatusCode != 200 || !strings.Contains(got.body, "Hello") || got.header.Get("Content-Encoding") != "" || calls[0].Request != askBody(wire.OpenAI, true, true) {
		t.Errorf("%d %s, asked %s", a.StatusCode, saw, got.body)
	}
}

// A request that unpacks to more than may be is refused, whatever it takes on the way.
func TestBomb(t *testing.T) {
	r := newRig(t, engine.APIOpenAI).scripted(always)
	var zipped bytes.Buffer
	z := gzip.NewWriter(&zipped)
	_, _ = io.Copy(z, &endless{70 << 20})
	z.Close()
	if a, saw := r.send(http.MethodPost, "/v1/chat/completions", zipped.String(), "Authorization", "Bearer "+r.session.Token(), "Content-Encoding", "gzip"); a.StatusCode != 413 {
		t.Errorf("%d %s", a.StatusCode, saw)
	}
}

// A stream that nobody has asked for is no broken answer, and what is not there is
// the agent's own error where only the agent has named it.
func TestNobodysFault(t *testing.T) {
	notFound := func(w http.ResponseWriter) {
		w.WriteHeader(404)
		_, _ = io.WriteString(w, `{"error":{"message":"no such thing"}}`)
	}
	for name, s := range map[string]struct {
		path   string
		second bool // the model has answered before
		policy engine.OtherModels
		model  string
		h      http.HandlerFunc
		status int
		reason engine.Reason
	}{
		"a stream that nobody asked for": {path: "/v1/chat/completions", h: func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, allChunks)
		}, status: 200},
		"no counting":             {path: "/v1/responses/input_tokens", h: func(w http.ResponseWriter, _ *http.Request) { notFound(w) }, status: 404},
		"no compaction":           {path: "/v1/responses/compact", h: func(w http.ResponseWriter, _ *http.Request) { notFound(w) }, status: 404},
		"a model that was chosen": {path: "/v1/chat/completions", policy: engine.OtherModelsAllow, model: "mine", h: func(w http.ResponseWriter, _ *http.Request) { notFound(w) }, status: 404},
		"an item that is gone":    {path: "/v1/chat/completions", second: true, h: func(w http.ResponseWriter, _ *http.Request) { notFound(w) }, status: 404},
		"no model":                {path: "/v1/chat/completions", h: func(w http.ResponseWriter, _ *http.Request) { notFound(w) }, status: 403, reason: engine.ReasonAuth},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, engine.APIOpenAI)
			r.trial.Agent.OtherModels = s.policy
			n := 0
			r.live(func(w http.ResponseWriter, q *http.Request) {
				if n++; s.second && n == 1 {
					chat(w, q)
					return
				}
				s.h(w, q)
			})
			if s.second {
				r.ask(wire.OpenAI, false, true)
			}
			model := "model-1"
			if s.model != "" {
				model = s.model
			}
			a, saw := r.send(http.MethodPost, s.path, `{"model":"`+model+`"}`, "Authorization", "Bearer "+r.session.Token())
			use, calls := r.close()
			r.log(saw, use, calls)
			if a.StatusCode != s.status || reasonOf(use) != s.reason {
				t.Errorf("%d %s, trouble %v", a.StatusCode, saw, use.Trouble)
			}
		})
	}
}

// What calls wait for at once is waited for once, and what an agent has to wait for
// because its own calls are being answered is its own time.
func TestWaiting(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.provider.Parallel = 1
	r.live(func(w http.ResponseWriter, q *http.Request) {
		time.Sleep(50 * time.Millisecond)
		chat(w, q)
	})
	began := time.Now()
	r.many(6)
	took := time.Since(began)
	use, calls := r.close()
	r.log("", use, calls)
	var sum time.Duration
	for _, c := range calls {
		sum += c.Waited
	}
	if sum < 500*time.Millisecond || use.Waited > took/2 {
		t.Errorf("waited %v, the calls %v together, in %v", use.Waited, sum, took)
	}
}

// A key that no header can hold is an error before anything is asked.
func TestUnusableKey(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.options.Secret = func(*engine.Secret) (string, error) { return testKey + "\n", nil }
	_, err := gateway.New([]*engine.Provider{r.provider}, r.options)
	if err == nil || !strings.Contains(err.Error(), "line break") || strings.Contains(fmt.Sprint(err), testKey) {
		t.Error(err)
	}
}
