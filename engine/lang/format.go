package lang

import (
	"bytes"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/ml-dev-bench/bench/engine"
)

// Format gives a benchfile its usual layout, and changes nothing else. The text
// is nil if the file does not parse.
func Format(name string, text []byte) ([]byte, *Sources, engine.Diagnostics) {
	l := newLoader(Options{})
	l.sources.files[name] = text
	if l.syntax(name, text) == nil {
		return nil, l.sources, l.all()
	}
	out := hclwrite.Format(text)
	if !slices.EqualFunc(words(text), words(out), bytes.Equal) {
		// The library takes the spaces out of "70 . 5", which makes another
		// number of it. Such a file stays as it is.
		return bytes.Clone(text), l.sources, nil
	}
	return out, l.sources, nil
}

// words are the tokens of a text, without the space around them.
func words(text []byte) [][]byte {
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos)
	out := make([][]byte, len(tokens))
	for i, t := range tokens {
		out[i] = bytes.TrimSpace(t.Bytes)
	}
	return out
}
