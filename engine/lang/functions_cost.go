package lang

import (
	"regexp/syntax"
	"strings"

	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
)

// What functions cost whose result can be much larger than their arguments, or
// that work much longer than these would let one expect. It is charged before
// they run, by what they will do at most.

// text is an argument that is a string; "" for one that is not known or not a
// string, of which the function itself will complain.
func text(args []cty.Value, i int) string {
	if i >= len(args) || args[i].Type() != cty.String || !args[i].IsKnown() || args[i].IsNull() {
		return ""
	}
	return args[i].AsString()
}

// lengthOf is how many elements an argument has; 0 if that is not known.
func lengthOf(v cty.Value) int64 {
	if !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return 0
	}
	return int64(v.LengthInt())
}

// times multiplies, and stops at what no budget allows.
func times(a, b int64) int64 {
	if a > 0 && b > budget/a {
		return budget + 1
	}
	return a * b
}

// Every element is compared with every other one.
func costDistinct(args []cty.Value) int64 {
	n := lengthOf(args[0])
	return times(n, n) * 8
}

func costSetProduct(args []cty.Value) int64 {
	total := int64(1)
	for _, a := range args {
		total = times(total, lengthOf(a))
	}
	return times(total, costElement*int64(len(args)+1))
}

func costJoin(args []cty.Value) int64 {
	elements, bytes := int64(0), int64(0)
	for _, list := range args[1:] {
		elements += lengthOf(list)
		bytes += weightOf(list)
	}
	return bytes + times(elements, int64(len(text(args, 0))))
}

func costSplit(args []cty.Value) int64 {
	return costElement * int64(strings.Count(text(args, 1), text(args, 0))+1)
}

func costReplace(args []cty.Value) int64 {
	return int64(len(text(args, 0))) + times(int64(strings.Count(text(args, 0), text(args, 1))), int64(len(text(args, 2))))
}

// costFormat adds up all widths and precisions, and for each verb the largest of
// the values, since a verb can name any of them. Texts that are numbers too large
// to be written out are refused where a verb may do so.
func costFormat(args []cty.Value) int64 {
	largest, wild := int64(0), false
	for i, v := range args[1:] {
		largest = max(largest, weightOf(v))
		wild = wild || wildText(text(args, i+1))
	}
	form := text(args, 0)
	cost, number, verb := int64(len(form)), int64(0), false
	for i := range len(form) {
		switch c := form[i]; {
		case c == '%':
			cost = min(cost+largest, budget+1)
			verb = true
		case verb && c >= '0' && c <= '9':
			number = min(number*10+int64(c-'0'), budget+1)
		case verb && strings.IndexByte("+-. #[]", c) >= 0:
			cost, number = min(cost+number, budget+1), 0
		case verb:
			cost, number, verb = min(cost+number, budget+1), 0, false
			if wild && strings.IndexByte("bdoxXeEfgG", c) >= 0 {
				return budget + 1
			}
		}
	}
	return cost
}

// maxPattern bounds a regular expression, counted in what it compiles to.
const maxPattern = 10_000

func costRegex(args []cty.Value) int64 {
	re, err := syntax.Parse(text(args, 0), syntax.Perl)
	if err != nil {
		return 0
	}
	size := patternSize(re)
	if size > maxPattern {
		return budget + 1
	}
	return 64*size + times(size, int64(len(text(args, 1))))
}

// patternSize is about how many instructions a regular expression compiles to.
func patternSize(re *syntax.Regexp) int64 {
	size := int64(1 + len(re.Rune)/2)
	for _, sub := range re.Sub {
		size += patternSize(sub)
	}
	if re.Op == syntax.OpRepeat {
		size = times(size, int64(max(re.Min, re.Max, 1)))
	}
	return min(size, budget)
}

func costJSONEncode(args []cty.Value) int64 {
	return weightOf(args[0])
}

func costJSONDecode(args []cty.Value) int64 { return costStructure(text(args, 0), "[{,:") }

func costCSVDecode(args []cty.Value) int64 { return costStructure(text(args, 0), ",\n") }

// A YAML document can name a part of itself again and again, so that a few lines
// mean very many values. Its type tells how many, and is made at little cost.
func costYAMLDecode(args []cty.Value) int64 {
	doc := text(args, 0)
	cost := costStructure(doc, "[{,:\n-")
	if cost > budget || yamlNesting(doc) > maxNesting {
		return cost
	}
	t, err := yaml.Standard.ImpliedType([]byte(doc))
	if err != nil {
		return cost
	}
	left := int64(budget)
	weighType(t, &left)
	return cost + budget - left
}

// costStructure charges a text by the characters that can begin an element.
func costStructure(doc, marks string) int64 {
	n, digits, longest := int64(1), int64(0), int64(0)
	for i := range len(doc) {
		if strings.IndexByte(marks, doc[i]) >= 0 {
			n++
		}
		if digits++; doc[i] < '0' || doc[i] > '9' {
			digits = 0
		}
		longest = max(longest, digits)
	}
	return n*costElement + int64(len(doc)) + times(longest, longest/costElement) // numbers are read in the square of their length
}

// jsonNesting is how deep lists and objects of a JSON document lie in each other.
func jsonNesting(doc string) int {
	depth, deepest, quoted := 0, 0, false
	for i := 0; i < len(doc); i++ {
		switch c := doc[i]; {
		case quoted && c == '\\':
			i++
		case c == '"':
			quoted = !quoted
		case !quoted && (c == '[' || c == '{'):
			depth++
			deepest = max(deepest, depth)
		case !quoted && (c == ']' || c == '}'):
			depth--
		}
	}
	return deepest
}

// yamlNesting is at least how deep a YAML document is nested on one line. What
// is nested by indentation alone is not deep in a megabyte.
func yamlNesting(doc string) int {
	deepest, depth := 0, 0
	for line := range strings.SplitSeq(doc, "\n") {
		dashes := 0
		for rest := strings.TrimLeft(line, " "); strings.HasPrefix(rest, "- ") || strings.HasPrefix(rest, "? "); rest = strings.TrimLeft(rest[2:], " ") {
			dashes++
		}
		deepest = max(deepest, dashes)
		for i := range len(line) {
			switch line[i] {
			case '[', '{':
				depth++
			case ']', '}':
				depth = max(0, depth-1)
			}
			deepest = max(deepest, depth)
		}
	}
	return deepest
}
