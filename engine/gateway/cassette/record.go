package cassette

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ml-dev-bench/bench/engine"
)

// A Recorder makes the recordings of a cassette. Many trials can be recorded at
// once, by one process.
type Recorder struct {
	dir     string
	options Options
	mu      sync.Mutex
	open    map[string]bool
}

// NewRecorder records to a directory, which is made when it is needed.
func NewRecorder(dir string, o Options) *Recorder {
	return &Recorder{dir: dir, options: o.named(dir), open: map[string]bool{}}
}

// Open begins the recording of a trial. An earlier one stays what it is until
// this one is closed. Whoever opened a tape closes or discards it.
func (r *Recorder) Open(id engine.TrialID) (*Tape, error) {
	key := keyOf(id)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open[key] {
		return nil, fmt.Errorf("cassette %s: %s is being recorded already, as part of another matrix; give one of the two a model with another provider", r.options.Name, key)
	}
	path := fileOf(r.dir, id)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("cassette %s: %w", r.options.Name, err)
	}
	if err := os.WriteFile(path+part, header(key), 0o644); err != nil {
		return nil, fmt.Errorf("cassette %s: %w", r.options.Name, err)
	}
	r.open[key] = true
	return &Tape{recorder: r, key: key, path: path}, nil
}

func (r *Recorder) closed(key string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.open, key)
}

// A Tape is the recording of one trial while it is made. It can be used by many
// goroutines.
//
// Every call is on its way to the disk when it ends, in a file that has ".part"
// after its name. So a crash costs no more than calls that were under way, and
// people can read what there is; players do not use it.
type Tape struct {
	recorder *Recorder
	key      string
	path     string
	begun    atomic.Int64
	mu       sync.Mutex
	broken   error // why the recording is of no use
	ended    bool
}

// A Pending is a call that has begun.
type Pending struct {
	tape    *Tape
	n       int
	request Request
}

// Begin tells that a request is being sent. Its place in the recording is that of
// its beginning.
func (t *Tape) Begin(q Request) *Pending {
	n := int(t.begun.Add(1))
	if len(q.Body) > maxBody {
		_ = t.fail(fmt.Errorf("call %d asks with more than %d MiB, which no cassette holds", n, maxBody>>20)) // told by Close
		q.Body = nil
	}
	return &Pending{tape: t, n: n, request: normal(q, t.recorder.options.mask)}
}

// End keeps what was answered. A call without an answer is not ended. An error
// spoils the tape, and Close returns it, too.
func (p *Pending) End(a Response) error {
	t := p.tape
	c := call{n: p.n, request: p.request, response: kept(a, t.recorder.options.mask, p.request.Path)}
	size := 0
	for _, chunk := range c.response.Chunks {
		size += len(chunk)
	}
	if size > maxBody {
		return t.fail(fmt.Errorf("the answer to call %d has more than %d MiB, which no cassette holds", p.n, maxBody>>20))
	}
	text, _ := c.encode(nil)
	return t.append(text)
}

// kept is what is kept of an answer.
func kept(a Response, mask func([]byte) []byte, path string) Response {
	out := Response{Status: a.Status, Cut: a.Cut}
	for _, name := range keptHeaders {
		for _, value := range a.Header.Values(name) {
			if out.Header == nil {
				out.Header = http.Header{}
			}
			out.Header.Add(name, string(mask([]byte(value))))
		}
	}
	body := bytes.Join(a.Chunks, nil)
	chunks := [][]byte{mask(body)}
	if isStream(path, a.Header) {
		masked := make([][]byte, len(a.Chunks))
		for i, chunk := range a.Chunks {
			masked[i] = mask(chunk)
		}
		// A secret that lies across chunks is seen only in all of them together.
		if joined := bytes.Join(masked, nil); bytes.Equal(mask(joined), joined) {
			chunks = masked
		}
	}
	out.Chunks = slices.DeleteFunc(chunks, func(c []byte) bool { return len(c) == 0 })
	if len(out.Chunks) == 0 {
		out.Chunks = nil
	}
	return out
}

func (t *Tape) fail(err error) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failLocked(err)
}

func (t *Tape) failLocked(err error) error {
	err = fmt.Errorf("cassette %s: %s: %w", t.recorder.options.Name, t.key, err)
	if t.broken == nil {
		t.broken = err
	}
	return err
}

func (t *Tape) append(text []byte) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return fmt.Errorf("cassette %s: %s: %w", t.recorder.options.Name, t.key, fs.ErrClosed)
	}
	if !bytes.Equal(t.recorder.options.mask(text), text) {
		return t.failLocked(errors.New("a secret would be in it; look for it in what the agent sends"))
	}
	file, err := os.OpenFile(t.path+part, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return t.failLocked(err)
	}
	defer file.Close()
	if _, err := file.Write(text); err != nil {
		return t.failLocked(err)
	}
	return nil
}

// Close puts the recording in the place of an earlier one, its calls in order. If
// not all of it could be kept it returns why, and the earlier one stays. Only the
// first of Close and Discard does anything.
func (t *Tape) Close() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil
	}
	t.ended = true
	defer t.recorder.closed(t.key)
	if t.broken != nil {
		return t.broken
	}
	if err := t.publish(); err != nil {
		return t.failLocked(err)
	}
	return nil
}

func (t *Tape) publish() error {
	text, err := os.ReadFile(t.path + part)
	if err != nil {
		return err
	}
	r, err := parse(text)
	if err != nil {
		return err
	}
	slices.SortFunc(r.calls, func(a, b call) int { return a.n - b.n })
	size := 0
	for i := range r.calls {
		r.calls[i].n = i + 1
		size += len(r.calls[i].request.Body)
	}
	if size > maxExpanded/2 { // lines of strings take more
		return fmt.Errorf("its requests have more than %d MiB together, which no cassette holds", maxExpanded>>21)
	}
	// The calls are in the file that is replaced until all of the new one is there.
	sorted := t.path + part + ".sorted"
	if err := write(sorted, r.encode()); err != nil {
		return errors.Join(err, os.Remove(sorted))
	}
	return errors.Join(os.Rename(sorted, t.path), os.Remove(t.path+part))
}

// write makes a file that is on the disk when it returns.
func write(path string, text []byte) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Sync(), file.Close())
}

// Discard ends the tape of an attempt that came to nothing. An earlier recording
// stays.
func (t *Tape) Discard() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended {
		return nil
	}
	t.ended = true
	defer t.recorder.closed(t.key)
	return os.Remove(t.path + part)
}
