package wire

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
)

// A Kind says what a call is for.
type Kind string

// The kinds of calls.
const (
	KindCompletion Kind = "completion" // a model answers; the only kind that is billed
	KindCount      Kind = "count"      // how many tokens a request would have
	KindModels     Kind = "models"     // which models there are, or what one of them is
	KindHead       Kind = "head"       // whether anybody is there; any status will do
	KindUpgrade    Kind = "upgrade"    // a websocket is asked for; 426 makes clients fall back at once
	KindUnknown    Kind = "unknown"    // none of these
)

// A Call is what a request asks for.
type Call struct {
	Family Family // always one of Families: with KindUnknown, that in which to say so
	Kind   Kind

	// Action is how the path ends, without a model that is named in it:
	// "/messages", ":generateContent".
	Action string

	Model  string // as the agent calls it; empty if it names none, or names it twice
	Stream bool   // the answer is to come in pieces
	Array  bool   // these pieces are elements of one JSON array, and not server-sent events

	// Usage is whether the agent asks for usage at the end of a stream of
	// completions, where it is only told on request. See AskUsage.
	Usage bool

	// Tools is whether the model may call any. A request without them is most
	// likely beside the agent's own work.
	Tools bool
}

// SideCall reports whether the call looks like one beside the agent's own turns: a
// title, a summary, a classifier, a count. That is a guess from this one request:
// an agent that gives its model no tools at all makes nothing but these.
func (c Call) SideCall() bool {
	return c.Kind != KindCompletion || !c.Tools || c.Action == compact
}

// HidesUsage reports whether the answer to a call will not say what it cost,
// unless AskUsage is applied to the request, and UsageFilter to the answer.
func (c Call) HidesUsage() bool {
	return c.Family == OpenAI && c.Kind == KindCompletion && c.Stream && !c.Usage
}

// Path is where the call goes below the base URL of a provider, if it is to be
// answered by the given model. It is escaped.
func (c Call) Path(model string) string {
	switch {
	case c.Family == Google && (c.Kind == KindCompletion || c.Kind == KindCount), c.Kind == KindModels && c.Model != "":
		return "/models/" + url.PathEscape(model) + c.Action
	case c.Kind == KindModels:
		return "/models"
	}
	return c.Action
}

const compact = "/responses/compact"

// endpoints are told by how a path ends, for clients do not agree on whether the
// version belongs to the base URL, or which it is.
var endpoints = []struct {
	ending string
	family Family
	kind   Kind
}{
	{"/chat/completions", OpenAI, KindCompletion},
	{"/responses", Responses, KindCompletion},
	{compact, Responses, KindCompletion},
	{"/responses/input_tokens", Responses, KindCount},
	{"/messages", Anthropic, KindCompletion},
	{"/messages/count_tokens", Anthropic, KindCount},
}

// verbs are what can be asked of a model of Google's.
var verbs = map[string]Kind{
	":generateContent":       KindCompletion,
	":streamGenerateContent": KindCompletion,
	":countTokens":           KindCount,
}

// Route tells what a request asks for. The body may be anything: what it does not
// say is left out of the call.
func Route(method string, u *url.URL, header http.Header, body []byte) Call {
	c := at(strings.TrimRight(u.Path, "/"), header)
	switch {
	case hasToken(header, "Upgrade", "websocket"):
		c.Kind = KindUpgrade
	case method == http.MethodHead:
		c.Kind = KindHead
	case c.Kind == KindModels && method != http.MethodGet, c.Kind != KindModels && method != http.MethodPost:
		c.Kind = KindUnknown
	}
	if c.Kind != KindCompletion && c.Kind != KindCount {
		return c
	}
	c.read(body)
	if c.Family == Google {
		c.Stream = c.Action == ":streamGenerateContent"
		c.Array = c.Stream && u.Query().Get("alt") != "sse"
	}
	return c
}

// at tells what is at a path.
func at(path string, header http.Header) Call {
	for _, e := range endpoints {
		if strings.HasSuffix(path, e.ending) {
			return Call{Family: e.family, Kind: e.kind, Action: e.ending}
		}
	}
	c := Call{Family: familyOf(path, header), Kind: KindUnknown}
	_, model, found := strings.Cut(path, "/models/")
	if i := strings.LastIndexByte(model, ':'); i > 0 && verbs[model[i:]] != "" {
		return Call{Family: Google, Kind: verbs[model[i:]], Action: model[i:], Model: model[:i]}
	}
	if found && model != "." && model != ".." || strings.HasSuffix(path, "/models") {
		c.Kind, c.Model = KindModels, model
	}
	return c
}

// familyOf tells a family by what its clients send along, where the path is one
// that several of them have.
func familyOf(path string, header http.Header) Family {
	switch {
	case header.Get("Anthropic-Version") != "" || header.Get("X-Api-Key") != "":
		return Anthropic
	case header.Get("X-Goog-Api-Key") != "" || strings.HasPrefix(path, "/v1beta"):
		return Google
	}
	return OpenAI
}

// hasToken reports whether a header that is a list has a token in it.
func hasToken(h http.Header, name, token string) bool {
	for _, line := range h.Values(name) {
		for v := range strings.SplitSeq(line, ",") {
			if strings.EqualFold(strings.TrimSpace(v), token) {
				return true
			}
		}
	}
	return false
}

// read takes from the body of a request what it says of the call.
func (c *Call) read(body []byte) {
	all, err := fields(body)
	if err != nil {
		return
	}
	models := 0
	for _, f := range all {
		value := body[f.from:f.to]
		switch f.name {
		case "model":
			if models++; c.Family != Google {
				c.Model = stringOf(value)
			}
		case "stream":
			c.Stream = string(value) == "true"
		case "stream_options":
			c.Usage = asksUsage(value)
		case "tools", "functions":
			c.Tools = c.Tools || hasElements(value)
		case "input":
			c.Tools = c.Tools || c.Family == Responses && inputHasTools(value)
		}
	}
	if models > 1 && c.Family != Google {
		c.Model = "" // which of them is meant depends on who reads
	}
}

// inputHasTools reports whether tools are given as an item of the input, as Codex
// does it with newer models: {"type": "additional_tools", "tools": […]}.
func inputHasTools(input []byte) bool {
	const wanted = "additional_tools"
	if !bytes.Contains(input, []byte(wanted)) && !bytes.Contains(input, []byte(`\u`)) {
		return false // the whole conversation is in it, which is long
	}
	var items []struct {
		Type  string            `json:"type"`
		Tools []json.RawMessage `json:"tools"`
	}
	_ = json.Unmarshal(input, &items) // what does not fit is not such an item
	for _, i := range items {
		if i.Type == wanted && len(i.Tools) > 0 {
			return true
		}
	}
	return false
}

func asksUsage(options []byte) bool {
	all, _ := fields(options)
	asks := false
	for _, f := range all {
		if f.name == "include_usage" {
			asks = string(options[f.from:f.to]) == "true"
		}
	}
	return asks
}

// hasElements reports whether a value, which is JSON, is an array of something.
func hasElements(value []byte) bool {
	d := document(value)
	return d.at(0) == '[' && d.at(d.space(1)) != ']'
}

// stringOf is the text of a JSON string, and empty for anything else.
func stringOf(value []byte) string {
	var s string
	if json.Unmarshal(value, &s) != nil {
		return ""
	}
	return s
}
