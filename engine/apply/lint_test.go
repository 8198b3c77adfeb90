package apply_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/imagelint"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// memory keeps inventories.
type memory map[string]*imagelint.Inventory

func (m memory) Load(image string) *imagelint.Inventory    { return m[image] }
func (m memory) Keep(image string, i *imagelint.Inventory) { m[image] = i }

// leaky is a suite whose image has a file of the solution, a secret and an entry
// point.
func leaky(t *testing.T) (*bench, *fake.Inspector) {
	t.Helper()
	look := &fake.Inspector{
		Config: sandbox.ImageConfig{Env: []string{"API_KEY=abcdefgh1234"}, Entrypoint: []string{"/start"}},
		Files:  map[string]string{"/bin/sh": "the shell", "/bin/cat": "the cat", "/opt/answer": "the whole solution"},
	}
	b := newBench(t, &fake.Driver{}, []string{"x", "y"}, []string{"x"})
	b.look, b.kept = look, memory{}
	tree, err := digest.Tree("solution", fstest.MapFS{"answer": {Data: []byte("the whole solution")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.suite.Cases[0].Solution = &engine.Script{Command: []string{"true"}, Files: tree}
	return b, look
}

// told are the findings that were told of, by step.
func (b *bench) told() (out []string) {
	for _, e := range b.events {
		if e, ok := e.(apply.ImageLinted); ok {
			for _, f := range e.Findings {
				out = append(out, fmt.Sprintf("%s: %s %s", e.Step.ID, f.Severity, f.Rule))
			}
		}
	}
	return out
}

// No agent works in an image that gives the answer away, and that is no failure of
// an agent. It is told once, and the image is read once.
func TestUnsafeImage(t *testing.T) {
	b, look := leaky(t)
	want := []string{"lint:box: error hidden-file", "lint:box: warning secret-env", "lint:box: note entrypoint"}
	for range 2 {
		for _, r := range b.apply(t, t.Context()) {
			o := r.Outcome
			if o.String() != "errored(image_unsafe)" || o.Cause != "lint:box" || r.Attempt != nil || !strings.Contains(o.Detail, "/opt/answer: is solution/answer, a file of the solution of case c") {
				t.Errorf("%s: %v of %q: %s", r.Trial.ID, o, o.Cause, o.Detail)
			}
		}
		if diff := cmp.Diff(want, b.told()); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	if n := b.attempts(t); n != 0 || look.Exports() != 1 {
		t.Errorf("%d attempts, %d exports", n, look.Exports())
	}

	b.unsafe = true
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.Status != engine.StatusPassed {
			t.Errorf("allowed: %s: %v", r.Trial.ID, r.Outcome)
		}
	}
	if diff := cmp.Diff(want, b.told()); diff != "" {
		t.Errorf("allowed: (-want +got):\n%s", diff)
	}
}

// What is only a warning keeps nobody from working.
func TestWarnedImage(t *testing.T) {
	b, look := leaky(t)
	delete(look.Files, "/opt/answer")
	for _, r := range b.apply(t, t.Context()) {
		if r.Outcome.Status != engine.StatusPassed {
			t.Errorf("%s: %v", r.Trial.ID, r.Outcome)
		}
	}
	if told := b.told(); !slices.Equal(told, []string{"lint:box: warning secret-env", "lint:box: note entrypoint"}) {
		t.Errorf("told %q", told)
	}
}

// An image that cannot be read to its end is not taken for one without findings.
func TestUnreadableImage(t *testing.T) {
	for _, err := range []error{errors.New("boom"), fmt.Errorf("boom: %w", sandbox.ErrUnavailable)} {
		b, look := leaky(t)
		look.Err = err
		for _, r := range b.apply(t, t.Context()) {
			want := "errored(sandbox)"
			if errors.Is(err, sandbox.ErrUnavailable) {
				want = "errored(host)"
			}
			if o := r.Outcome; o.String() != want || o.Cause != "lint:box" || !strings.Contains(o.Detail, `cannot look into the image of sandbox "box": `) || !strings.Contains(o.Detail, "boom") {
				t.Errorf("%s: %v of %q: %s", r.Trial.ID, o, o.Cause, o.Detail)
			}
		}
		if len(b.kept.(memory)) != 0 {
			t.Error("half of an image is remembered")
		}
	}
}
