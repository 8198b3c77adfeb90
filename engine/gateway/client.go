package gateway

import (
	"context"
	"net"
	"net/http"
)

// ClientURL is the address under which a client of a session asks.
const ClientURL = "http://gateway.bench"

// Client is for agents that run in this process: whatever host it is told, it asks
// the session. It needs the token like every other. Close of the session ends it.
func (s *Session) Client() *http.Client {
	way := &pipe{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: s}
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return way.dial(ctx) }, DisableCompression: true}
	go func() { _ = server.Serve(way) }() // until the session ends
	context.AfterFunc(s.ctx, func() {
		transport.CloseIdleConnections()
		_ = server.Close() // nothing of it leaves the process
	})
	return &http.Client{Transport: transport}
}
