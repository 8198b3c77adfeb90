package docker

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
)

// Labels of everything that bench makes on an engine.
const (
	labelSession = "bench.session" // the process that made it
	labelOwner   = "bench.owner"   // the state directory that holds the session's lock
	labelTrial   = "bench.trial"   // what it is for
	labelImage   = "bench.image"   // the key of an image that was built
	labelBuilder = "bench.builder" // whose image it is: as bench.owner, which containers would inherit
)

// A session is one process of bench. Its lock is free exactly when the process
// is dead, whatever it died of, so no process ids have to be guessed at.
type session struct {
	id    string
	owner string
	dir   string
	lock  *flock.Flock

	mu       sync.Mutex
	creating int // things that the engine is making
}

func newSession(state string) (*session, error) {
	dir := filepath.Join(state, "sessions")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	for range 10 {
		var id [8]byte
		rand.Read(id[:])
		s := &session{id: hex.EncodeToString(id[:]), owner: ownerOf(dir), dir: dir}
		s.lock = flock.New(s.file(s.id))
		ok, err := s.lock.TryLock()
		if err != nil {
			return nil, err
		}
		if ok && linked(s.lock) {
			return s, nil
		}
		s.lock.Close() // another process took the file for that of a dead session, and removes it
	}
	return nil, errors.New("other processes keep removing the lock file")
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

// ownerOf names a state directory on a machine. An engine may be shared by
// several users and machines, whose locks cannot be seen from here: what they
// own is left alone.
func ownerOf(dir string) string {
	host, _ := os.Hostname()
	machine, _ := os.ReadFile("/etc/machine-id")
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%s\n%s", host, machine, dir))
	return hex.EncodeToString(sum[:8])
}

func (s *session) file(id string) string { return filepath.Join(s.dir, id+".lock") }

func (s *session) labels(trial string) map[string]string {
	return map[string]string{labelSession: s.id, labelOwner: s.owner, labelTrial: trial}
}

// close gives the lock up. Its file goes only with all that is labelled with
// the session: where it stays, Leftovers tells the next process.
func (s *session) close(cleared bool) error {
	if !cleared {
		return s.lock.Unlock()
	}
	return errors.Join(os.Remove(s.file(s.id)), s.lock.Unlock())
}

// creates notes in the lock file whether the process waits for the engine to make
// something: if it dies then, the engine makes it all the same, a little later.
func (s *session) creates(by int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := s.creating
	s.creating += by
	if (before == 0) != (s.creating == 0) {
		note := ""
		if s.creating > 0 {
			note = "creating\n"
		}
		_ = os.WriteFile(s.file(s.id), []byte(note), 0o600) // without it, the next process only does not wait
	}
}

// diedCreating reports whether a dead process may have something made for it yet.
func (s *session) diedCreating() bool {
	files, _ := filepath.Glob(s.file("*"))
	return slices.ContainsFunc(files, func(f string) bool {
		info, err := os.Stat(f)
		return err == nil && info.Size() > 0 && s.dead(sessionOf(f))
	})
}

// Leftovers reports whether a process of bench died in such a way that
// something of it may be left on an engine, for the next Open to remove.
func Leftovers(state string) bool {
	s := &session{dir: filepath.Join(state, "sessions")}
	files, _ := filepath.Glob(s.file("*"))
	return slices.ContainsFunc(files, func(f string) bool { return s.dead(sessionOf(f)) })
}

// sessionOf is the inverse of session.file.
func sessionOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".lock") }

// dead reports whether the process of a session has ended. Without a file there
// is no process: it makes the file before anything else, and removes it last.
func (s *session) dead(id string) bool {
	if id == s.id {
		return false
	}
	if _, err := os.Stat(s.file(id)); errors.Is(err, os.ErrNotExist) {
		return true
	}
	lock := flock.New(s.file(id))
	ok, err := lock.TryLock()
	if err != nil || !ok {
		return false
	}
	return lock.Unlock() == nil
}

// deadOnes is dead for many things of few sessions, whatever their labels say.
func (s *session) deadOnes() func(id string) bool {
	known := map[string]bool{}
	return func(id string) bool {
		if _, asked := known[id]; !asked {
			known[id] = id != "" && filepath.Base(id) == id && s.dead(id)
		}
		return known[id]
	}
}

// lateWait is how long an engine may take to make what a process wanted that is
// dead by now.
const lateWait = 5 * time.Second

// sweep removes what belongs to sessions that are dead, and what is still being
// made for them.
func (d *Driver) sweep(ctx context.Context) error {
	late := d.session.diedCreating()
	for until := time.Now().Add(lateWait); ; {
		if err := d.clear(ctx, labelOwner+"="+d.session.owner, d.session.deadOnes()); err != nil {
			return err
		}
		if !late || time.Now().After(until) {
			return d.session.removeLocks()
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(lateWait / 20):
		}
	}
}

// clear removes what has a label and belongs to certain sessions.
func (d *Driver) clear(ctx context.Context, label string, session func(id string) bool) error {
	for _, kind := range sessionKinds {
		all, err := d.labelled(ctx, kind, label)
		if err != nil {
			return err
		}
		for _, t := range all {
			if session(t.session) {
				if err := d.Remove(ctx, t); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

// removeLocks removes the lock files of dead sessions. Their containers are
// gone by now, or are gone with their engine.
func (s *session) removeLocks() error {
	files, err := filepath.Glob(s.file("*"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if s.dead(sessionOf(f)) {
			if err := os.Remove(f); err != nil && !errors.Is(err, os.ErrNotExist) {
				return err
			}
		}
	}
	return nil
}
