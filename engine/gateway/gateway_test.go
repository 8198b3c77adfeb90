package gateway_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// A rig is a session in front of a provider, and a server in front of the session.
type rig struct {
	*testing.T
	provider *engine.Provider
	trial    *engine.Trial
	options  gateway.Options
	gateway  *gateway.Gateway
	session  *gateway.Session
	server   *httptest.Server
	trace    record
}

// A record is a trace that can be looked at while it is written.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// traced is how many calls have ended.
func (r *rig) traced() int { return strings.Count(r.trace.String(), "\n") }

const testKey = "sk-canary-5f1c9b7e02d84a"

// quick is the timing of tests that have to wait.
var quick = gateway.Timing{
	Patience: 2 * time.Second, Backoff: time.Millisecond, Longest: 5 * time.Millisecond, First: 300 * time.Millisecond, Silence: 300 * time.Millisecond,
	Early: 50 * time.Millisecond, KeepAlive: 20 * time.Millisecond, Body: 300 * time.Millisecond, Drain: 50 * time.Millisecond,
}

func newRig(t *testing.T, api engine.API) *rig {
	t.Helper()
	p := &engine.Provider{Name: "up", API: api, Mode: engine.ModeLive, Parallel: 64, APIKey: &engine.Secret{Name: "up", Env: "UP"}}
	zero := 1.0
	m := &engine.Model{Name: "m", Provider: p, ID: "model-1", Price: &engine.Price{Input: 1, Output: 10, CachedInput: &zero}}
	return &rig{T: t, provider: p, trial: &engine.Trial{
		ID: engine.TrialID{Matrix: "x", Case: "greet", Agent: "a", Model: "m", N: 1}, Model: m, Agent: &engine.Agent{Name: "a"}, Case: &engine.Case{Name: "greet"},
	}, options: gateway.Options{Root: t.TempDir(), Secret: func(*engine.Secret) (string, error) { return testKey, nil }, Timing: quick}}
}

// scripted lets a script answer.
func (r *rig) scripted(script string) *rig {
	r.provider.Mode, r.provider.APIKey = engine.ModeScripted, nil
	r.provider.Script = scriptTree(r.T, script)
	return r.open()
}

// live lets a handler answer, over the net, below a path.
func (r *rig) live(h http.HandlerFunc, below ...string) *rig {
	up := httptest.NewServer(h)
	r.Cleanup(up.Close)
	r.provider.BaseURL = up.URL + strings.Join(append(below, "/v1")[:1], "")
	return r.open()
}

func (r *rig) open() *rig {
	r.Helper()
	g, err := gateway.New([]*engine.Provider{r.provider}, r.options)
	if err != nil {
		r.Fatal(err)
	}
	r.gateway = g
	if r.session, err = g.Open(r.trial, &r.trace); err != nil {
		r.Fatal(err)
	}
	r.server = httptest.NewServer(r.session)
	r.Cleanup(func() { _, _ = r.session.Close(); r.server.Close() })
	return r
}

// close ends the session, and gives its use and its trace.
func (r *rig) close() (gateway.Use, []gateway.Trace) {
	r.Helper()
	use, err := r.session.Close()
	if err != nil {
		r.Error(err)
	}
	calls, err := gateway.ReadTraces(strings.NewReader(r.trace.String()))
	if err != nil {
		r.Error(err)
	}
	return use, calls
}

func scriptTree(t *testing.T, script string) *engine.Tree {
	t.Helper()
	tree, err := digest.File("script.txt", fstest.MapFS{"script.txt": {Data: []byte(script)}}, "script.txt")
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

// ask is a request in the words of a family.
func (r *rig) ask(f wire.Family, stream, tools bool) (int, string) {
	r.Helper()
	q, err := http.NewRequest(http.MethodPost, r.server.URL+askPath(f, stream), strings.NewReader(askBody(f, stream, tools)))
	if err != nil {
		r.Fatal(err)
	}
	name, scheme := keyHeader(f)
	q.Header.Set(name, scheme+r.session.Token())
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err.Error()
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		return a.StatusCode, string(body) + "\n" + err.Error()
	}
	return a.StatusCode, string(body)
}

func keyHeader(f wire.Family) (name, scheme string) {
	switch f {
	case wire.Anthropic:
		return "X-Api-Key", ""
	case wire.Google:
		return "X-Goog-Api-Key", ""
	}
	return "Authorization", "Bearer "
}

func askPath(f wire.Family, stream bool) string {
	switch f {
	case wire.OpenAI:
		return "/v1/chat/completions"
	case wire.Responses:
		return "/responses"
	case wire.Anthropic:
		return "/v1/messages"
	}
	if stream {
		return "/v1beta/models/model-1:streamGenerateContent?alt=sse"
	}
	return "/v1beta/models/model-1:generateContent"
}

func askBody(f wire.Family, stream, tools bool) string {
	parameters := map[string]any{"type": "object", "properties": map[string]any{"path": map[string]any{"type": "string"}}}
	q := map[string]any{"model": "model-1"}
	if stream {
		q["stream"] = true
	}
	var list []any
	switch f {
	case wire.OpenAI:
		q["messages"] = []any{map[string]any{"role": "user", "content": "Hello"}}
		list = []any{map[string]any{"type": "function", "function": map[string]any{"name": "write", "parameters": parameters}}}
	case wire.Responses:
		q["input"] = "Hello"
		list = []any{map[string]any{"type": "function", "name": "write", "parameters": parameters}}
	case wire.Anthropic:
		q["max_tokens"], q["messages"] = 100, []any{map[string]any{"role": "user", "content": "Hello"}}
		list = []any{map[string]any{"name": "write", "input_schema": parameters}}
	case wire.Google:
		q = map[string]any{"contents": []any{map[string]any{"role": "user", "parts": []any{map[string]any{"text": "Hello"}}}}}
		list = []any{map[string]any{"functionDeclarations": []any{map[string]any{"name": "write", "parameters": parameters}}}}
	}
	if tools {
		q["tools"] = list
	}
	text, _ := json.Marshal(q)
	return string(text)
}

// Every family is answered by every provider, plain and streamed, and is counted
// alike.
func TestEveryPair(t *testing.T) {
	const script = "turn always\ntext Hi there.\ncall write\n  path = \"a.txt\"\nusage input=100 cache_read=40 output=20 reasoning=5\n"
	for _, api := range engine.APIs {
		for _, f := range wire.Families {
			for _, stream := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s/%s/%t", api, f, stream), func(t *testing.T) {
					r := newRig(t, api).scripted(script)
					status, body := r.ask(f, stream, true)
					if status != http.StatusOK || !strings.Contains(body, "a.txt") {
						t.Fatalf("status %d: %s", status, body)
					}
					use, calls := r.close()
					if use.Trouble != nil || use.Requests != 1 || use.Turns != 1 || use.Tokens == nil || *use.Tokens != 160 {
						t.Errorf("use: %+v %v", use, use.Trouble)
					}
					if want := (100*1 + 40*1 + 20*10) / 1e6; use.Cost == nil || *use.Cost != want {
						t.Errorf("cost %v, want %v", use.Cost, want)
					}
					if len(calls) != 1 || calls[0].Status != 200 || calls[0].Cut || calls[0].Stop == "" || calls[0].Request != askBody(f, stream, true) || calls[0].Response != body {
						t.Errorf("calls: %+v", calls)
					}
				})
			}
		}
	}
}
