package lang

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// load reads a text as a benchfile, with what it says of it.
func loadText(tb testing.TB, text string, files map[string]string) (*engine.Suite, engine.Diagnostics, string) {
	tb.Helper()
	l := rooted(tb, files)
	file := filepath.Join(l.rootDir, "suite.hcl")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		tb.Fatal(err)
	}
	suite, sources, diags := Load(file, Options{Root: l.rootDir, Version: "0.1.0"})
	var out bytes.Buffer
	if err := sources.Write(&out, diags, 80, false); err != nil {
		tb.Fatal(err)
	}
	return suite, diags, out.String()
}

// bounded runs f, and fails if it makes too much, or never ends.
func bounded(t *testing.T, megabytes uint64, f func()) {
	t.Helper()
	hangs := time.AfterFunc(2*time.Minute, func() { panic(t.Name() + " hangs") })
	defer hangs.Stop()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	if made := (after.TotalAlloc - before.TotalAlloc) >> 20; made > megabytes {
		t.Errorf("it made %d MB", made)
	}
}

func locals(lines ...string) string { return "locals {\n" + strings.Join(lines, "\n") + "\n}\n" }

// laughs doubles or decuples a value again and again.
func laughs(first, next string, levels int) string {
	lines := []string{"a0 = " + first}
	for i := range levels {
		lines = append(lines, fmt.Sprintf("a%d = "+strings.ReplaceAll(next, "@", fmt.Sprintf("local.a%d", i)), i+1))
	}
	return locals(lines...)
}

// nestedLoops loops over range(1024) in range(1024) and so on.
func nestedLoops(depth int, body string) string {
	return strings.Repeat("[for i in range(1024) : ", depth) + body + strings.Repeat("]", depth)
}

// TestBounds reads what would hang, or fill the memory. Each must end soon, and
// with words that a person can use.
func TestBounds(t *testing.T) {
	const mb = 1 << 20
	fill := func(s string) string { return strings.Repeat(s, (mb-100)/len(s)) }
	const large, complicated = "the expression is too large", "the file is too complicated"
	for _, tt := range []struct{ name, text, want string }{
		{"laughs of text", laughs(`"lol"`, `"${@}${@}${@}${@}${@}${@}${@}${@}${@}${@}"`, 12), large},
		{"laughs of lists", laughs(`["lol"]`, `[@, @, @, @, @, @, @, @, @, @]`, 20), large},
		{"laughs of maps", laughs(`{ a = 1 }`, `{ a = @, b = @, c = @, d = @ }`, 40), large},
		{"laughs of concat", laughs(`["lol"]`, `concat(@, @, @, @)`, 40), large},
		{"laughs of flatten", laughs(`[["lol"]]`, `flatten([@, @, @, @])`, 40), large},
		{"laughs of merge", laughs(`{ a = 1 }`, `merge({ for k, v in @ : "${k}a" => v }, { for k, v in @ : "${k}b" => v })`, 40), large},
		{"laughs of json", laughs(`"\"\\"`, `jsonencode(@)`, 60), large},
		{"laughs of conditions", laughs(`[1]`, `true ? [@, @, @, @] : [@, @, @, @]`, 40), large},
		{"laughs of splats", laughs(`[1]`, `[@, @, @, @][*]`, 40), large},
		{"laughs of references", laughs(`[1]`, `[@, @, @, @]`, 8) + "locals {\n" + strings.Repeat("  x = local.a8 == local.a8\n", 1) + "  y = [" + strings.Repeat("local.a8 == local.a8, ", 10_000) + "]\n}\n", large},
		{"nested loops", locals("a = " + nestedLoops(4, "i")), large},
		{"nested loops of nothing", locals("a = " + nestedLoops(4, "1")), large},
		{"nested loops that skip", locals("a = " + strings.Replace(nestedLoops(3, "1 if false"), "[for i", "[for j", 1)), large},
		{"nested loops that fail", locals("a = " + nestedLoops(3, `i + "a"`)), large},
		{"nested loops that are tried", locals("a = " + nestedLoops(3, `try(i + "a", 1)`)), large},
		{"nested loops in text", locals("a = \"" + strings.Repeat("%{ for i in range(1024) }", 4) + "x" + strings.Repeat("%{ endfor }", 4) + "\""), large},
		{"nested loops of maps", locals("a = { for i in range(1024) : i => { for j in range(1024) : j => { for k in range(1024) : k => k } } }"), large},
		{"splats in splats", locals("a = [[[1]]]", "b = local.a"+strings.Repeat("[*]", 190)+".x"), ""},
		{"setproduct", locals("a = setproduct(range(1024), range(1024), range(1024))"), large},
		{"setproduct that overflows", locals("a = setproduct(" + strings.TrimSuffix(strings.Repeat("range(1024), ", 30), ", ") + ")"), large},
		{"replace", locals(`a = "${join("", [for i in range(1024) : "aaaaaaaaaa"])}"`, `b = replace(local.a, "a", local.a)`), large},
		{"replace of nothing", locals(`a = "${join("", [for i in range(1024) : "aaaaaaaaaa"])}"`, `b = replace(local.a, "", local.a)`), large},
		{"join", locals(`a = join("", [for i in range(1024) : "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])`, `b = join(local.a, range(1024), range(1024))`), large},
		{"format", locals(`a = format("%1000000000d", 1)`), large},
		{"format of digits", locals(`a = format("%.1000000000f", 1)`), large},
		{"format again and again", locals(`a = join("", [for i in range(1024) : "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])`, `b = format(join("", [for i in range(1024) : "%[1]s%[1]s"]), local.a)`), large},
		{"format of a wild number", locals(`a = format("%d", "1e100000000")`), large},
		{"distinct", locals("a = distinct(flatten([for i in range(1024) : [for j in range(100) : i * 1000 + j]]))"), large},
		{"split", locals(`a = join("", [for i in range(1024) : "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"])`, `b = [for i in range(1024) : split("", local.a)]`), large},
		{"regex", locals(`a = regex("((a{1000}){1000}){1000}", "a")`), ""},
		{"regex in a loop", locals(`a = [for i in range(1024) : can(regex("(a{30}){30}(b{30}){30}(c{30}){30}(d{30}){30}(e{30}){30}(f{30}){30}(g{30}){30}(h{30}){30}(i{30}){30}(j{30}){30}(k{30}){30}(l{30}){30}", "a"))]`), large},
		{"regex over text", locals(`a = join("", [for i in range(1024) : format("%1000s", "a")])`, `b = regex("(x*x*x*x*x*x*x*x*x*x*x*){100}y", local.a)`), large},
		{"yaml", locals(`a = yamldecode("a: &a [x, x, x, x, x, x, x, x, x]\n` + yamlLaughs(20) + `")`), large},
		{"yaml that is deep", locals(`a = yamldecode("` + strings.Repeat("- ", 500_000) + `x")`), "invalid function argument"},
		{"yaml that is deep in brackets", locals(`a = yamldecode("` + strings.Repeat("[", 500_000) + `")`), "invalid function argument"},
		{"json that is deep", locals(`a = jsondecode("` + strings.Repeat("[", 1_000_000) + `")`), "invalid function argument"},
		{"wild numbers", locals("a = 1e100000000", "b = \"${local.a}\"", `c = "1e100000000" + 1`, `d = -"1e100000000"`, `e = sum(["1e100000000", 1])`, `f = tonumber("1e100000000")`), "number out of range"},
		{"wild products", laughs("10", "@ * @", 60), "number out of range"},
		{"wild default", "variable \"x\" {\n  type = number\n  default = \"1e100000000\"\n}\n", "number out of range"},
		{"a number of many digits", locals("a = " + strings.Repeat("1", 1_000_000)), complicated},
		{"texts of many digits", locals(`a = join("", [for i in range(1024) : "11111111111111111111111111111111111111111111111111"])`, `b = [for i in range(1024) : can(tonumber(local.a))]`, `c = [for i in range(1024) : can(local.a + 1)]`, `d = [for i in range(1024) : can(max(local.a))]`), ""},

		{"brackets", "a = " + fill("["), complicated},
		{"parentheses", "a = " + fill("("), complicated},
		{"braces", "a = " + fill("{"), complicated},
		{"blocks", fill("a {\n"), complicated},
		{"not", "a = " + fill("!"), complicated},
		{"minus", "a = " + fill("-"), complicated},
		{"plus", "a = " + fill("1+") + "1", complicated},
		{"plus over lines", "a = {for x in y : x => " + fill("1+\n") + "1}", complicated},
		{"wrong operands", "locals {\na = " + strings.Repeat("\"a\" + ", 900) + "1\n}\n", "invalid operand"},
		{"interpolations", "a = \"" + fill("${"), complicated},
		{"templates in templates", "a = " + fill("\"${"), complicated},
		{"directives", "a = \"" + fill("%{if true}"), complicated},
		{"directives that end", "a = \"" + strings.Repeat("%{if true}", 10_000) + strings.Repeat("%{endif}", 10_000) + "\"", complicated},
		{"conditions", "a = " + fill("x ? y : ") + "z", complicated},
		{"indexes", "a = x" + fill("[y]"), complicated},
		{"splats", "a = x" + fill("[*]"), complicated},
		{"attribute splats", "a = x" + fill(".*"), complicated},
		{"calls", "a = " + fill("f("), complicated},
		{"traversals", locals("a = local.x" + strings.Repeat(".b", 100_000)), "unknown name local.x"},
		{"traversals that are there", locals("x = 1", "a = local.x"+strings.Repeat(".b", 100_000)), "unsupported attribute"},
		{"10,000 brackets", locals("a = " + strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000)), complicated},
		{"many small lists", locals("a = [" + fill("[],") + "]"), complicated},
		{"fewer small lists", locals("a = [" + strings.Repeat("[],", 70_000) + "]"), ""},
		{"many arguments", strings.Repeat("a = 1\n", 60_000), "argument \"a\" is written twice"},
		{"many arguments of a block", locals(strings.Repeat("a = 1\n", 60_000)), "argument \"a\" is written twice"},
		{"many blocks", strings.Repeat("locals {}\n", 60_000), ""},
		{"many strange blocks", strings.Repeat("a {}\n", 60_000), "and 59901 more"},
		{"many mistakes", strings.Repeat("x =\n", 60_000), "a value is missing"},
		{"many arguments that are used", "sandbox \"s\" {\n" + numbered("a%d = 1", 20_000) + "}\n" + locals("b = ["+numbered("sandbox.s.a%d,", 20_000)+"]"), "unknown name"},
		{"a text of many lines", locals("a = <<EOT\n" + fill("\n") + "EOT"), complicated},
		{"a long text", locals("a = <<EOT\n" + strings.Repeat("one line of the text that is long enough to matter here\n", 10_000) + "EOT"), ""},
		{"texts without an end", fill("<<A\n"), complicated},
		{"dollars", locals("a = \"" + fill("$a") + "\""), complicated},
		{"quotes", fill("\""), complicated},
		{"apostrophes", fill("'"), complicated},
		{"fewer apostrophes", strings.Repeat("'", 100_000), "single quotes"},
		{"curly quotes", strings.Repeat("“", 100_000), "typographic quotes"},
		{"comment", "# " + fill("x"), ""},
		{"comment without an end", "/*" + fill("x"), ""},
		{"backslashes", locals("a = \"" + fill(`\\`) + "\""), ""},
		{"wrong escapes", locals("a = \"" + strings.Repeat(`\q`, 100_000) + "\""), "unknown escape sequence"},
		{"a line of 10 MB", "a = \"" + strings.Repeat("x", 10*mb) + "\"", "cannot read a file"},
		{"a long line with a mistake", locals("a = [" + strings.Repeat("1, ", 100_000) + "x y]"), "a comma is missing"},
		{"a long line with many mistakes", locals("a = [" + strings.Repeat("x.y, ", 60_000) + "]"), "unknown name"},
		{"a long name", locals(fill("x")+" = 1", "b = local."+"y"), "unknown name"},
		{"two long names", locals(strings.Repeat("x", mb/3)+" = 1", "b = local."+strings.Repeat("y", mb/3)), "unknown name"},
		{"many unknown names", locals(numbered("a%d = 1", 20_000)) + locals("b = ["+numbered("local.b%d,", 20_000)+"]"), "unknown name"},
		{"a long chain of locals", locals("a0 = 1", chain("a%d = local.a%d\n", 30_000)), "need each other"},
		{"a long chain the other way", locals("a30000 = 1", chain("a%[2]d = local.a%[1]d\n", 30_000)), "need each other"},
		{"NUL", "\x00" + locals("a = \"\x00\"") + "\x00", "a control character"},
		{"BOM", "\xef\xbb\xbf", "the suite has no matrix"},
		{"CRLF", "report \"json\" {\r\n  path = 0\r\n\r\n  rows = [\r\n1]\r\n}\r\n", "rows cannot stand for"},
		{"invalid UTF-8", "suite \"\xff\" {\n}\n", "not UTF-8"},
		{"invalid UTF-8 all over", fill("\xff\xfe"), "not UTF-8"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var suite *engine.Suite
			var diags engine.Diagnostics
			var out string
			bounded(t, 2500, func() {
				suite, diags, out = loadText(t, strings.Replace("suite \"bounds\" {}\n"+tt.text, "suite \"bounds\" {}\n\xef\xbb\xbf", "\xef\xbb\xbfsuite \"bounds\" {}\n", 1), nil)
			})
			if suite != nil {
				t.Fatal("it is a suite")
			}
			n := 0
			for _, d := range diags {
				if strings.Contains(d.Summary, tt.want) {
					n++
				}
				if len(d.Summary) > 1000 || len(d.Detail) > 10_000 {
					t.Errorf("%d bytes of summary, %d of detail", len(d.Summary), len(d.Detail))
				}
			}
			if tt.want != "" && n == 0 || tt.want == large && n != 1 {
				t.Errorf("%q is there %d times, in\n%.2000s", tt.want, n, out)
			}
		})
	}
}

func numbered(form string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form+"\n", i)
	}
	return b.String()
}

func chain(form string, n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, form, i+1, i)
	}
	return b.String()
}

func yamlLaughs(levels int) string {
	var b strings.Builder
	for i := range levels {
		name, before := string(rune('b'+i)), string(rune('a'+i))
		fmt.Fprintf(&b, `%s: &%s [%s]\n`, name, name, strings.TrimSuffix(strings.Repeat("*"+before+", ", 9), ", "))
	}
	return b.String()
}
