package mask

import (
	"encoding/base64"
	"encoding/hex"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A target is a form of a secret without white space and escapes: those may be
// anywhere in what is read.
type target struct {
	name  string
	units []unit
}

// A unit is a byte of a target. Some are one of two: digits of hexadecimal numbers in
// both cases, and what the two alphabets of base64 differ in.
type unit struct{ a, b byte }

func (u unit) is(b byte) bool { return b == u.a || b == u.b }

func one(b byte) unit { return unit{b, b} }

// targetsOf gives the forms of a secret. White space around it is no part of it.
func targetsOf(s Secret) []target {
	value := strings.TrimSpace(s.Value)
	out := []target{{s.Name, plainUnits(value)}, {s.Name, plainUnits(backwards(value))}, {s.Name, hexUnits(value)}}
	for before := range 3 {
		out = append(out, target{s.Name, base64Units(value, before)})
	}
	return out
}

func plainUnits(value string) []unit {
	var out []unit
	for _, word := range strings.Fields(value) {
		for _, b := range []byte(word) {
			out = append(out, one(b))
		}
	}
	return out
}

// backwards turns a text around, character by character.
func backwards(text string) string {
	var b strings.Builder
	for text != "" {
		_, size := utf8.DecodeLastRuneInString(text)
		b.WriteString(text[len(text)-size:])
		text = text[:len(text)-size]
	}
	return b.String()
}

func hexUnits(value string) []unit {
	low := hex.EncodeToString([]byte(value))
	up := strings.ToUpper(low)
	out := make([]unit, len(low))
	for i := range out {
		out[i] = unit{low[i], up[i]}
	}
	return out
}

// base64Units are the characters that are the same in every text in which so many
// bytes, modulo 3, stand before the value: those that have no bit of what is around.
func base64Units(value string, before int) []unit {
	text := base64.RawStdEncoding.EncodeToString([]byte(strings.Repeat("\x00", before) + value))
	first := (8*before + 5) / 6
	last := 8 * (before + len(value)) / 6
	out := make([]unit, 0, last-first)
	for _, c := range []byte(text[first:last]) {
		u := one(c)
		switch c {
		case '+':
			u.b = '-'
		case '/':
			u.b = '_'
		}
		out = append(out, u)
	}
	return out
}

// runeAt is the character of a target that begins with a unit.
func (t target) runeAt(i int) (r rune, size int) {
	var text [utf8.UTFMax]byte
	n := 0
	for ; n < len(text) && i+n < len(t.units); n++ {
		text[n] = t.units[i+n].a
	}
	return utf8.DecodeRune(text[:n])
}

// escaped gives the one or two numbers by which \u writes a character.
func escaped(r rune) (first, second rune) {
	if r < 0x10000 {
		return r, 0
	}
	return utf16.EncodeRune(r)
}
