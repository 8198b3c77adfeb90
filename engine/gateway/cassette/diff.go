package cassette

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A Difference is one place where what was asked is not what was recorded.
type Difference struct {
	Path     string // as in messages[3].content; "" is all of the body
	Recorded string // "nothing", if it is only in what was asked
	Asked    string // "nothing", if it is only in what was recorded
}

func (d Difference) String() string {
	place := d.Path
	if place == "" {
		place = "body"
	}
	return fmt.Sprintf("%s: recorded %s, asked %s", place, d.Recorded, d.Asked)
}

const nothing = "nothing"

// differences says in what two requests differ.
func differences(recorded, asked Request) []Difference {
	var out []Difference
	if r, a := recorded.Method+" "+recorded.Path, asked.Method+" "+asked.Path; r != a {
		out = append(out, differ("request", r, a))
	}
	r, err := decode(recorded.Body)
	a, err2 := decode(asked.Body)
	if err != nil || err2 != nil {
		if !bytes.Equal(recorded.Body, asked.Body) {
			out = append(out, differ("", string(recorded.Body), string(asked.Body)))
		}
		return out
	}
	walk("", r, a, &out)
	return out
}

func walk(path string, recorded, asked any, out *[]Difference) {
	switch r := recorded.(type) {
	case map[string]any:
		if a, ok := asked.(map[string]any); ok {
			walkObject(path, r, a, out)
			return
		}
	case []any:
		if a, ok := asked.([]any); ok {
			walkArray(path, r, a, out)
			return
		}
	case string:
		if a, ok := asked.(string); ok {
			if r != a {
				*out = append(*out, differ(path, r, a))
			}
			return
		}
	}
	if r, a := string(compact(recorded)), string(compact(asked)); r != a {
		*out = append(*out, Difference{path, clip(r, 0), clip(a, 0)})
	}
}

func walkObject(path string, recorded, asked map[string]any, out *[]Difference) {
	names := slices.Collect(maps.Keys(recorded))
	names = slices.AppendSeq(names, maps.Keys(asked))
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		r, isRecorded := recorded[name]
		a, isAsked := asked[name]
		where := member(path, name)
		switch {
		case !isAsked:
			*out = append(*out, Difference{where, clip(string(compact(r)), 0), nothing})
		case !isRecorded:
			*out = append(*out, Difference{where, nothing, clip(string(compact(a)), 0)})
		default:
			walk(where, r, a, out)
		}
	}
}

// walkArray leaves out what both begin and end with, so that one element more in
// the middle is one difference.
func walkArray(path string, recorded, asked []any, out *[]Difference) {
	head, most := 0, min(len(recorded), len(asked))
	for head < most && same(recorded[head], asked[head]) {
		head++
	}
	tail := 0
	for tail < most-head && same(recorded[len(recorded)-1-tail], asked[len(asked)-1-tail]) {
		tail++
	}
	recorded, asked = recorded[head:len(recorded)-tail], asked[head:len(asked)-tail]
	for i := range max(len(recorded), len(asked)) {
		where := path + "[" + strconv.Itoa(head+i) + "]"
		switch {
		case i >= len(asked):
			*out = append(*out, Difference{where, clip(string(compact(recorded[i])), 0), nothing})
		case i >= len(recorded):
			*out = append(*out, Difference{where, nothing, clip(string(compact(asked[i])), 0)})
		default:
			walk(where, recorded[i], asked[i], out)
		}
	}
}

var plainName = regexp.MustCompile(`^[A-Za-z_$][A-Za-z0-9_$-]*$`)

func member(path, name string) string {
	switch {
	case !plainName.MatchString(name):
		return path + "[" + strconv.Quote(name) + "]"
	case path == "":
		return name
	}
	return path + "." + name
}

func same(a, b any) bool { return bytes.Equal(compact(a), compact(b)) }

func compact(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v) // what was decoded can be encoded
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// differ shows two texts around the first place where they are not the same.
func differ(path, recorded, asked string) Difference {
	at := 0
	for at < len(recorded) && at < len(asked) && recorded[at] == asked[at] {
		at++
	}
	return Difference{path, quoted(recorded, at), quoted(asked, at)}
}

func quoted(s string, at int) string {
	text, before, after := window(s, at)
	return before + strconv.Quote(text) + after
}

func clip(s string, at int) string {
	text, before, after := window(s, at)
	return before + strings.ToValidUTF8(text, "\uFFFD") + after
}

// window is a text around one of its bytes, and what stands for the rest of it.
func window(s string, at int) (text, before, after string) {
	const wide, lead = 60, 20
	start := max(0, at-lead)
	for start > 0 && !utf8.RuneStart(s[start]) {
		start--
	}
	end := min(len(s), start+wide)
	for end < len(s) && !utf8.RuneStart(s[end]) {
		end++
	}
	if start > 0 {
		before = "…"
	}
	if end < len(s) {
		after = "…"
	}
	return s[start:end], before, after
}
