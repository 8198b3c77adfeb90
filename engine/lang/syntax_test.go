package lang

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

// updating reports whether golden files are to be rewritten, by the flag that
// golden_test.go declares.
func updating() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// What a person is told of a file that does not parse: one thing for each mistake,
// at its place. The archive holds pairs of a file and of what is said of it.
func TestSyntaxErrors(t *testing.T) {
	const golden = "testdata/syntax.txtar"
	archive, err := txtar.ParseFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	for i, f := range archive.Files {
		name, ok := strings.CutSuffix(f.Name, ".hcl")
		if !ok {
			continue
		}
		text := f.Data
		for from, to := range map[string]string{"<CR>": "\r", "<TAB>": "\t", "<NUL>": "\x00", "<BAD>": "\xff", "<BOM>": "\xef\xbb\xbf", "<END>\n": ""} {
			text = bytes.ReplaceAll(text, []byte(from), []byte(to))
		}
		_, sources, diags := Format(name, text)
		var out bytes.Buffer
		if err := sources.Write(&out, diags, 90, false); err != nil {
			t.Fatal(err)
		}
		if updating() {
			archive.Files[i+1].Data = out.Bytes()
			continue
		}
		if i+1 == len(archive.Files) || archive.Files[i+1].Name != name {
			t.Fatalf("%s: nothing says what is wanted", f.Name)
		}
		if diff := cmp.Diff(string(archive.Files[i+1].Data), out.String()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", f.Name, diff)
		}
		for _, d := range diags {
			if strings.HasSuffix(d.Summary, ".") || d.Summary == "" || !strings.HasSuffix(d.Detail, ".") || d.Rule != "V01" {
				t.Errorf("%s: odd diagnostic %+v", f.Name, d)
			}
		}
	}
	if updating() {
		if err := os.WriteFile(golden, txtar.Format(archive), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Two mistakes in two blocks are told both, however the library recovers.
func TestSyntaxErrorsAreIndependent(t *testing.T) {
	mistakes := []string{
		"locals {\n  a = \"b\n}\n", "suite \"s\" {\n  seed = = 1\n}\n", "matrix \"m\" {\n  limits {\n}\n", "agent \"a\" {\n  command = [\"x\"\n}\n",
		"gate 'g' {\n}\n", "locals {\n  a = <<EOT\nb\n}\n", "case \"c\" {\n}\n}\n", "report {\n  path: \"x\"\n}\n", "locals {\n  a = \"${b\"\n}\n", "locals {\n  a = “b”\n}\n",
	}
	fine := "locals {\n  z = [1, \"\"]\n}\n"
	for _, a := range mistakes {
		for _, b := range mistakes {
			if strings.HasPrefix(a, "matrix") && strings.HasSuffix(b, "}\n}\n") {
				continue // together they are right, if that was meant
			}
			text := fine + a + fine + b + fine
			_, _, diags := Format("f", []byte(text))
			var lines []int
			for _, d := range diags {
				lines = append(lines, d.Subject.Start.Line)
			}
			first := 4
			second := first + strings.Count(a, "\n") + 3
			end := second + strings.Count(b, "\n")
			if len(lines) != 2 || lines[0] < first || lines[0] >= second-3 || lines[1] < second || lines[1] >= end {
				t.Errorf("mistakes are in lines %v, want one from %d and one from %d, in\n%s", lines, first, second, numberLines(text))
			}
		}
	}
}

func numberLines(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		fmt.Fprintf(&b, "%3d %s\n", i+1, line)
	}
	return b.String()
}
