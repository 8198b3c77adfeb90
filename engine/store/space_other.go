//go:build !linux && !darwin

package store

import "errors"

// freeBytes does not know.
func freeBytes(string) (uint64, error) { return 0, errors.ErrUnsupported }
