package tunnel

import (
	"fmt"
	"os"
	"syscall"
)

// untraceable keeps everyone without CAP_SYS_PTRACE away from the process.
func untraceable() error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, syscall.PR_SET_DUMPABLE, 0, 0); errno != 0 {
		return fmt.Errorf("cannot make the process untraceable: %w", errno)
	}
	return nil
}

// polled makes a file one whose reads and writes need no thread while they wait.
func polled(f *os.File) (*os.File, error) {
	fd := int(f.Fd())
	if err := syscall.SetNonblock(fd, true); err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(fd), f.Name()), nil
}
