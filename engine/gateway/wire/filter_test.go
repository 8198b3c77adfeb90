package wire_test

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

func filtered(pieces ...[]byte) string {
	var u wire.UsageFilter
	var out []byte
	for _, p := range pieces {
		out = u.Next(out, p)
	}
	return string(u.Rest(out))
}

const (
	chunk      = `data: {"choices":[{"index":0,"delta":{"content":"x"}}],"usage":null}`
	usageChunk = `data: {"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}`
)

func TestUsageFilter(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, c := range []struct{ name, in, want string }{
		{"at the end", chunk + "\n\n" + usageChunk + "\n\ndata: [DONE]\n\n", chunk + "\n\ndata: [DONE]\n\n"},
		{"without an end", chunk + "\n\n" + usageChunk, chunk + "\n\n"},
		{"no empty lines", chunk + "\n" + usageChunk + "\n" + chunk + "\n", chunk + "\n" + chunk + "\n"},
		{"no space, no choices", `data:{"usage":{"prompt_tokens":1}}` + "\n\nx", "x"},
		{"with a choice", `data: {"choices":[{}],"usage":{"prompt_tokens":1}}` + "\n\n", `data: {"choices":[{}],"usage":{"prompt_tokens":1}}` + "\n\n"},
		{"no usage", `data: {"choices":[],"prompt_filter_results":[],"usage":null}` + "\n\n", `data: {"choices":[],"prompt_filter_results":[],"usage":null}` + "\n\n"},
		{"an error", `data: {"error":{"message":"m"},"usage":{"prompt_tokens":1}}` + "\n\n", `data: {"error":{"message":"m"},"usage":{"prompt_tokens":1}}` + "\n\n"},
		{"kept alive", "\n\n\n" + usageChunk + "\n\n\n\n" + ": c\n\n", "\n\n\n\n\n" + ": c\n\n"},
		{"no stream", `{"usage":{"prompt_tokens":1},"choices":[]}` + "\n", `{"usage":{"prompt_tokens":1},"choices":[]}` + "\n"},
		{"too long", `data: {"usage":{"x":"` + strings.Repeat("x", 1<<17) + "\"}}\n", `data: {"usage":{"x":"` + strings.Repeat("x", 1<<17) + "\"}}\n"},
		{"garbage", "data: {\"usage\"\xff\ndata\nda\n\r\rdat", "data: {\"usage\"\xff\ndata\nda\n\r\rdat"},
	} {
		for _, end := range []string{"\n", "\r\n", "\r"} {
			in, want := []byte(strings.ReplaceAll(c.in, "\n", end)), strings.ReplaceAll(c.want, "\n", end)
			if c.name == "garbage" {
				in, want = []byte(c.in), c.want
			}
			if diff := cmp.Diff(want, filtered(in)); diff != "" {
				t.Errorf("%s, %q (-want +got):\n%s", c.name, end, diff)
			}
			for range 20 {
				if got := filtered(cut(r, in)...); got != want {
					t.Errorf("%s, %q, in pieces: %q", c.name, end, got)
				}
			}
		}
	}
}

// TestFilterIsPrompt holds that what has come goes on at once, where it can.
func TestFilterIsPrompt(t *testing.T) {
	var u wire.UsageFilter
	for _, line := range []string{"\n", ": c\n", "event: x\n", chunk + "\n", "\n", "dat"} {
		want := line
		if line == "dat" {
			want = ""
		}
		if got := u.Next(nil, []byte(line)); string(got) != want {
			t.Errorf("%q went on as %q", line, got)
		}
	}
	if got := u.Next(nil, []byte("e: 1")); string(got) != "date: 1" {
		t.Errorf("what is no data is held: %q", got)
	}
}

// FuzzUsageFilter holds that it takes out lines of usage and nothing else, whatever
// the pieces.
func FuzzUsageFilter(f *testing.F) {
	for file, a := range archives(f, "answers") {
		if familyOf(f, file) == wire.OpenAI {
			f.Add(section(a, "answer"), uint64(7))
		}
	}
	f.Fuzz(func(t *testing.T, answer []byte, seed uint64) {
		got := filtered(answer)
		if pieces := filtered(cut(rand.New(rand.NewPCG(seed, 0)), answer)...); pieces != got {
			t.Errorf("whole %q, in pieces %q", got, pieces)
		}
		if !bytes.Contains(answer, []byte(`usage"`)) && got != string(answer) {
			t.Errorf("%q became %q", answer, got)
		}
		if again := filtered([]byte(got)); len(again) > len(got) {
			t.Errorf("%q became %q", got, again)
		}
	})
}
