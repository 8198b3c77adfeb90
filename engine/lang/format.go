package lang

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/ml-dev-bench/bench/engine"
)

// Format gives a benchfile its usual layout, and changes nothing else. The text
// is nil if the file does not parse.
func Format(name string, text []byte) ([]byte, *Sources, engine.Diagnostics) {
	l := &loader{sources: &Sources{files: map[string][]byte{name: text}}}
	_, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	l.hcl(diags, "V01")
	if diags.HasErrors() {
		return nil, l.sources, l.diags.Sorted()
	}
	return hclwrite.Format(text), l.sources, nil
}
