package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
)

// doctorTime bounds everything that doctor asks of an engine.
const doctorTime = 2 * time.Minute

func newDoctorCmd(a *app) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Say whether this machine can run trials",
		Long:  "doctor looks at the Docker engine, starts a sandbox to see that its limits hold,\nand looks at disks, clock, networks and GPUs. What is wrong, it says with what to\ndo. The exit status is 1 if a line says FAIL.",
		Args:  cobra.NoArgs,
		RunE:  func(*cobra.Command, []string) error { return a.doctor(asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "a JSON array of all lines")
	return cmd
}

func (a *app) doctor(asJSON bool) error {
	ctx, cancel := context.WithTimeout(context.Background(), doctorTime)
	defer cancel()
	all := diagnose(gather(ctx))
	if asJSON {
		text, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		fmt.Fprintf(a.stdout, "%s\n", text)
	}
	bad := false
	for _, f := range all {
		bad = bad || f.Level == levelFail
		if asJSON {
			continue
		}
		fmt.Fprintf(a.stdout, "%-4s  %-8s  %s\n", f.Level, f.Check, f.Text)
		if f.Do != "" {
			fmt.Fprintf(a.stdout, "%16s%s\n", "", f.Do)
		}
	}
	if bad {
		return exitWith(exitBroken)
	}
	return nil
}

// Facts are what doctor judges. What is nil is not known.
type facts struct {
	host      *docker.Host // nil: no engine answers, and noEngine says why
	noEngine  error
	noLocal   error         // why there are no local sandboxes either; asked without an engine only
	asked     docker.Limits // of the sandbox that was started
	found     docker.Limits // what the kernel has of them
	noLimits  error         // why they are not known
	networks  []docker.Network
	noNetwork error
	pool      netip.Prefix // that networks of sandboxes are cut from
	noPool    error
	left      []docker.Thing // by dead processes
	images    []docker.Thing
	noThings  error
	assets    []asset.Stored
	noAssets  error
	budget    int64
	noBudget  error
	disks     []disk
}

// A disk is looked at where bench, or the engine, writes.
type disk struct {
	what, dir string
	free      *int64
}

// gather finds the facts. Whatever cannot be found out is a fact as well.
func gather(ctx context.Context) *facts {
	f := &facts{}
	f.budget, f.noBudget = diskBudget()
	if f.pool, f.noPool = subnets(); f.noPool == nil && !f.pool.IsValid() {
		f.pool = docker.DefaultSubnets
	}
	f.assets, f.noAssets = listAssets()
	f.disks = append(f.disks, diskAt("results", ".bench"))
	if dir, err := assetsDir(); err == nil {
		f.disks = append(f.disks, diskAt("assets", dir))
	}
	if state, err := stateDir(); err == nil {
		f.disks = append(f.disks, diskAt("state", state))
	}
	d, err := lookAtEngine(ctx)
	if err != nil {
		f.noEngine, f.noLocal = err, tryLocal(ctx)
		return f
	}
	defer d.Close()
	f.host = new(d.Host())
	if _, err := os.Stat(f.host.Root); f.host.Local && err == nil {
		f.disks = append(f.disks, diskAt("Docker", f.host.Root))
	}
	f.asked, f.found, f.noLimits = d.ProbeLimits(ctx)
	f.networks, f.noNetwork = d.Networks(ctx)
	if f.left, f.noThings = d.Dead(ctx); f.noThings == nil {
		f.images, f.noThings = d.Images(ctx, false, nil)
	}
	return f
}

// tryLocal says why this machine cannot keep local sandboxes; nil if it can.
func tryLocal(ctx context.Context) error {
	d, err := local.Open(ctx)
	if err != nil {
		return err
	}
	return d.Close()
}

// diskAt looks at a directory, or at the nearest one above it that exists.
func diskAt(what, dir string) disk {
	if abs, err := filepath.Abs(dir); err == nil {
		dir = abs
	}
	at := dir
	for parent := filepath.Dir(at); parent != at; parent = filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = parent
	}
	return disk{what, dir, freeOn(at)}
}
