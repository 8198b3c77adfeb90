package docker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
	"github.com/ml-dev-bench/bench/engine/sandbox/tunnel"
)

const served = "http://" + sandbox.ServeAddr + "/"

// A sandbox that is cut off is the world's fault: the command that runs is
// ended, and so is each one after it. It is not if the agent did it, or memory ran
// out.
func TestCutOff(t *testing.T) {
	d := open(t, t.TempDir())
	t.Cleanup(func() { d.Close() })
	image := baseID(t, d)
	for name, test := range map[string]struct {
		signal string
		broken bool
	}{"crash": {"-6", true}, "kill": {"-9", false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			spec := sandboxtest.WithProbe(t, sandboxtest.Spec(image))
			spec.Serve, spec.Trial = http.NotFoundHandler(), t.TempDir()
			s, err := d.Start(t.Context(), spec)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			pid, ok := sandboxtest.RunProbe(t, s, engine.DefaultUser, nil, "find", tunnel.Command)
			if !ok {
				t.Fatal(pid)
			}
			run := func(script string, out io.Writer) (sandbox.Exit, error) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				return s.Exec(ctx, sandbox.Cmd{Args: []string{"sh", "-c", script}, Dir: "/workspace", User: engine.DefaultUser, Stdout: out})
			}
			// It ends by itself once the helper is gone, as an agent would.
			exit, err := run("echo; while "+sandboxtest.Probe+" dial tcp "+sandbox.ServeAddr+"; do sleep 0.1; done; exit 7", writer(func() {
				dockerCommand(t, "exec", "--user", "0", containerOf(t, spec.Trial), "sh", "-c", "kill "+test.signal+" "+pid)
			}))
			if test.broken {
				cutOff(t, err)
			} else if err != nil || exit.Code != 7 {
				t.Errorf("the command that ran: %v, %v", exit, err)
			}
			_, err = run("true", nil)
			if test.broken {
				cutOff(t, err)
			} else if err != nil {
				t.Error(err)
			}
			if err := s.Freeze(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func cutOff(t *testing.T, err error) {
	t.Helper()
	if err == nil || errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "cut off") || !strings.Contains(err.Error(), "SIGABRT") {
		t.Errorf("got %v", err)
	}
}

// writer does something at the first write.
func writer(do func()) io.Writer {
	var once sync.Once
	return writeFunc(func() { once.Do(do) })
}

type writeFunc func()

func (f writeFunc) Write(p []byte) (int, error) { f(); return len(p), nil }

// containerOf is the id of the container for a trial.
func containerOf(t *testing.T, trial string) string {
	t.Helper()
	out, err := exec.Command("docker", "ps", "--quiet", "--filter", "label=bench.trial="+trial).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// Without a helper, or with a wrong one, no sandbox starts that needs one, and the
// error says why.
func TestNoHelper(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "wrong")
	if err := os.WriteFile(wrong, []byte("#!/bin/sh\necho not me; exit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for want, helper := range map[string]func(string) (string, error){
		"there is no helper":              nil,
		"none for linux/amd64":            func(platform string) (string, error) { return "", errors.New("none for " + platform) },
		`did not start: it said "not me"`: func(string) (string, error) { return wrong, nil },
		"no such file or directory":       func(string) (string, error) { return "/nowhere", nil },
		"exec format error":               func(string) (string, error) { return os.DevNull, nil },
	} {
		d, err := docker.Open(t.Context(), docker.Options{State: t.TempDir(), Helper: helper})
		if err != nil {
			t.Fatal(err)
		}
		spec := sandboxtest.Spec(baseID(t, d))
		spec.Serve = http.NotFoundHandler()
		if box, err := d.Start(t.Context(), spec); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
			if err == nil {
				box.Close()
			}
		}
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	}
}

// BenchmarkServe measures what a sandbox gets of its handler: the time of small
// requests, one after the other and 16 at once, and of large bodies either way.
func BenchmarkServe(b *testing.B) {
	const size = 64 << 20
	d, err := docker.Open(b.Context(), docker.Options{State: b.TempDir(), Helper: sandboxtest.Helper(b)})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { d.Close() })
	image, err := d.Image(b.Context(), sandbox.ImageSpec{Image: engine.Image{Ref: base}, Pull: time.Minute})
	if err != nil {
		b.Fatal(err)
	}
	spec := sandboxtest.WithProbe(b, sandboxtest.Spec(image))
	box := *spec.Sandbox
	box.CPUs, spec.Sandbox = 2, &box
	spec.Serve = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/large" {
			w.Header().Set("Content-Length", fmt.Sprint(size))
			chunk := make([]byte, 64<<10)
			for range size / len(chunk) {
				_, _ = w.Write(chunk)
			}
			return
		}
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, "ok")
	})
	s, err := d.Start(b.Context(), spec)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { s.Close() })
	for _, test := range []struct {
		name  string
		args  func(n int) []string
		bytes int64
	}{
		{"requests", func(n int) []string { return []string{"download", fmt.Sprint(n), served} }, 0},
		{"requests-16", func(n int) []string { return []string{"repeat", "16", fmt.Sprint(n), served} }, 0},
		{"down", func(n int) []string { return []string{"download", fmt.Sprint(n), served + "large"} }, size},
		{"up", func(n int) []string { return []string{"upload", fmt.Sprint(n * size), served} }, size},
	} {
		b.Run(test.name, func(b *testing.B) {
			b.SetBytes(test.bytes)
			if said, ok := sandboxtest.RunProbe(b, s, engine.DefaultUser, nil, test.args(b.N)...); !ok {
				b.Fatal(said)
			}
			if test.bytes == 0 {
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
			}
		})
	}
}
