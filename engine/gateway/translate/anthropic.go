package translate

import (
	"encoding/json"
	"strings"
)

// A messagesRequest is a request of Anthropic's messages.
type messagesRequest struct {
	Model         string            `json:"model"`
	MaxTokens     *int64            `json:"max_tokens"`
	System        json.RawMessage   `json:"system,omitempty"` // a text, or blocks
	Messages      []messagesMessage `json:"messages"`
	Tools         []messagesTool    `json:"tools,omitempty"`
	ToolChoice    *messagesChoice   `json:"tool_choice,omitempty"`
	OutputConfig  *messagesOutput   `json:"output_config,omitempty"`
	OutputFormat  *messagesFormat   `json:"output_format,omitempty"` // an older place of the same
	Temperature   *float64          `json:"temperature,omitempty"`
	TopP          *float64          `json:"top_p,omitempty"`
	TopK          *float64          `json:"top_k,omitempty"`
	StopSequences []string          `json:"stop_sequences,omitempty"`
	Stream        bool              `json:"stream,omitempty"`

	MCPServers json.RawMessage `json:"mcp_servers,omitempty"`
	Container  json.RawMessage `json:"container,omitempty"`
}

type messagesMessage struct {
	Role    string          `json:"role"`
	Content json.RawMessage `json:"content"` // a text, or blocks
}

// A messagesBlock is a block of content of any type.
type messagesBlock struct {
	Type      string          `json:"type"`
	Text      *string         `json:"text,omitempty"`
	Source    *messagesSource `json:"source,omitempty"`
	ID        string          `json:"id,omitempty"`
	Name      string          `json:"name,omitempty"`
	Input     json.RawMessage `json:"input,omitempty"`
	ToolUseID string          `json:"tool_use_id,omitempty"`
	Content   json.RawMessage `json:"content,omitempty"` // a text, or blocks
	IsError   bool            `json:"is_error,omitempty"`
	Thinking  *string         `json:"thinking,omitempty"`
	Signature *string         `json:"signature,omitempty"`
	Data      string          `json:"data,omitempty"` // of redacted_thinking
}

type messagesSource struct {
	Type      string `json:"type"`
	MediaType string `json:"media_type,omitempty"`
	Data      string `json:"data,omitempty"`
	URL       string `json:"url,omitempty"`
}

type messagesTool struct {
	Type        string          `json:"type,omitempty"`
	Name        string          `json:"name"`
	Description string          `json:"description,omitempty"`
	InputSchema json.RawMessage `json:"input_schema,omitempty"`
}

type messagesChoice struct {
	Type                   string `json:"type"`
	Name                   string `json:"name,omitempty"`
	DisableParallelToolUse *bool  `json:"disable_parallel_tool_use,omitempty"`
}

type messagesOutput struct {
	Effort string          `json:"effort,omitempty"`
	Format *messagesFormat `json:"format,omitempty"`
}

type messagesFormat struct {
	Type   string          `json:"type"`
	Schema json.RawMessage `json:"schema"`
}

// readMessages reads a request of messages.
func readMessages(r *reader, raw []byte) *conversation {
	var in messagesRequest
	body(r, raw, &in, "", "metadata")
	c := &conversation{
		stream:   in.Stream,
		sampling: sampling{temperature: in.Temperature, topP: in.TopP, topK: in.TopK, maxTokens: in.MaxTokens, stop: in.StopSequences},
	}
	if s := string(in.MCPServers); !blank(in.MCPServers) && s != "[]" {
		r.refuse("mcp_servers", "servers that a provider asks have no counterpart")
	}
	if !blank(in.Container) {
		r.refuse("container", "a container at a provider has no counterpart")
	}
	readMessagesTools(r, c, in.Tools)
	readMessagesChoice(r, c, in.ToolChoice)
	out := in.OutputFormat
	if in.OutputConfig != nil {
		if in.OutputConfig.Effort != "" {
			r.drop("output_config.effort")
		}
		if in.OutputConfig.Format != nil {
			out = in.OutputConfig.Format
		}
	}
	if out != nil {
		if out.Type != "json_schema" {
			r.refuse("output_config.format.type", "a format of type %q has no counterpart", out.Type)
		}
		c.format = &format{field: "output_config.format", schema: out.Schema}
	}
	for _, p := range readBlocks(r, in.System, "system") {
		if strings.HasPrefix(p.text, billing) {
			r.drop(p.field)
			continue
		}
		c.instruct(texts(r, []part{p}), "system")
	}
	for i, m := range in.Messages {
		field := at("messages", i)
		parts := readBlocks(r, m.Content, field+".content")
		switch m.Role {
		case system:
			c.instruct(texts(r, parts), field)
		case user, assistant:
			checkSide(r, m.Role, parts)
			c.add(m.Role, parts...)
		default:
			r.refuse(field+".role", "the role %q has no counterpart", m.Role)
		}
	}
	return c
}

// billing begins a block that Claude Code writes for Anthropic's accounts and for
// no model. It differs from call to call, and would keep other families from
// caching what follows.
const billing = "x-anthropic-billing-header:"

// checkSide refuses what the other side would have to say.
func checkSide(r *reader, role string, parts []part) {
	for _, p := range parts {
		if (p.kind == imagePart || p.kind == resultPart) && role != user || (p.kind == callPart || p.kind == reasoningPart) && role != assistant {
			r.refuse(p.field, "a message of the %s cannot hold this", role)
		}
	}
}

// run are the names of tools that Anthropic runs by itself, before their dates.
var run = []string{"web_search_", "web_fetch_", "code_execution_", "tool_search_tool_", "mcp_toolset", "advisor_"}

func readMessagesTools(r *reader, c *conversation, tools []messagesTool) {
	for i, t := range tools {
		if t.Type == "" || t.Type == "custom" {
			c.tools = append(c.tools, tool{name: t.Name, description: t.Description, schema: t.InputSchema})
			continue
		}
		hosted := false
		for _, prefix := range run {
			hosted = hosted || strings.HasPrefix(t.Type, prefix)
		}
		if !hosted {
			r.refuse(at("tools", i)+".type", "a tool of type %q has no counterpart", t.Type)
		}
		r.drop("tools[type=" + clip(t.Type, 80) + "]")
	}
}

func readMessagesChoice(r *reader, c *conversation, in *messagesChoice) {
	if in == nil {
		return
	}
	if in.DisableParallelToolUse != nil {
		c.parallel = new(!*in.DisableParallelToolUse)
	}
	switch in.Type {
	case "auto", "any", "none":
		c.choice.mode = in.Type
	case "tool":
		c.choice = choice{mode: chooseOne, name: in.Name}
	default:
		r.refuse("tool_choice.type", "a choice of type %q has no counterpart", in.Type)
	}
}

// readBlocks reads a text or blocks.
func readBlocks(r *reader, raw json.RawMessage, field string) (out []part) {
	if len(raw) > 0 && raw[0] == '"' {
		p := part{field: field}
		read(r, raw, &p.text, field)
		return []part{p}
	}
	var blocks []messagesBlock
	read(r, raw, &blocks, field)
	for i, b := range blocks {
		out = append(out, readBlock(r, b, at(field, i)))
	}
	return out
}

func readBlock(r *reader, b messagesBlock, field string) part {
	p := part{field: field}
	switch b.Type {
	case "text":
		p.text = text(b.Text)
	case "image":
		p.kind, p.image = imagePart, readSource(r, b.Source, field+".source")
	case "tool_use":
		p.kind, p.call = callPart, call{id: b.ID, name: b.Name, args: string(object(string(b.Input)))}
	case "tool_result":
		p.kind, p.field = resultPart, field+".tool_use_id"
		p.result = result{id: b.ToolUseID, failed: b.IsError, parts: readBlocks(r, b.Content, field+".content")}
		for _, q := range p.result.parts {
			if q.kind != textPart && q.kind != imagePart {
				r.refuse(q.field, "a result cannot hold this")
			}
		}
	case "thinking":
		p.kind, p.field, p.text, p.proof = reasoningPart, "content[type=thinking]", text(b.Thinking), text(b.Signature)
	case "redacted_thinking":
		p.kind, p.field, p.proof = reasoningPart, "content[type=redacted_thinking]", redacted+b.Data
	default:
		r.refuse(field+".type", "content of type %q has no counterpart", b.Type)
	}
	return p
}

// redacted marks the proof of reasoning that nobody but the provider can read.
const redacted = "redacted "

func text(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

func readSource(r *reader, s *messagesSource, field string) image {
	switch {
	case s == nil:
		r.refuse(field, "an image needs a source")
	case s.Type == "base64":
		return image{mime: s.MediaType, data: s.Data}
	case s.Type == "url":
		return image{url: s.URL}
	default:
		r.refuse(field+".type", "a source of type %q has no counterpart", s.Type)
	}
	return image{}
}

// defaultTokens is the limit for agents that give none, where one must be given:
// no more than the least that models of Anthropic's since the fourth generation
// can say.
const defaultTokens = 32000

// writeMessages writes a request of messages.
func writeMessages(w *writer, c *conversation) any {
	s := c.sampling
	out := messagesRequest{
		Model: w.state.model, MaxTokens: s.maxTokens, Temperature: s.temperature, TopP: s.topP, TopK: s.topK,
		StopSequences: s.stop, Stream: c.stream, Messages: []messagesMessage{},
	}
	if out.MaxTokens == nil {
		out.MaxTokens = new(int64(defaultTokens))
	}
	writeMessagesLimits(w, c, &out)
	if len(c.system) > 0 {
		out.System = marshal(strings.Join(c.system, "\n\n"))
	}
	for _, t := range c.tools {
		w.lax(t)
		out.Tools = append(out.Tools, messagesTool{Name: t.seen, Description: t.description, InputSchema: t.parameters()})
	}
	out.ToolChoice = writeMessagesChoice(c)
	if f := c.format; f != nil {
		if f.schema == nil {
			w.refuse(f.field, "JSON without a schema has no counterpart in messages")
		}
		out.OutputConfig = &messagesOutput{Format: &messagesFormat{"json_schema", closed(w, f)}}
	}
	for _, m := range merged(w, c) {
		blocks := []messagesBlock{}
		for _, p := range m.parts {
			blocks = append(blocks, writeBlocks(w, p)...)
		}
		if len(blocks) > 0 {
			out.Messages = append(out.Messages, messagesMessage{m.role, marshal(blocks)})
		}
	}
	if len(out.Messages) == 0 {
		w.refuse("", "there is nothing but a system prompt, and messages needs more")
	}
	return out
}

// writeMessagesLimits leaves out or refuses sampling that messages does not take.
func writeMessagesLimits(w *writer, c *conversation, out *messagesRequest) {
	s := c.sampling
	if s.temperature != nil && s.topP != nil { // newer models refuse both at once
		out.TopP = nil
		w.state.drop(w.word("top_p"))
	}
	if s.temperature != nil && *s.temperature > 1 {
		w.refuse(w.word("temperature"), "messages takes no more than 1, and this is %g", *s.temperature)
	}
	drop(w, s.frequency, "frequency_penalty")
	drop(w, s.presence, "presence_penalty")
	drop(w, s.seed, "seed")
	w.unthinking(c)
}

// unthinking leaves out what only OpenAI's families have.
func (w *writer) unthinking(c *conversation) {
	if c.effort != "" {
		w.state.drop(w.word("reasoning_effort"))
	}
	if c.verbosity != "" {
		w.state.drop(w.word("verbosity"))
	}
}

// lax leaves out that a tool insists on its schema.
func (w *writer) lax(t tool) {
	if t.strict != nil && *t.strict {
		w.state.drop(w.word("tools[].strict"))
	}
}

// merged is the conversation for families that know only two sides: the user says
// what the system says amid it.
func merged(w *writer, c *conversation) []message {
	var out conversation
	for _, m := range c.messages {
		if m.role == system {
			w.state.drop(m.parts[0].field + ".role")
			m.role = user
		}
		out.add(m.role, m.parts...)
	}
	return out.messages
}

func writeMessagesChoice(c *conversation) *messagesChoice {
	if len(c.tools) == 0 || c.choice.mode == "" && c.parallel == nil {
		return nil
	}
	out := &messagesChoice{Type: c.choice.mode}
	switch c.choice.mode {
	case "":
		out.Type = "auto"
	case chooseOne:
		out.Type, out.Name = "tool", seenName(c.choice.space, c.choice.name)
	}
	if c.parallel != nil && c.choice.mode != chooseNone {
		out.DisableParallelToolUse = new(!*c.parallel)
	}
	return out
}

// writeBlocks writes a part as a block, or as none if messages takes none such.
func writeBlocks(w *writer, p part) []messagesBlock {
	switch p.kind {
	case imagePart:
		if p.image.url != "" {
			return []messagesBlock{{Type: "image", Source: &messagesSource{Type: "url", URL: p.image.url}}}
		}
		return []messagesBlock{{Type: "image", Source: &messagesSource{Type: "base64", MediaType: p.image.mime, Data: p.image.data}}}
	case callPart:
		return []messagesBlock{{Type: "tool_use", ID: fitID(p.call.id), Name: seenName(p.call.space, p.call.name), Input: object(p.call.args)}}
	case resultPart:
		out := messagesBlock{Type: "tool_result", ToolUseID: fitID(p.result.id), IsError: p.result.failed}
		var content []messagesBlock
		for _, q := range p.result.parts {
			content = append(content, writeBlocks(w, q)...)
		}
		if len(content) > 0 {
			out.Content = marshal(content)
		}
		return []messagesBlock{out}
	case reasoningPart:
		proof, text := unwrap(anthropic, p.proof)
		if proof == "" {
			w.state.drop(p.field)
			return nil
		}
		return []messagesBlock{newThinking(text, proof)}
	}
	if strings.TrimSpace(p.text) == "" {
		return nil // messages refuses a block of nothing but space
	}
	return []messagesBlock{{Type: "text", Text: &p.text}}
}

// newThinking is a block of reasoning.
func newThinking(text, proof string) messagesBlock {
	if data, ok := strings.CutPrefix(proof, redacted); ok {
		return messagesBlock{Type: "redacted_thinking", Data: data}
	}
	return messagesBlock{Type: "thinking", Thinking: &text, Signature: &proof}
}
