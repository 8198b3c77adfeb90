package cassette_test

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway/cassette"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
)

// Whatever a provider does in any family, a replay does it again.
func TestScripted(t *testing.T) {
	const text = `
turn
text I look, and tell what I see on the way, in some words.
call shell
  command = "ls"
turn
error 429 retry_after=2s
turn
text One two three four five six seven eight nine ten.
error 500 after=2
turn
text One two three four five six seven eight nine ten.
break after=2
turn
text One two three four five six seven eight nine ten.
close after=1
turn
text One two three.
garble utf8
turn
text One two three.
garble json
turn
pad 100kB
`
	tree, err := digest.File("turns.txt", fstest.MapFS{"turns.txt": {Data: []byte(text)}}, "turns.txt")
	if err != nil {
		t.Fatal(err)
	}
	script, diags := scripted.Load(tree)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	id := engine.TrialID{Matrix: "smoke", Case: "greet", Agent: "react", Model: "m", N: 1}
	for _, path := range []string{"/v1/chat/completions", "/v1/responses", "/v1/messages", "/v1beta/models/m:generateContent", "/v1beta/models/m:streamGenerateContent?alt=sse", "/v1beta/models/m:streamGenerateContent"} {
		for _, body := range []string{`{"model":"m"}`, `{"model":"m","stream":true}`} {
			server := httptest.NewServer(script.Trial("greet"))
			defer server.Close()
			dir := t.TempDir()
			tape, err := cassette.NewRecorder(dir, cassette.Options{}).Open(id)
			if err != nil {
				t.Fatal(err)
			}
			want := session(tape.Transport(&http.Transport{DisableKeepAlives: true}), server.URL+path, body)
			if err := tape.Close(); err != nil {
				t.Fatal(err)
			}
			playback, err := cassette.NewPlayer(dir, cassette.Options{}).Open(id)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, session(playback, server.URL+path, body)); diff != "" || len(want) != 8 {
				t.Errorf("%s %s: %d answers (-recorded +replayed):\n%s", path, body, len(want), diff)
			}
			if left := playback.Unasked(); left != nil {
				t.Errorf("not asked: %v", left)
			}
		}
	}
}

type answer struct {
	Status     int
	RetryAfter string
	Body       string
	Cut        bool
}

// session asks eight times.
func session(rt http.RoundTripper, url, body string) (out []answer) {
	client := &http.Client{Transport: rt}
	for range 8 {
		a, err := client.Post(url, "application/json", strings.NewReader(body))
		if err != nil {
			return append(out, answer{Body: err.Error()})
		}
		text, err := io.ReadAll(a.Body)
		a.Body.Close()
		out = append(out, answer{a.StatusCode, a.Header.Get("Retry-After"), string(text), err != nil})
	}
	return out
}
