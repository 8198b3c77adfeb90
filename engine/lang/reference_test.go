package lang

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ml-dev-bench/bench/engine"
)

func TestReference(t *testing.T) {
	const golden = "../../docs/language.md"
	if updating() {
		if err := os.WriteFile(golden, Reference(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(Reference())); diff != "" {
		t.Errorf("docs/language.md is out of date; run go test ./engine/lang -run Reference -update (-want +got):\n%s", diff)
	}
}

// Every link of the reference leads somewhere, and every table has its columns.
func TestReferenceIsWhole(t *testing.T) {
	text := string(Reference())
	anchors := map[string]bool{}
	columns, code := 0, false
	for i, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "```") {
			code = !code
		}
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") && !code {
			anchor := strings.ReplaceAll(strings.ToLower(title), " ", "-")
			if anchors[anchor] {
				t.Errorf("two headings %q", title)
			}
			anchors[anchor] = true
		}
		n := strings.Count(strings.ReplaceAll(line, "\\|", ""), "|")
		switch {
		case code || !strings.HasPrefix(line, "|"):
			columns = 0
		case columns == 0:
			columns = n
		case n != columns:
			t.Errorf("line %d has %d columns, not %d: %s", i+1, n, columns, line)
		}
	}
	for _, m := range regexp.MustCompile(`\]\(#([^)]*)\)`).FindAllStringSubmatch(text, -1) {
		if !anchors[m[1]] {
			t.Errorf("a link leads to #%s", m[1])
		}
	}
}

// What the reference says of trials, results and outcomes is all that there is.
func TestReferenceIsComplete(t *testing.T) {
	described := map[string]bool{}
	for _, d := range trialDocs {
		name, _, _ := strings.Cut(d.name, ".")
		described[name] = true
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(trialTypes)), slices.Sorted(maps.Keys(described))); diff != "" {
		t.Errorf("attributes of trial (-there +described):\n%s", diff)
	}
	var baseline []string
	for _, d := range baselineDocs {
		baseline = append(baseline, d.name)
	}
	slices.Sort(baseline)
	if diff := cmp.Diff(slices.Sorted(maps.Keys(baselineType.AttributeTypes())), baseline); diff != "" {
		t.Errorf("attributes of vs_baseline (-there +described):\n%s", diff)
	}
	text, err := os.ReadFile("../outcome.go")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]bool{}
	for _, m := range regexp.MustCompile(`Reason\w+ +Reason = "(\w+)"`).FindAllStringSubmatch(string(text), -1) {
		reasons[m[1]] = true
	}
	told := map[string]bool{}
	for _, o := range outcomeRows {
		if o.Reason != "" {
			told[string(o.Reason)] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(reasons)), slices.Sorted(maps.Keys(told))); diff != "" {
		t.Errorf("reasons (-there +described):\n%s", diff)
	}
	for _, s := range engine.Statuses {
		if !slices.ContainsFunc(outcomeRows, func(o outcomeRow) bool { return o.Status == s }) {
			t.Errorf("%s is not described", s)
		}
	}
	for name := range reserved {
		if blockSpec(name) != nil {
			t.Errorf("%s is reserved, and a block", name)
		}
	}
}

// Whatever can be written is described in whole sentences.
func TestSchemaIsDescribed(t *testing.T) {
	var check func(sp *spec, at string)
	check = func(sp *spec, at string) {
		if !strings.HasSuffix(sp.doc, ".") && !strings.HasSuffix(sp.doc, "…).") {
			t.Errorf("%s is not described in whole sentences", at)
		}
		for _, a := range sp.attrs {
			if !strings.HasSuffix(a.doc, ".") || a.required && a.def != "" {
				t.Errorf("%s.%s is not described in whole sentences, or has a default and is required", at, a.name)
			}
		}
		for _, b := range sp.blocks {
			check(b, at+"."+b.kind)
		}
	}
	for _, sp := range topLevel {
		check(sp, sp.kind)
		if sp.example == "" {
			t.Errorf("%s has no example", sp.kind)
		}
	}
}

// shelf is what the examples of the reference refer to, block by block: those
// that an example declares itself are left out.
const shelf = `
suite "examples" {
  imports = ["agents/*/agent.hcl", "benchfiles/shared/models.hcl"]
}
variable "trials" { default = 3 }
locals { cases = ["cases/*/*"] }
secret "openrouter" { env = "OPENROUTER_API_KEY" }
secret "company" { env = "COMPANY" }
provider "openrouter" { base_url = "https://openrouter.ai/api/v1" }
model "qwen" {
  provider = provider.openrouter
  id       = "qwen"
  price    = { input = 1, output = 1 }
}
sandbox "python" {
  image  = "python"
  memory = "1GiB"
}
agent "oracle" { builtin = "oracle" }
matrix "sweep" {
  cases  = ["cases/debugging/*"]
  agents = [agent.aider, agent.oracle]
  models = [model.qwen]
  axis "temperature" { values = [0, 0.5] }
}
`

// shelfFiles are the files that they name.
var shelfFiles = map[string]string{
	"agents/aider/agent.hcl":          "agent \"aider\" { command = [\"aider\", trial.prompt_file] }\n",
	"agents/aider/install.sh":         "pip install aider-chat\n",
	"benchfiles/shared/models.hcl":    "model \"sonnet\" {\n  provider = provider.anthropic\n  id = \"claude\"\n  price = { input = 3, output = 15 }\n}\n",
	"cassettes/smoke/hello@a+m#1.txt": "",
	"data/small/rows.csv":             "a\n",
	"cases/sandboxes.hcl":             "sandbox \"python\" { image = \"python:3.13-slim\" }\n",
	"cases/debugging/off_by_one/case.hcl": "imports = [\"cases/sandboxes.hcl\"]\nsandbox = sandbox.python\nprompt = \"p\"\ntags = [\"smoke\"]\n" +
		"check \"c\" { command = [\"true\"] }\nsolution { command = [\"true\"] }\n",
	"cases/debugging/off_by_one/prompt.md":         "Find it.\n",
	"cases/debugging/off_by_one/workspace/main.py": "pass\n",
	"cases/debugging/off_by_one/setup/make.py":     "pass\n",
	"cases/debugging/off_by_one/check/test.py":     "pass\n",
	"cases/debugging/off_by_one/solution/solve.sh": "true\n",
	"cases/gpu/big/case.hcl":                       "sandbox = sandbox.s\nsandbox \"s\" { image = \"i\" }\nprompt = \"p\"\ncheck \"c\" { command = [\"true\"] }\nsolution { command = [\"true\"] }\n",
}

// Every example of the reference is right.
func TestReferenceExamples(t *testing.T) {
	examples := regexp.MustCompile("(?s)```hcl\n(.*?)```").FindAllStringSubmatch(string(Reference()), -1)
	if len(examples) < 15 {
		t.Fatalf("only %d examples", len(examples))
	}
	for i, m := range examples {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			formatted, _, diags := Format("example", []byte(m[1]))
			if diags.HasErrors() || string(formatted) != m[1] {
				t.Errorf("not formatted, or wrong (%v):\n%s", diags, m[1])
			}
			files := maps.Clone(shelfFiles)
			main := "suite.hcl"
			first, _, _ := strings.Cut(m[1], "\n")
			name, named := strings.CutPrefix(first, "# ")
			named = named && path.Ext(name) == ".hcl"
			switch {
			case named && strings.HasPrefix(name, "benchfiles/"):
				main = name
				files[main] = m[1]
			case named && strings.HasSuffix(name, ".vars.hcl"):
				files[name] = m[1]
				l := rooted(t, files)
				vars, _, diags := ReadVarFile(filepath.Join(l.rootDir, name))
				if len(diags) > 0 || len(vars) == 0 {
					t.Errorf("%v in\n%s", diags, m[1])
				}
				return
			case named:
				files[name] = m[1]
				files[main] = shelf
			default:
				files[main] = withShelf(t, m[1])
			}
			l := rooted(t, files)
			suite, sources, diags := Load(filepath.Join(l.rootDir, main), Options{Root: l.rootDir, Version: "0.1.0"})
			if suite == nil {
				if err := sources.Write(t.Output(), diags, 80, false); err != nil {
					t.Error(err)
				}
				t.Errorf("errors in\n%s", files[main])
			}
			if named && strings.HasSuffix(name, "case.hcl") && suite != nil && len(suite.Cases[0].Checks) == 0 {
				t.Errorf("the case was not read: %+v", suite.Cases[0])
			}
		})
	}
}

// withShelf adds what an example does not declare itself.
func withShelf(t *testing.T, example string) string {
	t.Helper()
	key := func(b *hclsyntax.Block) string { return b.Type + " " + strings.Join(b.Labels, " ") }
	parse := func(text string) []*hclsyntax.Block {
		f, diags := hclsyntax.ParseConfig([]byte(text), "f", hcl.InitialPos)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		return f.Body.(*hclsyntax.Body).Blocks
	}
	own, suite := map[string]bool{}, false
	for _, b := range parse(example) {
		own[key(b)] = true
		suite = suite || b.Type == "suite"
	}
	out := example
	for _, b := range parse(shelf) {
		if own[key(b)] || b.Type == "suite" && suite {
			continue
		}
		out += "\n" + shelf[b.TypeRange.Start.Byte:b.CloseBraceRange.End.Byte] + "\n"
	}
	if own["agent aider"] { // it is in a file of its own elsewhere
		out = strings.Replace(out, "\"agents/*/agent.hcl\", ", "", 1)
	}
	return out
}
