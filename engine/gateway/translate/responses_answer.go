package translate

import (
	"encoding/json"
	"fmt"
)

// A responsesAnswer is a plain answer of responses.
type responsesAnswer struct {
	ID         string           `json:"id"`
	Object     string           `json:"object"`
	CreatedAt  float64          `json:"created_at"` // seconds since 1970
	Status     string           `json:"status"`
	Model      string           `json:"model"`
	Output     []responsesItem  `json:"output"`
	Usage      *responsesUsage  `json:"usage"`
	Error      *openAIProblem   `json:"error"`
	Incomplete *responsesReason `json:"incomplete_details"`

	ParallelToolCalls bool            `json:"parallel_tool_calls"`
	ToolChoice        json.RawMessage `json:"tool_choice"`
	Tools             json.RawMessage `json:"tools"`
}

type responsesReason struct {
	Reason string `json:"reason"`
}

type responsesUsage struct {
	Input   int64 `json:"input_tokens"`
	Details struct {
		Cached int64 `json:"cached_tokens"`
		Write  int64 `json:"cache_write_tokens,omitempty"`
	} `json:"input_tokens_details"`
	Output        int64 `json:"output_tokens"`
	OutputDetails struct {
		Reasoning int64 `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
	Total int64 `json:"total_tokens"`
}

func (u *responsesUsage) read() *usage {
	if u == nil {
		return nil
	}
	d := u.Details
	return &usage{max(0, u.Input-d.Cached-d.Write), d.Cached, d.Write, u.Output, u.OutputDetails.Reasoning}
}

// stop is why the model stopped, in no family's words.
func (a *responsesAnswer) stop() string {
	switch {
	case a.Status != "incomplete":
		return stopEnd
	case a.Incomplete != nil && a.Incomplete.Reason == "content_filter":
		return stopFilter
	}
	return stopLength
}

// readResponsesAnswer reads a plain answer of responses.
func readResponsesAnswer(r *reader, raw []byte) *answer {
	var in responsesAnswer
	if !read(r, raw, &in, "") {
		r.refuse("output", "the answer holds nothing")
		return nil
	}
	if in.Status == "failed" && in.Error != nil {
		r.refuse("error", "the model failed: %s", clip(in.Error.Message, 2000))
	}
	a := &answer{id: in.ID, model: in.Model, created: int64(in.CreatedAt), usage: in.Usage.read(), stop: in.stop()}
	for i, item := range in.Output {
		switch item.Type {
		case "message":
			a.parts = append(a.parts, readResponsesContent(r, item.Content, at("output", i)+".content")...)
		case "function_call", "custom_tool_call":
			a.parts = append(a.parts, part{kind: callPart, call: item.call()})
		case "reasoning":
			a.parts = append(a.parts, part{kind: reasoningPart, text: item.summary(), proof: item.EncryptedContent})
		}
	}
	return a
}

// newResponsesAnswer is an answer without its output.
func newResponsesAnswer(a *answer) responsesAnswer {
	out := responsesAnswer{
		ID: a.id, Object: "response", CreatedAt: float64(a.created), Status: "completed", Model: a.model, Output: []responsesItem{},
		ParallelToolCalls: true, ToolChoice: json.RawMessage(`"auto"`), Tools: json.RawMessage(`[]`),
	}
	switch a.stop {
	case stopLength:
		out.Status, out.Incomplete = "incomplete", &responsesReason{"max_output_tokens"}
	case stopFilter:
		out.Status, out.Incomplete = "incomplete", &responsesReason{"content_filter"}
	}
	if u := a.usage; u != nil {
		out.Usage = &responsesUsage{Input: u.input + u.cacheRead + u.cacheWrite, Output: u.output}
		out.Usage.Total = out.Usage.Input + u.output
		out.Usage.Details.Cached, out.Usage.Details.Write, out.Usage.OutputDetails.Reasoning = u.cacheRead, u.cacheWrite, u.reasoning
	}
	return out
}

// writeResponsesAnswer writes a plain answer of responses.
func writeResponsesAnswer(_ *State, a *answer) any {
	out := newResponsesAnswer(a)
	for i, p := range a.parts {
		out.Output = append(out.Output, newResponsesItem(a.id, i, p))
	}
	return out
}

// newResponsesItem is a part of an answer as an item that is done.
func newResponsesItem(answer string, i int, p part) responsesItem {
	id := fmt.Sprintf("item_%s_%d", answer, i)
	switch p.kind {
	case callPart:
		item := responsesItem{Type: "function_call", ID: id, Status: "completed", CallID: p.call.id, Namespace: p.call.space, Name: p.call.name}
		if p.call.free {
			item.Type, item.Input = "custom_tool_call", new(freeText(p.call.args))
		} else {
			item.Arguments = new(writeChatCall(p.call, "", "").Function.Arguments)
		}
		return item
	case reasoningPart:
		return newReasoningItem(id, p.text, p.proof)
	}
	content := marshal([]responsesPart{newOutputText(p.text)})
	return responsesItem{Type: "message", ID: id, Status: "completed", Role: assistant, Content: content}
}

func newOutputText(text string) responsesPart {
	return responsesPart{Type: "output_text", Text: &text, Annotations: new(json.RawMessage("[]"))}
}
