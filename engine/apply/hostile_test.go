package apply

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/check"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
)

// A trick is something that an agent may leave in the hope that it harms who
// copies it.
type trick struct {
	name   string
	script string // makes it in the current directory, as root
	want   string // outcome; empty if what is left can be graded
	kept   string // names that are kept, or the beginnings of them, in order; "*" for any
	left   string // part of what is said of those that are not
	whole  string // outcome where the whole file system is kept, if it is another one
}

var tricks = []trick{
	{"sparse file of 10 GB", `truncate -s 10G big`, "failed(limit_disk)", "", "", ""},
	{"210,000 files", `perl -e 'for (1..210_000) { open F, ">", $_ }'`, "failed(limit_disk)", "", "", ""},
	{"names with line ends, escapes and bytes that are no text", `touch ok "$(printf 'a\nb')" "$(printf '\033[2Jclear')" "$(printf 'x\377')" 'back\slash' "$(printf '\342\200\256rtl')"`,
		"", "ok", `a\nb": odd name`, ""},
	{"names of 255 bytes, and of 300", `touch $(printf %0255d 1); touch $(printf %0300d 1) 2>/dev/null; :`, "", strings.Repeat("0", 254) + "1", "", ""},
	{"path of 3,000 bytes", `perl -e 'for (1..15) { mkdir "l" x 199; chdir "l" x 199 or die } open F, ">f"'`, "", "*", "odd name", ""},
	{"path of 4,000 bytes", `perl -e 'for (1..20) { mkdir "l" x 199; chdir "l" x 199 or die } open F, ">f"'`, "", "*", "odd name", "failed(limit_disk)"},
	{"path of 250,000 bytes", `perl -e 'for (1..1250) { mkdir "l" x 199; chdir "l" x 199 or die } open F, ">f"'`, "", "*", "odd name", "failed(limit_disk)"},
	{"tree of 5,000 levels", `perl -e 'for (1..5000) { mkdir "d"; chdir "d" or die } open F, ">f"'`, "", "*", "odd name", "failed(limit_disk)"},
	{"directory that nobody can read", `mkdir d; echo secret >d/f; chmod 0 d/f d; chown -R 1000 d`, "", "d/ d/f", "", ""},
	{"hard links to files outside", `ln /etc/passwd passwd; ln /usr/bin/env env; ln /etc/passwd passwd2`, "", "env passwd passwd2", "", ""},
	{"links that go in circles", `ln -s b a; ln -s a b; ln -s . self; mkdir d; ln -s ../d d/d`, "", "a b d/ d/d self", "", ""},
	{"links that lead out", `ln -s / root; ln -s ../../check check; ln -s /proc/self/fd/0 in`, "", "", `"root": symbolic link that leads out`, ""},
	{"pipes and sockets", `mkfifo pipe; perl -MSocket -e 'socket(S, PF_UNIX, SOCK_STREAM, 0); bind(S, pack_sockaddr_un("socket")) or die'`, "", "", `"pipe": neither a file`, ""},
	{"devices", `mknod null c 1 3 2>/dev/null; mknod disk b 8 0 2>/dev/null; :`, "", "", "", ""},
	{"file that grows while it is copied", `(setsid sh -c 'while :; do echo more >>grows; done' >/dev/null 2>&1 &); until [ -s grows ]; do :; done`, "", "grows", "", ""},
	{"no workspace at all", `rmdir "$PWD"`, "", "", "", ""},
	{"link in the place of the workspace", `rmdir "$PWD" && ln -s /etc "$PWD"`, "", "", "", ""},
	{"file in the place of the workspace", `rmdir "$PWD" && echo 1 >"$PWD"`, "", "", "", ""},
	{"set-user-id, capabilities and attributes", `cp /usr/bin/env su; chmod 6755 su
		perl -e '$f = "su"; $c = "security.capability"; $v = pack("V5", 0x02000001, 0xffffffff, 0, 0, 0); $n = "user.note"; $x = "x";
			syscall(188, $f, $c, $v, 20, 0) == 0 or die "caps: $!"; syscall(188, $f, $n, $x, 1, 0)'`, "", "su", "", ""},
}

// TestHostileSnapshots lets a real sandbox hold what an agent could leave to harm
// who copies it. Each is either the agent's failure, told at once, or leaves a
// snapshot which a grading sandbox can be made from; never an error of the world,
// which an agent could hide its failure behind.
func TestHostileSnapshots(t *testing.T) {
	driver, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
	if err != nil {
		t.Fatalf("this test needs a Docker engine (make test starts one): %v", err)
	}
	defer driver.Close()
	image, err := driver.Image(t.Context(), sandbox.ImageSpec{Name: "base", Image: engine.Image{Ref: "debian:trixie-slim"}, Pull: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	world := &hostile{driver: driver, image: image, box: engine.Sandbox{
		Name: "hostile", CPUs: 2, Memory: 256 << 20, PIDs: 64, Network: engine.NetworkNone, User: engine.Root, Timeouts: engine.DefaultTimeouts,
	}}
	t.Run("workspace", func(t *testing.T) {
		box := world.start(t, tricks)
		for i, trick := range tricks {
			world.holds(t, box, trick, engine.Case{Sandbox: world.in(fmt.Sprintf("/tricks/%d", i)), Snapshot: engine.SnapshotWorkspace})
		}
	})
	t.Run("file system", func(t *testing.T) {
		c := engine.Case{Sandbox: world.in("/workspace"), Snapshot: engine.SnapshotFilesystem}
		var harmless []trick
		for i, trick := range tricks {
			switch {
			case trick.whole != "":
				trick.want = trick.whole
				world.holds(t, world.start(t, tricks[i:i+1]), trick, c)
			case trick.want == "":
				harmless = append(harmless, trick)
			}
		}
		world.holds(t, world.start(t, harmless), trick{name: "all of the others", kept: "*", left: "odd name"}, c)
	})
}

type hostile struct {
	driver *docker.Driver
	image  string
	box    engine.Sandbox
}

// in is a sandbox with another workspace.
func (h *hostile) in(workdir string) *engine.Sandbox {
	box := h.box
	box.Workdir = workdir
	return &box
}

// start makes tricks in a sandbox, each in a directory of its own, and freezes it.
func (h *hostile) start(t *testing.T, tricks []trick) sandbox.Sandbox {
	t.Helper()
	none := func(w io.Writer) error { return tar.NewWriter(w).Close() }
	box, err := h.driver.Start(t.Context(), sandbox.Spec{Image: h.image, Sandbox: h.in("/workspace"), Trial: t.Name(), Files: none})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	})
	for i, trick := range tricks {
		var out bytes.Buffer
		script := fmt.Sprintf("mkdir -p /tricks/%d && cd /tricks/%d\n%s", i, i, trick.script)
		exit, err := box.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/", User: engine.Root, Stdout: &out, Stderr: &out})
		if err != nil || exit.Code != 0 {
			t.Fatalf("%s cannot be made: %v, %v, %s", trick.name, exit, err, out.String())
		}
	}
	if err := box.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	return box
}

// holds makes a snapshot, and a grading sandbox from it.
func (h *hostile) holds(t *testing.T, box sandbox.Sandbox, trick trick, c engine.Case) {
	t.Helper()
	c.Name, c.Checks = "c", []*engine.Check{{Name: "runs", Script: engine.Script{Command: []string{"true"}}, Timeout: time.Minute, Weight: 1}}
	w := &worker{trial: &engine.Trial{Case: &c}, attempt: &engine.Attempt{}, dir: t.TempDir()}
	if err := w.snapshot(t.Context(), box); err != nil {
		t.Errorf("%s: %v", trick.name, err)
		return
	}
	file := filepath.Join(w.dir, store.SnapshotFile)
	outcome := w.attempt.Outcome
	if outcome.Status != engine.StatusInvalid {
		t.Logf("%s | %s: %s", trick.name, outcome, outcome.Detail)
		if _, err := os.Lstat(file); outcome.String() != trick.want || err == nil {
			t.Errorf("%s: got %s, and a file: %v; want %q", trick.name, outcome, err, trick.want)
		}
		return
	}
	kept, err := names(file)
	if err != nil {
		t.Errorf("%s: %v", trick.name, err)
		return
	}
	left := strings.Join(w.attempt.Left, "; ")
	t.Logf("%s | kept %.80q; left out: %.160s", trick.name, kept, left)
	if trick.want != "" || trick.kept != "*" && strings.Join(kept, " ") != trick.kept || !strings.Contains(left, trick.left) {
		t.Errorf("%s: kept %.200q, left out %q", trick.name, kept, left)
	}
	grade, err := check.Run(t.Context(), h.driver, check.Input{Trial: w.trial, Image: h.image, Snapshot: func() (io.ReadCloser, error) { return os.Open(file) }})
	if err != nil || !grade.Checks[0].Passed {
		t.Errorf("%s: it cannot be graded: %+v, %v", trick.name, grade, err)
	}
}

// names lists what is in a stored snapshot, sorted. It fails if that has rights,
// or is no archive to its end.
func names(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	zip, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	var out []string
	for in := tar.NewReader(zip); ; {
		h, err := in.Next()
		if err == io.EOF {
			slices.Sort(out)
			_, err := io.Copy(io.Discard, zip)
			return out, err
		}
		if err != nil {
			return nil, err
		}
		if h.Mode&^0o777 != 0 || len(h.PAXRecords) > 0 && h.PAXRecords["path"] == "" && h.PAXRecords["linkpath"] == "" {
			return nil, fmt.Errorf("%s has mode %o and %v", h.Name, h.Mode, h.PAXRecords)
		}
		out = append(out, h.Name)
	}
}
