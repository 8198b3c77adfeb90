package main

import (
	"context"
	"errors"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	"github.com/openai/openai-go/v3/packages/param"
	"github.com/openai/openai-go/v3/responses"
	"github.com/openai/openai-go/v3/shared"
)

func openaiClient() openai.Client {
	return openai.NewClient(option.WithBaseURL(url+"/v1"), option.WithAPIKey(token))
}

func openaiRefusal(err error) (int, string) {
	var e *openai.Error
	if !errors.As(err, &e) {
		return 0, ""
	}
	return e.StatusCode, e.Message
}

// chat speaks chat completions.
type chat struct {
	client openai.Client
	params openai.ChatCompletionNewParams
}

func beginChat() conversation {
	return &chat{openaiClient(), openai.ChatCompletionNewParams{
		Model:    model,
		Messages: []openai.ChatCompletionMessageParamUnion{openai.SystemMessage(system)},
	}}
}

func (c *chat) ask(text string, tool bool) {
	c.params.Messages = append(c.params.Messages, openai.UserMessage(text))
	if tool {
		c.params.Tools = []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
			Name: toolName, Description: param.NewOpt(toolDescription), Parameters: schema,
		})}
	}
}

func (c *chat) answer(ctx context.Context, stream bool) (answer, error) {
	var out answer
	var got openai.ChatCompletion
	if stream {
		c.params.StreamOptions.IncludeUsage = param.NewOpt(true)
		var all openai.ChatCompletionAccumulator
		s := c.client.Chat.Completions.NewStreaming(ctx, c.params)
		for s.Next() {
			if !all.AddChunk(s.Current()) {
				return out, errors.New("a chunk does not fit those before it")
			}
			if cs := s.Current().Choices; len(cs) > 0 && cs[0].Delta.Content != "" {
				out.pieces++
			}
		}
		if err := s.Err(); err != nil {
			return out, err
		}
		got = all.ChatCompletion
	} else {
		v, err := c.client.Chat.Completions.New(ctx, c.params)
		if err != nil {
			return out, err
		}
		got = *v
	}
	if len(got.Choices) != 1 {
		return out, errors.New("there is not one choice: " + got.RawJSON())
	}
	m := got.Choices[0].Message
	c.params.Messages = append(c.params.Messages, m.ToParam())
	out.text, out.input, out.output = m.Content, got.Usage.PromptTokens, got.Usage.CompletionTokens
	for _, t := range m.ToolCalls {
		out.calls = append(out.calls, call{t.ID, t.Function.Name, cityOf([]byte(t.Function.Arguments))})
	}
	if want := map[bool]string{true: "tool_calls", false: "stop"}[len(out.calls) > 0]; got.Choices[0].FinishReason != want {
		return out, errors.New("finish_reason: " + got.Choices[0].FinishReason)
	}
	return out, nil
}

func (c *chat) result(of call, text string) {
	c.params.Messages = append(c.params.Messages, openai.ToolMessage(text, of.id))
}

func (*chat) refusal(err error) (int, string) { return openaiRefusal(err) }

// response speaks responses.
type response struct {
	client openai.Client
	params responses.ResponseNewParams
}

func beginResponses() conversation {
	return &response{openaiClient(), responses.ResponseNewParams{
		Model: model, Instructions: param.NewOpt(system), Store: param.NewOpt(false),
	}}
}

func (r *response) add(item responses.ResponseInputItemUnionParam) {
	r.params.Input.OfInputItemList = append(r.params.Input.OfInputItemList, item)
}

func (r *response) ask(text string, tool bool) {
	r.add(responses.ResponseInputItemParamOfMessage(text, responses.EasyInputMessageRoleUser))
	if tool {
		r.params.Tools = []responses.ToolUnionParam{{OfFunction: &responses.FunctionToolParam{
			Name: toolName, Description: param.NewOpt(toolDescription), Parameters: schema, Strict: param.NewOpt(true),
		}}}
	}
}

func (r *response) answer(ctx context.Context, stream bool) (answer, error) {
	var out answer
	var got responses.Response
	if stream {
		s := r.client.Responses.NewStreaming(ctx, r.params)
		for s.Next() {
			switch e := s.Current().AsAny().(type) {
			case responses.ResponseTextDeltaEvent:
				out.pieces++
			case responses.ResponseCompletedEvent:
				got = e.Response
			}
		}
		if err := s.Err(); err != nil {
			return out, err
		}
	} else {
		v, err := r.client.Responses.New(ctx, r.params)
		if err != nil {
			return out, err
		}
		got = *v
	}
	if got.Status != responses.ResponseStatusCompleted {
		return out, errors.New("status: " + string(got.Status))
	}
	out.text, out.input, out.output = got.OutputText(), got.Usage.InputTokens, got.Usage.OutputTokens
	for _, item := range got.Output {
		switch i := item.AsAny().(type) {
		case responses.ResponseOutputMessage:
			r.add(responses.ResponseInputItemUnionParam{OfOutputMessage: new(i.ToParam())})
		case responses.ResponseFunctionToolCall:
			r.add(responses.ResponseInputItemUnionParam{OfFunctionCall: new(i.ToParam())})
			out.calls = append(out.calls, call{i.CallID, i.Name, cityOf([]byte(i.Arguments))})
		}
	}
	return out, nil
}

func (r *response) result(of call, text string) {
	r.add(responses.ResponseInputItemUnionParam{OfFunctionCallOutput: &responses.ResponseInputItemFunctionCallOutputParam{
		CallID: param.NewOpt(of.id), Output: responses.ResponseInputItemFunctionCallOutputOutputUnionParam{OfString: param.NewOpt(text)},
	}})
}

func (*response) refusal(err error) (int, string) { return openaiRefusal(err) }
