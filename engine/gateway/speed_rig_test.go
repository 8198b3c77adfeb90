package gateway_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
)

// A stub is a provider that does next to nothing for an answer, so that what is
// measured is what stands before it. It speaks HTTP/1.1 on plain connections.
type stub struct {
	listener net.Listener
	pause    time.Duration // before each chunk of a stream but the first

	mu    sync.Mutex
	conns []net.Conn
}

// streamChunks is how many chunks with text a stream of a stub has.
const streamChunks = 16

const stubAnswer = `{"id":"chatcmpl-1","object":"chat.completion","created":1767225600,"model":"model-1","choices":[{"index":0,"message":{"role":"assistant",` +
	`"content":"Hi there."},"finish_reason":"stop","logprobs":null}],"usage":{"prompt_tokens":9,"completion_tokens":3,"total_tokens":12}}`

func newStub(tb testing.TB) *stub {
	tb.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	s := &stub{listener: l}
	go s.accept()
	tb.Cleanup(s.close)
	return s
}

func (s *stub) addr() string { return s.listener.Addr().String() }

func (s *stub) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.conns = append(s.conns, conn)
		s.mu.Unlock()
		go s.serve(conn)
	}
}

func (s *stub) close() {
	_ = s.listener.Close()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.conns {
		_ = c.Close()
	}
}

func (s *stub) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	plain := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", len(stubAnswer), stubAnswer)
	in := bufio.NewReader(conn)
	for {
		q, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		body, err := io.ReadAll(q.Body)
		if err != nil {
			return
		}
		if bytes.Contains(body, []byte(`"stream":true`)) {
			err = s.stream(conn)
		} else {
			_, err = conn.Write(plain)
		}
		if err != nil {
			return
		}
	}
}

// epoch is what the times in streams count from.
var epoch = time.Now()

const stampMark = `"content":"`

// stream sends chunks that say when they were sent, in nanoseconds.
func (s *stub) stream(conn net.Conn) error {
	_, err := io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
	send := func(event string) {
		if err == nil {
			_, err = fmt.Fprintf(conn, "%x\r\n%s\r\n", len(event), event)
		}
	}
	const head = `data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":1767225600,"model":"model-1",`
	for i := range streamChunks {
		if i > 0 {
			time.Sleep(s.pause)
		}
		send(head + `"choices":[{"index":0,"delta":{` + stampMark + fmt.Sprintf("%019d", time.Since(epoch)) + `"},"finish_reason":null}]}` + "\n\n")
	}
	send(head + `"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n")
	send(head + `"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":16,"total_tokens":25}}` + "\n\n")
	send("data: [DONE]\n\n")
	send("")
	return err
}

// A door is where clients ask: a stub itself, or something before it.
type door struct{ addr, path, token string }

// gatewayTo opens a session to a stub, and a server before it. Calls are written to
// a file, as those of a trial are.
func gatewayTo(tb testing.TB, s *stub) door {
	tb.Helper()
	p := &engine.Provider{Name: "up", API: engine.APIOpenAI, Mode: engine.ModeLive, Parallel: 64, BaseURL: "http://" + s.addr() + "/v1", APIKey: &engine.Secret{Name: "up", Env: "UP"}}
	m := &engine.Model{Name: "m", Provider: p, ID: "model-1", Price: &engine.Price{Input: 1, Output: 10}}
	g, err := gateway.New([]*engine.Provider{p}, gateway.Options{Root: tb.TempDir(), Secret: func(*engine.Secret) (string, error) { return testKey, nil }})
	if err != nil {
		tb.Fatal(err)
	}
	trace, err := os.Create(filepath.Join(tb.TempDir(), "calls.jsonl"))
	if err != nil {
		tb.Fatal(err)
	}
	session, err := g.Open(&engine.Trial{
		ID: engine.TrialID{Matrix: "x", Case: "greet", Agent: "a", Model: "m", N: 1}, Model: m, Agent: &engine.Agent{Name: "a"}, Case: &engine.Case{Name: "greet"},
	}, trace)
	if err != nil {
		tb.Fatal(err)
	}
	server := httptest.NewServer(session)
	tb.Cleanup(func() {
		use, err := session.Close()
		server.Close()
		if err := trace.Close(); err != nil {
			tb.Error(err)
		}
		if err != nil || use.Trouble != nil || use.Tokens == nil {
			tb.Errorf("the session was not in order: %v %v %v", err, use.Trouble, use.Tokens)
		}
	})
	at, err := url.Parse(server.URL)
	if err != nil {
		tb.Fatal(err)
	}
	return door{addr: at.Host, path: "/v1/chat/completions", token: session.Token()}
}

// A caller asks one thing again and again over one connection.
type caller struct {
	conn    net.Conn
	in      *bufio.Reader
	request []byte
}

// What callers ask.
const (
	smallRequest  = `{"model":"model-1","messages":[{"role":"system","content":"You are a coding agent."},{"role":"user","content":"Hello"}]}`
	streamRequest = `{"model":"model-1","messages":[{"role":"user","content":"Hello"}],"stream":true,"stream_options":{"include_usage":true}}`
)

// longRequest is a whole conversation, of some 200 kB.
var longRequest = `{"model":"model-1","messages":[` + strings.Repeat(`{"role":"user","content":"`+
	strings.Repeat(`You are a coding agent; run \"go test ./...\" before you say that it works (see section 3.2).\n`, 20)+`"},`, 100) + `{"role":"user","content":"Hello"}]}`

func (d door) call(body string) (*caller, error) {
	conn, err := net.Dial("tcp", d.addr)
	if err != nil {
		return nil, err
	}
	request := fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: application/json\r\nUser-Agent: caller/1.0\r\nContent-Length: %d\r\n\r\n%s",
		d.path, d.addr, d.token, len(body), body)
	return &caller{conn: conn, in: bufio.NewReader(conn), request: request}, nil
}

func (c *caller) close() { _ = c.conn.Close() }

func (c *caller) send() (*http.Response, error) {
	if _, err := c.conn.Write(c.request); err != nil {
		return nil, err
	}
	a, err := http.ReadResponse(c.in, nil)
	if err != nil {
		return nil, err
	}
	if a.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(a.Body)
		return nil, fmt.Errorf("status %d: %s", a.StatusCode, body)
	}
	return a, nil
}

// plain asks for a whole answer.
func (c *caller) plain() error {
	a, err := c.send()
	if err != nil {
		return err
	}
	body, err := io.ReadAll(a.Body)
	if err == nil && !bytes.Contains(body, []byte("Hi there.")) {
		err = fmt.Errorf("no answer: %s", body)
	}
	return err
}

// stream asks for a stream. It gives the time until its first chunk was there, and
// for each chunk how long it was on its way.
func (c *caller) stream() (first time.Duration, delays []time.Duration, err error) {
	began := time.Since(epoch)
	a, err := c.send()
	if err != nil {
		return 0, nil, err
	}
	lines := bufio.NewScanner(a.Body)
	for lines.Scan() {
		_, text, ok := bytes.Cut(lines.Bytes(), []byte(stampMark))
		if !ok {
			continue
		}
		now := time.Since(epoch)
		sent, err := strconv.ParseInt(string(text[:19]), 10, 64)
		if err != nil {
			return 0, nil, err
		}
		if delays == nil {
			first = now - began
		}
		delays = append(delays, now-time.Duration(sent))
	}
	if err := lines.Err(); err != nil {
		return 0, nil, err
	}
	if len(delays) != streamChunks {
		return 0, nil, fmt.Errorf("%d of %d chunks", len(delays), streamChunks)
	}
	return first, delays, nil
}

// load lets callers ask for plain answers for a while, and gives how many they had a
// second.
func (d door) load(tb testing.TB, callers int, during time.Duration) float64 {
	tb.Helper()
	var wg sync.WaitGroup
	counts := make([]int, callers)
	began := time.Now()
	for i := range callers {
		wg.Go(func() {
			d.callWhile(tb, smallRequest, func() bool {
				counts[i]++
				return time.Since(began) < during
			})
		})
	}
	wg.Wait()
	total := 0
	for _, n := range counts {
		total += n - 1 // the last one was not asked
	}
	return float64(total) / time.Since(began).Seconds()
}

// streams lets callers ask for one stream each, 5 ms apart.
func (d door) streams(tb testing.TB, callers int) (firsts, delays []time.Duration) {
	tb.Helper()
	var wg sync.WaitGroup
	var mu sync.Mutex
	for i := range callers {
		wg.Go(func() {
			c, err := d.call(streamRequest)
			if err != nil {
				tb.Error(err)
				return
			}
			defer c.close()
			time.Sleep(time.Duration(i) * 5 * time.Millisecond)
			first, chunks, err := c.stream()
			if err != nil {
				tb.Error(err)
				return
			}
			mu.Lock()
			defer mu.Unlock()
			firsts, delays = append(firsts, first), append(delays, chunks...)
		})
	}
	wg.Wait()
	return firsts, delays
}

// quantile is a duration in milliseconds below which that part of all is.
func quantile(all []time.Duration, part float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return float64(all[min(len(all)-1, int(part*float64(len(all))))]) / float64(time.Millisecond)
}
