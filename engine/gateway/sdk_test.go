package gateway_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
)

// sdkScript answers the programs below sdktest: what each of four families asks,
// plain and streamed, in the order in which they ask it.
var sdkScript = "tools no\n" + strings.Repeat(`
turn 2
text Grüße aus Zürich – 你好 👋, and a few words more to fill several pieces.
usage input=120 cache_read=1000 cache_write=30 output=17 reasoning=4

turn 2
error 400 not today
`, 4) + "\ntools yes\n" + strings.Repeat(`
turn
text I look at the weather in both cities.
call weather
  city = "Zürich"
call weather
  city = "Oslo"
usage input=120 cache_read=1000 cache_write=30 output=17 reasoning=4

turn
text Snow in Zürich and rain in Oslo, so take boots and a coat with you.
usage input=120 cache_read=1000 cache_write=30 output=17 reasoning=4
`, 8)

// What each program asks: an answer, one with tools in two requests, and a refusal,
// each plain and streamed in four families; then, with the limit reached, two more
// for each family. Where there are more, an SDK has asked again.
const (
	sdkAnswered = 4 * 2 * (1 + 2 + 1)
	sdkUsedUp   = 4 * 2
	sdkChecks   = 4 * 2 * 4
	sdkResults  = 4 * 2 // requests with the results of the tools
)

// TestSDKs lets the official SDKs of OpenAI, Anthropic and Google, in Go, Python
// and JavaScript, ask a model through the gateway as they ask their own provider.
// Each of their four families goes to each API, over the net on both sides.
func TestSDKs(t *testing.T) {
	setup, err := filepath.Abs("../../.ci/sdks")
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), setup).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, api := range engine.APIs {
		for _, program := range []string{"go", "python", "js"} {
			t.Run(fmt.Sprintf("%s/%s", api, program), func(t *testing.T) {
				t.Parallel()
				r := newRig(t, api)
				r.options.Timing = gateway.DefaultTiming // this machine may be busy
				r.trial.Limits.Requests = sdkAnswered
				script, diags := scripted.Load(scriptTree(t, sdkScript))
				if diags.HasErrors() {
					t.Fatal(diags)
				}
				upstream := &counter{next: script.Trial("greet")}
				r.live(upstream.ServeHTTP)
				asked := &counter{next: r.session}
				server := httptest.NewServer(asked)
				t.Cleanup(server.Close)

				cmd := exec.CommandContext(t.Context(), setup, program)
				cmd.Env = append(os.Environ(), "BENCH_GATEWAY_URL="+server.URL, "BENCH_GATEWAY_TOKEN="+r.session.Token(), "BENCH_MODEL="+r.trial.Model.ID)
				var stderr bytes.Buffer
				cmd.Stderr = &stderr
				out, err := cmd.Output()
				checkSDKs(t, out)
				if err != nil {
					t.Errorf("%v\n%s", err, stderr.Bytes())
				}
				if n := asked.requests.Load(); n != sdkAnswered+sdkUsedUp {
					t.Errorf("%d requests, want %d: an SDK has asked again, or not at all", n, sdkAnswered+sdkUsedUp)
				}
				if n, results := upstream.requests.Load(), upstream.results.Load(); n != sdkAnswered || results != sdkResults {
					t.Errorf("the provider got %d requests, and %d with results; want %d and %d", n, results, sdkAnswered, sdkResults)
				}
				use, _ := r.close()
				if use.Trouble != nil || use.Limit != engine.ReasonLimitRequests || use.Requests != sdkAnswered || use.Refused != sdkUsedUp {
					t.Errorf("use: %+v, trouble: %v", use, use.Trouble)
				}
			})
		}
	}
}

// checkSDKs reads what a program has printed: a line for each check.
func checkSDKs(t *testing.T, out []byte) {
	t.Helper()
	checks := 0
	for d := json.NewDecoder(bytes.NewReader(out)); ; checks++ {
		var c struct {
			SDK, Family, What, Detail string
			OK                        bool
		}
		if err := d.Decode(&c); err == io.EOF {
			break
		} else if err != nil {
			t.Fatalf("%v in:\n%s", err, out)
		}
		if !c.OK {
			t.Errorf("%s, %s, %s: %s", c.SDK, c.Family, c.What, c.Detail)
		}
	}
	if checks != sdkChecks {
		t.Errorf("%d checks, want %d", checks, sdkChecks)
	}
}

// A counter counts what is asked of a handler, and how much of that tells what the
// tools of an SDK have said.
type counter struct {
	next              http.Handler
	requests, results atomic.Int64
}

func (c *counter) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.requests.Add(1)
	body, err := io.ReadAll(r.Body)
	if err != nil {
		panic(http.ErrAbortHandler)
	}
	if bytes.Contains(body, []byte("2 below zero")) && bytes.Contains(body, []byte("3 above zero")) {
		c.results.Add(1)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	c.next.ServeHTTP(w, r)
}
