package translate

import "encoding/json"

// A messagesAnswer is a plain answer of messages.
type messagesAnswer struct {
	ID           string          `json:"id"`
	Type         string          `json:"type"`
	Role         string          `json:"role"`
	Model        string          `json:"model"`
	Content      []messagesBlock `json:"content"`
	StopReason   *string         `json:"stop_reason"`
	StopSequence *string         `json:"stop_sequence"`
	Usage        *messagesUsage  `json:"usage"`
}

type messagesUsage struct {
	Input      *int64         `json:"input_tokens"`
	CacheRead  *int64         `json:"cache_read_input_tokens"`
	CacheWrite *int64         `json:"cache_creation_input_tokens"`
	Creation   *messagesCache `json:"cache_creation,omitempty"`
	Output     *int64         `json:"output_tokens"`
	Details    *struct {
		Thinking int64 `json:"thinking_tokens"`
	} `json:"output_tokens_details,omitempty"`
}

type messagesCache struct {
	FiveMinutes int64 `json:"ephemeral_5m_input_tokens"`
	Hour        int64 `json:"ephemeral_1h_input_tokens"`
}

// fold puts what a usage names into what is known: later events of a stream
// repeat some numbers, and those hold.
func (u *messagesUsage) fold(into *usage) *usage {
	if u == nil {
		return into
	}
	if into == nil {
		into = &usage{}
	}
	for _, f := range []struct {
		from *int64
		to   *int64
	}{{u.Input, &into.input}, {u.CacheRead, &into.cacheRead}, {u.CacheWrite, &into.cacheWrite}, {u.Output, &into.output}} {
		if f.from != nil {
			*f.to = *f.from
		}
	}
	if u.Details != nil {
		into.reasoning = u.Details.Thinking
	}
	return into
}

// newMessagesUsage is complete, since clients read all of it.
func newMessagesUsage(u usage) *messagesUsage {
	return &messagesUsage{
		Input: &u.input, CacheRead: &u.cacheRead, CacheWrite: &u.cacheWrite, Creation: &messagesCache{FiveMinutes: u.cacheWrite}, Output: &u.output,
	}
}

// messagesStops maps reasons of stopping.
var messagesStops = map[string]string{
	"end_turn": stopEnd, "pause_turn": stopEnd, "tool_use": stopCalls, "max_tokens": stopLength, "model_context_window_exceeded": stopLength,
	"stop_sequence": stopSequence, "refusal": stopFilter,
}

func messagesStop(stop string) string {
	switch stop {
	case stopCalls:
		return "tool_use"
	case stopLength:
		return "max_tokens"
	case stopFilter:
		return "refusal"
	case stopSequence:
		return "stop_sequence"
	}
	return "end_turn"
}

// readMessagesAnswer reads a plain answer of messages.
func readMessagesAnswer(r *reader, raw []byte) *answer {
	var in messagesAnswer
	if !read(r, raw, &in, "") || in.Type != "message" {
		r.refuse("type", "the answer is no message")
		return nil
	}
	a := &answer{id: in.ID, model: in.Model, usage: in.Usage.fold(nil), stop: messagesStops[text(in.StopReason)], sequence: text(in.StopSequence)}
	for i, b := range in.Content {
		a.parts = append(a.parts, readBlock(r, b, at("content", i)))
	}
	return a
}

// newMessagesAnswer is an answer without its content.
func newMessagesAnswer(a *answer) messagesAnswer {
	return messagesAnswer{ID: a.id, Type: "message", Role: assistant, Model: a.model, Content: []messagesBlock{}, Usage: newMessagesUsage(a.known())}
}

// writeMessagesAnswer writes a plain answer of messages.
func writeMessagesAnswer(_ *State, a *answer) any {
	out := newMessagesAnswer(a)
	out.StopReason = new(messagesStop(a.stop))
	if a.sequence != "" {
		out.StopSequence = &a.sequence
	}
	for _, p := range a.parts {
		out.Content = append(out.Content, newMessagesBlock(p))
	}
	return out
}

// newMessagesBlock is a part of an answer as a block that is done.
func newMessagesBlock(p part) messagesBlock {
	switch p.kind {
	case callPart:
		return messagesBlock{Type: "tool_use", ID: p.call.id, Name: p.call.name, Input: object(p.call.args)}
	case reasoningPart:
		return messagesBlock{Type: "thinking", Thinking: &p.text, Signature: &p.proof}
	}
	return messagesBlock{Type: "text", Text: &p.text}
}

// A messagesError is the error of messages.
type messagesError struct {
	Type  string          `json:"type"`
	Error messagesProblem `json:"error"`
}

type messagesProblem struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

func readAnthropicError(raw []byte) failure {
	var in messagesError
	if json.Unmarshal(raw, &in) != nil || in.Error.Message == "" {
		return failed(raw)
	}
	return failure{kind: in.Error.Type, message: in.Error.Message}
}

// anthropicKinds are the types of errors by status.
var anthropicKinds = map[int]string{
	400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error", 404: "not_found_error",
	413: "request_too_large", 429: "rate_limit_error", 500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}

func writeAnthropicError(f failure) any {
	kind, ok := anthropicKinds[f.status]
	if !ok {
		kind = "api_error"
		if f.status >= 400 && f.status < 500 {
			kind = "invalid_request_error"
		}
	}
	return messagesError{"error", messagesProblem{kind, f.message}}
}
