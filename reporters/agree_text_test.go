package reporters_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"pgregory.net/rapid"
)

var counted = regexp.MustCompile(`(\d+) (trial|\w+)`)

// sentence reads the counts of the totals: a page begins with those of all, a
// screen ends with them.
func sentence(t *rapid.T, text, pattern string) totals {
	lines := regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1)
	if len(lines) == 0 {
		t.Fatalf("no totals in\n%s", text)
	}
	line := lines[len(lines)-1][1]
	if strings.HasPrefix(text, "#") {
		line = lines[0][1]
	}
	out := totals{}
	for _, m := range counted.FindAllStringSubmatch(line, -1) {
		name := m[2]
		if name == "trial" {
			name = "trials"
		}
		out[name], _ = strconv.Atoi(m[1])
	}
	return out
}

var gap = regexp.MustCompile(`\s*\|\s*|\s{2,}`)

// tables adds up the columns of all tables that count trials, be they drawn with
// bars or with spaces.
func tables(text string) totals {
	out := totals{}
	var header []string
	for line := range strings.Lines(text) {
		cells := gap.Split(strings.TrimSpace(line), -1)
		switch {
		case slices.Contains(cells, "trials"):
			header = cells
		case len(cells) != len(header):
			header = nil
		default:
			for i, c := range cells {
				if n, err := strconv.Atoi(c); err == nil {
					out[header[i]] += n
				}
			}
		}
	}
	return out
}
