package engine

import "time"

// A Sandbox declares a place in which trials run: an image and the bounds of a
// container made from it.
type Sandbox struct {
	Name     string
	Image    Image
	CPUs     float64 // of the machine's cores
	Memory   int64   // bytes, swap included
	PIDs     int64   // processes and threads
	GPUs     int
	Platform string // "linux/amd64"; empty is the engine's own
	Runtime  string // of the engine, such as "runsc"; empty is its default
	Network  Network
	Allow    []string // hosts that can be reached through the gateway
	Env      map[string]string
	User     User   // whom the agent runs as
	Workdir  string // absolute path of the workspace in the sandbox
	Mounts   []*Mount
	Services []*Service
	Lock     string // held while a trial runs; empty for none
	Timeouts Timeouts
	Pos      Pos
}

// A Driver keeps the sandboxes of a plan. The zero Driver is a Docker engine.
type Driver string

// DriverLocal keeps sandboxes as processes of this machine, which isolate less and
// have no images. A result that was made with it is never taken for one of another
// driver.
const DriverLocal Driver = "local"

// WithServices is what the sandbox and its services may take together.
func (s *Sandbox) WithServices() (memory, pids int64) {
	memory, pids = s.Memory, s.PIDs
	for _, v := range s.Services {
		memory += s.MemoryOf(v)
		pids += s.PIDs
	}
	return memory, pids
}

// MemoryOf is what a service of the sandbox may take, in bytes.
func (s *Sandbox) MemoryOf(v *Service) int64 {
	if v.Memory > 0 {
		return v.Memory
	}
	return s.Memory
}

// A Mount shows a directory of the host in a sandbox.
type Mount struct {
	Source   string // relative to the root, or absolute
	Outside  bool   // of the root: needs a power
	Target   string // absolute path in the sandbox
	ReadOnly bool
	Pos      Pos
}

// A Service runs beside each trial, on its network, under its name.
type Service struct {
	Name    string
	Image   Image
	Env     map[string]string
	Command []string // for the entrypoint of the image, if it has one; nil is that of the image
	Memory  int64    // bytes; 0 is the sandbox's
	Ready   []string // succeeds once the service can be used; nil: at once
	Timeout time.Duration
	Pos     Pos
}

// An Image is either named or built. Exactly one of Ref and Build is set.
type Image struct {
	Ref   string // "debian:trixie-slim"
	Pin   string // what Ref must be, by the lock file: "debian@sha256:…" or "sha256:…"; empty if it is not locked
	Build *Build
}

// A Build makes an image from a Dockerfile.
type Build struct {
	Context    *Tree
	Dockerfile string // path within the context
	Args       map[string]string
	Target     string // stage to stop at; empty is the last one
}

// Network says what a sandbox can reach.
type Network string

// The networks.
const (
	NetworkNone    Network = "none"    // a loopback interface and nothing else
	NetworkGateway Network = "gateway" // the model of the trial, the hosts in Allow, and nothing else
	NetworkOpen    Network = "open"    // everything; needs a power
)

// A User is a numeric user and group in a sandbox. Names are not used, since
// the files of a trial are handed over by number.
type User struct{ UID, GID int }

// DefaultUser runs every agent for which the benchfile names no other user.
var DefaultUser = User{UID: 1000, GID: 1000}

// Root is the superuser of a sandbox. It is what checks run as.
var Root = User{}

// Timeouts bound the work of bench around a trial. Exceeding one is errored,
// never failed.
type Timeouts struct {
	Pull, Build, Start, Setup, Stop time.Duration
}

// DefaultTimeouts hold where a sandbox block says nothing else.
var DefaultTimeouts = Timeouts{
	Pull:  10 * time.Minute,
	Build: 20 * time.Minute,
	Start: 2 * time.Minute,
	Setup: 5 * time.Minute,
	Stop:  10 * time.Second,
}
