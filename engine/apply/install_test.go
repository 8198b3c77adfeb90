package apply_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
)

// A script installs an agent into an image of its own, by a real engine: what it
// installs is there for the agent, and not for the check.
func TestInstall(t *testing.T) {
	driver, err := docker.Open(t.Context(), docker.Options{State: t.TempDir()})
	if err != nil {
		t.Fatalf("this test needs a Docker engine (make test starts one): %v", err)
	}
	defer driver.Close()
	for _, test := range []struct{ name, script, want string }{
		{"works", "set -e\nid -u >/usr/local/installed\nprintf '#!/bin/sh\\ncp /usr/local/installed .\\nls / >ls.txt\\n' >/usr/local/bin/agent\nchmod 755 /usr/local/bin/agent\n", "passed"},
		{"broken", "echo what went wrong >&2; exit 3\n", "errored(image)"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tree, err := digest.Tree("agent", fstest.MapFS{"install": {Data: []byte(test.script)}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			s := noopSuite()
			c := s.Matrices[0].Cases[0]
			c.Checks[0].Script.Command = []string{"sh", "-c", `test "$(cat installed)" = 0 && ! grep bench-install ls.txt && ! command -v agent && ! test -e /usr/local/installed`}
			s.Matrices[0].Agents = []*engine.Agent{{
				Name: "x", Layer: &engine.Build{Context: tree}, Install: true,
				Bind: func(engine.TrialValues) (engine.Invocation, error) {
					return engine.Invocation{Command: []string{"agent"}}, nil
				},
			}}
			p, diags := plan.New(s, nil, plan.Options{})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			results, err := store.Open(t.TempDir(), s.Name)
			if err != nil {
				t.Fatal(err)
			}
			if err := results.Lock(); err != nil {
				t.Fatal(err)
			}
			defer results.Unlock()
			var ended []apply.ImageEnded
			all, _ := apply.Run(t.Context(), p, apply.Options{Driver: driver, Store: results, Machine: apply.Machine{CPUs: 1}, Observe: func(e apply.Event) {
				if e, ok := e.(apply.ImageEnded); ok {
					ended = append(ended, e)
				}
			}})
			r := all[0]
			if r.Attempt != nil {
				t.Cleanup(func() { // or the next test would find it, and build nothing
					if out, err := exec.Command("docker", "rmi", "-f", r.Attempt.Image).CombinedOutput(); err != nil {
						t.Errorf("%v\n%s", err, out)
					}
				})
			}
			if r.Outcome.String() != test.want {
				t.Errorf("%v: %s\n%+v\n%+v", r.Outcome, r.Outcome.Detail, r.Grade, ended)
			}
			last := ended[len(ended)-1]
			if test.want == "passed" && last.Err != nil {
				t.Errorf("told %+v", last)
			}
			if test.want != "passed" && (last.Step.Agent == nil || !strings.Contains(last.Log, "what went wrong") || !strings.Contains(last.Err.Error(), `agent "x" cannot be installed into the image of sandbox "base"`)) {
				t.Errorf("told %+v", last)
			}
			if slices.ContainsFunc(ended[:len(ended)-1], func(e apply.ImageEnded) bool { return e.Err != nil }) {
				t.Errorf("told %+v", ended)
			}
		})
	}
}
