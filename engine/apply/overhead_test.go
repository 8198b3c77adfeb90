package apply_test

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/imagelint"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
)

// BenchmarkNoopTrial measures a trial of which nothing but bench's own work is
// left, run and check, against the same two containers driven by the bare Docker
// API. The two take turns, so that both see the same machine.
func BenchmarkNoopTrial(b *testing.B) {
	driver, err := docker.Open(b.Context(), docker.Options{State: b.TempDir()})
	if err != nil {
		b.Fatalf("this benchmark needs a Docker engine (make bench starts one): %v", err)
	}
	defer driver.Close()
	cli, err := client.New(client.FromEnv)
	if err != nil {
		b.Fatal(err)
	}
	defer cli.Close()
	results, err := store.Open(b.TempDir(), "overhead")
	if err != nil {
		b.Fatal(err)
	}
	if err := results.Lock(); err != nil {
		b.Fatal(err)
	}
	defer results.Unlock()

	looked := inventories{} // an image is looked into once on a machine, not once a trial
	benchTrial(b, driver, results, looked)
	var ours, bare []time.Duration
	for b.Loop() {
		for range rounds {
			ours = append(ours, timed(func() { benchTrial(b, driver, results, looked) }))
			bare = append(bare, timed(func() { bareTrial(b, cli) }))
		}
	}
	b.ReportMetric(median(ours).Seconds()*1000, "ms/bench")
	b.ReportMetric(median(bare).Seconds()*1000, "ms/bare")
	b.ReportMetric(median(ours).Seconds()/median(bare).Seconds(), "ratio")
}

// rounds is how many pairs one iteration takes: a single one says little about
// an engine whose own times vary by a third.
const rounds = 20

func timed(f func()) time.Duration {
	start := time.Now()
	f()
	return time.Since(start)
}

func median(d []time.Duration) time.Duration {
	slices.Sort(d)
	return d[len(d)/2]
}

const overheadImage = "debian:trixie-slim"

func noopSuite() *engine.Suite {
	box := &engine.Sandbox{
		Name: "base", Image: engine.Image{Ref: overheadImage}, CPUs: 1, Memory: 256 << 20, PIDs: 64, Network: engine.NetworkNone,
		User: engine.DefaultUser, Workdir: "/workspace", Timeouts: engine.DefaultTimeouts,
	}
	c := &engine.Case{Name: "nothing", Prompt: "Do nothing.", Sandbox: box, Checks: []*engine.Check{
		{Name: "true", Script: engine.Script{Command: []string{"true"}}, Timeout: time.Minute, Weight: 1},
	}}
	a := &engine.Agent{Name: "noop", Builtin: engine.BuiltinNoop}
	return &engine.Suite{Name: "overhead", Matrices: []*engine.Matrix{{Name: "m", Cases: []*engine.Case{c}, Agents: []*engine.Agent{a}, Trials: 1}}}
}

type inventories map[string]*imagelint.Inventory

func (i inventories) Load(image string) *imagelint.Inventory       { return i[image] }
func (i inventories) Keep(image string, what *imagelint.Inventory) { i[image] = what }

func benchTrial(b *testing.B, driver *docker.Driver, results *store.Store, looked inventories) {
	p, diags := plan.New(noopSuite(), nil, plan.Options{})
	if diags.HasErrors() {
		b.Fatal(diags)
	}
	all, _ := apply.Run(b.Context(), p, apply.Options{Driver: driver, Store: results, Inventories: looked, Machine: apply.Machine{CPUs: 1}})
	for _, r := range all {
		if r.Outcome.Status != engine.StatusPassed {
			b.Fatalf("%v: %s", r.Outcome, r.Outcome.Detail)
		}
	}
}

// bareTrial makes the same two containers with the same limits, puts a
// workspace into both, copies it out of the first, and runs the check in the
// second.
func bareTrial(b *testing.B, cli *client.Client) {
	ctx := b.Context()
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	start := func() string {
		yes, pids := true, int64(64)
		c, err := cli.ContainerCreate(ctx, client.ContainerCreateOptions{
			Config: &container.Config{Image: overheadImage, Entrypoint: []string{"cat"}, OpenStdin: true},
			HostConfig: &container.HostConfig{
				NetworkMode: "none", Init: &yes, LogConfig: container.LogConfig{Type: "none"}, CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
				Tmpfs:     map[string]string{"/tmp": "size=128m"},
				Resources: container.Resources{NanoCPUs: 1e9, Memory: 256 << 20, MemorySwap: 256 << 20, PidsLimit: &pids},
			},
		})
		check(err)
		_, err = cli.CopyToContainer(ctx, c.ID, client.CopyToContainerOptions{DestinationPath: "/", Content: workspaceTar(b)})
		check(err)
		_, err = cli.ContainerStart(ctx, c.ID, client.ContainerStartOptions{})
		check(err)
		return c.ID
	}
	remove := func(id string) {
		_, err := cli.ContainerRemove(context.WithoutCancel(ctx), id, client.ContainerRemoveOptions{Force: true})
		check(err)
	}
	run := start()
	out, err := cli.CopyFromContainer(ctx, run, client.CopyFromContainerOptions{SourcePath: "/workspace"})
	check(err)
	_, err = io.Copy(io.Discard, out.Content)
	check(err)
	out.Content.Close()
	remove(run)

	grade := start()
	exec, err := cli.ExecCreate(ctx, grade, client.ExecCreateOptions{Cmd: []string{"true"}, AttachStdout: true, AttachStderr: true})
	check(err)
	stream, err := cli.ExecAttach(ctx, exec.ID, client.ExecAttachOptions{})
	check(err)
	_, err = stdcopy.StdCopy(io.Discard, io.Discard, stream.Reader)
	check(err)
	stream.Close()
	_, err = cli.ExecInspect(ctx, exec.ID, client.ExecInspectOptions{})
	check(err)
	remove(grade)
}

func workspaceTar(b *testing.B) io.Reader {
	var buf bytes.Buffer
	w := tar.NewWriter(&buf)
	if err := w.WriteHeader(&tar.Header{Name: "workspace/", Typeflag: tar.TypeDir, Mode: 0o755, Uid: 1000, Gid: 1000}); err != nil {
		b.Fatal(err)
	}
	if err := w.Close(); err != nil {
		b.Fatal(err)
	}
	return &buf
}
