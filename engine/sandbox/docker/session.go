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

	"github.com/gofrs/flock"
	"github.com/moby/moby/client"
)

// Labels of everything that bench makes on an engine.
const (
	labelSession = "bench.session" // the process that made it
	labelOwner   = "bench.owner"   // the state directory that holds the session's lock
	labelTrial   = "bench.trial"   // what it is for
	labelImage   = "bench.image"   // the key of an image that was built
)

// A session is one process of bench. Its lock is free exactly when the process
// is dead, whatever it died of, so no process ids have to be guessed at.
type session struct {
	id    string
	owner string
	dir   string
	lock  *flock.Flock
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
		if ok && s.linked() {
			return s, nil
		}
		s.lock.Close() // another process took the file for that of a dead session, and removes it
	}
	return nil, errors.New("other processes keep removing the lock file")
}

// linked reports whether the lock is held on the file that others will look at.
func (s *session) linked() bool {
	mine, err := s.lock.Stat()
	if err != nil {
		return false
	}
	theirs, err := os.Stat(s.file(s.id))
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

// Leftovers reports whether a process of bench died in such a way that
// something of it may be left on an engine, for the next Open to remove.
func Leftovers(state string) bool {
	s := &session{dir: filepath.Join(state, "sessions")}
	files, _ := filepath.Glob(s.file("*"))
	return slices.ContainsFunc(files, func(f string) bool { return s.dead(sessionOf(f)) })
}

// sessionOf is the inverse of session.file.
func sessionOf(file string) string { return strings.TrimSuffix(filepath.Base(file), ".lock") }

// dead reports whether the process of a session has ended.
func (s *session) dead(id string) bool {
	if id == s.id {
		return false
	}
	lock := flock.New(s.file(id))
	ok, err := lock.TryLock()
	if err != nil || !ok {
		return false
	}
	return lock.Unlock() == nil
}

// sweep removes the containers, networks and volumes of sessions that are dead.
func (d *Driver) sweep(ctx context.Context) error {
	dead := map[string]bool{}
	err := d.clear(ctx, labelOwner+"="+d.session.owner, func(id string) bool {
		if _, known := dead[id]; !known {
			dead[id] = id != "" && filepath.Base(id) == id && d.session.dead(id)
		}
		return dead[id]
	})
	if err != nil {
		return err
	}
	return d.session.removeLocks()
}

// clear removes what has a label and belongs to certain sessions.
func (d *Driver) clear(ctx context.Context, label string, session func(id string) bool) error {
	filter := make(client.Filters).Add("label", label)
	containers, err := d.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
	if err != nil {
		return wrap("listing containers of runs", err)
	}
	for _, c := range containers.Items {
		if session(c.Labels[labelSession]) {
			if err := d.remove(ctx, c.ID); err != nil {
				return wrap("removing a container of a run", err)
			}
		}
	}
	networks, err := d.client.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
	if err != nil {
		return wrap("listing networks of runs", err)
	}
	for _, n := range networks.Items {
		if session(n.Labels[labelSession]) {
			if _, err := d.client.NetworkRemove(ctx, n.ID, client.NetworkRemoveOptions{}); err != nil && !gone(err) {
				return wrap("removing a network of a run", err)
			}
		}
	}
	volumes, err := d.client.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
	if err != nil {
		return wrap("listing volumes of runs", err)
	}
	for _, v := range volumes.Items {
		if session(v.Labels[labelSession]) {
			if _, err := d.client.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{}); err != nil && !gone(err) {
				return wrap("removing a volume of a run", err)
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
