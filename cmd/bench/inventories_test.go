package main

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/imagelint"
)

// What is remembered of an image is what was known of it; what is damaged, or was
// made by other rules, is not remembered at all.
func TestInventories(t *testing.T) {
	c := inventories{t.TempDir()}
	const image = "sha256:abc"
	want := &imagelint.Inventory{
		Version: imagelint.Version, Path: "/bin", Sums: map[engine.Digest]string{{1}: "/a"}, Links: map[string]string{"/l": "a"},
		Found: []engine.Finding{{Severity: engine.SeverityNote, Rule: "setuid", Path: "/a", Summary: "s", Detail: "d", Fix: "f"}},
	}
	if got := c.Load(image); got != nil {
		t.Errorf("before it was kept: %+v", got)
	}
	c.Keep(image, want)
	if diff := cmp.Diff(want, c.Load(image)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	text, err := os.ReadFile(c.file(image))
	if err != nil {
		t.Fatal(err)
	}
	for n := range text {
		if err := os.WriteFile(c.file(image), text[:n], 0o600); err != nil {
			t.Fatal(err)
		}
		if c.Load(image) != nil {
			t.Fatalf("its first %d of %d bytes are taken for all", n, len(text))
		}
	}
	old := *want
	old.Version--
	c.Keep(image, &old)
	if c.Load(image) != nil {
		t.Error("the rules were others")
	}
}

// Those that were not used for longest make room.
func TestInventoriesAreBounded(t *testing.T) {
	c := inventories{t.TempDir()}
	for n := range maxInventories {
		image := fmt.Sprintf("sha256:%d", n)
		c.Keep(image, &imagelint.Inventory{Version: imagelint.Version})
		then := time.Now().Add(time.Duration(n-1000) * time.Minute)
		if err := os.Chtimes(c.file(image), then, then); err != nil {
			t.Fatal(err)
		}
	}
	if c.Load("sha256:0") == nil {
		t.Fatal("the first one is forgotten too early")
	}
	c.Keep("sha256:new", &imagelint.Inventory{Version: imagelint.Version})
	for image, want := range map[string]bool{"sha256:0": true, "sha256:1": false, "sha256:2": true, "sha256:new": true} {
		if got := c.Load(image) != nil; got != want {
			t.Errorf("%s: kept is %t", image, got)
		}
	}
}
