package lang

import (
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// CasesText is a benchfile, for Options.Text, whose one matrix gives cases to the
// agent that does nothing. Patterns are as a matrix has them.
func CasesText(suite string, patterns []string) []byte {
	f := hclwrite.NewEmptyFile()
	f.Body().AppendNewBlock("suite", []string{suite})
	f.Body().AppendNewBlock("agent", []string{"noop"}).Body().SetAttributeValue("builtin", cty.StringVal("noop"))
	var list []cty.Value
	for _, p := range patterns {
		list = append(list, cty.StringVal(p))
	}
	m := f.Body().AppendNewBlock("matrix", []string{suite}).Body()
	m.SetAttributeValue("cases", cty.ListVal(list))
	m.SetAttributeRaw("agents", hclwrite.TokensForTuple([]hclwrite.Tokens{hclwrite.TokensForIdentifier("agent.noop")}))
	return f.Bytes()
}
