package scripted

import (
	"fmt"
	"net/http"
	"time"
)

// created is when all answers were made: 2020-01-01, in seconds of Unix time.
const created = 1577836800

// chat is the family of chat completions.
type chat struct{}

func (chat) plain(a answer) any {
	message := object{"role": "assistant", "content": textOrNull(a.text), "refusal": nil}
	if len(a.calls) > 0 {
		message["tool_calls"] = chatCalls(a.calls)
	}
	out := chatHead(a, "chat.completion")
	out["choices"] = []any{object{"index": 0, "message": message, "logprobs": nil, "finish_reason": chatReason(a)}}
	if a.usage != nil {
		out["usage"] = chatUsage(*a.usage)
	}
	return out
}

func (chat) stream(a answer, q request) []event {
	var out []event
	chunk := func(delta object, reason any) {
		v := chatHead(a, "chat.completion.chunk")
		v["choices"] = []any{object{"index": 0, "delta": delta, "logprobs": nil, "finish_reason": reason}}
		out = append(out, event{data: v})
	}
	chunk(object{"role": "assistant", "content": ""}, nil)
	for _, text := range pieces(a.text) {
		chunk(object{"content": text}, nil)
	}
	for i, c := range a.calls {
		chunk(object{"tool_calls": []any{object{"index": i, "id": c.id, "type": "function", "function": object{"name": c.name, "arguments": ""}}}}, nil)
		for _, text := range pieces(c.args) {
			chunk(object{"tool_calls": []any{object{"index": i, "function": object{"arguments": text}}}}, nil)
		}
	}
	chunk(object{}, chatReason(a))
	if q.usage && a.usage != nil {
		v := chatHead(a, "chat.completion.chunk")
		v["choices"], v["usage"] = []any{}, chatUsage(*a.usage)
		out = append(out, event{data: v})
	}
	return append(out, event{data: "[DONE]"})
}

func chatHead(a answer, kind string) object {
	return object{"id": fmt.Sprintf("chatcmpl-%d", a.n), "object": kind, "created": created, "model": a.model}
}

func chatCalls(calls []toolCall) []any {
	var out []any
	for _, c := range calls {
		out = append(out, object{"id": c.id, "type": "function", "function": object{"name": c.name, "arguments": c.args}})
	}
	return out
}

func chatReason(a answer) string {
	switch {
	case a.stop == stopLength:
		return "length"
	case a.stop == stopFilter:
		return "content_filter"
	case len(a.calls) > 0:
		return "tool_calls"
	}
	return "stop"
}

func chatUsage(u usage) object {
	return object{
		"prompt_tokens": u.prompt(), "completion_tokens": u.output, "total_tokens": u.prompt() + u.output,
		"prompt_tokens_details":     object{"cached_tokens": u.cacheRead, "cache_write_tokens": u.cacheWrite},
		"completion_tokens_details": object{"reasoning_tokens": u.reasoning},
	}
}

func (chat) failure(status int, message string, _ time.Duration) any {
	return object{"error": openaiError(status, message)}
}

func (chat) broken(status int, message string) event {
	return event{data: object{"error": openaiError(status, message)}}
}

func openaiError(status int, message string) object {
	kind, code := "server_error", any(nil)
	switch status {
	case http.StatusTooManyRequests:
		kind, code = "requests", "rate_limit_exceeded"
	case http.StatusUnauthorized:
		kind, code = "invalid_request_error", "invalid_api_key"
	default:
		if status < 500 {
			kind = "invalid_request_error"
		}
	}
	return object{"message": message, "type": kind, "param": nil, "code": code}
}

// responses is the family of that name.
type responses struct{}

func (responses) plain(a answer) any { return responsesBody(a, responsesItems(a)) }

func responsesBody(a answer, items []any) object {
	out := object{
		"id": fmt.Sprintf("resp_%d", a.n), "object": "response", "created_at": created, "status": "completed", "model": a.model, "output": items,
		"error": nil, "incomplete_details": nil, "instructions": nil, "metadata": object{}, "parallel_tool_calls": true,
		"temperature": 1, "tool_choice": "auto", "tools": []any{}, "top_p": 1, "usage": nil,
	}
	if reason, ok := map[stop]string{stopLength: "max_output_tokens", stopFilter: "content_filter"}[a.stop]; ok {
		out["status"], out["incomplete_details"] = "incomplete", object{"reason": reason}
	}
	if u := a.usage; u != nil {
		out["usage"] = object{
			"input_tokens": u.prompt(), "output_tokens": u.output, "total_tokens": u.prompt() + u.output,
			"input_tokens_details":  object{"cached_tokens": u.cacheRead, "cache_write_tokens": u.cacheWrite},
			"output_tokens_details": object{"reasoning_tokens": u.reasoning},
		}
	}
	return out
}

func responsesItems(a answer) []any {
	out := []any{}
	if a.text != "" {
		out = append(out, responsesText(a, "completed", []any{outputText(a.text)}))
	}
	for i, c := range a.calls {
		out = append(out, responsesCall(a, i, c.args, "completed"))
	}
	return out
}

func outputText(text string) object {
	return object{"type": "output_text", "text": text, "annotations": []any{}, "logprobs": []any{}}
}

func responsesText(a answer, status string, content []any) object {
	return object{"type": "message", "id": fmt.Sprintf("msg_%d", a.n), "role": "assistant", "status": status, "content": content}
}

func responsesCall(a answer, i int, args, status string) object {
	return object{"type": "function_call", "id": fmt.Sprintf("fc_%d_%d", a.n, i+1), "call_id": a.calls[i].id, "name": a.calls[i].name, "arguments": args, "status": status}
}

func (responses) stream(a answer, _ request) []event {
	var out []event
	send := func(name string, data object) {
		data["type"], data["sequence_number"] = name, len(out)
		out = append(out, event{name, data})
	}
	start := responsesBody(a, []any{})
	start["status"], start["usage"], start["incomplete_details"] = "in_progress", nil, nil
	send("response.created", object{"response": start})
	send("response.in_progress", object{"response": start})
	items := responsesItems(a)
	index := 0
	if a.text != "" {
		id := fmt.Sprintf("msg_%d", a.n)
		at := func(more object) object {
			more["item_id"], more["output_index"], more["content_index"] = id, 0, 0
			return more
		}
		send("response.output_item.added", object{"output_index": 0, "item": responsesText(a, "in_progress", []any{})})
		send("response.content_part.added", at(object{"part": outputText("")}))
		for _, text := range pieces(a.text) {
			send("response.output_text.delta", at(object{"delta": text, "logprobs": []any{}}))
		}
		send("response.output_text.done", at(object{"text": a.text, "logprobs": []any{}}))
		send("response.content_part.done", at(object{"part": outputText(a.text)}))
		send("response.output_item.done", object{"output_index": 0, "item": items[0]})
		index++
	}
	for i, c := range a.calls {
		id := fmt.Sprintf("fc_%d_%d", a.n, i+1)
		send("response.output_item.added", object{"output_index": index, "item": responsesCall(a, i, "", "in_progress")})
		for _, text := range pieces(c.args) {
			send("response.function_call_arguments.delta", object{"item_id": id, "output_index": index, "delta": text})
		}
		send("response.function_call_arguments.done", object{"item_id": id, "output_index": index, "name": c.name, "arguments": c.args})
		send("response.output_item.done", object{"output_index": index, "item": items[index]})
		index++
	}
	end := "response.completed"
	if a.stop != "" {
		end = "response.incomplete"
	}
	send(end, object{"response": responsesBody(a, items)})
	return out
}

func (responses) failure(status int, message string, _ time.Duration) any {
	return object{"error": openaiError(status, message)}
}

func (responses) broken(status int, message string) event {
	e := openaiError(status, message)
	return event{"error", object{"type": "error", "code": e["code"], "message": message, "param": nil}}
}
