package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// Schema is the version of the layout and of the files in it. To raise it, add
// to migrations what makes the new layout of the one before.
const Schema = 1

// A migration makes the next layout of a results directory. It is called under
// the lock. A crash in it leaves the old version in the marker, and the next
// bench calls it again: it must be able to find half of its own work done.
type migration func(dir string) error

// migrations has the way from each older layout to the next one. There was none
// before the first.
var migrations = map[int]migration{}

var layout = schemas{Schema, migrations}

// A VersionError is a results directory that another version of bench wrote.
type VersionError struct {
	Dir  string
	Have int // 0 if it does not say
	Want int
}

func (e *VersionError) Error() string {
	what, hint := fmt.Sprintf("was written in layout %d", e.Have), ""
	switch {
	case e.Have == 0:
		what = "does not say in which layout it was written"
		hint = "If bench has made it, its bench.json is damaged: write {\"schema\": 1} into that, or the number of the bench that made it. "
	case e.Have > e.Want:
		hint = "A newer bench has made it, and can read it. "
	}
	return fmt.Sprintf("the results directory %s %s, and this bench reads layout %d; nothing in it was touched. %s"+
		"Move it away, or name another one as results_dir in the suite block", e.Dir, what, e.Want, hint)
}

// marker is what bench.json says.
type marker struct {
	Schema int `json:"schema"`
}

func markerFile(dir string) string { return filepath.Join(dir, "bench.json") }

// schemas knows the current layout, and the way to it from older ones.
type schemas struct {
	current int
	from    map[int]migration
}

// open makes sure that a directory is in the current layout, or not there at all.
func (l schemas) open(dir string) error {
	have, err := l.version(dir)
	if err != nil || have == l.current {
		return err
	}
	lock, err := acquire(dir)
	if err != nil {
		return err
	}
	return errors.Join(l.migrate(dir), release(lock))
}

// version is the layout of a directory. A way to the current one exists from
// there; whatever has none is a *VersionError.
func (l schemas) version(dir string) (int, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !slices.ContainsFunc(entries, says) {
		return l.current, nil
	}
	if err != nil {
		return 0, err
	}
	var m marker
	text, err := os.ReadFile(markerFile(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return 0, err
	}
	if err != nil || json.Unmarshal(text, &m) != nil {
		m.Schema = 0
	}
	for v := m.Schema; v != l.current; v++ { // it ends: from has no way beyond the current one
		if l.from[v] == nil {
			return 0, &VersionError{dir, max(m.Schema, 0), l.current}
		}
	}
	return m.Schema, nil
}

// says reports whether an entry says anything of a directory: what a bench leaves
// that dies while it makes one does not.
func says(e fs.DirEntry) bool {
	temp, _ := filepath.Match(jsonTemp, e.Name())
	return !temp && e.Name() != "lock"
}

// migrate goes the way, step by step. After each one the marker says so, and
// says it last.
func (l schemas) migrate(dir string) error {
	have, err := l.version(dir) // again: another process may have done it
	for ; err == nil && have != l.current; have++ {
		if err = l.from[have](dir); err == nil {
			err = errors.Join(writeJSON(markerFile(dir), marker{have + 1}), syncDir(dir))
		}
		if err != nil {
			return fmt.Errorf("the results directory %s is in layout %d, and could not be brought into layout %d: %w. Nothing is lost; the next bench tries again", dir, have, have+1, err)
		}
	}
	return err
}
