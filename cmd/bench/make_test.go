package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestMakeWithoutEngine holds make against what the README says of machines that
// can have no engine.
func TestMakeWithoutEngine(t *testing.T) {
	dir := copyProject(t, filepath.Join("..", ".."))
	make := func(t *testing.T, target string, env ...string) (string, error) {
		t.Helper()
		cmd := exec.Command("make", target)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), append([]string{"DOCKER_HOST=unix:///nowhere.sock", "CI=", "BENCH_STATE_DIR=" + t.TempDir(), "NO_COLOR=1"}, env...)...)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	t.Run("demo", func(t *testing.T) {
		if here, _ := condition("local"); !here {
			t.Skip("NOT tested: this user cannot have local sandboxes")
		}
		out, err := make(t, "demo")
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for _, want := range []string{"LOCAL PROCESSES instead of containers", "WARNING: local processes", "ok      light/smoke/hello_world@oracle#1", "\nweakness: local processes", "junit.xml"} {
			if !strings.Contains(out, want) {
				t.Errorf("make demo does not say %q:\n%s", want, out)
			}
		}
		if strings.Contains(out, "FAIL    light/model_training/parse_logs@oracle") {
			t.Errorf("a solution fails:\n%s", out)
		}
	})
	t.Run("test in CI", func(t *testing.T) {
		out, err := make(t, "test", "CI=true")
		if err == nil || !strings.Contains(out, "CI is set, so nothing may be left out") {
			t.Errorf("%v\n%s", err, out)
		}
	})
	t.Run("test", func(t *testing.T) {
		// A go that tests nothing, but says what it is asked to test.
		script := "#!/bin/sh\nif [ \"$1\" = list ]; then exec go \"$@\"; fi\necho asked: \"$@\"\n"
		fake := filepath.Join(t.TempDir(), "go")
		if err := os.WriteFile(fake, []byte(script), 0o755); err != nil {
			t.Fatal(err)
		}
		out, err := make(t, "test", "GO="+fake)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		asked, left, _ := strings.Cut(out, "NOT tested:")
		for _, name := range []string{"bench/cases", "bench/engine/sandbox/docker"} {
			if strings.Contains(asked+" ", name+" ") || !strings.Contains(left, "every test of github.com/ml-dev-bench/"+name+"\n") {
				t.Errorf("%s is tested, or not said to be left out:\n%s", name, out)
			}
		}
		for _, want := range []string{"bench/engine/sandbox/local ", "bench/cmd/bench ", " -skip ^(TestInstall|"} {
			if !strings.Contains(asked, want) {
				t.Errorf("nothing is asked for with %q:\n%s", want, out)
			}
		}
	})
}
