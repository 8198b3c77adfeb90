package store

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
)

// IsFull reports whether an error means that a disk has no room, or none for this
// user.
func IsFull(err error) bool {
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
}

// IsReadOnly reports whether an error means that bench may not write there.
func IsReadOnly(err error) bool {
	return errors.Is(err, syscall.EROFS) || errors.Is(err, fs.ErrPermission)
}

// A RoomError is a disk that is too full to begin with. It is one of those that
// IsFull knows.
type RoomError struct {
	Dir        string // the results directory
	Free, Need uint64 // bytes
}

func (e *RoomError) Error() string {
	return fmt.Sprintf("the disk of the results directory %s has %s left, and a run needs %s: free some, or run bench clean", e.Dir, mebibytes(e.Free), mebibytes(e.Need))
}

// Unwrap is what the system would say a little later.
func (e *RoomError) Unwrap() error { return syscall.ENOSPC }

func mebibytes(n uint64) string { return fmt.Sprintf("%.4g MiB", float64(n)/(1<<20)) }

// Free is how many bytes the disk of the results directory has for this user. It
// wraps errors.ErrUnsupported where bench cannot ask.
func (s *Store) Free() (uint64, error) {
	dir, err := filepath.Abs(s.dir)
	for err == nil {
		var free uint64
		free, err = freeBytes(dir)
		if !errors.Is(err, fs.ErrNotExist) || filepath.Dir(dir) == dir {
			return free, err
		}
		dir, err = filepath.Dir(dir), nil // it will be made on the same disk as what is there
	}
	return 0, err
}

// Room is a *RoomError if less than need bytes are free. What is not known is
// enough: then the system will say so in time.
func (s *Store) Room(need uint64) error {
	free, err := s.Free()
	if errors.Is(err, errors.ErrUnsupported) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("asking how full the disk of the results directory is: %w", err)
	}
	if free < need {
		return &RoomError{s.dir, free, need}
	}
	return nil
}
