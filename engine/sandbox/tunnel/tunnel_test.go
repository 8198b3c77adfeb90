package tunnel_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine/sandbox/tunnel"
)

// A pipe is one side of a pair of streams.
type pipe struct {
	*io.PipeReader
	*io.PipeWriter
}

func (p pipe) Close() error { return errors.Join(p.PipeReader.Close(), p.PipeWriter.Close()) }

func pipes() (inside, outside pipe) {
	r1, w1 := io.Pipe()
	r2, w2 := io.Pipe()
	return pipe{r1, w2}, pipe{r2, w1}
}

// A rig is a whole tunnel in one process.
type rig struct {
	addr   string
	server *tunnel.Server
	served chan error
	inside chan error
}

func dig(t testing.TB, h http.Handler) *rig {
	t.Helper()
	inside, outside := pipes()
	r := &rig{addr: freeAddr(t), served: make(chan error, 1), inside: make(chan error, 1)}
	go func() { r.inside <- tunnel.Inside(inside.PipeReader, inside.PipeWriter, r.addr) }()
	server, err := tunnel.Open(outside)
	if err != nil {
		t.Fatal(err)
	}
	r.server = server
	go func() { r.served <- server.Serve(h) }()
	t.Cleanup(func() {
		server.Close()
		for _, side := range []chan error{r.served, r.inside} {
			select {
			case err := <-side:
				if err != nil {
					t.Error(err)
				}
			case <-time.After(20 * time.Second):
				t.Fatal("a side outlives the tunnel")
			}
		}
	})
	return r
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (r *rig) dial(t testing.TB) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", r.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	return c
}

func client() *http.Client { return &http.Client{Transport: &http.Transport{}, Timeout: time.Minute} }

func TestRequests(t *testing.T) {
	r := dig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(body))
	}))
	c := client()
	defer c.CloseIdleConnections()
	var wg sync.WaitGroup
	for i := range 64 {
		wg.Go(func() {
			size := i << 14
			resp, err := c.Post("http://"+r.addr+"/x", "", bytes.NewReader(make([]byte, size)))
			if err != nil {
				t.Error(err)
				return
			}
			defer resp.Body.Close()
			got, _ := io.ReadAll(resp.Body)
			if want := fmt.Sprintf("POST /x %d", size); string(got) != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	wg.Wait()
}

// What is flushed arrives before anything more is written.
func TestStreams(t *testing.T) {
	next := make(chan struct{})
	r := dig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := range 5 {
			fmt.Fprintf(w, "data: %d\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
			}
		}
	}))
	c := client()
	defer c.CloseIdleConnections()
	resp, err := c.Get("http://" + r.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for i := range 5 {
		if !lines.Scan() || lines.Text() != fmt.Sprintf("data: %d", i) {
			t.Fatalf("got %q, %v", lines.Text(), lines.Err())
		}
		next <- struct{}{}
	}
}

// take answers by taking the connection over.
func take(then func(c net.Conn, rw *bufio.ReadWriter, r *http.Request)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(err)
		}
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\n\r\n")
		then(c, rw, r)
	}
}

// After CONNECT, bytes go both ways as they are, and a client that has no more to
// send still gets its answer.
func TestConnect(t *testing.T) {
	r := dig(t, take(func(c net.Conn, rw *bufio.ReadWriter, _ *http.Request) {
		all, _ := io.ReadAll(rw)
		_, _ = c.Write(append(all, "!"...))
	}))
	c := r.dial(t)
	fmt.Fprint(c, "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n\x00\xffabc")
	fmt.Fprint(c, "def")
	if err := c.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if want := "HTTP/1.1 200 OK\r\n\r\n\x00\xffabcdef!"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

// An answer that is given before the request has been read is not lost.
func TestEarlyAnswer(t *testing.T) {
	r := dig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Connection", "close")
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
	}))
	for range 3 {
		c := r.dial(t)
		go func() { // until it fails: nobody reads that much
			fmt.Fprintf(c, "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n", 1<<30)
			_, _ = io.CopyN(c, zeros{}, 1<<30)
		}()
		got, _ := io.ReadAll(c)
		if !strings.HasPrefix(string(got), "HTTP/1.1 413 ") || !strings.HasSuffix(string(got), "too large\n") {
			t.Fatalf("got %q", got)
		}
	}
}

// until ends with a context.
type until struct{ context.Context }

func (u until) Read(p []byte) (int, error) { return len(p), u.Err() }

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { clear(p); return len(p), nil }

// However many connections there are, so many are served and the others wait.
func TestFlood(t *testing.T) {
	var now, most atomic.Int32
	release := make(chan struct{})
	r := dig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
		}
		<-release
		w.Header().Set("Connection", "close")
	}))
	const all = 2*tunnel.MaxConns + 100
	var wg sync.WaitGroup
	for range all {
		c := r.dial(t)
		wg.Go(func() {
			fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
			if got, err := io.ReadAll(c); err != nil || !strings.HasPrefix(string(got), "HTTP/1.1 200 ") {
				t.Errorf("got %q, %v", got, err)
			}
			c.Close()
		})
	}
	eventually(t, "all that can be served are", func() bool { return now.Load() == tunnel.MaxConns })
	close(release)
	wg.Wait()
	if n := most.Load(); n != tunnel.MaxConns {
		t.Errorf("%d were served at once, want %d", n, tunnel.MaxConns)
	}
}

// A client that goes away is told to the handler, even if it reads nothing.
func TestClientGone(t *testing.T) {
	ended := make(chan error, 1)
	r := dig(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, until{r.Context()})
		ended <- r.Context().Err()
	}))
	c := r.dial(t)
	fmt.Fprint(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
	if _, err := io.CopyN(io.Discard, c, 8<<20); err != nil {
		t.Fatal(err)
	}
	c.Close()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	case <-time.After(20 * time.Second):
		t.Fatal("the handler still waits")
	}
}

// Close ends what runs, also connections that were taken over and those that
// nobody reads, and Serve returns after all of it.
func TestClose(t *testing.T) {
	var running atomic.Int32
	hold := take(func(c net.Conn, rw *bufio.ReadWriter, r *http.Request) {
		if r.URL.Path == "/context" {
			<-r.Context().Done()
			return
		}
		_, _ = io.Copy(c, zeros{})
	})
	inside, outside := pipes()
	addr := freeAddr(t)
	over := make(chan error, 1)
	go func() { over <- tunnel.Inside(inside.PipeReader, inside.PipeWriter, addr) }()
	s, err := tunnel.Open(outside)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			running.Add(1)
			defer running.Add(-1)
			switch r.URL.Path {
			case "/plain":
				<-r.Context().Done()
			default:
				hold(w, r)
			}
		}))
	}()
	r := &rig{addr: addr}
	for _, path := range []string{"/plain", "/context", "/write"} {
		fmt.Fprintf(r.dial(t), "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", path)
	}
	eventually(t, "all handlers run", func() bool { return running.Load() == 3 })
	s.Close()
	s.Close()
	if err := <-served; err != nil || running.Load() != 0 {
		t.Errorf("Serve returned %v with %d handlers at work", err, running.Load())
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
}

// A side inside that is frozen for good keeps nobody from closing.
func TestFrozen(t *testing.T) {
	inside, outside := pipes()
	go io.WriteString(inside, "bench-tunnel 1\n")
	s, err := tunnel.Open(outside)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() {
		served <- s.Serve(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.Copy(w, zeros{}) }))
	}()
	// A stream with a request in it, after which nothing more is read or said.
	request := "GET / HTTP/1.1\r\nHost: x\r\n\r\n"
	if _, err := inside.Write(append(frame(0, 1, 1, uint32(len(request))), request...)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(inside, make([]byte, 12)); err != nil { // it was accepted
		t.Fatal(err)
	}
	s.Close()
	if err := <-served; err != nil {
		t.Error(err)
	}
}

func frame(kind byte, flags uint16, stream, length uint32) []byte {
	out := []byte{0, kind}
	out = binary.BigEndian.AppendUint16(out, flags)
	out = binary.BigEndian.AppendUint32(out, stream)
	return binary.BigEndian.AppendUint32(out, length)
}

// Whoever speaks for the side inside can end the session, and nothing more.
func TestImpostor(t *testing.T) {
	for name, says := range map[string]func(w io.Writer){
		"pings": func(w io.Writer) {
			for i := uint32(0); ; i++ {
				if _, err := w.Write(frame(2, 1, 0, i)); err != nil {
					return
				}
			}
		},
		"split ping":     func(w io.Writer) { f := frame(2, 1, 0, 1); w.Write(f[:1]); w.Write(f[1:5]); w.Write(f[5:]) },
		"goes away":      func(w io.Writer) { w.Write(frame(3, 0, 0, 0)) },
		"noise":          func(w io.Writer) { io.Copy(w, io.LimitReader(ones{}, 1<<20)) },
		"window":         func(w io.Writer) { w.Write(frame(0, 1, 1, 1<<30)); io.Copy(w, zeros{}) },
		"same stream":    func(w io.Writer) { w.Write(frame(1, 1, 1, 0)); w.Write(frame(1, 1, 1, 0)) },
		"never finishes": opens(func(w io.Writer, id uint32) { w.Write(append(frame(0, 1, id, 5), "x\r\n\r\n"...)) }),
	} {
		t.Run(name, func(t *testing.T) {
			inside, outside := pipes()
			go func() {
				io.WriteString(inside, "bench-tunnel 1\n")
				says(inside)
			}()
			s, err := tunnel.Open(outside)
			if err != nil {
				t.Fatal(err)
			}
			go io.Copy(io.Discard, inside.PipeReader)
			defer inside.Close()
			served := make(chan error, 1)
			go func() { served <- s.Serve(http.NotFoundHandler()) }()
			select {
			case err := <-served:
				if err == nil {
					t.Error("it ended without an error")
				}
			case <-time.After(20 * time.Second):
				s.Close()
				t.Error("the session goes on")
			}
		})
	}
}

// opens opens streams until it cannot.
func opens(open func(w io.Writer, id uint32)) func(io.Writer) {
	return func(w io.Writer) {
		failed := &failing{Writer: w}
		for id := uint32(1); !failed.yes && id < 1<<20; id += 2 {
			open(failed, id)
		}
	}
}

type failing struct {
	io.Writer
	yes bool
}

func (f *failing) Write(p []byte) (int, error) {
	n, err := f.Writer.Write(p)
	f.yes = f.yes || err != nil
	return n, err
}

type ones struct{}

func (ones) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 1
	}
	return len(p), nil
}

// What is said instead of the greeting is told.
func TestNotGreeted(t *testing.T) {
	for said, want := range map[string]string{
		"":                                "it ended without a word",
		"exec format error\r\n":           `it said "exec format error"`,
		strings.Repeat("yes\n", 1<<10):    `it said "yes\nyes`,
		"bench-tunnel 2\n":                `it said "bench-tunnel 2"`,
		"\xff\x00":                        "it said \"\ufffd\\x00",
		"HTTP/1.1 200 OK\r\n\r\nfor long": `it said "HTTP/1.1 200 OK`,
	} {
		inside, outside := pipes()
		go func() {
			io.WriteString(inside, said)
			inside.PipeWriter.Close()
		}()
		if _, err := tunnel.Open(outside); err == nil || !strings.HasPrefix(err.Error(), strings.TrimSuffix(want, `"`)) {
			t.Errorf("%q: got %v", said, err)
		}
	}
}

// The side inside says why it cannot listen.
func TestInUse(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	inside, _ := pipes()
	if err := tunnel.Inside(inside.PipeReader, inside.PipeWriter, l.Addr().String()); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("got %v", err)
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("after 20 seconds it does not hold that %s", what)
}

func BenchmarkRequests(b *testing.B) {
	r := dig(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "ok") }))
	c := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	defer c.CloseIdleConnections()
	b.SetParallelism(8)
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			resp, err := c.Get("http://" + r.addr)
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = io.Copy(io.Discard, resp.Body)
			resp.Body.Close()
		}
	})
}

func BenchmarkDown(b *testing.B) {
	const size = 16 << 20
	r := dig(b, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { _, _ = io.CopyN(w, zeros{}, size) }))
	c := client()
	defer c.CloseIdleConnections()
	b.SetBytes(size)
	for b.Loop() {
		resp, err := c.Get("http://" + r.addr)
		if err != nil {
			b.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
}
