// Package mask keeps secrets out of what is written down. A Masker knows the secrets,
// and replaces each by its name in any stream of bytes:
//
//	m, err := mask.New(mask.Secret{Name: "openai", Value: key})
//	w := m.Writer(file)
//	fmt.Fprintf(w, "Authorization: Bearer %s\n", key) // Authorization: Bearer [secret openai]
//	err = w.Flush()
//
// It finds a secret as it is, backwards, in hexadecimal digits, and in base64 of both
// alphabets, wherever in the encoded text the secret begins; each of these also with
// any characters escaped as in URLs (%2F, %252f) or as in JSON (\/, \u002F, and these
// again inside of another JSON string); and each of these with white space between
// any two characters, as lines of up to 80 columns are broken and indented. White
// space may be escaped as well, or be a plus as in forms of the web. How the stream is cut into writes changes nothing.
//
// Everything else passes unchanged, byte for byte. Parts of a secret are not masked:
// what is to be cut is masked first, and cut then.
//
// Bytes that may become a secret are held back, and no others. See automaton.go for
// how it works, and how much that is.
package mask

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
)

// A Secret is a value that must not be seen, and the name that stands in its place.
type Secret struct{ Name, Value string }

// Bounds of what can be masked. What is shorter, or has fewer different bytes, would
// be found in texts that have nothing to do with it.
const (
	leastBytes     = 8 // not counting white space
	leastDifferent = 5
)

// ErrWeak is for a value that cannot be masked.
var ErrWeak = errors.New("too weak to be kept out of logs")

// New makes a masker. The error wraps ErrWeak if a value has less than 8 bytes or
// less than 5 different ones, white space aside. It names the secret, and tells nothing of
// its value. A secret that is there twice has the first of its names.
func New(secrets ...Secret) (*Masker, error) {
	var targets []target
	for _, s := range secrets {
		if err := check(s); err != nil {
			return nil, err
		}
		targets = append(targets, targetsOf(s)...)
	}
	return newMasker(targets), nil
}

func check(s Secret) error {
	visible := strings.Join(strings.Fields(s.Value), "")
	different := map[byte]bool{}
	for _, b := range []byte(visible) {
		different[b] = true
	}
	switch {
	case len(visible) < leastBytes:
		return fmt.Errorf("secret %q has less than %d characters: %w", s.Name, leastBytes, ErrWeak)
	case len(different) < leastDifferent:
		return fmt.Errorf("secret %q has less than %d different characters: %w", s.Name, leastDifferent, ErrWeak)
	case strings.ContainsFunc(s.Name, func(r rune) bool { return unicode.IsControl(r) || strings.ContainsRune(`"\[]`, r) }):
		return fmt.Errorf("secret %q: a name without quotes, brackets, backslashes and control characters is needed", s.Name)
	}
	return nil
}

// Bytes masks a whole text, which it does not change. Where no secret is in it, it is
// the result itself.
func (m *Masker) Bytes(text []byte) []byte {
	if len(m.targets) == 0 {
		return text
	}
	var out bytes.Buffer
	w := m.Writer(&out)
	w.held = text
	if w.scan(); len(w.found) == 0 {
		return text
	}
	w.pass(len(text)) // a buffer takes everything
	return out.Bytes()
}

// String masks a whole text.
func (m *Masker) String(text string) string { return string(m.Bytes([]byte(text))) }

// chunk bounds how much is looked at before it is written on.
const chunk = 32 << 10

// A Writer masks a stream. It is not safe for use by several goroutines at once;
// writers of one masker are independent of each other.
type Writer struct {
	masker *Masker
	to     io.Writer
	err    error // of the writer below; nothing is written after it

	held  []byte // what is not written yet
	read  int    // how much of held the automaton has read
	state *state
	since []int  // for each way to a secret that the state knows: where in held it begins, earliest first
	spare []int  // for the next since
	found []span // secrets in held that are not written yet, in order and apart
	out   []byte
}

// A span of held bytes is a secret.
type span struct {
	from, to int
	name     string
}

// Writer gives a writer that masks what it passes on. After the last write, Flush
// writes what is held back.
func (m *Masker) Writer(to io.Writer) *Writer {
	return &Writer{masker: m, to: to, state: m.start()}
}

// Write masks and passes on, but for what may yet become a secret. It gives the
// error of the writer below, also of an earlier write.
func (w *Writer) Write(p []byte) (int, error) {
	for n := 0; n < len(p) && w.err == nil; {
		part := p[n:min(n+chunk, len(p))]
		w.held = append(w.held, part...)
		w.scan()
		w.pass(w.safe())
		n += len(part)
	}
	if w.err != nil {
		return 0, w.err
	}
	return len(p), nil
}

// Flush writes what is held back. A secret of which one part was written before it
// and the rest after it is not found: it is for the end of a stream.
func (w *Writer) Flush() error {
	w.state, w.since = w.masker.start(), w.since[:0]
	w.pass(len(w.held))
	return w.err
}

// scan reads what is new.
func (w *Writer) scan() {
	m, state, since, spare := w.masker, w.state, w.since, w.spare
	for i := w.read; i < len(w.held); i++ {
		if len(since) == 0 {
			if i = m.skip(w.held, i); i == len(w.held) {
				break
			}
		}
		t := state.to[w.held[i]].Load()
		if t == nil {
			t = m.learn(state, w.held[i])
		}
		if t.found >= 0 {
			w.add(span{since[t.found], i + 1, t.name})
		}
		state = t.to
		if len(t.from) == 0 {
			since = since[:0]
			continue
		}
		spare = spare[:0]
		for _, from := range t.from {
			if from < 0 {
				spare = append(spare, i)
			} else {
				spare = append(spare, since[from])
			}
		}
		since, spare = spare, since
		for len(since) > 0 && i-since[0] > m.longest {
			state, since = m.without(state), since[1:]
		}
	}
	w.read = len(w.held)
	w.state, w.since, w.spare = state, since, spare
}

// add adds a secret. It ends behind all others, and may overlap them: then they
// become one, under the name of that which begins first, or is longer.
func (w *Writer) add(s span) {
	for n := len(w.found); n > 0 && s.from < w.found[n-1].to; n-- {
		if last := w.found[n-1]; last.from < s.from {
			s.from, s.name = last.from, last.name
		}
		w.found = w.found[:n-1]
	}
	w.found = append(w.found, s)
}

// safe is how much of held cannot become a secret any more, or is a whole one.
func (w *Writer) safe() int {
	n := w.read
	if len(w.since) > 0 {
		n = w.since[0]
	}
	for _, s := range w.found {
		if s.from < n && n < s.to {
			return s.from
		}
	}
	return n
}

// pass writes the first n bytes of held, masked.
func (w *Writer) pass(n int) {
	w.out = w.out[:0]
	at, done := 0, 0
	for ; done < len(w.found) && w.found[done].to <= n; done++ {
		s := w.found[done]
		w.out = append(append(append(append(w.out, w.held[at:s.from]...), "[secret "...), s.name...), ']')
		at = s.to
	}
	w.out = append(w.out, w.held[at:n]...)
	if len(w.out) > 0 && w.err == nil {
		_, w.err = w.to.Write(w.out)
	}
	if n == 0 {
		return
	}
	w.held = append(w.held[:0], w.held[n:]...)
	w.read -= n
	w.found = append(w.found[:0], w.found[done:]...)
	for i := range w.found {
		w.found[i].from -= n
		w.found[i].to -= n
	}
	for i := range w.since {
		w.since[i] -= n
	}
}
