package docker

import (
	"cmp"
	"context"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/system"
	"github.com/moby/moby/client"
)

// Host describes an engine, and the machine that it runs on.
type Host struct {
	Engine   string // its version
	API      string // that both sides speak: "1.41"
	Platform string // of images, unless they are for another one: "linux/amd64"
	CPUs     int
	Memory   int64    // bytes
	Storage  string   // the storage driver: "overlay2"
	Cgroup   string   // version of the kernel's control groups, "1" or "2"; empty if it does not say
	Runtimes []string // sorted
	GPUs     string   // what gives sandboxes GPUs: "nvidia" or "cdi"; empty if nothing does
	Root     string   // directory of the engine's data, on its machine
	At       string   // where it was found, and what says so
	Local    bool     // its machine is this one, as far as the way to it tells
	NoSwap   bool     // it cannot limit swap
	// Ahead is how far its clock is ahead of ours, negative if it is behind; nil
	// if it does not say.
	Ahead *time.Duration
}

// Probe describes the machine of the engine, and changes nothing on it. The error
// wraps sandbox.ErrUnavailable if no engine answers.
func Probe(ctx context.Context) (Host, error) {
	d, err := connect(ctx)
	if err != nil {
		return Host{}, err
	}
	return d.host, d.provider.Close()
}

func hostOf(info *system.Info, api string, ahead *time.Duration) Host {
	h := Host{
		Engine: info.ServerVersion, API: api, Platform: platformOf(info.OSType, info.Architecture), CPUs: info.NCPU, Memory: info.MemTotal, Storage: info.Driver, Cgroup: info.CgroupVersion,
		Runtimes: slices.Sorted(maps.Keys(info.Runtimes)), Root: info.DockerRootDir, NoSwap: !info.SwapLimit, Ahead: ahead,
	}
	if slices.Contains(h.Runtimes, gpusNvidia) {
		h.GPUs = gpusNvidia
	} else if slices.ContainsFunc(info.DiscoveredDevices, func(d system.DeviceInfo) bool { return strings.Contains(d.ID, "/gpu=") }) {
		h.GPUs = gpusCDI
	}
	return h
}

// offset is how far a clock that was read between two moments of ours must at
// least be off.
func offset(text string, before, after time.Time) *time.Duration {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return nil
	}
	var off time.Duration
	switch {
	case at.Before(before):
		off = at.Sub(before)
	case at.After(after):
		off = at.Sub(after)
	}
	return &off
}

// isLocal reports whether an address leads to this machine.
func isLocal(host string) bool {
	return strings.HasPrefix(host, "unix://") || strings.HasPrefix(host, "npipe://")
}

// A Network takes addresses.
type Network struct {
	Name    string
	Subnets []netip.Prefix
}

// Networks lists all networks of the engine that take addresses, whoever made
// them.
func (d *Driver) Networks(ctx context.Context) ([]Network, error) {
	all, err := d.client.NetworkList(ctx, client.NetworkListOptions{})
	if err != nil {
		return nil, wrap("listing networks", err)
	}
	var out []Network
	for _, n := range all.Items {
		at := Network{Name: n.Name}
		for _, c := range n.IPAM.Config {
			if c.Subnet.IsValid() {
				at.Subnets = append(at.Subnets, c.Subnet)
			}
		}
		if len(at.Subnets) > 0 {
			out = append(out, at)
		}
	}
	slices.SortFunc(out, func(a, b Network) int { return cmp.Compare(a.Name, b.Name) })
	return out, nil
}
