package main

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/genai"
)

// generate speaks Google's generateContent.
type generate struct {
	config   genai.GenerateContentConfig
	contents []*genai.Content
	results  []*genai.Part // not sent yet
}

func beginGenerate() conversation {
	return &generate{config: genai.GenerateContentConfig{SystemInstruction: genai.NewContentFromText(system, genai.RoleUser)}}
}

func (g *generate) ask(text string, tool bool) {
	g.contents = append(g.contents, genai.NewContentFromText(text, genai.RoleUser))
	if tool {
		g.config.Tools = []*genai.Tool{{FunctionDeclarations: []*genai.FunctionDeclaration{{
			Name: toolName, Description: toolDescription,
			Parameters: &genai.Schema{
				Type: genai.TypeObject, Required: []string{"city"},
				Properties: map[string]*genai.Schema{"city": {Type: genai.TypeString, Description: "Where."}},
			},
		}}}}
	}
}

func (g *generate) answer(ctx context.Context, stream bool) (answer, error) {
	if len(g.results) > 0 {
		g.contents = append(g.contents, genai.NewContentFromParts(g.results, genai.RoleUser))
		g.results = nil
	}
	client, err := genai.NewClient(ctx, &genai.ClientConfig{
		APIKey: token, Backend: genai.BackendGeminiAPI, HTTPOptions: genai.HTTPOptions{BaseURL: url},
	})
	if err != nil {
		return answer{}, err
	}
	var chunks []*genai.GenerateContentResponse
	if stream {
		for chunk, err := range client.Models.GenerateContentStream(ctx, model, g.contents, &g.config) {
			if err != nil {
				return answer{}, err
			}
			chunks = append(chunks, chunk)
		}
	} else {
		v, err := client.Models.GenerateContent(ctx, model, g.contents, &g.config)
		if err != nil {
			return answer{}, err
		}
		chunks = append(chunks, v)
	}
	return g.read(chunks)
}

// read puts the pieces of an answer together, and remembers it.
func (g *generate) read(chunks []*genai.GenerateContentResponse) (answer, error) {
	var out answer
	var said []*genai.Part
	var reason genai.FinishReason
	for _, chunk := range chunks {
		if u := chunk.UsageMetadata; u != nil {
			out.input, out.output = int64(u.PromptTokenCount), int64(u.CandidatesTokenCount+u.ThoughtsTokenCount)
		}
		if len(chunk.Candidates) == 0 {
			continue
		}
		reason = chunk.Candidates[0].FinishReason
		if chunk.Candidates[0].Content != nil {
			said = append(said, chunk.Candidates[0].Content.Parts...)
		}
	}
	for _, p := range said {
		if p.Text != "" {
			out.text += p.Text
			out.pieces++
		}
		if f := p.FunctionCall; f != nil {
			out.calls = append(out.calls, call{f.ID, f.Name, fmt.Sprint(f.Args["city"])})
		}
	}
	g.contents = append(g.contents, genai.NewContentFromParts(said, genai.RoleModel))
	if reason != genai.FinishReasonStop {
		return out, errors.New("finishReason: " + string(reason))
	}
	return out, nil
}

func (g *generate) result(of call, text string) {
	g.results = append(g.results, &genai.Part{FunctionResponse: &genai.FunctionResponse{ID: of.id, Name: of.name, Response: map[string]any{"output": text}}})
}

func (*generate) refusal(err error) (int, string) {
	var e genai.APIError
	if !errors.As(err, &e) {
		return 0, ""
	}
	return e.Code, e.Message
}
