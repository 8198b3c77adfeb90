package translate

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A responsesEvent is an event of a stream of responses.
type responsesEvent struct {
	Type         string           `json:"type"`
	Sequence     int              `json:"sequence_number"`
	Response     *responsesAnswer `json:"response,omitempty"`
	OutputIndex  *int             `json:"output_index,omitempty"`
	ItemID       string           `json:"item_id,omitempty"`
	ContentIndex *int             `json:"content_index,omitempty"`
	SummaryIndex *int             `json:"summary_index,omitempty"`
	Item         *responsesItem   `json:"item,omitempty"`
	Part         *responsesPart   `json:"part,omitempty"`
	Delta        *string          `json:"delta,omitempty"`
	Text         *string          `json:"text,omitempty"`
	Arguments    *string          `json:"arguments,omitempty"`
	Input        *string          `json:"input,omitempty"`

	Message string          `json:"message,omitempty"` // of an error
	Code    any             `json:"code,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

// A responsesDecoder reads a stream of responses.
type responsesDecoder struct {
	*sequence
	items map[int]*block // by output_index
}

func newResponsesDecoder(q *sequence) decoder {
	return &responsesDecoder{sequence: q, items: map[int]*block{}}
}

func (d *responsesDecoder) end() { d.broken("the stream ended before the answer did") }

func (d *responsesDecoder) event(_ string, data []byte) {
	var in responsesEvent
	if !d.decode(data, &in) {
		return
	}
	index := 0
	if in.OutputIndex != nil {
		index = *in.OutputIndex
	}
	switch in.Type {
	case "response.created", "response.in_progress":
		if r := in.Response; r != nil && !d.begun {
			d.answer.id, d.answer.model, d.answer.created = r.ID, r.Model, int64(r.CreatedAt)
		}
		d.start()
	case "response.output_item.added":
		d.added(index, in.Item)
	case "response.output_text.delta", "response.refusal.delta", "response.function_call_arguments.delta",
		"response.reasoning_summary_text.delta", "response.reasoning_text.delta":
		if in.Type == "response.refusal.delta" {
			d.answer.stop = stopFilter
		}
		if b := d.items[index]; b != nil {
			d.grow(b, text(in.Delta))
		}
	case "response.reasoning_summary_part.added":
		if b := d.items[index]; b != nil && in.SummaryIndex != nil && *in.SummaryIndex > 0 {
			d.grow(b, "\n\n")
		}
	case "response.output_item.done":
		d.itemDone(index, in.Item)
	case "response.completed", "response.incomplete":
		d.complete(in.Response)
	case "response.failed":
		f := failure{kind: "server_error", message: "the model failed and gave no reason"}
		if in.Response != nil && in.Response.Error != nil {
			f = in.Response.Error.failure()
		}
		d.failResponse(f)
	case "error":
		f := failure{message: in.Message}
		f.code, _ = in.Code.(string)
		if in.Message == "" {
			f = readOpenAIError(data)
		}
		d.failResponse(f)
	}
}

// failResponse tells an error whose kind may stand where its code is.
func (d *responsesDecoder) failResponse(f failure) {
	if f.kind == "" || f.kind == "error" {
		f.kind = f.code
	}
	d.fail(f)
}

func (d *responsesDecoder) added(index int, item *responsesItem) {
	if item == nil || d.items[index] != nil {
		return
	}
	switch item.Type {
	case "message":
		d.items[index] = d.begin(part{})
	case "reasoning":
		d.items[index] = d.begin(part{kind: reasoningPart})
	case "function_call", "custom_tool_call":
		c := item.call()
		c.args = "" // all of it comes
		d.items[index] = d.begin(part{kind: callPart, call: c})
	}
}

// itemDone ends an item. Servers that send no pieces say all of it only here.
func (d *responsesDecoder) itemDone(index int, item *responsesItem) {
	d.added(index, item)
	b := d.items[index]
	if item == nil || b == nil || b.ended {
		return
	}
	var all string
	switch b.kind {
	case textPart:
		r := &reader{family: responses, state: d.state}
		for _, p := range readResponsesContent(r, item.Content, "item.content") {
			all += p.text
		}
	case callPart:
		all = item.call().args
	case reasoningPart:
		if all = item.summary(); d.hold(len(item.EncryptedContent)) {
			b.proof = item.EncryptedContent
		}
	}
	if rest, ok := strings.CutPrefix(all, string(b.said)); ok {
		d.grow(b, rest)
	}
	d.close(b)
}

func (d *responsesDecoder) complete(in *responsesAnswer) {
	if in != nil {
		d.answer.usage = in.Usage.read()
		if d.answer.stop == "" {
			d.answer.stop = in.stop()
		}
	}
	d.finish()
}

// A responsesEncoder writes a stream of responses.
type responsesEncoder struct {
	answer *answer
	out    *output
	n      int // events that were written
}

func newResponsesEncoder(_ *State, a *answer, out *output) encoder {
	return &responsesEncoder{answer: a, out: out}
}

func (e *responsesEncoder) event(v responsesEvent) {
	v.Sequence = e.n
	e.n++
	e.out.event(v.Type, v)
}

func (e *responsesEncoder) start() {
	r := newResponsesAnswer(e.answer)
	r.Status, r.Usage = "in_progress", nil
	e.event(responsesEvent{Type: "response.created", Response: &r})
	e.event(responsesEvent{Type: "response.in_progress", Response: &r})
}

// about is an event about a block.
func (e *responsesEncoder) about(kind string, b *block) responsesEvent {
	v := responsesEvent{Type: kind, OutputIndex: &b.index, ItemID: fmt.Sprintf("item_%s_%d", e.answer.id, b.index)}
	switch b.kind {
	case textPart:
		v.ContentIndex = new(0)
	case reasoningPart:
		v.SummaryIndex = new(0)
	}
	return v
}

func (e *responsesEncoder) begin(b *block) {
	empty := part{kind: b.kind, call: b.call}
	empty.call.args = ""
	item := newResponsesItem(e.answer.id, b.index, empty)
	switch {
	case b.kind == textPart:
		item.Status, item.Content = "in_progress", json.RawMessage("[]")
	case b.call.free:
		item.Status, item.Input = "in_progress", new("")
	case b.kind == callPart:
		item.Status, item.Arguments = "in_progress", new("")
	}
	e.event(responsesEvent{Type: "response.output_item.added", OutputIndex: &b.index, Item: &item})
	switch b.kind {
	case textPart:
		v := e.about("response.content_part.added", b)
		v.Part = new(newOutputText(""))
		e.event(v)
	case reasoningPart:
		v := e.about("response.reasoning_summary_part.added", b)
		v.Part = &responsesPart{Type: "summary_text", Text: new("")}
		e.event(v)
	}
}

func (e *responsesEncoder) grow(b *block, by string) {
	kind := "response.output_text.delta"
	switch {
	case b.call.free:
		return // only all of the JSON is a text
	case b.kind == callPart:
		kind = "response.function_call_arguments.delta"
	case b.kind == reasoningPart:
		kind = "response.reasoning_summary_text.delta"
	}
	v := e.about(kind, b)
	v.Delta = &by
	e.event(v)
}

func (e *responsesEncoder) end(b *block) {
	item := newResponsesItem(e.answer.id, b.index, b.part)
	switch {
	case b.kind == textPart:
		v := e.about("response.output_text.done", b)
		v.Text = &b.text
		e.event(v)
		v = e.about("response.content_part.done", b)
		v.Part = new(newOutputText(b.text))
		e.event(v)
	case b.kind == reasoningPart:
		v := e.about("response.reasoning_summary_text.done", b)
		v.Text = &b.text
		e.event(v)
		v = e.about("response.reasoning_summary_part.done", b)
		v.Part = &responsesPart{Type: "summary_text", Text: &b.text}
		e.event(v)
	case b.call.free:
		v := e.about("response.custom_tool_call_input.delta", b)
		v.Delta = item.Input
		e.event(v)
		v = e.about("response.custom_tool_call_input.done", b)
		v.Input = item.Input
		e.event(v)
	default:
		v := e.about("response.function_call_arguments.done", b)
		v.Arguments = item.Arguments
		e.event(v)
	}
	e.event(responsesEvent{Type: "response.output_item.done", OutputIndex: &b.index, Item: &item})
}

func (e *responsesEncoder) finish() {
	r := newResponsesAnswer(e.answer)
	for i, p := range e.answer.parts {
		r.Output = append(r.Output, newResponsesItem(e.answer.id, i, p))
	}
	e.event(responsesEvent{Type: "response." + r.Status, Response: &r})
}

func (e *responsesEncoder) fail(f failure) {
	r := newResponsesAnswer(e.answer)
	r.Status = "failed"
	r.Error = &openAIProblem{Message: f.message, Type: openAIKind(f), Code: responsesCode(f)}
	e.event(responsesEvent{Type: "response.failed", Response: &r})
}

// responsesCode is the code by which clients tell what has failed.
func responsesCode(f failure) string {
	switch {
	case f.code != "":
		return f.code
	case f.status == 429:
		return "rate_limit_exceeded"
	case f.status == 529 || f.status == 503:
		return "server_is_overloaded"
	case f.status >= 400 && f.status < 500:
		return "invalid_prompt"
	}
	return "server_error"
}
