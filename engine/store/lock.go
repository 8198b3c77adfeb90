package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/gofrs/flock"
)

// A LockedError is a results directory that another process writes to.
type LockedError struct {
	Dir    string
	Holder Holder
	Waited time.Duration // for it to end
}

func (e *LockedError) Error() string {
	waited := ""
	if e.Waited > 0 {
		waited = fmt.Sprintf(" (this one has waited for %v)", e.Waited.Round(time.Millisecond))
	}
	return fmt.Sprintf("the results directory %s is in use by another bench: %s%s; wait until it has ended, or name another results_dir", e.Dir, e.Holder, waited)
}

// LockOptions say what to do if another process holds the lock. The zero value
// gives up at once.
type LockOptions struct {
	Wait   time.Duration      // how long to try
	OnWait func(*LockedError) // is called once, before the waiting; may be nil
}

// poll is how often a lock is tried: the system tells nobody when one is free
// and could be waited for with a limit.
const poll = 50 * time.Millisecond

// Lock makes the store writable for this process, and for no other until
// Unlock. It removes what a process that died left half-done, and reads again
// what is stored: another process may have ended between Open and Lock, and its
// work must not be done twice. The error is a *LockedError if another process
// holds it.
func (s *Store) Lock() error { return s.LockFor(context.Background(), LockOptions{}) }

// LockFor is Lock for those who can wait. When the context ends first, the error
// wraps its cause and the *LockedError.
func (s *Store) LockFor(ctx context.Context, o LockOptions) error {
	if err := os.MkdirAll(s.dir, 0o755); err != nil {
		return unwritable(s.dir, err)
	}
	lock, err := wait(ctx, s.dir, o)
	if err != nil {
		return err
	}
	if err := s.prepare(); err != nil {
		return errors.Join(unwritable(s.dir, err), release(lock))
	}
	s.lock = lock // only now: Unlock must not touch what another process holds
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.read(s.trials)
}

// prepare makes what is missing in a locked directory, and removes what the dead
// have left.
func (s *Store) prepare() error {
	if _, err := os.Stat(markerFile(s.dir)); errors.Is(err, fs.ErrNotExist) {
		if err := writeJSON(markerFile(s.dir), marker{Schema}); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(s.drafts()); err != nil {
		return err
	}
	s.removeTemps()
	return os.MkdirAll(s.drafts(), 0o755)
}

// removeTemps removes what processes left that died while they wrote a file.
// One that lives only loses a cache.
func (s *Store) removeTemps() {
	for _, pattern := range []string{filepath.Join(s.suiteDir(), indexTemp), filepath.Join(s.dir, jsonTemp)} {
		left, _ := filepath.Glob(pattern)
		for _, file := range left {
			os.Remove(file)
		}
	}
}

// Unlock lets other processes write. It leaves them an index of what is stored.
func (s *Store) Unlock() error {
	if s.lock == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changed {
		_ = s.saveIndex() // it is only a cache
	}
	err := errors.Join(os.RemoveAll(s.drafts()), release(s.lock))
	s.lock = nil // a second Unlock must not touch what another process makes
	return err
}

// wait takes the lock of a directory as soon as it is free.
func wait(ctx context.Context, dir string, o LockOptions) (*flock.Flock, error) {
	began := time.Now()
	for first := true; ; first = false {
		lock, err := acquire(dir)
		var held *LockedError
		if !errors.As(err, &held) {
			return lock, err
		}
		if !first {
			held.Waited = time.Since(began)
		}
		left := o.Wait - held.Waited
		if left <= 0 {
			return nil, held
		}
		if first && o.OnWait != nil {
			o.OnWait(held)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", held, context.Cause(ctx))
		case <-time.After(min(poll, left)):
		}
	}
}

// acquire takes the lock of a directory, or says who has it.
func acquire(dir string) (*flock.Flock, error) {
	file := filepath.Join(dir, "lock")
	lock := flock.New(file)
	ok, err := lock.TryLock()
	if err != nil {
		return nil, unwritable(dir, err)
	}
	if !ok {
		text, _ := os.ReadFile(file)
		return nil, &LockedError{Dir: dir, Holder: parseHolder(string(text))}
	}
	if err := os.WriteFile(file, fmt.Appendln(nil, thisProcess(time.Now())), 0o644); err != nil {
		return nil, errors.Join(unwritable(dir, err), release(lock))
	}
	return lock, nil
}

func unwritable(dir string, err error) error {
	return fmt.Errorf("the results directory %s cannot be written to: %w", dir, err)
}

// release gives a lock back. The file stays, and names nobody: a file that is
// removed can be locked by two.
func release(lock *flock.Flock) error {
	_ = os.Truncate(lock.Path(), 0) // on a full disk that goes, and else it does not matter
	return lock.Unlock()
}
