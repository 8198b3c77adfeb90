package lang

import (
	"path/filepath"
	"sync"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
)

// Trials start side by side, and each has the whole budget for what its agent is
// given.
func TestBindSideBySide(t *testing.T) {
	l := rooted(t, map[string]string{"cases/README": "", "suite.hcl": `
suite "s" {}
sandbox "s" { image = "i" }
case "c" {
  sandbox = sandbox.s
  prompt  = "p"
  check "k" { command = ["true"] }
}
agent "a" {
  command     = ["sh", join("", [for i in range(20) : format("%s-%d %s", trial.case, trial.n, join("", [{ x = "y" }][*].x))])]
  needs_model = false
}
matrix "m" {
  cases  = [case.c]
  agents = [agent.a]
}
`})
	suite, _, diags := Load(filepath.Join(l.rootDir, "suite.hcl"), Options{Root: l.rootDir})
	if suite == nil {
		t.Fatal(diags)
	}
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			for i := range 50 {
				if _, err := suite.Agents[0].Bind(engine.TrialValues{Case: "c", N: n*100 + i}); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}
