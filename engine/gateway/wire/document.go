package wire

// A document is JSON as encoding/json takes it. Reading one says where its values
// end, and nothing else: that is done with every request, which has the whole
// conversation in it, and so it keeps nothing and looks at each byte once.
type document []byte

// deepest is how many containers may be within each other, as in encoding/json.
const deepest = 10_000

// bad is the end of what is no JSON.
const bad = -1

// A span of bytes.
type span struct{ from, to int }

// Valid reports whether a text is one value in JSON, as json.Valid does.
func Valid(text []byte) bool {
	d := document(text)
	end := d.value(d.space(0), 1)
	return end != bad && d.space(end) == len(d)
}

// at is a byte, or 0, which no JSON has, behind the last one.
func (d document) at(i int) byte {
	if i < len(d) {
		return d[i]
	}
	return 0
}

// space is where the white space ends that may be at i.
func (d document) space(i int) int {
	for i < len(d) && (d[i] == ' ' || d[i] == '\n' || d[i] == '\r' || d[i] == '\t') {
		i++
	}
	return i
}

// value is where the value ends that begins at i.
func (d document) value(i, depth int) int {
	switch d.at(i) {
	case '{':
		return d.object(i, depth, nil)
	case '[':
		return d.array(i, depth)
	case '"':
		return d.text(i)
	case 't':
		return d.word(i, "true")
	case 'f':
		return d.word(i, "false")
	case 'n':
		return d.word(i, "null")
	}
	return d.number(i)
}

// object is where the object ends that begins at i. It tells the names and the
// values of its fields, if that is wanted.
func (d document) object(i, depth int, tell func(name, value span)) int {
	if depth > deepest {
		return bad
	}
	if i = d.space(i + 1); d.at(i) == '}' {
		return i + 1
	}
	for {
		name := span{i, bad}
		if d.at(i) == '"' {
			name.to = d.text(i)
		}
		if name.to == bad {
			return bad
		}
		if i = d.space(name.to); d.at(i) != ':' {
			return bad
		}
		value := span{from: d.space(i + 1)}
		if value.to = d.value(value.from, depth+1); value.to == bad {
			return bad
		}
		if tell != nil {
			tell(name, value)
		}
		switch i = d.space(value.to); d.at(i) {
		case '}':
			return i + 1
		case ',':
			i = d.space(i + 1)
		default:
			return bad
		}
	}
}

// array is where the array ends that begins at i.
func (d document) array(i, depth int) int {
	if depth > deepest {
		return bad
	}
	if i = d.space(i + 1); d.at(i) == ']' {
		return i + 1
	}
	for {
		if i = d.value(i, depth+1); i == bad {
			return bad
		}
		switch i = d.space(i); d.at(i) {
		case ']':
			return i + 1
		case ',':
			i = d.space(i + 1)
		default:
			return bad
		}
	}
}

// plain says of each byte whether it stands for itself in a string.
var plain = func() (t [256]bool) {
	for c := ' '; c < 256; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

// text is where the string ends that begins at i.
func (d document) text(i int) int {
	for i++; i < len(d); i++ {
		c := d[i]
		switch {
		case plain[c]:
			continue
		case c == '"':
			return i + 1
		case c != '\\':
			return bad
		}
		if i = d.escape(i + 1); i == bad {
			return bad
		}
	}
	return bad
}

// escape is the last byte of the escape whose second one is at i.
func (d document) escape(i int) int {
	switch d.at(i) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i
	case 'u':
	default:
		return bad
	}
	for range 4 {
		i++
		if c, lower := d.at(i), d.at(i)|0x20; !isDigit(c) && (lower < 'a' || lower > 'f') {
			return bad
		}
	}
	return i
}

func (d document) word(i int, word string) int {
	if end := i + len(word); end <= len(d) && string(d[i:end]) == word {
		return end
	}
	return bad
}

// number is where the number ends that begins at i.
func (d document) number(i int) int {
	if d.at(i) == '-' {
		i++
	}
	if d.at(i) == '0' {
		i++
	} else if i = d.digits(i); i == bad {
		return bad
	}
	if d.at(i) == '.' {
		if i = d.digits(i + 1); i == bad {
			return bad
		}
	}
	if d.at(i)|0x20 != 'e' {
		return i
	}
	if i++; d.at(i) == '+' || d.at(i) == '-' {
		i++
	}
	return d.digits(i)
}

// digits is where the digits end of which the first one is at i.
func (d document) digits(i int) int {
	from := i
	for isDigit(d.at(i)) {
		i++
	}
	if i == from {
		return bad
	}
	return i
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }
