package main

import (
	"context"
	"errors"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"
	"github.com/anthropics/anthropic-sdk-go/packages/param"
)

// messages speaks Anthropic's messages.
type messages struct {
	client  anthropic.Client
	params  anthropic.MessageNewParams
	results []anthropic.ContentBlockParamUnion // not sent yet
}

func beginMessages() conversation {
	return &messages{
		client: anthropic.NewClient(option.WithBaseURL(url), option.WithAPIKey(token)),
		params: anthropic.MessageNewParams{Model: model, MaxTokens: maxTokens, System: []anthropic.TextBlockParam{{Text: system}}},
	}
}

func (m *messages) ask(text string, tool bool) {
	m.params.Messages = append(m.params.Messages, anthropic.NewUserMessage(anthropic.NewTextBlock(text)))
	if tool {
		m.params.Tools = []anthropic.ToolUnionParam{{OfTool: &anthropic.ToolParam{
			Name: toolName, Description: param.NewOpt(toolDescription),
			InputSchema: anthropic.ToolInputSchemaParam{Properties: schema["properties"], Required: []string{"city"}},
		}}}
	}
}

func (m *messages) answer(ctx context.Context, stream bool) (answer, error) {
	if len(m.results) > 0 {
		m.params.Messages = append(m.params.Messages, anthropic.NewUserMessage(m.results...))
		m.results = nil
	}
	var out answer
	var got anthropic.Message
	if stream {
		s := m.client.Messages.NewStreaming(ctx, m.params)
		for s.Next() {
			if err := got.Accumulate(s.Current()); err != nil {
				return out, err
			}
			if s.Current().Delta.Type == "text_delta" {
				out.pieces++
			}
		}
		if err := s.Err(); err != nil {
			return out, err
		}
	} else {
		v, err := m.client.Messages.New(ctx, m.params)
		if err != nil {
			return out, err
		}
		got = *v
	}
	m.params.Messages = append(m.params.Messages, got.ToParam())
	u := got.Usage
	out.input, out.output = u.InputTokens+u.CacheReadInputTokens+u.CacheCreationInputTokens, u.OutputTokens
	for _, block := range got.Content {
		switch b := block.AsAny().(type) {
		case anthropic.TextBlock:
			out.text += b.Text
		case anthropic.ToolUseBlock:
			out.calls = append(out.calls, call{b.ID, b.Name, cityOf(b.Input)})
		}
	}
	if want := map[bool]anthropic.StopReason{true: anthropic.StopReasonToolUse, false: anthropic.StopReasonEndTurn}[len(out.calls) > 0]; got.StopReason != want {
		return out, errors.New("stop_reason: " + string(got.StopReason))
	}
	return out, nil
}

func (m *messages) result(of call, text string) {
	m.results = append(m.results, anthropic.NewToolResultBlock(of.id, text, false))
}

func (*messages) refusal(err error) (int, string) {
	var e *anthropic.Error
	if !errors.As(err, &e) {
		return 0, ""
	}
	return e.StatusCode, e.RawJSON() // it has no field for the message
}
