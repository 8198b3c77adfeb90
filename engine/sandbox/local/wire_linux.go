package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"
)

// A request is what bench wants of a keeper. File descriptors come with some.
// There is exactly one reply to each, in any order.
type request struct {
	ID     int
	Start  *start    `json:",omitempty"` // the first one; with a tar stream of files, and one for each volume
	Exec   *command  `json:",omitempty"` // with standard output and error; replied to when the command has ended
	Signal *unixKill `json:",omitempty"` // replied to when no process is left
	Copy   string    `json:",omitempty"` // a directory; with where its tar stream goes
}

// A start makes the sandbox what it is to be.
type start struct {
	Size    int64    // of all files in memory, in bytes
	Volumes []string // targets
	Caps    []int    // that root has, at most
}

// A command is one to be run.
type command struct {
	Args     []string
	Env      []string
	Dir      string
	UID, GID int
	Memory   uint64 // bytes of data, for each process
	PIDs     uint64 // processes and threads of the user
}

// A unixKill sends a signal to every process but the keeper, in one moment.
type unixKill struct{ Signal int }

// A reply says what came of a request.
type reply struct {
	ID   int
	Code int    // with Exec: how it ended
	Err  string // why it could not be done; empty if it was
	None bool   // with Copy, and Err: there is no such directory
}

// packet is how large a request or a reply can be, in bytes; the kernel takes a
// little less.
const packet = 256 << 10

// send writes a request or a reply, whole.
func send(socket int, message any, files ...int) error {
	text, err := json.Marshal(message)
	if err != nil {
		return err
	}
	var rights []byte
	if len(files) > 0 {
		rights = unix.UnixRights(files...)
	}
	for {
		err := unix.Sendmsg(socket, text, rights, nil, unix.MSG_NOSIGNAL)
		if err == unix.EINTR {
			continue
		}
		if errors.Is(err, unix.EMSGSIZE) {
			return fmt.Errorf("a command with its environment is too long: %d bytes", len(text))
		}
		return err
	}
}

// receive reads a request or a reply, with the files that come along; io.EOF if
// the other end is gone.
func receive(socket int, message any) (files []int, err error) {
	buf, oob := make([]byte, packet), make([]byte, unix.CmsgSpace(4*maxFiles))
	n, oobn, flags, _, err := unix.Recvmsg(socket, buf, oob, unix.MSG_CMSG_CLOEXEC)
	for err == unix.EINTR {
		n, oobn, flags, _, err = unix.Recvmsg(socket, buf, oob, unix.MSG_CMSG_CLOEXEC)
	}
	switch {
	case err == unix.ECONNRESET, err == nil && n == 0:
		return nil, io.EOF
	case err != nil:
		return nil, err
	case flags&(unix.MSG_TRUNC|unix.MSG_CTRUNC) != 0:
		return nil, errors.New("a message was cut")
	}
	controls, err := unix.ParseSocketControlMessage(oob[:oobn])
	if err != nil {
		return nil, err
	}
	for i := range controls {
		more, err := unix.ParseUnixRights(&controls[i])
		if err != nil {
			return nil, err
		}
		files = append(files, more...)
	}
	return files, json.Unmarshal(buf[:n], message)
}

// maxFiles is how many files can come with a message: the kernel's own bound.
const maxFiles = 253
