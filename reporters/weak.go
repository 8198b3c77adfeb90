package reporters

import (
	"fmt"

	"github.com/ml-dev-bench/bench/engine"
)

// A Weakness is why the verdicts on some trials prove less than others.
type Weakness struct {
	Text   string // in one line
	Trials int
}

// Weaknesses counts the trials that have one, in the order of their first ones.
func Weaknesses(results []engine.Result) (all []Weakness) {
	at := map[string]int{}
	for i := range results {
		for _, text := range results[i].Weaknesses() {
			text = Line(text)
			if _, known := at[text]; !known {
				at[text] = len(all)
				all = append(all, Weakness{Text: text})
			}
			all[at[text]].Trials++
		}
	}
	return all
}

// Count is the number of trials in words.
func (w Weakness) Count() string {
	if w.Trials == 1 {
		return "1 trial"
	}
	return fmt.Sprintf("%d trials", w.Trials)
}
