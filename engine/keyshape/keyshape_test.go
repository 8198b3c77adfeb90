package keyshape_test

import (
	"fmt"
	"strings"
	"testing"

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

func TestFind(t *testing.T) {
	for name, key := range someKeys {
		for _, form := range []string{"%s", "Bearer %s", "key=%s;", "%s, or not", "é%s", "https://x.org/?k=%s&y"} {
			text := fmt.Sprintf(form, key)
			found := keyshape.Find(text)
			if len(found) != 1 || text[found[0].From:found[0].To] != key {
				t.Errorf("%s: found %v in %q", name, found, text)
			}
		}
	}
}

func TestWordsAreNoKeys(t *testing.T) {
	for _, word := range []string{
		"sk-learn", "scikit-learn and sk-learn-contrib-lightning", "sk-learn-regression-with-many-long-words-in-it", "task-0123456789abcdefghijkl", "disk-0123456789abcdefghij",
		"ghp_", "ghp_short", "hf_hub_download", "AKIA", "AKIAKE", "xoxb-", "xoxo-hugs-and-kisses", "AIzawa", "glpat-x", "npm_config_cache", "eyJ", "gpt-5-mini-2026-01-01",
		"sha256:" + strings.Repeat("0a", 32), "claude-sonnet-4-20250514", "-----BEGIN CERTIFICATE-----", "-----BEGIN PUBLIC KEY-----", "sk_test", "gsk_model", "pypi-mirror",
	} {
		if found := keyshape.Find(word); len(found) != 0 {
			t.Errorf("%q is taken for a key", word)
		}
	}
}
