package tunnel

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/hashicorp/yamux"
)

// Inside listens at a TCP address, says so on out, and carries what connects
// there over in and out, both of which it closes. It returns nil once in has
// ended, and all connections with it.
func Inside(in io.ReadCloser, out io.WriteCloser, addr string) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	defer listener.Close()
	if _, err := io.WriteString(out, greeting); err != nil {
		return errors.Join(err, in.Close(), out.Close())
	}
	session, err := yamux.Client(&joiner{ReadWriteCloser: pair{in, out}}, config())
	if err != nil {
		return err
	}
	go func() {
		<-session.CloseChan()
		listener.Close()
	}()
	accept(listener, session)
	return session.Close()
}

// accept carries the connections of a listener until it, or the session, ends.
func accept(listener net.Listener, session *yamux.Session) {
	var open sync.WaitGroup
	defer open.Wait()
	defer session.Close()
	free := make(chan struct{}, MaxConns)
	for {
		free <- struct{}{}
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		stream, err := session.OpenStream()
		if err != nil {
			conn.Close()
			return
		}
		open.Go(func() {
			carry(conn, stream)
			<-free
		})
	}
}

// linger is how long a client has to read what is on its way to it, once the side
// outside has closed a connection.
const linger = time.Second

// carry copies both ways until the side outside has closed the stream. A client
// may stop sending and listen on; the side outside never does.
func carry(conn net.Conn, stream *yamux.Stream) {
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(stream, conn)
		stream.Close()
	})
	if _, err := io.Copy(conn, stream); err != nil {
		// The client is gone. The side outside is told so, and must not wait
		// for room to write until it has heard.
		stream.Close()
		_, _ = io.Copy(io.Discard, stream)
	}
	stream.Close()
	// What the client still sends must be read: otherwise the kernel would take
	// back what it has not read yet.
	if half, ok := conn.(interface{ CloseWrite() error }); ok && half.CloseWrite() == nil {
		_ = conn.SetReadDeadline(time.Now().Add(linger))
		up.Wait()
		_, _ = io.Copy(io.Discard, conn)
	}
	conn.Close()
	up.Wait()
}

// A pair makes one stream of two.
type pair struct {
	io.ReadCloser
	out io.WriteCloser
}

func (p pair) Write(b []byte) (int, error) { return p.out.Write(b) }

func (p pair) Close() error { return errors.Join(p.ReadCloser.Close(), p.out.Close()) }
