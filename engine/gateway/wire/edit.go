package wire

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"unicode/utf8"
)

// Reasons why a request cannot be passed on.
var (
	ErrNotObject = errors.New("the body of the request is not one JSON object")
	ErrNoModel   = errors.New("the request names no model")
)

// SetModel puts the name of a model into the body of a request, wherever the
// family has one there, and leaves every other byte as it is. A name that is there
// twice is replaced twice: which one counts would depend on who reads. Google's
// bodies need not name the model, which is in the path; see Call.Path. The error is
// ErrNotObject or ErrNoModel. The body itself is not changed; where there is nothing
// to change, it is the result.
func SetModel(f Family, body []byte, model string) ([]byte, error) {
	all, err := fields(body)
	if err != nil {
		return nil, err
	}
	var edits []edit
	named := f == Google
	for _, v := range all {
		switch {
		case v.name == "model":
			named = true
			edits = append(edits, v.rename(body, 0, f, model)...)
		case v.name == "generateContentRequest" && f == Google: // of countTokens
			inner, _ := fields(body[v.from:v.to])
			for _, w := range inner {
				if w.name == "model" {
					edits = append(edits, w.rename(body, v.from, f, model)...)
				}
			}
		}
	}
	if !named {
		return nil, ErrNoModel
	}
	return apply(body, edits), nil
}

// AskUsage changes a request for a stream of chat completions so that the last
// chunk says what it cost, and leaves every other byte as it is. An agent that did
// not ask for that chunk must not see it: see UsageFilter. The error is
// ErrNotObject. The body itself is not changed.
//
// That it takes stream_options.include_usage is in OpenAI's reference of chat
// completions, platform.openai.com/docs/api-reference/chat/create.
func AskUsage(body []byte) ([]byte, error) {
	const option = `"include_usage":true`
	all, err := fields(body)
	if err != nil {
		return nil, err
	}
	var edits []edit
	for _, v := range all {
		if v.name != "stream_options" {
			continue
		}
		inner, err := fields(body[v.from:v.to])
		if err != nil { // null, most likely
			edits = append(edits, edit{v.from, v.to, "{" + option + "}"})
			continue
		}
		said := false
		for _, w := range inner {
			if w.name == "include_usage" {
				said = true
				edits = append(edits, edit{v.from + w.from, v.from + w.to, "true"})
			}
		}
		if !said {
			edits = append(edits, first(body, v.from, option, len(inner)))
		}
	}
	if len(edits) == 0 {
		edits = append(edits, first(body, 0, `"stream_options":{`+option+`}`, len(all)))
	}
	return apply(body, edits), nil
}

// A field of a JSON object, by where its value is.
type field struct {
	name     string
	from, to int
}

// fields lists those of a JSON object, in order. Names are as they are written:
// encoding/json would take "Model" for "model", which no provider does.
func fields(object []byte) ([]field, error) {
	d := document(object)
	from := d.space(0)
	if d.at(from) != '{' {
		return nil, ErrNotObject
	}
	var out []field
	end := d.object(from, 1, func(name, value span) {
		out = append(out, field{nameOf(object[name.from:name.to]), value.from, value.to})
	})
	if end == bad || d.space(end) != len(d) {
		return nil, ErrNotObject
	}
	return out, nil
}

// nameOf is the text of a name in JSON.
func nameOf(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') >= 0 || !utf8.Valid(quoted) {
		return stringOf(quoted)
	}
	return string(quoted[1 : len(quoted)-1])
}

// rename puts a model into a field, whose object begins at an offset of the body.
func (v field) rename(body []byte, offset int, f Family, model string) []edit {
	from, to := offset+v.from, offset+v.to
	old := stringOf(body[from:to])
	if f == Google && strings.HasPrefix(old, "models/") {
		model = "models/" + model
	}
	if old == model {
		return nil
	}
	quoted, err := json.Marshal(model)
	if err != nil {
		return nil // no string fails to be one in JSON
	}
	return []edit{{from, to, string(quoted)}}
}

// first makes a field the first one of an object that has some others.
func first(body []byte, object int, text string, others int) edit {
	at := object + bytes.IndexByte(body[object:], '{') + 1
	if others > 0 {
		text += ","
	}
	return edit{at, at, text}
}

// An edit puts a text in the place of some bytes.
type edit struct {
	from, to int
	text     string
}

// apply makes edits, which are in order and apart.
func apply(body []byte, edits []edit) []byte {
	if len(edits) == 0 {
		return body
	}
	out := make([]byte, 0, len(body)+64)
	done := 0
	for _, e := range edits {
		out = append(append(out, body[done:e.from]...), e.text...)
		done = e.to
	}
	return append(out, body[done:]...)
}
