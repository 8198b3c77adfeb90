package docker

import (
	"slices"
	"testing"
	"time"
)

// What is below an image that is used is used, and its size counts once.
func TestStack(t *testing.T) {
	at := func(hour int64) time.Time { return time.Unix(hour*3600, 0) }
	image := func(id string, size, used int64, inUse bool, layers ...string) *node {
		return &node{Thing: Thing{ID: id, Size: size, Used: at(used), InUse: inUse}, ours: true, layers: layers}
	}
	pulled := &node{Thing: Thing{ID: "pulled", Size: 100, Used: at(9), InUse: true}, layers: []string{"a"}}
	theirs := &node{Thing: Thing{ID: "theirs", Size: 150, Used: at(1), InUse: true}, layers: []string{"a", "d", "e"}}
	got := stack([]*node{
		image("below", 130, 1, false, "a", "b"), pulled, image("renamed", 130, 2, false, "a", "b"), theirs,
		image("over", 137, 5, false, "a", "b", "c"), image("alone", 10, 3, false, "z"),
		image("under theirs", 120, 1, false, "a", "d"), image("busy", 11, 4, true, "y"), image("empty", 0, 0, false),
	})
	want := []Thing{
		{ID: "empty", Used: at(0)}, {ID: "under theirs", Size: 20, Used: at(1), InUse: true}, {ID: "renamed", Used: at(2)}, {ID: "alone", Size: 10, Used: at(3)},
		{ID: "busy", Size: 11, Used: at(4), InUse: true}, {ID: "over", Size: 7, Used: at(5)}, {ID: "below", Size: 30, Used: at(5)},
	}
	same := func(a, b Thing) bool {
		return a.ID == b.ID && a.Size == b.Size && a.Used.Equal(b.Used) && a.InUse == b.InUse
	}
	if !slices.EqualFunc(got, want, same) {
		t.Errorf("got  %+v\nwant %+v", got, want)
	}
}

// Both versions of control groups, and those that have no bounds.
func TestParseLimits(t *testing.T) {
	number := func(n int64) *int64 { return &n }
	for _, test := range []struct {
		text string
		want Limits
	}{
		{"memory 67108864\npids 32\ncpu 50000 100000\n", Limits{number(67108864), number(32), new(0.5)}},
		{"memory max\npids max\ncpu max 100000\n", Limits{}},
		{"memory 9223372036854771712\npids max\ncpu -1 100000\n", Limits{Memory: number(9223372036854771712)}},
		{"memory\npids\ncpu\n", Limits{}},
		{"", Limits{}},
	} {
		got := parseLimits(test.text)
		if !equal(got.Memory, test.want.Memory) || !equal(got.PIDs, test.want.PIDs) || !equal(got.CPUs, test.want.CPUs) {
			t.Errorf("%q: got %+v", test.text, got)
		}
	}
}

func equal[T comparable](a, b *T) bool { return a == b || a != nil && b != nil && *a == *b }

// Only as far off as a clock must be, whenever in between it was read.
func TestOffset(t *testing.T) {
	before := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	after := before.Add(time.Second)
	for text, want := range map[string]time.Duration{
		"2026-01-02T03:04:05.5Z": 0, "2026-01-02T03:04:03.000000000Z": -2 * time.Second, "2026-01-02T05:04:09+02:00": 3 * time.Second,
	} {
		if got := offset(text, before, after); got == nil || *got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
	if got := offset("noon", before, after); got != nil {
		t.Errorf("got %v of a clock that cannot be read", *got)
	}
}
