package translate

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// A googleRequest is a request of generateContent. The model stands in the path.
type googleRequest struct {
	SystemInstruction *googleContent  `json:"systemInstruction,omitempty"`
	Contents          []googleContent `json:"contents"`
	Tools             []googleTool    `json:"tools,omitempty"`
	ToolConfig        *googleChoice   `json:"toolConfig,omitempty"`
	GenerationConfig  json.RawMessage `json:"generationConfig,omitempty"`
	CachedContent     string          `json:"cachedContent,omitempty"`
}

type googleContent struct {
	Role  string       `json:"role,omitempty"`
	Parts []googlePart `json:"parts,omitempty"`
}

type googlePart struct {
	Text             *string         `json:"text,omitempty"`
	Thought          bool            `json:"thought,omitempty"`
	ThoughtSignature string          `json:"thoughtSignature,omitempty"`
	InlineData       *googleData     `json:"inlineData,omitempty"`
	FunctionCall     *googleCall     `json:"functionCall,omitempty"`
	FunctionResponse *googleResponse `json:"functionResponse,omitempty"`
	FileData         json.RawMessage `json:"fileData,omitempty"`
	Code             json.RawMessage `json:"executableCode,omitempty"`
	CodeResult       json.RawMessage `json:"codeExecutionResult,omitempty"`
}

type googleData struct {
	MimeType string `json:"mimeType"`
	Data     string `json:"data"`
}

type googleCall struct {
	ID   string          `json:"id,omitempty"`
	Name string          `json:"name"`
	Args json.RawMessage `json:"args,omitempty"`
}

type googleResponse struct {
	ID       string          `json:"id,omitempty"`
	Name     string          `json:"name"`
	Response json.RawMessage `json:"response"`
	Parts    []googlePart    `json:"parts,omitempty"`
}

type googleTool struct {
	FunctionDeclarations []googleDeclaration `json:"functionDeclarations,omitempty"`

	GoogleSearch          json.RawMessage `json:"googleSearch,omitempty"`
	GoogleSearchRetrieval json.RawMessage `json:"googleSearchRetrieval,omitempty"`
	URLContext            json.RawMessage `json:"urlContext,omitempty"`
	CodeExecution         json.RawMessage `json:"codeExecution,omitempty"`
	ComputerUse           json.RawMessage `json:"computerUse,omitempty"`
}

type googleDeclaration struct {
	Name                 string          `json:"name"`
	Description          string          `json:"description,omitempty"`
	Parameters           json.RawMessage `json:"parameters,omitempty"`           // in Google's own kind of schema
	ParametersJSONSchema json.RawMessage `json:"parametersJsonSchema,omitempty"` // instead of it
}

type googleChoice struct {
	FunctionCallingConfig *googleMode `json:"functionCallingConfig,omitempty"`
}

type googleMode struct {
	Mode                 string   `json:"mode,omitempty"`
	AllowedFunctionNames []string `json:"allowedFunctionNames,omitempty"`
}

type googleConfig struct {
	Temperature        *float64        `json:"temperature,omitempty"`
	TopP               *float64        `json:"topP,omitempty"`
	TopK               *float64        `json:"topK,omitempty"`
	MaxOutputTokens    *int64          `json:"maxOutputTokens,omitempty"`
	StopSequences      []string        `json:"stopSequences,omitempty"`
	PresencePenalty    *float64        `json:"presencePenalty,omitempty"`
	FrequencyPenalty   *float64        `json:"frequencyPenalty,omitempty"`
	Seed               *int64          `json:"seed,omitempty"`
	ResponseMimeType   string          `json:"responseMimeType,omitempty"`
	ResponseSchema     json.RawMessage `json:"responseSchema,omitempty"` // in Google's own kind of schema
	ResponseJSONSchema json.RawMessage `json:"responseJsonSchema,omitempty"`

	CandidateCount     *int64   `json:"candidateCount,omitempty"`
	ResponseLogprobs   bool     `json:"responseLogprobs,omitempty"`
	ResponseModalities []string `json:"responseModalities,omitempty"`
}

// readGoogle reads a request of generateContent.
func readGoogle(r *reader, raw []byte) *conversation {
	var in googleRequest
	for _, name := range body(r, raw, &in, "", "labels") {
		if strings.Contains(name, "_") {
			r.refuse(name, "only names in camel case are read, as in systemInstruction")
		}
	}
	if in.CachedContent != "" {
		r.refuse("cachedContent", "what a provider keeps has no counterpart")
	}
	c := &conversation{}
	readGoogleConfig(r, c, in.GenerationConfig)
	for i, t := range in.Tools {
		readGoogleTool(r, c, t, at("tools", i))
	}
	if in.ToolConfig != nil && in.ToolConfig.FunctionCallingConfig != nil {
		readGoogleChoice(r, c, in.ToolConfig.FunctionCallingConfig)
	}
	if in.SystemInstruction != nil {
		for i, p := range in.SystemInstruction.Parts {
			field := at("systemInstruction.parts", i)
			if p.Text == nil {
				r.refuse(field, "only text can stand here")
			}
			c.instruct(text(p.Text), field)
		}
	}
	calls := &googleCalls{}
	for i, content := range in.Contents {
		for j, p := range content.Parts {
			readGooglePart(r, c, calls, content.Role, p, at(at("contents", i)+".parts", j))
		}
	}
	return c
}

func readGoogleConfig(r *reader, c *conversation, raw json.RawMessage) {
	if blank(raw) {
		return
	}
	var in googleConfig
	body(r, raw, &in, "generationConfig", "logprobs")
	c.sampling = sampling{
		temperature: in.Temperature, topP: in.TopP, topK: in.TopK, maxTokens: in.MaxOutputTokens, stop: in.StopSequences,
		presence: in.PresencePenalty, frequency: in.FrequencyPenalty, seed: in.Seed,
	}
	if in.CandidateCount != nil && *in.CandidateCount != 1 {
		r.refuse("generationConfig.candidateCount", "several answers to one request have no counterpart")
	}
	if in.ResponseLogprobs {
		r.refuse("generationConfig.responseLogprobs", "probabilities of tokens have no counterpart")
	}
	for i, m := range in.ResponseModalities {
		if m != "TEXT" {
			r.refuse(at("generationConfig.responseModalities", i), "answers of kind %q have no counterpart", m)
		}
	}
	switch in.ResponseMimeType {
	case "", "text/plain":
	case "application/json":
		c.format = &format{field: "generationConfig.responseMimeType", schema: in.ResponseJSONSchema}
		if blank(in.ResponseJSONSchema) {
			c.format.schema = jsonSchema(r, in.ResponseSchema, "generationConfig.responseSchema")
		}
	default:
		r.refuse("generationConfig.responseMimeType", "answers of type %q have no counterpart", in.ResponseMimeType)
	}
}

func readGoogleTool(r *reader, c *conversation, in googleTool, field string) {
	for i, d := range in.FunctionDeclarations {
		t := tool{name: d.Name, description: d.Description, schema: d.ParametersJSONSchema}
		if blank(t.schema) {
			t.schema = jsonSchema(r, d.Parameters, at(field+".functionDeclarations", i)+".parameters")
		}
		c.tools = append(c.tools, t)
	}
	for _, hosted := range []struct {
		raw  json.RawMessage
		name string
	}{{in.GoogleSearch, "googleSearch"}, {in.GoogleSearchRetrieval, "googleSearchRetrieval"}, {in.URLContext, "urlContext"}, {in.CodeExecution, "codeExecution"}} {
		if !blank(hosted.raw) {
			r.drop("tools[]." + hosted.name)
		}
	}
	if !blank(in.ComputerUse) {
		r.refuse(field+".computerUse", "this tool has no counterpart")
	}
}

func readGoogleChoice(r *reader, c *conversation, in *googleMode) {
	const field = "toolConfig.functionCallingConfig"
	switch in.Mode {
	case "", "MODE_UNSPECIFIED":
	case "AUTO", "VALIDATED":
		c.choice.mode = chooseAuto
	case "NONE":
		c.choice.mode = chooseNone
	case "ANY":
		c.choice.mode = chooseAny
	default:
		r.refuse(field+".mode", "the mode %q has no counterpart", in.Mode)
	}
	switch names := in.AllowedFunctionNames; {
	case len(names) == 1 && c.choice.mode == chooseAny:
		c.choice = choice{mode: chooseOne, name: names[0]}
	case len(names) > 0 && (c.choice.mode != chooseAny || len(names) < len(c.tools)):
		r.refuse(field+".allowedFunctionNames", "a choice among some of the tools has no counterpart")
	}
}

// googleCalls pairs calls and their results. Google's clients may give both no
// ids: then the names, and their order, tell.
type googleCalls struct {
	n    int
	open []call
}

func (g *googleCalls) call(in *googleCall) call {
	g.n++
	c := call{id: in.ID, name: in.Name, args: string(object(string(in.Args)))}
	if c.id == "" {
		c.id = fmt.Sprintf("call_%d", g.n)
	}
	g.open = append(g.open, c)
	return c
}

// answered is the id of the call that a result answers.
func (g *googleCalls) answered(in *googleResponse) string {
	i := slices.IndexFunc(g.open, func(c call) bool { return c.id == in.ID })
	if i < 0 {
		i = slices.IndexFunc(g.open, func(c call) bool { return c.name == in.Name })
	}
	if i < 0 {
		return in.ID
	}
	id := g.open[i].id
	g.open = slices.Delete(g.open, i, i+1)
	return id
}

func readGooglePart(r *reader, c *conversation, calls *googleCalls, role string, in googlePart, field string) {
	side := user
	if role == "model" {
		side = assistant
	} else if role != user && role != "" && role != "function" {
		r.refuse(field, "the role %q has no counterpart", role)
	}
	p := part{field: field}
	switch {
	case in.FunctionCall != nil && side == assistant:
		p.kind, p.call = callPart, calls.call(in.FunctionCall)
	case in.FunctionResponse != nil && side == user:
		p.kind, p.result = resultPart, readGoogleResult(r, in.FunctionResponse, field+".functionResponse")
		p.result.id = calls.answered(in.FunctionResponse)
	case in.InlineData != nil && side == user:
		p.kind, p.image = imagePart, readInline(r, in.InlineData, field)
	case in.Thought:
		p.kind, p.field = reasoningPart, "contents[].parts[thought]"
	case in.Text != nil:
		p.text = *in.Text
	default:
		r.refuse(field, "a part of this kind has no counterpart")
	}
	if in.ThoughtSignature != "" {
		c.add(side, part{kind: reasoningPart, field: "contents[].parts[].thoughtSignature", proof: in.ThoughtSignature})
	}
	c.add(side, p)
}

func readInline(r *reader, in *googleData, field string) image {
	if !strings.HasPrefix(in.MimeType, "image/") {
		r.refuse(field+".inlineData.mimeType", "data of type %q has no counterpart", in.MimeType)
	}
	return image{mime: in.MimeType, data: in.Data}
}

// readGoogleResult reads a result. Google's is an object: where it is nothing but
// an output or an error, that is the text, else all of it.
func readGoogleResult(r *reader, in *googleResponse, field string) result {
	out := result{name: in.Name}
	said := string(in.Response)
	if fields, ok := fieldsOf(in.Response); ok && len(fields) == 1 {
		var text string
		f := fields[0]
		if (f.name == "output" || f.name == "error") && json.Unmarshal(f.value, &text) == nil {
			said, out.failed = text, f.name == "error"
		}
	}
	if said != "" {
		out.parts = append(out.parts, part{field: field + ".response", text: said})
	}
	for i, p := range in.Parts {
		field := at(field+".parts", i)
		if p.InlineData == nil {
			r.refuse(field, "a part of this kind has no counterpart")
			continue
		}
		out.parts = append(out.parts, part{kind: imagePart, field: field, image: readInline(r, p.InlineData, field)})
	}
	return out
}

// writeGoogle writes a request of generateContent.
func writeGoogle(w *writer, c *conversation) any {
	out := googleRequest{Contents: []googleContent{}, GenerationConfig: writeGoogleConfig(c)}
	if string(out.GenerationConfig) == "{}" {
		out.GenerationConfig = nil
	}
	w.unthinking(c)
	if c.parallel != nil && !*c.parallel {
		w.state.drop(w.word("parallel_tool_calls"))
	}
	if len(c.system) > 0 {
		out.SystemInstruction = &googleContent{Parts: []googlePart{{Text: new(strings.Join(c.system, "\n\n"))}}}
	}
	if len(c.tools) > 0 {
		out.Tools = []googleTool{{}}
	}
	for _, t := range c.tools {
		w.lax(t)
		d := googleDeclaration{Name: t.seen, Description: t.description, ParametersJSONSchema: t.schema}
		out.Tools[0].FunctionDeclarations = append(out.Tools[0].FunctionDeclarations, d)
	}
	out.ToolConfig = writeGoogleChoice(c)
	for _, m := range merged(w, c) {
		out.Contents = append(out.Contents, writeGoogleContents(w, m)...)
	}
	if len(out.Contents) == 0 {
		w.refuse("", "there is nothing but a system prompt, and generateContent needs more")
	}
	return out
}

func writeGoogleConfig(c *conversation) json.RawMessage {
	s := c.sampling
	out := googleConfig{
		Temperature: s.temperature, TopP: s.topP, TopK: s.topK, MaxOutputTokens: s.maxTokens, StopSequences: s.stop,
		PresencePenalty: s.presence, FrequencyPenalty: s.frequency, Seed: s.seed,
	}
	if c.format != nil {
		out.ResponseMimeType, out.ResponseJSONSchema = "application/json", c.format.schema
	}
	return marshal(out)
}

func writeGoogleChoice(c *conversation) *googleChoice {
	if c.choice.mode == "" || len(c.tools) == 0 {
		return nil
	}
	mode := &googleMode{Mode: strings.ToUpper(c.choice.mode)}
	if c.choice.mode == chooseOne {
		mode.Mode, mode.AllowedFunctionNames = "ANY", []string{seenName(c.choice.space, c.choice.name)}
	}
	return &googleChoice{mode}
}

// unproven stands for the signature of a call that the model has not made, or
// whose signature an agent could not keep. Google documents it for that; models
// since the third generation refuse a call with none.
const unproven = "skip_thought_signature_validator"

var unsigned = regexp.MustCompile(`gemini-[12]\b`)

// writeGoogleContents writes a message: results stand alone, as Google wants.
func writeGoogleContents(w *writer, m message) (out []googleContent) {
	results, rest := split(m.parts)
	var parts []googlePart
	for _, p := range results {
		key := "output"
		if p.result.failed {
			key = "error"
		}
		parts = append(parts, googlePart{FunctionResponse: &googleResponse{
			ID: fitID(p.result.id), Name: p.result.name, Response: marshal(map[string]string{key: p.result.text()}),
		}})
	}
	if len(parts) > 0 {
		out = append(out, googleContent{user, parts})
	}
	rest = append(images(results), rest...)
	role := user
	if m.role == assistant {
		role = "model"
	}
	if parts := writeGoogleParts(w, rest); len(parts) > 0 {
		out = append(out, googleContent{role, parts})
	}
	return out
}

func writeGoogleParts(w *writer, parts []part) (out []googlePart) {
	signature, called := "", false
	for _, p := range parts {
		var q googlePart
		switch p.kind {
		case textPart:
			q.Text = &p.text
		case imagePart:
			if p.image.url != "" {
				w.refuse(p.field, "an image in the web has no counterpart in generateContent")
			}
			q.InlineData = &googleData{p.image.mime, p.image.data}
		case callPart:
			q.FunctionCall = &googleCall{fitID(p.call.id), seenName(p.call.space, p.call.name), object(p.call.args)}
			if signature == "" && !called && strings.Contains(w.state.model, "gemini") && !unsigned.MatchString(w.state.model) {
				signature = unproven
			}
			called = true
		case reasoningPart:
			proof, _ := unwrap(google, p.proof)
			if proof == "" {
				w.state.drop(p.field)
			} else {
				signature = proof
			}
			continue
		}
		q.ThoughtSignature, signature = signature, ""
		out = append(out, q)
	}
	return out
}
