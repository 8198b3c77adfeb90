package scripted

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"time"
)

// generate is the family of Google's generateContent.
type generate struct{}

func (generate) plain(a answer) any {
	var parts []any
	if a.text != "" {
		parts = append(parts, object{"text": a.text})
	}
	for _, c := range a.calls {
		parts = append(parts, functionCall(c))
	}
	return generateBody(a, parts, generateReason(a))
}

func functionCall(c toolCall) object {
	return object{"functionCall": object{"name": c.name, "args": json.RawMessage(c.args)}}
}

func generateBody(a answer, parts []any, reason string) object {
	candidate := object{"index": 0, "content": object{"role": "model", "parts": parts}}
	if parts == nil {
		candidate["content"] = object{"role": "model"}
	}
	if reason != "" {
		candidate["finishReason"] = reason
	}
	out := object{"candidates": []any{candidate}, "modelVersion": a.model, "responseId": fmt.Sprintf("response-%d", a.n)}
	if u := a.usage; u != nil {
		usage := object{"promptTokenCount": u.prompt(), "totalTokenCount": u.prompt() + u.output}
		for name, n := range map[string]int64{"cachedContentTokenCount": u.cacheRead, "candidatesTokenCount": u.output - u.reasoning, "thoughtsTokenCount": u.reasoning} {
			if n > 0 {
				usage[name] = n
			}
		}
		out["usageMetadata"] = usage
	}
	return out
}

func generateReason(a answer) string {
	switch a.stop {
	case stopLength:
		return "MAX_TOKENS"
	case stopFilter:
		return "SAFETY"
	}
	return "STOP"
}

func (generate) stream(a answer, _ request) []event {
	var parts []any
	for _, text := range pieces(a.text) {
		parts = append(parts, object{"text": text})
	}
	for _, c := range a.calls {
		parts = append(parts, functionCall(c))
	}
	var out []event
	for i, p := range parts {
		reason := ""
		if i == len(parts)-1 {
			reason = generateReason(a)
		}
		out = append(out, event{data: generateBody(a, []any{p}, reason)})
	}
	if len(parts) == 0 {
		out = append(out, event{data: generateBody(a, nil, generateReason(a))})
	}
	return out
}

// generateErrors are the words for statuses; all others are UNAVAILABLE or
// INVALID_ARGUMENT.
var generateErrors = map[int]string{
	http.StatusUnauthorized:        "UNAUTHENTICATED",
	http.StatusForbidden:           "PERMISSION_DENIED",
	http.StatusNotFound:            "NOT_FOUND",
	http.StatusTooManyRequests:     "RESOURCE_EXHAUSTED",
	http.StatusInternalServerError: "INTERNAL",
	http.StatusGatewayTimeout:      "DEADLINE_EXCEEDED",
}

func (generate) failure(status int, message string, retryAfter time.Duration) any {
	out := generateError(status, message)
	if retryAfter > 0 {
		delay := strconv.FormatFloat(retryAfter.Seconds(), 'f', -1, 64) + "s"
		out["details"] = []any{object{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}}
	}
	return object{"error": out}
}

func generateError(status int, message string) object {
	word, ok := generateErrors[status]
	switch {
	case !ok && status < 500:
		word = "INVALID_ARGUMENT"
	case !ok:
		word = "UNAVAILABLE"
	}
	return object{"code": status, "message": message, "status": word}
}

func (generate) broken(status int, message string) event {
	return event{data: object{"error": generateError(status, message)}}
}
