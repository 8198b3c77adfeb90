package reporters_test

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/ml-dev-bench/bench/reporters"
	"github.com/ml-dev-bench/bench/reporters/reportertest"
)

func TestClean(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{"plain\ttext\n", "plain\ttext\n"},
		{"\x1b[31mred\x1b[0m", "red"},
		{"\x1b[38;5;196mred\x1b[m", "red"},
		{"\x1b]0;title\x07after", "after"},
		{"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"},
		{"\x1bPdcs\x1b\\after", "after"},
		{"\x1b]never ended\nnext", "\nnext"},
		{"\x1b(Bcharset", "charset"},
		{"\x1b\x1b[31mtwice", "twice"},
		{"end\x1b", "end"},
		{"end\x1b[", "end"},
		{"\u009b31mred", "red"},
		{"10%\r20%\r\ndone", "10%\n20%\ndone"},
		{"a\x00b\x7fc\bd", "abcd"},
		{"bad \xff\xfe utf", "bad \uFFFD utf"},
		{"\ufffe\uffff", "\uFFFD\uFFFD"},
		{"\u202egnp.exe\ufeff", "gnp.exe"},
		{"grüße 世界 👩‍🔬", "grüße 世界 👩‍🔬"},
	} {
		if got := reporters.Clean(c.in); got != c.want {
			t.Errorf("Clean(%q) is %q, want %q", c.in, got, c.want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add(reportertest.Evil)
	f.Add("\x1b[\x1b]0;\x1b[31m\u009d\x9b")
	f.Fuzz(func(t *testing.T, s string) {
		got := reporters.Clean(s)
		if !utf8.ValidString(got) {
			t.Errorf("%q is not valid UTF-8", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) && r != '\n' && r != '\t' || r == 0xFFFE || r == 0xFFFF {
				t.Errorf("%q holds %q", got, r)
			}
		}
		if again := reporters.Clean(got); again != got {
			t.Errorf("cleaned twice, %q becomes %q", got, again)
		}
		if line := reporters.Line(s); strings.ContainsAny(line, "\n\t") {
			t.Errorf("Line gives %q", line)
		}
	})
}

func TestCut(t *testing.T) {
	long := strings.Repeat("ä", 100)
	for _, c := range []struct{ name, got, want string }{
		{"head, short", reporters.Head("short", 5), "short"},
		{"head", reporters.Head(strings.Repeat("a", 40)+"end", 30), strings.Repeat("a", 15) + " [28 bytes cut]"},
		{"head between bytes", reporters.Head(long, 30), strings.Repeat("ä", 7) + " [186 bytes cut]"},
		{"tail", reporters.Tail("begin"+strings.Repeat("a", 40), 30), "[30 bytes cut]\n" + strings.Repeat("a", 15)},
		{"lines, few", reporters.LastLines("a\nb\n\n", 2), "a\nb"},
		{"lines", reporters.LastLines("a\nb\nc\nd", 2), "[2 lines cut]\nc\nd"},
		{"no lines", reporters.LastLines("\n", 2), ""},
	} {
		if c.got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, c.got, c.want)
		}
	}
	for limit := 20; limit < 210; limit++ {
		for _, got := range []string{reporters.Head(long, limit), reporters.Tail(long, limit)} {
			if len(got) > limit || !utf8.ValidString(got) {
				t.Fatalf("cut to %d bytes: %q has %d", limit, got, len(got))
			}
		}
	}
}
