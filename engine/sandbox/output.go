package sandbox

import (
	"fmt"
	"io"
)

// An Output keeps the beginning and the end of what is written to it, and
// counts the rest: a program that prints a gigabyte costs no more memory than
// one that prints a page. The zero Output keeps nothing.
type Output struct {
	half    int
	head    []byte
	tail    []byte // the last bytes, of which more than half are trimmed now and then
	written int64
}

// NewOutput keeps up to limit bytes, half of them from the beginning.
func NewOutput(limit int) *Output { return &Output{half: limit / 2} }

// Write takes everything, and never fails.
func (o *Output) Write(p []byte) (int, error) {
	n := len(p)
	o.written += int64(n)
	if room := o.half - len(o.head); room > 0 {
		take := min(room, len(p))
		o.head = append(o.head, p[:take]...)
		p = p[take:]
	}
	if len(p) > o.half {
		p = p[len(p)-o.half:]
	}
	o.tail = append(o.tail, p...)
	if len(o.tail) > 2*o.half {
		o.tail = append(o.tail[:0], o.tail[len(o.tail)-o.half:]...)
	}
	return n, nil
}

// Written is how many bytes came in.
func (o *Output) Written() int64 { return o.written }

// Kept is how many of them are still there.
func (o *Output) Kept() int64 { return int64(len(o.head) + min(len(o.tail), o.half)) }

// WriteTo writes what was kept, with a note in the place of what was cut.
func (o *Output) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write([]byte(o.String()))
	return int64(n), err
}

// String is what was kept, with a note in the place of what was cut.
func (o *Output) String() string {
	tail := o.tail[max(0, len(o.tail)-o.half):]
	if cut := o.written - int64(len(o.head)+len(tail)); cut > 0 {
		return fmt.Sprintf("%s\n[bench: %d bytes cut here]\n%s", o.head, cut, tail)
	}
	return string(o.head) + string(tail)
}
