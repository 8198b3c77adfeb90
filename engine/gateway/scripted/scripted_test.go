package scripted

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine/digest"
)

var update = flag.Bool("update", false, "write golden files")

func load(t testing.TB, text string) *Script {
	t.Helper()
	tree, err := digest.File("turns/greet.txt", fstest.MapFS{"greet.txt": {Data: []byte(text)}}, "greet.txt")
	if err != nil {
		t.Fatal(err)
	}
	s, diags := Load(tree)
	for _, d := range diags {
		t.Errorf("%s:%d: %s: %s", d.Subject.File, d.Subject.Start.Line, d.Summary, d.Detail)
	}
	if t.Failed() {
		t.FailNow()
	}
	return s
}

// A client is one that asks a family.
type client struct {
	name, path, stream string // path of each kind of request
	body               string
}

var clients = []client{
	{"chat", "/v1/chat/completions", "/v1/chat/completions", `{"model":"m","messages":[],"stream":%t,"stream_options":{"include_usage":true},"tools":[{}]}`},
	{"responses", "/v1/responses", "/v1/responses", `{"model":"m","input":[],"stream":%t,"tools":[{}]}`},
	{"messages", "/v1/messages?beta=true", "/v1/messages?beta=true", `{"model":"m","messages":[],"stream":%t,"tools":[{}]}`},
	{"generate", "/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse", `{"contents":[],"tools":[{"functionDeclarations":[{}]}],"x":%t}`},
}

func (c client) request(url string, stream bool) *http.Request {
	path := c.path
	if stream {
		path = c.stream
	}
	r, err := http.NewRequest("POST", url+path, strings.NewReader(fmt.Sprintf(c.body, stream)))
	if err != nil {
		panic(err)
	}
	return r
}

// got is what came of a request.
type got struct {
	status int
	header http.Header
	body   []byte
	err    error
}

func do(hc *http.Client, r *http.Request) got {
	a, err := hc.Do(r)
	if err != nil {
		return got{err: err}
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	return got{a.StatusCode, a.Header, body, err}
}

// each runs a test for all families, plain and streamed, against a script.
func each(t *testing.T, script string, test func(t *testing.T, c client, stream bool, ask func() got)) {
	s := load(t, script)
	for _, c := range clients {
		for _, stream := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s stream=%t", c.name, stream), func(t *testing.T) {
				server := httptest.NewServer(s.Trial("greet"))
				defer server.Close()
				hc := &http.Client{Transport: &http.Transport{}}
				defer hc.CloseIdleConnections()
				test(t, c, stream, func() got { return do(hc, c.request(server.URL, stream)) })
			})
		}
	}
}

const example = `# What the model answers in greet.
case greet

turn
text I write the file, as you have asked me to do.
call write_file
  path = "hello.txt"
  lines = [1, 2]
  content = <<END
Hello, "world" & <all>!
END
call shell
usage input=120 cache_read=1000 cache_write=30 output=17 reasoning=4

turn
usage none
stop length
text <<END
Döne.
  Really.
END
`

// These are the bytes that clients get.
func TestGolden(t *testing.T) {
	each(t, example, func(t *testing.T, c client, stream bool, ask func() got) {
		var out bytes.Buffer
		for range 3 {
			g := ask()
			fmt.Fprintf(&out, "%d %s\n%s\n\n", g.status, g.header.Get("Content-Type"), g.body)
		}
		name := c.name + map[bool]string{true: "_stream"}[stream] + ".txt"
		path := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(path, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	})
}

// datas are the texts of JSON in an answer.
func datas(g got, stream bool) (out [][]byte) {
	if !stream {
		return [][]byte{g.body}
	}
	for line := range bytes.Lines(g.body) {
		if data, ok := bytes.CutPrefix(line, []byte("data: ")); ok && !bytes.HasPrefix(data, []byte("[DONE]")) {
			out = append(out, bytes.TrimSpace(data))
		}
	}
	return out
}

// What goes wrong looks the same to a client as it would from a provider.
func TestTroubles(t *testing.T) {
	ok := func(t *testing.T, g got) {
		t.Helper()
		if g.err != nil || g.status != 200 {
			t.Errorf("got %d, %v: %s", g.status, g.err, g.body)
		}
	}
	valid := func(g got, stream bool) bool {
		for _, d := range datas(g, stream) {
			if !json.Valid(d) {
				return false
			}
		}
		return true
	}
	const many = "text One two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen.\n"
	for _, tt := range []struct {
		name, turn string
		check      func(t *testing.T, c client, stream bool, g got)
	}{
		{"error 429", "error 429 retry_after=1500ms slow down", func(t *testing.T, c client, _ bool, g got) {
			want := "2"
			if c.name == "generate" {
				want = ""
				if !bytes.Contains(g.body, []byte(`"retryDelay":"1.5s"`)) {
					t.Errorf("no delay in %s", g.body)
				}
			}
			if g.status != 429 || g.header.Get("Retry-After") != want || !bytes.Contains(g.body, []byte("slow down")) || !json.Valid(g.body) {
				t.Errorf("got %d %v %s", g.status, g.header, g.body)
			}
		}},
		{"error 529", "error 529", func(t *testing.T, c client, _ bool, g got) {
			if g.status != 529 || g.header.Get("Content-Type") != "application/json" || (c.name == "messages") != bytes.Contains(g.body, []byte("overloaded_error")) {
				t.Errorf("got %d %s", g.status, g.body)
			}
		}},
		{"error in a stream", many + "error 500 after=2 broke", func(t *testing.T, c client, stream bool, g got) {
			if !stream {
				if g.status != 500 {
					t.Errorf("got %d", g.status)
				}
				return
			}
			ok(t, g)
			if n := len(datas(g, true)); n != 3 || !bytes.Contains(datas(g, true)[2], []byte("broke")) || bytes.Contains(g.body, []byte("[DONE]")) {
				t.Errorf("%d events: %s", n, g.body)
			}
		}},
		{"break at once", "break", func(t *testing.T, _ client, _ bool, g got) {
			if g.err == nil || g.status != 0 {
				t.Errorf("got %d, %v", g.status, g.err)
			}
		}},
		{"break in the middle", many + "break after=2", func(t *testing.T, _ client, stream bool, g got) {
			if g.status != 200 || g.err == nil || len(g.body) == 0 || stream && len(datas(g, true)) != 2 {
				t.Errorf("got %d, %v: %s", g.status, g.err, g.body)
			}
		}},
		{"close at once", "close", func(t *testing.T, _ client, _ bool, g got) {
			if g.err == nil || g.status != 0 {
				t.Errorf("got %d, %v", g.status, g.err)
			}
		}},
		{"close in the middle", many + "close after=2", func(t *testing.T, _ client, stream bool, g got) {
			if g.status != 200 || !errors.Is(g.err, io.ErrUnexpectedEOF) || stream && len(datas(g, true)) != 2 {
				t.Errorf("got %d, %v: %s", g.status, g.err, g.body)
			}
		}},
		{"garble json", many + "garble json", func(t *testing.T, _ client, stream bool, g got) {
			ok(t, g)
			if valid(g, stream) {
				t.Errorf("this is JSON: %s", g.body)
			}
		}},
		{"garble utf8", many + "garble utf8", func(t *testing.T, _ client, stream bool, g got) {
			ok(t, g)
			if utf8.Valid(g.body) || !valid(g, stream) && utf8.Valid(g.body) {
				t.Errorf("this is UTF-8: %s", g.body)
			}
		}},
		{"pad", "text x\npad 3MB", func(t *testing.T, _ client, stream bool, g got) {
			ok(t, g)
			if n := bytes.Count(g.body, []byte("x")); n < 3_000_001 || !valid(g, stream) {
				t.Errorf("%d characters", n)
			}
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			each(t, "turn\n"+tt.turn+"\nturn\ntext Fine.\n", func(t *testing.T, c client, stream bool, ask func() got) {
				tt.check(t, c, stream, ask())
				ok(t, ask())
			})
		})
	}
}

// While one side of a connection is closed, the other one is still read.
func TestHalfClosed(t *testing.T) {
	server := httptest.NewServer(load(t, "turn\ntext x\nclose after=1\n").Trial("greet"))
	defer server.Close()
	conn, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(30 * time.Second)); err != nil {
		t.Fatal(err)
	}
	if err := clients[0].request(server.URL, true).Write(conn); err != nil {
		t.Fatal(err)
	}
	if all, err := io.ReadAll(conn); err != nil || !bytes.Contains(all, []byte("data: ")) || bytes.HasSuffix(all, []byte("0\r\n\r\n")) {
		t.Errorf("got %q, %v", all, err)
	}
	for range 100 {
		if _, err := conn.Write(make([]byte, 1<<10)); err != nil {
			t.Fatalf("the other side is closed, too: %v", err)
		}
	}
}

// pipe serves a handler without a network, so that time can be virtual.
func pipe(h http.Handler) (hc *http.Client, end func()) {
	l := &listener{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: h}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(l) })
	rt := &http.Transport{DialContext: l.dial, DisableKeepAlives: true}
	return &http.Client{Transport: rt}, func() {
		rt.CloseIdleConnections()
		server.Close()
		wg.Wait()
	}
}

// All waits are of the clock of the bubble, and exact.
func TestVirtualTime(t *testing.T) {
	const script = `
turn
wait 10m
text Late.

turn
text One two three four five six seven eight nine ten.
pace 1m

turn
hang

turn
text One two three four five six seven eight nine ten.
hang after=2

turn
wait 1h
error 429 retry_after=30s
`
	s := load(t, script)
	synctest.Test(t, func(t *testing.T) {
		hc, end := pipe(s.Trial("greet"))
		defer end()
		hc.Timeout = 2 * time.Hour
		for i, want := range []struct {
			took   time.Duration
			status int
			events int
		}{{10 * time.Minute, 200, 4}, {6 * time.Minute, 200, 6}, {2 * time.Hour, 0, 0}, {2 * time.Hour, 200, 2}, {time.Hour, 429, 0}} {
			start := time.Now()
			g := do(hc, clients[0].request("http://model", true))
			if took := time.Since(start); took != want.took || g.status != want.status || len(datas(g, true)) != want.events {
				t.Errorf("request %d: %v, status %d, %d events, %v", i+1, took, g.status, len(datas(g, true)), g.err)
			}
		}
	})
}

type listener struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *listener) dial(_ context.Context, _, _ string) (net.Conn, error) {
	a, b := net.Pipe()
	select {
	case l.conns <- b:
		return a, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l *listener) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

func (l *listener) Addr() net.Addr { return &net.TCPAddr{} }

// Which turns are given depends on the case, the model, and whether there are tools.
func TestChoice(t *testing.T) {
	s := load(t, `
case debugging/* hello
model m
tools no
turn always
text title

case debugging/*
turn 2
text twice
turn
text once

model big-*
turn always
text big

case debugging/*
turn always
text never
`)
	ask := func(h http.Handler, model, tools string) string {
		r := httptest.NewRequest("POST", "/v1/messages", strings.NewReader(`{"model":"`+model+`"`+tools+`}`))
		w := httptest.NewRecorder()
		h.ServeHTTP(w, r)
		var out struct {
			Content []struct{ Text string }
			Error   struct{ Message string }
		}
		if err := json.Unmarshal(w.Body.Bytes(), &out); err != nil {
			t.Fatal(err)
		}
		if w.Code != 200 {
			return out.Error.Message
		}
		return out.Content[0].Text
	}
	const tools = `,"tools":[{}]`
	trial := s.Trial("debugging/off/by_one")
	for i, tt := range []struct{ model, tools, want string }{
		{"m", tools, "twice"}, {"m", "", "title"}, {"x", tools, "twice"}, {"m", "", "title"}, {"m", tools, "once"},
	} {
		if got := ask(trial, tt.model, tt.tools); got != tt.want {
			t.Errorf("%d: got %q", i, got)
		}
	}
	if err := trial.Err(); err != nil {
		t.Error(err)
	}
	const spent = "turns/greet.txt:9: the turns that begin here are at their end with request 4; write one more, or \"turn always\""
	if got := ask(trial, "m", tools); got != "bench: "+spent || trial.Err() == nil || trial.Err().Error() != spent {
		t.Errorf("got %q, %v", got, trial.Err())
	}
	if got := ask(s.Trial("debugging/off/by_one"), "m", tools); got != "twice" {
		t.Errorf("another attempt begins with %q", got)
	}
	other := s.Trial("other")
	if got := ask(other, "big-1", ""); got != "big" {
		t.Errorf("got %q", got)
	}
	if got := ask(other, "small", ""); !strings.Contains(got, `nothing in the script is for the case "other", the model "small" and a request without tools`) {
		t.Errorf("got %q", got)
	}
}

func TestGlob(t *testing.T) {
	for _, tt := range []struct {
		pattern, name string
		want          bool
	}{
		{"*", "", true}, {"a", "a", true}, {"a", "ab", false}, {"a*", "a/b/c", true}, {"*c", "a/b/c", true}, {"a*b*c", "axbxbxc", true},
		{"a*b*c", "axbxbx", false}, {"", "", true}, {"", "a", false}, {"**", "a", true}, {"[a]", "a", false},
	} {
		if got := glob(tt.pattern, tt.name); got != tt.want {
			t.Errorf("%q fits %q: %t", tt.pattern, tt.name, got)
		}
	}
}

// A text is cut between its characters, and nothing of it is lost.
func TestPieces(t *testing.T) {
	for _, text := range []string{"", "a", strings.Repeat("é", 12), strings.Repeat("é", 13), "a" + strings.Repeat("日本", 20), strings.Repeat("a日", 100_000)} {
		all := pieces(text)
		if strings.Join(all, "") != text || len(all) > 300 {
			t.Errorf("%d bytes became %d pieces", len(text), len(all))
		}
		for _, p := range all {
			if p == "" || !utf8.ValidString(p) {
				t.Errorf("%q is a piece of %d bytes", p, len(text))
			}
		}
	}
}

// What clients ask beside answers takes no turn.
func TestSideCalls(t *testing.T) {
	trial := load(t, "turn\ntext x\n").Trial("greet")
	for _, tt := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"HEAD", "/", "", 200, ""},
		{"GET", "/v1/models", "", 200, `"data":[]`},
		{"POST", "/v1/messages/count_tokens", "12345", 200, `"input_tokens":2`},
		{"POST", "/v1beta/models/m:countTokens", "12345678", 200, `"totalTokens":2`},
		{"POST", "/v1/embeddings", "{}", 404, "there is no POST /v1/embeddings"},
		{"GET", "/v1/messages", "", 404, "there is no GET"},
		{"POST", "/v1/messages", "{", 400, "cannot be read"},
		{"POST", "/v1/messages", "{}", 400, "names no model"},
		{"POST", "/v1beta/models/:generateContent", "{}", 400, "names no model"},
		{"POST", "/v1/messages", strings.Repeat(" ", maxRequest+1), 413, "too large"},
		{"POST", "/v1beta/models/a:b:streamGenerateContent", "{}", 200, `[{"candidates"`},
	} {
		w := httptest.NewRecorder()
		trial.ServeHTTP(w, httptest.NewRequest(tt.method, tt.path, strings.NewReader(tt.body)))
		if w.Code != tt.status || !strings.Contains(w.Body.String(), tt.want) {
			t.Errorf("%s %s: got %d %s", tt.method, tt.path, w.Code, w.Body)
		}
		if tt.status == 200 && tt.want != "" && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s: no JSON: %s", tt.method, tt.path, w.Body)
		}
	}
	r := httptest.NewRequest("GET", "/v1/responses", nil)
	r.Header.Set("Upgrade", "websocket")
	w := httptest.NewRecorder()
	trial.ServeHTTP(w, r)
	if w.Code != http.StatusUpgradeRequired {
		t.Errorf("got %d", w.Code)
	}
}

// Many may ask at once: each turn is given as often as it says.
func TestParallel(t *testing.T) {
	trial := load(t, "turn 50\ntext a\nturn\ntext b\n").Trial("greet")
	var wg sync.WaitGroup
	var mu sync.Mutex
	seen, ids := map[string]int{}, map[string]bool{}
	for range 52 {
		wg.Go(func() {
			w := httptest.NewRecorder()
			trial.ServeHTTP(w, clients[2].request("", false))
			var out struct {
				ID      string
				Content []struct{ Text string }
			}
			_ = json.Unmarshal(w.Body.Bytes(), &out)
			mu.Lock()
			defer mu.Unlock()
			text := fmt.Sprint(w.Code)
			if w.Code == 200 {
				text, ids[out.ID] = out.Content[0].Text, true
			}
			seen[text]++
		})
	}
	wg.Wait()
	if diff := cmp.Diff(map[string]int{"a": 50, "b": 1, "400": 1}, seen); diff != "" || len(ids) != 51 {
		t.Errorf("%d ids, %s", len(ids), diff)
	}
}
