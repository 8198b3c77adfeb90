package lang_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine/lang"
)

// A pattern over very many cases ends: nothing is done for each pair of them, and
// what they share is read once.
func TestManyCases(t *testing.T) {
	if testing.Short() {
		t.Skip("makes thousands of directories")
	}
	const n = 5_000
	root := project(t, map[string]string{
		"sandboxes.hcl":  "sandbox \"box\" {\n  image = \"debian:trixie-slim\"\n}\n",
		"check/check.py": "print(1)\n",
		"suite.hcl": `suite "many" {}

agent "noop" {
  builtin = "noop"
}

matrix "m" {
  cases  = ["cases/**", "!cases/g0/*"]
  tags   = ["!slow"]
  agents = [agent.noop]
}

matrix "again" {
  cases  = ["cases/g?/*"]
  agents = [agent.noop]
}

gate "g" {
  condition = matrix.m.by_case["g1/c500"].passed == 0 && matrix.again.passed == 0
}
`,
	})
	for i := range n {
		dir := filepath.Join(root, "cases", fmt.Sprintf("g%d", i/500), fmt.Sprintf("c%d", i))
		text := fmt.Sprintf(`description = "number %d"
imports     = ["sandboxes.hcl"]
sandbox     = sandbox.box
prompt      = "Write ${1 + %d}."
tags        = ["many"]

check "c" {
  command = ["python3", "/check/check.py"]
  files   = "check"
}

solution {
  command = ["true"]
}
`, i, i)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "case.hcl"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	suite, sources, diags := lang.Load(filepath.Join(root, "suite.hcl"), lang.Options{Root: root})
	if len(diags) > 0 {
		var out strings.Builder
		sources.Write(&out, diags[:min(3, len(diags))], 80, false)
		t.Fatalf("%d diagnostics:\n%s", len(diags), out.String())
	}
	if got := len(suite.Matrices[0].Cases); got != n-500 {
		t.Errorf("got %d cases, want %d", got, n-500)
	}
}
