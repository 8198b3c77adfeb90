package translate

// A chatDecoder reads a stream of chat completions. Calls come by number, and
// nothing says that one has ended but the end of all.
type chatDecoder struct {
	*sequence
	said    *block         // the text or the reasoning that was said last
	calls   map[int]*block // by number
	early   map[int]chatCall
	last    int // number of the call that came last
	stopped bool
}

func newChatDecoder(q *sequence) decoder {
	return &chatDecoder{sequence: q, calls: map[int]*block{}, early: map[int]chatCall{}, last: -1}
}

func (d *chatDecoder) event(_ string, data []byte) {
	if string(data) == "[DONE]" {
		d.finish()
		return
	}
	var in chatAnswer
	if !d.decode(data, &in) {
		return
	}
	if !blank(in.Error) {
		d.fail(readOpenAIError(data))
		return
	}
	if a := d.answer; !d.begun {
		a.id, a.model, a.created = in.ID, in.Model, in.Created
	}
	d.start()
	if u := in.Usage.read(); u != nil {
		d.answer.usage = u
	}
	if len(in.Choices) > 0 && in.Choices[0].Delta != nil {
		d.delta(in.Choices[0].Delta)
	}
	if len(in.Choices) > 0 && in.Choices[0].FinishReason != nil && *in.Choices[0].FinishReason != "" {
		d.stopped = true
		if d.answer.stop == "" {
			d.answer.stop = chatStops[*in.Choices[0].FinishReason]
		}
		d.closeAll()
	}
}

func (d *chatDecoder) end() {
	if !d.stopped {
		d.broken("the stream ended before the answer did")
		return
	}
	d.finish()
}

func (d *chatDecoder) delta(in *chatDelta) {
	d.say(reasoningPart, thoughts(in.ReasoningContent, in.Reasoning))
	d.say(textPart, text(in.Content))
	if in.Refusal != "" {
		d.say(textPart, in.Refusal)
		d.answer.stop = stopFilter
	}
	for _, c := range in.ToolCalls {
		n := d.last
		switch {
		case c.Index != nil:
			n = *c.Index
		case c.ID != "":
			n++ // from servers that do not number calls
		}
		d.last = n
		d.call(n, c)
	}
}

func (d *chatDecoder) say(kind int, what string) {
	if what == "" {
		return
	}
	if d.said == nil || d.said.ended || d.said.kind != kind {
		d.leave()
		d.said = d.begin(part{kind: kind})
	}
	d.grow(d.said, what)
}

// leave ends what is over now that something else comes.
func (d *chatDecoder) leave() {
	d.close(d.said)
	if len(d.open) > 0 && d.open[0].whole() {
		d.close(d.open[0])
	}
}

// call takes a piece of a call. Without a name it is not known what is called,
// and the piece waits.
func (d *chatDecoder) call(n int, c chatCall) {
	if b := d.calls[n]; b != nil {
		d.grow(b, c.Function.Arguments)
		return
	}
	early := d.early[n]
	if c.ID == "" {
		c.ID = early.ID
	}
	c.Function.Name = early.Function.Name + c.Function.Name
	c.Function.Arguments = early.Function.Arguments + c.Function.Arguments
	if c.Function.Name == "" {
		if len(d.early) == maxBlocks {
			d.broken("calls have no names")
		} else if d.hold(len(c.ID) + len(c.Function.Arguments)) {
			d.early[n] = c
		}
		return
	}
	delete(d.early, n)
	d.leave()
	b := d.begin(part{kind: callPart, call: call{id: c.ID, name: c.Function.Name}})
	d.calls[n] = b
	d.grow(b, c.Function.Arguments)
}

// A chatEncoder writes a stream of chat completions.
type chatEncoder struct {
	state  *State
	answer *answer
	out    *output
	calls  int
}

func newChatEncoder(s *State, a *answer, out *output) encoder {
	return &chatEncoder{state: s, answer: a, out: out, calls: -1}
}

func (e *chatEncoder) chunk(delta chatDelta, stop *string) {
	a := e.head()
	a.Choices = []chatAlternate{{Delta: &delta, FinishReason: stop}}
	e.out.event("", a)
}

func (e *chatEncoder) head() chatAnswer {
	return chatAnswer{ID: e.answer.id, Object: "chat.completion.chunk", Created: e.answer.created, Model: e.answer.model, Choices: []chatAlternate{}}
}

func (e *chatEncoder) start() { e.chunk(chatDelta{Role: assistant, Content: new("")}, nil) }

func (e *chatEncoder) begin(b *block) {
	if b.kind == callPart {
		e.calls++
		e.call(chatCall{ID: b.call.id, Type: "function", Function: chatFunction{Name: b.call.name}})
	}
}

func (e *chatEncoder) call(c chatCall) {
	c.Index = new(e.calls)
	e.chunk(chatDelta{ToolCalls: []chatCall{c}}, nil)
}

func (e *chatEncoder) grow(b *block, by string) {
	switch b.kind {
	case textPart:
		e.chunk(chatDelta{Content: &by}, nil)
	case reasoningPart:
		e.chunk(chatDelta{ReasoningContent: by}, nil)
	case callPart:
		e.call(chatCall{Function: chatFunction{Arguments: by}})
	}
}

func (e *chatEncoder) end(*block) {}

func (e *chatEncoder) finish() {
	e.chunk(chatDelta{}, new(chatStop(e.answer.stop)))
	if e.state.usage && e.answer.usage != nil {
		a := e.head()
		a.Usage = newChatUsage(e.answer.usage)
		e.out.event("", a)
	}
	e.out.b.WriteString("data: [DONE]\n\n")
}

func (e *chatEncoder) fail(f failure) { e.out.event("", writeOpenAIError(f)) }
