package plan

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/agext/levenshtein"
)

// nearest is the one of names, which are sorted, that s was probably meant to be,
// or "" if none is near.
func nearest(s string, names []string) string {
	length := utf8.RuneCountInString(s)
	best, distance := "", length/3+2
	for _, name := range names {
		if apart := utf8.RuneCountInString(name) - length; apart >= distance || -apart >= distance {
			continue // it cannot be nearer than that
		}
		if d := levenshtein.Distance(s, name, nil); d < distance {
			best, distance = name, d
		}
	}
	return best
}

// didYouMean is a sentence that proposes the nearest of names, or lists them if
// none is near; with a space before it.
func didYouMean(s string, names []string) string {
	names = slices.Sorted(slices.Values(names))
	if n := nearest(s, names); n != "" {
		return fmt.Sprintf(" Did you mean %q?", n)
	}
	more := ""
	if len(names) > 8 {
		more = fmt.Sprintf(" and %d more", len(names)-8)
		names = names[:8]
	}
	switch len(names) {
	case 0:
		return ""
	case 1:
		return " There is " + quoted(names) + "."
	}
	return " There are " + quoted(names) + more + "."
}
