package apply_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// ask sends a request to what serves a sandbox.
func ask(b *fake.Box, method, target string) string {
	w := httptest.NewRecorder()
	b.Spec.Serve.ServeHTTP(w, httptest.NewRequest(method, target, nil))
	return w.Result().Status + ": " + strings.TrimSpace(w.Body.String())
}

// Setup and agent reach the hosts that are allowed, and are told how; the check
// reaches nothing. What was asked is in the attempt.
func TestReach(t *testing.T) {
	const proxy = "http://" + sandbox.ServeAddr
	seen := map[string]int{}
	b := newBench(t, &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		what := cmd.Args[0]
		seen[what]++
		if what == "check" || what == "version" || what == "find" {
			if b.Spec.Serve != nil && what != "find" {
				t.Errorf("%s is served", what)
			}
			return sandbox.Exit{}, nil
		}
		if cmd.Env["HTTPS_PROXY"] != proxy || cmd.Env["http_proxy"] != proxy || !strings.Contains(cmd.Env["NO_PROXY"], "127.0.0.1") {
			t.Errorf("%s has %v", what, cmd.Env)
		}
		if cmd.Env["HTTP_PROXY"] != "http://own.test" {
			t.Error("what the benchfile says is not heard")
		}
		if got, want := ask(b, "GET", "http://evil.test/"), `403 Forbidden: bench: "evil.test" is not in allow_hosts of sandbox "box"; if it is meant to be reached, add it there`; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := ask(b, "GET", "/v1/models"); !strings.HasPrefix(got, "404 ") || !strings.Contains(got, "no model") {
			t.Errorf("got %q", got)
		}
		return sandbox.Exit{}, nil
	}}, []string{"agent"})
	box := b.suite.Cases[0].Sandbox
	box.Network, box.Allow, box.Env = engine.NetworkGateway, []string{"api.test"}, map[string]string{"HTTP_PROXY": "http://own.test"}
	b.suite.Cases[0].Setup = &engine.Script{Command: []string{"prepare"}, Files: &engine.Tree{}}
	b.suite.Agents[0].Version = []string{"version"}
	b.apply(t, t.Context())
	for _, what := range []string{"prepare", "agent", "check", "version"} {
		if seen[what] != 1 {
			t.Errorf("%s ran %d times", what, seen[what])
		}
	}
	logs, _ := filepath.Glob(filepath.Join(b.dir, "s/trials/*/attempt-1/egress.log"))
	if len(logs) != 1 {
		t.Fatalf("logs: %v", logs)
	}
	log, err := os.ReadFile(logs[0])
	if err != nil || strings.Count(string(log), `"host":"evil.test","port":"80","verdict":"refused"`) != 2 || strings.Count(string(log), "\n") != 2 {
		t.Errorf("log: %s, %v", log, err)
	}
}

// Where nothing is allowed, nothing is started.
func TestReachNothing(t *testing.T) {
	for _, network := range []engine.Network{engine.NetworkNone, engine.NetworkGateway} {
		b := newBench(t, &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
			if b.Spec.Serve != (http.Handler)(nil) || cmd.Env["HTTP_PROXY"] != "" {
				t.Errorf("network %s: %v is served", network, cmd.Args)
			}
			return sandbox.Exit{}, nil
		}}, []string{"agent"})
		b.suite.Cases[0].Sandbox.Network = network
		b.apply(t, t.Context())
		if logs, _ := filepath.Glob(filepath.Join(b.dir, "s/trials/*/attempt-1/egress.log")); len(logs) != 0 {
			t.Errorf("network %s: %v", network, logs)
		}
	}
}
