package egress

import (
	"net"
	"net/netip"
)

// never are ranges of addresses that are not of the public internet, or lead to
// others: of IPv4, and of that part of IPv6 in which all public ones are.
var never = prefixes(
	"0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24",
	"192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
	"2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20",
)

var publicIPv6 = netip.MustParsePrefix("2000::/3")

func prefixes(all ...string) (out []netip.Prefix) {
	for _, p := range all {
		out = append(out, netip.MustParsePrefix(p))
	}
	return out
}

// public reports whether an address is one of the public internet.
func public(addr netip.Addr) bool {
	addr = addr.Unmap()
	if addr.Zone() != "" || addr.Is6() && !publicIPv6.Contains(addr) {
		return false
	}
	for _, p := range never {
		if p.Contains(addr) {
			return false
		}
	}
	return addr.IsValid()
}

// ownAddrs are the addresses of this machine, some of which may be public: what
// listens there may take who comes from there for a friend.
func ownAddrs() (out []netip.Addr) {
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			out = append(out, p.Addr().Unmap())
		}
	}
	return out
}
