package apply_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// layered has agents "plain", "built" with a Dockerfile, and "script" with a
// script that installs it.
func layered(t *testing.T, d *fake.Driver) *bench {
	t.Helper()
	b := newBench(t, d, []string{"plain", "built", "script"})
	b.suite.Cases[0].Sandbox.Platform = "linux/amd64"
	tree := func(name string) *engine.Tree {
		tree, err := digest.Tree("agent", fstest.MapFS{name: {Data: []byte("content of " + name)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return tree
	}
	b.suite.Agents[1].Layer = &engine.Build{Context: tree("Dockerfile"), Dockerfile: "Dockerfile"}
	b.suite.Agents[2].Layer, b.suite.Agents[2].Install = &engine.Build{Context: tree("install")}, true
	return b
}

// An agent works in its layer over the image of the case, and is graded in the
// image itself.
func TestLayers(t *testing.T) {
	var boxes []string
	d := &fake.Driver{}
	b := layered(t, d)
	b.suite.Parallel = 1
	d.Program = func(_ context.Context, box *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		boxes = append(boxes, cmd.Args[0]+" in "+box.Spec.Image)
		return sandbox.Exit{}, nil
	}
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.String() != "passed" {
			t.Errorf("%s: %v: %s", r.Trial.ID, r.Outcome, r.Outcome.Detail)
		}
	}
	slices.Sort(boxes)
	want := []string{"built in fake:box+built", "check in fake:box", "check in fake:box", "check in fake:box", "plain in fake:box", "script in fake:box+script"}
	if diff := cmp.Diff(want, boxes); diff != "" {
		t.Errorf("programs (-want +got):\n%s", diff)
	}
	images := map[string]fake.Image{}
	for _, i := range d.Images() {
		images[i.Spec.Name] = i
		if base := i.Spec.Base; i.Spec.Platform != "linux/amd64" || (base == "") != (i.Spec.Name == "box") || base != "" && base != "fake:box" {
			t.Errorf("%s: laid over %q, for %q", i.Spec.Name, base, i.Spec.Platform)
		}
	}
	if got := slices.Sorted(maps.Keys(images)); !slices.Equal(got, []string{"box", "box+built", "box+script"}) || len(d.Images()) != 3 {
		t.Errorf("images %v", got)
	}
	if diff := cmp.Diff(map[string]string{"Dockerfile": "content of Dockerfile"}, images["box+built"].Files); diff != "" {
		t.Errorf("files of a Dockerfile (-want +got):\n%s", diff)
	}
	script := images["box+script"]
	if diff := cmp.Diff(map[string]string{
		"bench-install/install": "content of install",
		"Dockerfile": "ARG BASE\nFROM ${BASE}\nUSER 0:0\nCOPY ./bench-install /bench-install\n" +
			`RUN ["sh","/bench-install/install"]` + "\n" + `RUN ["rm", "-r", "/bench-install"]` + "\n",
	}, script.Files); diff != "" || script.Spec.Image.Build.Dockerfile != "Dockerfile" {
		t.Errorf("files of a script (-want +got):\n%s", diff)
	}
	if b.suite.Agents[2].Layer.Dockerfile != "" {
		t.Error("the plan was changed")
	}
}

// A layer that cannot be made ends the trials of its agent; an image, all that
// are laid over it.
func TestLayerError(t *testing.T) {
	for _, test := range []struct {
		image string
		bug   bool
		want  map[string]string // outcome and cause
		calls int
	}{
		{"box", false, map[string]string{"plain": "errored(image) image:box", "built": "errored(image) image:box", "script": "errored(image) image:box"}, 1},
		{"box", true, map[string]string{"plain": "errored(engine) ", "built": "errored(engine) ", "script": "errored(engine) "}, 1},
		{"box+built", false, map[string]string{"plain": "passed ", "built": "errored(image) image:box+built", "script": "passed "}, 3},
		{"box+script", false, map[string]string{"plain": "passed ", "built": "passed ", "script": "errored(image) image:box+script"}, 3},
	} {
		d := &fake.Driver{Fail: func(_ context.Context, c fake.Call) error {
			switch {
			case c.Image != test.image:
				return nil
			case test.bug:
				panic("boom")
			}
			return &sandbox.BuildError{Log: "the end of the log", Err: errors.New("boom")}
		}}
		b := layered(t, d)
		got := map[string]string{}
		for _, r := range b.apply(t, t.Context()) {
			got[r.Trial.ID.Agent] = r.Outcome.String() + " " + string(r.Outcome.Cause)
		}
		if diff := cmp.Diff(test.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", test.image, diff)
		}
		calls := 0
		for _, c := range d.Calls() {
			if c.Method == "Image" {
				calls++
			}
		}
		if calls != test.calls {
			t.Errorf("%s: %d images were asked for, want %d", test.image, calls, test.calls)
		}
		for _, e := range b.events {
			e, ok := e.(apply.ImageEnded)
			if !ok || e.Err == nil {
				continue
			}
			if e.Log != "the end of the log" {
				t.Errorf("%s: log %q", test.image, e.Log)
			}
			if told := strings.Contains(e.Err.Error(), `agent "script" cannot be installed into the image of sandbox "box": boom`); told != (test.image == "box+script") {
				t.Errorf("%s: told %v", test.image, e.Err)
			}
		}
	}
}
