package apply_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// installer plays an agent that changes the whole file system, and a check that
// passes if it finds all of that.
func installer(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
	if !b.Spec.Grading {
		b.Write("/usr/bin/tool", "new")
		b.Write("/etc/conf", "changed")
		b.Remove("/etc/issue")
		b.Write("/workspace/out", "done")
		b.Write("/check/fooled", "")
		b.Write("/tmp/x", "")
		b.Write("/data/set", "changed")
		return sandbox.Exit{}, nil
	}
	for name, want := range map[string]string{
		"/usr/bin/tool": "new", "/etc/conf": "changed", "/etc/issue": "", "/workspace/out": "done", "/check/fooled": "", "/tmp/x": "", "/data/set": "", "/usr/bin/sh": "sh",
	} {
		if got, _ := b.Read(name); got != want {
			fmt.Fprintf(cmd.Stdout, "%s is %q, want %q\n", name, got, want)
			return sandbox.Exit{Code: 1}, nil
		}
	}
	return sandbox.Exit{}, nil
}

func newInstall(t *testing.T) *bench {
	d := &fake.Driver{Program: installer, Base: map[string]string{"/usr/bin/sh": "sh", "/etc/conf": "given", "/etc/issue": "Linux"}}
	b := newBench(t, d, []string{"x"})
	b.suite.Cases[0].Sandbox.User = engine.Root
	return b
}

func TestFilesystem(t *testing.T) {
	for kind, want := range map[engine.Snapshot]string{engine.SnapshotFilesystem: "passed", engine.SnapshotWorkspace: "failed(check)"} {
		b := newInstall(t)
		c := b.suite.Cases[0]
		c.Snapshot = kind
		if kind == engine.SnapshotFilesystem {
			c.Sandbox.Mounts = []*engine.Mount{{Source: "data", Target: "/data"}}
		}
		results := b.apply(t, t.Context())
		if got := outcomes(results)["x"]; got != want {
			t.Errorf("%s: got %s (%s), want %s", kind, got, results[0].Outcome.Detail, want)
		}
		lists := slices.ContainsFunc(b.driver.Calls(), func(c fake.Call) bool { return c.Method == "Changes" })
		if whole := kind == engine.SnapshotFilesystem; lists != whole {
			t.Errorf("%s: changes were listed: %t", kind, lists)
		}
		for _, r := range b.apply(t, t.Context()) {
			if !r.Reused {
				t.Errorf("%s: the second time it is run anew", kind)
			}
		}
	}
}

// What cannot be listed is the world's fault; too much of it is the agent's.
func TestFilesystemErrors(t *testing.T) {
	b := newInstall(t)
	b.suite.Cases[0].Snapshot = engine.SnapshotFilesystem
	b.driver.Fail = func(_ context.Context, c fake.Call) error {
		if c.Method == "Changes" {
			return errors.New("boom")
		}
		return nil
	}
	results := b.apply(t, t.Context())
	if got := results[0].Outcome; got.String() != "errored(sandbox)" || !strings.Contains(got.Detail, "boom") {
		t.Errorf("got %s, %q", got, got.Detail)
	}

	b = newInstall(t)
	b.suite.Cases[0].Snapshot = engine.SnapshotFilesystem
	b.driver.Program = func(_ context.Context, b *fake.Box, _ sandbox.Cmd) (sandbox.Exit, error) {
		for i := range 70_000 {
			b.Write(fmt.Sprintf("/usr/%01000d", i), "")
		}
		return sandbox.Exit{}, nil
	}
	results = b.apply(t, t.Context())
	if got := results[0].Outcome; got.String() != "failed(limit_disk)" || !strings.Contains(got.Detail, "names of files") {
		t.Errorf("got %s, %q", got, got.Detail)
	}
	if stored, err := filepath.Glob(filepath.Join(b.dir, "s", "trials", "*", "attempt-*", "workspace.tar.gz")); err != nil || stored != nil {
		t.Errorf("stored all the same: %q, %v", stored, err)
	}
}
