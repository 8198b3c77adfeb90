// Package local runs sandboxes without a container engine: as processes of this
// machine, in namespaces of their own. It is for trying a suite out, and for
// machines on which there can be no engine; what it gives is less than a container.
//
//	func main() {
//		local.Main() // before anything else
//		...
//		d, err := local.Open(ctx)
//		defer d.Close()
//
// # What a sandbox is
//
// A process that keeps it (the program itself, started once more, see Main) in
// namespaces for users, mounts, processes, networks and the rest. Its root is a
// file system in memory. Into it the directories of the host that hold programs
// are bound, to be read only; everything else, such as the homes of the host, is
// not there. The paths of a benchfile are therefore what they are in a container:
// /workspace is of the sandbox, and nothing of the host can be written.
//
// No user of the sandbox is one of the host. Its users 0 to 65535 stand for ids
// that nothing else has: those of /etc/subuid, or, if bench runs as root, a range
// that no system uses. Its root has the capabilities that package docker gives it,
// and they count for nothing outside.
//
// # What it does not give
//
// Images: programs are those of the host, whatever a benchfile says. Bounds: there
// are no control groups, so memory is bounded for each process and not for all of
// them, processes for each user, and CPU time not at all; usage is unknown. A
// kernel that is any harder to break out of: no filter of system calls.
//
// # Nothing is left behind
//
// The keeper is process 1 of its sandbox and ends when bench does, since it then
// reads the end of its connection. With process 1, the kernel kills all others and
// frees the files.
package local

import "github.com/ml-dev-bench/bench/engine/sandbox"

// Weakness is what every report has to say of results that were made here.
const Weakness = "local processes instead of containers: programs are those of the host, memory is bounded by process, CPU is not"

// Host describes this machine.
type Host struct {
	CPUs   int
	Memory int64  // bytes
	Kernel string // "Linux 6.1.0-18-amd64"
}

var _ sandbox.Driver = (*Driver)(nil)
