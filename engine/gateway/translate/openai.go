package translate

import (
	"encoding/json"
	"strings"
)

// A chatRequest is a request of chat completions.
type chatRequest struct {
	Model               string          `json:"model"`
	Messages            []chatMessage   `json:"messages"`
	Tools               []chatTool      `json:"tools,omitempty"`
	ToolChoice          json.RawMessage `json:"tool_choice,omitempty"`
	ParallelToolCalls   *bool           `json:"parallel_tool_calls,omitempty"`
	ResponseFormat      *chatFormat     `json:"response_format,omitempty"`
	Temperature         *float64        `json:"temperature,omitempty"`
	TopP                *float64        `json:"top_p,omitempty"`
	FrequencyPenalty    *float64        `json:"frequency_penalty,omitempty"`
	PresencePenalty     *float64        `json:"presence_penalty,omitempty"`
	Seed                *int64          `json:"seed,omitempty"`
	MaxTokens           *int64          `json:"max_tokens,omitempty"`
	MaxCompletionTokens *int64          `json:"max_completion_tokens,omitempty"`
	Stop                json.RawMessage `json:"stop,omitempty"`
	ReasoningEffort     string          `json:"reasoning_effort,omitempty"`
	Verbosity           string          `json:"verbosity,omitempty"`
	Stream              bool            `json:"stream,omitempty"`
	StreamOptions       *chatOptions    `json:"stream_options,omitempty"`

	N            *int64          `json:"n,omitempty"`
	Logprobs     *bool           `json:"logprobs,omitempty"`
	LogitBias    json.RawMessage `json:"logit_bias,omitempty"`
	Functions    json.RawMessage `json:"functions,omitempty"`
	FunctionCall json.RawMessage `json:"function_call,omitempty"`
	Audio        json.RawMessage `json:"audio,omitempty"`
	WebSearch    json.RawMessage `json:"web_search_options,omitempty"`
}

type chatOptions struct {
	IncludeUsage bool `json:"include_usage"`
}

type chatMessage struct {
	Role             string          `json:"role"`
	Content          json.RawMessage `json:"content"` // a text, or parts
	ReasoningContent string          `json:"reasoning_content,omitempty"`
	Reasoning        string          `json:"reasoning,omitempty"` // the same, as some servers name it
	Refusal          string          `json:"refusal,omitempty"`
	ToolCalls        []chatCall      `json:"tool_calls,omitempty"`
	ToolCallID       string          `json:"tool_call_id,omitempty"`
}

type chatPart struct {
	Type     string     `json:"type"`
	Text     string     `json:"text,omitempty"`
	Refusal  string     `json:"refusal,omitempty"`
	ImageURL *chatImage `json:"image_url,omitempty"`
}

type chatImage struct {
	URL string `json:"url"`
}

type chatCall struct {
	Index    *int         `json:"index,omitempty"` // in streams
	ID       string       `json:"id,omitempty"`
	Type     string       `json:"type,omitempty"`
	Function chatFunction `json:"function"`
}

type chatFunction struct {
	Name      string `json:"name,omitempty"`
	Arguments string `json:"arguments"`
}

type chatTool struct {
	Type     string          `json:"type"`
	Function chatDeclaration `json:"function"`
}

type chatDeclaration struct {
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      *bool           `json:"strict,omitempty"`
}

type chatFormat struct {
	Type       string      `json:"type"`
	JSONSchema *chatSchema `json:"json_schema,omitempty"`
}

type chatSchema struct {
	Name   string          `json:"name"`
	Schema json.RawMessage `json:"schema,omitempty"`
	Strict *bool           `json:"strict,omitempty"`
}

// readChat reads a request of chat completions.
func readChat(r *reader, raw []byte) *conversation {
	var in chatRequest
	body(r, raw, &in, "", "metadata", "user", "store", "safety_identifier", "prompt_cache_key", "prompt_cache_retention")
	c := &conversation{
		parallel: in.ParallelToolCalls, stream: in.Stream, effort: in.ReasoningEffort, verbosity: in.Verbosity,
		sampling: sampling{
			temperature: in.Temperature, topP: in.TopP, frequency: in.FrequencyPenalty, presence: in.PresencePenalty,
			seed: in.Seed, maxTokens: in.MaxTokens, stop: oneOrMany(r, in.Stop, "stop"),
		},
	}
	if in.MaxCompletionTokens != nil {
		c.sampling.maxTokens = in.MaxCompletionTokens
	}
	r.state.usage = in.StreamOptions != nil && in.StreamOptions.IncludeUsage
	refuseChat(r, &in)
	for i, t := range in.Tools {
		if t.Type != "function" {
			r.refuse(at("tools", i)+".type", "a tool of type %q has no counterpart", t.Type)
		}
		f := t.Function
		c.tools = append(c.tools, tool{name: f.Name, description: f.Description, schema: f.Parameters, strict: f.Strict})
	}
	c.choice = readChoice(r, in.ToolChoice)
	if f := in.ResponseFormat; f != nil && f.Type != "text" {
		c.format = &format{field: "response_format"}
		switch {
		case f.Type == "json_schema" && f.JSONSchema != nil:
			c.format.name, c.format.schema, c.format.strict = f.JSONSchema.Name, f.JSONSchema.Schema, f.JSONSchema.Strict
		case f.Type != "json_object":
			r.refuse("response_format.type", "a format of type %q has no counterpart", f.Type)
		}
	}
	for i, m := range in.Messages {
		readChatMessage(r, c, m, at("messages", i))
	}
	return c
}

// refuseChat refuses what would change the meaning of a request.
func refuseChat(r *reader, in *chatRequest) {
	if in.N != nil && *in.N != 1 {
		r.refuse("n", "several answers to one request have no counterpart")
	}
	if in.Logprobs != nil && *in.Logprobs {
		r.refuse("logprobs", "probabilities of tokens have no counterpart")
	}
	for _, f := range []struct {
		raw  json.RawMessage
		name string
	}{{in.LogitBias, "logit_bias"}, {in.Functions, "functions"}, {in.FunctionCall, "function_call"}, {in.Audio, "audio"}, {in.WebSearch, "web_search_options"}} {
		if s := string(f.raw); !blank(f.raw) && s != "{}" && s != "[]" {
			r.refuse(f.name, "this has no counterpart")
		}
	}
}

// oneOrMany reads a text or a list of texts.
func oneOrMany(r *reader, raw json.RawMessage, field string) (out []string) {
	if len(raw) > 0 && raw[0] == '"' {
		out = []string{""}
		read(r, raw, &out[0], field)
		return out
	}
	read(r, raw, &out, field)
	return out
}

// readChoice reads a choice of tools as both of OpenAI's families write it.
func readChoice(r *reader, raw json.RawMessage) choice {
	if blank(raw) {
		return choice{}
	}
	var one struct {
		Type      string `json:"type"`
		Name      string `json:"name"`
		Namespace string `json:"namespace"`
		Function  struct {
			Name string `json:"name"`
		} `json:"function"`
	}
	if raw[0] == '"' {
		read(r, raw, &one.Type, "tool_choice")
	} else {
		read(r, raw, &one, "tool_choice")
	}
	switch one.Type {
	case "auto":
		return choice{mode: chooseAuto}
	case "none":
		return choice{mode: chooseNone}
	case "required":
		return choice{mode: chooseAny}
	case "function", "custom":
		return choice{mode: chooseOne, space: one.Namespace, name: one.Name + one.Function.Name}
	}
	r.refuse("tool_choice", "a choice of type %q has no counterpart", one.Type)
	return choice{}
}

func readChatMessage(r *reader, c *conversation, m chatMessage, field string) {
	parts := readChatContent(r, m.Content, field+".content")
	switch m.Role {
	case "system", "developer":
		c.instruct(texts(r, parts), field)
	case "user":
		c.add(user, parts...)
	case "assistant":
		if thoughts(m.ReasoningContent, m.Reasoning) != "" {
			r.drop("messages[].reasoning_content")
		}
		for _, p := range parts {
			if p.kind == imagePart {
				r.refuse(p.field, "an image of the assistant has no counterpart")
			}
		}
		c.add(assistant, append(parts, part{text: m.Refusal})...)
		for i, call := range m.ToolCalls {
			c.add(assistant, readChatCall(r, call, at(field+".tool_calls", i)))
		}
	case "tool":
		c.add(user, part{kind: resultPart, field: field + ".tool_call_id", result: result{id: m.ToolCallID, parts: parts}})
	default:
		r.refuse(field+".role", "the role %q has no counterpart", m.Role)
	}
}

func readChatCall(r *reader, in chatCall, field string) part {
	if in.Type != "function" && in.Type != "" {
		r.refuse(field+".type", "a call of type %q has no counterpart", in.Type)
	}
	return part{kind: callPart, field: field, call: call{id: in.ID, name: in.Function.Name, args: in.Function.Arguments}}
}

// texts joins parts that must all be texts.
func texts(r *reader, parts []part) string {
	var all []string
	for _, p := range parts {
		if p.kind != textPart {
			r.refuse(p.field, "only text can stand here")
		}
		all = append(all, p.text)
	}
	return strings.Join(all, "\n\n")
}

// readChatContent reads a text or parts.
func readChatContent(r *reader, raw json.RawMessage, field string) (out []part) {
	if len(raw) > 0 && raw[0] == '"' {
		p := part{field: field}
		read(r, raw, &p.text, field)
		return []part{p}
	}
	var parts []chatPart
	read(r, raw, &parts, field)
	for i, p := range parts {
		field := at(field, i)
		switch {
		case p.Type == "text":
			out = append(out, part{field: field, text: p.Text})
		case p.Type == "refusal":
			out = append(out, part{field: field, text: p.Refusal})
		case p.Type == "image_url" && p.ImageURL != nil:
			out = append(out, readImageURL(r, p.ImageURL.URL, field+".image_url.url"))
		default:
			r.refuse(field+".type", "content of type %q has no counterpart", p.Type)
		}
	}
	return out
}

func readImageURL(r *reader, url, field string) part {
	i, ok := imageOf(url)
	if !ok {
		r.refuse(field, "the image is neither in base64 nor in the web")
	}
	return part{kind: imagePart, field: field, image: i}
}

// writeChat writes a request of chat completions.
func writeChat(w *writer, c *conversation) any {
	out := chatRequest{
		Model: w.state.model, ParallelToolCalls: c.parallel, ToolChoice: writeChoice(c, func(name string) any {
			return map[string]any{"type": "function", "function": map[string]string{"name": name}}
		}),
		ReasoningEffort: c.effort, Verbosity: c.verbosity, Stream: c.stream, Seed: c.sampling.seed,
	}
	sample := writeSampling(w, c)
	out.Temperature, out.TopP, out.FrequencyPenalty, out.PresencePenalty = sample.temperature, sample.topP, sample.frequency, sample.presence
	if out.MaxTokens = c.sampling.maxTokens; thinks(w.state.model) {
		out.MaxTokens, out.MaxCompletionTokens = nil, out.MaxTokens
	}
	if len(c.sampling.stop) > 0 {
		out.Stop = marshal(c.sampling.stop)
	}
	if c.stream {
		out.StreamOptions = &chatOptions{IncludeUsage: true}
	}
	for _, t := range c.tools {
		out.Tools = append(out.Tools, chatTool{"function", chatDeclaration{t.seen, t.description, t.parameters(), t.strict}})
	}
	if f := c.format; f != nil {
		out.ResponseFormat = &chatFormat{Type: "json_object"}
		if f.schema != nil {
			out.ResponseFormat = &chatFormat{"json_schema", &chatSchema{formatName(f), f.schema, f.strict}}
		}
	}
	if len(c.system) > 0 {
		out.Messages = append(out.Messages, chatMessage{Role: "system", Content: marshal(strings.Join(c.system, "\n\n"))})
	}
	for _, m := range c.messages {
		out.Messages = append(out.Messages, writeChatMessage(w, m)...)
	}
	return out
}

// formatName is the name that OpenAI wants a schema to have.
func formatName(f *format) string {
	if f.name == "" {
		return "answer"
	}
	return seenName("", f.name)
}

// writeSampling is what of the sampling OpenAI's models take.
func writeSampling(w *writer, c *conversation) sampling {
	s := c.sampling
	drop(w, s.topK, "top_k")
	if thinks(w.state.model) {
		drop(w, s.temperature, "temperature")
		drop(w, s.topP, "top_p")
		drop(w, s.frequency, "frequency_penalty")
		drop(w, s.presence, "presence_penalty")
		return sampling{}
	}
	return s
}

// writeChoice writes a choice of tools for OpenAI; one writes that of one tool.
func writeChoice(c *conversation, one func(name string) any) json.RawMessage {
	switch {
	case c.choice.mode == "" || len(c.tools) == 0:
		return nil
	case c.choice.mode == chooseOne:
		return marshal(one(seenName(c.choice.space, c.choice.name)))
	case c.choice.mode == chooseAny:
		return marshal("required")
	}
	return marshal(c.choice.mode)
}

func writeChatMessage(w *writer, m message) (out []chatMessage) {
	results, rest := split(m.parts)
	for _, p := range results {
		text := p.result.text()
		if text == "" && len(p.result.parts) > 0 {
			text = "See the image in the next message."
		}
		out = append(out, chatMessage{Role: "tool", Content: marshal(text), ToolCallID: fitID(p.result.id)})
	}
	rest = append(images(results), rest...)
	if m.role == assistant {
		return append(out, writeChatAssistant(w, rest)...)
	}
	if len(rest) > 0 {
		out = append(out, chatMessage{Role: m.role, Content: writeChatContent(rest)})
	}
	return out
}

func writeChatAssistant(w *writer, parts []part) []chatMessage {
	out := chatMessage{Role: assistant}
	var said []part
	for _, p := range parts {
		switch p.kind {
		case textPart:
			said = append(said, p)
		case callPart:
			out.ToolCalls = append(out.ToolCalls, writeChatCall(p.call, fitID(p.call.id), seenName(p.call.space, p.call.name)))
		case reasoningPart:
			w.state.drop(p.field)
		}
	}
	if len(said) > 0 {
		out.Content = writeChatContent(said)
	}
	if len(said)+len(out.ToolCalls) == 0 {
		return nil
	}
	return []chatMessage{out}
}

func writeChatCall(c call, id, name string) chatCall {
	args := c.args
	if strings.TrimSpace(args) == "" {
		args = "{}"
	}
	return chatCall{ID: id, Type: "function", Function: chatFunction{name, args}}
}

// writeChatContent writes a text, or parts if there are more.
func writeChatContent(parts []part) json.RawMessage {
	if len(parts) == 1 && parts[0].kind == textPart {
		return marshal(parts[0].text)
	}
	var out []chatPart
	for _, p := range parts {
		if p.kind == imagePart {
			out = append(out, chatPart{Type: "image_url", ImageURL: &chatImage{p.image.dataURL()}})
		} else {
			out = append(out, chatPart{Type: "text", Text: p.text})
		}
	}
	return marshal(out)
}
