// Package asset keeps the data of cases on this machine: what was fetched, and
// the small stand-ins that fixtures have made.
//
//	cache := asset.Open(asset.Options{Dir: dir})
//	defer cache.Close()
//	file, err := cache.Fetch(ctx, "https://example.org/weights.bin", sum)
//	volumes := asset.Volumes([]asset.Placed{{Target: "/data/weights.bin", File: file}})
//
// What is in the cache goes by its content, or by what it was made from:
//
//	sha256/ab/abcd…    a file with that SHA-256 sum
//	fixture/ab/abcd…   what the fixture with that key wrote, as a tar archive
//
// Beside each lie a record of what it should be (.json), a lock that says who
// uses it (.lock), and while it is fetched a part of it (.part). Any number of
// goroutines and processes can ask for the same thing at once: one fetches it,
// the others wait. A file is there whole and with the right sum, or not at all,
// and whoever has it keeps it from being removed until Close.
//
// A file whose size and time are those of its record is taken to be what it was.
// Whoever reads it to its end finds out whether it is: see [File.Open].
package asset

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/gofrs/flock"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// Options say where a cache is and how it fetches. All but Dir may be zero.
type Options struct {
	Dir       string            // made when it is needed
	Transport http.RoundTripper // nil: that of package http, with the proxies of the environment
	Stall     time.Duration     // how long a server may send nothing; 0 means a minute
	Backoff   time.Duration     // before the second try, then doubled; 0 means a second
}

// A Cache is a directory of assets. It can be used by many goroutines at once.
type Cache struct {
	dir     string
	client  *http.Client
	stall   time.Duration
	backoff time.Duration

	mu   sync.Mutex
	held map[entry]*flock.Flock // shared, until Close
}

// ErrDamaged reports an asset that is not what it was when it was stored. It is
// fetched or made again by whoever asks for it next.
var ErrDamaged = errors.New("a stored asset is damaged; it is fetched or made again by the next run")

// poll is how often a lock is tried: the system tells nobody when one is free
// and could be waited for with a limit.
const poll = 50 * time.Millisecond

// Open gives the cache in a directory. It touches nothing yet.
func Open(o Options) *Cache {
	if o.Stall == 0 {
		o.Stall = time.Minute
	}
	if o.Backoff == 0 {
		o.Backoff = time.Second
	}
	return &Cache{dir: o.Dir, client: newClient(o.Transport), stall: o.Stall, backoff: o.Backoff, held: map[entry]*flock.Flock{}}
}

// Close lets go of all assets that were asked for: others may remove them now.
func (c *Cache) Close() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	var all error
	for _, lock := range c.held {
		all = errors.Join(all, lock.Close())
	}
	clear(c.held)
	return all
}

// Make gives what a fixture wrote, from the cache or by calling write, which
// writes a tar archive as [Pack] makes it. The key stands for everything that
// decides what the fixture writes.
func (c *Cache) Make(ctx context.Context, key engine.Digest, write func(context.Context, io.Writer) error) (*File, error) {
	return c.obtain(ctx, entry{kindFixture, key}, func(ctx context.Context, out *os.File) (engine.Digest, error) {
		sum := sha256.New()
		err := write(ctx, io.MultiWriter(out, sum))
		return digest.Hash(sum), err
	})
}

// obtain gives an entry, from the cache or by filling it with what get writes.
// What get has not written without an error is not kept.
func (c *Cache) obtain(ctx context.Context, e entry, get func(context.Context, *os.File) (engine.Digest, error)) (*File, error) {
	if err := os.MkdirAll(filepath.Dir(c.path(e, "")), 0o755); err != nil {
		return nil, err
	}
	if err := c.hold(ctx, e); err != nil {
		return nil, err
	}
	for {
		if f := c.recorded(e); f != nil {
			return f, nil
		}
		part := flock.New(c.path(e, partSuffix))
		if _, err := part.TryLockContext(ctx, poll); err != nil {
			return nil, errors.Join(err, part.Close())
		}
		if !linked(part) { // somebody has finished it, or given it up
			part.Close()
			continue
		}
		f, err := c.fill(ctx, e, get)
		return f, errors.Join(err, part.Close())
	}
}

// fill is obtain for who holds the lock of the part.
func (c *Cache) fill(ctx context.Context, e entry, get func(context.Context, *os.File) (engine.Digest, error)) (f *File, err error) {
	part := c.path(e, partSuffix)
	defer func() {
		if gone := os.Remove(part); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}()
	if f, err = c.verified(e); f != nil || err != nil {
		return f, err
	}
	out, err := os.OpenFile(part, os.O_WRONLY|os.O_TRUNC, 0)
	if err != nil {
		return nil, err
	}
	defer out.Close()
	sum, err := get(ctx, out)
	if err == nil {
		err = errors.Join(out.Sync(), out.Close())
	}
	if err != nil {
		return nil, err
	}
	f, err = c.record(e, part, sum) // first, since without a record nobody knows what a fixture wrote
	if err != nil {
		return nil, err
	}
	return f, os.Rename(part, c.path(e, ""))
}

// A record is what an entry was when it was stored.
type record struct {
	Sum      engine.Digest `json:"sha256"`
	Size     int64         `json:"size"`
	Modified time.Time     `json:"modified"`
}

// recorded is an entry that is as its record says; nil if there is none, or
// something about it has changed.
func (c *Cache) recorded(e entry) *File {
	r, err := c.readRecord(e)
	if err != nil {
		return nil
	}
	info, err := os.Stat(c.path(e, ""))
	if err != nil || info.Size() != r.Size || !info.ModTime().Equal(r.Modified) {
		return nil
	}
	return &File{cache: c, entry: e, Sum: r.Sum, Size: r.Size}
}

// verified reads an entry to its end, and removes it if it is not what it should
// be; then it is nil. A file that somebody has put there by hand has no record,
// and is as good.
func (c *Cache) verified(e entry) (*File, error) {
	if f := c.recorded(e); f != nil {
		return f, nil
	}
	want := e.key
	if e.kind == kindFixture {
		r, err := c.readRecord(e)
		if err != nil {
			return nil, c.discard(e)
		}
		want = r.Sum
	}
	in, err := os.Open(c.path(e, ""))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer in.Close()
	sum := sha256.New()
	if _, err := io.Copy(sum, in); err != nil || digest.Hash(sum) != want {
		return nil, c.discard(e)
	}
	return c.record(e, c.path(e, ""), want)
}

func (c *Cache) readRecord(e entry) (record, error) {
	text, err := os.ReadFile(c.path(e, recordSuffix))
	if err != nil {
		return record{}, err
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, err
	}
	if e.kind == kindFile && r.Sum != e.key {
		return record{}, fmt.Errorf("%s belongs to another file", c.path(e, recordSuffix))
	}
	return r, nil
}

// record writes down what an entry is: a file that is, or will be, where entries
// are.
func (c *Cache) record(e entry, file string, sum engine.Digest) (*File, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(record{sum, info.Size(), info.ModTime()})
	if err != nil {
		return nil, err
	}
	if err := os.WriteFile(c.path(e, recordSuffix), append(text, '\n'), 0o644); err != nil {
		return nil, err
	}
	return &File{cache: c, entry: e, Sum: sum, Size: info.Size()}, nil
}

// discard removes an entry, so that it has to be fetched or made again.
func (c *Cache) discard(e entry) error {
	var all error
	for _, suffix := range []string{recordSuffix, ""} {
		if err := os.Remove(c.path(e, suffix)); !errors.Is(err, fs.ErrNotExist) {
			all = errors.Join(all, err)
		}
	}
	return all
}
