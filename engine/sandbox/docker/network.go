package docker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// DefaultSubnets is where networks of sandboxes get their addresses from, if
// nobody says otherwise. The engine's own pools hold about thirty networks.
var DefaultSubnets = netip.MustParsePrefix("10.213.0.0/16")

// subnets cuts a range of addresses into small ones, and hands them out in turn.
// Other processes do the same: the engine decides who has one.
type subnets struct {
	pool netip.Prefix
	mu   sync.Mutex
	turn uint32
}

func newSubnets(pool netip.Prefix) *subnets {
	if !pool.IsValid() {
		pool = DefaultSubnets
	}
	return &subnets{pool: pool.Masked(), turn: rand.Uint32()} // others began elsewhere, so that few collide
}

// count is how many subnets with so many bits there are.
func (s *subnets) count(bits int) uint32 { return 1 << max(0, bits-s.pool.Bits()) }

// next is a subnet with so many bits, which need not be free.
func (s *subnets) next(bits int) netip.Prefix {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.turn++
	base := s.pool.Addr().As4()
	var at [4]byte
	binary.BigEndian.PutUint32(at[:], binary.BigEndian.Uint32(base[:])+(s.turn%s.count(bits))<<(32-bits))
	return netip.PrefixFrom(netip.AddrFrom4(at), bits)
}

// SubnetBits is the size of most networks: 13 containers, beside the addresses of
// the network, of its gateway, and for broadcasts.
const SubnetBits = 28

// sizeFor is the number of bits of the smallest subnet that holds so many containers.
func sizeFor(members int) int {
	bits := SubnetBits
	for 1<<(32-bits) < members+3 {
		bits--
	}
	return bits
}

// reach is what can be reached on a network, beside its own containers.
type reach bool

const (
	reachNothing  reach = false
	reachInternet reach = true
)

// network makes a network for a number of containers.
func (d *Driver) network(ctx context.Context, trial string, members int, to reach) (*Thing, error) {
	d.session.creates(1)
	defer d.session.creates(-1)
	o := client.NetworkCreateOptions{Driver: "bridge", Labels: d.session.labels(trial)}
	if to == reachNothing {
		o.Internal = true
		// Without an address of the bridge, there is no way to the host.
		o.Options = map[string]string{"com.docker.network.bridge.inhibit_ipv4": "true"}
	}
	bits := sizeFor(members)
	for range d.subnets.count(bits) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		subnet := d.subnets.next(bits)
		o.IPAM = &network.IPAM{Config: []network.IPAMConfig{{Subnet: subnet}}}
		name := fmt.Sprintf("bench-%s-%s", d.session.id, strings.ReplaceAll(subnet.Addr().String(), ".", "-"))
		waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait) // as for containers, see create
		made, err := d.client.NetworkCreate(waiting, name, o)
		cancel()
		if err == nil {
			return &Thing{Kind: KindNetwork, ID: made.ID, Name: name}, nil
		}
		if !strings.Contains(err.Error(), "overlap") {
			return nil, wrap("making a network", err)
		}
	}
	return nil, fmt.Errorf("there is no subnet left in %s, from which networks of sandboxes are cut: give another private range in BENCH_SUBNETS", d.subnets.pool)
}

// nowhere is an address that nobody has (RFC 5737). As the name server of a
// container it keeps the engine from asking that of the host, which some versions
// do even for networks without a way out (CVE-2024-29018). Names of containers
// are known to the engine itself.
var nowhere = netip.MustParseAddr("192.0.2.1")

// closed lets a container know no names but those of containers on its network.
// An engine may leave questions about others without an answer.
func closed(h *container.HostConfig) {
	h.DNS = []netip.Addr{nowhere}
	h.DNSOptions = []string{"timeout:2", "attempts:2"}
}

// A surrounding is what there is around a sandbox: networks of its own, and on one
// of them its services. Without any it is nil, and the sandbox has no network.
type surrounding struct {
	*Driver
	open     *Thing // the network to the outside
	inner    *Thing // the network of the services
	keeper   sandbox.Sandbox
	services []*service
}

// surround makes what a sandbox needs around it.
func (d *Driver) surround(ctx context.Context, spec sandbox.Spec) (_ *surrounding, err error) {
	open := spec.Sandbox.Network == engine.NetworkOpen && !spec.Grading
	if !open && len(spec.Services) == 0 {
		return nil, nil
	}
	s := &surrounding{Driver: d}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if open {
		if s.open, err = d.network(ctx, spec.Trial, 1, reachInternet); err != nil {
			return nil, err
		}
	}
	if len(spec.Services) > 0 {
		return s, s.startServices(ctx, spec)
	}
	return s, nil
}

// networks are those of the sandbox. The first one is there from its creation.
func (s *surrounding) networks() (out []*Thing) {
	if s == nil {
		return nil
	}
	for _, n := range []*Thing{s.open, s.inner} {
		if n != nil {
			out = append(out, n)
		}
	}
	return out
}

// hostConfig says what the sandbox can reach.
func (s *surrounding) hostConfig(h *container.HostConfig) {
	networks := s.networks()
	if len(networks) == 0 {
		h.NetworkMode = "none"
		return
	}
	h.NetworkMode = container.NetworkMode(networks[0].Name)
	if s.open == nil {
		closed(h)
	}
}

// join puts the sandbox on the networks that it was not created on.
func (s *surrounding) join(ctx context.Context, id string) error {
	for i, n := range s.networks() {
		if i == 0 {
			continue
		}
		if _, err := s.client.NetworkConnect(ctx, n.ID, client.NetworkConnectOptions{Container: id}); err != nil {
			return err
		}
	}
	return nil
}

// close removes what is around a sandbox that is gone.
func (s *surrounding) close() error {
	if s == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeWait)
	defer cancel()
	all := s.stopServices(ctx)
	for _, n := range s.networks() {
		all = errors.Join(all, s.Remove(ctx, *n))
	}
	return all
}
