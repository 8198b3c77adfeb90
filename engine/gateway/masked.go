package gateway

import (
	"bytes"
	"io"

	"github.com/ml-dev-bench/bench/engine/gateway/mask"
)

// masked is the body of an answer without keys, for a provider may tell the one that
// it was shown. All who read the answer, the agent among them, read this. Bytes that
// may yet become a key are held back; no event of a stream ends with one of those.
type masked struct {
	body  io.ReadCloser
	ready bytes.Buffer
	mask  *mask.Writer // to ready
	piece []byte
	err   error // of the body
}

func newMasked(body io.ReadCloser, m *mask.Masker) io.ReadCloser {
	b := &masked{body: body, piece: make([]byte, pieceSize)}
	b.mask = m.Writer(&b.ready)
	return b
}

func (b *masked) Read(p []byte) (int, error) {
	for b.ready.Len() == 0 && b.err == nil {
		var n int
		n, b.err = b.body.Read(b.piece)
		_, _ = b.mask.Write(b.piece[:n]) // a buffer takes everything
		if b.err != nil {
			_ = b.mask.Flush()
		}
	}
	if b.ready.Len() > 0 {
		return b.ready.Read(p)
	}
	return 0, b.err
}

func (b *masked) Close() error { return b.body.Close() }
