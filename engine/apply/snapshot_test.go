package apply

import (
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/snapshot"
	"github.com/ml-dev-bench/bench/engine/store"
)

// BenchmarkSnapshot carries a gigabyte that does not compress out of a sandbox
// and into another one, as bench does, and in turns as plain tar streams of the
// same engine, to and from the same disk.
func BenchmarkSnapshot(b *testing.B) {
	driver, err := docker.Open(b.Context(), docker.Options{State: b.TempDir()})
	if err != nil {
		b.Fatalf("this benchmark needs a Docker engine (make bench starts one): %v", err)
	}
	defer driver.Close()
	image, err := driver.Image(b.Context(), sandbox.ImageSpec{Name: "base", Image: engine.Image{Ref: "debian:trixie-slim"}, Pull: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	c := &engine.Case{Sandbox: &engine.Sandbox{
		Name: "big", CPUs: 2, Memory: 1 << 30, PIDs: 64, Network: engine.NetworkNone, User: engine.DefaultUser, Workdir: "/workspace", Timeouts: engine.DefaultTimeouts,
	}}
	start := func(files func(io.Writer) error) sandbox.Sandbox {
		box, err := driver.Start(b.Context(), sandbox.Spec{Image: image, Sandbox: c.Sandbox, Trial: b.Name(), Files: files})
		if err != nil {
			b.Fatal(err)
		}
		return box
	}
	place := snapshot.Place{Dir: "/workspace", Owner: engine.DefaultUser}
	box := start(func(w io.Writer) error {
		files := snapshot.NewWriter(w)
		if err := files.Dir(place); err != nil {
			return err
		}
		return files.Close()
	})
	defer box.Close()
	if _, err := box.Exec(b.Context(), sandbox.Cmd{Args: []string{"sh", "-c", "head -c 1G /dev/urandom >/workspace/weights.bin"}, Dir: "/", User: engine.DefaultUser}); err != nil {
		b.Fatal(err)
	}

	dir := b.TempDir()
	plain := filepath.Join(dir, "plain.tar")
	w := &worker{trial: &engine.Trial{Case: c}, attempt: &engine.Attempt{}, dir: dir}
	var out, in, plainOut, plainIn time.Duration
	timed := func(total *time.Duration, f func() error) {
		began := time.Now()
		if err := f(); err != nil {
			b.Fatal(err)
		}
		*total += time.Since(began)
	}
	for b.Loop() {
		timed(&out, func() error { return w.snapshot(b.Context(), box) })
		timed(&plainOut, func() error { return copyPlain(b.Context(), box, plain) })
		timed(&in, func() error {
			return start(func(to io.Writer) error { return restore(to, place, filepath.Join(dir, store.SnapshotFile)) }).Close()
		})
		timed(&plainIn, func() error { return start(func(to io.Writer) error { return send(to, plain) }).Close() })
	}
	rate := func(d time.Duration) float64 { return float64(b.N) * 1024 / d.Seconds() }
	b.ReportMetric(rate(out), "MiB/s-out")
	b.ReportMetric(rate(plainOut), "MiB/s-out-plain")
	b.ReportMetric(rate(in), "MiB/s-in")
	b.ReportMetric(rate(plainIn), "MiB/s-in-plain")
	b.ReportMetric(plainOut.Seconds()/out.Seconds(), "ratio-out")
	b.ReportMetric(plainIn.Seconds()/in.Seconds(), "ratio-in")
}

func copyPlain(ctx context.Context, box sandbox.Sandbox, file string) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := box.CopyOut(ctx, "/workspace", f); err != nil {
		return err
	}
	return f.Sync()
}

func send(to io.Writer, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(to, f)
	return err
}

// restore writes a stored snapshot as a check gets it.
func restore(to io.Writer, place snapshot.Place, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return err
	}
	files := snapshot.NewWriter(to)
	if _, err := files.Restore(place, zip, snapshot.Protected{}); err != nil {
		return err
	}
	return files.Close()
}
