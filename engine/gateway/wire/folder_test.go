package wire_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// cut makes pieces of an answer at random, some of them empty.
func cut(r *rand.Rand, answer []byte) [][]byte {
	var out [][]byte
	for len(answer) > 0 {
		n := r.IntN(min(len(answer), 1+r.IntN(200)) + 1)
		out, answer = append(out, answer[:n]), answer[n:]
	}
	return out
}

// TestPieces folds each answer of testdata in pieces of any size, and with every way
// to write server-sent events that means the same.
func TestPieces(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for file, a := range archives(t, "answers") {
		family, answer := familyOf(t, file), section(a, "answer")
		want := folded(family, answer)
		ways := map[string][]byte{
			"as it is":      answer,
			"\\r\\n":        bytes.ReplaceAll(answer, []byte("\n"), []byte("\r\n")),
			"\\r":           bytes.ReplaceAll(answer, []byte("\n"), []byte("\r")),
			"a mark before": append([]byte("\xEF\xBB\xBF"), answer...),
			"kept alive":    append([]byte(strings.Repeat(wire.KeepAlive, 9)), bytes.ReplaceAll(answer, []byte("\n\n"), []byte("\n\n\n\n\n"))...),
		}
		if bytes.Contains(answer, []byte("data:")) {
			ways["comments"] = bytes.ReplaceAll(answer, []byte("\n\n"), []byte("\n\n: keep-alive\n\n"))
			ways["ids"] = bytes.ReplaceAll(answer, []byte("\ndata:"), []byte("\nid: 7\nretry: 10\ndata\ndata:"))
			ways["lines"] = bytes.ReplaceAll(answer, []byte(`,"`), []byte(",\ndata: \""))
			ways["lines with \\r\\n"] = bytes.ReplaceAll(ways["lines"], []byte("\n"), []byte("\r\n"))
		}
		for name, way := range ways {
			if strings.Contains(file, "page") && strings.HasPrefix(name, "lines") {
				continue // what was within a line is at the start of one, and so data
			}
			if diff := cmp.Diff(want, folded(family, way)); diff != "" {
				t.Fatalf("%s, %s (-want +got):\n%s", file, name, diff)
			}
			var bytewise [][]byte
			for i := range way {
				bytewise = append(bytewise, way[i:i+1])
			}
			if diff := cmp.Diff(want, folded(family, bytewise...)); diff != "" {
				t.Fatalf("%s, %s, byte by byte (-want +got):\n%s", file, name, diff)
			}
			for range 5 {
				pieces := cut(r, way)
				if diff := cmp.Diff(want, folded(family, pieces...)); diff != "" {
					t.Fatalf("%s, %s, %q (-want +got):\n%s", file, name, pieces, diff)
				}
			}
		}
	}
}

// TestCutAnswers looks at each answer behind every byte, where it may be cut: what is
// known then must be what the whole says, and never come of a part of it.
func TestCutAnswers(t *testing.T) {
	for file, a := range archives(t, "answers") {
		family, answer := familyOf(t, file), section(a, "answer")
		if family == wire.Google {
			continue // whose counts grow with every piece
		}
		whole := folded(family, answer)
		fold := wire.NewFolder(family)
		for n := range answer {
			fold.Write(answer[n : n+1])
			got := fold.Answer()
			for _, c := range [][2]*int64{
				{got.Usage.Input, whole.Usage.Input}, {got.Usage.Output, whole.Usage.Output}, {got.Usage.CacheRead, whole.Usage.CacheRead},
				{got.Usage.CacheWrite, whole.Usage.CacheWrite}, {got.Usage.Reasoning, whole.Usage.Reasoning},
			} {
				if c[0] != nil && (c[1] == nil || *c[0] != *c[1]) && !strings.Contains(file, "compaction") {
					t.Fatalf("%s, cut behind %d of %d: %s", file, n, len(answer), inJSON(t, got))
				}
			}
			if got.Model != "" && got.Model != whole.Model || got.Stop != "" && got.Stop != whole.Stop && got.Stop != "incomplete" {
				t.Fatalf("%s, cut behind %d of %d: %s", file, n, len(answer), inJSON(t, got))
			}
		}
	}
}

// TestEnded looks at each answer behind every byte: once a stream has said that it is
// at its end, nothing more is to be learnt of it.
func TestEnded(t *testing.T) {
	for file, a := range archives(t, "answers") {
		family, answer := familyOf(t, file), section(a, "answer")
		whole := folded(family, answer)
		fold := wire.NewFolder(family)
		for n := range answer {
			fold.Write(answer[n : n+1])
			if diff := cmp.Diff(whole, fold.Answer()); fold.Ended() && diff != "" {
				t.Fatalf("%s ends behind %d of %d, and then (-want +got):\n%s", file, n, len(answer), diff)
			}
		}
		want := bytes.Contains(answer, []byte("data: ")) // and that of responses ends with an error, too
		for _, endless := range []string{"-cut", "google-page", "anthropic-stream-error", "openai-stream-error"} {
			want = want && !strings.Contains(file, endless)
		}
		if fold.Ended() != want {
			t.Errorf("%s has ended: %t, wanted %t", file, fold.Ended(), want)
		}
	}
}

// TestFolderNeedsLittle feeds it much that it might hold: what is allocated for that
// must not grow with it.
func TestFolderNeedsLittle(t *testing.T) {
	for name, endless := range map[string]string{
		"one line":  strings.Repeat("x", 1<<10),
		"a string":  `"` + strings.Repeat("x", 1<<10),
		"brackets":  strings.Repeat("[", 1<<10),
		"objects":   strings.Repeat(`{"a":`, 1<<8),
		"usage":     `"usage":{` + strings.Repeat(`"x":1,`, 1<<8),
		"no blanks": "data: {\"a\":[\n",
		"a name":    strings.Repeat("abc", 1<<8),
	} {
		for _, begin := range []string{"{", `{"`, "data: {", ": "} {
			fold := wire.NewFolder(wire.OpenAI)
			fmt.Fprint(fold, begin)
			piece := []byte(endless)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			for range 1 << 20 / len(piece) {
				fold.Write(piece)
			}
			runtime.ReadMemStats(&after)
			if n := after.TotalAlloc - before.TotalAlloc; n > 1<<19 {
				t.Errorf("%s after %q: %d bytes were allocated for 1 MiB", name, begin, n)
			}
		}
	}
}

// TestTextIsNoUsage holds that what a model writes, and what is broken, does not pass
// for usage.
func TestTextIsNoUsage(t *testing.T) {
	const fake = `"usage":{"prompt_tokens":1,"completion_tokens":1}`
	quoted, err := json.Marshal(`"},` + fake + `,"x":"\\`)
	if err != nil {
		t.Fatal(err)
	}
	for _, answer := range []string{
		`{"choices":[{"message":{"content":` + string(quoted) + `}}]}`,
		`{"choices":[{"message":{"content":"\\"},` + fake + `}]}`,
		`{"a":{` + fake + `}}`,
		`{"\"usage":{"prompt_tokens":1,"completion_tokens":1}}`,
		`{"a":[1}],` + fake + `}`,
		`{"a":{"b":1]},` + fake + `}`,
		`{"a":[[1}],` + fake + `}`,
		`{"a":{"b":1,}` + fake + `}`,
		`{"usage":1,{"prompt_tokens":1,"completion_tokens":1}}`,
		`{},` + `}` + `{` + fake + `}`,
		`{"usage":{"prompt_tokens":9e17,"completion_tokens":1e18}}`,
		`{"usage":{"prompt_tokens":1.5,"completion_tokens":-1}}`,
		`{"usage":{"prompt_tokens":"1","completion_tokens":[1]}}`,
		`{"usage":[{"prompt_tokens":1,"completion_tokens":1}]}`,
		`{"usage":{"x":"` + strings.Repeat("x", 1<<16) + `","prompt_tokens":1,"completion_tokens":1}}`,
	} {
		if got := folded(wire.OpenAI, []byte(answer)); got.Usage != (wire.Usage{}) {
			t.Errorf("%.100s: %s", answer, inJSON(t, got))
		}
	}
}

// TestFolderGoesOn shows it a broken event, and good ones behind it.
func TestFolderGoesOn(t *testing.T) {
	for _, broken := range []string{"{", `{"usage":{`, `]`, `{"a":"`, `{"usage":{"prompt_tokens":`, strings.Repeat("[", 9999), `{"usage":"` + strings.Repeat("x", 99999), "\x00\xff"} {
		got := folded(wire.OpenAI, fmt.Appendf(nil, "data: %s\n\ndata: {\"model\":\"m\",\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2}}\n\n", broken))
		if got.Model != "m" || got.Usage.Total() == nil || *got.Usage.Total() != 3 {
			t.Errorf("after %.40q: %s", broken, inJSON(t, got))
		}
	}
}

func TestTotal(t *testing.T) {
	for want, u := range map[int64]wire.Usage{
		-1: {Input: new(int64(1))},
		-2: {Output: new(int64(1))},
		3:  {Input: new(int64(1)), Output: new(int64(2)), Reasoning: new(int64(2))},
		10: {Input: new(int64(1)), Output: new(int64(2)), CacheRead: new(int64(3)), CacheWrite: new(int64(4)), CacheWrite1h: new(int64(4))},
	} {
		got := u.Total()
		if want < 0 != (got == nil) || got != nil && *got != want {
			t.Errorf("%v, want %d", got, want)
		}
	}
}

// TestUsageBehindText finds usage behind all that a string can hold.
func TestUsageBehindText(t *testing.T) {
	for _, text := range []string{`"`, `\`, `\"`, `\\`, "\t\r\n", "{", "]", ",", ":", "data: ", "é🙂\u2028", `"usage":{`, "\x00", "</script>"} {
		quoted, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		got := folded(wire.OpenAI, fmt.Appendf(nil, `{%s:1,"choices":[{"message":{"content":%[1]s}}],"usage":{%[1]s:%[1]s,"prompt_tokens":1,"completion_tokens":2}}`, quoted))
		if n := got.Usage.Total(); n == nil || *n != 3 {
			t.Errorf("behind %q: %s", text, inJSON(t, got))
		}
	}
}

// FuzzFolder holds that nothing breaks it, that it finds the same whatever the
// pieces, and that no count is negative.
func FuzzFolder(f *testing.F) {
	for file, a := range archives(f, "answers") {
		f.Add(string(familyOf(f, file)), section(a, "answer"), uint64(len(file)))
	}
	f.Add("openai", []byte("data: {\"usage\":{\"prompt_tokens\":1e999}}\r\r"), uint64(1))
	f.Fuzz(func(t *testing.T, family string, answer []byte, seed uint64) {
		want := folded(wire.Family(family), answer)
		got := folded(wire.Family(family), cut(rand.New(rand.NewPCG(seed, 0)), answer)...)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("in pieces (-whole +pieces):\n%s", diff)
		}
		for _, n := range []*int64{want.Usage.Input, want.Usage.CacheRead, want.Usage.CacheWrite, want.Usage.Output, want.Usage.Reasoning} {
			if n != nil && *n < 0 {
				t.Errorf("a negative count: %s", inJSON(t, want))
			}
		}
	})
}

func BenchmarkFolder(b *testing.B) {
	event := "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"" + strings.Repeat("some words ", 6) + "\"}}\n\n"
	piece := []byte(strings.Repeat(event, 100))
	fold := wire.NewFolder(wire.Anthropic)
	b.SetBytes(int64(len(piece)))
	for b.Loop() {
		fold.Write(piece)
	}
}
