package translate

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A responsesRequest is a request of OpenAI's responses.
type responsesRequest struct {
	Model             string              `json:"model"`
	Instructions      string              `json:"instructions,omitempty"`
	Input             json.RawMessage     `json:"input"` // a text, or items
	Tools             []responsesTool     `json:"tools,omitempty"`
	ToolChoice        json.RawMessage     `json:"tool_choice,omitempty"`
	ParallelToolCalls *bool               `json:"parallel_tool_calls,omitempty"`
	Text              *responsesText      `json:"text,omitempty"`
	Reasoning         *responsesReasoning `json:"reasoning,omitempty"`
	Temperature       *float64            `json:"temperature,omitempty"`
	TopP              *float64            `json:"top_p,omitempty"`
	MaxOutputTokens   *int64              `json:"max_output_tokens,omitempty"`
	Include           []string            `json:"include,omitempty"`
	Store             *bool               `json:"store,omitempty"`
	Stream            bool                `json:"stream,omitempty"`

	PreviousResponseID string          `json:"previous_response_id,omitempty"`
	Conversation       json.RawMessage `json:"conversation,omitempty"`
	Prompt             json.RawMessage `json:"prompt,omitempty"`
	Background         *bool           `json:"background,omitempty"`
}

type responsesText struct {
	Format    *responsesFormat `json:"format,omitempty"`
	Verbosity string           `json:"verbosity,omitempty"`
}

type responsesFormat struct {
	Type   string          `json:"type"`
	Name   string          `json:"name,omitempty"`
	Schema json.RawMessage `json:"schema,omitempty"`
	Strict *bool           `json:"strict,omitempty"`
}

type responsesReasoning struct {
	Effort string `json:"effort,omitempty"`
}

type responsesTool struct {
	Type        string          `json:"type"`
	Name        string          `json:"name,omitempty"`
	Description string          `json:"description,omitempty"`
	Parameters  json.RawMessage `json:"parameters,omitempty"`
	Strict      *bool           `json:"strict"`
	Format      *struct {
		Type       string `json:"type"`
		Syntax     string `json:"syntax"`
		Definition string `json:"definition"`
	} `json:"format,omitempty"` // of a custom tool
	Tools []responsesTool `json:"tools,omitempty"` // of a namespace
}

// A responsesItem is an item of the input or the output. Content and output are
// a text or parts.
type responsesItem struct {
	Type             string           `json:"type"`
	ID               string           `json:"id,omitempty"`
	Status           string           `json:"status,omitempty"`
	Role             string           `json:"role,omitempty"`
	Content          json.RawMessage  `json:"content,omitempty"`
	CallID           string           `json:"call_id,omitempty"`
	Namespace        string           `json:"namespace,omitempty"`
	Name             string           `json:"name,omitempty"`
	Arguments        *string          `json:"arguments,omitempty"`
	Input            *string          `json:"input,omitempty"`
	Output           json.RawMessage  `json:"output,omitempty"`
	Summary          *[]responsesPart `json:"summary,omitempty"`
	EncryptedContent string           `json:"encrypted_content,omitempty"`
	Tools            []responsesTool  `json:"tools,omitempty"` // of additional_tools
}

type responsesPart struct {
	Type        string           `json:"type"`
	Text        *string          `json:"text,omitempty"`
	Refusal     string           `json:"refusal,omitempty"`
	ImageURL    string           `json:"image_url,omitempty"`
	Annotations *json.RawMessage `json:"annotations,omitempty"`
}

func (p responsesPart) text() string {
	if p.Text == nil {
		return p.Refusal
	}
	return *p.Text
}

// readResponses reads a request of responses.
func readResponses(r *reader, raw []byte) *conversation {
	var in responsesRequest
	body(r, raw, &in, "", "metadata", "user", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "client_metadata")
	c := &conversation{
		parallel: in.ParallelToolCalls, stream: in.Stream, choice: readChoice(r, in.ToolChoice),
		sampling: sampling{temperature: in.Temperature, topP: in.TopP, maxTokens: in.MaxOutputTokens},
	}
	refuseResponses(r, &in)
	if in.Reasoning != nil {
		c.effort = in.Reasoning.Effort
	}
	if in.Text != nil {
		c.verbosity = in.Text.Verbosity
		c.format = readResponsesFormat(r, in.Text.Format)
	}
	readResponsesTools(r, c, "", in.Tools, "tools")
	c.instruct(in.Instructions, "instructions")
	if len(in.Input) > 0 && in.Input[0] == '"' {
		p := part{field: "input"}
		read(r, in.Input, &p.text, "input")
		c.add(user, p)
		return c
	}
	var items []responsesItem
	read(r, in.Input, &items, "input")
	for i, item := range items {
		readResponsesItem(r, c, item, at("input", i))
	}
	return c
}

// refuseResponses refuses what would change the meaning of a request.
func refuseResponses(r *reader, in *responsesRequest) {
	if in.PreviousResponseID != "" {
		r.refuse("previous_response_id", "what a provider remembers has no counterpart")
	}
	if !blank(in.Conversation) {
		r.refuse("conversation", "what a provider remembers has no counterpart")
	}
	if !blank(in.Prompt) {
		r.refuse("prompt", "a prompt that a provider keeps has no counterpart")
	}
	if in.Background != nil && *in.Background {
		r.refuse("background", "an answer that is fetched later has no counterpart")
	}
}

func readResponsesFormat(r *reader, f *responsesFormat) *format {
	if f == nil || f.Type == "text" {
		return nil
	}
	if f.Type != "json_schema" && f.Type != "json_object" {
		r.refuse("text.format.type", "a format of type %q has no counterpart", f.Type)
	}
	return &format{field: "text.format", name: f.Name, schema: f.Schema, strict: f.Strict}
}

// hosted are tools that OpenAI runs by itself.
const hosted = " web_search web_search_preview file_search code_interpreter image_generation mcp tool_search "

func readResponsesTools(r *reader, c *conversation, space string, tools []responsesTool, field string) {
	for i, t := range tools {
		field := at(field, i)
		switch {
		case t.Type == "function":
			c.tools = append(c.tools, tool{space: space, name: t.Name, description: t.Description, schema: t.Parameters, strict: t.Strict})
		case t.Type == "custom":
			c.tools = append(c.tools, tool{space: space, name: t.Name, description: describe(t), schema: json.RawMessage(freeSchema), free: true})
		case t.Type == "namespace" && space == "":
			readResponsesTools(r, c, t.Name, t.Tools, field+".tools")
		case strings.Contains(hosted, " "+t.Type+" "):
			r.drop(fmt.Sprintf("tools[type=%s]", t.Type))
		default:
			r.refuse(field+".type", "a tool of type %q has no counterpart", t.Type)
		}
	}
}

// describe is the description of a tool of free text, with its grammar: as a
// function, it has no other place.
func describe(t responsesTool) string {
	if t.Format == nil || t.Format.Definition == "" {
		return t.Description
	}
	return strings.TrimSpace(fmt.Sprintf("%s\n\nThe input must follow this grammar (%s):\n%s", t.Description, t.Format.Syntax, t.Format.Definition))
}

func readResponsesItem(r *reader, c *conversation, item responsesItem, field string) {
	switch item.Type {
	case "message", "":
		parts := readResponsesContent(r, item.Content, field+".content")
		switch item.Role {
		case "system", "developer":
			c.instruct(texts(r, parts), field)
		case user, assistant:
			for _, p := range parts {
				if item.Role == assistant && p.kind == imagePart {
					r.refuse(p.field, "an image of the assistant has no counterpart")
				}
			}
			c.add(item.Role, parts...)
		default:
			r.refuse(field+".role", "the role %q has no counterpart", item.Role)
		}
	case "function_call", "custom_tool_call":
		c.add(assistant, part{kind: callPart, field: field, call: item.call()})
	case "function_call_output", "custom_tool_call_output":
		parts := readResponsesContent(r, item.Output, field+".output")
		c.add(user, part{kind: resultPart, field: field + ".call_id", result: result{id: item.CallID, parts: parts}})
	case "reasoning":
		c.add(assistant, part{kind: reasoningPart, field: "input[type=reasoning]", text: item.summary(), proof: item.EncryptedContent})
	case "additional_tools":
		readResponsesTools(r, c, "", item.Tools, field+".tools")
	default:
		r.refuse(field+".type", "an item of type %q has no counterpart", item.Type)
	}
}

// call is the call that an item is.
func (item responsesItem) call() call {
	c := call{id: item.CallID, space: item.Namespace, name: item.Name, free: item.Type == "custom_tool_call"}
	switch {
	case c.free && item.Input != nil:
		c.args = freeArgs(*item.Input)
	case item.Arguments != nil:
		c.args = *item.Arguments
	}
	return c
}

// summary is what an item tells of reasoning.
func (item responsesItem) summary() string {
	if item.Summary == nil {
		return ""
	}
	var all []string
	for _, p := range *item.Summary {
		all = append(all, p.text())
	}
	return strings.Join(all, "\n\n")
}

func readResponsesContent(r *reader, raw json.RawMessage, field string) (out []part) {
	if len(raw) > 0 && raw[0] == '"' {
		p := part{field: field}
		read(r, raw, &p.text, field)
		return []part{p}
	}
	var parts []responsesPart
	read(r, raw, &parts, field)
	for i, p := range parts {
		field := at(field, i)
		switch p.Type {
		case "input_text", "output_text", "text", "refusal":
			out = append(out, part{field: field, text: p.text()})
		case "input_image":
			out = append(out, readImageURL(r, p.ImageURL, field+".image_url"))
		default:
			r.refuse(field+".type", "content of type %q has no counterpart", p.Type)
		}
	}
	return out
}

// writeResponses writes a request of responses.
func writeResponses(w *writer, c *conversation) any {
	s := writeSampling(w, c)
	out := responsesRequest{
		Model: w.state.model, Instructions: strings.Join(c.system, "\n\n"), ParallelToolCalls: c.parallel, Stream: c.stream, Store: new(false),
		Temperature: s.temperature, TopP: s.topP, MaxOutputTokens: c.sampling.maxTokens,
		ToolChoice: writeChoice(c, func(name string) any { return map[string]string{"type": "function", "name": name} }),
	}
	drop(w, s.frequency, "frequency_penalty")
	drop(w, s.presence, "presence_penalty")
	drop(w, c.sampling.seed, "seed")
	if len(c.sampling.stop) > 0 {
		w.refuse(w.word("stop"), "stop sequences have no counterpart in responses")
	}
	if thinks(w.state.model) {
		out.Include = []string{"reasoning.encrypted_content"}
	}
	if c.effort != "" {
		out.Reasoning = &responsesReasoning{c.effort}
	}
	if c.verbosity != "" || c.format != nil {
		out.Text = &responsesText{Verbosity: c.verbosity, Format: writeResponsesFormat(c.format)}
	}
	for _, t := range c.tools {
		if t.strict == nil {
			t.strict = new(false) // else responses changes the schema
		}
		out.Tools = append(out.Tools, responsesTool{Type: "function", Name: t.seen, Description: t.description, Parameters: t.parameters(), Strict: t.strict})
	}
	items := []responsesItem{}
	for _, m := range c.messages {
		items = append(items, writeResponsesItems(w, m)...)
	}
	out.Input = marshal(items)
	return out
}

func writeResponsesFormat(f *format) *responsesFormat {
	switch {
	case f == nil:
		return nil
	case f.schema == nil:
		return &responsesFormat{Type: "json_object"}
	}
	strict := f.strict
	if strict == nil {
		strict = new(false)
	}
	return &responsesFormat{"json_schema", formatName(f), f.schema, strict}
}

func writeResponsesItems(w *writer, m message) (out []responsesItem) {
	var said []part
	flush := func() {
		if len(said) > 0 {
			role := m.role
			if role == system {
				role = "developer"
			}
			out = append(out, responsesItem{Type: "message", Role: role, Content: writeResponsesContent(m.role, said)})
			said = nil
		}
	}
	for _, p := range m.parts {
		switch p.kind {
		case textPart, imagePart:
			said = append(said, p)
			continue
		}
		flush()
		switch p.kind {
		case callPart:
			call := writeChatCall(p.call, fitID(p.call.id), seenName(p.call.space, p.call.name))
			out = append(out, responsesItem{Type: "function_call", CallID: call.ID, Name: call.Function.Name, Arguments: &call.Function.Arguments})
		case resultPart:
			out = append(out, responsesItem{Type: "function_call_output", CallID: fitID(p.result.id), Output: writeResponsesOutput(p.result)})
		case reasoningPart:
			if proof, text := unwrap(responses, p.proof); proof != "" {
				out = append(out, newReasoningItem("", text, proof))
			} else {
				w.state.drop(p.field)
			}
		}
	}
	flush()
	return out
}

// writeResponsesOutput writes a result: a text, or parts if there are images.
func writeResponsesOutput(r result) json.RawMessage {
	for _, p := range r.parts {
		if p.kind == imagePart {
			return writeResponsesContent(user, r.parts)
		}
	}
	return marshal(r.text())
}

func writeResponsesContent(role string, parts []part) json.RawMessage {
	kind := "input_text"
	if role == assistant {
		kind = "output_text"
	}
	var out []responsesPart
	for _, p := range parts {
		if p.kind == imagePart {
			out = append(out, responsesPart{Type: "input_image", ImageURL: p.image.dataURL()})
		} else {
			out = append(out, responsesPart{Type: kind, Text: &p.text})
		}
	}
	return marshal(out)
}

// newReasoningItem is an item of reasoning; the text stands in its summary.
func newReasoningItem(id, text, proof string) responsesItem {
	summary := []responsesPart{}
	if text != "" {
		summary = append(summary, responsesPart{Type: "summary_text", Text: &text})
	}
	return responsesItem{Type: "reasoning", ID: id, Summary: &summary, EncryptedContent: proof}
}
