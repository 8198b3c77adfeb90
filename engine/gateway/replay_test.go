package gateway_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// A conversation is what an agent of a family asks, one after the other.
type conversation struct {
	family  wire.Family
	streams []bool
}

// run asks, and gives what the agent saw and what was booked.
func (c conversation) run(r *rig) ([]string, gateway.Use, []gateway.Trace) {
	var saw []string
	for _, stream := range c.streams {
		status, body := r.ask(c.family, stream, true)
		saw = append(saw, fmt.Sprintf("%d %s", status, body))
	}
	use, calls := r.close()
	return saw, use, calls
}

// A replay gives what was recorded, byte for byte, and books the same, but for times.
func TestReplay(t *testing.T) {
	const script = `
turn
text I look.
call write
  path = "a.txt"
usage input=100 cache_read=40 output=20 reasoning=5
turn
error 429 retry_after=1s
turn
text After a while.
turn
text One two three four five six seven eight nine ten.
error 500 after=2
turn
error 400 too long
turn always
text The end.
`
	tree := scriptTree(t, script)
	loaded, diags := scripted.Load(tree)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for _, api := range engine.APIs {
		for _, f := range wire.Families {
			t.Run(fmt.Sprintf("%s/%s", api, f), func(t *testing.T) {
				t.Parallel()
				talk := conversation{f, []bool{false, true, true, false, true}}
				up := httptest.NewServer(loaded.Trial("greet"))
				defer up.Close()
				r := newRig(t, api)
				r.provider.Mode, r.provider.Cassette, r.provider.BaseURL = engine.ModeRecord, "tapes", up.URL+"/v1"
				r.options.Timing.Patience, r.options.Timing.Early = 10*time.Second, time.Minute // signs of life are no part of an answer
				r.open()
				saw, use, calls := talk.run(r)

				again := newRig(t, api)
				again.options.Root, again.options.Secret = r.options.Root, nil
				again.provider.Mode, again.provider.Cassette, again.provider.APIKey = engine.ModeReplay, "tapes", nil
				again.open()
				sawAgain, useAgain, callsAgain := talk.run(again)
				again.log(sawAgain[0], useAgain, callsAgain)
				if diff := cmp.Diff(saw, sawAgain); diff != "" {
					t.Errorf("the agent saw something else:\n%s", diff)
				}
				times := cmpopts.IgnoreFields(gateway.Row{}, "Began", "Waited", "FirstByte", "Took")
				if diff := cmp.Diff(calls, callsAgain, times); diff != "" {
					t.Errorf("the ledger differs:\n%s", diff)
				}
				if diff := cmp.Diff(use, useAgain, cmpopts.IgnoreFields(engine.ModelUse{}, "Waited")); diff != "" {
					t.Errorf("the use differs:\n%s", diff)
				}
				if len(calls) != 5 || calls[1].Tries != 2 || use.Trouble != nil {
					t.Errorf("recorded: %+v", calls)
				}
			})
		}
	}
}

// recorded is a rig that replays one call, which was recorded.
func recorded(t *testing.T) *rig {
	r := newRig(t, engine.APIOpenAI)
	r.provider.Mode, r.provider.Cassette = engine.ModeRecord, "tapes"
	r.live(chat)
	r.ask(wire.OpenAI, false, true)
	r.close()
	again := newRig(t, engine.APIOpenAI)
	again.options.Root = r.options.Root
	again.provider.Mode, again.provider.Cassette, again.provider.APIKey = engine.ModeReplay, "tapes", nil
	return again.open()
}

// What is not in the recording ends the attempt, for good, and says what differs.
func TestReplayMiss(t *testing.T) {
	for name, body := range map[string]string{"something else": strings.Replace(askBody(wire.OpenAI, false, true), "Hello", "Goodbye", 1), "once more": ""} {
		t.Run(name, func(t *testing.T) {
			r := recorded(t)
			if body == "" {
				body = askBody(wire.OpenAI, false, true)
				r.ask(wire.OpenAI, false, true)
			}
			_, saw := r.send(http.MethodPost, "/v1/chat/completions", body, "Authorization", "Bearer "+r.session.Token())
			select {
			case <-r.session.Ended():
			default:
				t.Error("the agent goes on")
			}
			use, calls := r.close()
			r.log(saw, use, calls)
			want := map[string]string{"something else": `recorded "Hello", asked "Goodbye"`, "once more": "All 1 calls that were recorded have been played"}[name]
			if use.Trouble == nil || !use.Trouble.Final || use.Trouble.Reason != engine.ReasonProvider || !strings.Contains(use.Trouble.Detail, want) || !strings.Contains(saw, "provider_failed") {
				t.Errorf("trouble: %+v; the agent saw %s", use.Trouble, saw)
			}
		})
	}
}

// A recording that is not there is an error before the agent begins.
func TestNoRecording(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.provider.Mode, r.provider.Cassette, r.provider.APIKey = engine.ModeReplay, "tapes", nil
	g, err := gateway.New([]*engine.Provider{r.provider}, r.options)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := g.Open(r.trial, nil); err == nil || !strings.Contains(err.Error(), "never recorded") {
		t.Error(err)
	}
}

// An attempt with trouble leaves an earlier recording as it is.
func TestSpoiledRecording(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.provider.Mode, r.provider.Cassette = engine.ModeRecord, "tapes"
	r.options.Timing.Patience = time.Nanosecond
	good := true
	r.live(func(w http.ResponseWriter, q *http.Request) {
		if !good {
			w.WriteHeader(500)
			return
		}
		chat(w, q)
	})
	r.ask(wire.OpenAI, false, true)
	r.close()
	before := readAll(t, r.options.Root)
	good = false
	if r.session, _ = r.gateway.Open(r.trial, nil); r.session == nil {
		t.Fatal("no session")
	}
	r.server.Config.Handler = r.session
	http.DefaultClient.CloseIdleConnections() // a session that ends leaves none of use
	if status, body := r.ask(wire.OpenAI, false, true); status != 403 {
		t.Errorf("status %d: %s", status, body)
	}
	use, err := r.session.Close()
	if err != nil || use.Trouble == nil {
		t.Errorf("trouble %v, error %v", use.Trouble, err)
	}
	if diff := cmp.Diff(before, readAll(t, r.options.Root)); diff != "" || len(before) != 1 {
		t.Error(diff)
	}
}

func readAll(t *testing.T, root string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		out[path] = string(text)
		return err
	})
	if err != nil {
		t.Error(err)
	}
	return out
}

// A script that is at its end is a fault of the script, for good.
func TestScriptAtItsEnd(t *testing.T) {
	for _, stream := range []bool{false, true} {
		r := newRig(t, engine.APIAnthropic).scripted("turn\ntext Once.\n")
		r.ask(wire.Anthropic, stream, true)
		status, saw := r.ask(wire.Anthropic, stream, true)
		use, calls := r.close()
		r.log(saw, use, calls)
		if status != 403 || use.Trouble == nil || !use.Trouble.Final || !strings.Contains(use.Trouble.Detail, "script.txt:1") {
			t.Errorf("status %d, trouble %+v", status, use.Trouble)
		}
	}
}

// Whatever an agent sends, it gets an answer in the form of a family, and bench lives.
func FuzzServeHTTP(f *testing.F) {
	seeds := []string{"", "{", "null", "[]", `{"model":"m"}`, `{"model":{}}`, `{"model":"m","stream":"yes"}`, `{"model":"m","Stream":true}`, `{"model":"m","tools":[{}],"messages":[{"role":"x"}]}`, "\xff\xfe{\x00}"}
	for _, family := range wire.Families {
		for _, stream := range []bool{false, true} {
			f.Add("POST", askPath(family, stream), "Anthropic-Version", "2023-06-01", []byte(askBody(family, stream, true)))
		}
		for _, s := range seeds {
			f.Add("POST", askPath(family, true), "Content-Encoding", "gzip", []byte(s))
			f.Add("POST", askPath(family, false), "X", "y", []byte(s))
		}
	}
	for _, path := range []string{"/", "//", "/v1/models/..", "/v1/models/%2e%2e:generateContent", "/v1beta/models/:streamGenerateContent", "/v1/messages?key=%zz", "/v1/responses/compact", "/v1/messages/count_tokens"} {
		for _, method := range []string{"GET", "HEAD", "POST", "PUT", "OPTIONS"} {
			f.Add(method, path, "Upgrade", "websocket", []byte(`{"model":"m"}`))
			f.Add(method, path, "Connection", "close", []byte(`{"model":"m"}`))
		}
	}
	f.Fuzz(func(t *testing.T, method, path, header, value string, body []byte) {
		r := newRig(t, engine.APIOpenAI)
		r.options.Timing.Patience = 1
		r.scripted(always)
		conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: gateway.bench\r\nConnection: close\r\nAuthorization: Bearer %s\r\n%s: %s\r\nContent-Length: %d\r\n\r\n%s", method, path, r.session.Token(), header, value, len(body), body)
		_ = conn.(*net.TCPConn).CloseWrite() // the agent says no more
		a, err := http.ReadResponse(bufio.NewReader(conn), &http.Request{Method: method})
		if err != nil {
			return // it was cut off
		}
		text, _ := io.ReadAll(a.Body)
		use, _ := r.close()
		if a.Header.Get("Content-Type") != "application/json" && strings.HasPrefix(string(text), strconv.Itoa(a.StatusCode)+" ") {
			return // no HTTP, as the server says before anybody is asked
		}
		if a.StatusCode >= 400 && method != http.MethodHead && (!json.Valid(text) || !strings.Contains(string(text), `"error"`) || !strings.Contains(string(text), `"message"`)) {
			t.Errorf("%s %s: %d %s", method, path, a.StatusCode, text)
		}
		if a.StatusCode >= 500 {
			t.Errorf("%s %s: %d makes clients try again", method, path, a.StatusCode)
		}
		if use.Trouble != nil && !use.Trouble.Final {
			t.Errorf("%s %s %q makes it the provider's fault: %+v", method, path, body, use.Trouble)
		}
	})
}
