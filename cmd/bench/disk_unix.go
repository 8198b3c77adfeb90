//go:build linux || darwin

package main

import "golang.org/x/sys/unix"

// freeOn is how many bytes this user may still write below a directory.
func freeOn(dir string) *int64 {
	var fs unix.Statfs_t
	if unix.Statfs(dir, &fs) != nil {
		return nil
	}
	return new(int64(fs.Bavail) * int64(fs.Bsize)) //nolint:unconvert // their types differ by system
}
