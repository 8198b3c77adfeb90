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
	Network  Network
	Env      map[string]string
	User     User   // whom the agent runs as
	Workdir  string // absolute path of the workspace in the sandbox
	Timeouts Timeouts
	Pos      Pos
}

// An Image is either named or built. Exactly one of the two is set.
type Image struct {
	Ref   string // "debian:trixie-slim"
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

// NetworkNone gives a sandbox a loopback interface and nothing else.
const NetworkNone Network = "none"

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
