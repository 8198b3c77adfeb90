package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/yamux"
)

// Bounds on requests, as on any server that anyone may talk to.
const (
	maxHeader  = 64 << 10        // bytes
	headerTime = time.Minute     // from the first byte of a request to the end of its header
	idleTime   = 5 * time.Minute // between two requests on one connection
)

// A Server is the side outside.
type Server struct {
	session *yamux.Session
	closed  atomic.Bool // by Close
}

// Open waits until the side inside listens. It owns conn from then on, and
// closes it if there is an error. It waits until conn ends: whoever knows how long
// that may take closes conn.
func Open(conn io.ReadWriteCloser) (*Server, error) {
	if err := greeted(conn); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	session, err := yamux.Server(&joiner{ReadWriteCloser: &guard{ReadWriteCloser: conn}}, config())
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return &Server{session: session}, nil
}

// greeted reads the greeting, or else what was said instead, such as why the side
// inside could not be started.
func greeted(r io.Reader) error {
	const most = 1 << 10
	said := make([]byte, 0, most)
	for len(said) < most {
		n, err := r.Read(said[len(said) : len(said)+1])
		said = said[:len(said)+n]
		if string(said) == greeting {
			return nil
		}
		if err != nil {
			break
		}
	}
	text := strings.TrimSpace(strings.ToValidUTF8(string(said), "\uFFFD"))
	if text == "" {
		return errors.New("it ended without a word")
	}
	return fmt.Errorf("it said %q", text)
}

// Serve lets h answer what comes in, until the tunnel ends, and returns what
// ended it: nil if that was Close. By then no call of h runs any more: the context
// of each request ends with the tunnel at the latest, also where h has taken the
// connection over, and h must return then. It also ends, as usual, when a client
// stops sending; what h still writes to one that is gone leads nowhere, without an
// error. Serve is called once.
func (s *Server) Serve(h http.Handler) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var open sync.WaitGroup
	server := &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { serve(h, w, r, &open) }),
		ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: maxHeader,
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
		ConnContext: func(ctx context.Context, c net.Conn) context.Context { return context.WithValue(ctx, connKey{}, c) },
		ConnState: func(c net.Conn, state http.ConnState) {
			switch state {
			case http.StateNew:
				open.Add(1)
			case http.StateClosed:
				open.Done()
			case http.StateHijacked:
				c.(*stream).taken.Store(true)
			}
		},
	}
	err := server.Serve(listener{s.session})
	cancel()
	_ = server.Close() // of the session, which has ended
	open.Wait()
	if s.closed.Load() {
		return nil
	}
	return err
}

// Close ends the tunnel, and with it Serve. It can be called twice.
func (s *Server) Close() {
	s.closed.Store(true)
	s.session.Close()
}

type connKey struct{}

// serve calls h. A connection that h takes over ends with the call: nobody else
// looks after it.
func serve(h http.Handler, w http.ResponseWriter, r *http.Request, open *sync.WaitGroup) {
	c := r.Context().Value(connKey{}).(*stream)
	defer func() {
		if c.taken.Load() {
			c.Close()
			open.Done()
		}
	}()
	h.ServeHTTP(w, r)
}

// A stream is a connection that may have been taken over.
type stream struct {
	net.Conn
	taken atomic.Bool
}

// A listener accepts the streams of a session.
type listener struct{ *yamux.Session }

// errTooMany ends a session that has streams which Inside would have ended.
var errTooMany = errors.New("more connections than the tunnel can have")

func (l listener) Accept() (net.Conn, error) {
	c, err := l.Session.Accept()
	if err != nil {
		return nil, err
	}
	if l.NumStreams() > 2*MaxConns {
		return nil, errTooMany
	}
	return &stream{Conn: c}, nil
}
