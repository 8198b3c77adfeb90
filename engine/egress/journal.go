package egress

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// logLimit is how many requests are told one by one.
const logLimit = 10_000

// Verdicts on requests.
const (
	allowed = "allowed"
	refused = "refused" // it is against the rules
	failed  = "failed"  // the host was not found, or did not answer
)

// An entry is what the log says of a request. It is a line of JSON.
type entry struct {
	Time     time.Time `json:"time"`
	Host     string    `json:"host"`
	Port     string    `json:"port"`
	Verdict  string    `json:"verdict"`
	Why      string    `json:"why,omitempty"`
	Sent     int64     `json:"sent"`     // bytes from inside, without headers; those of TLS included
	Received int64     `json:"received"` // bytes from the host, likewise
	MS       int64     `json:"ms"`

	up, down atomic.Int64 // Sent and Received so far
}

type entryKey struct{}

// note is the entry of a request.
func note(r *http.Request) *entry { return r.Context().Value(entryKey{}).(*entry) }

// A journal writes entries, up to a limit: an agent decides how many there are.
type journal struct {
	w     io.Writer
	mu    sync.Mutex
	lines int
	err   error
}

func (j *journal) begin() *entry { return &entry{Time: time.Now().UTC(), Verdict: allowed} }

func (j *journal) end(e *entry) {
	e.Host, e.Port, e.Sent, e.Received = short(e.Host), short(e.Port), e.up.Load(), e.down.Load()
	e.MS = time.Since(e.Time).Milliseconds()
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.lines++; j.lines <= logLimit {
		j.write(e)
	}
}

// close says how many requests the log does not tell.
func (j *journal) close() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if omitted := j.lines - logLimit; omitted > 0 {
		j.write(map[string]int{"omitted": omitted})
	}
	return j.err
}

func (j *journal) write(line any) {
	text, err := json.Marshal(line)
	if err == nil && j.err == nil {
		_, err = j.w.Write(append(text, '\n'))
	}
	if j.err == nil {
		j.err = err
	}
}

// Writers and readers that count.

type tally struct {
	net.Conn
	n *atomic.Int64
}

func (t *tally) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	t.n.Add(int64(n))
	return n, err
}

type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

type counting struct {
	http.ResponseWriter
	e *entry
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.ResponseWriter.Write(p)
	c.e.down.Add(int64(n))
	return n, err
}

// Unwrap gives access to what the writer can do besides.
func (c *counting) Unwrap() http.ResponseWriter { return c.ResponseWriter }
