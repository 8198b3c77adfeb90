package lang

import (
	"errors"
	"maps"
	"math/big"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// A scale weighs values, until nothing is left.
type scale struct {
	left    int64
	numeric bool // text will be read as numbers
	wide    bool // lists and maps will be converted, which takes the square of their length
	wild    bool // it has found a number that no computer likes
}

// errWild is the error of a number that is not like those of other programs.
var errWild = errors.New("number out of range")

const wildDetail = "A number has at most 400 digits, and lies between -1e308 and 1e308. Write or compute a smaller one."

// wild reports whether a value holds a number, or a text that will be read as
// one, which would fill the memory if it were written out.
func wild(v cty.Value, numeric bool) bool {
	s := scale{left: budget, numeric: numeric}
	s.weigh(v)
	return s.wild
}

// tooWide reports whether converting a value would take too long.
func tooWide(v cty.Value) bool {
	s := scale{left: budget, wide: true}
	s.weigh(v)
	return s.left < 0
}

// holdsNumbers reports whether something of a type can be a number.
func holdsNumbers(t cty.Type) bool {
	switch {
	case t.IsCollectionType():
		return holdsNumbers(t.ElementType())
	case t.IsTupleType():
		return slices.ContainsFunc(t.TupleElementTypes(), holdsNumbers)
	case t.IsObjectType():
		return slices.ContainsFunc(slices.Collect(maps.Values(t.AttributeTypes())), holdsNumbers)
	}
	return t == cty.Number
}

// weightOf is how heavy a value is, or the whole budget if it is heavier.
func weightOf(v cty.Value) int64 {
	s := scale{left: budget}
	s.weigh(v)
	return budget - max(s.left, 0)
}

// weigh takes the weight of a value from what is left. It ends early, since a
// value can hold another one many times, and these again others.
func (s *scale) weigh(v cty.Value) {
	s.left -= costElement
	if s.left < 0 {
		return
	}
	if v.IsMarked() {
		v, _ = v.Unmark()
	}
	if !v.IsKnown() || v.IsNull() {
		return
	}
	t := v.Type()
	if s.wide && (t.IsTupleType() || t.IsObjectType()) {
		n := int64(v.LengthInt())
		s.left -= times(n, n/4)
	}
	switch {
	case t == cty.String:
		text := v.AsString()
		s.left -= int64(len(text))
		s.wild = s.wild || s.numeric && wildText(text)
	case t == cty.Number:
		s.wild = s.wild || wildNumber(v.AsBigFloat())
	case t.IsObjectType(): // its elements can be had without sorting them
		for name := range t.AttributeTypes() {
			if s.left -= int64(len(name)); s.left < 0 {
				return
			}
			s.weigh(v.GetAttr(name))
		}
	case v.CanIterateElements():
		for it := v.ElementIterator(); s.left >= 0 && it.Next(); {
			k, e := it.Element()
			if t.IsMapType() {
				s.left -= int64(len(k.AsString()))
			}
			s.weigh(e)
		}
	}
}

// weighType takes the weight that a value of a type has at least.
func weighType(t cty.Type, left *int64) {
	*left -= costElement
	if *left < 0 {
		return
	}
	switch {
	case t.IsTupleType():
		for _, e := range t.TupleElementTypes() {
			weighType(e, left)
		}
	case t.IsObjectType():
		for name, e := range t.AttributeTypes() {
			*left -= int64(len(name))
			weighType(e, left)
		}
	}
}

// maxExponent is that of the largest number which other programs understand.
const maxExponent = 1100

// wildNumber finds numbers whose digits would fill the memory if they were
// written out, or that cannot be written at all.
func wildNumber(f *big.Float) bool {
	e := f.MantExp(nil)
	return f.IsInf() || e > maxExponent || e < -maxExponent
}

// maxDigits bounds the length of a text that is read as a number.
const maxDigits = 400

// wildText finds texts that are wild numbers, without reading them.
func wildText(s string) bool {
	rest := strings.TrimLeft(s, "+-.0123456789")
	if len(s)-len(rest) > maxDigits {
		return true
	}
	if rest == s || rest == "" || rest[0] != 'e' && rest[0] != 'E' {
		return false
	}
	exponent := strings.TrimLeft(rest[1:], "+-0")
	return len(exponent)-len(strings.TrimLeft(exponent, "0123456789")) > 3
}
