package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
)

// A place is where the sandboxes of a run are.
type place struct {
	driver   sandbox.Driver
	machine  machine
	name     string // as an origin has it: "docker 20.10.24"
	platform string // of images that name no other: "linux/amd64"
	close    func()
}

// roomToStart is what must be free where results are stored before anything
// starts, in bytes.
const roomToStart = 2 << 20

// openPlace opens what keeps the sandboxes of a plan, if its machine can hold them.
func (a *app) openPlace(s *stages, w *work) (*place, error) {
	open := a.openDocker
	if w.plan.Driver == engine.DriverLocal {
		open = a.openLocal
	}
	p, err := open(s.ctx)
	if signal := signalOf(s.ctx); err != nil && signal != 0 {
		return nil, exitWith(exitSignal + signal) // nothing has run, so there is nothing to report
	}
	if err != nil {
		return nil, err
	}
	if err := a.show(w.sources, append(tooLarge(w.plan, p.machine), noHelper(w.plan, p.platform, helper)...)); err != nil {
		p.close()
		return nil, err
	}
	return p, nil
}

func (a *app) openDocker(ctx context.Context) (*place, error) {
	driver, err := openEngine(ctx)
	if err != nil {
		return nil, err
	}
	host := driver.Host()
	gpus, err := gpusOf(ctx, host)
	if err != nil {
		return nil, errors.Join(err, driver.Close())
	}
	return &place{driver, machineOf(host, gpus), "docker " + host.Engine, host.Platform, func() {
		a.evict(ctx, driver)
		_ = driver.Close() // what it could not remove, the next process does
	}}, nil
}

func (a *app) openLocal(ctx context.Context) (*place, error) {
	driver, err := local.Open(ctx)
	if errors.Is(err, sandbox.ErrUnavailable) {
		err = fmt.Errorf("%w\nUse a Docker engine instead, without --driver local", err)
	}
	if err != nil {
		return nil, cannot(err)
	}
	host := driver.Host()
	return &place{driver, localMachine(host), "local " + host.Kernel, "", func() { _ = driver.Close() }}, nil
}

// evict removes images that bench has built and not used for long, once they take
// more than they may. Those of this run stay.
func (a *app) evict(ctx context.Context, driver *docker.Driver) {
	budget, err := diskBudget()
	if err == nil {
		var removed []docker.Thing
		removed, err = driver.Evict(ctx, budget, nil)
		for _, t := range removed {
			fmt.Fprintf(a.stderr, "removed image %s, which has not been used for long\n", t.Name)
		}
	}
	if err != nil && ctx.Err() == nil {
		a.complain("old images are left where they are: " + err.Error())
	}
}
