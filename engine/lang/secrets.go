package lang

import (
	"regexp"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ml-dev-bench/bench/engine"
)

// keyForms are what keys of well-known services look like. They ask for enough
// random characters that no ordinary word is taken for a key.
var keyForms = []keyForm{
	{"sk-", regexp.MustCompile(`\bsk-[A-Za-z0-9_-]{20,}`), randomRun}, // OpenAI, Anthropic, OpenRouter and many that follow them
	{"k_", regexp.MustCompile(`\b[sr]k_(live|test)_[A-Za-z0-9]{16,}`), nil},
	{"gh", regexp.MustCompile(`\bgh[pousr]_[A-Za-z0-9]{30,}`), nil},
	{"github_pat_", regexp.MustCompile(`\bgithub_pat_[A-Za-z0-9_]{22,}`), nil},
	{"glpat-", regexp.MustCompile(`\bglpat-[A-Za-z0-9_-]{20,}`), nil},
	{"A", regexp.MustCompile(`\b(AKIA|ASIA)[A-Z0-9]{16}\b`), nil},
	{"AIza", regexp.MustCompile(`\bAIza[A-Za-z0-9_-]{35}`), nil},
	{"xox", regexp.MustCompile(`\bxox[abeoprs]-[A-Za-z0-9-]{10,}`), hasDigit},
	{"hf_", regexp.MustCompile(`\bhf_[A-Za-z0-9]{30,}`), nil},
	{"gsk_", regexp.MustCompile(`\bgsk_[A-Za-z0-9]{40,}`), nil},
	{"xai-", regexp.MustCompile(`\bxai-[A-Za-z0-9]{40,}`), nil},
	{"npm_", regexp.MustCompile(`\bnpm_[A-Za-z0-9]{36,}`), nil},
	{"pypi-", regexp.MustCompile(`\bpypi-[A-Za-z0-9_-]{40,}`), randomRun},
	{"eyJ", regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}`), nil}, // a JSON web token
	{"PRIVATE KEY", regexp.MustCompile(`-----BEGIN[A-Z0-9 ]*PRIVATE KEY-----([^-]*-----END[A-Z0-9 ]*-----|[A-Za-z0-9+/=\s\\]*)`), nil},
}

type keyForm struct {
	part string // which every such key holds
	form *regexp.Regexp
	also func(string) bool // what else must hold; nil for nothing
}

// randomRun reports whether there are twelve letters and digits in a row, and
// some of both: words that are joined by hyphens are not like that.
func randomRun(s string) bool {
	for run := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '-' || r == '_' }) {
		if len(run) >= 12 && hasDigit(run) && strings.ContainsFunc(run, func(r rune) bool { return r >= 'A' }) {
			return true
		}
	}
	return false
}

func hasDigit(s string) bool { return strings.ContainsAny(s, "0123456789") }

// A stretch of a text, in bytes.
type stretch struct{ from, to int }

// keysIn finds what looks like a key in a text, in order.
func keysIn(s string) []stretch {
	var out []stretch
	for _, k := range keyForms {
		if !strings.Contains(s, k.part) {
			continue
		}
		for _, m := range k.form.FindAllStringIndex(s, -1) {
			if k.also == nil || k.also(s[m[0]:m[1]]) {
				out = append(out, stretch{m[0], m[1]})
			}
		}
	}
	slices.SortFunc(out, func(a, b stretch) int { return a.from - b.from })
	return out
}

// hideKeys puts asterisks over what looks like a key, one for each byte, so that
// the places of everything else stay the same.
func hideKeys(s string) string {
	keys := keysIn(s)
	if len(keys) == 0 {
		return s
	}
	out := []byte(s)
	for _, k := range keys {
		for i := k.from; i < k.to; i++ {
			if out[i] > ' ' {
				out[i] = '*'
			}
		}
	}
	return string(out)
}

// warnOfKeys warns of strings that look like keys. A key that is written down is
// in the history of the project, whatever becomes of the file.
func (l *loader) warnOfKeys(name string, text []byte) {
	if len(keysIn(string(text))) == 0 {
		return
	}
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos)
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenQuotedLit && t.Type != hclsyntax.TokenStringLit {
			continue
		}
		for _, k := range keysIn(string(t.Bytes)) {
			rng := t.Range
			rng.Start.Byte, rng.End.Byte = t.Range.Start.Byte+k.from, t.Range.Start.Byte+k.to
			rng.Start.Column += len([]rune(string(t.Bytes[:k.from])))
			rng.End.Line, rng.End.Column = rng.Start.Line, rng.Start.Column+k.to-k.from
			l.report(engine.Diagnostic{Severity: engine.SeverityWarning, Rule: "V19", Subject: span(rng), Summary: "this looks like a key",
				Detail: "A key does not belong into a file that others can read. Revoke it, declare a secret block with the environment variable that holds the new one, and refer to that from a provider."})
		}
	}
}
