package translate

import (
	"encoding/json"
	"strings"
)

// A chatAnswer is a plain answer of chat completions, or an event of a stream.
type chatAnswer struct {
	ID      string          `json:"id"`
	Object  string          `json:"object"`
	Created int64           `json:"created"`
	Model   string          `json:"model"`
	Choices []chatAlternate `json:"choices"`
	Usage   *chatUsage      `json:"usage,omitempty"`
	Error   json.RawMessage `json:"error,omitempty"`
}

type chatAlternate struct {
	Index        int          `json:"index"`
	Message      *chatMessage `json:"message,omitempty"`
	Delta        *chatDelta   `json:"delta,omitempty"`
	FinishReason *string      `json:"finish_reason"`
}

// A chatDelta is what a stream adds to a message.
type chatDelta struct {
	Role             string     `json:"role,omitempty"`
	Content          *string    `json:"content,omitempty"`
	ReasoningContent string     `json:"reasoning_content,omitempty"`
	Reasoning        string     `json:"reasoning,omitempty"`
	Refusal          string     `json:"refusal,omitempty"`
	ToolCalls        []chatCall `json:"tool_calls,omitempty"`
}

type chatUsage struct {
	Prompt     int64 `json:"prompt_tokens"`
	Completion int64 `json:"completion_tokens"`
	Total      int64 `json:"total_tokens"`
	Details    struct {
		Cached int64 `json:"cached_tokens"`
		Write  int64 `json:"cache_write_tokens,omitempty"`
	} `json:"prompt_tokens_details"`
	Output struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

func (u *chatUsage) read() *usage {
	if u == nil {
		return nil
	}
	d := u.Details
	return &usage{max(0, u.Prompt-d.Cached-d.Write), d.Cached, d.Write, u.Completion, u.Output.Reasoning}
}

func newChatUsage(u *usage) *chatUsage {
	if u == nil {
		return nil
	}
	out := &chatUsage{Prompt: u.input + u.cacheRead + u.cacheWrite, Completion: u.output}
	out.Total = out.Prompt + out.Completion
	out.Details.Cached, out.Details.Write, out.Output.Reasoning = u.cacheRead, u.cacheWrite, u.reasoning
	return out
}

// chatStops maps reasons of stopping.
var chatStops = map[string]string{"stop": stopEnd, "tool_calls": stopCalls, "function_call": stopCalls, "length": stopLength, "content_filter": stopFilter}

func chatStop(stop string) string {
	switch stop {
	case stopCalls:
		return "tool_calls"
	case stopLength:
		return "length"
	case stopFilter:
		return "content_filter"
	}
	return "stop"
}

// readChatAnswer reads a plain answer of chat completions.
func readChatAnswer(r *reader, raw []byte) *answer {
	var in chatAnswer
	if !read(r, raw, &in, "") || len(in.Choices) == 0 || in.Choices[0].Message == nil {
		r.refuse("choices", "the answer holds no message")
		return nil
	}
	m := in.Choices[0].Message
	a := &answer{id: in.ID, model: in.Model, created: in.Created, usage: in.Usage.read()}
	a.parts = append(a.parts, part{kind: reasoningPart, text: thoughts(m.ReasoningContent, m.Reasoning)})
	a.parts = append(a.parts, readChatContent(r, m.Content, "choices[0].message.content")...)
	a.parts = append(a.parts, part{text: m.Refusal})
	for i, c := range m.ToolCalls {
		a.parts = append(a.parts, readChatCall(r, c, at("choices[0].message.tool_calls", i)))
	}
	if f := in.Choices[0].FinishReason; f != nil {
		a.stop = chatStops[*f]
	}
	if m.Refusal != "" {
		a.stop = stopFilter
	}
	return a
}

// thoughts is the reasoning under whichever of its names it came.
func thoughts(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// writeChatAnswer writes a plain answer of chat completions.
func writeChatAnswer(_ *State, a *answer) any {
	m := &chatMessage{Role: assistant}
	var said []string
	for _, p := range a.parts {
		switch p.kind {
		case textPart:
			said = append(said, p.text)
		case reasoningPart:
			m.ReasoningContent += p.text
		case callPart:
			m.ToolCalls = append(m.ToolCalls, writeChatCall(p.call, p.call.id, p.call.name))
		}
	}
	if len(said) > 0 || len(m.ToolCalls) == 0 {
		m.Content = marshal(strings.Join(said, ""))
	}
	return chatAnswer{
		ID: a.id, Object: "chat.completion", Created: a.created, Model: a.model, Usage: newChatUsage(a.usage),
		Choices: []chatAlternate{{Message: m, FinishReason: new(chatStop(a.stop))}},
	}
}

// An openAIError is the error of both of OpenAI's families.
type openAIError struct {
	Error openAIProblem `json:"error"`
}

type openAIProblem struct {
	Message string  `json:"message"`
	Type    string  `json:"type"`
	Param   *string `json:"param"`
	Code    any     `json:"code"` // a text, or nothing; some servers write a number
}

func readOpenAIError(raw []byte) failure {
	var in openAIError
	if json.Unmarshal(raw, &in) != nil || in.Error.Message == "" {
		return failed(raw)
	}
	return in.Error.failure()
}

func (p openAIProblem) failure() failure {
	code, _ := p.Code.(string)
	return failure{kind: p.Type, code: code, message: p.Message}
}

func writeOpenAIError(f failure) any {
	out := openAIProblem{Message: f.message, Type: openAIKind(f)}
	if f.code != "" {
		out.Code = f.code
	}
	return openAIError{out}
}

// openAIKind is the type of an error in OpenAI's words.
func openAIKind(f failure) string {
	switch {
	case f.code == "insufficient_quota":
		return "insufficient_quota"
	case f.status == 401:
		return "authentication_error"
	case f.status == 403:
		return "permission_error"
	case f.status == 429:
		return "rate_limit_error"
	case f.status >= 400 && f.status < 500:
		return "invalid_request_error"
	}
	return "server_error"
}
