package sandboxtest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

const module = "github.com/ml-dev-bench/bench/"

// builds are the programs that Build has built, by package.
var builds sync.Map

// Clean removes what Build has built. It is for TestMain.
func Clean() {
	builds.Range(func(_, build any) bool {
		if file, err := build.(func() (string, error))(); err == nil {
			_ = os.RemoveAll(filepath.Dir(file))
		}
		return true
	})
}

// Build builds a program of this module that runs in any sandbox, once a process,
// and returns its file, which stays until Clean.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	build, _ := builds.LoadOrStore(pkg, sync.OnceValues(func() (string, error) {
		dir, err := os.MkdirTemp("", "sandboxtest-*") // of the process, not of the test that comes first
		if err != nil {
			return "", err
		}
		file := filepath.Join(dir, filepath.Base(pkg))
		cmd := exec.Command("go", "build", "-o", file, module+pkg)
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux")
		if out, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("go build %s: %w\n%s", pkg, err, out)
		}
		return file, nil
	}))
	file, err := build.(func() (string, error))()
	if err != nil {
		t.Fatal(err)
	}
	return file
}

// Helper is what docker.Options wants for drivers that serve sandboxes.
func Helper(t testing.TB) func(platform string) (string, error) {
	return func(string) (string, error) { return Build(t, "cmd/bench"), nil }
}

// Probe is where WithProbe puts the program in testdata/probe.
const Probe = "/probe/probe"

// WithProbe puts the probe into a sandbox.
func WithProbe(t testing.TB, spec sandbox.Spec) sandbox.Spec {
	t.Helper()
	content, err := os.ReadFile(Build(t, "engine/sandbox/sandboxtest/testdata/probe"))
	if err != nil {
		t.Fatal(err)
	}
	spec.Volumes = append(slices.Clip(spec.Volumes), sandbox.Volume{Key: "probe", Target: path.Dir(Probe), Files: func(w io.Writer) error {
		files := tar.NewWriter(w)
		err := files.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: path.Base(Probe), Size: int64(len(content)), Mode: 0o755})
		if err == nil {
			_, err = files.Write(content)
		}
		return errors.Join(err, files.Close())
	}})
	return spec
}

// RunProbe runs the probe as a user, and gives what it says, and whether it
// succeeded.
func RunProbe(t testing.TB, s sandbox.Sandbox, u engine.User, env map[string]string, args ...string) (said string, ok bool) {
	t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	exit, err := s.Exec(ctx, sandbox.Cmd{Args: append([]string{Probe}, args...), Dir: "/", Env: env, User: u, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatalf("%v: %v", args, err)
	}
	return strings.TrimSpace(out.String()), exit.Code == 0
}

// served starts a sandbox with a handler.
func served(t *testing.T, d sandbox.Driver, image string, h http.Handler) sandbox.Sandbox {
	t.Helper()
	spec := WithProbe(t, Spec(image))
	spec.Serve = h
	return start(t, d, spec)
}

const url = "http://" + sandbox.ServeAddr + "/"

// serves holds a driver against what package sandbox says of Spec.Serve.
func serves(t *testing.T, d sandbox.Driver, image string) {
	for name, run := range map[string]func(*testing.T, sandbox.Driver, string){
		"requests": servesRequests, "streams": servesStreams, "connections": servesConnections,
		"outlives the agent": servesOn, "ends when frozen": servesUntilFrozen, "only if asked": servesNobody,
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); run(t, d, image) })
	}
}

// expect runs a probe, and wants it to say something.
func expect(t *testing.T, s sandbox.Sandbox, want string, args ...string) {
	t.Helper()
	if got, _ := RunProbe(t, s, engine.DefaultUser, nil, args...); got != want {
		t.Errorf("%v: got %q, want %q", args, got, want)
	}
}

func servesRequests(t *testing.T, d sandbox.Driver, image string) {
	const large = 200 << 20
	s := served(t, d, image, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		n, _ := io.Copy(io.Discard, r.Body)
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, n)
	}))
	expect(t, s, "200 GET /a/b 0", "get", url+"a/b")
	expect(t, s, fmt.Sprintf("POST / %d", large), "upload", fmt.Sprint(large), url)
	expect(t, s, "all 64", "parallel", "64", url)
}

func servesStreams(t *testing.T, d sandbox.Driver, image string) {
	next := make(chan struct{})
	s := served(t, d, image, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost { // what came before has arrived
			next <- struct{}{}
			return
		}
		for i := range 3 {
			fmt.Fprintf(w, "data: %d\n", i)
			w.(http.Flusher).Flush()
			select {
			case <-next:
			case <-r.Context().Done():
			}
		}
	}))
	expect(t, s, "data: 0\ndata: 1\ndata: 2", "stream", url)
}

func servesConnections(t *testing.T, d sandbox.Driver, image string) {
	s := served(t, d, image, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		all, _ := io.ReadAll(rw)
		fmt.Fprintf(c, "%s %s %s", r.Method, r.URL.Host, all)
	}))
	expect(t, s, "CONNECT a.test:443 sent", "connect", sandbox.ServeAddr, "a.test:443", "sent")
}

// servesOn is about agents that use up all they have: processes, connections and
// the signals they may send. What serves them is there for the next command.
func servesOn(t *testing.T, d sandbox.Driver, image string) {
	s := served(t, d, image, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "here") }))
	for _, script := range []string{"f() { f | f & }; f; exec sleep 1000", Probe + " hold 5000 " + sandbox.ServeAddr, "kill -9 -1"} {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		_, err := s.Exec(ctx, sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/workspace", User: engine.DefaultUser})
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		expect(t, s, "200 here", "get", url)
	}
}

func servesUntilFrozen(t *testing.T, d sandbox.Driver, image string) {
	var running atomic.Int32
	s := served(t, d, image, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		running.Add(1)
		defer running.Add(-1)
		<-r.Context().Done()
	}))
	script := "(setsid " + Probe + " get " + url + " >said.txt 2>&1 &)"
	if _, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/workspace", User: engine.DefaultUser}); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); running.Load() == 0; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the request did not arrive")
		}
	}
	if err := s.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := running.Load(); n != 0 {
		t.Errorf("%d calls run after Freeze", n)
	}
	var archive bytes.Buffer
	if err := s.CopyOut(t.Context(), "/workspace", &archive); err != nil || strings.Contains(archive.String(), "EOF") || strings.Contains(archive.String(), "reset") {
		t.Errorf("somebody inside saw the end, or cannot be copied: %v", err)
	}
}

func servesNobody(t *testing.T, d sandbox.Driver, image string) {
	s := start(t, d, WithProbe(t, Spec(image)))
	if got, ok := RunProbe(t, s, engine.DefaultUser, nil, "dial", "tcp", sandbox.ServeAddr); ok || !strings.Contains(got, "refused") {
		t.Errorf("got %q", got)
	}
}

// refusesToServe demands an error of a driver that cannot serve.
func refusesToServe(t *testing.T, d sandbox.Driver, image string) {
	spec := Spec(image)
	spec.Serve = http.NotFoundHandler()
	box, err := d.Start(t.Context(), spec)
	if err == nil {
		t.Error("it starts a sandbox that nothing can serve", box.Close())
	}
}
