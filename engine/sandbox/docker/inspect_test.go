package docker_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// An image is shown as its sandboxes see it: what a layer has removed is not there.
func TestInspect(t *testing.T) {
	d := open(t, t.TempDir())
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	spec := buildSpec(t, "FROM "+base+"\nARG WORD\nENV NAME=value\nRUN echo first >/one; echo second >/two; chmod 4755 /two\nRUN rm /one\nENTRYPOINT [\"/two\"]\n")
	spec.Image.Build.Args = map[string]string{"WORD": "of-the-build"}
	id, err := d.Image(t.Context(), spec)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dockerCommand(t, "rmi", "-f", id) })
	config, err := d.Inspect(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	said := func(s string) bool { return strings.Contains(s, "WORD=of-the-build") }
	if !slices.Contains(config.Env, "NAME=value") || !slices.Equal(config.Entrypoint, []string{"/two"}) || !slices.ContainsFunc(config.History, said) {
		t.Errorf("%+v", config)
	}
	var files bytes.Buffer
	if err := d.Export(t.Context(), id, &files); err != nil {
		t.Fatal(err)
	}
	found := map[string]int64{}
	for in := tar.NewReader(&files); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		found[h.Name] = h.Mode
	}
	if _, there := found["one"]; there || found["two"]&0o7777 != 0o4755 || found["etc/passwd"] == 0 {
		t.Errorf("%d files, of them two with %o", len(found), found["two"])
	}
	if dead, err := d.Dead(t.Context()); err != nil || len(dead) > 0 {
		t.Errorf("left: %v, %v", dead, err)
	}

	var inspector sandbox.Inspector = d
	if err := inspector.Export(t.Context(), "sha256:"+strings.Repeat("0", 64), io.Discard); err == nil {
		t.Error("an image that is not there was exported")
	}
	full := errors.New("full")
	if err := d.Export(t.Context(), id, writerFunc(func([]byte) (int, error) { return 0, full })); !errors.Is(err, full) {
		t.Errorf("got %v", err)
	}
}

type writerFunc func([]byte) (int, error)

func (w writerFunc) Write(p []byte) (int, error) { return w(p) }
