//go:build !linux

package local

import (
	"context"
	"errors"
	"fmt"
	"runtime"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// A Driver cannot be had on this system.
type Driver struct{}

var errSystem = errors.New("local sandboxes are made of Linux namespaces, and this is " + runtime.GOOS)

// Main does nothing on this system.
func Main() {}

// Open refuses.
func Open(context.Context) (*Driver, error) {
	return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, errSystem)
}

// Describe knows nothing of this system.
func Describe() Host { return Host{} }

// Host is unknown.
func (*Driver) Host() Host { return Host{} }

// Close has nothing to close.
func (*Driver) Close() error { return nil }

// Image refuses.
func (*Driver) Image(context.Context, sandbox.ImageSpec) (string, error) { return "", errSystem }

// Start refuses.
func (*Driver) Start(context.Context, sandbox.Spec) (sandbox.Sandbox, error) { return nil, errSystem }
