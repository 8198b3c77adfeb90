package plan_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// selectable has two matrices:
//
//	pr     debugging/nan, debugging/slow, data/csv  x  react with gpt and qwen, noop  x  2 trials
//	smoke  debugging/nan  x  noop  x  temperature 0 and 1
func selectable() *engine.Suite {
	nan, slow, csv := newCase("debugging/nan"), newCase("debugging/slow"), newCase("data/csv")
	nan.Tags, slow.Tags, csv.Tags = []string{"fast", "smoke"}, []string{"slow"}, []string{"fast"}
	noop := builtin("noop", engine.BuiltinNoop)
	pr := matrixOf("pr", []*engine.Case{csv, nan, slow}, []*engine.Agent{thinker("react"), noop}, newModel("gpt"), newModel("qwen"))
	pr.Trials = 2
	smoke := matrixOf("smoke", []*engine.Case{nan}, []*engine.Agent{noop})
	smoke.Axes = []*engine.Axis{axis("temperature", "0", "1")}
	return suiteOf(pr, smoke)
}

func TestSelection(t *testing.T) {
	all := strings.Join(ids(newPlan(t, selectable(), nil)), " ")
	for _, tt := range []struct {
		name string
		sel  plan.Selection
		want string
	}{
		{"nothing narrowed", plan.Selection{}, all},
		{"empty lists", plan.Selection{Cases: []string{}, Targets: []string{}, Exclude: []string{}}, all},
		{"a case", plan.Selection{Cases: []string{"data/csv"}, Agents: []string{"noop"}}, "pr/data/csv@noop#1 pr/data/csv@noop#2"},
		{"cases of a group", plan.Selection{Cases: []string{"debugging/*"}, Agents: []string{"noop"}, Matrices: []string{"pr"}},
			"pr/debugging/nan@noop#1 pr/debugging/nan@noop#2 pr/debugging/slow@noop#1 pr/debugging/slow@noop#2"},
		{"the same by directory", plan.Selection{Cases: []string{"cases/debugging/*"}, Agents: []string{"noop"}, Matrices: []string{"!smoke"}},
			"pr/debugging/nan@noop#1 pr/debugging/nan@noop#2 pr/debugging/slow@noop#1 pr/debugging/slow@noop#2"},
		{"two patterns: either", plan.Selection{Cases: []string{"data/*", "*/slow"}, Agents: []string{"noop"}, Exclude: []string{"**/*#2"}},
			"pr/data/csv@noop#1 pr/debugging/slow@noop#1"},
		{"a removal wins, wherever it stands", plan.Selection{Cases: []string{"!data/*", "**"}, Agents: []string{"noop"}, Matrices: []string{"pr"}, Tags: []string{"!slow"}},
			"pr/debugging/nan@noop#1 pr/debugging/nan@noop#2"},
		{"any of the tags, and none of the removed", plan.Selection{Tags: []string{"fast", "!smoke"}, Agents: []string{"noop"}}, "pr/data/csv@noop#1 pr/data/csv@noop#2"},
		{"tags are globs", plan.Selection{Tags: []string{"s*"}, Agents: []string{"noop"}, Matrices: []string{"smoke"}}, "smoke/debugging/nan@noop,temperature=0#1 smoke/debugging/nan@noop,temperature=1#1"},
		{"a model leaves out what uses none", plan.Selection{Models: []string{"*"}, Cases: []string{"data/csv"}},
			"pr/data/csv@react+gpt#1 pr/data/csv@react+gpt#2 pr/data/csv@react+qwen#1 pr/data/csv@react+qwen#2"},
		{"all but a model does not", plan.Selection{Models: []string{"!gpt"}, Cases: []string{"data/csv"}},
			"pr/data/csv@react+qwen#1 pr/data/csv@react+qwen#2 pr/data/csv@noop#1 pr/data/csv@noop#2"},
		{"all trials of a cell", plan.Selection{Targets: []string{"pr/data/csv@react+gpt"}}, "pr/data/csv@react+gpt#1 pr/data/csv@react+gpt#2"},
		{"one trial of it", plan.Selection{Targets: []string{"pr/data/csv@react+gpt#2"}}, "pr/data/csv@react+gpt#2"},
		{"a glob over cells", plan.Selection{Targets: []string{"pr/debugging/*@react+*"}, Exclude: []string{"**/*#1", "**/slow@*"}},
			"pr/debugging/nan@react+gpt#2 pr/debugging/nan@react+qwen#2"},
		{"a glob over axes", plan.Selection{Targets: []string{"**/*,temperature=1"}}, "smoke/debugging/nan@noop,temperature=1#1"},
		{"all", plan.Selection{Targets: []string{"**"}}, all},
		{"targets less some", plan.Selection{Targets: []string{"pr/data/**", "!**/*+qwen", "!**/*#1"}}, "pr/data/csv@react+gpt#2 pr/data/csv@noop#2"},
		{"exclude all but some", plan.Selection{Exclude: []string{"!smoke/**"}}, "smoke/debugging/nan@noop,temperature=0#1 smoke/debugging/nan@noop,temperature=1#1"},
	} {
		whole := newPlan(t, selectable(), nil)
		p, diags := plan.New(selectable(), nil, plan.Options{Select: tt.sel})
		if len(diags) > 0 {
			t.Errorf("%s: %v", tt.name, diags)
			continue
		}
		if diff := cmp.Diff(strings.Fields(tt.want), ids(p)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		left := map[string]int{}
		for _, tr := range whole.Trials {
			left[tr.ID.Matrix]++
		}
		for _, tr := range p.Trials {
			left[tr.ID.Matrix]--
		}
		for m, n := range left {
			if p.Left[m] != n {
				t.Errorf("%s: %d trials of %s are said to be left out, want %d", tt.name, p.Left[m], m, n)
			}
		}
		if narrowed := len(p.Trials) < len(whole.Trials); narrowed != (p.Left != nil) {
			t.Errorf("%s: what is left out is %v", tt.name, p.Left)
		}
	}
}

// Selecting nothing, and a pattern that matches nothing, are mistakes.
func TestSelectionMistakes(t *testing.T) {
	const empty = `error V10: the selection leaves nothing to run. None of the trials of suite "s" is in all parts of the selection. Widen it, or give --allow-empty if there need not be any.`
	const nothing = "A selection must match something in the suite."
	for _, tt := range []struct {
		name string
		o    plan.Options
		want []string
	}{
		{"case", plan.Options{Select: plan.Selection{Cases: []string{"debuging/nan"}}}, []string{`error V10: no case matches "debuging/nan". ` + nothing + ` Did you mean "debugging/nan"?`}},
		{"case by its directory", plan.Options{Select: plan.Selection{Cases: []string{"cases/data/cvs"}}}, []string{`no case matches "cases/data/cvs". ` + nothing + ` Did you mean "data/csv"?`}},
		{"removed case", plan.Options{Select: plan.Selection{Cases: []string{"!data/cvs"}}}, []string{`no case matches "!data/cvs". ` + nothing + ` Did you mean "data/csv"?`}},
		{"nothing near", plan.Options{Select: plan.Selection{Tags: []string{"gpu-and-more"}}}, []string{`no tag matches "gpu-and-more". ` + nothing + ` There are "fast", "slow", "smoke".`}},
		{"agent", plan.Options{Select: plan.Selection{Agents: []string{"raect"}}}, []string{`no agent matches "raect". ` + nothing + ` Did you mean "react"?`}},
		{"model", plan.Options{Select: plan.Selection{Models: []string{"qwem"}}}, []string{`no model matches "qwem". ` + nothing + ` Did you mean "qwen"?`}},
		{"matrix", plan.Options{Select: plan.Selection{Matrices: []string{"smok"}}}, []string{`no matrix matches "smok". ` + nothing + ` Did you mean "smoke"?`}},
		{"target", plan.Options{Select: plan.Selection{Targets: []string{"pr/data/csv@raect+gpt"}}}, []string{`no trial matches "pr/data/csv@raect+gpt". ` + nothing + ` Did you mean "pr/data/csv@react+gpt"?`}},
		{"number that is not there", plan.Options{Select: plan.Selection{Targets: []string{"pr/data/csv@noop#3"}}}, []string{`no trial matches "pr/data/csv@noop#3"`}},
		{"exclude", plan.Options{Select: plan.Selection{Exclude: []string{"pr/data/csv"}}}, []string{`no trial matches "pr/data/csv"`}},
		{"rerun", plan.Options{Rerun: []string{"pr/data/cvs@*"}}, []string{`no trial matches "pr/data/cvs@*"`}},
		{"rerun has no removal", plan.Options{Rerun: []string{"!pr/data/csv@*"}}, []string{`no trial matches "!pr/data/csv@*"`}},
		{"two at once, and one that fits", plan.Options{Select: plan.Selection{Agents: []string{"nope", "noop"}, Models: []string{"none"}}}, []string{`no agent matches "nope"`, `no model matches "none"`}},
		{"no pattern", plan.Options{Select: plan.Selection{Cases: []string{"[a", "!", ""}}}, []string{`error V09: unusable pattern. "" is`, `unusable pattern. "!" is`, `unusable pattern. "[a" is not a valid pattern; patterns are made of names, *, **, ?, [a-z] and {a,b}. Correct it.`}},
		{"no pattern for a rerun", plan.Options{Rerun: []string{"{a"}}, []string{"error V09"}},
		{"parts that have nothing in common", plan.Options{Select: plan.Selection{Cases: []string{"data/csv"}, Matrices: []string{"smoke"}}}, []string{empty}},
		{"everything excluded", plan.Options{Select: plan.Selection{Exclude: []string{"**"}}}, []string{empty}},
		{"no file has changed", plan.Options{Select: plan.Selection{Changed: []string{}}}, []string{empty}},
		{"an empty plan does not excuse a mistake", plan.Options{Select: plan.Selection{Agents: []string{"nope"}}, AllowEmpty: true}, []string{`no agent matches "nope"`}},
	} {
		p, diags := plan.New(selectable(), nil, tt.o)
		if p != nil || len(diags) != len(tt.want) {
			t.Errorf("%s: got %v and %v, want %q", tt.name, p, diags, tt.want)
			continue
		}
		var all []string
		for _, d := range diags {
			if d.Subject != (engine.Range{}) {
				t.Errorf("%s: %v has a place", tt.name, d)
			}
			all = append(all, said(d))
		}
		for _, want := range tt.want {
			if !strings.Contains(strings.Join(all, "\n"), want) {
				t.Errorf("%s: got\n%s\nwant\n%s", tt.name, strings.Join(all, "\n"), want)
			}
		}
	}
}

func TestAllowEmpty(t *testing.T) {
	p, diags := plan.New(selectable(), nil, plan.Options{Select: plan.Selection{Changed: []string{}}, AllowEmpty: true})
	if len(diags) > 0 || p == nil || len(p.Trials)+len(p.Steps) > 0 {
		t.Fatalf("got %v, %v", p, diags)
	}
	if diff := cmp.Diff(map[string]int{"pr": 18, "smoke": 2}, p.Left); diff != "" {
		t.Errorf("left out (-want +got):\n%s", diff)
	}
}

func TestChanged(t *testing.T) {
	at := func(file string) engine.Pos { return engine.Pos{File: file, Line: 1} }
	tree := func(path string) *engine.Tree { return &engine.Tree{Path: path} }
	files := newCase("files") // as written in a file of its own
	files.Dir, files.Pos, files.Files = "cases/files", at("cases/files/case.hcl"), []string{"cases/boxes.hcl", "cases/files/case.hcl", "cases/more.hcl"}
	files.Workspace = tree("shared/workspace")
	files.Setup = &engine.Script{Files: tree("shared/setup.sh")}
	files.Solution = &engine.Script{Files: &engine.Tree{Path: "a + b", Merged: []*engine.Tree{tree("shared/a"), tree("shared/b")}}}
	files.Checks[0].Script.Files = tree("shared/check")
	sandbox := *box
	sandbox.Pos, sandbox.Image = at("cases/boxes.hcl"), engine.Image{Build: &engine.Build{Context: tree("docker")}}
	sandbox.Services = []*engine.Service{{Name: "db", Image: engine.Image{Build: &engine.Build{Context: tree("docker-db")}}}}
	files.Sandbox = &sandbox
	inline := newCase("inline")
	inline.Pos, inline.Files = at("shared.hcl"), []string{"shared.hcl"}

	layered := thinker("layered")
	layered.Pos, layered.Layer = at("agents/layered.hcl"), &engine.Build{Context: tree("agents/install.sh")}
	plain := command("plain")
	plain.Pos = at("agents/plain.hcl")
	model := newModel("gpt")
	model.Pos = at("models.hcl")
	model.Provider = &engine.Provider{Name: "p", API: engine.APIOpenAI, Mode: engine.ModeReplay, Cassette: "tape", Script: tree("turns.json"), Pos: at("providers.hcl")}
	model.Provider.Recordings = &engine.Tree{Path: "tape", Entries: []engine.TreeEntry{{Path: "files@layered+gpt#1.txt"}, {Path: "inline@layered+gpt#1.txt"}}}
	one := matrixOf("one", []*engine.Case{files, inline}, []*engine.Agent{layered, plain}, model)
	two := matrixOf("two", []*engine.Case{inline}, []*engine.Agent{plain})
	one.Pos, two.Pos = at("one.hcl"), at("two.hcl")
	s := suiteOf(one, two)
	s.Pos = at("suite.hcl")
	s.Reads = map[string][]string{"cases/files/case.hcl": {"texts/files.md"}, "shared.hcl": {"texts/inline.md"}, "agents/plain.hcl": {"texts/plain.md"}, "two.hcl": {"texts/two.md", "lists/**/*.csv"}}

	const caseFiles, caseInline = "one/files@layered+gpt#1 one/files@plain#1", "one/inline@layered+gpt#1 one/inline@plain#1 two/inline@plain#1"
	const agentLayered, agentPlain = "one/files@layered+gpt#1 one/inline@layered+gpt#1", "one/files@plain#1 one/inline@plain#1 two/inline@plain#1"
	const all = "one/files@layered+gpt#1 one/files@plain#1 one/inline@layered+gpt#1 one/inline@plain#1 two/inline@plain#1"
	for file, want := range map[string]string{
		"cases/files/prompt.md":         caseFiles,
		"cases/files/case.hcl":          caseFiles,
		"cases/boxes.hcl":               caseFiles,
		"cases/more.hcl":                caseFiles,
		"texts/files.md":                caseFiles,
		"shared/workspace/x/y":          caseFiles,
		"shared/workspace":              caseFiles,
		"shared/setup.sh":               caseFiles,
		"shared/a/1":                    caseFiles,
		"shared/b/1":                    caseFiles,
		"shared/check/gone.py":          caseFiles,
		"docker/Dockerfile":             caseFiles,
		"docker-db/Dockerfile":          caseFiles,
		"shared.hcl":                    caseInline,
		"texts/inline.md":               caseInline,
		"agents/layered.hcl":            agentLayered,
		"agents/install.sh":             agentLayered,
		"models.hcl":                    agentLayered,
		"providers.hcl":                 agentLayered,
		"turns.json":                    agentLayered,
		"tape/files@layered+gpt#1.txt":  "one/files@layered+gpt#1",
		"tape/inline@layered+gpt#1.txt": "one/inline@layered+gpt#1",
		"tape/inline@layered+gpt#2.txt": "",
		"agents/plain.hcl":              agentPlain,
		"texts/plain.md":                agentPlain,
		"two.hcl":                       "two/inline@plain#1",
		"texts/two.md":                  "two/inline@plain#1",
		"lists/a/gone.csv":              "two/inline@plain#1",
		"lists/a/gone.txt":              "",
		"suite.hcl":                     all,
		"bench.lock.hcl":                all,
		"README.md":                     "",
		"shared/workspace2/x":           "",
		"cases/files2/prompt.md":        "",
		"shared/c":                      "",
	} {
		p := newPlan(t, s, nil, plan.Options{Select: plan.Selection{Changed: []string{"other", file}}, AllowEmpty: true})
		if got := strings.Join(ids(p), " "); got != want {
			t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
		}
	}

	files.Workspace = tree(".") // all of the project
	p := newPlan(t, s, nil, plan.Options{Select: plan.Selection{Changed: []string{"README.md"}}})
	if got := strings.Join(ids(p), " "); got != caseFiles {
		t.Errorf("a workspace that is everything: got\n%s\nwant\n%s", got, caseFiles)
	}
}
