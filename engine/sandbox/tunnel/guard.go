package tunnel

import (
	"encoding/binary"
	"errors"
	"io"
)

// A guard reads along what comes from inside, frame by frame, and ends the stream
// where Inside would never have said that: yamux answers each ping with a
// goroutine, however many there are.
type guard struct {
	io.ReadWriteCloser
	header [headerSize]byte
	have   int    // bytes of it
	body   uint32 // bytes until the next one
}

// headerSize is the size of the header of a frame: version, type, flags (2),
// stream (4), length (4).
const headerSize = 12

// Types of frames.
const (
	frameData   = 0
	frameWindow = 1
)

var errNotInside = errors.New("what runs inside does not keep to the protocol of the tunnel")

func (g *guard) Read(p []byte) (int, error) {
	n, err := g.ReadWriteCloser.Read(p)
	for rest := p[:n]; len(rest) > 0; {
		if g.body > 0 {
			skip := min(uint32(len(rest)), g.body)
			g.body -= skip
			rest = rest[skip:]
			continue
		}
		took := copy(g.header[g.have:], rest)
		g.have += took
		rest = rest[took:]
		if g.have < len(g.header) {
			continue
		}
		g.have = 0
		switch g.header[1] {
		case frameData:
			g.body = binary.BigEndian.Uint32(g.header[8:])
		case frameWindow:
		default:
			return 0, errNotInside
		}
	}
	return n, err
}
