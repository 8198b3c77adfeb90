package lang_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// fuzzFiles are the project that every input is read in.
var fuzzFiles = map[string]string{
	"cases/README":                     "",
	"cases/a/case.hcl":                 "prompt = \"p\"\nsandbox = sandbox.s\nsandbox \"s\" { image = \"i\" }\ncheck \"c\" { command = [\"true\"] }\nsolution { command = [\"true\"] }\n",
	"cases/data/one/case.hcl":          "imports = [\"cases/boxes.hcl\"]\nprompt = file(\"./prompt.md\")\nsandbox = sandbox.box\ntags = [\"smoke\", \"slow\"]\nworkspace = \"./workspace\"\ncheck \"c\" {\n  command = [\"sh\", \"/check/c.sh\"]\n  files = \"./check\"\n}\nsolution { command = [\"true\"] }\n",
	"cases/data/one/prompt.md":         "Do it.\n",
	"cases/data/one/workspace/main.py": "pass\n",
	"cases/data/one/check/c.sh":        "true\n",
	"cases/boxes.hcl":                  "sandbox \"box\" {\n  image = \"debian:trixie-slim\"\n}\n",
	"agents/builtin.hcl":               "agent \"oracle\" { builtin = \"oracle\" }\nagent \"noop\" { builtin = \"noop\" }\n",
	"agents/react/agent.hcl":           "agent \"react\" {\n  command = [\"react\", trial.prompt_file]\n  env = { KEY = trial.gateway.token }\n}\n",
	"agents/broken.hcl":                "agent \"x\" {",
	"shared/models.hcl":                "model \"gpt\" {\n  provider = provider.openai\n  id = \"gpt\"\n  price = { input = 1, output = 2 }\n}\nmodel \"free\" {\n  provider = provider.openai\n  id = \"g\"\n}\n",
	"docker/Dockerfile":                "ARG BASE\nFROM ${BASE}\n",
	"old/hello@a+m#1.txt":              "",
}

// patience bounds how long one input may take.
const patience = 10 * time.Second

// watch fails the process if an input takes too long, or takes too much memory.
// It is to be ended with the function that it gives.
func watch(t *testing.T) func() {
	var before runtime.MemStats
	runtime.ReadMemStats(&before)
	timer := time.AfterFunc(patience, func() { panic("lang: it hangs") })
	return func() {
		timer.Stop()
		var after runtime.MemStats
		runtime.ReadMemStats(&after)
		if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > 4000 {
			t.Errorf("it made %d MB", made)
		}
	}
}

// fit checks that diagnostics can be shown: they are told in our style, reach no
// terminal as commands, and hold no key.
func fit(t *testing.T, sources *lang.Sources, diags engine.Diagnostics) {
	t.Helper()
	var out bytes.Buffer
	if err := sources.Write(&out, diags, 80, true); err != nil {
		t.Error(err)
	}
	for _, d := range diags {
		if d.Summary == "" || strings.HasSuffix(d.Summary, ".") || d.Severity == "" || d.Detail == "" {
			t.Errorf("odd diagnostic %+v", d)
		}
		if len(d.Summary) > 1000 || len(d.Detail) > 10_000 {
			t.Errorf("a long diagnostic: %d and %d bytes", len(d.Summary), len(d.Detail))
		}
		if s := d.Subject; s.File != "" && (s.Start.Line < 1 || s.Start.Column < 1 || s.Start.Byte < 0) {
			t.Errorf("no place: %+v", d)
		}
	}
	if len(diags) > 500 {
		t.Errorf("%d diagnostics", len(diags))
	}
	shown := strings.NewReplacer("\x1b[31;1m", "", "\x1b[33;1m", "", "\x1b[1m", "", "\x1b[31m", "", "\x1b[33m", "", "\x1b[0m", "", "\n", "").Replace(out.String())
	for _, r := range shown {
		if r != '\u200c' && r != '\u200d' && (unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp)) {
			t.Errorf("%U reaches the terminal: %q", r, out.String())
			break
		}
	}
	if !utf8.ValidString(shown) {
		t.Errorf("not UTF-8: %q", shown)
	}
	asJSON, err := json.Marshal(diags)
	if err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{out.String(), string(asJSON)} {
		if lang.LooksLikeKey(text) {
			t.Errorf("a key is shown: %q", text)
		}
	}
}

// loaded reads a suite as every command does, twice: what is said of it depends
// on nothing but its files.
func loaded(t *testing.T, file string, opts lang.Options) *engine.Suite {
	t.Helper()
	suite, sources, diags := lang.Load(file, opts)
	if (suite == nil) != diags.HasErrors() {
		t.Errorf("suite %v, and errors %v", suite, diags.HasErrors())
	}
	_, _, again := lang.Load(file, opts)
	if diff := cmp.Diff(diags, again); diff != "" {
		t.Errorf("read twice (-once +twice):\n%s", diff)
	}
	if suite != nil {
		p, more := plan.New(suite, nil, plan.Options{})
		if (p == nil) != more.HasErrors() {
			t.Errorf("plan %v, and errors %v", p != nil, more.HasErrors())
		}
		diags = append(diags, more...)
	}
	fit(t, sources, diags)
	return suite
}

// mistakes are the benchfiles of the rules, each of which breaks one.
func mistakes(tb testing.TB) (out [][]byte) {
	tb.Helper()
	archives, err := filepath.Glob("testdata/rules/*.txtar")
	if err != nil || len(archives) == 0 {
		tb.Fatalf("no archives (%v)", err)
	}
	for _, file := range archives {
		a, err := txtar.ParseFile(file)
		if err != nil {
			tb.Fatal(err)
		}
		for _, f := range a.Files {
			if strings.HasSuffix(f.Name, ".hcl") {
				out = append(out, f.Data)
			}
		}
	}
	return out
}

// FuzzLoad reads arbitrary text as a benchfile.
func FuzzLoad(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	for _, text := range mistakes(f) {
		f.Add(text)
	}
	root := project(f, fuzzFiles)
	f.Fuzz(func(t *testing.T, text []byte) {
		defer watch(t)()
		file := filepath.Join(root, "suite.hcl")
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		loaded(t, file, lang.Options{Root: root, Version: "0.1.0"})
	})
}

// expressionSuite holds an expression wherever expressions mean different things.
const expressionSuite = `
suite "x" { imports = ["shared/models.hcl", "agents/builtin.hcl"] }
variable "v" {
  default   = "hidden value"
  sensitive = true
}
variable "list" { default = ["a", "b"] }
locals {
  a = [1, 2, 3]
  m = { x = { y = "z" }, "k" = null }
  e = (EXPRESSION)
}
sandbox "s" {
  image  = "i"
  memory = "1GiB"
}
case "c" {
  sandbox = sandbox.s
  prompt  = "p"
  check "k" { command = ["grep", "x"] }
}
agent "a" {
  command = ["sh", (EXPRESSION)]
  env     = { E = (EXPRESSION) }
}
matrix "m" {
  cases  = [case.c]
  agents = [agent.a, agent.noop]
  models = [model.gpt]
  axis "t" { values = [0, 0.5] }
  params = { p = (EXPRESSION) }
  limits { turns = (EXPRESSION) }
  if     = (EXPRESSION)
}
gate "g" {
  condition = (EXPRESSION)
  message   = "${(EXPRESSION)}"
}
`

var expressions = []string{
	`1`, `"a"`, `local.a[*]`, `local.m.x.y`, `local.m["k"]`, `var.v`, `"${var.v}x"`, `var.list[1]`, `[for i, x in local.a : x * i if x > 1]`, `{ for k, v in local.m : k => v... }`,
	`matrix.m.pass_rate >= 0.9`, `matrix.m.by_agent["a"].passed == 2`, `gate.g.outcome`, `trial.case`, `"${trial.axis.t}m"`, `trial.n + 1`, `trial.gateway.url`, `trial.model.id`,
	`try(trial.axis.u, 1)`, `can(local.m.z)`, `length(var.v) > 3 ? "a" : "b"`, `jsondecode("{\"a\": [1, null]}")`, `yamldecode("a: &x [1]\nb: *x")`, `csvdecode("a,b\n1,2")`, `format("%5.1f|%-10s|%v", 1.5, "x", local.a)`,
	`file("docker/Dockerfile")`, `fileset("cases/**/*.hcl")`, `regex("(a+)(b*)", "aab")`, `setproduct(local.a, local.a)`, `range(10)`, `merge(local.m, {})`, `lookup(local.m, "x", null)`,
	`"%{ for x in local.a ~}${x}%{ endfor }"`, `<<EOT
text ${local.a[0]}
EOT
`, `1e400`, `1/0`, `-"5"`, `!true`, `local.e`, `sandbox.s.memory`, `suite.name`, `secret.s`, `null`, `(EXPRESSION)`, `timestamp()`, `"\u00e9\U0001F600"`, `[[[[]]]]`, `a.b.c`, `sum(["1", 2])`,
}

// FuzzExpression reads arbitrary expressions wherever they can stand.
func FuzzExpression(f *testing.F) {
	for _, e := range expressions {
		f.Add(e)
	}
	root := project(f, fuzzFiles)
	f.Fuzz(func(t *testing.T, e string) {
		defer watch(t)()
		file := filepath.Join(root, "suite.hcl")
		for _, text := range []string{expressionSuite, strings.Replace(expressionSuite, "e = (EXPRESSION)", "e = 1", 1)} {
			if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, "EXPRESSION", e)), 0o644); err != nil {
				t.Fatal(err)
			}
			loaded(t, file, lang.Options{Root: root, Version: "0.1.0"})
		}
		// Alone, in places that the others do not spoil.
		for _, place := range []string{
			"locals {\n  e = EXPRESSION\n}\n", "agent \"b\" {\n  command = [\"sh\", EXPRESSION]\n  env = { E = \"${EXPRESSION}\" }\n}\n",
			"gate \"h\" {\n  condition = EXPRESSION\n}\n", "matrix \"n\" {\n  cases = EXPRESSION\n  agents = [agent.noop]\n}\n",
		} {
			text := strings.ReplaceAll(expressionSuite, "(EXPRESSION)", "1") + strings.ReplaceAll(place, "EXPRESSION", e)
			text = strings.NewReplacer("if     = 1", "", "condition = 1", "condition = matrix.m.passed > 1").Replace(text)
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			suite := loaded(t, file, lang.Options{Root: root, Version: "0.1.0"})
			if suite != nil && strings.Contains(place, "agent") {
				bindAll(t, suite)
			}
		}
	})
}

// bindAll gives every agent what it gets when a trial starts. An error is fine; a
// sensitive value in it is not.
func bindAll(t *testing.T, suite *engine.Suite) {
	t.Helper()
	for _, m := range suite.Matrices {
		for _, a := range m.Agents {
			if a.Bind == nil {
				continue
			}
			_, err := a.Bind(engine.TrialValues{Case: "c", Agent: a.Name, N: 1, Prompt: "p", PromptFile: "/f", Workspace: "/w"})
			if err != nil && strings.Contains(err.Error(), "hidden value") {
				t.Errorf("a sensitive value is shown: %v", err)
			}
		}
	}
}

// FuzzVarText gives variables of many types arbitrary values.
func FuzzVarText(f *testing.F) {
	for _, text := range append(expressions, "", "5", "0x10", "true", "a b", "[1,2]", "{a=1}", "{\"a\":1}", "1e999999999", "\"x", "[[[[[[", strings.Repeat("[", 300), "null", "ghp_"+strings.Repeat("a1", 18)) {
		f.Add(text)
	}
	const text = `
suite "x" {}
variable "s" { type = string }
variable "n" { type = number }
variable "b" { type = bool }
variable "l" { type = list(string) }
variable "m" { type = map(number) }
variable "o" {
  type = object({ a = number, b = optional(string) })
  default = { a = 1 }
}
variable "a" { type = any }
variable "d" { default = [1, 2] }
variable "hidden" {
  type      = number
  sensitive = true
  validation {
    condition     = var.hidden > 0
    error_message = "${var.hidden} is not enough"
  }
}
`
	root := project(f, fuzzFiles)
	if err := os.WriteFile(filepath.Join(root, "suite.hcl"), []byte(text), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, value string) {
		defer watch(t)()
		vars := map[string]lang.Var{}
		for _, name := range []string{"s", "n", "b", "l", "m", "o", "a", "d", "hidden"} {
			vars[name] = lang.Var{Text: value, File: "--var"}
		}
		loaded(t, filepath.Join(root, "suite.hcl"), lang.Options{Root: root, Vars: vars})
		if v, err := lang.JSONVar([]byte(value), "plan.json"); err == nil {
			for name := range vars {
				vars[name] = v
			}
			loaded(t, filepath.Join(root, "suite.hcl"), lang.Options{Root: root, Vars: vars})
		}
		for _, name := range []string{"v.hcl", "v.json"} {
			file := filepath.Join(root, name)
			if err := os.WriteFile(file, []byte(value), 0o644); err != nil {
				t.Fatal(err)
			}
			vars, sources, diags := lang.ReadVarFile(file)
			fit(t, sources, diags)
			if !diags.HasErrors() {
				loaded(t, filepath.Join(root, "suite.hcl"), lang.Options{Root: root, Vars: vars})
			}
		}
	})
}

// FuzzLock reads arbitrary text as a lock file.
func FuzzLock(f *testing.F) {
	pin := "sha256:" + strings.Repeat("0a", 32)
	for _, text := range []string{
		"", "# comment\n", "image \"i\" {\n  pin = \"i@" + pin + "\"\n}\n", "image \"i\" {\n  pin = \"" + pin + "\"\n}\nimage \"i\" {\n  pin = \"\"\n}\n",
		"image \"debian:trixie-slim\" { pin = \"debian@" + pin + "\" }\n", "image \"i\" { pin = var.x }\n", "image {}\n", "suite \"x\" {}\n", "pin = 1\n", "image \"\" {\n  pin = \"@" + pin + "\"\n  more = 1\n}\n",
	} {
		f.Add([]byte(text))
	}
	root := project(f, fuzzFiles)
	const suite = "suite \"x\" { imports = [\"agents/builtin.hcl\"] }\nmatrix \"m\" {\n  cases  = [\"cases/**\"]\n  agents = [agent.noop]\n}\n"
	file := filepath.Join(root, "suite.hcl")
	if err := os.WriteFile(file, []byte(suite), 0o644); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		defer watch(t)()
		if err := os.WriteFile(filepath.Join(root, lang.LockFile), text, 0o644); err != nil {
			t.Fatal(err)
		}
		_, sources, diags := lang.Load(file, lang.Options{Root: root})
		loaded(t, file, lang.Options{Root: root})
		if diags.HasErrors() {
			return
		}
		// What was read can be written, and read again.
		var pins []lang.Pin
		for ref, to := range sources.Pins() {
			pins = append(pins, lang.Pin{Ref: ref, To: to})
		}
		if err := os.WriteFile(filepath.Join(root, lang.LockFile), lang.FormatLock(pins), 0o644); err != nil {
			t.Fatal(err)
		}
		_, again, diags := lang.Load(file, lang.Options{Root: root})
		if diff := cmp.Diff(sources.Pins(), again.Pins()); diff != "" || diags.HasErrors() {
			t.Errorf("written and read again (%v):\n%s", diags, diff)
		}
	})
}

// FuzzFormat checks that formatting changes nothing but white space, and that
// there is nothing left to do after it.
func FuzzFormat(f *testing.F) {
	for _, text := range seeds(f) {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		defer watch(t)()
		once, sources, diags := lang.Format("f", text)
		fit(t, sources, diags)
		if diags.HasErrors() {
			if once != nil {
				t.Errorf("errors, and the text %q", once)
			}
			return
		}
		twice, _, diags := lang.Format("f", once)
		if len(diags) > 0 {
			t.Fatalf("the formatted file does not parse: %v\n%s", diags, once)
		}
		if diff := cmp.Diff(string(once), string(twice)); diff != "" {
			t.Errorf("formatted twice (-once +twice):\n%s", diff)
		}
		if diff := cmp.Diff(tokens(t, text), tokens(t, once)); diff != "" {
			t.Errorf("tokens (-before +after):\n%s", diff)
		}
	})
}

// tokens are those of a file, without white space at their ends.
func tokens(t *testing.T, text []byte) (out []string) {
	t.Helper()
	list, _ := hclsyntax.LexConfig(text, "f", hcl.InitialPos)
	for _, tok := range list {
		out = append(out, strings.TrimSpace(string(tok.Bytes)))
	}
	return out
}
