package docker_test

import (
	"bytes"
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
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

// With gVisor, a sandbox has another kernel, and does what it does with any other:
// a command that overruns its time is killed with its descendants, and what is
// frozen can be copied out.
func TestGVisor(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	if !slices.Contains(d.Host().Runtimes, "runsc") {
		t.Skip("this engine has no runtime runsc")
	}
	spec := sandboxtest.Spec(baseID(t, d))
	spec.Sandbox.Runtime, spec.Sandbox.PIDs = "runsc", 512 // the threads of gVisor itself count
	box, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	sh := func(script string, limit time.Duration) (string, error) {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		var out bytes.Buffer
		_, err := box.Exec(ctx, sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/workspace", User: engine.DefaultUser, Stdout: &out, Stderr: &out})
		return out.String(), err
	}
	if out, err := sh("dmesg; cat given.txt; id -u", time.Minute); err != nil || !strings.Contains(out, "gVisor") || !strings.HasSuffix(out, "given\n1000\n") {
		t.Errorf("got %q, %v", out, err)
	}
	if _, err := sh("(setsid sh -c 'trap \"\" TERM; while :; do echo x >>busy; sleep 0.1; done' &); sleep 1000", 2*time.Second); err == nil {
		t.Error("it did not overrun its time")
	}
	if err := box.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	var left bytes.Buffer
	if err := box.CopyOut(t.Context(), "/workspace", &left); err != nil || !bytes.Contains(left.Bytes(), []byte("busy")) {
		t.Errorf("copied %d bytes, %v", left.Len(), err)
	}
	if err := box.Close(); err != nil {
		t.Error(err)
	}
}
