package lang

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/keyshape"
)

// Keys that never were any. They are put together here, so that those who search
// this repository for keys find none.
var someKeys = map[string]string{
	"openai":     "sk-" + strings.Repeat("aB3", 16),
	"project":    "sk-proj-" + strings.Repeat("xY9_", 10) + "AbCdEfGhIjKl1",
	"anthropic":  "sk-ant-" + "api03-" + strings.Repeat("Qw8e", 20) + "-AA",
	"openrouter": "sk-or-" + "v1-" + strings.Repeat("0f", 32),
	"stripe":     "sk_" + "live_" + strings.Repeat("4e", 12),
	"github":     "ghp_" + strings.Repeat("a1", 18),
	"actions":    "ghs_" + strings.Repeat("a1", 18),
	"pat":        "github_" + "pat_" + strings.Repeat("1A", 20),
	"gitlab":     "glpat-" + strings.Repeat("x9", 10),
	"aws":        "AKIA" + strings.Repeat("Z2", 8),
	"google":     "AIza" + strings.Repeat("Sy7_-", 7),
	"slack":      "xoxb-" + "1234567890-abcdefghij",
	"hugging":    "hf_" + strings.Repeat("Ab", 17),
	"groq":       "gsk_" + strings.Repeat("c3", 26),
	"xai":        "xai-" + strings.Repeat("d4", 40),
	"npm":        "npm_" + strings.Repeat("e5", 18),
	"pypi":       "pypi-" + "AgEIcHlwaS5vcmc" + strings.Repeat("f6", 20),
	"jwt":        "eyJ" + "hbGciOiJIUzI1NiJ9" + ".eyJ" + "zdWIiOiIxMjM0NTY3ODkwIn0" + ".dozjgNryP4J3jVmNHl0w5N",
	"pem":        "-----BEGIN " + "RSA PRIVATE KEY-----\\nMIIEpAIBAAKCAQEA\\n-----END " + "RSA PRIVATE KEY-----",
	"openssh":    "-----BEGIN " + "OPENSSH PRIVATE KEY-----",
}

func TestHideKeys(t *testing.T) {
	for name, key := range someKeys {
		for _, form := range []string{"%s", "Bearer %s", "key=%s;", "%s, or not", "é%s", "https://x.org/?k=%s&y"} {
			text := fmt.Sprintf(form, key)
			if hidden := hideKeys(text); len(hidden) != len(text) || strings.Contains(hidden, key[len(key)/2:]) {
				t.Errorf("%s: hidden is %q", name, hidden)
			}
		}
	}
}

// A key in a file is a warning, and is shown nowhere, whatever else is wrong.
func TestKeysAreNotShown(t *testing.T) {
	forms := map[string]string{
		"local":      "locals {\n  a = \"KEY\"\n}\n",
		"heredoc":    "locals {\n  a = <<EOT\nuse KEY\nEOT\n}\n",
		"template":   "locals {\n  a = \"KEY${1}\"\n}\n",
		"name":       "sandbox \"KEY\" {\n}\n",
		"choice":     "suite \"s\" {\n  keep_artifacts = \"KEY\"\n}\n",
		"number":     "suite \"s\" {\n  parallel = \"KEY\"\n}\n",
		"tag":        "case \"c\" {\n  tags = [\"KEY\"]\n}\n",
		"header":     "provider \"p\" {\n  base_url = \"https://x\"\n  headers = { \"X\" = \"KEY\", \"KEY y\" = \"z\" }\n}\n",
		"env":        "secret \"s\" {\n  env = \"KEY\"\n}\n",
		"path":       "report \"json\" {\n  path = \"/KEY\"\n}\n",
		"reference":  "matrix \"m\" {\n  agents = [\"KEY\"]\n}\n",
		"function":   "locals {\n  a = file(\"KEY\")\n  b = tonumber(\"KEY\")\n  c = { x = 1 }[\"KEY\"]\n}\n",
		"duration":   "matrix \"m\" {\n  limits {\n    wall_clock = \"KEY\"\n  }\n}\n",
		"variable":   "variable \"v\" {\n  default = \"KEY\"\n  validation {\n    condition     = false\n    error_message = \"no ${var.v}.\"\n  }\n}\n",
		"mistake":    "locals {\n  a = \"KEY\" = 1\n}\n",
		"unclosed":   "locals {\n  a = \"KEY\n}\n",
		"comment":    "locals {\n  a = = 1 # KEY\n}\n",
		"identifier": "locals {\n  a = = KEY\n}\n",
		"suite":      "suite \"KEY\" {\n",
		"import":     "suite \"s\" {\n  imports = [\"KEY\"]\n}\n",
		"version":    "suite \"s\" {\n  required_version = \"KEY\"\n}\n",
		"cut":        "locals {\n  a = \"" + strings.Repeat("x ", 80) + "KEY\" = \"" + strings.Repeat("y", 300) + "\"\n}\n",
	}
	for name, key := range someKeys {
		for where, form := range forms {
			text := strings.ReplaceAll(form, "KEY", key)
			if !strings.Contains(text, "suite \"") {
				text = "suite \"s\" {\n}\n" + text
			}
			l := rooted(t, map[string]string{"cases/README": ""})
			file := filepath.Join(l.rootDir, "suite.hcl")
			if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
			_, sources, diags := Load(file, Options{Root: l.rootDir, Version: "0.1.0", Vars: map[string]Var{"n": {Text: key, File: "--var"}}})
			var out bytes.Buffer
			for _, width := range []int{40, 80, 200} {
				if err := sources.Write(&out, diags, width, false); err != nil {
					t.Fatal(err)
				}
			}
			for _, d := range diags {
				fmt.Fprintln(&out, d.Summary, d.Detail)
			}
			if found := keyshape.Find(out.String()); len(found) != 0 || strings.Contains(out.String(), key[8:20]) {
				t.Errorf("%s in %s: %v in\n%s", name, where, found, &out)
			}
		}
	}
}

func TestWarnOfKeys(t *testing.T) {
	key := someKeys["github"]
	_, diags, out := loadText(t, "suite \"s\" {\n  description = \"é "+key+"\" # "+key+"\n}\nlocals {\n  "+"a = <<EOT\nuse it:\n  "+key+"\nEOT\n}\n", nil)
	var got []string
	for _, d := range diags {
		if d.Rule == "V19" && d.Severity == engine.SeverityWarning {
			got = append(got, fmt.Sprintf("%d:%d-%d", d.Subject.Start.Line, d.Subject.Start.Column, d.Subject.End.Column))
		}
	}
	if want := "[2:20-60 7:3-43]"; fmt.Sprint(got) != want {
		t.Errorf("got %v, want %s", got, want)
	}
	want := "   2 |   description = \"é ****************************************\" # ****************************************\n" +
		"     |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^\n"
	if !strings.Contains(out, want) {
		t.Errorf("want\n%sin\n%s", want, out)
	}
}
