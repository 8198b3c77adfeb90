package cassette

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
)

// Transport records what goes through another transport. A request that gets no
// answer is not recorded.
func (t *Tape) Transport(next http.RoundTripper) http.RoundTripper {
	return &recorded{t, next}
}

type recorded struct {
	tape *Tape
	next http.RoundTripper
}

func (r *recorded) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := readBody(q)
	if err != nil {
		return nil, err
	}
	pending := r.tape.Begin(Request{q.Method, q.URL.RequestURI(), body})
	out := q.Clone(q.Context())
	if len(body) > 0 {
		out.Body = io.NopCloser(bytes.NewReader(body))
		out.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	} else {
		out.Body = http.NoBody
	}
	out.ContentLength = int64(len(body))
	a, err := r.next.RoundTrip(out)
	if err != nil {
		return nil, err
	}
	a.Body = &tee{body: a.Body, pending: pending, left: a.ContentLength, answer: Response{Status: a.StatusCode, Header: a.Header.Clone()}}
	return a, nil
}

// readBody reads and closes the body of a request.
func readBody(q *http.Request) ([]byte, error) {
	if q.Body == nil {
		return nil, nil
	}
	defer q.Body.Close()
	return io.ReadAll(q.Body)
}

// A tee keeps what is read of an answer, and ends the call with it.
type tee struct {
	body    io.ReadCloser
	pending *Pending
	answer  Response
	size    int
	left    int64 // bytes until the end; negative if it is not known
	once    sync.Once
}

func (t *tee) Read(p []byte) (int, error) {
	n, err := t.body.Read(p)
	if t.size += n; n > 0 && t.size <= maxBody+1 {
		t.answer.Chunks = append(t.answer.Chunks, bytes.Clone(p[:n]))
	}
	if t.left > 0 {
		t.left -= min(t.left, int64(n))
	}
	if err != nil {
		t.end(!errors.Is(err, io.EOF))
	}
	return n, err
}

// Close of a body that was not read to its end leaves the rest unknown.
func (t *tee) Close() error {
	t.end(t.left != 0)
	return t.body.Close()
}

// end keeps the answer. An error of it is told by Tape.Close.
func (t *tee) end(cut bool) {
	t.once.Do(func() {
		t.answer.Cut = cut
		_ = t.pending.End(t.answer)
	})
}

// RoundTrip answers a request from the recording. The error is a *Miss, or that of
// reading the request.
func (p *Playback) RoundTrip(q *http.Request) (*http.Response, error) {
	body, err := readBody(q)
	if err != nil {
		return nil, err
	}
	a, err := p.Answer(Request{q.Method, q.URL.RequestURI(), body})
	if err != nil {
		return nil, err
	}
	out := &http.Response{
		Status:     fmt.Sprintf("%d %s", a.Status, http.StatusText(a.Status)),
		StatusCode: a.Status, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.Header.Clone(), Body: &replay{chunks: a.Chunks, cut: a.Cut}, ContentLength: -1, Request: q,
	}
	if out.Header == nil {
		out.Header = http.Header{}
	}
	return out, nil
}

// A replay is a body that comes in the chunks that it was recorded in.
type replay struct {
	chunks [][]byte
	rest   []byte // of the chunk that is being read
	cut    bool
}

func (r *replay) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		if len(r.chunks) == 0 {
			if r.cut {
				return 0, io.ErrUnexpectedEOF
			}
			return 0, io.EOF
		}
		r.rest, r.chunks = r.chunks[0], r.chunks[1:]
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *replay) Close() error { return nil }
