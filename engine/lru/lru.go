// Package lru says what has to go so that the rest fits: the least recently used
// first. It is pure; whoever asks does the removing.
//
//	for _, i := range lru.Victims(items, 20<<30) {
//		remove(items[i])
//	}
package lru

import (
	"slices"
	"time"
)

// An Item is something that takes space.
type Item struct {
	Size int64     // bytes that its removal frees
	Used time.Time // when it was used last
	Kept bool      // it stays whatever it takes; it counts, nevertheless
}

// Victims are the indices of the items that go, in the order in which they go,
// so that what is left takes no more than the budget. What frees nothing stays:
// its loss would gain nothing. If what is kept is over the budget by itself,
// everything else goes.
func Victims(items []Item, budget int64) []int {
	var total int64
	var order []int
	for i, item := range items {
		total += item.Size
		if !item.Kept && item.Size > 0 {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return items[a].Used.Compare(items[b].Used) })
	for n, i := range order {
		if total <= budget {
			return order[:n]
		}
		total -= items[i].Size
	}
	return order
}
