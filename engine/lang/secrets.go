package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/keyshape"
)

// hideKeys puts asterisks over what looks like a key, one for each byte, so that
// the places of everything else stay the same.
func hideKeys(s string) string {
	keys := keyshape.Find(s)
	if len(keys) == 0 {
		return s
	}
	out := []byte(s)
	for _, k := range keys {
		for i := k.From; i < k.To; i++ {
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
	if len(keyshape.Find(string(text))) == 0 {
		return
	}
	tokens, _ := hclsyntax.LexConfig(text, name, hcl.InitialPos)
	for _, t := range tokens {
		if t.Type != hclsyntax.TokenQuotedLit && t.Type != hclsyntax.TokenStringLit {
			continue
		}
		for _, k := range keyshape.Find(string(t.Bytes)) {
			rng := t.Range
			rng.Start.Byte, rng.End.Byte = t.Range.Start.Byte+k.From, t.Range.Start.Byte+k.To
			rng.Start.Column += len([]rune(string(t.Bytes[:k.From])))
			rng.End.Line, rng.End.Column = rng.Start.Line, rng.Start.Column+k.To-k.From
			l.report(engine.Diagnostic{Severity: engine.SeverityWarning, Rule: "V19", Subject: span(rng), Summary: "this looks like a key",
				Detail: "A key does not belong into a file that others can read. Revoke it, declare a secret block with the environment variable that holds the new one, and refer to that from a provider."})
		}
	}
}
