package docker_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/egress"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
	"github.com/ml-dev-bench/bench/engine/sandbox/tunnel"
)

// An attempt to reach something from inside.
type escape struct {
	what string
	args []string // of the probe
	want string   // in what it says; empty: it fails
}

// TestEscape tries all ways out of a sandbox that may reach one host. None leads
// anywhere but the one that is allowed.
func TestEscape(t *testing.T) {
	d := open(t, t.TempDir())
	t.Cleanup(func() { d.Close() })
	image := baseID(t, d)
	around := surround(t, image)
	for name, user := range map[string]engine.User{"agent": engine.DefaultUser, "root": engine.Root} {
		t.Run(name, func(t *testing.T) {
			spec := sandboxtest.WithProbe(t, sandboxtest.Spec(image))
			box := *spec.Sandbox
			box.User, spec.Sandbox = user, &box
			spec.Serve = around.proxy
			s, err := d.Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			helper, ok := sandboxtest.RunProbe(t, s, user, nil, "find", tunnel.Command)
			if !ok {
				t.Fatal(helper)
			}
			tries := append(around.tries, ofHelper(helper)...)
			if user != engine.Root { // root may end its own way out
				tries = append(tries, escape{"kill the helper", []string{"signal", helper, "9"}, ""}, escape{"stop the helper", []string{"signal", helper, "19"}, ""})
			}
			var table bytes.Buffer
			w := tabwriter.NewWriter(&table, 0, 0, 2, ' ', 0)
			for _, e := range append(tries, around.allowed...) {
				said, ok := sandboxtest.RunProbe(t, s, user, around.env, e.args...)
				verdict := "refused"
				switch {
				case e.want == "" && (ok || strings.Contains(said, "reached")), e.want != "" && !strings.Contains(said, e.want):
					verdict = "WRONG"
					t.Errorf("%s: got %q, want %q", e.what, said, e.want)
				case strings.HasPrefix(said, "200 "):
					verdict = "reached"
				}
				line, _, _ := strings.Cut(said, "\n")
				fmt.Fprintf(w, "%s\t%s\t%s\n", e.what, verdict, line[:min(len(line), 110)])
			}
			w.Flush()
			t.Logf("as %s:\n%s", name, table.String())
		})
	}
}

// ofHelper are the ways to speak for the helper.
func ofHelper(pid string) []escape {
	at := "/proc/" + pid
	return []escape{
		{"trace the helper", []string{"trace", pid}, ""},
		{"the helper's input", []string{"write", at + "/fd/0"}, ""},
		{"the helper's output", []string{"write", at + "/fd/1"}, ""},
		{"the helper's memory", []string{"write", at + "/mem"}, ""},
		{"the helper's program", []string{"write", "/.bench/bench"}, ""},
		{"the helper's place", []string{"bind", sandbox.ServeAddr}, ""},
		{"the helper's place, wider", []string{"bind", strings.Replace(sandbox.ServeAddr, "127.0.0.1", "0.0.0.0", 1)}, ""},
	}
}

// Surroundings are what there is to be reached around a sandbox.
type surroundings struct {
	proxy   http.Handler
	env     map[string]string
	tries   []escape
	allowed []escape
}

func surround(t *testing.T, image string) *surroundings {
	t.Helper()
	hello := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "reached") })
	host := serveOn(t, "tcp", ":0", hello)
	_, port, _ := net.SplitHostPort(host)
	abstract := fmt.Sprintf("@bench-escape-%d", os.Getpid())
	serveOn(t, "unix", abstract, hello)
	bridge, neighbour := neighbour(t, image)
	route := outward(t)

	s := &surroundings{env: map[string]string{"HTTP_PROXY": "http://" + sandbox.ServeAddr, "HTTPS_PROXY": "http://" + sandbox.ServeAddr}}
	s.proxy = proxy(t, hello)
	add := func(what string, args ...string) { s.tries = append(s.tries, escape{what, args, ""}) }
	for _, at := range []struct{ what, addr string }{
		{"the host at docker0", net.JoinHostPort(bridge, port)},
		{"the host at its route out", net.JoinHostPort(route, port)},
		{"another container", neighbour},
	} {
		reachable(t, at.addr) // from here: otherwise it would say nothing that it cannot be from there
		add(at.what, "dial", "tcp", at.addr)
	}
	for _, addr := range linkLocal(t) {
		add("the host at "+addr, "dial", "tcp6", net.JoinHostPort(addr, port))
	}
	add("the host's port on loopback", "dial", "tcp", net.JoinHostPort("127.0.0.1", port))
	add("the host's port on IPv6 loopback", "dial", "tcp6", net.JoinHostPort("::1", port))
	add("host.docker.internal", "dial", "tcp", "host.docker.internal:"+port)
	add("host.docker.internal, its name", "lookup", "host.docker.internal")
	add("the metadata service", "dial", "tcp", "169.254.169.254:80")
	add("the internet", "dial", "tcp", "1.1.1.1:443")
	add("the internet over IPv6", "dial", "tcp6", "[2606:4700::1111]:443")
	add("the internet over UDP", "dial", "udp", "1.1.1.1:53")
	add("a name", "lookup", "example.org")
	for _, server := range []string{"127.0.0.11:53", "127.0.0.53:53", net.JoinHostPort(bridge, "53"), "8.8.8.8:53"} {
		add("a name, by "+server, "lookup", "example.org", server)
	}
	for _, socket := range []string{"/var/run/docker.sock", "/run/docker.sock", "/run/containerd/containerd.sock"} {
		add(socket, "dial", "unix", socket)
	}
	add("a socket without a file", "dial", "unix", abstract)
	for _, at := range []struct{ what, url, want string }{
		{"proxy: another host", "http://evil.test/", "not in allow_hosts"},
		{"proxy: an address", "http://1.1.1.1/", "is an address"},
		{"proxy: the host at docker0", "http://" + net.JoinHostPort(bridge, port) + "/", "is an address"},
		{"proxy: metadata", "http://169.254.169.254/latest/", "is an address"},
		{"proxy: another port", "http://allowed.test:" + port + "/", "ports 80 and 443"},
		{"proxy: a name of loopback", "http://loop.test/", "no address of the public internet"},
		{"proxy: a name of metadata", "http://meta.test/", "no address of the public internet"},
		{"proxy: CONNECT to another host", "https://evil.test/", "Forbidden"},
		{"proxy: CONNECT to a name of loopback", "https://loop.test/", "Forbidden"},
	} {
		s.tries = append(s.tries, escape{at.what, []string{"get", at.url}, at.want})
	}
	for _, to := range []string{net.JoinHostPort(bridge, port), "127.0.0.1:443", "[::1]:443"} {
		s.tries = append(s.tries, escape{"proxy: CONNECT to " + to, []string{"connect", sandbox.ServeAddr, to, "x"}, "is an address"})
	}
	s.allowed = []escape{
		{"the allowed host", []string{"get", "http://allowed.test/"}, "200 reached"},
		{"the allowed host, by TLS", []string{"get", "https://allowed.test/"}, "200 reached"},
	}
	return s
}

// proxy allows a host, which is here, and some that are where they must not be.
func proxy(t *testing.T, h http.Handler) http.Handler {
	t.Helper()
	plain, secure := httptest.NewServer(h), httptest.NewTLSServer(h)
	t.Cleanup(plain.Close)
	t.Cleanup(secure.Close)
	at := map[uint16]string{80: plain.Listener.Addr().String(), 443: secure.Listener.Addr().String()}
	names := map[string]string{"allowed.test": "8.8.8.8", "loop.test": "127.0.0.1", "meta.test": "169.254.169.254"}
	p := egress.New(egress.Options{
		Allow: []string{"allowed.test", "loop.test", "meta.test", "1.1.1.1"}, From: "the test", Log: io.Discard,
		Resolve: func(_ context.Context, host string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr(names[host])}, nil
		},
		Dial: func(ctx context.Context, to netip.AddrPort) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "tcp", at[to.Port()])
		},
	})
	t.Cleanup(func() { p.Close() })
	return p
}

// serveOn serves at an address of this machine, and gives that.
func serveOn(t *testing.T, network, addr string, h http.Handler) string {
	t.Helper()
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	s := &http.Server{Handler: h}
	go s.Serve(l)
	t.Cleanup(func() { s.Close() })
	return l.Addr().String()
}

// reachable makes sure that something can be reached from this process.
func reachable(t *testing.T, addr string) {
	t.Helper()
	eventually(t, addr+" answers here", func() bool {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
}

// outward is the address of this machine on its route to the internet.
func outward(t *testing.T) string {
	t.Helper()
	c, err := net.Dial("udp", "8.8.8.8:53") // sends nothing
	if err != nil {
		t.Skip("this machine has no route out: ", err)
	}
	defer c.Close()
	return c.LocalAddr().(*net.UDPAddr).IP.String()
}

// linkLocal are addresses of this machine that have one meaning for each network.
func linkLocal(t *testing.T) (out []string) {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range all {
		if p, err := netip.ParsePrefix(a.String()); err == nil && p.Addr().Is6() && !p.Addr().IsLoopback() {
			out = append(out, p.Addr().String()+"%lo")
		}
	}
	return append(out, "fe80::1%lo")
}

// neighbour starts a container with a server on the default bridge, and gives the
// addresses of the host and of the server there.
func neighbour(t *testing.T, image string) (host, server string) {
	t.Helper()
	cli, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cli.Close() })
	ctx := t.Context()
	made, err := cli.ContainerCreate(ctx, client.ContainerCreateOptions{
		Config:     &container.Config{Image: image, Entrypoint: []string{"/probe", "serve", ":8000"}},
		HostConfig: &container.HostConfig{NetworkMode: "bridge"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := cli.ContainerRemove(context.WithoutCancel(ctx), made.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	probe, err := os.ReadFile(sandboxtest.Build(t, "engine/sandbox/sandboxtest/testdata/probe"))
	if err != nil {
		t.Fatal(err)
	}
	var files bytes.Buffer
	pack := tar.NewWriter(&files)
	err = pack.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "probe", Size: int64(len(probe)), Mode: 0o755})
	if err == nil {
		_, err = pack.Write(probe)
	}
	if err := errors.Join(err, pack.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := cli.CopyToContainer(ctx, made.ID, client.CopyToContainerOptions{DestinationPath: "/", Content: &files}); err != nil {
		t.Fatal(err)
	}
	if _, err := cli.ContainerStart(ctx, made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	state, err := cli.ContainerInspect(ctx, made.ID, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	at := state.Container.NetworkSettings.Networks["bridge"]
	return at.Gateway.String(), net.JoinHostPort(at.IPAddress.String(), "8000")
}
