// Package tunnel lets programs in a place without a network reach one HTTP
// handler outside of it, over nothing but a pair of byte streams, such as the
// standard input and output of a process there:
//
//	inside:  tunnel.Inside(os.Stdin, os.Stdout, "127.0.0.1:8642")
//	outside: server, err := tunnel.Open(conn)
//	         go server.Serve(handler)
//	         defer server.Close()
//
// The side inside listens on loopback. Each TCP connection that it accepts
// becomes one stream of a yamux session, byte for byte, and an [http.Server]
// outside takes the streams for connections. So streaming, upgrades and CONNECT
// work as over any network.
//
// # What each side may rely on
//
// Nothing is measured in time: a side that gets no CPU, or is frozen, is slow and
// not gone. The session ends with its streams, and with it all connections.
//
// What runs inside may open as many connections as it likes: [MaxConns] are
// served at a time, the rest wait in the kernel. It may also try to speak for the
// side inside. That one cannot be traced (see Main), and the side outside holds
// what it reads against what Inside would say, and ends the session otherwise.
package tunnel

import (
	"io"
	"math"
	"time"

	"github.com/hashicorp/yamux"
)

// MaxConns is how many connections are served at once.
const MaxConns = 256

// greeting is the first thing that the side inside says, once it listens.
const greeting = "bench-tunnel 1\n"

// config turns off all that would take a slow peer for a dead one.
func config() *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = MaxConns
	c.EnableKeepAlive = false
	c.ConnectionWriteTimeout = math.MaxInt64 * time.Nanosecond
	c.StreamOpenTimeout = 0
	c.StreamCloseTimeout = 0
	c.LogOutput = io.Discard
	return c
}
