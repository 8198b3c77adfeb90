package wire

import (
	"encoding/json"
	"net/http"
	"strconv"
	"time"
)

// KeepAlive is what can be sent while a provider thinks: before the first byte of
// an answer, or between two events. It is white space in JSON and an empty line in
// server-sent events. A comment would be the usual thing there, and Google's SDKs
// take it for a broken stream.
const KeepAlive = "\n"

// A Refusal is what the gateway says instead of an answer.
type Refusal struct {
	// Status is that of HTTP. Clients try again what is 429 or from 500 on, for
	// minutes and each in its own way: what is meant to be final, such as a budget
	// that is used up, is 403.
	Status int

	// Code is a name for programs: "budget_exceeded". It is used where a family has
	// a place for one.
	Code string

	// Message is for people, and begins with "bench: ".
	Message string

	// RetryAfter is how long to wait, with 429 and 503; rounded up to seconds, and
	// at least one. Codex gives up at once where a 429 does not say.
	RetryAfter time.Duration
}

// StatusFor is the status that the clients of a family understand: Codex, which is
// the client of responses, tries a 403 again, and does not a 400.
func (r Refusal) StatusFor(f Family) int {
	if f == Responses && r.Status == http.StatusForbidden {
		return http.StatusBadRequest
	}
	return r.Status
}

// Header is what goes with a refusal that is an answer of its own, with StatusFor.
func (r Refusal) Header() http.Header {
	h := http.Header{"Content-Type": {"application/json"}}
	if r.waits() {
		h.Set("Retry-After", strconv.FormatInt(r.seconds(), 10))
	} else if r.Status < 500 {
		h.Set("X-Should-Retry", "false")
	}
	return h
}

// Body is the body of a refusal that is an answer of its own.
func (r Refusal) Body(f Family) []byte {
	return append(inJSON(r.shape(f)), '\n')
}

// InStream is a refusal within the answer to a streaming call, whose status has
// been sent already; begun is whether anything but KeepAlive has followed it. It is
// the end of that answer.
func (r Refusal) InStream(c Call, begun bool) []byte {
	switch {
	case c.Array && begun:
		return append(append([]byte(",\n"), inJSON(r.shape(Google))...), "\n]\n"...)
	case c.Array:
		return append(append([]byte("["), inJSON(r.shape(Google))...), "\n]\n"...)
	}
	var out []byte
	if begun { // an event that was cut ends here
		out = append(out, "\n\n"...)
	}
	switch c.Family {
	case Anthropic:
		out = append(out, "event: error\n"...)
	case Responses:
		out = append(out, "event: response.failed\n"...)
	}
	out = append(append(out, "data: "...), inJSON(r.event(c.Family))...)
	return append(out, "\n\n"...)
}

func (r Refusal) waits() bool {
	return r.Status == http.StatusTooManyRequests || r.Status == http.StatusServiceUnavailable
}

func (r Refusal) seconds() int64 {
	return max(1, int64((r.RetryAfter+time.Second-1)/time.Second))
}

// The shapes of errors. Sources: platform.openai.com/docs/guides/error-codes;
// docs.anthropic.com/en/api/errors; google.rpc.Status and google.rpc.RetryInfo.
type (
	openaiError struct {
		Error struct {
			Message string  `json:"message"`
			Type    string  `json:"type"`
			Param   *string `json:"param"`
			Code    string  `json:"code"`
		} `json:"error"`
	}
	anthropicError struct {
		Type  string `json:"type"`
		Error struct {
			Type    string `json:"type"`
			Message string `json:"message"`
		} `json:"error"`
	}
	googleError struct {
		Error struct {
			Code    int           `json:"code"`
			Message string        `json:"message"`
			Status  string        `json:"status"`
			Details []googleRetry `json:"details,omitempty"`
		} `json:"error"`
	}
	googleRetry struct {
		Type  string `json:"@type"`
		Delay string `json:"retryDelay"`
	}
	responseFailed struct {
		Type     string `json:"type"`
		Sequence int    `json:"sequence_number"`
		Response struct {
			Object string `json:"object"`
			Status string `json:"status"`
			Error  struct {
				Code    string `json:"code"`
				Message string `json:"message"`
			} `json:"error"`
		} `json:"response"`
	}
)

// shape is a refusal as an answer of its own.
func (r Refusal) shape(f Family) any {
	switch f {
	case Anthropic:
		e := anthropicError{Type: "error"}
		e.Error.Type, e.Error.Message = r.name(anthropicNames), r.Message
		return e
	case Google:
		var e googleError
		e.Error.Code, e.Error.Message, e.Error.Status = r.Status, r.Message, r.name(googleNames)
		if r.waits() {
			e.Error.Details = []googleRetry{{"type.googleapis.com/google.rpc.RetryInfo", strconv.FormatInt(r.seconds(), 10) + "s"}}
		}
		return e
	}
	var e openaiError
	e.Error.Message, e.Error.Type, e.Error.Code = r.Message, r.name(openaiNames), r.Code
	return e
}

// event is a refusal as the data of an event.
func (r Refusal) event(f Family) any {
	if f != Responses {
		return r.shape(f)
	}
	e := responseFailed{Type: "response.failed"}
	e.Response.Object, e.Response.Status = "response", "failed"
	e.Response.Error.Code, e.Response.Error.Message = r.name(responseNames), r.Message
	return e
}

// names are what a family calls an error of a status.
type names struct {
	of      map[int]string
	other   string // below 500
	problem string // from 500 on
}

func (r Refusal) name(n names) string {
	switch name := n.of[r.Status]; {
	case name != "":
		return name
	case r.Status >= 500:
		return n.problem
	}
	return n.other
}

var (
	openaiNames = names{map[int]string{
		http.StatusForbidden: "permission_denied", http.StatusTooManyRequests: "rate_limit_exceeded",
	}, "invalid_request_error", "server_error"}

	// responseNames are codes that Codex knows: what is not one of these it tries again.
	responseNames = names{map[int]string{http.StatusTooManyRequests: "rate_limit_exceeded"}, "invalid_prompt", "server_error"}

	anthropicNames = names{map[int]string{
		http.StatusUnauthorized: "authentication_error", http.StatusPaymentRequired: "billing_error", http.StatusForbidden: "permission_error",
		http.StatusNotFound: "not_found_error", http.StatusRequestEntityTooLarge: "request_too_large", http.StatusTooManyRequests: "rate_limit_error",
		http.StatusServiceUnavailable: "overloaded_error", http.StatusGatewayTimeout: "timeout_error",
	}, "invalid_request_error", "api_error"}

	googleNames = names{map[int]string{
		http.StatusUnauthorized: "UNAUTHENTICATED", http.StatusForbidden: "PERMISSION_DENIED", http.StatusNotFound: "NOT_FOUND",
		http.StatusTooManyRequests: "RESOURCE_EXHAUSTED", http.StatusInternalServerError: "INTERNAL", http.StatusGatewayTimeout: "DEADLINE_EXCEEDED",
	}, "INVALID_ARGUMENT", "UNAVAILABLE"}
)

// inJSON writes one of the shapes, which nothing can fail to be written of.
func inJSON(shape any) []byte {
	out, err := json.Marshal(shape)
	if err != nil {
		panic(err)
	}
	return out
}
