package mask

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"unicode/utf8"
)

// How secrets are found. The forms of all secrets are one nondeterministic automaton,
// which is never written down: a way is a place in it, and step says where a byte
// leads from there. What has been read is a state, a list of ways. States and the
// transitions between them are made when they are first needed, and then remembered:
// reading a byte of an ordinary text is to follow a pointer. All writers of a masker
// share them.
//
// The ways of a state are ordered by where they began, the earliest first. A
// transition says for each way from which one it comes, so that a writer knows at
// every moment where the secrets begin that are perhaps being read. What is before the
// first of them is written on.
//
// A way ends at last when it is longer than any form can be whose parts stand in lines
// of 80 columns. So a writer holds no more than that, and one chunk.

// What a form takes for one unit of a target at most: an escape, and a break of the
// line with an indentation, all of it escaped.
const (
	longestEscape = 16
	longestGap    = (2 + 80) * len(`\u0020`)
)

// maxStates bounds how many states are remembered. With more, all are forgotten.
const maxStates = 2048

// anyTarget is the target of ways on which only the escape of a first character has
// begun: it is not known yet of which.
const anyTarget = -1

// A way is a target that has been read in part.
type way struct {
	target int32  // index; or anyTarget, and then units is 0
	units  int32  // of the target that were read
	inside inside // an escape
	half   bool   // the first half of a pair of surrogates was read, after units
	digits uint16 // of the escape
}

// inside says where in an escape a way is.
type inside uint8

const (
	nowhere   inside = iota
	percent          // after %, or %25
	percentHi        // after % and a digit
	backslash        // after \, or several
	u0               // after \u
	u1               // after \u and a digit
	u2
	u3
)

// A state is what has been read, as far as it matters.
type state struct {
	ways []way
	to   [256]atomic.Pointer[transition]
}

// A transition is what reading a byte in a state does.
type transition struct {
	to    *state
	from  []int32 // for each way of the new state: the way of the old one; -1 if it begins here
	found int     // the way of the old state that is a whole secret now; -1 for none
	name  string  // of that secret
}

// A Masker knows secrets. It can be used by several goroutines at once.
type Masker struct {
	targets []target
	first   [256][]int32 // the targets that may begin with a byte
	begins  [256]bool    // whether anything may begin with a byte, escapes included
	longest int          // bytes of the longest form

	mu     sync.Mutex
	states map[string]*state
}

func newMasker(targets []target) *Masker {
	m := &Masker{targets: targets, states: map[string]*state{}}
	for i, t := range targets {
		m.longest = max(m.longest, len(t.units)*(longestEscape+longestGap))
		u := t.units[0]
		m.first[u.a] = append(m.first[u.a], int32(i))
		if u.b != u.a {
			m.first[u.b] = append(m.first[u.b], int32(i))
		}
		m.begins[u.a], m.begins[u.b], m.begins['%'], m.begins['\\'] = true, true, true, true
	}
	return m
}

// skip is where the next secret may begin, from i on.
func (m *Masker) skip(text []byte, i int) int {
	for i < len(text) && !m.begins[text[i]] {
		i++
	}
	return i
}

// start is the state in which nothing has been read.
func (m *Masker) start() *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.intern(nil)
}

// without is a state without its first way.
func (m *Masker) without(s *state) *state {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.intern(s.ways[1:])
}

// learn works out what reading a byte does, and remembers it.
func (m *Masker) learn(s *state, b byte) *transition {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.transition(s.ways, b)
	s.to[b].Store(t)
	return t
}

// intern gives the state of some ways.
func (m *Masker) intern(ways []way) *state {
	var key []byte
	for _, w := range ways {
		key = binary.LittleEndian.AppendUint32(key, uint32(w.target))
		key = binary.LittleEndian.AppendUint32(key, uint32(w.units))
		key = binary.LittleEndian.AppendUint16(key, w.digits)
		key = append(key, byte(w.inside))
		if w.half {
			key[len(key)-1] |= 0x80
		}
	}
	if s := m.states[string(key)]; s != nil {
		return s
	}
	if len(m.states) >= maxStates {
		m.forget()
	}
	s := &state{ways: ways}
	m.states[string(key)] = s
	return s
}

// forget forgets all states. None of them leads anywhere after it, so that a writer
// that rests in one keeps no other alive.
func (m *Masker) forget() {
	for _, s := range m.states {
		for b := range s.to {
			s.to[b].Store(nil)
		}
	}
	clear(m.states)
}

// transition works out what reading a byte does. Of two ways that come to one place
// the earlier stays.
func (m *Masker) transition(ways []way, b byte) *transition {
	t := &transition{found: -1}
	var next []way
	seen := map[way]bool{}
	from := 0
	emit := func(w way) {
		switch {
		case w.target != anyTarget && int(w.units) == len(m.targets[w.target].units):
			if t.found < 0 {
				t.found, t.name = from, m.targets[w.target].name
			}
		case !seen[w]:
			seen[w] = true
			next = append(next, w)
			t.from = append(t.from, int32(from))
		}
	}
	for i, w := range ways {
		from = i
		m.step(w, b, emit)
	}
	from = -1
	m.step(way{target: anyTarget}, b, emit)
	t.to = m.intern(next)
	return t
}

// step says where a byte leads on a way.
func (m *Masker) step(w way, b byte, emit func(way)) {
	in, digits := w.inside, w.digits
	w.inside, w.digits = nowhere, 0
	digit, isDigit := hexDigit(b)
	escape := func(in inside, digits uint16) {
		e := w
		e.inside, e.digits = in, digits
		emit(e)
	}
	switch in {
	case nowhere:
		if b == '\\' {
			escape(backslash, 0)
		}
		if w.half { // only the other half can follow, and that is escaped
			return
		}
		if b == '%' {
			escape(percent, 0)
		}
		m.read(w, b, emit)
	case percent:
		if isDigit {
			escape(percentHi, digit)
		}
	case percentHi:
		if !isDigit {
			return
		}
		c := byte(digits<<4 | digit)
		if c == '%' {
			escape(percent, 0)
		}
		m.read(w, c, emit)
	case backslash:
		switch b {
		case '\\':
			escape(backslash, 0)
		case 'u':
			escape(u0, 0)
		}
		if c, ok := shortEscapes[b]; ok && !w.half {
			m.read(w, c, emit)
		}
	case u0, u1, u2:
		if isDigit {
			escape(in+1, digits<<4|digit)
		}
	case u3:
		if isDigit {
			m.readRune(w, rune(digits<<4|digit), emit)
		}
	}
}

// shortEscapes are the characters that JSON writes as a backslash and another one,
// and the end of a line after which shells go on.
var shortEscapes = map[byte]byte{
	'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t', '\n': '\n', '\r': '\r',
}

// read goes on by a byte, whatever it was written as.
func (m *Masker) read(w way, b byte, emit func(way)) {
	if w.target == anyTarget {
		for _, t := range m.first[b] {
			emit(way{target: t, units: 1})
		}
		return
	}
	if w.units > 0 && isGap(b) {
		emit(w)
	}
	if m.targets[w.target].units[w.units].is(b) {
		w.units++
		emit(w)
	}
}

// readRune goes on by a character, or half of one, that was written as \u.
func (m *Masker) readRune(w way, r rune, emit func(way)) {
	if r < utf8.RuneSelf && !w.half {
		m.read(w, byte(r), emit)
		return
	}
	if w.target == anyTarget {
		for t := range m.targets {
			m.readRune(way{target: int32(t)}, r, emit)
		}
		return
	}
	t := m.targets[w.target]
	if r <= 0xff && !w.half && t.units[w.units].is(byte(r)) { // bytes that are no UTF-8
		emit(way{target: w.target, units: w.units + 1})
	}
	next, size := t.runeAt(int(w.units))
	first, second := escaped(next)
	switch {
	case size <= 1: // written as one byte, or no UTF-8
	case w.half && r == second, !w.half && r == first && second == 0:
		emit(way{target: w.target, units: w.units + int32(size)})
	case !w.half && r == first:
		w.half = true
		emit(w)
	}
}

// isGap reports white space, and the plus that forms of the web write for a space.
func isGap(b byte) bool { return b == ' ' || b == '+' || '\t' <= b && b <= '\r' }

func hexDigit(b byte) (uint16, bool) {
	switch {
	case '0' <= b && b <= '9':
		return uint16(b - '0'), true
	case 'a' <= b && b <= 'f':
		return uint16(b-'a') + 10, true
	case 'A' <= b && b <= 'F':
		return uint16(b-'A') + 10, true
	}
	return 0, false
}
