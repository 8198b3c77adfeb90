package sandbox_test

import (
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Whatever the writes are, an Output keeps the beginning and the end, and
// counts what it cut.
func TestOutput(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.IntRange(0, 40).Draw(t, "limit")
		out := sandbox.NewOutput(limit)
		var all strings.Builder
		for _, w := range rapid.SliceOf(rapid.StringMatching(`[a-z]{0,60}`)).Draw(t, "writes") {
			if n, err := out.Write([]byte(w)); n != len(w) || err != nil {
				t.Fatalf("Write gave %d, %v", n, err)
			}
			all.WriteString(w)
		}
		text, half := all.String(), limit/2
		want := text
		if cut := len(text) - 2*half; cut > 0 {
			want = fmt.Sprintf("%s\n[bench: %d bytes cut here]\n%s", text[:half], cut, text[len(text)-half:])
		}
		if got := out.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if out.Written() != int64(len(text)) || out.Kept() != int64(min(len(text), 2*half)) {
			t.Errorf("%d written, %d kept", out.Written(), out.Kept())
		}
	})
}
