package lang_test

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
)

// words draws any text, and often what has a meaning in a benchfile.
var words = rapid.Custom(func(t *rapid.T) string {
	parts := rapid.SliceOfN(rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{"${x}", "%{ if }", "$${", "%%{", "\"", "\\", "\n", "\r\n", "\t", "#", "//", "/* */", "<<EOT\n", "é", "👩‍👩‍👧", "\u202e", "EOT", " ", "'", "\\n", "\\u0000"}),
	), 0, 6).Draw(t, "parts")
	// The language normalizes text, so that what looks equal is equal.
	return cty.StringVal(strings.ReplaceAll(strings.Join(parts, ""), "\x00", "0")).AsString()
})

func quote(s string) string {
	return string(hclwrite.TokensForValue(cty.StringVal(s)).Bytes())
}

func quoteAll(list []string) string {
	quoted := make([]string, len(list))
	for i, s := range list {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func quoteMap(m map[string]string) string {
	var pairs []string
	for _, k := range slices.Sorted(maps.Keys(m)) {
		pairs = append(pairs, quote(k)+" = "+quote(m[k]))
	}
	return "{ " + strings.Join(pairs, ", ") + " }"
}

// What is written into a benchfile is read back as the same.
func TestValuesAreReadBack(t *testing.T) {
	root := project(t, map[string]string{"cases/README": ""})
	file := filepath.Join(root, "s.hcl")
	rapid.Check(t, func(t *rapid.T) {
		text := words.Draw(t, "text")
		prompt := cty.StringVal("x" + words.Draw(t, "prompt")).AsString()
		argv := append([]string{"run"}, rapid.SliceOfN(words, 0, 4).Draw(t, "argv")...)
		env := rapid.MapOfN(rapid.StringMatching(`[A-Z][A-Z0-9_]{0,9}`).Filter(func(s string) bool { return !strings.HasPrefix(s, "BENCH_") }), words, 0, 4).Draw(t, "env")
		tags := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z0-9_-]{1,8}`), 0, 4, rapid.ID).Draw(t, "tags")
		wall := time.Duration(rapid.Int64Range(1, math.MaxInt64).Draw(t, "wall"))
		tokens := rapid.Int64Range(1, 1<<50).Draw(t, "tokens")
		cost := rapid.Float64Range(0.000001, 1e9).Draw(t, "cost")
		memory := rapid.Int64Range(17, 1<<20).Draw(t, "memory")
		unit := rapid.SampledFrom([]string{"MiB", "MB"}).Draw(t, "unit")
		cpus := rapid.Float64Range(0.01, 4096).Draw(t, "cpus")
		seed := rapid.Uint64Range(0, 1<<53).Draw(t, "seed")
		level := rapid.Float64Range(-1e9, 1e9).Draw(t, "level")
		param := rapid.OneOf(rapid.Just("true"), rapid.Just("null"), rapid.Just("[1, 2]"), rapid.Just(`{ a = { b = "c" } }`)).Draw(t, "param")
		number := func(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

		benchfile := fmt.Sprintf(`suite "s" {
  description = %s
  seed        = %d
}

sandbox "box" {
  image  = "debian:trixie-slim"
  memory = "%d%s"
  cpus   = %s
  env    = %s
}

case "c" {
  description = %s
  prompt      = %s
  sandbox     = sandbox.box
  tags        = %s

  check "k" {
    command = %s
    env     = %s
  }

  solution {
    command = ["true"]
  }

  limits {
    wall_clock = "%s"
    tokens     = %d
    cost       = %s
  }
}

agent "a" {
  command     = %s
  env         = %s
  needs_model = false
}

matrix "m" {
  cases  = [case.c]
  agents = [agent.a]
  seeds  = [%d]
  params = { level = %s, text = %s, other = %s }
}
`, quote(text), seed, memory, unit, number(cpus), quoteMap(env), quote(text), quote(prompt), quoteAll(tags), quoteAll(argv), quoteMap(env),
			wall, tokens, number(cost), quoteAll(argv), quoteMap(env), seed, number(level), quote(text), param)
		if err := os.WriteFile(file, []byte(benchfile), 0o644); err != nil {
			t.Fatal(err)
		}
		suite, sources, diags := lang.Load(file, lang.Options{Root: root})
		if suite == nil {
			var out bytes.Buffer
			_ = sources.Write(&out, diags, 80, false)
			t.Fatalf("diagnostics:\n%s\n%s", &out, benchfile)
		}
		slices.Sort(tags)
		bytesOf := map[string]int64{"MiB": 1 << 20, "MB": 1e6}[unit]
		m, c := suite.Matrices[0], suite.Cases[0]
		inv, err := m.Agents[0].Bind(engine.TrialValues{})
		if err != nil {
			t.Fatal(err)
		}
		var sent string
		if err := json.Unmarshal(m.Params["text"], &sent); err != nil {
			t.Fatal(err)
		}
		var gotLevel float64
		if err := json.Unmarshal(m.Params["level"], &gotLevel); err != nil {
			t.Fatal(err)
		}
		for _, pair := range []struct {
			what      string
			want, got any
		}{
			{"description", text, suite.Description}, {"description of the case", text, c.Description}, {"seed", seed, suite.Seed}, {"seeds", []uint64{seed}, m.Seeds},
			{"memory", memory * bytesOf, c.Sandbox.Memory}, {"cpus", cpus, c.Sandbox.CPUs}, {"env", env, c.Sandbox.Env}, {"env of the check", env, c.Checks[0].Env},
			{"prompt", prompt, c.Prompt}, {"tags", tags, c.Tags}, {"command", argv, c.Checks[0].Script.Command}, {"command of the agent", argv, inv.Command},
			{"env of the agent", env, inv.Env}, {"limits", engine.Limits{WallClock: wall, Tokens: tokens, Cost: cost}, c.Limits}, {"param", text, sent}, {"number", level, gotLevel},
		} {
			if diff := gocmp.Diff(pair.want, pair.got, cmpopts.EquateEmpty()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", pair.what, diff)
			}
		}
	})
}

// whole compares suites in all that they say: not in where it was said, nor in
// functions, which cannot be compared.
func whole() gocmp.Options {
	return gocmp.Options{
		cmpopts.IgnoreTypes(engine.Pos{}, engine.Source{}),
		gocmp.Comparer(func(a, b engine.Digest) bool { return a == b }),
		cmpopts.IgnoreFields(engine.Tree{}, "FS"),
		cmpopts.IgnoreFields(engine.TreeEntry{}, "From"),
		cmpopts.IgnoreFields(engine.Agent{}, "Bind"),
		cmpopts.IgnoreFields(engine.Matrix{}, "Vary"),
		cmpopts.IgnoreFields(engine.Suite{}, "Root", "Sources"),
		// What a suite lists itself is compared there, and by name elsewhere.
		gocmp.Transformer("dependency", func(d engine.Dependency) string { return d.Ref() }),
		within("Cases", func(c *engine.Case) string { return c.Name }, engine.Matrix{}, engine.Include{}, engine.Exclude{}),
		within("Agents", func(a *engine.Agent) string { return a.Name }, engine.Matrix{}, engine.Include{}),
		within("Models", func(m *engine.Model) string { return m.Name }, engine.Matrix{}, engine.Include{}),
		within("Matrices", func(m *engine.Matrix) string { return m.Name }, engine.Report{}),
	}
}

// within compares the elements of a field by their names.
func within[T any](field string, name func(T) string, owners ...any) gocmp.Option {
	return gocmp.FilterPath(func(p gocmp.Path) bool {
		f, ok := p.Last().(gocmp.StructField)
		return ok && f.Name() == field && slices.ContainsFunc(owners, func(o any) bool { return reflect.TypeOf(o) == p.Index(-2).Type() })
	}, gocmp.FilterValues(func(a, b []T) bool { return len(a)+len(b) > 0 }, gocmp.Transformer("names", func(list []T) []string {
		return namesOf(list, name)
	})))
}

// inOneOrder sorts what stands in a suite in the order of its file.
func inOneOrder(s *engine.Suite) {
	slices.SortFunc(s.Matrices, func(a, b *engine.Matrix) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Gates, func(a, b *engine.Gate) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Reports, func(a, b *engine.Report) int { return cmp.Compare(a.Path, b.Path) })
	for _, r := range s.Reports {
		slices.SortFunc(r.Matrices, func(a, b *engine.Matrix) int { return cmp.Compare(a.Name, b.Name) })
	}
}

// blocksOf takes a benchfile apart into its blocks.
func blocksOf(t *testing.T, text []byte) []string {
	t.Helper()
	f, diags := hclsyntax.ParseConfig(text, "f", hcl.InitialPos)
	if diags.HasErrors() {
		return nil
	}
	var out []string
	for _, b := range f.Body.(*hclsyntax.Body).Blocks {
		out = append(out, string(b.Range().SliceBytes(text)))
	}
	return out
}

// The order of blocks decides nothing but that of matrices, gates and reports.
func TestOrderOfBlocks(t *testing.T) {
	root := examples(t)
	for _, name := range []string{"sweep", "ci", "shared/models"} {
		file := filepath.Join(root, "benchfiles", name+".hcl")
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		suiteFile := file
		if name == "shared/models" {
			suiteFile = filepath.Join(root, "benchfiles/ci.hcl")
		}
		load := func() *engine.Suite {
			suite, sources, diags := lang.Load(suiteFile, lang.Options{Root: root, Version: "0.1.0"})
			if len(diags) > 0 {
				show(t, sources, diags)
			}
			inOneOrder(suite)
			return suite
		}
		want, blocks := load(), blocksOf(t, text)
		rapid.Check(t, func(t *rapid.T) {
			mixed := rapid.Permutation(blocks).Draw(t, "blocks")
			if err := os.WriteFile(file, []byte(strings.Join(mixed, "\n\n")+"\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			if diff := gocmp.Diff(want, load(), whole()); diff != "" {
				t.Errorf("%s (-want +got):\n%s", name, diff)
			}
		})
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// The order of blocks decides nothing of what is wrong with them, either; and
// the same is said each time.
func TestOrderOfMistakes(t *testing.T) {
	common := filesOf(t, "testdata/rules/common.txtar")
	archives, err := filepath.Glob("testdata/rules/V*.txtar")
	if err != nil || len(archives) == 0 {
		t.Fatal(err, len(archives))
	}
	for _, file := range archives {
		name := strings.TrimSuffix(filepath.Base(file), ".txtar")
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text, diags := verdict(t, a, common)
			if again, _ := verdict(t, a, common); again != text {
				t.Errorf("the second time (-first +second):\n%s", gocmp.Diff(text, again))
			}
			i := slices.IndexFunc(a.Files, func(f txtar.File) bool { return f.Name == "suite.hcl" })
			if i < 0 {
				return
			}
			blocks := blocksOf(t, a.Files[i].Data)
			if len(blocks) < 2 || strings.HasPrefix(name, "V02") || name == "V01_stray_argument" {
				return // the first suite block of several is the one; arguments would be lost
			}
			for range 3 {
				slices.Reverse(blocks)
				blocks = append(blocks[1:], blocks[0])
				a.Files[i].Data = []byte(strings.Join(blocks, "\n\n") + "\n")
				_, got := verdict(t, a, common)
				if diff := gocmp.Diff(summaryOf(diags), summaryOf(got)); diff != "" {
					t.Errorf("in another order (-before +after):\n%s\n%s", diff, a.Files[i].Data)
				}
			}
		})
	}
}

func summaryOf(diags engine.Diagnostics) []string {
	var out []string
	for _, d := range diags {
		out = append(out, fmt.Sprintf("%s %s %s", d.Severity, d.Rule, d.Summary))
	}
	slices.Sort(out)
	return out
}

// A case means the same in every suite, whatever that declares.
func TestCaseMeansTheSame(t *testing.T) {
	root := examples(t)
	write(t, root, "cases/more.hcl", `variable "image" {
  default = "python:3.14-slim"
}

locals {
  memory = "3GiB"
}

sandbox "more" {
  image  = var.image
  memory = local.memory
}
`)
	write(t, root, "cases/odd/one/case.hcl", `imports = ["cases/more.hcl", "cases/sandboxes.hcl"]
sandbox = sandbox.more
prompt  = "In ${sandbox.python.memory} and ${local.memory}."
tags    = ["fast"]

check "done" {
  command = ["python", "/check/check.py"]
  files   = ["../../data/c1/check"]
}

solution {
  command = ["true"]
}
`)
	load := func(t interface {
		Helper()
		Fatalf(string, ...any)
	}, text string, vars map[string]lang.Var) map[string]*engine.Case {
		t.Helper()
		file := filepath.Join(root, "benchfiles/any.hcl")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatalf("%v", err)
		}
		suite, sources, diags := lang.Load(file, lang.Options{Root: root, Vars: vars})
		if suite == nil {
			var out bytes.Buffer
			_ = sources.Write(&out, diags, 80, false)
			t.Fatalf("diagnostics:\n%s\n%s", &out, text)
		}
		out := map[string]*engine.Case{}
		for _, c := range suite.Cases {
			out[c.Name] = c
		}
		return out
	}
	const tail = `
agent "noop" {
  builtin = "noop"
}

matrix "m" {
  cases  = ["cases/**"]
  agents = [agent.noop]
}
`
	want := load(t, "suite \"plain\" {}\n"+tail, nil)
	if got := want["odd/one"]; got.Sandbox.Image.Ref != "python:3.14-slim" || got.Prompt != "In 2GiB and 3GiB." {
		t.Fatalf("got %+v", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		text := fmt.Sprintf("suite \"other\" {\n  seed = %d\n  results_dir = \"out/x\"\n}\n", rapid.IntRange(0, 99).Draw(t, "seed"))
		vars := map[string]lang.Var{}
		for _, block := range rapid.SliceOfDistinct(rapid.SampledFrom([]string{"variable", "locals", "sandbox more", "sandbox python", "case"}), rapid.ID).Draw(t, "blocks") {
			switch block {
			case "variable":
				text += "variable \"image\" {\n  default = \"alpine:3.22\"\n}\n"
				vars["image"] = lang.Var{Text: "debian:trixie-slim", File: "--var"}
			case "locals":
				text += "locals {\n  memory = \"64MiB\"\n}\n"
			case "case":
				text += "case \"inline\" {\n  prompt = \"p\"\n  sandbox = sandbox.inline\n  check \"k\" {\n    command = [\"true\"]\n  }\n}\nsandbox \"inline\" {\n  image = \"i\"\n}\n"
			default:
				kind, name, _ := strings.Cut(block, " ")
				text += fmt.Sprintf("%s %q {\n  image = \"alpine:3.22\"\n  memory = \"32MiB\"\n}\n", kind, name)
			}
		}
		if diff := gocmp.Diff(want, load(t, text+tail, vars), whole()); diff != "" {
			t.Errorf("(-alone +in another suite):\n%s", diff)
		}
	})
}
