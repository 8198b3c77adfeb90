package asset

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// tries is how often a file is fetched before it is given up.
const tries = 4

// maxRedirects is how often a server may send bench elsewhere.
const maxRedirects = 10

// A FinalError is one that another try would only come to again.
type FinalError struct{ Err error }

func (e *FinalError) Error() string { return e.Err.Error() }

// Unwrap is what went wrong.
func (e *FinalError) Unwrap() error { return e.Err }

func final(format string, args ...any) error { return &FinalError{fmt.Errorf(format, args...)} }

func newClient(transport http.RoundTripper) *http.Client {
	if transport == nil {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.DisableCompression = true // what is sent is what has the sum
		transport = t
	}
	return &http.Client{Transport: transport, CheckRedirect: func(r *http.Request, via []*http.Request) error {
		switch {
		case len(via) >= maxRedirects:
			return final("it redirects more than %d times", maxRedirects)
		case r.URL.Scheme != "https":
			return final("it redirects to %s, which is not https", r.URL.Redacted())
		}
		return nil
	}}
}

// Fetch gives the file with a sum, from the cache or from an address. What a
// server or the network gets wrong for a moment is tried again a few times; the
// error is a *FinalError if there is no use in trying. Of a file with another sum
// nothing is kept.
func (c *Cache) Fetch(ctx context.Context, address string, sum engine.Digest) (*File, error) {
	return c.obtain(ctx, entry{kindFile, sum}, func(ctx context.Context, out *os.File) (engine.Digest, error) {
		wait := c.backoff
		for n := 1; ; n++ {
			err := c.download(ctx, address, sum, out)
			if err == nil {
				return sum, nil
			}
			if ctx.Err() != nil {
				return sum, context.Cause(ctx)
			}
			if isFinal(err) {
				return sum, err
			}
			if n == tries {
				return sum, fmt.Errorf("%w (tried %d times)", err, n)
			}
			select {
			case <-ctx.Done():
				return sum, context.Cause(ctx)
			case <-time.After(wait):
			}
			wait *= 2
			if err := empty(out); err != nil {
				return sum, err
			}
		}
	})
}

// isFinal reports whether an error is the same the next time: one that says so,
// one of this machine's disk, and one of a server that is not who it should be.
func isFinal(err error) bool {
	var asked *FinalError
	var ours *fs.PathError
	var identity *tls.CertificateVerificationError
	return errors.As(err, &asked) || errors.As(err, &ours) || errors.As(err, &identity)
}

func empty(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// download makes one try, from the first byte to the last.
func (c *Cache) download(ctx context.Context, address string, want engine.Digest, out *os.File) error {
	stalled := fmt.Errorf("the server at %s has sent nothing for %s", address, c.stall)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watch := time.AfterFunc(c.stall, func() { cancel(stalled) })
	defer watch.Stop()
	sum := sha256.New()
	n, err := c.receive(ctx, address, io.MultiWriter(out, sum), func() { watch.Reset(c.stall) })
	if context.Cause(ctx) == stalled { // whatever came of it: the server may have answered to being hung up on
		return stalled
	}
	if err != nil {
		return err
	}
	if got := digest.Hash(sum); got != want {
		return final("%s has another content than the case says: its sha256 is %s, and not %s (%d bytes); nothing of it is kept", address, got, want, n)
	}
	return nil
}

// receive writes what an address has to say, and calls alive whenever some of it
// has come.
func (c *Cache) receive(ctx context.Context, address string, out io.Writer, alive func()) (int64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return 0, &FinalError{err}
	}
	request.Header.Set("User-Agent", "bench")
	response, err := c.client.Do(request)
	if err != nil {
		var around *url.Error // names the last address only
		if errors.As(err, &around) {
			err = around.Err
		}
		return 0, fmt.Errorf("fetching %s: %w", address, err)
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code == http.StatusOK:
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooManyRequests:
		return 0, fmt.Errorf("the server at %s answers %q", address, response.Status)
	default:
		return 0, final("the server at %s answers %q", address, response.Status)
	}
	n, err := io.Copy(out, &lively{response.Body, alive})
	if errors.Is(err, io.ErrUnexpectedEOF) {
		return n, fmt.Errorf("the server at %s broke off after %d bytes", address, n)
	}
	var ours *fs.PathError
	if err != nil && !errors.As(err, &ours) {
		err = fmt.Errorf("fetching %s: %w", address, err)
	}
	return n, err
}

// lively tells of each time that something was read.
type lively struct {
	in    io.Reader
	alive func()
}

func (l *lively) Read(p []byte) (int, error) {
	n, err := l.in.Read(p)
	if n > 0 {
		l.alive()
	}
	return n, err
}
