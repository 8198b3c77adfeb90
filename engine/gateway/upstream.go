package gateway

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
)

// connect makes the way from a session to its provider, by the mode of that.
func (s *Session) connect() (err error) {
	p := s.provider
	switch p.Mode {
	case engine.ModeRecord:
		if s.tape, err = p.recorder.Open(s.trial.ID); err != nil {
			return err
		}
		s.upstream = s.tape.Transport(p.transport)
	case engine.ModeReplay:
		if s.playback, err = p.player.Open(s.trial.ID); err != nil {
			return err
		}
		s.upstream = s.playback
	case engine.ModeScripted:
		s.actor = newActor(p.script.Trial(s.trial.Case.Name))
		s.upstream = s.actor.transport
	default:
		s.upstream = p.transport
	}
	return nil
}

// An actor plays a scripted provider: a server in this process, so that what it
// breaks off, resets or leaves hanging is what it would be on the net.
type actor struct {
	trial     *scripted.Trial
	server    *http.Server
	transport *http.Transport
}

func newActor(trial *scripted.Trial) *actor {
	wire := &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}
	a := &actor{trial: trial, server: &http.Server{Handler: trial}, transport: &http.Transport{
		DialContext:        func(ctx context.Context, _, _ string) (net.Conn, error) { return wire.dial(ctx) },
		DisableCompression: true, MaxIdleConnsPerHost: callsAtOnce,
	}}
	go func() { _ = a.server.Serve(wire) }() // ends with close
	return a
}

func (a *actor) close() {
	_ = a.server.Close() // nothing of it outlives the process
	a.transport.CloseIdleConnections()
}

// A pipe is a listener whose connections do not leave the process.
type pipe struct {
	conns  chan net.Conn
	closed chan struct{}
	once   sync.Once
}

func (p *pipe) dial(ctx context.Context) (net.Conn, error) {
	ours, theirs := net.Pipe()
	select {
	case p.conns <- theirs:
		return ours, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Accept waits for somebody who dials.
func (p *pipe) Accept() (net.Conn, error) {
	select {
	case c := <-p.conns:
		return c, nil
	case <-p.closed:
		return nil, net.ErrClosed
	}
}

// Close ends the listener.
func (p *pipe) Close() error {
	p.once.Do(func() { close(p.closed) })
	return nil
}

// Addr has nothing to say.
func (p *pipe) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return "pipe" }

// disconnect ends the way, and says what is wrong with what went over it.
func (s *Session) disconnect(keep bool) error {
	switch {
	case s.tape != nil && keep:
		return s.tape.Close()
	case s.tape != nil:
		return s.tape.Discard()
	case s.actor != nil:
		defer s.actor.close()
		if err := s.actor.trial.Err(); err != nil {
			return errors.Join(errors.New("the script has no answer"), err)
		}
	}
	return nil
}
