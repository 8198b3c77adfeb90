package lang

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// rooted is a loader with a project of the given files.
func rooted(tb testing.TB, files map[string]string) *loader {
	tb.Helper()
	dir := tb.TempDir()
	for name, text := range files {
		file := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { root.Close() })
	l := newLoader(Options{})
	l.rootDir, l.root = dir, root.FS()
	return l
}

// exampleFiles are those that the examples of functions read.
var exampleFiles = map[string]string{"VERSION": "1.4\n", "data/a.csv": "x", "data/old/b.csv": "y", "data/c.txt": "z"}

func parseExpr(tb testing.TB, l *loader, text string) hclsyntax.Expression {
	tb.Helper()
	e, diags := hclsyntax.ParseExpression([]byte(text), "suite.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		tb.Fatalf("%s: %v", text, diags)
	}
	l.meter.attach(e)
	return e
}

func (l *loader) context() *hcl.EvalContext {
	return &hcl.EvalContext{Functions: l.functions("suite.hcl")}
}

func valueOf(tb testing.TB, l *loader, text string) cty.Value {
	tb.Helper()
	v, diags := parseExpr(tb, l, text).Value(l.context())
	if diags.HasErrors() {
		tb.Fatalf("%s: %v", text, diags)
	}
	return v
}

func asJSON(tb testing.TB, v cty.Value) string {
	tb.Helper()
	v, _ = v.UnmarkDeep()
	text, err := toJSON(v)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// Every example of the language reference gives what stands beside it, whoever
// asks, and how often.
func TestFunctionExamples(t *testing.T) {
	a, b := rooted(t, exampleFiles), rooted(t, exampleFiles)
	for _, d := range functionTable {
		want := asJSON(t, valueOf(t, a, d.gives))
		for _, l := range []*loader{a, b, a} {
			if got := asJSON(t, valueOf(t, l, d.example)); got != want {
				t.Errorf("%s: got %s, want %s", d.example, got, want)
			}
		}
		if !strings.Contains(d.example, d.name+"(") {
			t.Errorf("the example of %s does not call it: %s", d.name, d.example)
		}
		if d.doc == "" || !strings.HasSuffix(d.doc, ".") || d.category == "" || d.result == "" {
			t.Errorf("%s is not described", d.name)
		}
	}
}

// call finds the call of a function in an expression.
func call(e hclsyntax.Expression, name string) *hclsyntax.FunctionCallExpr {
	var found *hclsyntax.FunctionCallExpr
	hclsyntax.VisitAll(e, func(n hclsyntax.Node) hcl.Diagnostics {
		if c, ok := n.(*hclsyntax.FunctionCallExpr); ok && c.Name == name {
			found = c
		}
		return nil
	})
	return found
}

// markInside marks the first thing in a value that holds nothing else.
func markInside(v cty.Value) cty.Value {
	done := false
	out, err := cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		if !done && v.Type().IsPrimitiveType() {
			done = true
			return v.Mark(sensitive), nil
		}
		return v, nil
	})
	if err != nil {
		panic(err)
	}
	return out
}

// Whatever is made from a sensitive value is sensitive.
func TestFunctionsKeepMarks(t *testing.T) {
	l := rooted(t, exampleFiles)
	for _, d := range functionTable {
		c := call(parseExpr(t, l, d.example), d.name)
		for i := range c.Args {
			if i == len(c.Args)-1 && c.ExpandFinal {
				continue
			}
			v, diags := c.Args[i].Value(l.context())
			if diags.HasErrors() { // of try and can
				v = cty.StringVal("x")
			}
			for _, marked := range []cty.Value{v.Mark(sensitive), markInside(v), cty.UnknownVal(v.Type()).Mark(sensitive)} {
				again := *c
				again.Args = slices.Clone(c.Args)
				again.Args[i] = &hclsyntax.LiteralValueExpr{Val: marked}
				if d.name == "try" { // what comes after a value is not looked at
					again.Args = again.Args[i : i+1]
				}
				got, diags := again.Value(l.context())
				if diags.HasErrors() {
					t.Errorf("%s, argument %d is %#v: %v", d.example, i, marked, diags)
				} else if marked.ContainsMarked() && !got.ContainsMarked() {
					t.Errorf("%s, argument %d is %#v: got %#v, which is not sensitive", d.example, i, marked, got)
				}
			}
		}
	}
}

// That try gives its second value, or can says no, tells something of the first.
func TestAttemptsKeepMarks(t *testing.T) {
	l := rooted(t, nil)
	ctx := l.context()
	ctx.Variables = map[string]cty.Value{"s": cty.StringVal("abc").Mark(sensitive), "l": cty.ListVal([]cty.Value{cty.StringVal("a").Mark(sensitive)})}
	for _, text := range []string{
		`can(regex("^a", s))`, `can(regex("^b", s))`, `try(regex("^b", s), "no")`, `try(tonumber(s), 1)`, `can(tonumber(l[0]))`, `try(l[7], "no")`,
		`[for x in [1] : can(tonumber(s))]`, `length(s == "abc" ? [1] : [])`, `"${can(tonumber(s))}"`,
	} {
		v, diags := parseExpr(t, l, text).Value(ctx)
		if diags.HasErrors() {
			t.Errorf("%s: %v", text, diags)
		} else if !v.ContainsMarked() {
			t.Errorf("%s: got %#v, which is not sensitive", text, v)
		}
	}
}

// A function that is not there is a mistake, even where failing is expected.
func TestTryDoesNotHideUnknownFunctions(t *testing.T) {
	for _, text := range []string{`try(timestamp(), 1)`, `can(timestamp())`, `try([for x in [1] : timestamp()], 1)`, `can(try(timestamp()))`, `coalesce(timestamp(), 1)`} {
		l := rooted(t, nil)
		_, diags := parseExpr(t, l, text).Value(l.context())
		l.hcl(diags, "V09")
		if len(l.diags) != 1 || l.diags[0].Summary != `unknown function "timestamp"` || !strings.Contains(l.diags[0].Detail, "no clock") {
			t.Errorf("%s: got %+v", text, l.diags)
		}
	}
}

func TestUnknownFunction(t *testing.T) {
	for name, want := range map[string]string{
		"formt": "Did you mean format?", "env": "secret", "getenv": "BENCH_VAR_", "uuid": "trial.seed", "random": "trial.seed", "exec": "never runs a program",
		"formatdate": "no", "templatefile": "${...}", "pathexpand": "root", "sensitive": "variable", "nonsensitive": "variable", "timestamp": "clock",
	} {
		summary, detail := unknownFunction(name)
		if summary != fmt.Sprintf("unknown function %q", name) || !strings.Contains(detail, want) || !strings.HasSuffix(detail, ".") && !strings.HasSuffix(detail, "?") {
			t.Errorf("%s: got %s: %s", name, summary, detail)
		}
	}
	for name := range absent {
		if slices.Contains(functionNames(), name) {
			t.Errorf("%s is there after all", name)
		}
	}
}

// The names of matching files are a part of what a benchfile says.
func TestFileset(t *testing.T) {
	l := rooted(t, map[string]string{
		"data/a.csv": "", "data/b.csv": "", "data/deep/c.csv": "", "data/deep/er/d.csv": "", "data/x.txt": "", ".git/e.csv": "", "suites/data/f.csv": "",
	})
	if err := os.Symlink("a.csv", filepath.Join(l.rootDir, "data", "link.csv")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc", filepath.Join(l.rootDir, "data", "etc")); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string]string{
		"data/*.csv":             `["data/a.csv","data/b.csv","data/link.csv"]`,
		"data/*/*.csv":           `["data/deep/c.csv"]`,
		"data/**/*.csv":          `["data/a.csv","data/b.csv","data/deep/c.csv","data/deep/er/d.csv","data/link.csv"]`,
		"./data/{a,b}.csv":       `["data/a.csv","data/b.csv"]`,
		"**/[cf].csv":            `["data/deep/c.csv","suites/data/f.csv"]`,
		"*/*.txt":                `["data/x.txt"]`,
		"data/x.txt":             `["data/x.txt"]`,
		"suites/../data/x.txt":   `["data/x.txt"]`,
		"data/{deep/er,no}/?.*":  `["data/deep/er/d.csv"]`,
		"{data,suites}/**/?.csv": `["data/a.csv","data/b.csv","data/deep/c.csv","data/deep/er/d.csv","suites/data/f.csv"]`,
	} {
		if got := asJSON(t, valueOf(t, l, fmt.Sprintf("fileset(%q)", pattern))); got != want {
			t.Errorf("%s: got %s, want %s", pattern, got, want)
		}
	}
	if got := l.reads["suite.hcl"]; !slices.Contains(got, "data/*.csv") {
		t.Errorf("reads are %v", got)
	}
	before := l.sums["data/*.csv"]
	if err := os.Remove(filepath.Join(l.rootDir, "data", "b.csv")); err != nil {
		t.Fatal(err)
	}
	valueOf(t, l, `fileset("data/*.csv")`)
	if l.sums["data/*.csv"] == before {
		t.Error("a file has gone, and nothing shows it")
	}
	for _, bad := range []string{"nowhere/*", "data/*.md", "../x", "/etc/*", "data/etc/*", "data/[", "data", ".git/*.csv", ""} {
		_, diags := parseExpr(t, l, fmt.Sprintf("fileset(%q)", bad)).Value(l.context())
		if !diags.HasErrors() {
			t.Errorf("%s: want it refused", bad)
		}
	}
}

func TestFilesetOfManyFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 100,000 files")
	}
	l := rooted(t, nil)
	for i := range 100_000 {
		dir := filepath.Join(l.rootDir, "data", fmt.Sprint(i%100))
		if i < 100 {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%d.json", i)), nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := valueOf(t, l, `length(fileset("data/**/*.json"))`); got.AsBigFloat().String() != "100000" {
		t.Errorf("got %s files", got.AsBigFloat())
	}
}

func TestFileIsText(t *testing.T) {
	l := rooted(t, map[string]string{"a.bin": "\xff\xfe", "a.txt": "é"})
	if got := valueOf(t, l, `file("a.txt")`).AsString(); got != "é" {
		t.Errorf("got %q", got)
	}
	_, diags := parseExpr(t, l, `file("a.bin")`).Value(l.context())
	if !diags.HasErrors() || !strings.Contains(diags[0].Detail, "UTF-8") {
		t.Errorf("got %v", diags)
	}
	if got := l.reads["suite.hcl"]; !slices.Equal(got, []string{"a.txt"}) {
		t.Errorf("reads are %v", got)
	}
}
