package plan_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// provided are cases with assets: "both" of two kinds, "url" and "made" of one.
func provided() (both, url, made *engine.Case) {
	both, url, made = newCase("both"), newCase("url"), newCase("made")
	fixture := &engine.Script{Command: []string{"make"}}
	both.Assets = []*engine.Asset{
		{Name: "rows", URL: "https://a.example/rows", SHA256: engine.Digest{1}, Target: "/assets/rows", Fixture: fixture},
		{Name: "words", Target: "/assets/words", Fixture: fixture},
	}
	url.Assets = []*engine.Asset{{Name: "rows", URL: "https://b.example/rows", SHA256: engine.Digest{1}, Target: "/other/rows", Pos: engine.Pos{File: "s.hcl", Line: 7}}}
	made.Assets = []*engine.Asset{{Name: "rows", Target: "/assets/rows", Fixture: fixture}}
	return both, url, made
}

// Which variant is used is said by the benchfile and by who asks, and by nothing
// else; what is equal is there once.
func TestAssets(t *testing.T) {
	both, url, made := provided()
	noop := []*engine.Agent{builtin("noop", engine.BuiltinNoop)}
	s := suiteOf(matrixOf("m", []*engine.Case{both, url, made, newCase("none")}, noop))
	mini := suiteOf(matrixOf("m", []*engine.Case{both, made, newCase("none")}, noop))
	short := func(p *engine.Plan) (out []string) {
		for _, s := range p.Steps {
			text := string(s.StepID())
			if a, ok := s.(*engine.AssetStep); ok {
				name, _, _ := strings.Cut(text, "-")
				text = fmt.Sprintf("%s of %s, %s", name, a.Case.Name, a.Variant)
			}
			out = append(out, text)
		}
		return out
	}
	variants := func(p *engine.Plan) (out []engine.Variant) {
		for _, t := range p.Trials {
			out = append(out, t.Assets)
		}
		return out
	}
	for _, tt := range []struct {
		suite    *engine.Suite
		wanted   engine.Variant
		steps    []string
		variants []engine.Variant
	}{
		{s, "", []string{
			"image:box", "asset:rows of both, full", "asset:words of both, mini", "lint:box", "run:m/both@noop#1", "check:m/both@noop#1", "run:m/url@noop#1", "check:m/url@noop#1",
			"asset:rows of made, mini", "run:m/made@noop#1", "check:m/made@noop#1", "run:m/none@noop#1", "check:m/none@noop#1",
		}, []engine.Variant{"mini", "full", "mini", ""}},
		{mini, engine.VariantMini, []string{
			"image:box", "asset:rows of both, mini", "asset:words of both, mini", "lint:box", "run:m/both@noop#1", "check:m/both@noop#1",
			"run:m/made@noop#1", "check:m/made@noop#1", "run:m/none@noop#1", "check:m/none@noop#1",
		}, []engine.Variant{"mini", "mini", ""}},
	} {
		p := newPlan(t, tt.suite, nil, plan.Options{Assets: tt.wanted})
		if diff := cmp.Diff(tt.steps, short(p)); diff != "" {
			t.Errorf("--assets %s: steps (-want +got):\n%s", tt.wanted, diff)
		}
		if got := variants(p); !slices.Equal(got, tt.variants) {
			t.Errorf("--assets %s: got variants %v, want %v", tt.wanted, got, tt.variants)
		}
		done := map[engine.StepID]bool{}
		for _, s := range p.Steps {
			for _, need := range s.Needs() {
				if !done[need] {
					t.Errorf("%s comes before %s, which it needs", s.StepID(), need)
				}
			}
			done[s.StepID()] = true
		}
		for _, tr := range p.Trials {
			if len(tr.Run.Assets) != len(tr.Case.Assets) || !slices.Equal(tr.Run.Assets, tr.Check.Assets) {
				t.Errorf("%s: the run needs %v, the check %v", tr.ID, tr.Run.Assets, tr.Check.Assets)
			}
		}
	}
}

// What decides what a fixture writes is in the key of its step.
func TestFixtureKeys(t *testing.T) {
	key := func(change func(c *engine.Case)) engine.Digest {
		_, _, c := provided()
		box := *c.Sandbox
		c.Sandbox = &box
		change(c)
		p := newPlan(t, suiteOf(matrixOf("m", []*engine.Case{c}, []*engine.Agent{builtin("noop", engine.BuiltinNoop)})), nil)
		return p.Steps[1].StepKey().Sum
	}
	base := key(func(*engine.Case) {})
	for name, change := range map[string]func(c *engine.Case){
		"command": func(c *engine.Case) { c.Assets[0].Fixture = &engine.Script{Command: []string{"other"}} },
		"files": func(c *engine.Case) {
			c.Assets[0].Fixture = &engine.Script{Command: []string{"make"}, Files: tree(t, "f")}
		},
		"name":        func(c *engine.Case) { c.Assets[0].Target = "/assets/lines" },
		"image":       func(c *engine.Case) { c.Sandbox.Image.Ref = "other" },
		"user":        func(c *engine.Case) { c.Sandbox.User = engine.DefaultUser },
		"environment": func(c *engine.Case) { c.Sandbox.Env = map[string]string{"A": "1"} },
	} {
		if key(change) == base {
			t.Errorf("another %s does not change the key", name)
		}
	}
	if key(func(c *engine.Case) { c.Assets[0].Target, c.Sandbox.Memory, c.Prompt = "/elsewhere/rows", 1, "x" }) != base {
		t.Error("what a fixture cannot see changes the key")
	}
}

// Without a network, a case that has no fixture is refused, and not left to fail.
func TestAssetWithoutFixture(t *testing.T) {
	both, url, _ := provided()
	m := matrixOf("m", []*engine.Case{both, url}, []*engine.Agent{builtin("noop", engine.BuiltinNoop), builtin("oracle", engine.BuiltinOracle)})
	_, diags := plan.New(suiteOf(m), nil, plan.Options{Assets: engine.VariantMini})
	if len(diags) != 1 || !diags.HasErrors() || diags[0].Rule != "V26" || diags[0].Subject != url.Assets[0].Pos.Range() ||
		diags[0].Summary != `asset "rows" of case url has no fixture` || !strings.Contains(diags[0].Detail, "--case '!url'") {
		t.Errorf("got %v", diags)
	}
	o := plan.Options{Assets: engine.VariantMini, Select: plan.Selection{Cases: []string{"!url"}}}
	if _, diags := plan.New(suiteOf(m), nil, o); diags.HasErrors() {
		t.Errorf("the case is left out, but: %v", diags)
	}
}

// A result of one variant is none of the other, and both are kept.
func TestVariantsAreNotMixed(t *testing.T) {
	both, _, _ := provided()
	s := suiteOf(matrixOf("m", []*engine.Case{both}, []*engine.Agent{builtin("noop", engine.BuiltinNoop)}))
	mini := plan.Options{Assets: engine.VariantMini}
	var h history
	h.add(newPlan(t, s, nil).Trials[0], passed)
	again := newPlan(t, s, &h, mini).Trials[0]
	if again.Reuse.Sign != engine.SignChanged || !slices.Contains(again.Reuse.Changed, engine.Change{Name: "asset.rows.variant", Old: "full", New: "mini"}) {
		t.Errorf("got %v, changed %v", again.Reuse.Sign, again.Reuse.Changed)
	}
	h.add(again, passed)
	for _, o := range []plan.Options{{}, mini} {
		if got := newPlan(t, s, &h, o).Trials[0].Reuse.Sign; got != engine.SignSame {
			t.Errorf("--assets %s: got %v", o.Assets, got)
		}
	}
}
