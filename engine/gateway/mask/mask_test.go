package mask_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/ml-dev-bench/bench/engine/gateway/mask"
)

// Keys that never were any. They are put together here, so that those who search
// this repository for keys find none.
var someKeys = []string{
	"sk-" + "ant-api03-" + strings.Repeat("Qw8e_", 3) + "-AA",
	"AI" + "zaSy7_-0123456789abcdef",
	"a/b+c=d%41&\"\\\\u0041'<>|x",
	"pässwörd-😀-日本",
	"correct horse  battery\tstaple",
	"-----BEGIN KEY-----\nMIIEpQIBAAKCAQEA7bq8\nxJz/9v0+Qw==\n-----END KEY-----\n",
	"\xff\xfe\x00\x01raw\x80bytes",
	"abcabcabdabcabcabe",
}

func newMasker(t testing.TB, values ...string) *mask.Masker {
	t.Helper()
	var all []mask.Secret
	for i, v := range values {
		all = append(all, mask.Secret{Name: fmt.Sprintf("n%d", i), Value: v})
	}
	m, err := mask.New(all...)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// masked writes a text in pieces that end where cut says.
func masked(t testing.TB, m *mask.Masker, text string, cut func() int) string {
	t.Helper()
	var out bytes.Buffer
	w := m.Writer(&out)
	for text != "" {
		n := min(cut(), len(text))
		if k, err := w.Write([]byte(text[:n])); k != n || err != nil {
			t.Fatal(k, err)
		}
		text = text[n:]
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func whole() int { return 1 << 30 }

func TestForms(t *testing.T) {
	const key = `sk-4/Z+q"9~xY`
	m := newMasker(t, key)
	for _, tt := range []struct{ name, text, want string }{
		{"as it is", `key ` + key + `.`, `key [secret n0].`},
		{"alone", key, `[secret n0]`},
		{"twice", key + key, `[secret n0][secret n0]`},
		{"backwards", `Yx~9"q+Z/4-ks`, `[secret n0]`},
		{"JSON", `{"k": "sk-4/Z+q\"9~xY"}`, `{"k": "[secret n0]"}`},
		{"JSON of some", `"sk-4\/Z+q\"9~xY"`, `"[secret n0]"`},
		{"JSON of others", `"\u0073k-4\u002fZ\u002Bq\u00229~xY\u0021"`, `"[secret n0]\u0021"`},
		{"JSON in JSON", `"\"sk-4\\/Z+q\\\"9~x\\u0059\""`, `"\"[secret n0]\""`},
		{"URL", `?k=sk-4%2FZ%2Bq%229~xY&b`, `?k=[secret n0]&b`},
		{"URL in small letters, all of it", `%73%6b%2d%34%2f%5a%2b%71%22%39%7e%78%59`, `[secret n0]`},
		{"URL in a URL", `sk-4%252FZ%25252bq%25229~xY`, `[secret n0]`},
		{"hexadecimal", `<736b2d342f5a2B712239...>`, `<736b2d342f5a2B712239...>`},
		{"hexadecimal, whole", `<736b2d342f5a2B7122397e7859>`, `<[secret n0]>`},
		{"hexadecimal of a dump", "736b 2d34 2f5a 2b71\n  2239 7e78 59", `[secret n0]`},
		{"base64", "Basic " + base64.StdEncoding.EncodeToString([]byte(key)), `Basic [secret n0]Q==`},
		{"base64 after one byte", base64.StdEncoding.EncodeToString([]byte("u" + key + "!!")), `dX[secret n0]khIQ==`},
		{"base64 after two bytes", base64.StdEncoding.EncodeToString([]byte("u:" + key)), `dTp[secret n0]`},
		{"broken", "sk-4/\nZ+q\r\n    \"9~xY\n", "[secret n0]\n"},
		{"broken, in JSON", `"sk-4/\nZ+q\r\n\t\"9~xY\n"`, `"[secret n0]\n"`},
		{"broken, in a URL", `sk-4%2F%0AZ%2Bq%20%229~xY%0A`, `[secret n0]%0A`},
		{"broken, in a shell", "sk-4/\\\n  Z+q\"9~xY", `[secret n0]`},
		{"a column", strings.Join(strings.Split(key, ""), "\n"), `[secret n0]`},
		{"after what looks like it", "sk-4/sk-4/Z" + key, `sk-4/sk-4/Z[secret n0]`},
		{"a part", key[:len(key)-1], key[:len(key)-1]},
		{"another end", key[:len(key)-1] + "Z", key[:len(key)-1] + "Z"},
		{"an escape of something else", `sk-4%2fZ%2cq"9~xY \u0073k-4\n%`, `sk-4%2fZ%2cq"9~xY \u0073k-4\n%`},
		{"half an escape before it", `%7` + key + `\u00` + key + `%` + key, `%7[secret n0]\u00[secret n0]%[secret n0]`},
		{"nothing", "", ""},
	} {
		for name, cut := range map[string]func() int{"whole": whole, "in bytes": func() int { return 1 }} {
			if got := masked(t, m, tt.text, cut); got != tt.want {
				t.Errorf("%s, %s: got\n%s\nwant\n%s", tt.name, name, got, tt.want)
			}
		}
	}
}

// Bytes that are no UTF-8 are written in JSON as if each were a character.
func TestBytesInJSON(t *testing.T) {
	m := newMasker(t, "\xff\xfe\x00\x01raw\x80bytes")
	if got := m.String(`"\u00ff\u00FE\u0000\u0001raw\u0080bytes"`); got != `"[secret n0]"` {
		t.Errorf("got %s", got)
	}
}

func TestSeveral(t *testing.T) {
	for _, tt := range []struct {
		name   string
		values []string
		text   string
		want   string
	}{
		{"one that another begins with", []string{"abcdefgh", "abcdefghij"}, "abcdefghij abcdefghx", "[secret n1] [secret n0]x"},
		{"one that another ends with", []string{"cdefghij", "abcdefghij"}, "abcdefghij bcdefghij", "[secret n1] b[secret n0]"},
		{"one inside of another", []string{"cdefghij", "abcdefghijkl"}, "abcdefghijkl abcdefghijk", "[secret n1] ab[secret n0]k"},
		{"two that overlap", []string{"abcdefgh", "efghijkl"}, "abcdefghijkl", "[secret n0]"},
		{"three that overlap", []string{"abcdefgh", "ghijklmn", "mnopqrst"}, "abcdefghijklmnopqrst", "[secret n0]"},
		{"one that overlaps itself", []string{"abcdeabcde"}, "abcdeabcdeabcde", "[secret n0]"},
		{"two names", []string{"abcdefgh", "abcdefgh"}, "abcdefgh", "[secret n0]"},
		{"none", nil, `abc\`, `abc\`},
	} {
		m := newMasker(t, tt.values...)
		for name, cut := range map[string]func() int{"whole": whole, "in bytes": func() int { return 1 }} {
			if got := masked(t, m, tt.text, cut); got != tt.want {
				t.Errorf("%s, %s: got %s, want %s", tt.name, name, got, tt.want)
			}
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		secret mask.Secret
		weak   bool
		want   string
	}{
		{mask.Secret{Name: "k", Value: ""}, true, `secret "k" has less than 8 characters`},
		{mask.Secret{Name: "k", Value: "abcdefg"}, true, "less than 8 characters"},
		{mask.Secret{Name: "k", Value: " abc def\ng\n"}, true, "less than 8 characters"},
		{mask.Secret{Name: "k", Value: "abcdabcdabcd"}, true, "less than 5 different"},
		{mask.Secret{Name: "k]", Value: "abcdefgh"}, false, "a name without"},
		{mask.Secret{Name: "k\n", Value: "abcdefgh"}, false, "a name without"},
	} {
		_, err := mask.New(tt.secret)
		if err == nil || errors.Is(err, mask.ErrWeak) != tt.weak || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v", tt.secret.Value, err)
		}
		if v := strings.TrimSpace(tt.secret.Value); err != nil && v != "" && strings.Contains(err.Error(), v) {
			t.Errorf("%v tells the value", err)
		}
	}
}

// A form writes a text as somebody might, so that it can be read again.
type form struct {
	name  string
	write func(r *rand.Rand, s string) string
}

var encodings = []form{
	{"plain", func(_ *rand.Rand, s string) string { return s }},
	{"backwards", func(_ *rand.Rand, s string) string {
		out := ""
		for s != "" {
			_, n := utf8.DecodeLastRuneInString(s)
			out, s = out+s[len(s)-n:], s[:len(s)-n]
		}
		return out
	}},
	{"hex", func(_ *rand.Rand, s string) string { return hex.EncodeToString([]byte(s)) }},
	{"HEX", func(_ *rand.Rand, s string) string { return fmt.Sprintf("%X", s) }},
	{"base64", func(r *rand.Rand, s string) string {
		return base64.StdEncoding.EncodeToString([]byte(around(r, 4) + s + around(r, 4)))
	}},
	{"base64 for URLs", func(r *rand.Rand, s string) string {
		return base64.RawURLEncoding.EncodeToString([]byte(around(r, 4) + s + around(r, 4)))
	}},
}

var escapes = []form{
	{"plain", func(_ *rand.Rand, s string) string { return s }},
	{"query", func(_ *rand.Rand, s string) string { return url.QueryEscape(s) }},
	{"path", func(_ *rand.Rand, s string) string { return url.PathEscape(s) }},
	{"twice", func(_ *rand.Rand, s string) string { return url.PathEscape(url.PathEscape(s)) }},
	{"some", func(r *rand.Rand, s string) string {
		var b strings.Builder
		for _, c := range []byte(s) {
			switch r.IntN(4) {
			case 0:
				fmt.Fprintf(&b, "%%%02x", c)
			case 1:
				fmt.Fprintf(&b, "%%25%02X", c)
			default:
				b.WriteByte(c)
			}
		}
		return b.String()
	}},
	{"JSON", func(_ *rand.Rand, s string) string { return quoted(s) }},
	{"JSON in JSON", func(_ *rand.Rand, s string) string { return quoted(quoted(s)) }},
	{"JSON of ASCII", func(_ *rand.Rand, s string) string { return ascii(s, func(r rune) bool { return r < 0x7f }) }},
	{"JSON of some", func(r *rand.Rand, s string) string {
		return quoted(ascii(s, func(c rune) bool { return c < 0x7f && r.IntN(2) == 0 }))
	}},
}

var breaks = []form{
	{"one line", func(_ *rand.Rand, s string) string { return s }},
	{"lines", func(r *rand.Rand, s string) string {
		width, indent := 1+r.IntN(80), strings.Repeat(" ", r.IntN(40))
		return between(s, func(i int) string {
			if i%width > 0 {
				return ""
			}
			return []string{"\n", "\r\n", "\n\n"}[r.IntN(3)] + indent
		})
	}},
	{"anywhere", func(r *rand.Rand, s string) string {
		return between(s, func(int) string {
			return []string{"", "", " ", "\n", "\t", "\r\n\t  "}[r.IntN(6)]
		})
	}},
}

// between puts a text before each character but the first.
func between(s string, put func(i int) string) string {
	out := ""
	for i := 0; s != ""; i++ {
		_, n := utf8.DecodeRuneInString(s)
		if i > 0 {
			out += put(i)
		}
		out, s = out+s[:n], s[n:]
	}
	return out
}

// around is a text that is no part of any secret.
func around(r *rand.Rand, most int) string {
	b := make([]byte, r.IntN(most+1))
	for i := range b {
		b[i] = ".,;:!?(){}#$*"[r.IntN(13)]
	}
	return string(b)
}

// quoted is a JSON string without its quotes.
func quoted(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(text[1 : len(text)-1])
}

// ascii writes a JSON string with \u for all characters that are not kept.
func ascii(s string, keep func(rune) bool) string {
	var b strings.Builder
	for _, c := range s {
		switch {
		case c != '"' && c != '\\' && c >= ' ' && keep(c):
			b.WriteRune(c)
		case c >= 0x10000:
			c -= 0x10000
			fmt.Fprintf(&b, `\u%04x\u%04X`, 0xd800+c>>10, 0xdc00+c&0x3ff)
		default:
			fmt.Fprintf(&b, `\u%04x`, c)
		}
	}
	return b.String()
}

// No form of a secret survives, however it is cut into writes, and nothing around it
// is touched.
func TestNoFormSurvives(t *testing.T) {
	for k, key := range someKeys {
		m := newMasker(t, key)
		secret := strings.TrimSpace(key)
		r := rand.New(rand.NewPCG(7, uint64(k)))
		for _, enc := range encodings {
			for _, esc := range escapes {
				if strings.Contains(esc.name, "JSON") && (enc.name == "plain" || enc.name == "backwards") && !utf8.ValidString(secret) {
					continue // JSON has no way to write it
				}
				for _, brk := range breaks {
					// A break inside of an escape is no form: it is broken first.
					for range 4 {
						encoded := enc.write(r, secret)
						text := esc.write(r, brk.write(r, encoded))
						before, after := "<"+around(r, 50), around(r, 50)+">"
						if r.IntN(2) == 0 {
							before, after = before+key[:len(key)/2]+"<", ">"+key[:len(key)/2]+after
						}
						got := masked(t, m, before+text+after, func() int { return 1 + r.IntN(9) })
						inner, ok := strings.CutPrefix(got, before)
						inner, ok2 := strings.CutSuffix(inner, after)
						rest := strings.ReplaceAll(inner, "[secret n0]", "")
						whole := rest == ""
						if strings.HasPrefix(enc.name, "base64") { // in which characters around it have bits of it, and more may stand
							whole = len(text)-len(rest) >= len(secret)*8/6-2
						}
						if !ok || !ok2 || rest == inner || !whole {
							t.Fatalf("%q, %s, %s, %s:\n%.900q\nbecame\n%.900q", key, enc.name, esc.name, brk.name, before+text+after, got)
						}
					}
				}
			}
		}
	}
}

// pattern is what the masker looks for, said as a regular expression: an independent
// way to say it, which is good for short secrets of ASCII.
func pattern(value string) *regexp.Regexp {
	gap := `(?:[\s\x0b+]|\\+[nrtf\n\r]|%(?:25)*(?:0[9a-dA-D]|20|2[bB])|\\+u00(?:0[9a-dA-D]|20|2[bB]))*`
	char := func(cs ...byte) string {
		var all []string
		for _, c := range cs {
			h := fmt.Sprintf("%02x", c)
			anyCase := fmt.Sprintf("(?i:%s)", h)
			all = append(all, regexp.QuoteMeta(string(c)), `%(?:25)*`+anyCase, `\\+u00`+anyCase)
			if strings.ContainsRune(`"\/`, rune(c)) {
				all = append(all, `\\+`+regexp.QuoteMeta(string(c)))
			}
		}
		return "(?:" + strings.Join(all, "|") + ")"
	}
	join := func(text string, others func(byte) []byte) string {
		var all []string
		for _, c := range []byte(text) {
			all = append(all, char(others(c)...))
		}
		return strings.Join(all, gap)
	}
	same := func(c byte) []byte { return []byte{c} }
	either := func(c byte) []byte {
		switch c {
		case '+':
			return []byte("+-")
		case '/':
			return []byte("/_")
		}
		return []byte{c}
	}
	var back []byte
	for i := len(value) - 1; i >= 0; i-- {
		back = append(back, value[i])
	}
	all := []string{join(value, same), join(string(back), same), join(hex.EncodeToString([]byte(value)), func(c byte) []byte {
		return []byte{c, strings.ToUpper(string(c))[0]}
	})}
	for before := range 3 {
		text := base64.RawStdEncoding.EncodeToString([]byte("\x00\x00"[:before] + value))
		all = append(all, join(text[[]int{0, 2, 3}[before]:(before+len(value))*8/6], either))
	}
	return regexp.MustCompile(strings.Join(all, "|"))
}

var fuzzKey = `aB/c+9"\z%A`

// pieces are what texts are made of that are nearly a secret.
func pieces(key string) []string {
	b64 := func(before string) string { return base64.StdEncoding.EncodeToString([]byte(before + key + ".")) }
	out := []string{"\n", " ", `\`, `%`, `\n`, `\u`, `\u00`, "%25", "%2", "+", "x", "%0A", `"`, "2", "a", `\/`, key, b64(""), b64("."), b64(".."), hex.EncodeToString([]byte(key)), quoted(key), url.QueryEscape(key)}
	for i := range len(key) {
		out = append(out, key[:i+1], key[i:])
	}
	return out
}

// What is a secret by the regular expression is one for the masker, and nothing else.
func check(t *testing.T, m *mask.Masker, re *regexp.Regexp, text string, cut func() int) {
	t.Helper()
	got := masked(t, m, text, cut)
	if at := re.FindString(got); at != "" {
		t.Fatalf("%q survives in\n%q\nwhich was\n%q", at, got, text)
	}
	if !re.MatchString(text) && got != text {
		t.Fatalf("%q\nhas no secret, and became\n%q", text, got)
	}
	if whole := m.String(text); whole != got {
		t.Fatalf("%q\nbecame\n%q\nin pieces, and whole\n%q", text, got, whole)
	}
}

func TestAgainstPattern(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, key := range []string{fuzzKey, "abcdeabcdf", "%2525%41x", `\\u0041\n`, "0123456789abcdef"} {
		m, re, parts := newMasker(t, key), pattern(key), pieces(key)
		for range 1500 {
			var b strings.Builder
			for range r.IntN(12) {
				b.WriteString(parts[r.IntN(len(parts))])
			}
			check(t, m, re, b.String(), func() int { return 1 + r.IntN(5) })
		}
	}
}

func FuzzMask(f *testing.F) {
	for _, p := range pieces(fuzzKey) {
		f.Add("<"+p+">", uint8(3))
	}
	m, re := newMasker(f, fuzzKey), pattern(fuzzKey)
	f.Fuzz(func(t *testing.T, text string, size uint8) {
		if len(text) > 1000 {
			return // what is longer may be longer than any form
		}
		check(t, m, re, text, func() int { return 1 + int(size) })
	})
}

// A writer holds back what may become a secret, and nothing else.
func TestHoldsBackLittle(t *testing.T) {
	m := newMasker(t, "Zyxwvutsrq")
	var out bytes.Buffer
	w := m.Writer(&out)
	for _, tt := range []struct{ write, want string }{
		{"one\n", "one\n"},
		{"two Zyx", "two "},
		{"wvut", ""},
		{"_three\n", "Zyxwvut_three\n"},
		{"Zyx Zyxwvuts", "Zyx "},
		{"rq", ""}, // the q may begin one that is written backwards
		{".", "[secret n0]."},
	} {
		out.Reset()
		if _, err := io.WriteString(w, tt.write); err != nil {
			t.Fatal(err)
		}
		if out.String() != tt.want {
			t.Errorf("after %q: got %q, want %q", tt.write, out.String(), tt.want)
		}
	}
}

// Something that goes on for ever without becoming a secret is let go.
func TestHoldsBackNoMoreThanAForm(t *testing.T) {
	m := newMasker(t, "Zyxwvutsrq")
	var out bytes.Buffer
	w := m.Writer(&out)
	text := "Zyxwvu" + strings.Repeat(" ", 1<<20)
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if held := len(text) - out.Len(); held > 20*600 {
		t.Errorf("%d bytes are held back", held)
	}
	if _, err := io.WriteString(w, "tsrq"); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil || out.String() != text+"tsrq" {
		t.Errorf("%v, or the text has changed", err)
	}
}

// What is learned is bounded, and forgetting it changes nothing.
func TestForgets(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	keys := make([]string, 20)
	for i := range keys {
		keys[i] = fmt.Sprintf("%016x", r.Uint64())
	}
	m := newMasker(t, keys...)
	rest := m.Writer(io.Discard) // which rests in a state that is forgotten
	if _, err := io.WriteString(rest, "before "+keys[0][:9]); err != nil {
		t.Fatal(err)
	}
	var text, want strings.Builder
	for range 6000 {
		k := r.IntN(len(keys))
		fmt.Fprintf(&text, "%s <%s>", keys[k][:r.IntN(16)], keys[k])
		fmt.Fprintf(&want, "<[secret n%d]>", k)
	}
	got := regexp.MustCompile(`<[^>]*>`).FindAllString(m.String(text.String()), -1)
	if strings.Join(got, "") != want.String() {
		t.Error("something is masked in another way")
	}
	if _, err := io.WriteString(rest, keys[0][9:]+" after"); err != nil {
		t.Fatal(err)
	}
}

func TestManyWriters(t *testing.T) {
	m := newMasker(t, someKeys...)
	var wg sync.WaitGroup
	for n := range 8 {
		wg.Go(func() {
			r := rand.New(rand.NewPCG(9, uint64(n)))
			for range 200 {
				k := r.IntN(len(someKeys))
				text := "<" + strings.TrimSpace(someKeys[k]) + ">"
				if got, want := masked(t, m, text, func() int { return 1 + r.IntN(5) }), fmt.Sprintf("<[secret n%d]>", k); got != want {
					t.Errorf("got %q, want %q", got, want)
				}
			}
		})
	}
	wg.Wait()
}

// broken takes so many bytes.
type broken struct{ left int }

var errBroken = errors.New("broken")

func (b *broken) Write(p []byte) (int, error) {
	if b.left -= len(p); b.left < 0 {
		return 0, errBroken
	}
	return len(p), nil
}

func TestErrorsOfTheWriterBelow(t *testing.T) {
	w := newMasker(t, "abcdefgh").Writer(&broken{left: 5})
	for i, want := range []error{nil, errBroken, errBroken} {
		if _, err := io.WriteString(w, "1234"); !errors.Is(err, want) {
			t.Errorf("write %d: got %v", i, err)
		}
	}
	if err := w.Flush(); !errors.Is(err, errBroken) {
		t.Errorf("got %v", err)
	}
}

// log is a text as agents write it.
func logText(r *rand.Rand, size int) []byte {
	words := strings.Fields("the model reads a file and runs tests: passed failed error at line in src/main.py def return self.assertEqual(x, y) torch.nn.Linear 0.3141 epoch loss=2.718 {\"type\": \"text\", \"path\": \"/workspace/a\\n\"} https://host/a%20b?c=d")
	var b bytes.Buffer
	for b.Len() < size {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(" \n"[r.IntN(12)/11])
	}
	return b.Bytes()[:size]
}

func BenchmarkMask(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	text := logText(r, 1<<20)
	random := make([]byte, 1<<20)
	for i := range random {
		random[i] = byte(r.Uint32())
	}
	for _, secrets := range []int{1, 3, 20} {
		var keys []string
		for range secrets {
			keys = append(keys, "sk-"+base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%016x%016x", r.Uint64(), r.Uint64())))
		}
		m := newMasker(b, keys...)
		base64Text := []byte(base64.StdEncoding.EncodeToString(random[:3<<18]))
		for name, text := range map[string][]byte{"log": text, "random": random, "base64": base64Text} {
			b.Run(fmt.Sprintf("%s/secrets=%d", name, secrets), func(b *testing.B) {
				w := m.Writer(io.Discard)
				b.SetBytes(int64(len(text)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := w.Write(text); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
