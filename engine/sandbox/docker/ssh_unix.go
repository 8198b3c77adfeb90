//go:build unix

package docker

import (
	"os/exec"
	"syscall"
)

// detach keeps the Ctrl-C of a terminal from a process: bench decides what ends
// when.
func detach(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} }
