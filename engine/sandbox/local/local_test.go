//go:build linux

package local_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

func TestMain(m *testing.M) {
	local.Main()
	os.Exit(m.Run())
}

func open(t *testing.T) (*local.Driver, string) {
	t.Helper()
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
	image, err := d.Image(t.Context(), sandbox.ImageSpec{Image: engine.Image{Ref: "any"}, Pull: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	return d, image
}

func TestConformance(t *testing.T) {
	d, image := open(t)
	sandboxtest.Run(t, d, image, sandboxtest.Memory, sandboxtest.Images, sandboxtest.Serving)
}

// An ordinary user has sandboxes as good as root's, if ids were set aside for it.
func TestOrdinaryUser(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("the other tests run as an ordinary user already")
	}
	const user = "65534"
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(dir, 0o755), os.Chmod(filepath.Dir(dir), 0o755)); err != nil { // both are of this test
		t.Fatal(err)
	}
	subids, program := filepath.Join(dir, "subids"), filepath.Join(dir, "test")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(subids, []byte(user+":300000:65536\n"), 0o644), os.WriteFile(program, self, 0o755)); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ name, prepare, want string }{
		{"with ids", "mount --bind " + subids + " /etc/subuid && mount --bind " + subids + " /etc/subgid && ", "PASS"},
		{"without", "mount --bind /dev/null /etc/subuid && ", "/etc/subuid has no range of 65536 ids for this user; as root, run usermod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			script := test.prepare + "cd / && CI=1 exec setpriv --reuid " + user + " --regid " + user + " --clear-groups " + program + " -test.run='^TestConformance$'"
			out, err := exec.Command("unshare", "--mount", "sh", "-c", script).CombinedOutput()
			if !strings.Contains(string(out), test.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// sh runs a script in a sandbox, and gives what it printed.
func sh(t *testing.T, box sandbox.Sandbox, u engine.User, script string) string {
	t.Helper()
	var out bytes.Buffer
	if _, err := box.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/", User: u, Stdout: &out, Stderr: &out}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func start(t *testing.T, d *local.Driver, spec sandbox.Spec) sandbox.Sandbox {
	t.Helper()
	box, err := d.Start(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	return box
}

// Nothing of the host can be written or is to be seen but its programs, not by
// root of the sandbox either, and nothing of the sandbox is on the host.
func TestHost(t *testing.T) {
	d, image := open(t)
	spec := sandboxtest.Spec(image)
	spec.Grading = true
	box := start(t, d, spec)
	mark := fmt.Sprintf("bench-test-%d", os.Getpid())
	private := filepath.Join(t.TempDir(), mark)
	if err := os.WriteFile(private, []byte("seen\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, u := range []engine.User{engine.Root, engine.DefaultUser} {
		out := sh(t, box, u, `for d in / /usr /etc /usr/local/bin /opt /home /root /tmp /var/tmp /run /workspace; do echo x 2>/dev/null >$d/`+mark+` && echo "wrote $d"; done
cat `+private+`; ls /root /home /tmp; mount -t tmpfs none /workspace && echo mounted; mount -o remount,rw /usr && echo remounted; unshare -m true && echo unshared
for s in KILL STOP TERM INT HUP QUIT USR1 CHLD; do kill -$s 1; done`)
		for _, no := range []string{"seen", "mounted", "unshared", "wrote /usr", "wrote /etc", "wrote /opt"} {
			if strings.Contains(out, no) {
				t.Errorf("user %d: %s", u.UID, out)
			}
		}
	}
	for _, dir := range []string{"/", "/usr", "/etc", "/tmp", "/workspace", "/home", "/root", "/run"} {
		if _, err := os.Lstat(filepath.Join(dir, mark)); err == nil {
			t.Errorf("%s of the host was written", dir)
		}
	}
	mounts := strings.Split(sh(t, box, engine.Root, "grep -E ' /(usr|bin|sbin|lib|lib32|lib64|libx32|etc|opt|nix)(/[^ ]*)? ' /proc/self/mountinfo"), "\n")
	for _, m := range mounts[:len(mounts)-1] {
		if fields := strings.Fields(m); len(fields) < 6 || !strings.HasPrefix(fields[5], "ro,nosuid,nodev") {
			t.Errorf("of the host, and not to be read only: %s", m)
		}
	}
	if len(mounts) < 3 {
		t.Errorf("there are no programs: %q", mounts)
	}
	if got := sh(t, box, engine.Root, "cat /proc/1/comm; tr '\\0' '\\n' </proc/1/environ; grep ^CapEff /proc/self/status; ls -l /proc/1/exe >/dev/null 2>&1 && echo traced"); !strings.Contains(got, "00000000000000eb") || strings.Contains(got, "traced") {
		t.Errorf("root of a check: %s", got)
	}
}

// A process gets no more memory than its sandbox has. That it is only one process
// is why the driver promises less.
func TestMemory(t *testing.T) {
	d, image := open(t)
	box := start(t, d, sandboxtest.Spec(image))
	if got := sh(t, box, engine.DefaultUser, "head -c 100m /dev/zero | tail -c 100m | wc -c; head -c 300m /dev/zero | tail -c 300m | wc -c"); !strings.HasPrefix(got, "104857600\n") || strings.Contains(got, "314572800") {
		t.Errorf("of 128 MiB: %s", got)
	}
	u, err := box.Usage(t.Context())
	if err != nil || u.CPU != nil || u.PeakMemory != nil || u.OOMKills != nil {
		t.Errorf("usage is not known, but is %+v, %v", u, err)
	}
}

// A user gets no more processes than its sandbox has.
func TestProcesses(t *testing.T) {
	d, image := open(t)
	box := start(t, d, sandboxtest.Spec(image))
	got := sh(t, box, engine.DefaultUser, "i=0; while [ $i -lt 100 ]; do sleep 1000 >/dev/null 2>&1 & i=$((i+1)); echo $i; done")
	if !strings.Contains(got, "\n40\n") || strings.Contains(got, "\n64\n") {
		t.Errorf("of 64 processes: %q", got)
	}
}

// A process of bench that is killed takes its sandboxes with it.
func TestKilled(t *testing.T) {
	if os.Getenv("BENCH_TEST_HANG") != "" {
		d, image := open(t)
		box := start(t, d, sandboxtest.Spec(image))
		fmt.Println("ready")
		_, _ = box.Exec(context.Background(), sandbox.Cmd{Args: []string{"sleep", os.Getenv("BENCH_TEST_HANG")}, Dir: "/", User: engine.DefaultUser})
		return
	}
	mark := fmt.Sprint(1_000_000 + os.Getpid())
	cmd := exec.Command(os.Args[0], "-test.run=^TestKilled$")
	cmd.Env = append(os.Environ(), "BENCH_TEST_HANG="+mark)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fscanln(out, new(string)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command runs", func() bool { return running("sleep\x00"+mark+"\x00") == 1 })
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	eventually(t, "the command is gone", func() bool { return running("sleep\x00"+mark+"\x00") == 0 })
}

// running counts the processes of this machine with a command line.
func running(command string) (n int) {
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, f := range files {
		if text, err := os.ReadFile(f); err == nil && string(text) == command {
			n++
		}
	}
	return n
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Fatalf("after 20 seconds it does not hold that %s", what)
}

// What cannot be had is refused, and not left out.
func TestRefused(t *testing.T) {
	d, image := open(t)
	if _, err := d.Image(t.Context(), sandbox.ImageSpec{Name: "python+agent", Base: image}); err == nil || !strings.Contains(err.Error(), "nothing can be laid over one") {
		t.Errorf("a layer: %v", err)
	}
	for what, ask := range map[string]func(*engine.Sandbox){
		"mounts":    func(s *engine.Sandbox) { s.Mounts = []*engine.Mount{{Source: "/", Target: "/x"}} },
		"services":  func(s *engine.Sandbox) { s.Services = []*engine.Service{{Name: "db"}} },
		"GPUs":      func(s *engine.Sandbox) { s.GPUs = 1 },
		"a network": func(s *engine.Sandbox) { s.Network = engine.NetworkOpen },
	} {
		spec := sandboxtest.Spec(image)
		ask(spec.Sandbox)
		if _, err := d.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "asks for "+what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A start whose files cannot be had says why, and leaves nothing.
func TestStartFails(t *testing.T) {
	d, image := open(t)
	broken := errors.New("the file has changed")
	for name, test := range map[string]struct {
		files func(io.Writer) error
		want  string
	}{
		"at once":    {func(io.Writer) error { return broken }, broken.Error()},
		"no archive": {func(w io.Writer) error { _, err := w.Write(make([]byte, 100)); return err }, "unexpected EOF"},
		"more than fits": {func(w io.Writer) error {
			_, err := io.Copy(w, io.MultiReader(strings.NewReader(header(t, 256<<20)), io.LimitReader(zeros{}, 256<<20)))
			return err
		}, "no space left"},
	} {
		t.Run(name, func(t *testing.T) {
			spec := sandboxtest.Spec(image)
			spec.Files = test.files
			if _, err := d.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// header is that of a file in a tar stream.
func header(t *testing.T, size int64) string {
	t.Helper()
	var b bytes.Buffer
	if err := tar.NewWriter(&b).WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "large", Size: size, Mode: 0o644}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// Where nothing can be installed, that is said before an agent tries.
func TestNoImage(t *testing.T) {
	d, image := open(t)
	for name, change := range map[string]func(*sandbox.Spec){
		"compare": func(s *sandbox.Spec) { s.Compare = true },
		"over":    func(s *sandbox.Spec) { s.Over = true },
	} {
		spec := sandboxtest.Spec(image)
		change(&spec)
		if _, err := d.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), "use a Docker engine") {
			t.Errorf("%s: got %v", name, err)
		}
	}
}
