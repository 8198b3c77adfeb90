package lang

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What a diagnostic names can be looked up.
func TestRulesAreListed(t *testing.T) {
	var listed []string
	for i, r := range rules {
		if want := fmt.Sprintf("V%02d", i+1); r.number != want {
			t.Errorf("rule %d has the number %s", i+1, r.number)
		}
		if r.doc == "" || !strings.HasSuffix(r.doc, ".") || r.severity == "" {
			t.Errorf("%s is not described", r.number)
		}
		listed = append(listed, r.number)
	}
	number := regexp.MustCompile(`"(V\d+)"`)
	used := map[string]bool{}
	for _, dir := range []string{".", "../plan", "../../cmd/bench"} {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("no files in %s (%v)", dir, err)
		}
		for _, file := range files {
			if filepath.Base(file) == "rules.go" && dir == "." || strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range number.FindAllStringSubmatch(string(text), -1) {
				used[m[1]] = true
				if !slices.Contains(listed, m[1]) {
					t.Errorf("%s names %s, which is no rule", file, m[1])
				}
			}
		}
	}
	for _, number := range listed {
		if !used[number] {
			t.Logf("nothing names %s", number)
		}
	}
}
