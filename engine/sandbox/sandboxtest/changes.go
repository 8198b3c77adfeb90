package sandboxtest

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// root runs a shell script as root, who may do what an agent may that installs
// programs.
func (b *box) root(t *testing.T, script string) string {
	t.Helper()
	var out bytes.Buffer
	exit, err := b.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/", User: engine.Root, Stdout: &out, Stderr: &out})
	if err != nil || exit.Code != 0 {
		t.Fatalf("%s: %v, %v, %s", script, exit, err, out.String())
	}
	return out.String()
}

// changes tells what differs from the image, and nothing that does not.
func changes(t *testing.T, d sandbox.Driver, image string) {
	spec := Spec(image)
	withRoot := *spec.Sandbox
	withRoot.User = engine.Root
	spec.Sandbox = &withRoot
	b := &box{start(t, d, spec)}
	b.root(t, `set -e
		mkdir /usr/local/bin/new && echo 1 >/usr/local/bin/new/file && ln -s /nowhere /usr/local/bin/link
		echo more >>/etc/passwd && rm -r /etc/group /usr/share && mkdir /usr/share && echo 1 >/usr/share/again
		printf 1 >"/etc/a$(printf '\377')b" && printf 1 >"/etc/$(printf 'a\nb')" && echo 1 >/tmp/x`)
	if err := b.Freeze(t.Context()); err != nil {
		t.Fatal(err)
	}
	told := map[string]string{} // "deleted" or "changed", or both
	err := b.Changes(t.Context(), func(c sandbox.Change) error {
		kind := "changed"
		if c.Deleted {
			kind = "deleted"
		}
		told[c.Path] = strings.TrimSpace(told[c.Path] + " " + kind)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"/usr/local/bin/new": "changed", "/usr/local/bin/new/file": "changed", "/usr/local/bin/link": "changed", "/etc/passwd": "changed",
		"/etc/group": "deleted", "/usr/share/again": "changed", "/etc/a\uFFFDb": "changed", "/etc/a\nb": "changed", "/workspace/given.txt": "changed", "/secret/key": "changed",
		"/tmp/x": "", "/usr/bin/env": "", "/proc": "", "/etc/hostname": "", "/etc/hosts": "", "/etc/resolv.conf": "",
	} {
		if told[path] != want {
			t.Errorf("%q is %q, want %q", path, told[path], want)
		}
	}
	if !strings.Contains(told["/usr/share"], "deleted") && told["/usr/share/doc"] != "deleted" {
		t.Errorf("what was in /usr/share is not said to be gone: %q, %q", told["/usr/share"], told["/usr/share/doc"])
	}
	stop := errors.New("stop")
	n := 0
	if err := b.Changes(t.Context(), func(sandbox.Change) error { n++; return stop }); !errors.Is(err, stop) || n != 1 {
		t.Errorf("got %v after %d changes, want the error of the first", err, n)
	}
}

// over puts files over the image, once the image's own programs have removed
// what is not to be there, themselves included.
func over(t *testing.T, d sandbox.Driver, image string) {
	spec := Spec(image)
	spec.Grading, spec.Over, spec.Remove = true, true, []string{"/etc/group", "/usr/share", "/usr/bin/rm", "/usr/bin/cat", "/not/there", "/-rf"}
	spec.Files = func(w io.Writer) error {
		files := snapshot.NewWriter(w)
		at := snapshot.Place{Dir: "/usr/share"}
		return errors.Join(files.Dir(at), files.File(at, "again", []byte("again\n")), files.File(snapshot.Place{Dir: "/usr/bin"}, "cat", []byte("no program\n")), files.Close())
	}
	b := &box{start(t, d, spec)}
	got := b.root(t, `echo /usr/share/*; for f in /etc/group /usr/bin/rm /usr/bin/cat; do if [ -e $f ]; then echo $f; fi; done; read word </usr/bin/cat; echo $word`)
	if want := "/usr/share/again\n/usr/bin/cat\nno program\n"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// lostShell takes the shell away: a command that a signal ends after that has
// failed by itself, and not because the sandbox has gone.
func lostShell(t *testing.T, d sandbox.Driver, image string) {
	spec := Spec(image)
	withRoot := *spec.Sandbox
	withRoot.User = engine.Root
	spec.Sandbox = &withRoot
	b := &box{start(t, d, spec)}
	exit, err := b.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", "rm -f /bin/sh /bin/dash /bin/bash /sbin; kill -9 $$"}, Dir: "/", User: engine.Root})
	if err != nil || exit.Code != 137 {
		t.Errorf("got %v, %v, want 137", exit, err)
	}
}
