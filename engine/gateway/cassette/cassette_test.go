package cassette

import (
	"bytes"
	"encoding/base64"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
)

var update = flag.Bool("update", false, "write golden files")

var trial = engine.TrialID{Matrix: "smoke", Case: "debugging/off_by_one", Agent: "react", Model: "gpt", N: 1}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// said is what a client gets of one call.
type said struct {
	Status int
	Type   string
	Retry  string
	Body   string
	Err    string
}

func ask(t testing.TB, client *http.Client, url, body string) said {
	t.Helper()
	a, err := client.Post(url, "application/json", strings.NewReader(body))
	if err != nil {
		return said{Err: err.Error()}
	}
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	s := said{Status: a.StatusCode, Type: a.Header.Get("Content-Type"), Retry: a.Header.Get("Retry-After"), Body: string(got)}
	if err != nil {
		s.Err = "broken off"
	}
	return s
}

func open(t testing.TB, r *Recorder, id engine.TrialID) *Tape {
	t.Helper()
	tape, err := r.Open(id)
	if err != nil {
		t.Fatal(err)
	}
	return tape
}

func play(t testing.TB, dir string, o Options, id engine.TrialID) *Playback {
	t.Helper()
	p, err := NewPlayer(dir, o).Open(id)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func file(t testing.TB, dir string) []byte {
	t.Helper()
	text, err := os.ReadFile(fileOf(dir, trial))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// hide takes one secret out, also in base64.
func hide(b []byte) []byte {
	for _, s := range []string{"hunter22", base64.StdEncoding.EncodeToString([]byte("hunter22"))} {
		b = bytes.ReplaceAll(b, []byte(s), []byte("[secret]"))
	}
	return b
}

// A recorded session looks like this, and is played without the server.
func TestGolden(t *testing.T) {
	answers := []func(http.ResponseWriter){
		func(w http.ResponseWriter) {
			w.Header().Set("Retry-After", "2")
			w.Header().Set("X-Account", "ours")
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(429)
			io.WriteString(w, `{"error":{"message":"slow down","code":null}}`+"\n")
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			io.WriteString(w, `{"id":"chatcmpl-Bx7Qp0aaLm93","created":1795776000,"choices":[{"message":{"role":"assistant","content":"I look.\nThen I write.","tool_calls":[]}}]}`)
		},
		func(w http.ResponseWriter) {
			w.Header().Set("Content-Type", "text/event-stream")
			for _, chunk := range []string{"data: {\"text\":\"h\u00e9", "\"}\r\n\r\n", "data: \xff\n\n", "data: [DONE]"} {
				io.WriteString(w, chunk)
				w.(http.Flusher).Flush()
				<-next
			}
		},
	}
	n := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		n++
		answers[n-1](w)
	}))
	defer server.Close()
	requests := []struct{ path, body string }{
		{"/v1/chat/completions?key=hunter22", `{"model":"gpt","messages":[{"role":"user","content":"Fix <it>.\nToday is 2026-11-27.\n"},{"role":"user","content":"a"}],"metadata":{"run":7},"stream":false}`},
		{"/v1/chat/completions?key=hunter22", `{"model":"gpt","messages":[{"role":"user","content":"Fix <it>.\nToday is 2026-11-27.\n"},{"role":"user","content":"a"}],"metadata":{"run":8},"stream":false}`},
		{"/v1/chat/completions?key=hunter22", `{"stream":true,"model":"gpt","messages":[{"role":"user","content":"Fix <it>.\nToday is 2026-11-28.\n"},{"role":"user","content":"a"},
			{"role":"assistant","tool_calls":[{"id":"call_Ab3dEf6hIj9lMn2p"}]},{"role":"tool","tool_call_id":"call_Ab3dEf6hIj9lMn2p","content":"/tmp/tmp8x_q2/a.py: 3 passed in 0.04s, key hunter22"}]}`},
	}
	session := func(client *http.Client, url string) (out []said) {
		for _, q := range requests {
			out = append(out, ask(t, client, url+q.path, q.body))
		}
		return out
	}
	dir := t.TempDir()
	tape := open(t, NewRecorder(dir, Options{Mask: hide}), trial)
	want := session(&http.Client{Transport: chunked(tape.Transport(http.DefaultTransport))}, server.URL)
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	golden(t, "session.txt", file(t, dir))

	requests[2].body = strings.NewReplacer("Ab3dEf6hIj9lMn2p", "Zz9yXw8vUt7sRq6p", "8x_q2", "a11b2", "0.04s", "0.11s").Replace(requests[2].body)
	p := play(t, dir, Options{Mask: hide}, trial)
	if diff := cmp.Diff(want, session(&http.Client{Transport: p}, "http://nowhere.invalid/other/v1")); diff != "" {
		t.Errorf("replay (-recorded +replayed):\n%s", diff)
	}
	if left := p.Unasked(); left != nil {
		t.Errorf("not asked: %v", left)
	}
}

// next lets a server send its next chunk, once the one before has been read.
var next = make(chan struct{})

type pacing struct{ io.ReadCloser }

func (p pacing) Read(b []byte) (int, error) {
	n, err := p.ReadCloser.Read(b)
	if n > 0 {
		next <- struct{}{}
	}
	return n, err
}

// chunked makes each flush of a streaming server one chunk.
func chunked(rt http.RoundTripper) http.RoundTripper {
	return roundTrip(func(q *http.Request) (*http.Response, error) {
		a, err := rt.RoundTrip(q)
		if err == nil && a.Header.Get("Content-Type") == "text/event-stream" {
			a.Body = pacing{a.Body}
		}
		return a, err
	})
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(q *http.Request) (*http.Response, error) { return f(q) }

// What was recorded is what is played, byte for byte, however many calls are under
// way at once and in whatever order they come again.
func TestReplayIsRecording(t *testing.T) {
	piece := rapid.OneOf(
		rapid.SampledFrom([]string{"data: {\"a\":1}\n\n", "\r\n", "\n", "end\n", "cut\n", "+\n", "= 3\n", "< 200\n", "{\"a\": 1}", `{"a":"b\nc"}`, "[]\n", " \n", "| x", "\xff\xfe", "\u2028", "é", "\xc3", "\xa9"}),
		rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) }))
	type exchange struct {
		path, body, kind string
		status           int
		pieces           []string
		cut              bool
	}
	draw := rapid.Custom(func(t *rapid.T) exchange {
		return exchange{
			path:   rapid.SampledFrom([]string{"/v1/chat/completions", "/v1/messages?beta=true", "/v1beta/models/m:streamGenerateContent?alt=sse", "/x"}).Draw(t, "path"),
			body:   rapid.OneOf(rapid.SampledFrom([]string{"", "null", "3", `{"a":[{"b":"c\n\nd"},{}],"n":1.0}`, "= 3\nend\n", `{"a":[1,2,3,4,5,6,7,8]}`, `{"a":[1,2,3,9,4,5,6,7,8]}`}), piece).Draw(t, "body"),
			kind:   rapid.SampledFrom([]string{"application/json", "text/event-stream", "text/plain"}).Draw(t, "kind"),
			status: rapid.SampledFrom([]int{200, 400, 429, 500, 529}).Draw(t, "status"),
			pieces: rapid.SliceOfN(piece, 0, 6).Draw(t, "pieces"),
			cut:    rapid.Bool().Draw(t, "cut"),
		}
	})
	var mu sync.Mutex
	var plan map[string]exchange
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		e := plan[r.Header.Get("X-Exchange")]
		mu.Unlock()
		w.Header().Set("Content-Type", e.kind)
		w.WriteHeader(e.status)
		for _, p := range e.pieces {
			io.WriteString(w, p)
			w.(http.Flusher).Flush()
		}
		if e.cut {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}))
	defer server.Close()
	// all asks everything at once, in some order, and tells what was answered to what.
	all := func(rt http.RoundTripper, exchanges []exchange, order []int) map[string]map[said]int {
		var wg sync.WaitGroup
		out := map[string]map[said]int{}
		for _, i := range order {
			wg.Go(func() {
				e := exchanges[i]
				client := &http.Client{Transport: roundTrip(func(q *http.Request) (*http.Response, error) {
					q.Header.Set("X-Exchange", fmt.Sprint(i))
					return rt.RoundTrip(q)
				})}
				s := ask(t, client, server.URL+e.path, e.body)
				mu.Lock()
				defer mu.Unlock()
				q := normal(Request{"POST", e.path, []byte(e.body)}, none)
				key := q.Path + string(q.Body)
				if out[key] == nil {
					out[key] = map[said]int{}
				}
				out[key][s]++
			})
		}
		wg.Wait()
		return out
	}
	root := t.TempDir()
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		exchanges := rapid.SliceOfN(draw, 0, 8).Draw(rt, "exchanges")
		order := rand.New(rand.NewPCG(1, rapid.Uint64().Draw(rt, "order"))).Perm(len(exchanges))
		mu.Lock()
		plan = map[string]exchange{}
		for i, e := range exchanges {
			plan[fmt.Sprint(i)] = e
		}
		mu.Unlock()
		runs++
		dir := filepath.Join(root, fmt.Sprint(runs))
		tape := open(t, NewRecorder(dir, Options{}), trial)
		want := all(tape.Transport(http.DefaultTransport), exchanges, order)
		if err := tape.Close(); err != nil {
			rt.Fatal(err)
		}
		p := play(t, dir, Options{}, trial)
		slices.Reverse(order)
		if diff := cmp.Diff(want, all(p, exchanges, order)); diff != "" {
			rt.Fatalf("(-recorded +replayed):\n%s\n%s", diff, file(t, dir))
		}
		if left := p.Unasked(); left != nil {
			rt.Fatalf("not asked: %v", left)
		}
		checkStable(rt, file(t, dir))
	})
}

// checkStable holds a text that can be parsed against what is written of it.
func checkStable(t interface{ Fatalf(string, ...any) }, text []byte) {
	r, err := parse(text)
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	again := r.encode()
	if !bytes.Equal(again, text) {
		t.Fatalf("(-before +after):\n%s", cmp.Diff(string(text), string(again)))
	}
}

func call1(body string) Request { return Request{"POST", "/v1/messages", []byte(body)} }

func answered(text string) Response {
	return Response{Status: 200, Header: http.Header{"Content-Type": {"application/json"}}, Chunks: [][]byte{[]byte(text)}}
}

func record(t testing.TB, dir string, pairs ...[2]string) {
	t.Helper()
	tape := open(t, NewRecorder(dir, Options{}), trial)
	for _, p := range pairs {
		if err := tape.Begin(call1(p[0])).End(answered(p[1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
}

// Calls stand in the order in which they began, not in that of their ends.
func TestOrder(t *testing.T) {
	dir := t.TempDir()
	tape := open(t, NewRecorder(dir, Options{}), trial)
	a, lost, b := tape.Begin(call1(`"a"`)), tape.Begin(call1(`"lost"`)), tape.Begin(call1(`"b"`))
	_ = lost // its connection broke
	for _, p := range []*Pending{b, a} {
		if err := p.End(answered("{}")); err != nil {
			t.Fatal(err)
		}
	}
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := parse(file(t, dir))
	if err != nil || len(r.calls) != 2 || string(r.calls[0].request.Body) != `"a"` || r.calls[1].n != 2 {
		t.Errorf("got %v, %v", r, err)
	}
}

// Equal requests get their answers in order, and no answer twice.
func TestEqualRequests(t *testing.T) {
	dir := t.TempDir()
	record(t, dir, [2]string{`1`, "first"}, [2]string{`2`, "other"}, [2]string{`1`, "second"})
	p := play(t, dir, Options{}, trial)
	for _, want := range []string{"first", "second"} {
		a, err := p.Answer(call1(" 1 "))
		if err != nil || string(a.Chunks[0]) != want {
			t.Fatalf("got %v, %v", a, err)
		}
	}
	if left := p.Unasked(); !cmp.Equal(left, []int{2}) {
		t.Errorf("not asked: %v", left)
	}
	if _, err := p.Answer(call1("1")); err == nil {
		t.Error("a third answer was made up")
	}
}

func TestMiss(t *testing.T) {
	const asked = `{"model":"m","messages":[{"role":"user","content":"Fix it."},{"role":"tool","content":"2 failed"}],"tools":[{"name":"a"},{"name":"b"}]}`
	long := strings.Repeat("x", 100)
	for _, tt := range []struct{ name, recorded, want string }{
		{"none", "", "No call was recorded."},
		{"value", strings.Replace(asked, "2 failed", "1 failed", 1), `messages[1].content: recorded "1 failed", asked "2 failed"`},
		{"long", strings.Replace(asked, "2 failed", long+`\n`+long, 1), `recorded "` + strings.Repeat("x", 60) + `"…, asked "2 failed"`},
		{"member", strings.Replace(asked, `"model"`, `"top_p":0.5,"model"`, 1), `top_p: recorded 0.5, asked nothing`},
		{"element", strings.Replace(asked, `{"name":"a"},`, "", 1), `tools[0]: recorded nothing, asked {"name":"a"}`},
		{"kind", strings.Replace(asked, `"2 failed"`, "[2]", 1), `messages[1].content: recorded [2], asked "2 failed"`},
		{"odd name", strings.Replace(asked, `"model"`, `"a b":{},"model"`, 1), `["a b"]: recorded {}, asked nothing`},
		{"text", "no JSON", `body: recorded "no JSON", asked "{`},
		{"many", `{"a":1,"b":2,"c":3}`, "and 1 more"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if tt.recorded == "" {
				record(t, dir)
			} else {
				record(t, dir, [2]string{`{"far":["off","and",{"more":"so"}],"b":0,"c":0,"d":0,"e":0}`, "{}"}, [2]string{tt.recorded, "{}"})
			}
			_, err := play(t, dir, Options{}, trial).Answer(call1(asked))
			var miss *Miss
			if !errors.As(err, &miss) || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want %s", err, tt.want)
			}
			if tt.recorded != "" && miss.Closest != 2 {
				t.Errorf("closest is %d", miss.Closest)
			}
		})
	}
	dir := t.TempDir()
	record(t, dir, [2]string{strings.Replace(asked, "2 failed", "1 failed in all 4 files", 1), "{}"})
	p := play(t, dir, Options{Name: "cassettes/smoke"}, trial)
	_, err := p.RoundTrip(httptest.NewRequest("POST", "/v1/messages?beta=true", strings.NewReader(asked)))
	golden(t, "miss.txt", []byte(err.Error()+"\n"))
}

// A stream that broke breaks again, after the same bytes.
func TestCut(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		io.WriteString(w, "data: 1\n\n")
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer server.Close()
	dir := t.TempDir()
	tape := open(t, NewRecorder(dir, Options{}), trial)
	ask(t, &http.Client{Transport: tape.Transport(http.DefaultTransport)}, server.URL+"/v1/messages", "{}")
	if err := tape.Close(); err != nil {
		t.Fatal(err)
	}
	got := ask(t, &http.Client{Transport: play(t, dir, Options{}, trial)}, server.URL+"/v1/messages", "{}")
	if want := (said{200, "text/event-stream", "", "data: 1\n\n", "broken off"}); got != want {
		t.Errorf("got %v", got)
	}
}

// Until a recording is closed the earlier one stays, whatever happens.
func TestEarlierRecordingStays(t *testing.T) {
	for name, end := range map[string]func(*testing.T, string, *Tape){
		"crash":     func(*testing.T, string, *Tape) {},
		"discarded": func(t *testing.T, _ string, tape *Tape) { mustDo(t, tape.Discard()) },
		"broken": func(t *testing.T, dir string, tape *Tape) {
			mustDo(t, os.Remove(fileOf(dir, trial)+part))
			if tape.Begin(call1("3")).End(answered("{}")) == nil || tape.Close() == nil {
				t.Error("a call was lost, and nobody said so")
			}
		},
		"too large": func(t *testing.T, _ string, tape *Tape) {
			if tape.Begin(call1("3")).End(answered(strings.Repeat("x", maxBody+1))) == nil || tape.Close() == nil {
				t.Error("a call was lost, and nobody said so")
			}
		},
		"torn": func(t *testing.T, dir string, tape *Tape) {
			mustDo(t, os.Truncate(fileOf(dir, trial)+part, 60))
			if tape.Close() == nil {
				t.Error("a call was lost, and nobody said so")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			record(t, dir, [2]string{"1", "earlier"})
			tape := open(t, NewRecorder(dir, Options{}), trial)
			mustDo(t, tape.Begin(call1("1")).End(answered("later")))
			end(t, dir, tape)
			a, err := play(t, dir, Options{}, trial).Answer(call1("1"))
			if err != nil || string(a.Chunks[0]) != "earlier" {
				t.Errorf("got %q, %v", a.Chunks, err)
			}
			record(t, dir, [2]string{"1", "newest"})
			if a, err := play(t, dir, Options{}, trial).Answer(call1("1")); err != nil || string(a.Chunks[0]) != "newest" {
				t.Errorf("recorded again: %q, %v", a.Chunks, err)
			}
			left, _ := filepath.Glob(filepath.Join(dir, "debugging", "*"))
			if len(left) != 1 {
				t.Errorf("left: %v", left)
			}
		})
	}
}

func mustDo(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpen(t *testing.T) {
	dir := t.TempDir()
	r := NewRecorder(dir, Options{})
	tape := open(t, r, trial)
	same := trial
	same.Matrix = "nightly"
	if _, err := r.Open(same); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("got %v", err)
	}
	_, err := NewPlayer(dir, Options{}).Open(trial)
	if err == nil || !strings.Contains(err.Error(), "never finished") {
		t.Errorf("got %v", err)
	}
	mustDo(t, tape.Close())
	mustDo(t, tape.Close())
	if err := tape.Begin(call1("1")).End(answered("")); err == nil {
		t.Error("a closed tape has recorded")
	}
	play(t, dir, Options{}, same)
	other := trial
	other.N = 2
	_, err = NewPlayer(dir, Options{}).Open(other)
	if err == nil || !strings.Contains(err.Error(), `debugging/off_by_one@react+gpt#2: it was never recorded. Run it once with the mode "record"`) {
		t.Errorf("got %v", err)
	}
	mustDo(t, os.Rename(fileOf(dir, trial), fileOf(dir, other)))
	_, err = NewPlayer(dir, Options{}).Open(other)
	if err == nil || !strings.Contains(err.Error(), "line 2: this is the recording of debugging/off_by_one@react+gpt#1") {
		t.Errorf("got %v", err)
	}
}

// Names of any length have files of their own.
func TestLongNames(t *testing.T) {
	a := trial
	a.Axes = "a=" + strings.Repeat("x", 300)
	b := a
	b.N = 2
	for _, id := range []engine.TrialID{a, b} {
		if name := filepath.Base(fileOf("d", id)); len(name) > 250 {
			t.Errorf("%d bytes: %s", len(name), name)
		}
	}
	if fileOf("d", a) == fileOf("d", b) {
		t.Error("two trials have one file")
	}
}

// No form of a secret comes to the disk, also not for a moment.
func TestSecrets(t *testing.T) {
	o := Options{Mask: hide}
	dir := t.TempDir()
	tape := open(t, NewRecorder(dir, o), trial)
	stream := http.Header{"Content-Type": {"text/event-stream"}, "Retry-After": {"hunter22"}}
	chunks := [][]byte{[]byte("data: hun"), []byte("ter22\n\n")}
	mustDo(t, tape.Begin(Request{"POST", "/messages?a=hunter22", []byte(`{"a":"is hunter2\u0032","hunter22":1}`)}).End(Response{Status: 200, Header: stream, Chunks: chunks}))
	mustDo(t, tape.Begin(call1("is hunter22")).End(Response{Status: 200, Header: stream, Chunks: [][]byte{[]byte("hunter22"), []byte("x")}}))
	text, err := os.ReadFile(fileOf(dir, trial) + part)
	if err != nil || bytes.Contains(text, []byte("hunter22")) || bytes.Count(text, []byte("[secret]")) != 8 {
		t.Fatalf("%v:\n%s", err, text)
	}
	// What hides until it stands in the file is not written at all.
	spread := []byte{0xff}
	spread = append(spread, "hunter22"...)
	sly := Options{Mask: func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte(base64.StdEncoding.EncodeToString(spread)), []byte("[secret]"))
	}}
	tape2 := open(t, NewRecorder(t.TempDir(), sly), trial)
	err = tape2.Begin(call1("1")).End(Response{Status: 200, Chunks: [][]byte{spread}})
	if err == nil || !strings.Contains(err.Error(), "a secret would be in it") || tape2.Close() == nil {
		t.Errorf("got %v", err)
	}
}
