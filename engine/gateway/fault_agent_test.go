package gateway_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// endless is a text that is made while it is read.
type endless struct{ left int64 }

func (e *endless) Read(p []byte) (int, error) {
	if e.left == 0 {
		return 0, io.EOF
	}
	n := min(int64(len(p)), e.left)
	for i := range p[:n] {
		p[i] = 'x'
	}
	e.left -= n
	return int(n), nil
}

// peak measures the memory in use while something runs, in bytes.
func peak(run func()) uint64 {
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	stop, done := make(chan struct{}), make(chan uint64)
	go func() {
		var most uint64
		for {
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
			select {
			case <-stop:
				done <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	run()
	close(stop)
	return <-done - min(before.HeapAlloc, now.HeapAlloc)
}

// post asks with any body, and shows the token.
func (r *rig) post(path string, body io.Reader, size int64, headers ...string) (int, string) {
	r.Helper()
	q, err := http.NewRequest(http.MethodPost, r.server.URL+path, body)
	if err != nil {
		r.Fatal(err)
	}
	if size != 0 {
		q.ContentLength = size
	}
	q.Header.Set("Authorization", "Bearer "+r.session.Token())
	for i := 0; i < len(headers); i += 2 {
		q.Header.Set(headers[i], headers[i+1])
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return 0, err.Error()
	}
	defer a.Body.Close()
	saw, err := io.ReadAll(a.Body)
	if err != nil {
		return a.StatusCode, string(saw) + err.Error()
	}
	return a.StatusCode, string(saw)
}

const size200 = 200 << 20

// raced is whether the race detector is at work, with which all of a large answer
// takes a minute.
var raced bool

// A request that is too large costs the agent its answer, and bench no memory.
func TestLargeRequest(t *testing.T) {
	for _, known := range []bool{true, false} {
		t.Run(fmt.Sprintf("length known %t", known), func(t *testing.T) {
			r := newRig(t, engine.APIOpenAI).scripted(always)
			length := int64(-1)
			if known {
				length = size200
			}
			var status int
			var saw string
			used := peak(func() { status, saw = r.post("/v1/chat/completions", &endless{size200}, length) })
			use, calls := r.close()
			r.log(saw, use, calls)
			t.Logf("%d MiB", used>>20)
			if status != 413 && (status != 0 || calls[0].Status != 413) { // who sends on does not always read it
				t.Errorf("status %d: %s", status, saw)
			}
			if calls[0].Refused != "request_too_large" || use.Requests != 0 {
				t.Errorf("booked: %+v", calls[0].Row)
			}
			if used > 400<<20 {
				t.Errorf("%d MiB were in use", used>>20)
			}
		})
	}
}

// Who promises much and sends nothing gets no memory for it.
func TestPromisedRequests(t *testing.T) {
	r := newRig(t, engine.APIOpenAI).scripted(always)
	used := peak(func() {
		var wg sync.WaitGroup
		for range 60 {
			wg.Go(func() { r.dial("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 60000000\r\n\r\n{") })
		}
		wg.Wait()
	})
	t.Logf("%d MiB", used>>20)
	if used > 100<<20 {
		t.Errorf("%d MiB were in use", used>>20)
	}
	use, calls := r.close()
	r.log("", use, calls)
	if len(calls) != 60 || calls[0].Refused != "incomplete_request" {
		t.Errorf("%d calls", len(calls))
	}
}

// dial sends bytes, and waits until the connection is closed.
func (r *rig) dial(request string) string {
	r.Helper()
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		r.Fatal(err)
	}
	defer conn.Close()
	line, rest, _ := strings.Cut(request, "\r\n")
	if _, err := fmt.Fprintf(conn, "%s\r\nHost: x\r\nAuthorization: Bearer %s\r\n%s", line, r.session.Token(), rest); err != nil {
		r.Fatal(err)
	}
	_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
	saw, _ := io.ReadAll(conn)
	return string(saw)
}

// A large answer goes through without being held, and one that would have to be held
// is asked for once.
func TestLargeAnswer(t *testing.T) {
	for _, s := range []struct {
		family wire.Family
		stream bool
		status int
		reason engine.Reason
		most   uint64
	}{
		{wire.OpenAI, false, 200, "", 60 << 20}, {wire.OpenAI, true, 200, "", 60 << 20}, {wire.Anthropic, false, 403, engine.ReasonProvider, 400 << 20},
	} {
		t.Run(fmt.Sprintf("%s stream %t", s.family, s.stream), func(t *testing.T) {
			r := newRig(t, engine.APIOpenAI)
			size := int64(size200)
			if raced && s.status == 200 {
				size /= 10
			}
			asked := 0
			r.live(func(w http.ResponseWriter, q *http.Request) {
				asked++
				before, after := plainChat[:len(plainChat)-1]+`,"x":"`, `"}`
				if s.stream {
					before, after = chunkHi+`data: {"x":"`, `"}`+"\n\n"+chunkEnd+chunkUse+chunkDone
				}
				_, _ = io.Copy(w, io.MultiReader(strings.NewReader(before), &endless{size}, strings.NewReader(after)))
			})
			var got int64
			var status int
			used := peak(func() {
				name, scheme := keyHeader(s.family)
				q, _ := http.NewRequest(http.MethodPost, r.server.URL+askPath(s.family, s.stream), strings.NewReader(askBody(s.family, s.stream, true)))
				q.Header.Set(name, scheme+r.session.Token())
				a, err := http.DefaultClient.Do(q)
				if err != nil {
					t.Fatal(err)
				}
				defer a.Body.Close()
				status = a.StatusCode
				got, _ = io.Copy(io.Discard, a.Body)
			})
			use, calls := r.close()
			r.log(fmt.Sprintf("%d bytes", got), use, calls)
			t.Logf("%d MiB", used>>20)
			if status != s.status || reasonOf(use) != s.reason || asked != 1 || s.status == 200 && (got < size || use.Tokens == nil) {
				t.Errorf("status %d, asked %d times, use %+v %v", status, asked, use, use.Trouble)
			}
			if used > s.most {
				t.Errorf("%d MiB were in use", used>>20)
			}
		})
	}
}

// An agent that sends its request a byte at a time, or stops sending, is not waited
// for.
func TestSlowRequest(t *testing.T) {
	r := newRig(t, engine.APIOpenAI).scripted(always)
	saw := r.dial("POST /v1/chat/completions HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"mod")
	use, calls := r.close()
	r.log(saw, use, calls)
	if !strings.Contains(saw, " 400 ") || !strings.Contains(saw, "did not come to its end") || calls[0].Refused != "incomplete_request" {
		t.Errorf("the agent saw %q", saw)
	}
}

// The end of a session waits for no agent that trickles or does not read.
func TestCloseOfSlowAgents(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.options.Timing.Body = time.Hour
	flood := make(chan struct{}, 1)
	r.live(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		flood <- struct{}{}
		_, _ = io.Copy(w, &endless{1 << 30})
	})
	trickle, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer trickle.Close()
	fmt.Fprintf(trickle, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: 100\r\n\r\n{", r.session.Token())
	deaf, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.Close()
	body := askBody(wire.OpenAI, true, true)
	fmt.Fprintf(deaf, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", r.session.Token(), len(body), body)
	<-flood
	done := make(chan struct{})
	go func() { r.close(); close(done) }()
	select {
	case <-done:
	case <-time.After(20 * time.Second):
		t.Fatal("the session does not end")
	}
}

// An agent that does not read its answer is given up, and what its answer cost is
// known as far as it was told.
func TestDeafAgent(t *testing.T) {
	r := newRig(t, engine.APIOpenAI)
	r.live(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.Copy(w, io.MultiReader(strings.NewReader(`data: {"x":"`), &endless{100 << 20}, strings.NewReader(`"}`+"\n\n"+chunkEnd+chunkUse+chunkDone)))
	})
	conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	body := askBody(wire.OpenAI, true, true)
	fmt.Fprintf(conn, "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", r.session.Token(), len(body), body)
	eventually(t, "the agent is given up", func() bool { return r.traced() > 0 })
	use, calls := r.close()
	r.log("", use, calls)
	if !calls[0].Gone || use.Trouble != nil {
		t.Errorf("booked: %+v %v", calls[0].Row, use.Trouble)
	}
}

// An agent that goes away in the middle pays for what it asked, and leaves nothing
// behind.
func TestGoneAgent(t *testing.T) {
	before := runtime.NumGoroutine()
	t.Run("in a stream", func(t *testing.T) {
		r := newRig(t, engine.APIOpenAI)
		r.options.Timing.Drain = 10 * time.Second
		begun, on := make(chan struct{}), make(chan struct{})
		r.live(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/event-stream")
			_, _ = io.WriteString(w, chunkHi)
			_ = http.NewResponseController(w).Flush()
			close(begun)
			<-on
			_, _ = io.WriteString(w, chunkEnd+chunkUse+chunkDone)
		})
		r.leave(begun)
		close(on)
		eventually(t, "a row", func() bool { return r.traced() > 0 })
		use, calls := r.close()
		r.log("", use, calls)
		if use.Trouble != nil || use.Tokens == nil || *use.Tokens != 120 {
			t.Errorf("use: %+v %v", use, use.Trouble)
		}
	})
	for _, stream := range []bool{true, false} {
		t.Run(fmt.Sprintf("before an answer, stream %t", stream), func(t *testing.T) {
			r := newRig(t, engine.APIOpenAI)
			r.options.Timing.First = 20 * time.Second
			begun := make(chan struct{})
			r.live(func(w http.ResponseWriter, q *http.Request) {
				if stream {
					w.WriteHeader(200)
					_ = http.NewResponseController(w).Flush()
				}
				_, _ = io.Copy(io.Discard, q.Body)
				close(begun)
				<-q.Context().Done()
			})
			r.leave(begun)
			eventually(t, "a row", func() bool { return r.traced() > 0 })
			use, calls := r.close()
			r.log("", use, calls)
			if !calls[0].Gone || calls[0].Tries != 1 || use.Trouble != nil || use.Tokens != nil || use.Waited > 0 {
				t.Errorf("use: %+v %v, row %+v", use, use.Trouble, calls[0].Row)
			}
		})
	}
	t.Run("while its provider is tried again", func(t *testing.T) {
		r := newRig(t, engine.APIOpenAI)
		r.options.Timing.Backoff, r.options.Timing.Longest, r.options.Timing.Drain, r.options.Timing.Patience = 300*time.Millisecond, 300*time.Millisecond, 10*time.Second, 20*time.Second
		begun := make(chan struct{})
		var once sync.Once
		asked := 0
		r.live(func(w http.ResponseWriter, _ *http.Request) {
			asked++
			w.WriteHeader(500)
			once.Do(func() { time.AfterFunc(50*time.Millisecond, func() { close(begun) }) }) // while the second try is waited for
		})
		r.leave(begun)
		eventually(t, "a row", func() bool { return r.traced() > 0 })
		use, calls := r.close()
		r.log("", use, calls)
		if asked != 1 || use.Trouble != nil {
			t.Errorf("asked %d times, trouble %v", asked, use.Trouble)
		}
	})
	eventually(t, "no goroutine is left", func() bool {
		http.DefaultClient.CloseIdleConnections()
		return runtime.NumGoroutine() <= before+2 // the runtime has some of its own
	})
}

// leave asks for a stream, and goes away once it has begun.
func (r *rig) leave(begun <-chan struct{}) {
	r.Helper()
	ctx, cancel := context.WithCancel(r.Context())
	q, _ := http.NewRequestWithContext(ctx, http.MethodPost, r.server.URL+"/v1/chat/completions", strings.NewReader(askBody(wire.OpenAI, true, true)))
	q.Header.Set("Authorization", "Bearer "+r.session.Token())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if a, err := http.DefaultClient.Do(q); err == nil {
			_, _ = io.Copy(io.Discard, a.Body)
			a.Body.Close()
		}
	}()
	<-begun
	cancel()
	<-done
}

// A refusal does not wait for a body that is only promised.
func TestRefusalOfPromise(t *testing.T) {
	r := newRig(t, engine.APIOpenAI).scripted(always)
	r.options.Timing.Body = time.Hour
	for _, request := range []string{
		"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{",
		"POST /nowhere HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.session.Token() + "\r\nContent-Length: 100\r\n\r\n{",
		"POST /nowhere HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + r.session.Token() + "\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
	} {
		conn, err := net.Dial("tcp", r.server.Listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, _ = io.WriteString(conn, request)
		_ = conn.SetReadDeadline(time.Now().Add(20 * time.Second))
		line, err := bufio.NewReader(conn).ReadString('\n')
		if err != nil || !strings.Contains(line, " 40") {
			t.Errorf("%q: %q, %v", request, line, err)
		}
	}
	r.close()
}
