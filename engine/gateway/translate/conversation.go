package translate

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A conversation is a request in no family's words.
type conversation struct {
	system   []string
	messages []message
	tools    []tool
	choice   choice
	parallel *bool // several calls in one answer; nil if nothing was said
	format   *format
	sampling sampling
	stream   bool

	effort, verbosity string // OpenAI's, in both of its families
}

// Roles of messages. A system message is one amid a conversation; those before
// it are its system prompt.
const (
	user      = "user"
	assistant = "assistant"
	system    = "system"
)

// A message is what one side says. Neighbours have different roles, but for
// system messages.
type message struct {
	role  string
	parts []part
}

// Kinds of parts.
const (
	textPart      = iota
	imagePart     // of the user
	callPart      // of the assistant: a tool is to be called
	resultPart    // of the user: what a call gave
	reasoningPart // of the assistant
)

// A part is a piece of a message. Which fields are set depends on its kind.
type part struct {
	kind   int
	field  string // where it stood in the request
	text   string // of a text or of reasoning
	proof  string // with reasoning: what the upstream wants back, in its own words while an answer is read
	image  image
	call   call
	result result
}

// empty reports whether nothing is lost without the part.
func (p *part) empty() bool {
	return (p.kind == textPart || p.kind == reasoningPart) && p.text == "" && p.proof == ""
}

// An image is in line or somewhere in the web.
type image struct {
	mime, data string // data in base64
	url        string // instead of both
}

// dataURL is the image as OpenAI takes it.
func (i image) dataURL() string {
	if i.url != "" {
		return i.url
	}
	return "data:" + i.mime + ";base64," + i.data
}

// imageOf reads a URL that may hold the image itself.
func imageOf(url string) (image, bool) {
	data, ok := strings.CutPrefix(url, "data:")
	if !ok {
		return image{url: url}, strings.HasPrefix(url, "https://") || strings.HasPrefix(url, "http://")
	}
	mime, data, ok := strings.Cut(data, ";base64,")
	return image{mime: mime, data: data}, ok
}

// A call of a tool.
type call struct {
	id, space, name string
	args            string // JSON, as the model wrote it: it need not be valid
	free            bool   // the agent wants a text instead of JSON
}

// A result of a call.
type result struct {
	id, name string
	parts    []part // texts and images
	failed   bool
}

// text is all the text of a result.
func (r result) text() string {
	var all []string
	for _, p := range r.parts {
		if p.kind == textPart {
			all = append(all, p.text)
		}
	}
	return strings.Join(all, "\n")
}

// images are the images of results.
func images(results []part) (out []part) {
	for _, r := range results {
		for _, p := range r.result.parts {
			if p.kind == imagePart {
				out = append(out, p)
			}
		}
	}
	return out
}

// A tool that the model may call.
type tool struct {
	space, name string // a space groups tools; empty for most
	seen        string // the one name that the upstream sees
	description string
	schema      json.RawMessage // JSON Schema of an object; nil for no arguments
	strict      *bool           // OpenAI's
	free        bool            // it takes a text instead of JSON
}

// parameters is the schema, also for a tool without.
func (t tool) parameters() json.RawMessage {
	if t.schema == nil {
		return json.RawMessage(`{"type":"object","properties":{}}`)
	}
	return t.schema
}

// Modes of a choice.
const (
	chooseAuto = "auto"
	chooseNone = "none"
	chooseAny  = "any"
	chooseOne  = "one"
)

// A choice says which tools the model must or must not call.
type choice struct {
	mode        string // empty if nothing was said
	space, name string // with chooseOne
}

// A format is what the answer has to be: any JSON, or JSON of a schema.
type format struct {
	field  string
	name   string
	schema json.RawMessage // nil for any JSON
	strict *bool
}

// Sampling is how an answer is drawn. Nil is "nothing was said".
type sampling struct {
	temperature, topP, topK *float64
	frequency, presence     *float64
	seed, maxTokens         *int64
	stop                    []string
}

// add says one more thing.
func (c *conversation) add(role string, parts ...part) {
	parts = slices.DeleteFunc(parts, func(p part) bool { return p.empty() })
	if len(parts) == 0 {
		return
	}
	if n := len(c.messages); n > 0 && c.messages[n-1].role == role && role != system {
		c.messages[n-1].parts = append(c.messages[n-1].parts, parts...)
		return
	}
	c.messages = append(c.messages, message{role, parts})
}

// instruct adds a text of whoever runs the agent: to the system prompt before the
// conversation has begun, else where it stands.
func (c *conversation) instruct(text, field string) {
	switch {
	case text == "":
	case len(c.messages) == 0:
		c.system = append(c.system, text)
	default:
		c.add(system, part{text: text, field: field})
	}
}

// settle puts each result right behind the message of its call, in the order of
// the calls and before all else that the user says there, since most families
// want them so; and it gives calls with the same id different ones. A result that
// answers no call is refused.
func (c *conversation) settle(r *reader) {
	type place struct{ message, part int }
	waiting := map[string][]place{} // results by the id that they name
	for i, m := range c.messages {
		for j, p := range m.parts {
			if p.kind == resultPart {
				waiting[p.result.id] = append(waiting[p.result.id], place{i, j})
			}
		}
	}
	taken := map[place]bool{}
	seen, again := map[string]bool{}, map[string]int{}
	results := map[int][]part{} // by the message of the calls
	for i, m := range c.messages {
		for j := range m.parts {
			p := &m.parts[j]
			if p.kind != callPart {
				continue
			}
			id := p.call.id
			for seen[p.call.id] {
				again[id]++
				p.call.id = fmt.Sprintf("%s_%d", id, 1+again[id])
			}
			seen[p.call.id] = true
			k := slices.IndexFunc(waiting[id], func(at place) bool { return at.message > i && !taken[at] })
			if k < 0 {
				continue
			}
			at := waiting[id][k]
			waiting[id] = slices.Delete(waiting[id], k, k+1)
			taken[at] = true
			q := c.messages[at.message].parts[at.part]
			q.result.id, q.result.name = p.call.id, seenName(p.call.space, p.call.name)
			results[i] = append(results[i], q)
		}
	}
	for i, m := range c.messages {
		for j, p := range m.parts {
			if p.kind == resultPart && !taken[place{i, j}] {
				r.refuse(p.field, "the result answers no call before it (its id is %q)", clip(p.result.id, 80))
			}
		}
	}
	all := conversation{messages: make([]message, 0, len(c.messages))}
	for i, m := range c.messages {
		var rest []part
		for j, p := range m.parts {
			if !taken[place{i, j}] {
				rest = append(rest, p)
			}
		}
		all.add(m.role, rest...)
		all.add(user, results[i]...)
	}
	c.messages = all.messages
}

// split parts results from all else that the user says.
func split(parts []part) (results, rest []part) {
	for _, p := range parts {
		if p.kind == resultPart {
			results = append(results, p)
		} else {
			rest = append(rest, p)
		}
	}
	return results, rest
}

// Reasons why a model stopped.
const (
	stopEnd      = "end" // it has said all
	stopCalls    = "calls"
	stopLength   = "length"
	stopSequence = "sequence"
	stopFilter   = "filter" // somebody did not want it to be said
)

// An answer of a model.
type answer struct {
	id, model string
	created   int64 // seconds since 1970; zero if it is not known
	parts     []part
	stop      string
	sequence  string // with stopSequence, if it is known which
	usage     *usage // nil if the upstream did not say
}

// settleStop makes up for families that have no reason of their own for calls.
func (a *answer) settleStop() {
	if a.stop == "" || a.stop == stopEnd {
		a.stop = stopEnd
		if slices.ContainsFunc(a.parts, func(p part) bool { return p.kind == callPart }) {
			a.stop = stopCalls
		}
	}
}

// A usage is a number of tokens. Input excludes what the cache took, output
// includes reasoning.
type usage struct {
	input, cacheRead, cacheWrite, output, reasoning int64
}

// known is the usage, or zeros for clients that cannot do without.
func (a *answer) known() usage {
	if a.usage == nil {
		return usage{}
	}
	return *a.usage
}

// A failure is an error that the upstream told.
type failure struct {
	status              int // 0 in a stream, where there is none
	kind, code, message string
}

// failed is a failure whose body is in no known shape.
func failed(body []byte) failure {
	text := strings.TrimSpace(clip(string(body), 2000))
	if text == "" {
		text = "the upstream gave no reason"
	}
	return failure{message: text}
}
