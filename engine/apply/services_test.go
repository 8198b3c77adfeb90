package apply_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// served is a bench whose case has two services.
func served(t *testing.T, d *fake.Driver) *bench {
	b := newBench(t, d, []string{"x"})
	b.suite.Cases[0].Sandbox.Services = []*engine.Service{
		{Name: "db", Image: engine.Image{Ref: "postgres"}}, {Name: "cache", Image: engine.Image{Ref: "redis"}, Memory: 1 << 20},
	}
	return b
}

// stored is a file of the only attempt.
func (b *bench) stored(t *testing.T, name string) string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(b.dir, "s", "trials", "*", "attempt-1", name))
	if err != nil || len(files) != 1 {
		t.Fatalf("%s: %v, %v", name, files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestServices(t *testing.T) {
	d := &fake.Driver{Serve: func(_ context.Context, b *fake.Box, s sandbox.Service) (string, error) {
		return fmt.Sprintf("%s from %s\n", s.Name, s.Image), nil
	}}
	d.Program = func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		switch {
		case b.Spec.Grading && len(b.Spec.Services) > 0:
			t.Error("a check has services")
		case !b.Spec.Grading && len(b.Spec.Services) != 2:
			t.Errorf("the agent has the services %v", b.Spec.Services)
		}
		return sandbox.Exit{}, nil
	}
	b := served(t, d)
	r := b.apply(t, t.Context())[0]
	if r.Outcome.Status != engine.StatusPassed {
		t.Fatal(r.Outcome)
	}
	var names []string
	for _, i := range d.Images() {
		names = append(names, i.Spec.Name+" "+i.Spec.Image.Ref)
	}
	if got := strings.Join(names, ", "); !strings.Contains(got, "box image") || !strings.Contains(got, "box.db postgres") || !strings.Contains(got, "box.cache redis") {
		t.Errorf("the images are %s", got)
	}
	if got := b.stored(t, "service-db.log"); got != "db from fake:box.db\n" {
		t.Errorf("the log is %q", got)
	}
	if s := r.Attempt.Services; len(s) != 2 || s[1].Name != "cache" || s[1].Image != "fake:box.cache" || s[1].Exit != nil {
		t.Errorf("recorded are %+v", s)
	}
}

// A service that is not ready is trouble of the world, told with its log, and the
// agent does not begin.
func TestServiceNotReady(t *testing.T) {
	d := &fake.Driver{Serve: func(_ context.Context, b *fake.Box, s sandbox.Service) (string, error) {
		if s.Name == "cache" {
			return "no room\n", errors.New("was not ready within 1s")
		}
		return "", nil
	}}
	d.Program = func(context.Context, *fake.Box, sandbox.Cmd) (sandbox.Exit, error) {
		t.Error("something ran")
		return sandbox.Exit{}, nil
	}
	b := served(t, d)
	r := b.apply(t, t.Context())[0]
	want := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonSandbox, Detail: "service \"cache\" was not ready within 1s; its log ends with:\nno room"}
	if r.Outcome != want {
		t.Errorf("got %+v", r.Outcome)
	}
	if got := b.stored(t, "service-cache.log"); got != "no room\n" {
		t.Errorf("the log is %q", got)
	}
}

// A service that ends before the agent begins is trouble of the world, unless it
// has done its work; one that ends later is a part of the attempt.
func TestServiceEnds(t *testing.T) {
	for _, test := range []struct {
		name   string
		during string // which command
		exit   int
		want   engine.Status
	}{
		{"while the setup runs", "setup", 1, engine.StatusErrored},
		{"done while the setup runs", "setup", 0, engine.StatusPassed},
		{"while the agent runs", "x", 1, engine.StatusPassed},
	} {
		t.Run(test.name, func(t *testing.T) {
			agent := false
			d := &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
				if cmd.Args[0] == test.during {
					b.End("db", sandbox.Exit{Code: test.exit})
				}
				agent = agent || cmd.Args[0] == "x"
				return sandbox.Exit{}, nil
			}}
			b := served(t, d)
			b.suite.Cases[0].Setup = &engine.Script{Command: []string{"setup"}}
			r := b.apply(t, t.Context())[0]
			if r.Outcome.Status != test.want || agent != (test.want == engine.StatusPassed) {
				t.Errorf("got %v, the agent worked: %v", r.Outcome, agent)
			}
			if s := r.Attempt.Services; s[0].Exit == nil || *s[0].Exit != test.exit || s[1].Exit != nil {
				t.Errorf("recorded are %+v", s)
			}
			if test.want == engine.StatusErrored && r.Outcome.Detail != `service "db" ended with exit status 1 before the agent began; it printed nothing` {
				t.Errorf("got %q", r.Outcome.Detail)
			}
		})
	}
}
