package check

import (
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever a check writes, what is read is finite, bounded and named, and is
// read again as the same from its own JSON.
func FuzzParseMetrics(f *testing.F) {
	for _, seed := range []string{`{}`, `null`, `{"a": 1}`, `{"a": {"value": 1, "unit": "s"}}`, `{"a": {"unit": "s"}}`, `{"a": 1e999}`, `{"a": {"Value": 1}}`, "{\"\xff\": 1}", `{"a": 1, "a": null}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		metrics, err := parseMetrics(text)
		if err != nil {
			return
		}
		if len(metrics) > maxMetrics {
			t.Errorf("%d metrics", len(metrics))
		}
		for name, m := range metrics {
			if name == "" || !utf8.ValidString(name) || math.IsNaN(m.Value) || math.IsInf(m.Value, 0) {
				t.Errorf("%q: %v", name, m)
			}
		}
		again, err := json.Marshal(metrics)
		if err != nil {
			t.Fatal(err)
		}
		if back, err := parseMetrics(again); err != nil || !reflect.DeepEqual(back, metrics) {
			t.Errorf("%s: %v, %v", again, back, err)
		}
	})
}

func TestLastLine(t *testing.T) {
	long := strings.Repeat("ä", 150)
	for _, test := range []struct{ text, want string }{
		{"", ""},
		{" \n\t\n", ""},
		{"one", "one"},
		{"one\ntwo\n", "two"},
		{"one\r\n  two \r\n\r\n", "two"},
		{long, strings.Repeat("ä", 100) + "..."},
		{"x" + long, "x" + strings.Repeat("ä", 99) + "..."}, // not half a character
	} {
		if got := lastLine(test.text); got != test.want {
			t.Errorf("%q: got %q, want %q", test.text, got, test.want)
		}
	}
}
