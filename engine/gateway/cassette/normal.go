package cassette

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// A normalizer brings one request into its normal form.
type normalizer struct {
	mask func([]byte) []byte
	seen map[string]string // placeholder of what was replaced
	ids  int
	tmps int
}

// normal is the normal form of a request.
func normal(q Request, mask func([]byte) []byte) Request {
	n := normalizer{mask: mask, seen: map[string]string{}}
	return Request{Method: q.Method, Path: n.path(q.Path), Body: n.body(q.Body)}
}

// roots are where the paths of the families begin. What stands before them is the
// provider's address, which a replay has no use for.
var roots = []string{"/chat/completions", "/responses", "/messages", "/models"}

func (n *normalizer) path(text string) string {
	name, query, _ := strings.Cut(text, "?")
	for _, root := range roots {
		if i := strings.LastIndex(name, root); i >= 0 {
			name = name[i:]
			break
		}
	}
	if values, err := url.ParseQuery(query); err == nil {
		values.Del("key")
		query = values.Encode()
	}
	if query != "" {
		name += "?" + query
	}
	return oneLine(n.masked(name))
}

// oneLine keeps a text from being more than one word of one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return '_'
		}
		return r
	}, s)
}

func (n *normalizer) body(body []byte) []byte {
	value, err := decode(body)
	if err != nil {
		if utf8.Valid(body) {
			return []byte(n.text(string(body)))
		}
		return n.mask(body)
	}
	if top, ok := value.(map[string]any); ok {
		drop(top)
	}
	return encode(n.value(value))
}

// ownFields name a run, an installation or a person, and change no answer.
var ownFields = []string{"client_metadata", "metadata", "prompt_cache_key", "safety_identifier", "user"}

// billing begins a block of the system prompt that tells versions and kinds of
// calls to the provider, and not to the model.
const billing = "x-anthropic-billing-header:"

func drop(top map[string]any) {
	for _, name := range ownFields {
		delete(top, name)
	}
	if system, ok := top["system"].([]any); ok {
		top["system"] = slices.DeleteFunc(system, func(v any) bool {
			block, _ := v.(map[string]any)
			text, _ := block["text"].(string)
			return strings.HasPrefix(text, billing)
		})
	}
}

func (n *normalizer) value(v any) any {
	switch v := v.(type) {
	case string:
		return n.text(v)
	case []any:
		for i := range v {
			v[i] = n.value(v[i])
		}
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			value := n.value(v[name])
			delete(v, name)
			v[n.masked(name)] = value
		}
	}
	return v
}

func (n *normalizer) masked(s string) string { return string(n.mask([]byte(s))) }

// clock is a time of day.
const clock = `([0-2]\d:[0-5]\d(:[0-5]\d([.,]\d+)?)?(Z| ?[+-]\d\d:?\d\d| ?[AP]M)?|\d:[0-5]\d(:[0-5]\d)? ?[AP]M)`

const (
	weekday = `((Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*,? +)?`
	month   = `(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]*`
	year    = `(19|20)\d\d`
)

var months = []string{"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"}

// A shape is what changes from run to run. It asks for enough that no ordinary word
// is taken for it, and lies in one line.
type shape struct {
	parts []string // of which every one holds one
	form  *regexp.Regexp
	put   func(*normalizer, string) string
	bare  bool // it need not hold a digit; all others do
}

// shapes are looked for one after the other: what comes first may be a part of what
// comes later, and the other way round. A day that a time or a year follows comes
// before other days, or else "23 Nov 27 18:27" in a list of files would be the 23rd.
var shapes = []shape{
	{parts: []string{"/tmp/", "/folders/"}, form: tempForm, put: (*normalizer).temp, bare: true},
	{parts: []string{"Chunk ID: ", "chunk_id"}, form: regexp.MustCompile(`\b(Chunk ID: |chunk_id"?: ?"?)[0-9a-f]{6}\b`), put: always("<chunk>"), bare: true}, // of Codex
	{parts: []string{"-"}, form: regexp.MustCompile(`\b(\w*_)?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), put: (*normalizer).id},
	{parts: []string{"_", "-"}, form: regexp.MustCompile(`\b(call|chatcmpl|ctc|fc|gen|item|msg|req|resp|rs|run|session|thread|toolu|turn)[_-][0-9A-Za-z]{12,}\b`), put: (*normalizer).id},
	{parts: []string{"_1", "-1"}, form: regexp.MustCompile(`\b[A-Za-z]\w*[_-]1[5-9]\d{11}([_-]\d+)?\b`), put: (*normalizer).id}, // with milliseconds since 1970
	{parts: []string{"19", "20"}, form: regexp.MustCompile(`\b` + year + `(-[01]\d-[0-3]\d(T` + clock + `)?|[01]\d[0-3]\d[T_-]?[0-2]\d[0-5]\d[0-5]\dZ?)\b`), put: always("<date>")},
	{parts: months, form: regexp.MustCompile(`\b` + weekday + month + ` +\d\d?,? +(` + clock + `( +[A-Z]{3,5})?( +` + year + `)?|` + year + `)( [+-]\d{4})?\b`), put: always("<date>")},
	{parts: months, form: regexp.MustCompile(`\b` + weekday + `(\d\d? +` + month + `|` + month + ` +\d\d?)\b(,? +` + year + `\b)?`), put: always("<date>")},
	{parts: []string{"/19", "/20"}, form: regexp.MustCompile(`\b[0-3]?\d/[0-3]?\d/` + year + `\b`), put: always("<date>")},
	{parts: []string{":"}, form: regexp.MustCompile(`\b` + clock + `\b`), put: always("<time>")},
	{parts: []string{"seconds", "duration", "elapsed"}, form: regexp.MustCompile(`\b\w*(seconds|duration|elapsed)"?: ?\d+\.\d+(e-?\d+)?\b`), put: always("<duration>")},
	{parts: []string{"s"}, form: regexp.MustCompile(`\b\d+\.\d+ ?(ns|µs|us|ms|s|sec|secs|seconds?)\b`), put: always("<duration>")},
	{parts: []string{"0x"}, form: regexp.MustCompile(`\b0x[0-9a-fA-F]{6,16}\b`), put: always("<address>")},
	{parts: []string{"PID", "PGID", "pid", "pgid"}, form: regexp.MustCompile(`\b(PG?ID|pg?id)s?(: ?|=| )\d+(, ?\d+)*\b`), put: always("<process>")},
	{parts: []string{"Linux "}, form: regexp.MustCompile(`\bLinux (\S+ )?\d+\.\d+\.\d+[0-9A-Za-z.+_~-]*`), put: always("<kernel>")},
}

func always(placeholder string) func(*normalizer, string) string {
	return func(*normalizer, string) string { return placeholder }
}

// tempForm is the name of a temporary file.
var tempForm = regexp.MustCompile(`(/private)?(/var)?/(tmp|folders/[0-9a-z_]{2}/[0-9a-z_]+/T)/[^\s/"'\x60:;,()\[\]{}<>\\|]+`)

// text puts placeholders into a text, line by line, since most lines have nothing
// to look at.
func (n *normalizer) text(s string) string {
	s = n.masked(s)
	if !strings.ContainsAny(s, digits) && !slices.ContainsFunc(shapes, func(k shape) bool { return k.bare && k.mayBeIn(s) }) {
		return s
	}
	var out strings.Builder
	for line := range strings.Lines(s) {
		out.WriteString(n.line(line))
	}
	return out.String()
}

const digits = "0123456789"

// mayBeIn reports whether it is worth while to look for the shape in a line.
func (k shape) mayBeIn(s string) bool {
	return slices.ContainsFunc(k.parts, func(part string) bool { return strings.Contains(s, part) })
}

func (n *normalizer) line(s string) string {
	for _, k := range shapes {
		if !k.bare && !strings.ContainsAny(s, digits) || !k.mayBeIn(s) {
			continue
		}
		s = k.form.ReplaceAllStringFunc(s, func(found string) string {
			if !k.bare && !strings.ContainsAny(found, digits) {
				return found
			}
			return k.put(n, found)
		})
	}
	return s
}

func (n *normalizer) id(id string) string {
	if n.seen[id] == "" {
		n.ids++
		n.seen[id] = fmt.Sprintf("<id %d>", n.ids)
	}
	return n.seen[id]
}

func (n *normalizer) temp(path string) string {
	if n.seen[path] == "" {
		n.tmps++
		n.seen[path] = fmt.Sprintf("<temp %d>", n.tmps)
	}
	return n.seen[path]
}

// decode reads a text that is one value of JSON.
func decode(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one value")
	}
	return v, nil
}

// encode writes a value with sorted keys, in as many lines as people like to read.
func encode(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	_ = e.Encode(v) // what was decoded can be encoded
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}
