package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
)

// TestModelsPage validates the blocks of docs/models.md, all in one suite, and reads
// its scripts.
func TestModelsPage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "models.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := map[string][]string{}
	for _, m := range regexp.MustCompile("(?s)\n```(\\w+)\n(.*?)```").FindAllStringSubmatch(string(page), -1) {
		blocks[m[1]] = append(blocks[m[1]], m[2])
	}
	if len(blocks["hcl"]) < 4 || len(blocks["script"]) == 0 {
		t.Fatalf("%d blocks and %d scripts", len(blocks["hcl"]), len(blocks["script"]))
	}
	for _, text := range blocks["script"] {
		tree, err := digest.File("answers.txt", fstest.MapFS{"answers.txt": {Data: []byte(text)}}, "answers.txt")
		if err != nil {
			t.Fatal(err)
		}
		if _, diags := scripted.Load(tree); len(diags) > 0 {
			t.Errorf("a script: %v", diags)
		}
	}
	dir := t.TempDir()
	for name, text := range map[string]string{
		"suite.hcl": pageSuite + strings.Join(blocks["hcl"], "\n"), "answers.txt": blocks["script"][0], "cassettes/smoke/README": "", ".git/HEAD": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	out := &strings.Builder{}
	if code := run([]string{"validate", "suite.hcl"}, nil, out, out); code != 0 {
		t.Errorf("exit %d: %s", code, out)
	}
}

// pageSuite is what the blocks of a page lack to be a benchfile.
const pageSuite = `
suite "page" {}

sandbox "box" { image = "debian:trixie-slim" }

case "greet" {
  prompt  = "Say hello."
  sandbox = sandbox.box
  check "file" { command = ["grep", "hello", "hello.txt"] }
  solution { command = ["sh", "-c", "echo hello > hello.txt"] }
}

agent "none" { builtin = "noop" }

matrix "m" {
  cases  = [case.greet]
  agents = [agent.none]
}
`
