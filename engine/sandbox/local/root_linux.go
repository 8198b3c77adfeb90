package local

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// shown are the directories of the host in which programs are, with what they
// need. All else of the host is not there.
var shown = []string{"usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "etc", "opt", "nix"}

// devices are those that every program may expect.
var devices = []string{"null", "zero", "full", "random", "urandom"}

// own are the directories of the sandbox.
var own = []struct {
	path string
	mode fs.FileMode
}{
	{"dev", 0o755}, {"dev/pts", 0o755}, {"dev/shm", 0o777 | fs.ModeSticky}, {"proc", 0o555}, {"run", 0o755},
	{"home", 0o755}, {"root", 0o700}, {"tmp", 0o777 | fs.ModeSticky}, {"var", 0o755}, {"var/tmp", 0o777 | fs.ModeSticky},
}

// base is where the new root is put together. What the host has there is covered
// in the sandbox alone.
const base = "/tmp"

// enterRoot makes a root for the sandbox, and makes it the only one.
func enterRoot(size int64) error {
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		return fmt.Errorf("cannot cut the mounts off: %w", err)
	}
	if err := unix.Mount("sandbox", base, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV, fmt.Sprintf("mode=0755,size=%d", size)); err != nil {
		return fmt.Errorf("cannot mount a file system in memory: %w", err)
	}
	for _, name := range shown {
		if err := show(name); err != nil {
			return fmt.Errorf("cannot show /%s: %w", name, err)
		}
	}
	for _, d := range own {
		at := filepath.Join(base, d.path)
		if err := errors.Join(os.Mkdir(at, 0o700), os.Chmod(at, d.mode)); err != nil {
			return err
		}
	}
	if err := devicesAndProcesses(); err != nil {
		return err
	}
	if err := unix.Chdir(base); err != nil {
		return err
	}
	if err := unix.PivotRoot(".", "."); err != nil {
		return fmt.Errorf("cannot change the root: %w", err)
	}
	// The old root lies over the new one now.
	return errors.Join(unix.Unmount(".", unix.MNT_DETACH), unix.Chdir("/"))
}

// show binds a directory of the host, with what is mounted in it, to be read only.
func show(name string) error {
	from, to := "/"+name, filepath.Join(base, name)
	info, err := os.Lstat(from)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case info.Mode()&fs.ModeSymlink != 0:
		target, err := os.Readlink(from)
		if err != nil {
			return err
		}
		return os.Symlink(target, to)
	}
	if err := os.Mkdir(to, 0o755); err != nil {
		return err
	}
	if err := unix.Mount(from, to, "", unix.MS_BIND|unix.MS_REC, ""); err != nil {
		return err
	}
	return restrict(to, unix.AT_RECURSIVE, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

// restrict adds attributes to a mount.
func restrict(path string, flags uint, attributes uint64) error {
	return unix.MountSetattr(unix.AT_FDCWD, path, flags, &unix.MountAttr{Attr_set: attributes})
}

// seal lets nobody write to a directory any more.
func seal(path string) error {
	if err := unix.Mount(path, path, "", unix.MS_BIND, ""); err != nil {
		return err
	}
	return restrict(path, 0, unix.MOUNT_ATTR_RDONLY|unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
}

func devicesAndProcesses() error {
	for _, name := range devices {
		at := filepath.Join(base, "dev", name)
		if err := os.WriteFile(at, nil, 0o666); err != nil {
			return err
		}
		if err := unix.Mount("/dev/"+name, at, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("cannot show /dev/%s: %w", name, err)
		}
	}
	for _, l := range [][2]string{{"/proc/self/fd", "fd"}, {"/proc/self/fd/0", "stdin"}, {"/proc/self/fd/1", "stdout"}, {"/proc/self/fd/2", "stderr"}, {"pts/ptmx", "ptmx"}} {
		if err := os.Symlink(l[0], filepath.Join(base, "dev", l[1])); err != nil {
			return err
		}
	}
	if err := unix.Mount("devpts", base+"/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620"); err != nil {
		return fmt.Errorf("cannot mount /dev/pts: %w", err)
	}
	if err := unix.Mount("proc", base+"/proc", "proc", unix.MS_NOSUID|unix.MS_NOEXEC|unix.MS_NODEV, ""); err != nil {
		return fmt.Errorf("cannot mount /proc (is this a container?): %w", err)
	}
	return nil
}

// loopback sets up the one network interface.
func loopback() error {
	socket, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(socket)
	lo, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	lo.SetUint16(unix.IFF_UP)
	return unix.IoctlIfreq(socket, unix.SIOCSIFFLAGS, lo)
}
