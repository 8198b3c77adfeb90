package docker

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Records say of each image that bench has built when it was used last: a file
// for each, whose time is that of the last use. Whoever uses an image holds a
// shared lock on its file until the process ends, however it ends; whoever wants
// to remove it must have the file alone. So an image cannot go between being
// found and being started from.
type records struct {
	dir  string
	mu   sync.Mutex
	held map[string]*flock.Flock // by id of the image
}

func newRecords(state string) *records {
	return &records{dir: filepath.Join(state, "images"), held: map[string]*flock.Flock{}}
}

func (r *records) file(id string) string {
	return filepath.Join(r.dir, filepath.Base(strings.TrimPrefix(id, "sha256:")))
}

// hold records that an image is used now, and keeps it from being removed. It
// waits for whoever is removing it.
func (r *records) hold(ctx context.Context, id string) error {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.held[id] == nil {
		lock := flock.New(r.file(id))
		if _, err := lock.TryRLockContext(ctx, 10*time.Millisecond); err != nil {
			return err
		}
		if linked(lock) {
			r.held[id] = lock
		} else {
			lock.Close() // the image was removed, and the file with it
		}
	}
	now := time.Now()
	return os.Chtimes(r.file(id), now, now)
}

// used is when an image was used last, as far as is known.
func (r *records) used(id string) (at time.Time, known bool) {
	info, err := os.Stat(r.file(id))
	if err != nil {
		return time.Time{}, false
	}
	return info.ModTime(), true
}

// inUse reports whether a process uses an image. It leaves no file behind.
func (r *records) inUse(id string) bool {
	if _, known := r.used(id); !known {
		return false
	}
	lock := flock.New(r.file(id))
	alone, err := lock.TryLock()
	return errors.Join(err, lock.Close()) != nil || !alone
}

// take gives an image to whoever wants to remove it, until it is given back; not
// if somebody uses it.
func (r *records) take(id string) (giveBack func(removed bool) error, ok bool, err error) {
	if err := os.MkdirAll(r.dir, 0o700); err != nil {
		return nil, false, err
	}
	lock := flock.New(r.file(id))
	alone, err := lock.TryLock()
	if err != nil || !alone || !linked(lock) {
		return nil, false, errors.Join(err, lock.Close())
	}
	return func(removed bool) error {
		var err error
		if removed {
			err = os.Remove(r.file(id))
		}
		return errors.Join(err, lock.Close())
	}, true, nil
}

// close lets go of all images.
func (r *records) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all error
	for _, lock := range r.held {
		all = errors.Join(all, lock.Close())
	}
	clear(r.held)
	return all
}
