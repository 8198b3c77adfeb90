package lang_test

import (
	"bytes"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// notHere are the rules that only commands check, since they need a machine or
// a permission.
var notHere = []string{"V16", "V25", "V26"}

// TestRules reads the mistakes of testdata/rules, one to an archive, and holds
// what is said of them against what should be said. The name of an archive says
// which rule it breaks. Every project has the files of common.txtar, too.
//
// The text before the first file says what people get wrong there. Lines in it
// that begin with "load:", "var:" or "version:" change how the project is read.
func TestRules(t *testing.T) {
	common := filesOf(t, "testdata/rules/common.txtar")
	archives, err := filepath.Glob("testdata/rules/V*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	covered := map[string]bool{}
	for _, file := range archives {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		rule := name[:3]
		covered[rule] = true
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			got, diags := verdict(t, a, common)
			if !slices.ContainsFunc(diags, func(d engine.Diagnostic) bool { return d.Rule == rule }) {
				t.Errorf("nothing is said of %s:\n%s", rule, got)
			}
			for _, d := range diags {
				if !strings.HasPrefix(d.Rule, "V") || d.Summary == "" || strings.HasSuffix(d.Summary, ".") || !strings.HasSuffix(strings.TrimSpace(d.Detail), ".") && !strings.HasSuffix(d.Detail, "?") {
					t.Errorf("odd diagnostic %+v", d)
				}
			}
			golden(t, file, a, got)
		})
	}
	for n := 1; n <= 25; n++ {
		if rule := fmt.Sprintf("V%02d", n); !covered[rule] && !slices.Contains(notHere, rule) {
			t.Errorf("no archive for %s", rule)
		}
	}
}

// golden compares what an archive wants, or rewrites it.
func golden(t *testing.T, file string, a *txtar.Archive, got string) {
	t.Helper()
	i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "want" })
	if *update {
		if i < 0 {
			i, a.Files = len(a.Files), append(a.Files, txtar.File{Name: "want"})
		}
		a.Files[i].Data = []byte(got)
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want := ""
	if i >= 0 {
		want = string(a.Files[i].Data)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got), rewrite with -update:\n%s", diff)
	}
}

// verdict reads the project of an archive, and gives what people would see.
func verdict(t *testing.T, a *txtar.Archive, common map[string]string) (string, engine.Diagnostics) {
	t.Helper()
	files := maps.Clone(common)
	for _, f := range a.Files {
		if f.Name != "want" {
			files[f.Name] = string(f.Data)
		}
	}
	root := project(t, files)
	load, opts := "suite.hcl", lang.Options{Root: root, Version: "0.1.0", Vars: map[string]lang.Var{}}
	for line := range strings.Lines(string(a.Comment)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch key {
		case "load":
			load = value
		case "version":
			opts.Version = value
		case "var":
			name, text, _ := strings.Cut(value, "=")
			opts.Vars[name] = lang.Var{Text: text, File: "--var"}
		}
	}
	suite, sources, diags := lang.Load(filepath.Join(root, load), opts)
	if (suite == nil) != diags.HasErrors() {
		t.Errorf("suite %v, and errors %v", suite, diags.HasErrors())
	}
	if suite != nil {
		_, more := plan.New(suite, nil, plan.Options{})
		diags = append(diags, more...).Sorted()
	}
	for i := range diags {
		diags[i].Detail = strings.ReplaceAll(diags[i].Detail, root, "/project")
	}
	var out bytes.Buffer
	if err := sources.Write(&out, diags, 80, false); err != nil {
		t.Fatal(err)
	}
	return out.String(), diags
}

func filesOf(t *testing.T, archive string) map[string]string {
	t.Helper()
	a, err := txtar.ParseFile(archive)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{}
	for _, f := range a.Files {
		out[f.Name] = string(f.Data)
	}
	return out
}
