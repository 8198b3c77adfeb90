package translate

import "encoding/json"

// A messagesEvent is an event of a stream of messages.
type messagesEvent struct {
	Type         string           `json:"type"`
	Message      *messagesAnswer  `json:"message,omitempty"`
	Index        *int             `json:"index,omitempty"`
	ContentBlock *messagesBlock   `json:"content_block,omitempty"`
	Delta        *messagesDelta   `json:"delta,omitempty"`
	Usage        *messagesUsage   `json:"usage,omitempty"`
	Error        *messagesProblem `json:"error,omitempty"`
}

type messagesDelta struct {
	Type        string  `json:"type,omitempty"`
	Text        *string `json:"text,omitempty"`
	Thinking    *string `json:"thinking,omitempty"`
	Signature   *string `json:"signature,omitempty"`
	PartialJSON *string `json:"partial_json,omitempty"`

	StopReason   *string         `json:"stop_reason,omitempty"`   // of the message
	StopSequence json.RawMessage `json:"stop_sequence,omitempty"` // of the same: a text or null
}

// A messagesDecoder reads a stream of messages.
type messagesDecoder struct {
	*sequence
	blocks map[int]*block // by index
	inputs map[int]string // arguments that came whole, with the beginning of their call

	stopped bool // it was said why
}

func newMessagesDecoder(q *sequence) decoder {
	return &messagesDecoder{sequence: q, blocks: map[int]*block{}, inputs: map[int]string{}}
}

func (d *messagesDecoder) end() {
	if !d.stopped {
		d.broken("the stream ended before the answer did")
		return
	}
	d.finish()
}

func (d *messagesDecoder) event(_ string, data []byte) {
	var in messagesEvent
	if !d.decode(data, &in) {
		return
	}
	index := 0
	if in.Index != nil {
		index = *in.Index
	}
	switch in.Type {
	case "message_start":
		if m := in.Message; m != nil && !d.begun {
			d.answer.id, d.answer.model, d.answer.usage = m.ID, m.Model, m.Usage.fold(nil)
		}
		d.start()
	case "content_block_start":
		if in.ContentBlock != nil && d.blocks[index] == nil {
			d.opened(index, *in.ContentBlock)
		}
	case "content_block_delta":
		if b := d.blocks[index]; b != nil && in.Delta != nil {
			d.delta(b, in.Delta)
		}
	case "content_block_stop":
		if b := d.blocks[index]; b != nil {
			if len(b.said) == 0 {
				d.grow(b, d.inputs[index])
			}
			d.close(b)
		}
	case "message_delta":
		d.answer.usage = in.Usage.fold(d.answer.usage)
		if in.Delta != nil && in.Delta.StopReason != nil {
			d.stopped = true
			d.answer.stop = messagesStops[*in.Delta.StopReason]
			_ = json.Unmarshal(in.Delta.StopSequence, &d.answer.sequence)
		}
	case "message_stop":
		d.finish()
	case "error":
		d.fail(readAnthropicError(data))
	}
}

func (d *messagesDecoder) opened(index int, in messagesBlock) {
	switch in.Type {
	case "text":
		d.blocks[index] = d.begin(part{})
		d.grow(d.blocks[index], text(in.Text))
	case "tool_use":
		d.blocks[index] = d.begin(part{kind: callPart, call: call{id: in.ID, name: in.Name}})
		if args := string(object(string(in.Input))); d.hold(len(args)) {
			d.inputs[index] = args
		}
	case "thinking":
		d.blocks[index] = d.begin(part{kind: reasoningPart, proof: text(in.Signature)})
		d.grow(d.blocks[index], text(in.Thinking))
	case "redacted_thinking":
		d.blocks[index] = d.begin(part{kind: reasoningPart, proof: redacted + in.Data})
	}
}

func (d *messagesDecoder) delta(b *block, in *messagesDelta) {
	switch in.Type {
	case "text_delta":
		d.grow(b, text(in.Text))
	case "thinking_delta":
		d.grow(b, text(in.Thinking))
	case "input_json_delta":
		d.grow(b, text(in.PartialJSON))
	case "signature_delta":
		if s := text(in.Signature); d.hold(len(s)) {
			b.proof = s
		}
	}
}

// A messagesEncoder writes a stream of messages.
type messagesEncoder struct {
	answer *answer
	out    *output
}

func newMessagesEncoder(_ *State, a *answer, out *output) encoder { return &messagesEncoder{a, out} }

func (e *messagesEncoder) event(v messagesEvent) { e.out.event(v.Type, v) }

func (e *messagesEncoder) start() {
	m := newMessagesAnswer(e.answer)
	e.event(messagesEvent{Type: "message_start", Message: &m})
}

func (e *messagesEncoder) begin(b *block) {
	empty := part{kind: b.kind, call: b.call}
	empty.call.args = ""
	e.event(messagesEvent{Type: "content_block_start", Index: &b.index, ContentBlock: new(newMessagesBlock(empty))})
}

func (e *messagesEncoder) grow(b *block, by string) {
	delta := &messagesDelta{Type: "text_delta"}
	switch b.kind {
	case textPart:
		delta.Text = &by
	case callPart:
		delta.Type, delta.PartialJSON = "input_json_delta", &by
	case reasoningPart:
		delta.Type, delta.Thinking = "thinking_delta", &by
	}
	e.event(messagesEvent{Type: "content_block_delta", Index: &b.index, Delta: delta})
}

func (e *messagesEncoder) end(b *block) {
	if b.kind == reasoningPart && b.proof != "" {
		e.event(messagesEvent{Type: "content_block_delta", Index: &b.index, Delta: &messagesDelta{Type: "signature_delta", Signature: &b.proof}})
	}
	e.event(messagesEvent{Type: "content_block_stop", Index: &b.index})
}

func (e *messagesEncoder) finish() {
	delta := &messagesDelta{StopReason: new(messagesStop(e.answer.stop)), StopSequence: json.RawMessage("null")}
	if e.answer.sequence != "" {
		delta.StopSequence = marshal(e.answer.sequence)
	}
	e.event(messagesEvent{Type: "message_delta", Delta: delta, Usage: newMessagesUsage(e.answer.known())})
	e.event(messagesEvent{Type: "message_stop"})
}

func (e *messagesEncoder) fail(f failure) {
	e.out.event("error", writeAnthropicError(f))
}
