package react_test

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

func TestMain(m *testing.M) {
	local.Main()
	os.Exit(m.Run())
}

// work is what real sandboxes are tried with. The second command is killed, and
// what the first has started is not.
const work = `
turn
call bash
  command = "(while :; do echo tick; sleep 0.1; done) & echo $! >first; id -u; pwd; cat given.txt"
call bash
  command = "trap '' TERM; sleep 1000 & echo $! >second; echo hangs; while :; do sleep 1; done"
  timeout = 2
call bash
  command = "kill -0 $(cat first) && echo the first lives; kill -0 $(cat second) 2>/dev/null || echo the second does not"
call write_file
  path = "dir/new \\n.txt"
  content = "a\\b\u0000 %s\n"
turn
call bash
  command = "od -c 'dir/new \\n.txt'; exit 143"
turn
text Done.
`

func TestDocker(t *testing.T) {
	d, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
	if err != nil {
		t.Fatalf("this test needs a Docker engine (make test starts one): %v", err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	id, err := d.Image(t.Context(), sandbox.ImageSpec{Image: engine.Image{Ref: "debian:trixie-slim"}, Pull: time.Minute})
	if err != nil {
		t.Fatalf("%v\n(make test makes this image)", err)
	}
	for name, user := range map[string]engine.User{"user": engine.DefaultUser, "root": engine.Root} {
		t.Run(name, func(t *testing.T) { works(t, d, id, user) })
	}
}

func TestLocal(t *testing.T) {
	d, err := local.Open(t.Context())
	if errors.Is(err, sandbox.ErrUnavailable) && os.Getuid() != 0 && os.Getenv("CI") == "" {
		t.Skipf("NOT tested, since this user cannot: %v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	works(t, d, "none", engine.DefaultUser)
}

func works(t *testing.T, d sandbox.Driver, image string, user engine.User) {
	t.Helper()
	t.Parallel()
	spec := sandboxtest.Spec(image)
	spec.Files = func(w io.Writer) error {
		files, at := snapshot.NewWriter(w), snapshot.Place{Dir: "/workspace", Owner: user}
		return errors.Join(files.Dir(at), files.File(at, "given.txt", []byte("given\n")), files.Close())
	}
	box, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	tr := start(t, script(t, work))
	tr.Box, tr.User, tr.Dir, tr.Env = box, user, "/workspace", map[string]string{"HOME": "/tmp"}
	tr.run(t, 0, "The model is done.")
	uid := map[engine.User]string{engine.DefaultUser: "1000", engine.Root: "0"}[user]
	got := tr.results(t)
	got[0] = strings.ReplaceAll(got[0], "tick\n", "") // maybe before the rest is said
	want := []string{
		uid + "\n/workspace\ngiven\n[exit status 0]",
		"hangs\n[killed after 2s, with what it had started; what takes longer can run in the background]",
		"the first lives\nthe second does not\n[exit status 0]",
		"8 bytes were written to dir/new \\n.txt.",
		"0000000   a   \\   b  \\0       %   s  \\n\n0000010\n[exit status 143]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("results (-want +got):\n%s\n%s", diff, tr.log.String())
	}
	var out strings.Builder
	if _, err := box.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", "kill -0 $(cat first) || echo gone"}, Dir: "/workspace", User: user, Stdout: &out}); err != nil || out.String() != "gone\n" {
		t.Errorf("after the end: %q, %v", out.String(), err)
	}
}
