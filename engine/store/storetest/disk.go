// Package storetest has what tests of results need: a disk that is small enough
// to be filled.
//
//	disk := storetest.NewDisk(t, 1<<20)
//	disk.Fill(t)                          // now nothing fits
//	disk.Free(t)                          // now it does again
//	disk.ReadOnly(t)                      // now nothing can be changed
package storetest

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// A Disk is a file system of its own, in memory, which goes with its test. It is
// a real one, as Linux has it: mounting it needs root, or sudo without a password.
type Disk struct{ Dir string }

// NewDisk mounts a disk of some bytes.
func NewDisk(t testing.TB, size int) *Disk {
	t.Helper()
	d := &Disk{t.TempDir()}
	asRoot(t, "mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%d,mode=0777", size), "bench-test", d.Dir)
	t.Cleanup(func() { asRoot(t, "umount", "-l", d.Dir) })
	return d
}

func (d *Disk) ballast() string { return filepath.Join(d.Dir, "ballast") }

// Fill takes all the room that is left.
func (d *Disk) Fill(t testing.TB) {
	t.Helper()
	f, err := os.Create(d.ballast())
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for err == nil {
		_, err = f.Write(make([]byte, 4096))
	}
	if !errors.Is(err, syscall.ENOSPC) {
		t.Fatal(err)
	}
}

// Free gives back what Fill took.
func (d *Disk) Free(t testing.TB) {
	t.Helper()
	if err := os.Remove(d.ballast()); err != nil {
		t.Fatal(err)
	}
}

// ReadOnly lets nobody write, root included.
func (d *Disk) ReadOnly(t testing.TB) { t.Helper(); asRoot(t, "mount", "-o", "remount,ro", d.Dir) }

// Writable ends ReadOnly.
func (d *Disk) Writable(t testing.TB) { t.Helper(); asRoot(t, "mount", "-o", "remount,rw", d.Dir) }

func asRoot(t testing.TB, args ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		args = append([]string{"sudo", "-n"}, args...)
	}
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		t.Fatalf("this test needs a disk of its own: %v: %v\n%s", args, err, out)
	}
}
