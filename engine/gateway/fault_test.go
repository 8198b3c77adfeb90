package gateway_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway"
)

// An act is what a provider does with one request, byte by byte.
type act struct {
	send string // several parts are apart by pause
	then ending
}

// pause stands for some time between two parts of an answer.
const pause = "\x00pause\x00"

// An ending is what becomes of the connection.
type ending int

const (
	closed   ending = iota
	reset           // without a word
	halfOpen        // the provider's side is closed; the other stays
	hanging         // nothing more comes
)

// acting lets a provider be what it does with each request; the last act is for all
// further ones. It counts the requests.
func (r *rig) acting(acts ...act) *atomic.Int64 {
	r.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { l.Close() })
	n := new(atomic.Int64)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go play(conn.(*net.TCPConn), func() act { return acts[min(int(n.Add(1)), len(acts))-1] })
		}
	}()
	r.provider.BaseURL = "http://" + l.Addr().String() + "/v1"
	r.open()
	return n
}

// play reads a request and does what comes next.
func play(conn *net.TCPConn, next func() act) {
	defer conn.Close()
	q, err := http.ReadRequest(bufio.NewReader(conn))
	if err != nil {
		return
	}
	if _, err := io.Copy(io.Discard, q.Body); err != nil {
		return
	}
	a := next()
	for i, part := range strings.Split(a.send, pause) {
		if i > 0 {
			time.Sleep(120 * time.Millisecond) // longer than Timing.Early, shorter than Timing.First
		}
		if _, err := io.WriteString(conn, part); err != nil {
			return
		}
	}
	switch a.then {
	case reset:
		_ = conn.SetLinger(0)
	case halfOpen:
		_ = conn.CloseWrite()
		_, _ = io.Copy(io.Discard, conn)
	case hanging:
		_, _ = io.Copy(io.Discard, conn)
	}
}

// answer is an answer of HTTP that ends with its connection.
func answer(status int, header, body string) string {
	return fmt.Sprintf("HTTP/1.1 %d x\r\nConnection: close\r\n%s\r\n%s", status, header, body)
}

// whole is one of a known length.
func whole(status int, header, body string) string {
	return answer(status, fmt.Sprintf("Content-Type: application/json\r\nContent-Length: %d\r\n%s", len(body), header), body)
}

const (
	plainChat = `{"id":"1","object":"chat.completion","model":"served-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hi there."},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}`
	chunkHi   = `data: {"id":"1","object":"chat.completion.chunk","model":"served-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"}}]}` + "\n\n"
	chunkEnd  = `data: {"id":"1","object":"chat.completion.chunk","model":"served-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	chunkUse  = `data: {"id":"1","object":"chat.completion.chunk","model":"served-1","choices":[],"usage":{"prompt_tokens":100,"completion_tokens":20,"total_tokens":120}}` + "\n\n"
	chunkDone = "data: [DONE]\n\n"
	allChunks = chunkHi + chunkEnd + chunkUse + chunkDone
	asStream  = "Content-Type: text/event-stream\r\n"
)

// chat answers completions, plain and streamed.
func chat(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	if strings.Contains(string(body), `"stream":true`) {
		w.Header().Set("Content-Type", "text/event-stream")
		_, _ = io.WriteString(w, allChunks)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	_, _ = io.WriteString(w, plainChat)
}

// log prints one line of the table of faults.
func (r *rig) log(saw string, use gateway.Use, calls []gateway.Trace) {
	r.Helper()
	_, fault, _ := strings.Cut(r.Name(), "/")
	r.Logf("%-44s | %-70s | %s", cmp.Or(fault, r.Name()), clipped(saw), booked(use, calls))
}

func clipped(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > 70 {
		text = text[:67] + "..."
	}
	return text
}

// booked is what the ledger says, in a line.
func booked(use gateway.Use, calls []gateway.Trace) string {
	var out strings.Builder
	for i, c := range calls {
		if i == 3 {
			fmt.Fprintf(&out, "and %d more calls; ", len(calls)-i)
			break
		}
		fmt.Fprintf(&out, "call %d: %d", c.N, c.Status)
		for _, f := range []struct {
			is   bool
			text string
		}{
			{c.Tries > 1, fmt.Sprintf("tries=%d", c.Tries)}, {c.Refused != "", c.Refused}, {c.Cut, "cut"}, {c.Gone, "gone"}, {c.Doubt != "", "doubted"},
			{c.Failure != nil, "failure"}, {c.Stop != "", "stop=" + c.Stop},
		} {
			if f.is {
				out.WriteString(" " + f.text)
			}
		}
		out.WriteString("; ")
	}
	fmt.Fprintf(&out, "tokens=%s cost=%s", known(use.Tokens), known(use.Cost))
	if use.Limit != "" {
		fmt.Fprintf(&out, " limit=%s", use.Limit)
	}
	if use.Trouble != nil {
		fmt.Fprintf(&out, " trouble=%s", use.Trouble.Reason)
	}
	return out.String()
}

func known[N int64 | float64](n *N) string {
	if n == nil {
		return "unknown"
	}
	return fmt.Sprint(*n)
}

// eventually waits until something is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(2 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func reasonOf(use gateway.Use) engine.Reason {
	if use.Trouble == nil {
		return ""
	}
	return use.Trouble.Reason
}
