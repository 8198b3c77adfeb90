package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
)

// documents are JSON, or nearly so.
var documents = []string{
	``, ` `, `{}`, `{ }`, `[]`, `[ ]`, `null`, `nul`, `nulls`, `true `, "\n\tfalse\r", `"`, `""`, `"a`, `"\"`, `"\\"`, `"\/\b\f\n\r\t\""`, `"\x"`, `"\u00aF"`, `"\u00g0"`, `"\u00`,
	"\"\x1f\"", "\"\x7f\xff\"", "\"\x00\"", `0`, `-0`, `-`, `01`, `1.`, `1.5`, `.5`, `1e`, `1e5`, `1E+5`, `1e-05`, `1e+`, `+1`, `0x1`, `12 3`, `{"a":1}`, `{"a":1,}`, `{"a" 1}`, `{"a"}`,
	`{,}`, `{a:1}`, `{1:1}`, `{"a":}`, `{"a":1 "b":2}`, `{"a":1]`, `[1,]`, `[,1]`, `[1 2]`, `[1}`, `{"a":{"b":[{}, [], "c", -1.5e3, true, false, null]}, "a" : "é\ud83d\ude00" }`,
	`{"a":1}{`, `{"a":1} x`, "\ufeff{}", `{"\u0061\n":1,"` + "\xff" + `":2}`, "{\"model\":\"m\",\n\t\"messages\": [{\"role\":\"user\",\"content\":\"x\\ty\"}],\"stream\":true}",
	strings.Repeat("[", 10_000) + strings.Repeat("]", 10_000), strings.Repeat("[", 10_001) + strings.Repeat("]", 10_001),
}

// What encoding/json takes is taken, with the same fields at the same places, and
// nothing else is; also where a byte of it is missing, doubled or another one.
func TestDocument(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, text := range documents {
		sameAsJSON(t, []byte(text))
		for range 300 {
			b := []byte(text)
			for range 1 + random.IntN(3) {
				if len(b) == 0 || len(b) > 1000 {
					break
				}
				switch i := random.IntN(len(b)); random.IntN(3) {
				case 0:
					b = append(b[:i], b[i+1:]...)
				case 1:
					b = append(b[:i+1], b[i:]...)
				default:
					const odd = "{}[]\",:\\u0e-+.19tnf \n\x00\x11\x80\xff"
					b[i] = odd[random.IntN(len(odd))]
				}
			}
			sameAsJSON(t, b)
		}
	}
}

// Objects may be as deep as in encoding/json, and no deeper.
func TestDeepest(t *testing.T) {
	for _, n := range []int{deepest, deepest + 1} {
		text := []byte(strings.Repeat(`{"a":`, n) + "1" + strings.Repeat("}", n))
		if got, want := Valid(text), json.Valid(text); got != want {
			t.Errorf("%d objects: valid %t, want %t", n, got, want)
		}
	}
}

func sameAsJSON(t *testing.T, text []byte) {
	t.Helper()
	if got, want := Valid(text), json.Valid(text); got != want {
		t.Errorf("%.80q: valid %t, want %t", text, got, want)
	}
	got, err := fields(text)
	want, wantErr := slowFields(text)
	if len(got) != len(want) || !errors.Is(err, wantErr) {
		t.Fatalf("%.80q: %v %v, want %v %v", text, got, err, want, wantErr)
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%.80q: %v, want %v", text, got[i], want[i])
		}
	}
}

// slowFields is what fields has to find.
func slowFields(object []byte) ([]field, error) {
	d := json.NewDecoder(bytes.NewReader(object))
	if t, err := d.Token(); err != nil || t != json.Delim('{') {
		return nil, ErrNotObject
	}
	var out []field
	for d.More() {
		var value json.RawMessage
		name, err := d.Token()
		if err != nil || d.Decode(&value) != nil {
			return nil, ErrNotObject
		}
		to := int(d.InputOffset())
		out = append(out, field{name.(string), to - len(value), to})
	}
	if _, err := d.Token(); err != nil {
		return nil, ErrNotObject
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, ErrNotObject
	}
	return out, nil
}

// Tools are found however they are written.
func TestInputHasTools(t *testing.T) {
	for text, want := range map[string]bool{
		`[{"type":"additional_tools","tools":[{}]}]`: true, `[{"type":"additional\u005ftools","tools":[{}]}]`: true,
		`[{"type":"additional_tools","tools":[]}]`: false, `[{"type":"message","tools":[{}]}]`: false, `"additional_tools"`: false,
	} {
		if got := inputHasTools([]byte(text)); got != want {
			t.Errorf("%s: %t", text, got)
		}
	}
}

// A request with a conversation of 200 kB.
func BenchmarkFields(b *testing.B) {
	text := strings.Repeat(`You are a coding agent; run \"go test ./...\" before you say that it works.\n`, 100)
	message := `{"role":"user","content":"` + text + `"}`
	body := []byte(`{"model":"m","messages":[` + strings.TrimSuffix(strings.Repeat(message+",", 26), ",") + `],"stream":true}`)
	b.SetBytes(int64(len(body)))
	for name, find := range map[string]func([]byte) ([]field, error){"fields": fields, "decoder": slowFields} {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(body)))
			for b.Loop() {
				if all, err := find(body); err != nil || len(all) != 3 {
					b.Fatal(all, err)
				}
			}
		})
	}
}
