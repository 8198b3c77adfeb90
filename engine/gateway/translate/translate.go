// Package translate lets an agent that speaks one family of wire formats use a
// model that is served in another: OpenAI's chat completions and responses,
// Anthropic's messages, and Google's generateContent, in all twelve directions,
// plain and streamed.
//
//	body, state, err := translate.Request("anthropic", "openai", asked, "gpt-5.1", false)
//	...                            // send body; status and answer come back
//	if status >= 400 {
//		return state.Error(status, answer)
//	}
//	if !state.Streamed() {
//		return state.Answer(answer)
//	}
//	stream := state.Stream()
//	for chunk := range answer {
//		out, err := stream.Write(chunk) // what the agent reads, as soon as it is known
//	}
//	out, err := stream.Close()
//
// A request is read into a conversation, a neutral form, and written from it: one
// reader and one writer for each family. Answers go the same way, and streams as
// events. The package is pure: it has no clock, no network and no chance in it,
// and a State is all that is remembered, for one request.
//
// # What survives
//
// System prompts, text, images in line, tools with their schemas, calls and their
// results, tool choice, sampling, limits, stop sequences, the form of the answer,
// reasons of stopping, and the use of tokens. A tool of free text becomes a
// function with one string, and back. Names and ids that a family does not take
// are rewritten, the same way each time.
//
// The signatures with which a family proves its own reasoning travel through the
// agent in the place where the agent's family keeps its own, and come back. Chat
// completions has no such place; there they are lost.
//
// # What does not
//
// What would change the meaning of a request is refused with an [*Error] that
// names the field: documents, audio, files kept at a provider, several answers at
// once. What only tunes it is left out, and [State.Dropped] names it: fields that
// are not known here, sampling that the upstream does not take, tools that a
// provider runs by itself, and how hard a model is to think, which each family but
// OpenAI's two measures in its own way; the parameters of a model say that. Labels
// of a request and marks for caches are left out without a word.
package translate

import (
	"fmt"
	"slices"
	"strconv"
)

// The families, as engine/gateway/wire names them.
const (
	openai    = "openai"    // chat completions
	responses = "responses" // OpenAI's responses
	anthropic = "anthropic" // messages
	google    = "google"    // generateContent
)

// An Error says what of a request or an answer has no counterpart, or cannot be
// read.
type Error struct {
	Family  string // in whose words the field is named
	Field   string // as in messages[3].content[0].type; empty for the whole body
	Problem string
}

func (e *Error) Error() string {
	if e.Field == "" {
		return e.Family + ": " + e.Problem
	}
	return e.Family + ": " + e.Field + ": " + e.Problem
}

// A dialect is what there is to know of one family.
type dialect struct {
	readRequest  func(*reader, []byte) *conversation
	writeRequest func(*writer, *conversation) any
	readAnswer   func(*reader, []byte) *answer
	writeAnswer  func(*State, *answer) any
	readError    func([]byte) failure
	writeError   func(failure) any
	decoder      func(*sequence) decoder
	encoder      func(*State, *answer, *output) encoder
}

var dialects map[string]dialect

func init() {
	dialects = map[string]dialect{
		openai:    {readChat, writeChat, readChatAnswer, writeChatAnswer, readOpenAIError, writeOpenAIError, newChatDecoder, newChatEncoder},
		responses: {readResponses, writeResponses, readResponsesAnswer, writeResponsesAnswer, readOpenAIError, writeOpenAIError, newResponsesDecoder, newResponsesEncoder},
		anthropic: {readMessages, writeMessages, readMessagesAnswer, writeMessagesAnswer, readAnthropicError, writeAnthropicError, newMessagesDecoder, newMessagesEncoder},
		google:    {readGoogle, writeGoogle, readGoogleAnswer, writeGoogleAnswer, readGoogleError, writeGoogleError, newGoogleDecoder, newGoogleEncoder},
	}
}

// Can reports whether agents of one family can use models of another. It decides
// on static grounds, before any request is known: a nil error does not say that
// each field of each request has a counterpart.
func Can(from, to string) error {
	for _, family := range []string{from, to} {
		if _, ok := dialects[family]; !ok {
			return &Error{Family: family, Problem: "no family of wire formats has this name; there are anthropic, google, openai and responses"}
		}
	}
	return nil
}

// A State is what the translation of an answer has to know of its request. It
// serves one answer, plain or streamed, and one goroutine.
type State struct {
	from, to string
	model    string          // as the upstream calls it
	streamed bool            // the agent wants events
	usage    bool            // an agent of chat completions wants the usage in its stream
	tools    map[string]tool // by the name that the upstream sees
	ids      map[string]bool // of calls, in the whole conversation
	dropped  []string
}

// Request translates the body of a request of an agent of the family from for an
// upstream of the family to, where the model has the given id. Only Google says in
// the path whether an answer is streamed: stream is what the path said, and is
// false for the others, whose bodies say it. Where the families are the same there
// is nothing to translate, and an error says so: bytes pass as they are. All
// errors are of type [*Error].
func Request(from, to string, body []byte, model string, stream bool) ([]byte, *State, error) {
	if err := Can(from, to); err != nil {
		return nil, nil, err
	}
	if from == to {
		return nil, nil, &Error{Family: from, Problem: "a request of the same family needs no translation"}
	}
	s := &State{from: from, to: to, model: model, tools: map[string]tool{}, ids: map[string]bool{}}
	r := &reader{family: from, state: s}
	c := dialects[from].readRequest(r, body)
	if r.err == nil {
		c.settle(r)
	}
	if r.err != nil {
		return nil, nil, r.err
	}
	c.stream = c.stream || stream
	s.streamed = c.stream
	s.name(c)
	w := &writer{from: from, to: to, state: s}
	out := dialects[to].writeRequest(w, c)
	if w.err != nil {
		return nil, nil, w.err
	}
	return marshal(out), s, nil
}

// Streamed reports whether the agent wants its answer as a stream. The upstream
// was asked for the same; at Google the path has to ask, with alt=sse.
func (s *State) Streamed() bool { return s.streamed }

// Dropped names the fields of the request, in the words of the agent's family,
// that were left out because they have no counterpart and change no meaning. Each
// is named once, in order, up to a hundred of them.
func (s *State) Dropped() []string { return slices.Clone(s.dropped) }

func (s *State) drop(field string) {
	if len(s.dropped) < 100 && !slices.Contains(s.dropped, field) {
		s.dropped = append(s.dropped, field)
	}
}

// Answer translates a plain answer of the upstream for the agent.
func (s *State) Answer(body []byte) ([]byte, error) {
	r := &reader{family: s.to, state: s}
	a := dialects[s.to].readAnswer(r, body)
	if r.err != nil {
		return nil, r.err
	}
	if a.model == "" {
		a.model = s.model
	}
	for i := range a.parts {
		s.hand(&a.parts[i])
	}
	a.parts = slices.DeleteFunc(a.parts, func(p part) bool { return p.empty() })
	a.settleStop()
	return marshal(dialects[s.from].writeAnswer(s, a)), nil
}

// Error translates an answer of the upstream that has an error status into the
// shape of the agent's family. A body that is not in the upstream's shape becomes
// the message, up to 2000 bytes of it.
func (s *State) Error(status int, body []byte) []byte {
	f := dialects[s.to].readError(body)
	f.status = status
	return marshal(dialects[s.from].writeError(f))
}

// name gives each tool the name that the upstream sees, and remembers it.
func (s *State) name(c *conversation) {
	for i := range c.tools {
		t := &c.tools[i]
		t.seen = seenName(t.space, t.name)
		s.tools[t.seen] = *t
	}
	for _, m := range c.messages {
		for _, p := range m.parts {
			if p.kind == callPart {
				s.ids[p.call.id] = true
			}
		}
	}
}

// hand makes a part of the upstream's answer one that the agent knows: its calls
// have the names of the agent's tools and ids of their own, its reasoning has a
// proof that the agent can keep.
func (s *State) hand(p *part) {
	switch p.kind {
	case callPart:
		p.call.id = s.callID(p.call.id)
		if t, ok := s.tools[p.call.name]; ok {
			p.call.name, p.call.space, p.call.free = t.name, t.space, t.free
		}
	case reasoningPart:
		p.proof = wrap(s.to, p.proof, p.text)
	}
}

// callID is the id of a call for the agent: the upstream's, unless it is empty or
// taken.
func (s *State) callID(id string) string {
	for n := len(s.ids) + 1; id == "" || s.ids[id]; n++ {
		id = "call_" + strconv.Itoa(n)
	}
	s.ids[id] = true
	return id
}

// A reader reads the words of a family. Its first error stays.
type reader struct {
	family string
	state  *State
	err    error
}

// refuse keeps the first problem of a field.
func (r *reader) refuse(field, problem string, args ...any) {
	if r.err == nil {
		r.err = &Error{Family: r.family, Field: field, Problem: fmt.Sprintf(problem, args...)}
	}
}

// drop leaves a field out.
func (r *reader) drop(field string) { r.state.drop(field) }

// A writer writes the words of a family. Its first error stays.
type writer struct {
	from, to string
	state    *State
	err      error
}

// refuse keeps the first problem of a field, in the words of whoever asked.
func (w *writer) refuse(field, problem string, args ...any) {
	if w.err == nil {
		w.err = &Error{Family: w.from, Field: field, Problem: fmt.Sprintf(problem, args...)}
	}
}

// drop leaves a field out if it is there.
func drop[T any](w *writer, value *T, field string) {
	if value != nil {
		w.state.drop(w.word(field))
	}
}

// word is the name of a field as the agent's family has it; name is that of chat
// completions.
func (w *writer) word(name string) string {
	if word, ok := words[w.from][name]; ok {
		return word
	}
	return name
}

// words are fields that have other names than in chat completions.
var words = map[string]map[string]string{
	responses: {"reasoning_effort": "reasoning.effort", "verbosity": "text.verbosity"},
	anthropic: {"stop": "stop_sequences", "parallel_tool_calls": "tool_choice.disable_parallel_tool_use"},
	google: {
		"temperature": "generationConfig.temperature", "top_p": "generationConfig.topP", "top_k": "generationConfig.topK", "seed": "generationConfig.seed",
		"stop": "generationConfig.stopSequences", "frequency_penalty": "generationConfig.frequencyPenalty", "presence_penalty": "generationConfig.presencePenalty",
	},
}
