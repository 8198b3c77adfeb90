package translate

import "encoding/json"

// A googleAnswer is a plain answer of generateContent, or an event of a stream.
type googleAnswer struct {
	Candidates     []googleCandidate `json:"candidates,omitempty"`
	PromptFeedback *googleFeedback   `json:"promptFeedback,omitempty"`
	UsageMetadata  *googleUsage      `json:"usageMetadata,omitempty"`
	ModelVersion   string            `json:"modelVersion,omitempty"`
	ResponseID     string            `json:"responseId,omitempty"`
	Error          *googleProblem    `json:"error,omitempty"`
}

type googleCandidate struct {
	Content      *googleContent `json:"content,omitempty"`
	FinishReason string         `json:"finishReason,omitempty"`
	Index        int            `json:"index"`
}

type googleFeedback struct {
	BlockReason string `json:"blockReason,omitempty"`
}

type googleUsage struct {
	Prompt     int64 `json:"promptTokenCount"`
	ToolPrompt int64 `json:"toolUsePromptTokenCount,omitempty"`
	Cached     int64 `json:"cachedContentTokenCount,omitempty"`
	Candidates int64 `json:"candidatesTokenCount"`
	Thoughts   int64 `json:"thoughtsTokenCount,omitempty"`
	Total      int64 `json:"totalTokenCount"`
}

func (u *googleUsage) read() *usage {
	if u == nil {
		return nil
	}
	return &usage{input: max(0, u.Prompt+u.ToolPrompt-u.Cached), cacheRead: u.Cached, output: u.Candidates + u.Thoughts, reasoning: u.Thoughts}
}

func newGoogleUsage(u *usage) *googleUsage {
	if u == nil {
		return nil
	}
	out := &googleUsage{Prompt: u.input + u.cacheRead + u.cacheWrite, Cached: u.cacheRead, Candidates: max(0, u.output-u.reasoning), Thoughts: u.reasoning}
	out.Total = out.Prompt + out.Candidates + out.Thoughts
	return out
}

// stop is why the model stopped, in no family's words, or empty if it has not.
func (a *googleAnswer) stop() string {
	if a.PromptFeedback != nil && a.PromptFeedback.BlockReason != "" {
		return stopFilter
	}
	if len(a.Candidates) == 0 {
		return ""
	}
	switch a.Candidates[0].FinishReason {
	case "", "FINISH_REASON_UNSPECIFIED":
		return ""
	case "MAX_TOKENS":
		return stopLength
	case "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY", "MODEL_ARMOR":
		return stopFilter
	}
	return stopEnd // also where the model made a call that nobody could read
}

func googleStop(stop string) string {
	switch stop {
	case stopLength:
		return "MAX_TOKENS"
	case stopFilter:
		return "SAFETY"
	}
	return "STOP"
}

// parts are what the model says.
func (a *googleAnswer) parts() []googlePart {
	if len(a.Candidates) == 0 || a.Candidates[0].Content == nil {
		return nil
	}
	return a.Candidates[0].Content.Parts
}

// readGoogleAnswer reads a plain answer of generateContent.
func readGoogleAnswer(r *reader, raw []byte) *answer {
	var in googleAnswer
	if !read(r, raw, &in, "") || len(in.Candidates) == 0 && in.PromptFeedback == nil {
		r.refuse("candidates", "the answer holds no candidate")
		return nil
	}
	a := &answer{id: in.ResponseID, model: in.ModelVersion, usage: in.UsageMetadata.read(), stop: in.stop()}
	for i, q := range in.parts() {
		a.addGoogle(r, q, at("candidates[0].content.parts", i))
	}
	return a
}

// addGoogle adds a part. The signature of a call proves the reasoning before it.
func (a *answer) addGoogle(r *reader, in googlePart, field string) {
	p := part{field: field}
	switch {
	case in.FunctionCall != nil:
		p.kind, p.call = callPart, call{id: in.FunctionCall.ID, name: in.FunctionCall.Name, args: string(object(string(in.FunctionCall.Args)))}
		if s := in.ThoughtSignature; s != "" {
			if n := len(a.parts); n > 0 && a.parts[n-1].kind == reasoningPart {
				a.parts[n-1].proof = s
			} else {
				a.parts = append(a.parts, part{kind: reasoningPart, proof: s})
			}
		}
	case in.Text != nil:
		p.text = *in.Text
		if in.Thought {
			p.kind = reasoningPart
		}
		if n := len(a.parts); n > 0 && a.parts[n-1].kind == p.kind {
			a.parts[n-1].text += p.text
			return
		}
	default:
		r.refuse(field, "a part of this kind has no counterpart")
	}
	if !p.empty() {
		a.parts = append(a.parts, p)
	}
}

// writeGoogleAnswer writes a plain answer of generateContent.
func writeGoogleAnswer(_ *State, a *answer) any {
	content := googleContent{Role: "model"}
	signature := "" // that the next part carries
	for _, p := range a.parts {
		q, ok := newGooglePart(p)
		if p.kind == reasoningPart && signature != "" {
			content.Parts = append(content.Parts, googlePart{Text: new(""), ThoughtSignature: signature})
		}
		if p.kind == reasoningPart {
			signature = p.proof
		} else {
			q.ThoughtSignature, signature = signature, ""
		}
		if ok {
			content.Parts = append(content.Parts, q)
		}
	}
	if signature != "" {
		content.Parts = append(content.Parts, googlePart{Text: new(""), ThoughtSignature: signature})
	}
	return googleAnswer{
		Candidates:    []googleCandidate{{Content: &content, FinishReason: googleStop(a.stop)}},
		UsageMetadata: newGoogleUsage(a.usage), ModelVersion: a.model, ResponseID: a.id,
	}
}

// newGooglePart is a part of an answer; reasoning without a text is none.
func newGooglePart(p part) (googlePart, bool) {
	switch p.kind {
	case callPart:
		return googlePart{FunctionCall: &googleCall{p.call.id, p.call.name, object(p.call.args)}}, true
	case reasoningPart:
		return googlePart{Text: &p.text, Thought: true}, p.text != ""
	}
	return googlePart{Text: &p.text}, true
}

// A googleProblem is what an error of generateContent says.
type googleProblem struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Status  string `json:"status"`
}

type googleError struct {
	Error googleProblem `json:"error"`
}

func readGoogleError(raw []byte) failure {
	var in googleError
	if json.Unmarshal(raw, &in) != nil || in.Error.Message == "" {
		return failed(raw)
	}
	return in.Error.failure()
}

func (p googleProblem) failure() failure {
	return failure{status: p.Code, kind: p.Status, message: p.Message}
}

// googleStatuses are the names of errors by status.
var googleStatuses = map[int]string{
	400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED",
	500: "INTERNAL", 503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED", 529: "UNAVAILABLE",
}

func writeGoogleError(f failure) any {
	if f.status == 0 {
		f.status = 500
	}
	status, ok := googleStatuses[f.status]
	if !ok {
		status = "UNKNOWN"
	}
	return googleError{googleProblem{f.status, f.message, status}}
}
