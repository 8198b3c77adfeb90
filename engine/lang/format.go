package lang

import (
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
	return hclwrite.Format(text), l.sources, nil
}
