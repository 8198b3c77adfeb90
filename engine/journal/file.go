package journal

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

const extension = ".ndjson"

// NewID names a run: by its time, so that names sort as runs do, and by chance.
func NewID(now time.Time) string {
	var suffix [4]byte
	_, _ = rand.Read(suffix[:]) // never fails
	return now.UTC().Format("20060102T150405.000Z") + "-" + hex.EncodeToString(suffix[:])
}

// A Writer adds to the journal of one run. It can be used by many goroutines. It
// holds no file open between two events, so that a disk can be taken away in the
// meantime.
type Writer struct {
	mu     sync.Mutex
	path   string
	size   int64 // of all whole lines
	seq    int
	broken error // what stands in the file is not known any more
}

// Create begins the journal of a run in a directory of journals, which it makes
// if need be. A run that has one already is an error.
func Create(dir, id string) (*Writer, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("the journal of run %s: %w", id, err)
	}
	file, err := os.OpenFile(filepath.Join(dir, id+extension), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, fmt.Errorf("the journal of run %s: %w", id, err)
	}
	return &Writer{path: file.Name()}, file.Close()
}

// Path is where the journal lies.
func (w *Writer) Path() string { return w.path }

// Write adds an event, by one call of the system. Events that say what a trial or
// the run came to are on the disk when it returns: there is one of them for
// minutes of work. A line that cannot be written whole, as on a full disk, is
// taken back, and the next one has its number.
func (w *Writer) Write(e Event, at time.Time) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken != nil {
		return w.broken
	}
	line, err := encode(Record{w.seq + 1, at, e})
	if err != nil {
		return err
	}
	file, err := os.OpenFile(w.path, os.O_WRONLY|os.O_APPEND, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(line); err != nil {
		if undo := file.Truncate(w.size); undo != nil {
			w.broken = errors.Join(err, undo)
		}
		return err
	}
	w.size += int64(len(line))
	w.seq++
	switch e.(type) {
	case TrialEnded, RunEnded:
		return file.Sync()
	}
	return nil
}

// Close ends the journal: nothing more can be written.
func (w *Writer) Close() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.broken == nil {
		w.broken = os.ErrClosed
	}
	return nil
}

// Load reads the journal of a run.
func Load(dir, id string) (*Log, error) {
	file, err := os.Open(filepath.Join(dir, id+extension))
	if err != nil {
		return nil, err
	}
	defer file.Close()
	log, err := Read(file)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file.Name(), err)
	}
	return log, nil
}

// Runs lists the runs that have a journal, oldest first.
func Runs(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted by name, and so by time
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var ids []string
	for _, e := range entries {
		if id, ok := strings.CutSuffix(e.Name(), extension); ok && e.Type().IsRegular() {
			ids = append(ids, id)
		}
	}
	return ids, nil
}
