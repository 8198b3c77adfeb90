package lru_test

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine/lru"
)

// What a choice of victims promises, for many sets of items.
func TestVictims(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 5000 {
		items := make([]lru.Item, random.IntN(9))
		for i := range items {
			items[i] = lru.Item{Size: random.Int64N(6), Used: time.Unix(random.Int64N(5), 0), Kept: random.IntN(4) == 0}
		}
		check(t, items, random.Int64N(30))
	}
}

func check(t *testing.T, items []lru.Item, budget int64) {
	t.Helper()
	victims := lru.Victims(items, budget)
	var left, stays int64
	for i, item := range items {
		if !slices.Contains(victims, i) {
			left += item.Size
		}
		if item.Kept {
			stays += item.Size
		}
	}
	if left > max(budget, stays) {
		t.Errorf("%v, budget %d: %d are left after %v", items, budget, left, victims)
	}
	for n, i := range victims {
		if items[i].Kept || items[i].Size == 0 || slices.Contains(victims[:n], i) {
			t.Errorf("%v, budget %d: %d may not go, or goes twice: %v", items, budget, i, victims)
		}
		for j, other := range items {
			if !slices.Contains(victims[:n+1], j) && !other.Kept && other.Size > 0 && other.Used.Before(items[i].Used) {
				t.Errorf("%v, budget %d: %d goes before %d, which was used earlier", items, budget, i, j)
			}
		}
	}
	if len(victims) > 0 && left+items[victims[len(victims)-1]].Size <= budget {
		t.Errorf("%v, budget %d: the last of %v need not go", items, budget, victims)
	}
}

// Those that were used at the same time go in the order in which they were given.
func TestVictimsInOrder(t *testing.T) {
	at := time.Unix(100, 0)
	items := []lru.Item{{Size: 4, Used: at}, {Size: 4, Used: at}, {Size: 4, Used: at.Add(-time.Hour)}, {Size: 9, Used: at.Add(-2 * time.Hour), Kept: true}}
	if got := lru.Victims(items, 13); !slices.Equal(got, []int{2, 0}) {
		t.Errorf("got %v", got)
	}
}
