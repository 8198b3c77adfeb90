package tunnel

import (
	"encoding/binary"
	"io"
)

// A joiner writes the header of a frame together with its body, where yamux
// writes one after the other: each write passes through several processes.
type joiner struct {
	io.ReadWriteCloser
	frame []byte // a header whose body comes next
}

func (j *joiner) Write(p []byte) (int, error) {
	if len(j.frame) == 0 && len(p) == headerSize && p[1] == frameData && binary.BigEndian.Uint32(p[8:]) > 0 {
		j.frame = append(j.frame, p...)
		return len(p), nil
	}
	if len(j.frame) == 0 {
		return j.ReadWriteCloser.Write(p)
	}
	j.frame = append(j.frame, p...)
	n, err := j.ReadWriteCloser.Write(j.frame)
	j.frame = j.frame[:0]
	return max(0, n-headerSize), err
}
