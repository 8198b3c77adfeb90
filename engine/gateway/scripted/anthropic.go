package scripted

import (
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// messages is the family of Anthropic's messages.
type messages struct{}

func (messages) plain(a answer) any {
	out := messagesHead(a)
	blocks := []any{}
	if a.text != "" {
		blocks = append(blocks, object{"type": "text", "text": a.text})
	}
	for _, c := range a.calls {
		blocks = append(blocks, toolUse(c, json.RawMessage(c.args)))
	}
	out["content"], out["stop_reason"] = blocks, messagesReason(a)
	if a.usage != nil {
		out["usage"] = messagesUsage(*a.usage, a.usage.output)
	}
	return out
}

func messagesHead(a answer) object {
	return object{"id": fmt.Sprintf("msg_%d", a.n), "type": "message", "role": "assistant", "model": a.model, "content": []any{}, "stop_reason": nil, "stop_sequence": nil}
}

func toolUse(c toolCall, input any) object {
	return object{"type": "tool_use", "id": c.id, "name": c.name, "input": input}
}

func messagesReason(a answer) string {
	switch {
	case a.stop == stopLength:
		return "max_tokens"
	case a.stop == stopFilter:
		return "refusal"
	case len(a.calls) > 0:
		return "tool_use"
	}
	return "end_turn"
}

func messagesUsage(u usage, output int64) object {
	return object{
		"input_tokens": u.input, "cache_read_input_tokens": u.cacheRead, "cache_creation_input_tokens": u.cacheWrite, "output_tokens": output,
		"cache_creation": object{"ephemeral_5m_input_tokens": u.cacheWrite, "ephemeral_1h_input_tokens": 0},
	}
}

func (messages) stream(a answer, _ request) []event {
	var out []event
	send := func(name string, data object) {
		data["type"] = name
		out = append(out, event{name, data})
	}
	index := 0
	block := func(start object, deltas []object) {
		send("content_block_start", object{"index": index, "content_block": start})
		for _, d := range deltas {
			send("content_block_delta", object{"index": index, "delta": d})
		}
		send("content_block_stop", object{"index": index})
		index++
	}
	message := messagesHead(a)
	end := object{"delta": object{"stop_reason": messagesReason(a), "stop_sequence": nil}}
	if a.usage != nil {
		message["usage"] = messagesUsage(*a.usage, min(a.usage.output, 1))
		end["usage"] = object{"output_tokens": a.usage.output}
	}
	send("message_start", object{"message": message})
	send("ping", object{})
	if a.text != "" {
		var deltas []object
		for _, text := range pieces(a.text) {
			deltas = append(deltas, object{"type": "text_delta", "text": text})
		}
		block(object{"type": "text", "text": ""}, deltas)
	}
	for _, c := range a.calls {
		var deltas []object
		for _, text := range pieces(c.args) {
			deltas = append(deltas, object{"type": "input_json_delta", "partial_json": text})
		}
		block(toolUse(c, object{}), deltas)
	}
	send("message_delta", end)
	send("message_stop", object{})
	return out
}

// messagesErrors are the types of errors; all others are api_error or
// invalid_request_error.
var messagesErrors = map[int]string{
	http.StatusUnauthorized:          "authentication_error",
	http.StatusPaymentRequired:       "billing_error",
	http.StatusForbidden:             "permission_error",
	http.StatusNotFound:              "not_found_error",
	http.StatusRequestEntityTooLarge: "request_too_large",
	http.StatusTooManyRequests:       "rate_limit_error",
	529:                              "overloaded_error",
}

func (messages) failure(status int, message string, _ time.Duration) any {
	return messagesError(status, message)
}

func messagesError(status int, message string) object {
	kind, ok := messagesErrors[status]
	switch {
	case !ok && status < 500:
		kind = "invalid_request_error"
	case !ok:
		kind = "api_error"
	}
	return object{"type": "error", "error": object{"type": kind, "message": message}}
}

func (messages) broken(status int, message string) event {
	return event{"error", messagesError(status, message)}
}
