package asset

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/ml-dev-bench/bench/engine"
)

// Kinds of entries, which are directories of the cache.
const (
	kindFile    = "sha256"  // its key is its sum
	kindFixture = "fixture" // its key is that of what made it
)

// What lies beside an entry has its name and one of these.
const (
	recordSuffix = ".json"
	lockSuffix   = ".lock"
	partSuffix   = ".part"
)

// An entry names a file of the cache.
type entry struct {
	kind string
	key  engine.Digest
}

func (c *Cache) path(e entry, suffix string) string {
	name := e.key.String()
	return filepath.Join(c.dir, e.kind, name[:2], name+suffix)
}

// hold notes that an entry is used now, and keeps it from being removed. It
// waits for whoever is removing it.
func (c *Cache) hold(ctx context.Context, e entry) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.held[e] == nil {
		lock := flock.New(c.path(e, lockSuffix))
		if _, err := lock.TryRLockContext(ctx, poll); err != nil {
			return errors.Join(err, lock.Close())
		}
		if linked(lock) {
			c.held[e] = lock
		} else {
			lock.Close() // the entry was removed, and the lock with it
		}
	}
	now := time.Now()
	return os.Chtimes(c.path(e, lockSuffix), now, now)
}

// linked reports whether a lock is held on the file that others will look at.
func linked(lock *flock.Flock) bool {
	mine, err := lock.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(lock.Path())
	return err == nil && os.SameFile(mine, theirs)
}

// A Stored is what the cache has of an asset: the whole, or what was left of a
// process that died while it was fetching it.
type Stored struct {
	Name  string    // "sha256:abcd…" or "fixture:abcd…", with twelve digits
	Size  int64     // bytes, with all that lies beside it
	Used  time.Time // when it was asked for last
	InUse bool      // by this process or another one

	entry entry
}

// List gives all that is in the cache, by name. It leaves everything as it is.
func (c *Cache) List() ([]Stored, error) {
	found := map[entry]*Stored{}
	for _, kind := range []string{kindFile, kindFixture} {
		err := filepath.WalkDir(filepath.Join(c.dir, kind), func(file string, d fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // nothing of the kind is stored, or it is gone by now
			}
			if err != nil || d.IsDir() {
				return err
			}
			name, suffix, _ := strings.Cut(d.Name(), ".")
			e := entry{kind: kind}
			if e.key.UnmarshalText([]byte(name)) != nil || e.key.IsZero() {
				return nil // nothing of ours
			}
			info, err := d.Info()
			if err != nil {
				return nil //nolint:nilerr // it is gone by now
			}
			s := found[e]
			if s == nil {
				s = &Stored{Name: kind + ":" + e.key.Short(), entry: e}
				found[e] = s
			}
			s.Size += info.Size()
			if "."+suffix == lockSuffix || s.Used.IsZero() {
				s.Used = info.ModTime()
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	out := make([]Stored, 0, len(found))
	for _, s := range found {
		s.InUse = c.inUse(s.entry)
		out = append(out, *s)
	}
	slices.SortFunc(out, func(a, b Stored) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

// inUse reports whether somebody has asked for an entry and not let go of it.
func (c *Cache) inUse(e entry) bool {
	if _, err := os.Stat(c.path(e, lockSuffix)); err != nil {
		return false
	}
	lock := flock.New(c.path(e, lockSuffix))
	alone, err := lock.TryLock()
	return errors.Join(err, lock.Close()) != nil || !alone
}

// ErrInUse reports an asset that cannot be removed now.
var ErrInUse = errors.New("the asset is in use")

// Remove removes an asset. The error is ErrInUse if somebody uses it by now.
func (c *Cache) Remove(s Stored) error {
	lock := flock.New(c.path(s.entry, lockSuffix))
	alone, err := lock.TryLock()
	if err != nil || !alone || !linked(lock) {
		return errors.Join(err, lock.Close(), ErrInUse)
	}
	err = c.discard(s.entry)
	if gone := os.Remove(c.path(s.entry, partSuffix)); !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	if err == nil {
		err = os.Remove(c.path(s.entry, lockSuffix))
	}
	return errors.Join(err, lock.Close())
}
