//go:build !unix

package store

import (
	"os"
	"path/filepath"
)

// glance sees a file or directory from outside, by its name below an open
// directory.
func glance(below *os.File, name string) (f file, dir bool) {
	info, err := os.Lstat(filepath.Join(below.Name(), name))
	switch {
	case err == nil && info.IsDir():
		return file{modified: info.ModTime().UnixNano()}, true
	case err == nil && info.Mode().IsRegular():
		return file{info.ModTime().UnixNano(), info.Size()}, false
	}
	return file{modified: never}, false
}
