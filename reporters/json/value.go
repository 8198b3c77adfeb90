package json

import (
	"bytes"
	"fmt"
	"math"
	"time"
	"unicode"

	"github.com/ml-dev-bench/bench/engine"
)

// escapeControls escapes the characters of JSON text that encoding/json leaves
// as they are, but a terminal obeys: DEL, the controls of the upper half, and
// marks that turn the direction of text. They can only be within strings.
func escapeControls(text []byte) []byte {
	var out bytes.Buffer
	for _, r := range string(text) {
		if obeyed(r) {
			fmt.Fprintf(&out, `\u%04x`, r)
		} else {
			out.WriteRune(r)
		}
	}
	return out.Bytes()
}

func obeyed(r rune) bool {
	return r >= 0x7f && r <= 0x9f || unicode.Is(unicode.Bidi_Control, r)
}

// number is v, or absent if JSON cannot say it.
func number(v float64) *float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return nil
	}
	return &v
}

// originOf is o, or absent if nothing is known.
func originOf(o engine.Origin) *engine.Origin {
	if o == (engine.Origin{}) {
		return nil
	}
	return &o
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return new(t.UTC())
}

func seconds(d *time.Duration) *float64 {
	if d == nil {
		return nil
	}
	return new(d.Seconds())
}

// list makes nil an empty list, so that readers can walk it.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
