package reporters

import (
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
)

// Variants counts trials by the variant of their assets. Those of cases without
// assets are in neither count. What one variant came to says nothing about the
// other, so no report shows a rate without them.
type Variants struct {
	Full int
	Mini int
}

func (v *Variants) count(t *engine.Trial) {
	switch t.Assets {
	case engine.VariantFull:
		v.Full++
	case engine.VariantMini:
		v.Mini++
	}
}

// Sentence is "assets full", "assets mini", or with how many trials had which.
// It is empty if no case has assets.
func (v Variants) Sentence() string {
	switch {
	case v.Full > 0 && v.Mini > 0:
		return fmt.Sprintf("assets mini in %s, full in %d", trials(v.Mini), v.Full)
	case v.Mini > 0:
		return "assets mini"
	case v.Full > 0:
		return "assets full"
	}
	return ""
}
