package docker_test

import (
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

// An engine that has no GPUs says so when a sandbox starts, in words of its own.
func TestNoGPUs(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	if d.Host().GPUs != "" {
		t.Skip("this engine has GPUs")
	}
	spec := sandboxtest.Spec(baseID(t, d))
	spec.Trial, spec.GPUs = "no GPUs in "+t.TempDir(), []string{"0", "1"}
	box, err := d.Start(t.Context(), spec)
	if err == nil {
		box.Close()
		t.Fatal("it started")
	}
	if want := "starting a sandbox: the Docker engine has nothing that gives containers GPUs, so GPU 0, 1 cannot be used"; !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %v", err)
	}
	if containers, _ := leftOf(t, spec.Trial); containers != 0 {
		t.Errorf("%d containers are left", containers)
	}
}
