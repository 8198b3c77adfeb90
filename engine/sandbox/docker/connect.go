package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Which engine is used, the environment says as it does for the docker command:
//
//  1. DOCKER_HOST, with DOCKER_CERT_PATH and DOCKER_TLS_VERIFY
//  2. the context named by DOCKER_CONTEXT
//  3. the current context of the docker command's configuration
//  4. the usual sockets, those of rootless engines included
//
// Whoever names an engine does not want another one: the first of these that is
// there is used, or the error says why it cannot be. See endpoint.go for where
// they lead, and ssh.go for addresses that begin with ssh.

// connect finds the engine and asks what it is.
func connect(ctx context.Context) (*Driver, error) {
	all, err := endpoints()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, err)
	}
	var refused []error
	for _, e := range all {
		d, err := e.connect(ctx)
		if err == nil {
			return d, nil
		}
		refused = append(refused, err)
	}
	return nil, fmt.Errorf("%w: %w", sandbox.ErrUnavailable, refused[0])
}

// connect asks an engine what it is.
func (e *endpoint) connect(ctx context.Context) (*Driver, error) {
	c, err := e.client()
	if err != nil {
		return nil, fmt.Errorf("%s cannot be used: %w", e.name, err)
	}
	before := time.Now()
	info, err := c.Info(ctx, client.InfoOptions{})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("nothing answers at %s: %w", e.name, e.reason(err)), c.Close())
	}
	provider, err := newProvider(c)
	if err != nil {
		return nil, errors.Join(err, c.Close())
	}
	d := &Driver{provider: provider, client: c, host: hostOf(&info.Info, c.ClientVersion(), offset(info.Info.SystemTime, before, time.Now()))}
	d.host.At, d.host.Local = e.name, isLocal(e.host)
	return d, nil
}
