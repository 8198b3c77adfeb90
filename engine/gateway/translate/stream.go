package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
)

// Bounds of a stream. What goes beyond them ends it.
const (
	maxEvent  = 16 << 20 // bytes of one event
	maxAnswer = 32 << 20 // bytes of all that a model says
	maxBlocks = 1024     // texts, calls and stretches of reasoning in one answer
)

// A Stream translates the events of a streamed answer as they come, whatever
// pieces they come in. What it remembers is bounded: an event of at most 16 MiB
// and an answer of at most 32 MiB. It is used by one goroutine.
type Stream struct {
	seq  *sequence
	in   decoder
	out  *output
	line []byte // what has come of a line that has not ended
	name string // of the event that has not ended
	data []byte // of the same
}

// Stream begins the translation of a streamed answer. The upstream's stream is
// one of server-sent events, and so is the agent's.
func (s *State) Stream() *Stream {
	head := &answer{}
	out := &output{}
	q := &sequence{state: s, answer: head, to: dialects[s.from].encoder(s, head, out)}
	return &Stream{seq: q, in: dialects[s.to].decoder(q), out: out}
}

// Write takes the next bytes of the upstream and returns what the agent is to be
// told now, often nothing. An error of type [*Error] says that the stream cannot
// be read; the agent is told that, too, with the bytes that come with it, and
// whatever else comes is ignored. An error that the upstream itself tells in its
// stream is told to the agent and is none here.
func (t *Stream) Write(chunk []byte) ([]byte, error) {
	for len(chunk) > 0 && !t.seq.done {
		line, rest, ended := bytes.Cut(chunk, []byte("\n"))
		if len(t.line)+len(t.data)+len(line) > maxEvent {
			t.seq.broken(fmt.Sprintf("an event of the stream is longer than %d MiB", maxEvent>>20))
			break
		}
		chunk = rest
		if t.line = append(t.line, line...); ended {
			t.take(bytes.TrimSuffix(t.line, []byte("\r")))
			t.line = t.line[:0]
		}
	}
	return t.out.take(), t.seq.error()
}

// Close tells that nothing more comes, and returns the end of the agent's stream.
// An upstream that ended before its answer did is an error, as with Write.
func (t *Stream) Close() ([]byte, error) {
	if !t.seq.done && len(t.line) > 0 {
		t.take(bytes.TrimSuffix(t.line, []byte("\r")))
	}
	if !t.seq.done && (json.Valid(t.data) || string(t.data) == "[DONE]") { // else it was cut off
		t.take(nil)
	}
	if !t.seq.done {
		t.in.end()
	}
	return t.out.take(), t.seq.error()
}

// take takes a line of server-sent events.
func (t *Stream) take(line []byte) {
	if len(line) == 0 {
		if len(t.data) > 0 {
			t.in.event(t.name, t.data)
		}
		t.name, t.data = "", t.data[:0]
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	value = bytes.TrimPrefix(value, []byte(" "))
	switch string(name) {
	case "event":
		t.name = string(value)
	case "data":
		if len(t.data) > 0 {
			t.data = append(t.data, '\n')
		}
		t.data = append(t.data, value...)
	}
}

// A decoder reads the events of a family.
type decoder interface {
	event(name string, data []byte)
	end() // nothing more comes
}

// An encoder writes the events of a family. Between start and finish or fail come
// blocks, one after the other: each begins, grows and ends before the next.
type encoder interface {
	start()
	begin(*block)
	grow(b *block, by string)
	end(*block)
	finish()
	fail(failure)
}

// A block is a part of a streamed answer: a text, a call, or reasoning.
type block struct {
	part          // its text or its arguments are set when it has ended
	said   []byte // these, so far
	index  int    // among the parts of the answer, once it has begun
	begun  bool
	ended  bool
	looked int // bytes of arguments that were seen not to be all
}

// whole reports whether the block is a call whose arguments can be no longer.
func (b *block) whole() bool {
	if b.kind != callPart || len(b.said) == b.looked {
		return false
	}
	b.looked = len(b.said)
	return json.Valid(b.said)
}

// A sequence puts the blocks of an answer one after the other. Upstreams may mix
// them: the first that has not ended is told as it comes, the others wait.
type sequence struct {
	state  *State
	answer *answer // what is known of the whole; blocks that ended are its parts
	to     encoder
	open   []*block
	blocks int // that there were
	size   int // bytes that are remembered
	begun  bool
	done   bool
	err    *Error
}

func (q *sequence) error() error {
	if q.err == nil {
		return nil // a nil of no type
	}
	return q.err
}

// start tells the agent that an answer has begun.
func (q *sequence) start() {
	if q.begun || q.done {
		return
	}
	q.begun = true
	if q.answer.model == "" {
		q.answer.model = q.state.model
	}
	q.to.start()
}

// begin opens a block.
func (q *sequence) begin(p part) *block {
	q.start()
	if q.blocks++; q.blocks > maxBlocks {
		q.broken(fmt.Sprintf("the answer has more than %d parts", maxBlocks))
	}
	b := &block{part: p}
	q.hold(len(p.proof) + len(p.call.id) + len(p.call.name))
	if b.kind == callPart {
		q.state.hand(&b.part)
	}
	q.open = append(q.open, b)
	q.tell()
	return b
}

// grow adds to a block.
func (q *sequence) grow(b *block, by string) {
	if by == "" || b.ended || q.done || !q.hold(len(by)) {
		return
	}
	b.said = append(b.said, by...)
	if q.open[0] == b && b.begun {
		q.to.grow(b, by)
	}
	q.tell()
}

// hold counts bytes that are to be remembered, and reports whether they may be.
func (q *sequence) hold(n int) bool {
	if q.size += n; q.size > maxAnswer {
		q.broken(fmt.Sprintf("the answer is longer than %d MiB", maxAnswer>>20))
	}
	return !q.done
}

// close ends a block.
func (q *sequence) close(b *block) {
	if b == nil || b.ended || q.done {
		return
	}
	if b.kind == callPart && len(b.said) == 0 {
		q.grow(b, "{}")
	}
	b.ended = true
	if b.kind == callPart {
		b.call.args = string(b.said)
	} else {
		b.text = string(b.said)
	}
	q.tell()
}

// closeAll ends what is open.
func (q *sequence) closeAll() {
	for len(q.open) > 0 && !q.done {
		q.close(q.open[0])
	}
}

// tell tells the agent what can be told: the first open block, and those behind
// it if that has ended. One that holds nothing is never told.
func (q *sequence) tell() {
	for len(q.open) > 0 && !q.done {
		b := q.open[0]
		if b.ended && b.kind == reasoningPart {
			q.state.hand(&b.part)
		}
		if !b.begun && (len(b.said) > 0 || !b.empty()) {
			b.begun, b.index = true, len(q.answer.parts)
			q.to.begin(b)
			if len(b.said) > 0 {
				q.to.grow(b, string(b.said))
			}
		}
		if !b.ended {
			return
		}
		if b.begun {
			q.to.end(b)
			q.answer.parts = append(q.answer.parts, b.part)
		}
		b.said = nil
		q.open = q.open[1:]
	}
}

// finish ends the answer.
func (q *sequence) finish() {
	if q.done {
		return
	}
	q.start()
	q.closeAll()
	if q.done {
		return
	}
	q.answer.settleStop()
	q.to.finish()
	q.done = true
}

// fail ends the answer with an error that the upstream told.
func (q *sequence) fail(f failure) {
	if q.done {
		return
	}
	if f.status == 0 {
		f.status = statuses[f.kind]
	}
	q.to.fail(f)
	q.done = true
}

// broken ends the answer because the upstream's stream is not what it should be.
func (q *sequence) broken(problem string) {
	if q.done {
		return
	}
	q.err = &Error{Family: q.state.to, Field: "stream", Problem: problem}
	q.fail(failure{kind: "api_error", message: "the answer of the model could not be read: " + problem})
}

// decode reads the data of an event.
func (q *sequence) decode(data []byte, into any) bool {
	err := json.Unmarshal(data, into)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		q.broken(fmt.Sprintf("%s: a %s cannot stand here", wrong.Field, wrong.Value))
	case err != nil:
		q.broken(fmt.Sprintf("an event is not JSON: %v", err))
	}
	return err == nil
}

// statuses are those of errors that came in a stream, where they have none.
var statuses = map[string]int{
	"invalid_request_error": 400, "authentication_error": 401, "billing_error": 402, "permission_error": 403, "not_found_error": 404,
	"request_too_large": 413, "rate_limit_error": 429, "rate_limit_exceeded": 429, "insufficient_quota": 429, "tokens": 429, "requests": 429,
	"api_error": 500, "server_error": 500, "timeout_error": 504, "overloaded_error": 529,
}

// An output collects events.
type output struct{ b bytes.Buffer }

// event writes an event. Without a name it is only data.
func (o *output) event(name string, v any) {
	if name != "" {
		fmt.Fprintf(&o.b, "event: %s\n", name)
	}
	fmt.Fprintf(&o.b, "data: %s\n\n", marshal(v))
}

// take is what was written since it was called last.
func (o *output) take() []byte {
	out := bytes.Clone(o.b.Bytes())
	o.b.Reset()
	return out
}
