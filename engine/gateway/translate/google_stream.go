package translate

// A googleDecoder reads a stream of generateContent. Each event is an answer with
// a piece of the whole; calls come at once.
type googleDecoder struct {
	*sequence
	said    *block // the text or the reasoning that was said last
	stopped bool
}

func newGoogleDecoder(q *sequence) decoder { return &googleDecoder{sequence: q} }

func (d *googleDecoder) end() {
	if !d.stopped {
		d.broken("the stream ended before the answer did")
		return
	}
	d.finish()
}

func (d *googleDecoder) event(_ string, data []byte) {
	var in googleAnswer
	if !d.decode(data, &in) {
		return
	}
	if in.Error != nil {
		d.fail(in.Error.failure())
		return
	}
	if !d.begun {
		d.answer.id, d.answer.model = in.ResponseID, in.ModelVersion
	}
	d.start()
	if u := in.UsageMetadata.read(); u != nil {
		d.answer.usage = u
	}
	for _, p := range in.parts() {
		d.piece(p)
	}
	if stop := in.stop(); stop != "" {
		d.stopped, d.answer.stop = true, stop
		d.closeAll()
	}
}

func (d *googleDecoder) piece(in googlePart) {
	switch {
	case in.FunctionCall != nil:
		if in.ThoughtSignature != "" && d.hold(len(in.ThoughtSignature)) {
			d.say(reasoningPart)
			d.said.proof = in.ThoughtSignature
		}
		d.close(d.said)
		b := d.begin(part{kind: callPart, call: call{id: in.FunctionCall.ID, name: in.FunctionCall.Name}})
		d.grow(b, string(object(string(in.FunctionCall.Args))))
		d.close(b)
	case in.Text != nil && *in.Text != "":
		kind := textPart
		if in.Thought {
			kind = reasoningPart
		}
		d.say(kind)
		d.grow(d.said, *in.Text)
	}
}

// say makes sure that a block of a kind is what grows.
func (d *googleDecoder) say(kind int) {
	if d.said == nil || d.said.ended || d.said.kind != kind {
		d.close(d.said)
		d.said = d.begin(part{kind: kind})
	}
}

// A googleEncoder writes a stream of generateContent.
type googleEncoder struct {
	answer    *answer
	out       *output
	signature string // that the next part carries
}

func newGoogleEncoder(_ *State, a *answer, out *output) encoder {
	return &googleEncoder{answer: a, out: out}
}

func (e *googleEncoder) head() googleAnswer {
	return googleAnswer{ModelVersion: e.answer.model, ResponseID: e.answer.id}
}

func (e *googleEncoder) part(p part) {
	q, ok := newGooglePart(p)
	if !ok {
		return
	}
	if p.kind != reasoningPart {
		q.ThoughtSignature, e.signature = e.signature, ""
	}
	a := e.head()
	a.Candidates = []googleCandidate{{Content: &googleContent{"model", []googlePart{q}}}}
	e.out.event("", a)
}

// start tells nothing: an event with nothing in it is one that clients repeat for.
func (e *googleEncoder) start() {}

func (e *googleEncoder) begin(*block) {}

func (e *googleEncoder) grow(b *block, by string) {
	if b.kind != callPart {
		e.part(part{kind: b.kind, text: by})
	}
}

func (e *googleEncoder) end(b *block) {
	switch b.kind {
	case callPart:
		e.part(b.part)
	case reasoningPart:
		e.flush()
		e.signature = b.proof
	}
}

// flush tells a signature that no part has carried.
func (e *googleEncoder) flush() {
	if e.signature != "" {
		e.part(part{})
	}
}

func (e *googleEncoder) finish() {
	e.flush()
	a := e.head()
	a.Candidates = []googleCandidate{{Content: &googleContent{Role: "model"}, FinishReason: googleStop(e.answer.stop)}}
	a.UsageMetadata = newGoogleUsage(e.answer.usage)
	e.out.event("", a)
}

func (e *googleEncoder) fail(f failure) { e.out.event("", writeGoogleError(f)) }
