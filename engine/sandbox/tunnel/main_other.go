//go:build !linux

package tunnel

import (
	"errors"
	"os"
)

// untraceable fails: sandboxes are Linux.
func untraceable() error { return errors.ErrUnsupported }

func polled(f *os.File) (*os.File, error) { return f, nil }
