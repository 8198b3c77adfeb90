package lang_test

import (
	"testing"

	"github.com/ml-dev-bench/bench/engine/lang"
)

// The suite that every newcomer runs first must be free of complaints.
func TestQuickstart(t *testing.T) {
	suite, sources, diags := lang.Load("../../benchfiles/quickstart.hcl", lang.Options{})
	if len(diags) > 0 {
		sources.Write(t.Output(), diags, 80, false)
		t.Fatal("diagnostics")
	}
	if got := len(suite.Matrices[0].Cases); got != 3 {
		t.Errorf("%d cases, want 3", got)
	}
}
