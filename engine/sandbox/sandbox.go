// Package sandbox says what a place to run must offer. The places themselves are
// in the packages below it; sandboxtest is the suite that each of them passes.
//
//	image, err := driver.Image(ctx, spec)
//	box, err := driver.Start(ctx, sandbox.Spec{Image: image, Sandbox: s, Files: write})
//	defer box.Close()
//	exit, err := box.Exec(ctx, sandbox.Cmd{Args: []string{"python3", "main.py"}, User: s.User})
//
// The one rule of all methods: an error means that bench or the world is at
// fault, never the program that ran. A program that fails, hangs or runs out of
// memory is an [Exit].
package sandbox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// A Driver makes images and starts sandboxes from them. It can be used by many
// goroutines at once.
type Driver interface {
	// Image makes an image available, by pulling or building it, and returns
	// the id under which it can be started. It is quick if the image is there.
	// An image with a pin is that one, and no other with the same name. The
	// error is a *BuildError if a Dockerfile does not build.
	Image(ctx context.Context, spec ImageSpec) (id string, err error)
	// Start starts a sandbox. Whoever started it closes it. The error is a
	// *ServiceError if one of its services did not come up.
	Start(ctx context.Context, spec Spec) (Sandbox, error)
}

// An Inspector is a Driver that can tell what is in an image without running
// anything of it.
type Inspector interface {
	// Inspect says what an image says of itself.
	Inspect(ctx context.Context, image string) (ImageConfig, error)
	// Export writes all files of an image, as a sandbox would have them, as a
	// tar stream whose names are relative to "/".
	Export(ctx context.Context, image string, w io.Writer) error
}

// An ImageConfig is what an image says of itself. It may hold secrets.
type ImageConfig struct {
	Env        []string // "NAME=value"
	Entrypoint []string
	History    []string // the commands that made it, with their build arguments
}

// A Sandbox is a place with files and processes, cut off from the host and from
// all networks, that is gone after Close.
type Sandbox interface {
	// Exec runs a command and streams what it prints. When ctx ends, the
	// command and all its descendants get the grace of cmd, and then SIGKILL:
	// they are dead before Exec returns the error of ctx; or, where they cannot
	// be killed alone, frozen for good, and nothing but CopyOut and Close may
	// follow.
	Exec(ctx context.Context, cmd Cmd) (Exit, error)
	// Freeze stops every process of the sandbox in one moment, for good.
	Freeze(ctx context.Context) error
	// CopyOut writes a directory as a tar stream, whose names begin with the
	// name of the directory. The error wraps ErrNoDirectory if it is not there.
	CopyOut(ctx context.Context, dir string, w io.Writer) error
	// Changes tells each what differs from the image: what was put in and what
	// programs did. It may name more, such as the directories around them, and
	// ends with the first error of each. The error wraps ErrLongPath if a path
	// is longer than the engine can follow, which programs can make.
	Changes(ctx context.Context, each func(Change) error) error
	// Usage is what the sandbox has used so far. Not after Freeze.
	Usage(ctx context.Context) (engine.Usage, error)
	// Services tells of each service, in the order of the Spec. After Close it
	// tells what was so when that was called.
	Services() []ServiceState
	// Close removes the sandbox with everything in it. It can be called twice.
	Close() error
}

// An ImageSpec is an image to be made available.
type ImageSpec struct {
	Name     string // for people; part of the tag of an image that is built
	Key      engine.Digest
	Image    engine.Image
	Platform string                // "linux/amd64"; empty is the engine's own
	Base     string                // id of the image that a build is laid over, which gets its name as build argument BASE; empty if it names its own
	Context  func(io.Writer) error // writes the build context as a tar stream
	Pull     time.Duration         // bound on pulling
	Build    time.Duration         // bound on building
}

// A Spec is a sandbox to be started.
type Spec struct {
	Image   string // id, from Driver.Image
	Sandbox *engine.Sandbox
	Grading bool   // root in it may run programs as another user, and signal them
	Trial   string // for labels: what it is for

	// Files writes what the sandbox starts with: a tar stream whose names are
	// relative to "/".
	Files func(io.Writer) error

	// Compare says that Changes will be called, which not every driver can do.
	Compare bool

	// Over says that Files may replace what the image has, programs included.
	// What keeps the sandbox is started from the image before they come in, and
	// first the image's own rm removes the paths in Remove, with all below.
	Over   bool
	Remove []string // absolute; not without Over

	// Volumes are shown in it. Nobody can write to them, not even root.
	Volumes []Volume

	// GPUs are the ids of those that it has, and no other sandbox meanwhile.
	GPUs []string

	// Services run beside it. They are there before it is, and gone with it.
	Services []Service

	// Serve answers all that is asked inside at ServeAddr, from before the first
	// command until Freeze or Close, which wait for the calls that run; with nil
	// nobody listens there. It is the only thing outside of the sandbox that can
	// be reached from inside. Nothing is done to the bytes, so it can stream and
	// take connections over, those of CONNECT too. It must return once the
	// context of its request ends.
	//
	// If it can no longer be reached, Exec ends with an error; not so if that is
	// because something in the sandbox killed what carries the bytes.
	Serve http.Handler
}

// ServeAddr is where Spec.Serve is found inside.
const ServeAddr = "127.0.0.1:8642"

// A Volume is a directory that many sandboxes share, such as a data set.
type Volume struct {
	Key    string                // of what is in it: volumes with equal keys are equal
	Target string                // absolute path in the sandbox
	Files  func(io.Writer) error // writes a tar stream whose names are relative to the target; not called if the driver has the volume
}

// A Change is a path at which a sandbox differs from its image.
type Change struct {
	Path    string // absolute; bytes that are no text are U+FFFD
	Deleted bool   // what the image has there is gone; something new may be there
}

// A Cmd is a command to be run in a sandbox.
type Cmd struct {
	Args   []string
	Dir    string
	Env    map[string]string
	User   engine.User
	Stdout io.Writer // nil discards; never called from two goroutines at once
	Stderr io.Writer // may be the same as Stdout

	// Grace is how long the command and its descendants have to end by
	// themselves after the SIGTERM that they get when ctx ends. What they print
	// meanwhile is heard. With 0, or if the cause of ctx is ErrKill, they get
	// no SIGTERM and are killed at once.
	Grace time.Duration
	Kill  <-chan struct{} // cuts the grace short when it is closed; nil: never
}

// ErrKill, as the cause of a context, ends a command without any grace. It is
// for limits, which nobody may stretch by being slow to go:
//
//	ctx, cancel := context.WithTimeoutCause(ctx, limit, sandbox.ErrKill)
var ErrKill = errors.New("killed without grace")

// GraceAfter is the grace that a command has once ctx has ended, which is 0 if
// it is to be killed at once.
func (c *Cmd) GraceAfter(ctx context.Context) time.Duration {
	if errors.Is(context.Cause(ctx), ErrKill) {
		return 0
	}
	select {
	case <-c.Kill:
		return 0
	default:
		return c.Grace
	}
}

// An Exit is how a command ended.
type Exit struct {
	Code int // 0 to 255; 128 plus the number of a signal
}

// A BuildError is a Dockerfile that does not build.
type BuildError struct {
	Log string // the end of what the build printed
	Err error
}

func (e *BuildError) Error() string { return e.Err.Error() }

// Unwrap is the error of the engine.
func (e *BuildError) Unwrap() error { return e.Err }

// ErrUnavailable is wrapped by errors that mean that the place itself is gone or
// cannot be reached, so that no other sandbox would fare better.
var ErrUnavailable = errors.New("the sandbox engine cannot be reached")

// ErrNoMemory is that a program was killed which had less memory than it may
// have: it was the machine that had none left.
var ErrNoMemory = errors.New("the machine ran out of memory, and its kernel killed what ran in the sandbox: run fewer trials at once, or give sandboxes less memory")

// ErrNoDirectory is that a directory that is to be copied is not there (any more).
var ErrNoDirectory = errors.New("there is no such directory in the sandbox")

// ErrLongPath is that programs have made a tree of directories so deep that what
// changed in it cannot be told. It is the one error of a sandbox that is theirs.
var ErrLongPath = errors.New("a path in the sandbox is too long to be followed")
