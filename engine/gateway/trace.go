package gateway

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// bodyLimit bounds what a trace keeps of a body, in bytes.
const bodyLimit = 2 << 20

// A Trace is a call as it stands in the record of a trial: one line of JSON, of
// which a Reader makes the conversation again.
type Trace struct {
	Row

	// Request is the body of the request, without keys, and as it was before any
	// translation. Agents send their whole conversation each time: the first Same
	// bytes of the request of the line before come first, and are left out.
	Same    int    `json:"request_same,omitempty"`
	Request string `json:"request,omitempty"`

	Response string `json:"response,omitempty"` // as the agent has got it
	Left     int64  `json:"left_out,omitempty"` // bytes of the two that were too many
}

// A tracer writes calls, in the order of their ends.
type tracer struct {
	mu     sync.Mutex
	to     io.Writer
	mask   func([]byte) []byte
	before []byte // the request of the line before
	err    error
}

// write writes a call. What is no text is kept as far as it is.
func (t *tracer) write(row Row, request []byte, response *capture) {
	if t.to == nil {
		return
	}
	line := Trace{Row: row}
	request = t.mask(request) // before it is cut, for half a key would not be found
	if len(request) > bodyLimit {
		line.Left, request = int64(len(request)-bodyLimit), request[:bodyLimit]
	}
	line.Left += response.left
	text := request
	if !utf8.Valid(text) {
		text = bytes.ToValidUTF8(text, []byte("\uFFFD"))
	}
	line.Response = strings.ToValidUTF8(string(t.mask(response.kept.Bytes())), "\uFFFD")
	t.mu.Lock()
	defer t.mu.Unlock()
	line.Same = common(t.before, text)
	line.Request = string(text[line.Same:])
	t.before = text
	out, err := json.Marshal(line)
	if err == nil {
		_, err = t.to.Write(append(out, '\n'))
	}
	if err != nil && t.err == nil {
		t.err = fmt.Errorf("writing the calls of a trial: %w", err)
	}
}

// common is how many bytes two texts begin with alike, in whole characters.
func common(a, b []byte) int {
	const block = 4 << 10
	n := 0
	for n+block <= min(len(a), len(b)) && bytes.Equal(a[n:n+block], b[n:n+block]) {
		n += block
	}
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	for n > 0 && n < len(b) && !utf8.RuneStart(b[n]) {
		n--
	}
	return n
}

// ReadTraces reads the calls of a trial, with their requests whole again.
func ReadTraces(r io.Reader) ([]Trace, error) {
	d := json.NewDecoder(r)
	var out []Trace
	before := ""
	for {
		var t Trace
		if err := d.Decode(&t); err == io.EOF {
			return out, nil
		} else if err != nil {
			return out, fmt.Errorf("line %d of the calls: %w", len(out)+1, err)
		}
		if t.Same < 0 || t.Same > len(before) {
			return out, fmt.Errorf("line %d of the calls: it begins like a line before it that is not there", len(out)+1)
		}
		before = before[:t.Same] + t.Request
		t.Request, t.Same = before, 0
		out = append(out, t)
	}
}

// A capture keeps the beginning of what is written to it.
type capture struct {
	kept bytes.Buffer
	left int64
}

func (c *capture) add(p []byte) {
	n := min(len(p), bodyLimit-c.kept.Len())
	c.kept.Write(p[:n])
	c.left += int64(len(p) - n)
}
