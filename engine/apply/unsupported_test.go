package apply_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// full is a suite that uses what this version can do, in two matrices, in which
// many trials share everything.
func full() *engine.Suite {
	s := suite([]string{"x", "y"}, []string{"x"})
	s.KeepArtifacts, s.Locks = engine.KeepFailed, map[string]int{"l": 2}
	yes := true
	for _, m := range s.Matrices {
		m.Retry, m.Lock, m.Trials, m.Parallel = engine.DefaultRetry, "l", 3, 2
		m.If = &engine.Condition{Static: &yes}
	}
	c := s.Cases[0]
	c.Snapshot, c.Solution = engine.SnapshotFilesystem, &engine.Script{Command: []string{"solve"}}
	c.Sandbox.Network, c.Sandbox.Allow, c.Sandbox.Platform, c.Sandbox.Lock = engine.NetworkGateway, []string{"api.test"}, "linux/amd64", "l"
	c.Sandbox.Services = []*engine.Service{{Name: "db", Image: engine.Image{Ref: "postgres"}}}
	s.Agents[0].Layer, s.Agents[0].Install = &engine.Build{Context: &engine.Tree{}}, true
	s.Gates = []*engine.Gate{{Name: "skipped"}}
	return s
}

func TestUnsupported(t *testing.T) {
	here := engine.Pos{File: "here.hcl", Line: 7}
	for _, test := range []struct {
		name   string
		change func(s *engine.Suite, m *engine.Matrix, c *engine.Case, a *engine.Agent)
		want   string // summary; empty: nothing is told
	}{
		{"nothing", func(*engine.Suite, *engine.Matrix, *engine.Case, *engine.Agent) {}, ""},
		{"builtins", func(_ *engine.Suite, _ *engine.Matrix, _ *engine.Case, a *engine.Agent) {
			a.Builtin, a.Bind = engine.BuiltinOracle, nil
		}, ""},
		{"model", func(s *engine.Suite, _ *engine.Matrix, _ *engine.Case, a *engine.Agent) {
			a.NeedsModel, a.API, a.Pos = true, engine.APIOpenAI, here
			p := &engine.Provider{API: engine.APIOpenAI}
			for _, m := range s.Matrices {
				m.Models = []*engine.Model{{Name: "one", Provider: p}, {Name: "two", Provider: p}}
			}
		}, ""},
		{"react", func(_ *engine.Suite, _ *engine.Matrix, _ *engine.Case, a *engine.Agent) {
			a.Builtin, a.Bind, a.Pos = engine.BuiltinReact, nil, here
		}, ""},
		{"replay", func(_ *engine.Suite, _ *engine.Matrix, _ *engine.Case, a *engine.Agent) {
			a.Builtin, a.Bind, a.Pos = engine.BuiltinReplay, nil, here
		}, `agent "x" cannot run yet`},
		{"agent's artifacts", func(_ *engine.Suite, _ *engine.Matrix, _ *engine.Case, a *engine.Agent) {
			a.Artifacts, a.Pos = []string{"/tmp/*"}, here
		}, `artifacts of agent "x" cannot be kept yet`},
		{"open network", func(_ *engine.Suite, _ *engine.Matrix, c *engine.Case, _ *engine.Agent) {
			c.Sandbox.Network, c.Sandbox.Pos = engine.NetworkOpen, here
		}, ""},
		{"GPUs", func(_ *engine.Suite, _ *engine.Matrix, c *engine.Case, _ *engine.Agent) {
			c.Sandbox.GPUs, c.Sandbox.Pos = 1, here
		}, ""},
		{"mount", func(_ *engine.Suite, _ *engine.Matrix, c *engine.Case, _ *engine.Agent) {
			c.Sandbox.Mounts = []*engine.Mount{{Source: "data", Pos: here}}
		}, `sandbox "box" cannot mount data yet`},
		{"case's artifacts", func(_ *engine.Suite, _ *engine.Matrix, c *engine.Case, _ *engine.Agent) {
			c.Artifacts, c.Pos = []string{"/tmp/*"}, here
		}, `artifacts of case c cannot be kept yet`},
		{"baseline", func(s *engine.Suite, m *engine.Matrix, _ *engine.Case, _ *engine.Agent) {
			m.Baseline, m.Pos = &engine.Baseline{Path: "old.json"}, here
		}, `matrix "m1" cannot be compared with a baseline yet`},
		{"keep_artifacts", func(s *engine.Suite, _ *engine.Matrix, _ *engine.Case, _ *engine.Agent) {
			s.KeepArtifacts, s.Pos = engine.KeepAll, here
		}, `keep_artifacts = "all" cannot be followed yet`},
	} {
		s := full()
		test.change(s, s.Matrices[0], s.Cases[0], s.Agents[0])
		p, diags := plan.New(s, nil, plan.Options{})
		if diags.HasErrors() {
			t.Errorf("%s: %v", test.name, diags)
			continue
		}
		got := apply.Unsupported(p)
		if test.want == "" {
			if len(got) > 0 {
				t.Errorf("%s: got %v", test.name, got)
			}
			continue
		}
		if len(got) != 1 || got[0].Summary != test.want || got[0].Severity != engine.SeverityError || got[0].Subject != here.Range() {
			t.Errorf("%s: got %+v, want %q alone", test.name, got, test.want)
			continue
		}
		if d := got[0].Detail; !strings.HasPrefix(d, "This version of bench plans ") || !strings.HasSuffix(d, ".") || strings.Count(d, ". ") == 0 {
			t.Errorf("%s: detail %q does not say what to do", test.name, d)
		}
	}
}

// What a selection leaves out is not asked for.
func TestUnsupportedIsSelected(t *testing.T) {
	s := full()
	for _, m := range s.Matrices {
		m.Baseline = &engine.Baseline{Path: "old.json"}
	}
	s.Agents[1].Artifacts = []string{"*"} // only in the first matrix
	p, diags := plan.New(s, nil, plan.Options{Select: plan.Selection{Matrices: []string{"m2"}}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	var got []string
	for _, d := range apply.Unsupported(p) {
		got = append(got, d.Summary)
	}
	if diff := cmp.Diff([]string{`matrix "m2" cannot be compared with a baseline yet`}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
