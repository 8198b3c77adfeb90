// Package docker runs sandboxes as containers of a Docker engine.
//
//	d, err := docker.Open(ctx, docker.Options{State: stateDir})
//	defer d.Close()
//
// testcontainers-go creates and starts the containers; everything after that
// (exec, copy, freeze, usage, removal) is done by the moby client underneath,
// since the library's own ways keep all output in memory and leave a command
// running when its context ends.
//
// # What a sandbox is
//
// A container without a network, or with one of its own, with all capabilities
// dropped and no way to gain new ones, with limits on CPU, memory, processes and
// open files, from whose image only the files are used: the entrypoint is
// replaced. Files come in by one tar stream before the start, and those that many
// sandboxes share by volumes that nobody can write: see volume.go. Nothing of the
// host is mounted.
//
// # Nothing is left behind
//
// The first process of each container ends when its standard input does, and
// the engine closes that input when bench goes away, however it goes away.
// With auto-removal, a container is gone a fraction of a second after a SIGKILL
// of bench. For what even that cannot catch (a frozen container, an engine that
// was restarted), each process of bench holds a lock on a file while it lives,
// and the next one removes all that is labelled with a session whose lock is
// free. See session.go. The images that bench builds are meant to stay, up to a
// budget: see clean.go and records.go.
package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
	tc "github.com/testcontainers/testcontainers-go"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Options say how to use a Docker engine. Which engine that is, the environment
// says, as it does for the docker command: see connect.go.
type Options struct {
	// State is a directory of this user on this machine, the same for all
	// projects: session locks live in it.
	State string
	// Subnets is a private range from which networks of sandboxes are cut; the
	// zero value is DefaultSubnets.
	Subnets netip.Prefix
	// Look leaves what dead processes left where it is, to be looked at.
	Look bool
	// Helper finds the program that runs in a sandbox with a Spec.Serve, for a
	// platform such as "linux/amd64". It is a static executable that does what
	// tunnel.Main says if its first argument is tunnel.Command. The error says
	// how to get one. With nil, no sandbox can have a Spec.Serve.
	Helper func(platform string) (file string, err error)
}

// A Driver is a connection to a Docker engine.
type Driver struct {
	provider *tc.DockerProvider
	client   client.APIClient
	session  *session
	images   *records
	volumes  volumes
	subnets  *subnets
	helpers  helpers
	host     Host
	starts   chan struct{} // bounds how many containers start at once: more only wait for CPU
}

var _ sandbox.Driver = (*Driver)(nil)

// Open connects to the engine, and removes what earlier processes of bench
// could not remove themselves. The error wraps sandbox.ErrUnavailable if no
// engine answers.
func Open(ctx context.Context, o Options) (*Driver, error) {
	d, err := connect(ctx)
	if err != nil {
		return nil, err
	}
	d.starts = make(chan struct{}, max(2, 2*d.host.CPUs))
	if d.session, err = newSession(o.State); err != nil {
		d.provider.Close()
		return nil, fmt.Errorf("cannot lock a session in %s: %w", o.State, err)
	}
	d.images = newRecords(o.State)
	d.subnets = newSubnets(o.Subnets)
	d.helpers.find = o.Helper
	if o.Look {
		return d, nil
	}
	if err := d.sweep(ctx); err != nil {
		return nil, errors.Join(err, d.Close())
	}
	return d, nil
}

// Host describes the machine that the engine runs on.
func (d *Driver) Host() Host { return d.host }

// Close ends the session. All sandboxes must have been closed; what is there
// nevertheless, since the engine did not answer in time, is removed now.
func (d *Driver) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	err := d.clear(ctx, labelSession+"="+d.session.id, func(string) bool { return true })
	return errors.Join(err, d.images.close(), d.session.close(err == nil), d.provider.Close())
}

// wrap marks errors that mean that the engine is gone. What the engine itself
// could not connect to, such as a registry, it tells as text; only what failed
// here is an error of package net.
func wrap(what string, err error) error {
	var op *net.OpError
	switch {
	case err == nil:
		return nil
	case client.IsErrConnectionFailed(err), errors.As(err, &op) && op.Op == "dial":
		return fmt.Errorf("%s: %w: %v", what, sandbox.ErrUnavailable, err)
	}
	return fmt.Errorf("%s: %w", what, err)
}

// gone reports errors that mean that a container does not exist (any more).
func gone(err error) bool {
	return errdefs.IsNotFound(err) || err != nil && strings.Contains(err.Error(), "removal of container") && strings.Contains(err.Error(), "in progress")
}
