package docker_test

import (
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

// labelOf makes an image available, and says which one it is.
func labelOf(t *testing.T, d *docker.Driver, image engine.Image, platform string) (label, architecture string, err error) {
	t.Helper()
	id, err := d.Image(t.Context(), sandbox.ImageSpec{Image: image, Platform: platform, Pull: time.Minute})
	if err != nil {
		return "", "", err
	}
	t.Cleanup(func() { dockerCommand(t, "rmi", "-f", id) })
	cli, err := client.New(client.FromEnv)
	if err != nil {
		t.Fatal(err)
	}
	defer cli.Close()
	r, err := cli.ImageInspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	return r.Config.Labels["label"], r.Architecture, nil
}

// A pinned image is the one that it was when it was locked, whatever its tag
// means by now.
func TestPinned(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	r := newRegistry(t)
	name := r.host + "/pinned"
	old := name + "@" + r.image(t, runtime.GOARCH, "old").Digest
	r.tagged["latest"] = r.image(t, runtime.GOARCH, "new").Digest
	for _, test := range []struct{ pin, want string }{{"", "new"}, {old, "old"}, {"", "new"}, {old, "old"}} {
		label, _, err := labelOf(t, d, engine.Image{Ref: name + ":latest", Pin: test.pin}, "")
		if err != nil || label != test.want {
			t.Errorf("pinned to %q: got %q, %v; want %q", test.pin, label, err, test.want)
		}
	}
	here := baseID(t, d)
	if id, err := d.Image(t.Context(), sandbox.ImageSpec{Image: engine.Image{Ref: "nowhere.invalid/x", Pin: here}}); err != nil || id != here {
		t.Errorf("pinned to an id that is here: got %s, %v; want %s", id, err, here)
	}
	for pin, want := range map[string]string{
		"sha256:" + strings.Repeat("0", 64):         "which is not on this Docker engine",
		name + "@sha256:" + strings.Repeat("0", 64): "is locked to",
	} {
		_, err := d.Image(t.Context(), sandbox.ImageSpec{Image: engine.Image{Ref: name + ":latest", Pin: pin}, Pull: time.Minute})
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "run bench lock again") {
			t.Errorf("pinned to %s: got %v", pin, err)
		}
	}
}

// An image is for the platform that the sandbox asks for, also where there is one
// for another.
func TestPlatform(t *testing.T) {
	d := open(t, t.TempDir())
	defer d.Close()
	r := newRegistry(t)
	list := r.list(t, r.image(t, "amd64", "one"), r.image(t, "arm64", "two"))
	r.tagged["latest"] = list.Digest
	name := r.host + "/platform"
	for _, image := range []engine.Image{{Ref: name + ":latest"}, {Ref: name + ":latest", Pin: name + "@" + list.Digest}} {
		for _, want := range []string{"amd64", "arm64", "arm64", "amd64"} {
			_, got, err := labelOf(t, d, image, "linux/"+want)
			if err != nil && image.Pin != "" && strings.Contains(err.Error(), "try docker rmi "+image.Pin) {
				continue // engines with the older kind of store cannot
			}
			if err != nil || got != want {
				t.Errorf("%+v for %s: got %s, %v", image, want, got, err)
			}
		}
		if _, _, err := labelOf(t, d, image, "linux/s390x"); err == nil {
			t.Errorf("%+v: there is none for s390x", image)
		}
	}
	here := baseID(t, d)
	_, err := d.Image(t.Context(), sandbox.ImageSpec{Image: engine.Image{Ref: base, Pin: here}, Platform: "linux/s390x"})
	if err == nil || !strings.Contains(err.Error(), "not for linux/s390x: run bench lock again") {
		t.Errorf("an id for another platform: got %v", err)
	}
	spec := sandboxtest.Spec(here)
	spec.Sandbox.Platform = "linux/" + runtime.GOARCH
	if got := run(t, d, spec, "echo", "hi"); got != "hi\n" {
		t.Errorf("got %q", got)
	}
}
