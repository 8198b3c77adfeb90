// Package sandboxtest is the suite that every sandbox driver passes. A new
// driver is done when it does:
//
//	func TestDriver(t *testing.T) {
//		sandboxtest.Run(t, driver, image) // image: anything with sh, cat, sleep and find
//	}
//
// A driver that cannot keep a promise names it, and is not held to it; the output
// lists what was left out:
//
//	sandboxtest.Run(t, driver, image, sandboxtest.Memory)
package sandboxtest

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// Spec is a small sandbox for tests, with one file in its workspace.
func Spec(image string) sandbox.Spec {
	return sandbox.Spec{
		Image: image,
		Trial: "sandboxtest",
		Sandbox: &engine.Sandbox{
			Name: "test", CPUs: 1, Memory: 128 << 20, PIDs: 64, Network: engine.NetworkNone,
			User: engine.DefaultUser, Workdir: "/workspace", Timeouts: engine.DefaultTimeouts,
		},
		Files: func(w io.Writer) error {
			files := snapshot.NewWriter(w)
			at := snapshot.Place{Dir: "/workspace", Owner: engine.DefaultUser}
			return errors.Join(files.Dir(at), files.File(at, "given.txt", []byte("given\n")),
				files.Dir(snapshot.Place{Dir: "/secret", Private: true}), files.File(snapshot.Place{Dir: "/secret", Private: true}, "key", []byte("hidden\n")),
				files.Close())
		},
	}
}

// A Promise is one that a driver may be unable to keep. Whoever uses such a driver
// must be told so.
type Promise string

// Memory is that all processes of a sandbox share a bound on memory, that the one
// that exceeds it is killed, and that usage is told.
const Memory Promise = "memory is bounded and told"

// Images is that sandboxes have images of their own, whose files can be replaced in
// them, and with which they can be compared.
const Images Promise = "files of the image can be changed"

// Serving is that what Spec.Serve answers can be reached from inside. A driver that
// cannot keep it refuses to start such a sandbox.
const Serving Promise = "serves"

// Run holds a driver against what package sandbox says of it, but for some
// promises.
func Run(t *testing.T, d sandbox.Driver, image string, without ...Promise) {
	for _, p := range without {
		t.Logf("NOT promised by this driver: %s", p)
	}
	for _, test := range []struct {
		name string
		run  func(*testing.T, *box)
	}{
		{"exit status and output", exitAndOutput},
		{"unprivileged and private", unprivileged},
		{"no network", noNetwork},
		{"time-out kills the tree", killsTree},
		{"descendants have their grace", descendants},
		{"root has its grace", rootGrace},
		{"fork bomb stays inside", forkBomb},
		{string(Memory), memory},
		{"frozen tree can be copied", frozen},
		{"floods are drained", flood},
		{"missing command", missingCommand},
		{"cannot kill its keeper", keeper},
		{"reaps orphans", orphans},
	} {
		t.Run(test.name, func(t *testing.T) {
			if slices.Contains(without, Promise(test.name)) {
				t.Skip("not promised by this driver")
			}
			t.Parallel()
			b := &box{Sandbox: start(t, d, Spec(image))}
			test.run(t, b)
		})
	}
	Stops(t, d, image)
	t.Run("volumes are shared and cannot be written", func(t *testing.T) { t.Parallel(); volume(t, d, image) })
	if !slices.Contains(without, Images) {
		t.Run("what changed is told", func(t *testing.T) { t.Parallel(); changes(t, d, image) })
		t.Run("files over the image", func(t *testing.T) { t.Parallel(); over(t, d, image) })
	}
	t.Run("root cannot kill its keeper", func(t *testing.T) { t.Parallel(); keeperOfRoot(t, d, image) })
	t.Run("lost shell", func(t *testing.T) { t.Parallel(); lostShell(t, d, image) })
	t.Run(string(Serving), func(t *testing.T) {
		if slices.Contains(without, Serving) {
			refusesToServe(t, d, image)
			return
		}
		serves(t, d, image)
	})
	t.Run("many at once", func(t *testing.T) {
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				s, err := d.Start(t.Context(), Spec(image))
				if err != nil {
					t.Error(err)
					return
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
	})
}

type box struct{ sandbox.Sandbox }

func start(t *testing.T, d sandbox.Driver, spec sandbox.Spec) sandbox.Sandbox {
	t.Helper()
	s, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(s.Close(), s.Close()); err != nil {
			t.Error("close:", err)
		}
	})
	return s
}

// sh runs a shell script as the agent's user.
func (b *box) sh(t *testing.T, script string) (sandbox.Exit, string) {
	t.Helper()
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	exit, err := b.Exec(ctx, sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/workspace", User: engine.DefaultUser, Stdout: &out, Stderr: &out})
	if err != nil {
		t.Fatal(err)
	}
	return exit, out.String()
}

func exitAndOutput(t *testing.T, b *box) {
	var out, errs bytes.Buffer
	exit, err := b.Exec(t.Context(), sandbox.Cmd{
		Args: []string{"sh", "-c", `cat given.txt; echo "$WORD" >&2; exit 7`}, Dir: "/workspace",
		Env: map[string]string{"WORD": "a b"}, User: engine.DefaultUser, Stdout: &out, Stderr: &errs,
	})
	if err != nil || exit.Code != 7 || out.String() != "given\n" || errs.String() != "a b\n" {
		t.Errorf("got %v, %v, %q, %q", exit, err, out.String(), errs.String())
	}
}

func unprivileged(t *testing.T, b *box) {
	_, out := b.sh(t, `id -u; cat /secret/key; ls /secret; echo x >/etc/x; echo ok >mine; cat mine; grep -h ^NoNewPrivs /proc/self/status; grep CapEff /proc/self/status`)
	if !strings.Contains("\n"+out, "\n1000\n") || strings.Contains(out, "hidden") || !strings.Contains(out, "\nok\n") ||
		!strings.Contains(out, "NoNewPrivs:\t1") || !strings.Contains(out, "CapEff:\t0000000000000000") {
		t.Errorf("got %q", out)
	}
}

func noNetwork(t *testing.T, b *box) {
	_, out := b.sh(t, `tail -n +3 /proc/net/dev | grep -v ' lo:'; tail -n +2 /proc/net/route`)
	if strings.TrimSpace(out) != "" {
		t.Errorf("interfaces or routes beside loopback: %q", out)
	}
}

// alive counts the processes of the agent's user.
func (b *box) alive(t *testing.T) string {
	t.Helper()
	var out bytes.Buffer
	script := `n=0; for p in /proc/[0-9]*; do if grep -q '^Uid:.1000' $p/status 2>/dev/null && ! grep -q '^State:.Z' $p/status; then n=$((n+1)); fi; done; echo $n`
	if _, err := b.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/", User: engine.Root, Stdout: &out}); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(out.String())
}

func killsTree(t *testing.T, b *box) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := b.Exec(ctx, sandbox.Cmd{
		Args: []string{"sh", "-c", `for i in 1 2 3; do (setsid sh -c 'trap "" TERM; while :; do sleep 100; done' &) ; done; trap "" TERM; sleep 1000`},
		Dir:  "/workspace", User: engine.DefaultUser,
	})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("got error %v, want that of the context", err)
	}
	if n := b.alive(t); n != "0" {
		t.Errorf("%s processes of the agent outlived its command", n)
	}
}

func forkBomb(t *testing.T, b *box) {
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	_, err := b.Exec(ctx, sandbox.Cmd{Args: []string{"sh", "-c", `f() { f | f & }; f; exec sleep 1000`}, Dir: "/workspace", User: engine.DefaultUser})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want that of the context", err)
	}
	if err := b.Close(); err != nil {
		t.Error(err)
	}
}

func memory(t *testing.T, b *box) {
	exit, _ := b.sh(t, `exec tail /dev/zero`)
	if exit.Code != 137 {
		t.Errorf("exit status %d, want 137", exit.Code)
	}
	u, err := b.Usage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if u.OOMKills == nil || *u.OOMKills < 1 {
		t.Errorf("kills for want of memory: %v", u.OOMKills)
	}
	if u.HostOOM() {
		t.Error("the machine is said to have run out of memory, and it was the sandbox")
	}
	if u.CPU == nil || *u.CPU <= 0 || u.PeakMemory == nil || *u.PeakMemory < 64<<20 || *u.PeakMemory > 128<<20 {
		t.Errorf("usage: CPU %v, peak %v", u.CPU, u.PeakMemory)
	}
}

func frozen(t *testing.T, b *box) {
	b.sh(t, `echo left >left.txt; (setsid sh -c 'while :; do date >>busy.txt; done' >/dev/null 2>&1 &)`)
	if err := b.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	copyOut := func() string {
		var archive bytes.Buffer
		if err := b.CopyOut(t.Context(), "/workspace", &archive); err != nil {
			t.Fatal(err)
		}
		return archive.String()
	}
	first := copyOut()
	names := map[string]bool{}
	for r := tar.NewReader(strings.NewReader(first)); ; {
		h, err := r.Next()
		if err != nil {
			break
		}
		names[h.Name] = true
	}
	if !names["workspace/left.txt"] || !names["workspace/given.txt"] {
		t.Errorf("copied %v", names)
	}
	if first != copyOut() {
		t.Error("the tree changed although it is frozen")
	}
	if err := b.CopyOut(t.Context(), "/workspace/none", io.Discard); !errors.Is(err, sandbox.ErrNoDirectory) {
		t.Errorf("a directory that is not there: got %v, want %v", err, sandbox.ErrNoDirectory)
	}
}

func flood(t *testing.T, b *box) {
	out := sandbox.NewOutput(1 << 20)
	exit, err := b.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", `head -c 200m /dev/zero; echo end`}, Dir: "/workspace", User: engine.DefaultUser, Stdout: out, Stderr: out})
	if err != nil || exit.Code != 0 || out.Written() != 200<<20+4 || out.Kept() != 1<<20 || !strings.HasSuffix(out.String(), "end\n") {
		t.Errorf("got %v, %v, %d written, %d kept", exit, err, out.Written(), out.Kept())
	}
}

func missingCommand(t *testing.T, b *box) {
	exit, err := b.Exec(t.Context(), sandbox.Cmd{Args: []string{"no-such-command"}, Dir: "/workspace", User: engine.DefaultUser})
	if err != nil || exit.Code != 126 && exit.Code != 127 {
		t.Errorf("got %v, %v, want 126 or 127", exit, err)
	}
}

func keeper(t *testing.T, b *box) {
	b.sh(t, `kill -9 1; kill -9 -1`)
	if exit, out := b.sh(t, `cat given.txt`); exit.Code != 0 || out != "given\n" {
		t.Errorf("the sandbox is gone: %d, %q", exit.Code, out)
	}
}

// orphans leaves processes behind whose parents have ended: when they end, too, nobody
// but the sandbox can take note of that, and they would count as processes for ever.
func orphans(t *testing.T, b *box) {
	const count = `for p in /proc/[0-9]*; do read -r _ _ state _ <$p/stat && [ "$state" = Z ] && echo $p; done 2>/dev/null; true`
	b.sh(t, `for i in 1 2 3 4 5; do (sleep 0.1 &); done; sleep 0.5`)
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		_, out := b.sh(t, count)
		if out == "" {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not reaped: %s", out)
		}
	}
}

// keeperOfRoot is about agents that are root, and kill all that they can: they end by
// that, and their sandbox does not.
func keeperOfRoot(t *testing.T, d sandbox.Driver, image string) {
	spec := Spec(image)
	withRoot := *spec.Sandbox
	withRoot.User = engine.Root
	spec.Sandbox = &withRoot
	b := &box{start(t, d, spec)}
	for _, script := range []string{"kill -9 1; kill -9 -1; exit 3", "kill -15 -1; kill -9 1; exit 3", "setsid sleep 1000 & kill -9 -1; wait; kill -9 $$"} {
		exit, err := b.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/workspace", User: engine.Root})
		if err != nil || exit.Code != 3 && exit.Code != 137 {
			t.Errorf("%s: got %v, %v", script, exit, err)
		}
	}
	if got := b.root(t, "cat /workspace/given.txt"); got != "given\n" {
		t.Errorf("the sandbox is gone: %q", got)
	}
}

// volume shows one volume to several sandboxes, of agents and of checks.
func volume(t *testing.T, d sandbox.Driver, image string) {
	spec := Spec(image)
	var filled atomic.Int32
	spec.Volumes = []sandbox.Volume{{Key: t.Name(), Target: "/data", Files: func(w io.Writer) error {
		filled.Add(1)
		files := snapshot.NewWriter(w)
		return errors.Join(files.File(snapshot.Place{Dir: "/"}, "set.csv", []byte("1,2\n")), files.Close())
	}}}
	var wg sync.WaitGroup
	for i := range 4 {
		wg.Go(func() {
			spec := spec
			spec.Grading = i%2 == 1
			s, err := d.Start(t.Context(), spec)
			if err != nil {
				t.Error(err)
				return
			}
			defer s.Close()
			var out bytes.Buffer
			script := "cat /data/set.csv; echo x 2>/dev/null > /data/set.csv || rm -f /data/set.csv 2>/dev/null || touch /data/new 2>/dev/null || echo refused"
			if _, err := s.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/", User: engine.Root, Stdout: &out}); err != nil {
				t.Error(err)
			}
			if got, want := out.String(), "1,2\nrefused\n"; got != want {
				t.Errorf("got %q, want %q", got, want)
			}
		})
	}
	wg.Wait()
	if n := filled.Load(); n != 1 {
		t.Errorf("the volume was filled %d times", n)
	}
}
