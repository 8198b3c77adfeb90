// Package keyshape knows what keys of well-known services look like, so that one
// that lies where others can read it is noticed before they do.
//
//	for _, k := range keyshape.Find(text) {
//		fmt.Println("a key from", k.From, "to", k.To)
//	}
//
// It says where a key is, and nothing of whose it is or whether it works.
package keyshape

import (
	"regexp"
	"slices"
	"strings"
)

// shapes are what keys of well-known services look like. They ask for enough
// random characters that no ordinary word is taken for a key.
var shapes = []shape{
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

type shape struct {
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

// A Stretch of a text, in bytes.
type Stretch struct{ From, To int }

// Find finds what looks like a key in a text, in order.
func Find(s string) []Stretch {
	var out []Stretch
	for _, k := range shapes {
		if !strings.Contains(s, k.part) {
			continue
		}
		for _, m := range k.form.FindAllStringIndex(s, -1) {
			if k.also == nil || k.also(s[m[0]:m[1]]) {
				out = append(out, Stretch{m[0], m[1]})
			}
		}
	}
	slices.SortFunc(out, func(a, b Stretch) int { return a.From - b.From })
	return out
}
