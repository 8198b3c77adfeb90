package wire

// Bounds of what a picker holds.
const (
	maxDepth = 512      // containers within containers
	maxName  = 32       // bytes of the name of a field; longer ones are not picked
	maxValue = 64 << 10 // bytes of a value; what is beyond is left out, so that it is no JSON
)

// A picker finds a few values in JSON that comes byte by byte. It holds just these
// values, whatever the size of the rest.
//
// A value is told by its path, the names of the fields that lead to it with dots
// between them. Arrays do not count: "choices.finish_reason" is that of each
// element of choices, and "usage" is that of each element, if the whole is an
// array.
//
// It does not say whether the JSON is right. Where brackets do not match, it finds
// nothing more until it is reset.
type picker struct {
	wanted func(path []byte) bool
	found  func(path, value []byte) // which are valid during the call

	open []container
	path []byte
	lost bool

	inString, escaped bool
	inName            bool // of a field; only in strings
	inScalar          bool // a number, or a literal
	nameNext          bool // the next string is the name of a field
	name              []byte
	badName           bool

	holding bool
	holdAt  int // how many containers are open around what is held
	held    []byte
}

// A container is an object or an array that has not ended.
type container struct {
	array bool
	path  int // length of the path to it
}

// reset forgets what has not ended.
func (p *picker) reset() {
	p.open, p.path, p.lost = p.open[:0], p.path[:0], false
	p.inString, p.escaped, p.inName, p.inScalar, p.nameNext = false, false, false, false, false
	p.holding = false
}

func (p *picker) feed(c byte) {
	switch {
	case p.lost:
		return
	case p.inString:
		p.hold(c)
		p.inside(c)
		return
	case p.inScalar && !scalar(c):
		p.inScalar = false
		p.end()
	}
	switch c {
	case ' ', '\t', '\r', '\n':
		p.hold(c)
	case '"':
		p.inString, p.inName = true, p.nameNext
		p.name, p.badName = p.name[:0], false
		if !p.inName {
			p.begin()
		}
		p.hold(c)
	case '{', '[':
		p.begin()
		p.hold(c)
		p.push(c == '[')
	case '}', ']':
		p.hold(c)
		p.pop(c == ']')
	case ':':
		p.hold(c)
		p.nameNext = false
	case ',':
		p.hold(c)
		p.next()
	default:
		if !p.inScalar {
			p.inScalar = true
			p.begin()
		}
		p.hold(c)
	}
}

func scalar(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', '"', '{', '[', '}', ']', ':', ',':
		return false
	}
	return true
}

// inside takes a byte of a string.
func (p *picker) inside(c byte) {
	switch {
	case p.escaped:
		p.escaped = false
	case c == '\\':
		p.escaped, p.badName = true, true // no name that is wanted has one
	case c == '"':
		p.inString = false
		if p.inName {
			p.named()
		} else {
			p.end()
		}
	case p.inName && len(p.name) < maxName:
		p.name = append(p.name, c)
	case p.inName:
		p.badName = true
	}
}

// named is at the end of a field's name.
func (p *picker) named() {
	p.nameNext = false
	p.path = p.path[:p.base()]
	if len(p.path) > 0 {
		p.path = append(p.path, '.')
	}
	if p.badName {
		p.name = append(p.name[:0], 0)
	}
	p.path = append(p.path, p.name...)
}

// base is the length of the path to the container that is open.
func (p *picker) base() int {
	if len(p.open) == 0 {
		return 0
	}
	return p.open[len(p.open)-1].path
}

func (p *picker) push(array bool) {
	if len(p.open) == maxDepth {
		p.lost = true
		return
	}
	p.open = append(p.open, container{array, len(p.path)})
	p.nameNext = !array
}

func (p *picker) pop(array bool) {
	n := len(p.open) - 1
	if n < 0 || p.open[n].array != array {
		p.lost = true
		return
	}
	p.path, p.open = p.path[:p.open[n].path], p.open[:n]
	p.nameNext = false
	p.end()
}

// next is between two elements or fields.
func (p *picker) next() {
	if n := len(p.open); n > 0 && !p.open[n-1].array {
		p.path = p.path[:p.base()]
		p.nameNext = true
	}
}

// begin is at the first byte of a value.
func (p *picker) begin() {
	if !p.holding && p.wanted(p.path) {
		p.holding, p.holdAt, p.held = true, len(p.open), p.held[:0]
	}
}

// end is behind the last byte of a value.
func (p *picker) end() {
	if !p.holding || len(p.open) != p.holdAt {
		return
	}
	p.holding = false
	p.found(p.path, p.held)
}

func (p *picker) hold(c byte) {
	if p.holding && len(p.held) < maxValue {
		p.held = append(p.held, c)
	}
}
