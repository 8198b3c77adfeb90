package cassette

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// version is that of the format, and of the normal form of requests.
const version = "bench cassette 1"

// A call is one request with its answer.
type call struct {
	n        int     // counts from 1, in the order in which requests were begun
	request  Request // in its normal form
	response Response
}

// A recording is all that one trial asked.
type recording struct {
	key   string
	calls []call
}

func (r recording) encode() []byte {
	out := header(r.key)
	var before []string
	for _, c := range r.calls {
		var text []byte
		text, before = c.encode(before)
		out = append(out, text...)
	}
	return out
}

func header(key string) []byte { return fmt.Appendf(nil, "%s\ntrial %s\n", version, key) }

// encode writes a call whose request is told as what is new after the one before
// it, and returns the lines that the next one follows.
func (c call) encode(before []string) ([]byte, []string) {
	var out bytes.Buffer
	fmt.Fprintf(&out, "\ncall %d\n> %s %s\n", c.n, c.request.Method, c.request.Path)
	lines := []string(nil)
	if _, err := decode(c.request.Body); err == nil {
		lines = strings.Split(spread(c.request.Body), "\n")
		for _, line := range shorten(lines, before) {
			out.WriteString(line + "\n")
		}
	} else {
		encodeRaw(&out, c.request.Body)
	}
	fmt.Fprintf(&out, "< %d\n", c.response.Status)
	for _, name := range slices.Sorted(maps.Keys(c.response.Header)) {
		for _, value := range c.response.Header[name] {
			fmt.Fprintf(&out, "< %s: %s\n", name, value)
		}
	}
	for i, chunk := range c.response.Chunks {
		if i > 0 {
			out.WriteString("+\n")
		}
		encodeBody(&out, chunk)
	}
	out.WriteString(map[bool]string{false: "end\n", true: "cut\n"}[c.response.Cut])
	return out.Bytes(), lines
}

// worth is how many lines must be the same to be left out.
const worth = 4

// shorten leaves out what a request begins and ends with as the one before does.
func shorten(lines, before []string) []string {
	most := min(len(lines), len(before))
	head := 0
	for head < most && lines[head] == before[head] {
		head++
	}
	tail := 0
	for tail < most-head && lines[len(lines)-1-tail] == before[len(before)-1-tail] {
		tail++
	}
	var out []string
	if head < worth {
		head = 0
	} else {
		out = append(out, "= "+strconv.Itoa(head))
	}
	if tail < worth {
		tail = 0
	}
	out = append(out, lines[head:len(lines)-tail]...)
	if tail > 0 {
		if len(out) == 0 {
			out = append(out, "= 0")
		}
		out = append(out, "= "+strconv.Itoa(tail))
	}
	return out
}

// spread gives a string of several lines as many lines in indented JSON: a literal
// goes on with the next one where nothing else stands between them.
func spread(text []byte) string {
	var out strings.Builder
	inside, start := false, 0 // start of the line
	for i := 0; i < len(text); i++ {
		c := text[i]
		out.WriteByte(c)
		switch {
		case c == '\n':
			start = i + 1
		case c == '"':
			inside = !inside
		case c == '\\' && inside && i+1 < len(text):
			i++
			out.WriteByte(text[i])
			if text[i] == 'n' && i+1 < len(text) && text[i+1] != '"' {
				indent := len(text[start:]) - len(bytes.TrimLeft(text[start:], " "))
				out.WriteString("\"\n" + strings.Repeat(" ", indent+2) + "\"")
			}
		}
	}
	return out.String()
}

// gather is the inverse of spread: a literal ends a line and another one begins the
// next only where the two are one.
func gather(lines []string) []byte {
	var out []byte
	for _, line := range lines {
		rest := strings.TrimLeft(line, " ")
		switch {
		case strings.HasPrefix(rest, `"`) && bytes.HasSuffix(out, []byte(`"`)):
			out = append(out[:len(out)-1], rest[1:]...)
		case len(out) == 0:
			out = append(out, line...)
		default:
			out = append(append(out, '\n'), line...)
		}
	}
	return out
}

// encodeBody writes bytes so that they can be read, and come back as they were.
func encodeBody(out *bytes.Buffer, body []byte) {
	value := bytes.TrimRight(body, "\n")
	if len(value) > 0 && (value[0] == '{' || value[0] == '[') {
		var pretty, compact bytes.Buffer
		if json.Indent(&pretty, value, "", "  ") == nil && utf8.Valid(value) && json.Compact(&compact, value) == nil && bytes.Equal(compact.Bytes(), value) {
			out.WriteString(spread(pretty.Bytes()) + "\n")
			body = body[len(value):]
		}
	}
	encodeRaw(out, body)
}

func encodeRaw(out *bytes.Buffer, body []byte) {
	for line := range bytes.Lines(body) {
		text, marker := line, "\\"
		if cut, ok := bytes.CutSuffix(line, []byte("\r\n")); ok {
			text, marker = cut, "^"
		} else if cut, ok := bytes.CutSuffix(line, []byte("\n")); ok {
			text, marker = cut, "|"
		}
		if !readable(text) {
			text, marker = []byte(base64.StdEncoding.EncodeToString(line)), "~"
		}
		out.WriteString(marker)
		if len(text) > 0 {
			out.WriteByte(' ')
			out.Write(text)
		}
		out.WriteByte('\n')
	}
}

// readable reports whether a line is seen as it is.
func readable(line []byte) bool {
	if !utf8.Valid(line) || bytes.HasSuffix(line, []byte(" ")) || bytes.HasSuffix(line, []byte("\t")) {
		return false // editors take spaces at the end away
	}
	return !bytes.ContainsFunc(line, func(r rune) bool { return r != '\t' && !unicode.IsGraphic(r) })
}

// maxExpanded bounds the requests of a recording, in bytes, so that a small file
// cannot be read for ever.
const maxExpanded = 1 << 30

// A parser reads the lines of a recording.
type parser struct {
	lines    []string
	at       int      // index of the next one
	before   []string // lines of the last request
	expanded int      // bytes of all requests
}

// A badLine is what is wrong with a line of a recording, which counts from 1.
type badLine struct {
	line int
	why  string
}

func (e *badLine) Error() string { return fmt.Sprintf("line %d: %s", e.line, e.why) }

// parse reads a recording. A call that a crash has cut off is an error after the
// whole ones before it, which are returned.
func parse(text []byte) (recording, error) {
	var r recording
	var err error
	r.key, err = each(text, func(c call) { r.calls = append(r.calls, c) })
	return r, err
}

// each reads a recording call by call, so that not all of it need be kept, and
// returns whose it is.
func each(text []byte, visit func(call)) (key string, err error) {
	p := &parser{lines: strings.Split(string(text), "\n")}
	if p.next() != version {
		return "", p.bad("this is not %q; it was written by another version of bench, or by something else", version)
	}
	key, ok := strings.CutPrefix(p.next(), "trial ")
	if !ok {
		return "", p.bad("here must stand the trial")
	}
	for p.skipBlank() {
		c, err := p.call()
		if err != nil {
			return key, err
		}
		visit(c)
	}
	return key, nil
}

func (p *parser) bad(format string, args ...any) error {
	return &badLine{max(p.at, 1), fmt.Sprintf(format, args...)}
}

func (p *parser) more() bool { return p.at < len(p.lines) }

func (p *parser) next() string {
	if !p.more() {
		return ""
	}
	p.at++
	return p.lines[p.at-1]
}

func (p *parser) peek() byte {
	if !p.more() || p.lines[p.at] == "" {
		return 0
	}
	return p.lines[p.at][0]
}

func (p *parser) skipBlank() bool {
	for p.more() && p.lines[p.at] == "" {
		p.at++
	}
	return p.more()
}

func (p *parser) call() (c call, err error) {
	number, ok := strings.CutPrefix(p.next(), "call ")
	if c.n, err = strconv.Atoi(number); !ok || err != nil || c.n < 1 {
		return c, p.bad("here must stand a call with its number, as in \"call 1\"")
	}
	line, ok := strings.CutPrefix(p.next(), "> ")
	if c.request.Method, c.request.Path, ok = cut(line, ok); !ok {
		return c, p.bad("here must stand what is asked, as in \"> POST /messages\"")
	}
	if c.request.Body, err = p.request(); err != nil {
		return c, err
	}
	return c, p.response(&c.response)
}

func cut(line string, ok bool) (method, path string, both bool) {
	method, path, both = strings.Cut(line, " ")
	return method, path, ok && both && method != "" && path != ""
}

// request reads the body of a request.
func (p *parser) request() ([]byte, error) {
	before := p.before
	p.before = nil
	first := p.at
	var same []int // how many lines each "=" stands for
	for isJSON(p.peek()) || p.peek() == '=' {
		line := p.next()
		number, ok := strings.CutPrefix(line, "= ")
		if !ok {
			p.before = append(p.before, line)
			continue
		}
		n, err := strconv.Atoi(number)
		atHead := len(p.before) == 0 && len(same) == 0
		if err != nil || n < 0 || n > len(before) || len(same) == 2 || len(same) == 1 && same[0]+n > len(before) {
			return nil, p.bad("the request before has %d lines, and they cannot be here like this", len(before))
		}
		same = append(same, n)
		lines := before[:n]
		if !atHead {
			lines = before[len(before)-n:]
		}
		p.before = append(p.before, lines...)
		for _, l := range lines {
			p.expanded += len(l)
		}
		if p.expanded > maxExpanded {
			return nil, p.bad("the requests are larger than %d MiB", maxExpanded>>20)
		}
	}
	if p.before != nil {
		body := gather(p.before)
		value, err := decode(body)
		if err != nil {
			return nil, &badLine{first + 1, fmt.Sprintf("the request is not JSON (%v); lines of it may stand in the request before", err)}
		}
		return encode(value), nil
	}
	raw, err := p.raw()
	if value, not := decode(raw); not == nil { // somebody has written JSON as if it were none
		raw = encode(value)
	}
	return raw, err
}

func isJSON(c byte) bool {
	return c != 0 && strings.IndexByte("{}[]\" -0123456789tfn", c) >= 0
}

func (p *parser) response(r *Response) (err error) {
	status, ok := strings.CutPrefix(p.next(), "< ")
	if r.Status, err = strconv.Atoi(status); !ok || err != nil || r.Status < 100 || r.Status > 999 {
		return p.bad("here must stand the status of the answer, as in \"< 200\"")
	}
	for p.peek() == '<' {
		name, value, ok := strings.Cut(strings.TrimPrefix(p.next(), "< "), ": ")
		if name = http.CanonicalHeaderKey(name); !ok || !slices.Contains(keptHeaders, name) {
			return p.bad("here must stand a header, one of %s", strings.Join(keptHeaders, ", "))
		}
		if r.Header == nil {
			r.Header = http.Header{}
		}
		r.Header.Add(name, value)
	}
	for {
		chunk, err := p.body()
		if err != nil {
			return err
		}
		if chunk != nil {
			r.Chunks = append(r.Chunks, chunk)
		}
		switch line := p.next(); {
		case line == "+" && chunk != nil:
		case line == "end" || line == "cut":
			if chunk == nil && len(r.Chunks) > 0 {
				return p.bad("between this and the \"+\" before must stand what the chunk has")
			}
			if !p.more() {
				return p.bad("the end of the line is missing")
			}
			r.Cut = line == "cut"
			return nil
		default:
			return p.bad("here must stand more of the answer, \"end\" or \"cut\"")
		}
	}
}

// body reads one chunk; nil if there is none.
func (p *parser) body() ([]byte, error) {
	first := p.at
	for isJSON(p.peek()) {
		p.at++
	}
	var out bytes.Buffer
	if p.at > first {
		if err := json.Compact(&out, gather(p.lines[first:p.at])); err != nil {
			return nil, &badLine{first + 1, fmt.Sprintf("the answer is not JSON: %v", err)}
		}
	}
	rest, err := p.raw()
	out.Write(rest)
	return out.Bytes(), err
}

// raw reads lines of bytes.
func (p *parser) raw() ([]byte, error) {
	var out []byte
	for c := p.peek(); c != 0 && strings.IndexByte(`|^\~`, c) >= 0; c = p.peek() {
		text := p.next()[1:]
		text = strings.TrimPrefix(text, " ")
		switch c {
		case '|':
			text += "\n"
		case '^':
			text += "\r\n"
		case '~':
			b, err := base64.StdEncoding.DecodeString(text)
			if err != nil {
				return nil, p.bad("this is not base64: %v", err)
			}
			text = string(b)
		}
		out = append(out, text...)
	}
	return out, nil
}
