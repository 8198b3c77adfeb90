package gateway

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// plainly is a transport whose answers are what providers mean. They are asked not to
// compress, for that could be neither read nor masked on its way; some do.
type plainly struct{ http.RoundTripper }

// errEncoded would be the same the next time.
var errEncoded = errors.New("its answer is encoded, although it was asked for none")

// RoundTrip asks, and undoes a gzip. The error may be that of another encoding.
func (p plainly) RoundTrip(q *http.Request) (*http.Response, error) {
	a, err := p.RoundTripper.RoundTrip(q)
	if err != nil {
		return nil, err
	}
	switch encoding := a.Header.Get("Content-Encoding"); encoding {
	case "", "identity":
	case "gzip":
		a.Body = &unzipped{from: a.Body}
		a.ContentLength = -1
		a.Header.Del("Content-Length")
		a.Header.Del("Content-Encoding")
	default:
		_ = a.Body.Close() // nobody reads it
		return nil, fmt.Errorf("%w: %q", errEncoded, encoding)
	}
	return a, nil
}

// unzipped is a body that was compressed.
type unzipped struct {
	from io.ReadCloser
	zip  *gzip.Reader // nil until something is read
}

func (u *unzipped) Read(p []byte) (n int, err error) {
	if u.zip == nil {
		if u.zip, err = gzip.NewReader(u.from); err != nil {
			return 0, err
		}
	}
	return u.zip.Read(p)
}

func (u *unzipped) Close() error { return u.from.Close() }
