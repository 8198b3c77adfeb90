package docker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// base is the image of the tests: what the Dockerfiles of the cases build on.
const base = "debian:trixie-slim"

func TestMain(m *testing.M) {
	code := m.Run()
	sandboxtest.Clean()
	os.Exit(code)
}

func open(t *testing.T, state string) *docker.Driver {
	t.Helper()
	d, err := docker.Open(t.Context(), docker.Options{State: state, Helper: sandboxtest.Helper(t)})
	if err != nil {
		t.Fatalf("these tests need a Docker engine (make test starts one): %v", err)
	}
	return d
}

func baseID(t *testing.T, d *docker.Driver) string {
	t.Helper()
	id, err := d.Image(t.Context(), sandbox.ImageSpec{Image: engine.Image{Ref: base}, Pull: time.Minute})
	if err != nil {
		t.Fatalf("%v\n(make test makes this image)", err)
	}
	return id
}

func TestConformance(t *testing.T) {
	d := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	sandboxtest.Run(t, d, baseID(t, d))
}

func buildSpec(t *testing.T, dockerfile string) sandbox.ImageSpec {
	t.Helper()
	tree, err := digest.Tree("test", fstest.MapFS{"Dockerfile": {Data: []byte(dockerfile)}, "file.txt": {Data: []byte("in the context\n")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	build := &engine.Build{Context: tree, Dockerfile: "Dockerfile", Args: map[string]string{"WORD": "hello"}}
	return sandbox.ImageSpec{
		Name: "Test_Image", Key: digest.NewKey("test").AddTree("context", tree).Key().Sum, Image: engine.Image{Build: build}, Build: time.Minute,
		Context: func(w io.Writer) error {
			files := snapshot.NewWriter(w)
			return errors.Join(files.Tree(snapshot.Place{Dir: "/"}, tree), files.Close())
		},
	}
}

func TestBuild(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	for name, dockerfile := range map[string]string{
		"classic":  "FROM " + base + "\nARG WORD\nCOPY file.txt /\nRUN echo $WORD >/word\n",
		"buildkit": "FROM " + base + "\nARG WORD\nRUN --mount=type=bind,source=file.txt,target=/in.txt cp /in.txt /file.txt && echo $WORD >/word\n",
	} {
		t.Run(name, func(t *testing.T) {
			spec := buildSpec(t, dockerfile)
			id, err := d.Image(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dockerCommand(t, "rmi", "-f", id) })
			if again, err := d.Image(t.Context(), spec); err != nil || again != id {
				t.Errorf("the second time: %s, %v; want %s", again, err, id)
			}
			box, err := d.Start(t.Context(), sandboxtest.Spec(id))
			if err != nil {
				t.Fatal(err)
			}
			defer box.Close()
			var out bytes.Buffer
			if _, err := box.Exec(t.Context(), sandbox.Cmd{Args: []string{"cat", "/word", "/file.txt"}, Dir: "/", Stdout: &out}); err != nil || out.String() != "hello\nin the context\n" {
				t.Errorf("got %q, %v", out.String(), err)
			}
		})
	}
}

// A layer is built over exactly the image that it is to be laid over, by both
// builders, and anew if that is another one.
func TestLayer(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	below, err := d.Image(t.Context(), buildSpec(t, "FROM "+base+"\nRUN echo below >/below\n"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dockerCommand(t, "rmi", "-f", below) })
	for name, dockerfile := range map[string]string{
		"classic":  "ARG BASE\nFROM ${BASE}\nARG WORD\nRUN echo $WORD >>/below\n",
		"buildkit": "ARG BASE\nFROM ${BASE}\nARG WORD\nRUN --mount=type=bind,source=file.txt,target=/in.txt echo $WORD >>/below\n",
	} {
		t.Run(name, func(t *testing.T) {
			spec := buildSpec(t, dockerfile)
			spec.Name, spec.Base, spec.Platform = "test+layer", below, "linux/amd64"
			id, err := d.Image(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dockerCommand(t, "rmi", "-f", id) })
			if got := run(t, d, sandboxtest.Spec(id), "cat", "/below"); got != "below\nhello\n" {
				t.Errorf("got %q", got)
			}
			if again, err := d.Image(t.Context(), spec); err != nil || again != id {
				t.Errorf("the second time: %s, %v; want %s", again, err, id)
			}
			spec.Base = baseID(t, d)
			other, err := d.Image(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { dockerCommand(t, "rmi", "-f", other) })
			if got := run(t, d, sandboxtest.Spec(other), "cat", "/below"); got != "hello\n" {
				t.Errorf("over another image: got %q", got)
			}
		})
	}
	if out, err := exec.Command("docker", "images", "--quiet", "bench.invalid/base").Output(); err != nil || len(out) > 0 {
		t.Errorf("names of images below are left: %s, %v", out, err)
	}
}

// run is what a command prints in a sandbox of its own.
func run(t *testing.T, d *docker.Driver, spec sandbox.Spec, args ...string) string {
	t.Helper()
	box, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	var out bytes.Buffer
	if exit, err := box.Exec(t.Context(), sandbox.Cmd{Args: args, Dir: "/", Stdout: &out, Stderr: &out}); err != nil || exit.Code != 0 {
		t.Errorf("%v: %v, %v: %s", args, exit, err, out.String())
	}
	return out.String()
}

func TestBuildFails(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	_, err := d.Image(t.Context(), buildSpec(t, "FROM "+base+"\nRUN echo what went wrong; exit 3\n"))
	var build *sandbox.BuildError
	if !errors.As(err, &build) || !strings.Contains(build.Log, "what went wrong") {
		t.Errorf("got %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
	_, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
	if want := "nothing answers at DOCKER_HOST=unix:///nowhere/docker.sock: "; !errors.Is(err, sandbox.ErrUnavailable) || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want ErrUnavailable, and %q", err, want)
	}
}

// A process that is killed leaves nothing: its running sandbox goes by itself,
// its frozen one with the next process, and the sandbox of a live one stays.
func TestKilled(t *testing.T) {
	if state := os.Getenv("BENCH_TEST_HANG"); state != "" {
		hang(t, state)
	}
	state := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "BENCH_TEST_HANG="+state)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = t.Output()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(string)); err != nil {
		t.Fatal(err)
	}
	live := open(t, state)
	defer live.Close()
	owner := containers(t, state)
	if len(owner) != 2 {
		t.Fatalf("%d containers while the process lives, want 2", len(owner))
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	eventually(t, "the running sandbox is gone", func() bool { return len(containers(t, state)) == 1 })
	next := open(t, state)
	defer next.Close()
	if left := containers(t, state); len(left) != 0 {
		t.Errorf("%d containers are left", len(left))
	}
}

// A start that is cancelled at any moment leaves nothing: the engine creates a
// container even for a client that has gone in the meantime.
func TestStartCancelled(t *testing.T) {
	state := t.TempDir()
	d := open(t, state)
	defer d.Close()
	spec := sandboxtest.Spec(baseID(t, d))
	spec.Trial = "hang in " + state
	for delay := time.Duration(0); delay < 200*time.Millisecond; delay += 5 * time.Millisecond {
		ctx, cancel := context.WithTimeout(t.Context(), delay)
		if box, err := d.Start(ctx, spec); err == nil {
			if err := box.Close(); err != nil {
				t.Error(err)
			}
		}
		cancel()
		if left := containers(t, state); len(left) != 0 {
			t.Fatalf("cancelled after %v, the start left %d containers", delay, len(left))
		}
	}
}

// hang starts a sandbox and a frozen one, says so, and waits to be killed.
func hang(t *testing.T, state string) {
	d := open(t, state)
	image := baseID(t, d)
	var held []sandbox.Sandbox // or the collector would close the first one
	for _, freeze := range []bool{false, true} {
		spec := sandboxtest.Spec(image)
		spec.Trial = "hang in " + state
		box, err := d.Start(context.Background(), spec)
		if err == nil && freeze {
			err = box.Freeze(context.Background())
		}
		if err != nil {
			t.Fatal(err)
		}
		held = append(held, box)
	}
	fmt.Println("ready")
	<-t.Context().Done()
	runtime.KeepAlive(held)
}

// containers lists those of the test above.
func containers(t *testing.T, state string) []string {
	t.Helper()
	cli, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	list, err := cli.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", "bench.trial=hang in "+state)})
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, c := range list.Items {
		ids = append(ids, c.ID)
	}
	return ids
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("after 20 seconds it does not hold that %s", what)
}

func dockerCommand(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("docker", args...).CombinedOutput(); err != nil {
		t.Errorf("docker %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}
