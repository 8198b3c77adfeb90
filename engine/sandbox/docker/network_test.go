package docker_test

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

// reaches is what a command in a sandbox hears from an address.
func reaches(t *testing.T, box sandbox.Sandbox, host string, port int) string {
	t.Helper()
	var out bytes.Buffer
	script := fmt.Sprintf("timeout 5 bash -c 'exec 3<>/dev/tcp/%s/%d && cat <&3' 2>/dev/null", host, port)
	if _, err := box.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/", User: engine.DefaultUser, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

// address is that of a sandbox on its first network.
func address(t *testing.T, box sandbox.Sandbox) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := box.Exec(t.Context(), sandbox.Cmd{Args: []string{"hostname", "-i"}, Dir: "/", Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(strings.TrimSpace(out.String()), " ")
	return first
}

// speak says a word to whoever connects to this machine.
func speak(t *testing.T, word string) (host string, port int) {
	t.Helper()
	l, err := net.Listen("tcp4", "0.0.0.0:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			fmt.Fprintln(c, word)
			c.Close()
		}
	}()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if ip, ok := a.(*net.IPNet); ok && ip.IP.To4() != nil && !ip.IP.IsLoopback() && !ours(ip.IP) {
			return ip.IP.String(), l.Addr().(*net.TCPAddr).Port
		}
	}
	t.Skip("this machine has no address but that of itself")
	return "", 0
}

// ours reports whether an address is of a network of a sandbox.
func ours(ip net.IP) bool {
	a, ok := netip.AddrFromSlice(ip.To4())
	return ok && docker.DefaultSubnets.Contains(a)
}

// An open network reaches what is outside; its sandbox does not see others, and its
// services see nothing of the outside.
func TestOpenNetwork(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	host, port := speak(t, "outside")
	trial := "open in " + t.TempDir()
	start := func(services ...sandbox.Service) sandbox.Sandbox {
		spec := sandboxtest.Spec(baseID(t, d))
		spec.Trial, spec.Sandbox.Network, spec.Services = trial, engine.NetworkOpen, services
		box, err := d.Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { box.Close() })
		return box
	}
	image := baseID(t, d)
	one := start()
	spy := sandboxtest.Service(image, "spy", "")
	spy.Command = []string{"bash", "-c", fmt.Sprintf("timeout 5 bash -c 'exec 3<>/dev/tcp/%s/%d && cat <&3' 2>/dev/null; echo tried; touch /done; sleep 1000", host, port)}
	spy.Ready = []string{"test", "-e", "/done"}
	two := start(sandboxtest.Service(image, "db", "inside"), spy)
	for _, box := range []sandbox.Sandbox{one, two} {
		if got := reaches(t, box, host, port); got != "outside\n" {
			t.Errorf("from inside, the host says %q", got)
		}
	}
	if got := reaches(t, two, "db", 5432); got != "inside\n" {
		t.Errorf("the service says %q", got)
	}
	if got := two.Services()[1].Log; got != "tried\n" {
		t.Errorf("a service reached %q", got)
	}
	const listen = `$s = IO::Socket::INET->new(LocalPort => 5555, Listen => 5) or die; print "listening\n"; close STDOUT; while ($c = $s->accept) { print $c "another\n"; close $c }`
	background := "perl -MIO::Socket::INET -e '" + listen + "' </dev/null 2>/dev/null & sleep 1"
	if _, err := two.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", background}, Dir: "/", User: engine.DefaultUser}); err != nil {
		t.Fatal(err)
	}
	if got := reaches(t, two, address(t, two), 5555); got != "another\n" {
		t.Fatalf("the sandbox does not reach itself: %q", got)
	}
	if got := reaches(t, one, address(t, two), 5555); got != "" {
		t.Errorf("one sandbox reached another: %q", got)
	}
	if _, networks := leftOf(t, trial); networks != 3 {
		t.Errorf("there are %d networks, want 3", networks)
	}
	one.Close()
	two.Close()
	if containers, networks := leftOf(t, trial); containers+networks != 0 {
		t.Errorf("%d containers and %d networks are left", containers, networks)
	}
}
