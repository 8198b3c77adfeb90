package docker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

// leftOf counts what there is on the engine for a trial.
func leftOf(t *testing.T, trial string) (containers, networks int) {
	t.Helper()
	label := "label=bench.trial=" + trial
	return len(strings.Fields(dockerOutput(t, "ps", "--all", "--quiet", "--filter", label))), len(strings.Fields(dockerOutput(t, "network", "ls", "--quiet", "--filter", label)))
}

func TestServices(t *testing.T) {
	d := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	sandboxtest.Services(t, d, baseID(t, d))
}

// withService is a sandbox with a service that takes part in a test of this file.
func withService(t *testing.T, d *docker.Driver, trial string) sandbox.Spec {
	image := baseID(t, d)
	spec := sandboxtest.Spec(image)
	spec.Trial, spec.Services = trial, []sandbox.Service{sandboxtest.Service(image, "db", "hello")}
	return spec
}

// A service is bounded like its sandbox, but for what its image needs.
func TestServiceIsHardened(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	spec := withService(t, d, "hardened in "+t.TempDir())
	s := spec.Services[0]
	s.Memory = 48 << 20
	s.Command = []string{"sh", "-c", `id -u; grep -h -e ^NoNewPrivs -e ^CapEff /proc/self/status
cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null
cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null
touch /done; sleep 1000`}
	s.Ready = []string{"test", "-e", "/done"}
	box, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	want := "0\nCapEff:\t00000000000000cb\nNoNewPrivs:\t1\n50331648\n64\n"
	if got := box.Services()[0].Log; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// A sandbox of a check has no network, whatever its block says.
func TestGradingHasNoNetwork(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	spec := sandboxtest.Spec(baseID(t, d))
	spec.Grading, spec.Sandbox.Network = true, engine.NetworkOpen
	if got := run(t, d, spec, "sh", "-c", "ls /sys/class/net"); got != "lo\n" {
		t.Errorf("it has %q", got)
	}
}

// Nothing stays of a sandbox with services, neither after Close nor after a start
// that failed, and many of them have room beside each other.
func TestServicesLeaveNothing(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	trial := "nothing left in " + t.TempDir()
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			box, err := d.Start(t.Context(), withService(t, d, trial))
			if err != nil {
				t.Error(err)
				return
			}
			if err := errors.Join(box.Close(), box.Close()); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	spec := withService(t, d, trial)
	spec.Services[0].Command = []string{"false"}
	if _, err := d.Start(t.Context(), spec); err == nil {
		t.Error("a sandbox started without its service")
	}
	if containers, networks := leftOf(t, trial); containers+networks != 0 {
		t.Errorf("%d containers and %d networks are left", containers, networks)
	}
}

// A subnet that is taken is passed over, and when all are, that is said.
func TestSubnets(t *testing.T) {
	state := t.TempDir()
	d, err := docker.Open(t.Context(), docker.Options{State: state, Subnets: netip.MustParsePrefix("10.219.77.0/27")})
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	trial := "subnets in " + state
	for range 2 {
		box, err := d.Start(t.Context(), withService(t, d, trial))
		if err != nil {
			t.Fatal(err)
		}
		defer box.Close()
	}
	_, err = d.Start(t.Context(), withService(t, d, trial))
	if err == nil || !strings.Contains(err.Error(), "there is no subnet left in 10.219.77.0/27") {
		t.Errorf("got %v", err)
	}
	cli := api(t)
	list, err := cli.NetworkList(t.Context(), client.NetworkListOptions{Filters: make(client.Filters).Add("label", "bench.trial="+trial)})
	if err != nil || len(list.Items) != 2 {
		t.Fatal(list, err)
	}
	for _, n := range list.Items {
		if n.IPAM.Config[0].Subnet.Bits() != 28 || !n.Internal {
			t.Errorf("the network is %+v", n)
		}
	}
}

// When bench dies, the services die with it, and the next one removes the network.
func TestServicesDieWithBench(t *testing.T) {
	if state := os.Getenv("BENCH_TEST_SERVICES"); state != "" {
		d := open(t, state)
		box, err := d.Start(t.Context(), withService(t, d, "services in "+state))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("ready")
		<-t.Context().Done()
		runtime.KeepAlive(box)
		return
	}
	state := t.TempDir()
	trial := "services in " + state
	t.Cleanup(func() { // what a failure leaves
		if d, err := docker.Open(context.Background(), docker.Options{State: state}); err == nil {
			d.Close()
		}
	})
	cmd := exec.Command(os.Args[0], "-test.run=^TestServicesDieWithBench$", "-test.v")
	cmd.Env = append(os.Environ(), "BENCH_TEST_SERVICES="+state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	var said bytes.Buffer
	for buf := make([]byte, 256); !bytes.Contains(said.Bytes(), []byte("ready\n")); {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		if err != nil {
			t.Fatalf("it said %q: %v", said.String(), err)
		}
	}
	if containers, networks := leftOf(t, trial); containers != 3 || networks != 1 {
		t.Fatalf("%d containers and %d networks, want 3 and 1", containers, networks)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	eventually(t, "the sandbox and its services are gone", func() bool { containers, _ := leftOf(t, trial); return containers == 0 })
	other := look(t, state)
	left, err := other.Dead(t.Context())
	if err != nil || len(left) != 1 || left[0].Kind != docker.KindNetwork {
		t.Errorf("left are %+v, %v; want the network", left, err)
	}
	open(t, state).Close()
	if containers, networks := leftOf(t, trial); containers+networks != 0 {
		t.Errorf("%d containers and %d networks are left", containers, networks)
	}
}
