package gateway_test

import (
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// many asks so often at once, and gives the statuses.
func (r *rig) many(n int) map[int]int {
	statuses := map[int]int{}
	var mu sync.Mutex
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			status, _ := r.ask(wire.OpenAI, false, true)
			mu.Lock()
			defer mu.Unlock()
			statuses[status]++
		})
	}
	wg.Wait()
	return statuses
}

// A thousand calls at once are all answered, and the provider has no more of them at
// a time than it may.
func TestThousandCalls(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.provider.Parallel = 8
	var at, most atomic.Int64
	r.live(func(w http.ResponseWriter, q *http.Request) {
		now := at.Add(1)
		defer at.Add(-1)
		for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
		}
		chat(w, q)
	})
	statuses := r.many(1000)
	use, calls := r.close()
	r.log(http.StatusText(200), use, calls)
	if statuses[200] != 1000 || use.Requests != 1000 || len(calls) != 1000 || use.Tokens == nil || *use.Tokens != 120_000 {
		t.Errorf("statuses %v, use %+v, %d calls", statuses, use, len(calls))
	}
	if most.Load() > 8 {
		t.Errorf("%d at once", most.Load())
	}
	if use.Waited > time.Minute {
		t.Errorf("waited %v", use.Waited)
	}
}

// Calls that a provider refuses for its limits learn from each other: what one of
// them was told holds for all.
func TestStorm(t *testing.T) {
	const calls = 64
	r := newRig(t, engine.APIOpenAI)
	r.options.Timing.Patience = 30 * time.Second
	var asked, first atomic.Int64
	r.live(func(w http.ResponseWriter, q *http.Request) {
		asked.Add(1)
		now := time.Now().UnixNano()
		first.CompareAndSwap(0, now)
		if now-first.Load() < int64(time.Second) {
			w.Header().Set("Retry-After", "0.25")
			w.WriteHeader(http.StatusTooManyRequests)
			return
		}
		chat(w, q)
	})
	statuses := r.many(calls)
	use, rows := r.close()
	r.log(http.StatusText(200), use, rows)
	t.Logf("%d calls made %d requests", calls, asked.Load())
	if statuses[200] != calls || use.Trouble != nil {
		t.Errorf("statuses %v, trouble %v", statuses, use.Trouble)
	}
	if asked.Load() > 4*calls { // each on its own would ask four times before it is answered
		t.Errorf("%d requests", asked.Load())
	}
	var sum time.Duration
	for _, c := range rows {
		sum += c.Waited
	}
	if use.Waited <= 0 || use.Waited > sum/2 || use.Waited > time.Minute {
		t.Errorf("waited %v, the calls %v together", use.Waited, sum)
	}
}

// A provider that wants to be left alone for hours lets no other trial hang.
func TestLongRest(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	asked := r.acting(act{send: whole(429, "Retry-After: 86400\r\n", "{}")})
	r.ask(wire.OpenAI, false, true)
	other, err := r.gateway.Open(r.trial, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	q, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://gateway.bench/v1/chat/completions", strings.NewReader(askBody(wire.OpenAI, false, true)))
	q.Header.Set("Authorization", "Bearer "+other.Token())
	a, err := other.Client().Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	saw, _ := io.ReadAll(a.Body)
	use, err := other.Close()
	if err != nil {
		t.Fatal(err)
	}
	r.log(string(saw), use, nil)
	if a.StatusCode != 403 || reasonOf(use) != engine.ReasonProvider || asked.Load() != 1 {
		t.Errorf("status %d, trouble %v, asked %d times", a.StatusCode, use.Trouble, asked.Load())
	}
}

// What an agent takes to read its answer is not its provider's silence.
func TestSlowReader(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.options.Timing.Body, r.options.Timing.Silence = time.Minute, 100*time.Millisecond
	r.live(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.Copy(w, io.MultiReader(strings.NewReader(`data: {"x":"`), &endless{16 << 20}, strings.NewReader(`"}`+"\n\n"+allChunks)))
	})
	q, _ := http.NewRequestWithContext(t.Context(), http.MethodPost, r.server.URL+"/v1/chat/completions", strings.NewReader(askBody(wire.OpenAI, true, true)))
	q.Header.Set("Authorization", "Bearer "+r.session.Token())
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	time.Sleep(500 * time.Millisecond) // nothing is to happen while it does not read
	n, err := io.Copy(io.Discard, a.Body)
	use, calls := r.close()
	r.log("", use, calls)
	if err != nil || n < 16<<20 || use.Trouble != nil || use.Tokens == nil {
		t.Errorf("%d bytes, %v, use %+v %v", n, err, use, use.Trouble)
	}
}
