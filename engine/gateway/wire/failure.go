package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Failure is what a provider says instead of an answer, or in the middle of one.
type Failure struct {
	// Status is that of HTTP; of an error within an answer, the one that it would
	// have had on its own, or 0 if that cannot be told.
	Status int `json:"status,omitempty"`

	// Code is what the provider calls it: "rate_limit_exceeded",
	// "overloaded_error", "RESOURCE_EXHAUSTED". Empty if it has no name.
	Code    string `json:"code,omitempty"`
	Message string `json:"message,omitempty"`

	// Retry is whether the same request may well be answered later.
	Retry bool `json:"retry,omitempty"`

	// Auth is whether it is the key, its rights, the money behind it or the name of
	// the model that the provider does not take: no request of this kind will be
	// answered until somebody does something about it.
	Auth bool `json:"auth,omitempty"`

	// After is how long the provider asks to wait; nil if it does not say.
	After *time.Duration `json:"after_ns,omitempty"`
}

// ReadFailure reads an answer whose status is an error. The body may be anything,
// and need not be whole. Dates in headers are held against now.
//
// What may be tried again is what the SDKs of OpenAI and Anthropic try again: 408,
// 409, 429 and all from 500 on, unless X-Should-Retry says otherwise. Exhausted
// money is told with 429, and is final; so are Google's limits of a day. Source:
// platform.openai.com/docs/guides/error-codes; docs.anthropic.com/en/api/errors;
// ai.google.dev/gemini-api/docs/troubleshooting and google.rpc.QuotaFailure.
func ReadFailure(f Family, status int, header http.Header, body []byte, now time.Time) Failure {
	e := readError(f, status, errorIn(body))
	switch header.Get("X-Should-Retry") {
	case "true":
		e.Retry = true
	case "false":
		e.Retry = false
	}
	if after := retryAfter(header, now); after != nil {
		e.After = after
	}
	return e
}

// errorIn finds the error in a body: an object, a text, or the first element of an
// array, which is what Google makes of it for a stream that is none of events.
func errorIn(body []byte) []byte {
	var list []json.RawMessage
	if json.Unmarshal(body, &list) == nil && len(list) > 0 {
		body = list[0]
	}
	var whole struct {
		Error json.RawMessage `json:"error"`
	}
	if json.Unmarshal(body, &whole) == nil && len(whole.Error) > 0 {
		return whole.Error
	}
	return body // some servers have no object around it
}

// An errorBody has the fields of all families.
type errorBody struct {
	Type    text `json:"type"`
	Code    text `json:"code"` // a name; Google's is the status
	Status  text `json:"status"`
	Message text `json:"message"`
	Details []struct {
		Reason     text `json:"reason"`
		RetryDelay text `json:"retryDelay"`
		Violations []struct {
			Quota text `json:"quotaId"`
		} `json:"violations"`
	} `json:"details"`
}

// readError makes a failure of an error in JSON.
func readError(f Family, status int, body []byte) Failure {
	var e errorBody
	if _ = json.Unmarshal(body, &e.Message); e.Message == "" {
		_ = json.Unmarshal(body, &e) // what does not fit is not known
	}
	out := Failure{Status: status, Code: string(e.Code), Message: string(e.Message)}
	n, err := strconv.Atoi(out.Code)
	if err == nil && status == 0 && n >= 400 && n < 600 {
		out.Status = n
	}
	switch {
	case f == Google:
		out.Code = string(e.Status)
	case err == nil, out.Code == "", e.Type == insufficientQuota: // whose code may be another name
		out.Code = string(e.Type)
	}
	return judged(out, e)
}

const insufficientQuota = "insufficient_quota"

// statuses are those of errors by their names, for where there is no other.
var statuses = map[string]int{
	"invalid_request_error": 400, "invalid_prompt": 400, "context_length_exceeded": 400, "authentication_error": 401, "invalid_api_key": 401,
	"billing_error": 402, "permission_error": 403, "permission_denied": 403, "not_found_error": 404, "model_not_found": 404, "request_too_large": 413,
	"rate_limit_error": 429, "rate_limit_exceeded": 429, insufficientQuota: 429, "slow_down": 429,
	"api_error": 500, "server_error": 500, "internal_server_error": 500, "server_is_overloaded": 503, "timeout_error": 504, "overloaded_error": 529,
}

// unpaid are names of errors of an account that has to be paid for, whatever their
// status. Anthropic has none, and says it in words, with 400. Sources:
// platform.openai.com/docs/guides/error-codes; docs.anthropic.com/en/api/errors.
var unpaid = map[string]bool{"billing_not_active": true, "billing_hard_limit_reached": true}

// judged says what is to be made of a failure.
func judged(e Failure, body errorBody) Failure {
	if e.Status == 0 {
		e.Status = cmp.Or(statuses[e.Code], statuses[string(body.Type)])
	}
	e.Retry = e.Status == 0 || e.Status == 408 || e.Status == 409 || e.Status == 429 || e.Status >= 500 && e.Status != 501
	switch e.Status {
	case 401, 402, 403, 404:
		e.Auth = true
	}
	if e.Code == insufficientQuota || unpaid[e.Code] || e.Status == 400 && strings.Contains(e.Message, "credit balance is too low") {
		e.Retry, e.Auth = false, true
	}
	for _, d := range body.Details {
		if d.Reason == "API_KEY_INVALID" { // with 400
			e.Auth = true
		}
		for _, v := range d.Violations {
			if strings.Contains(string(v.Quota), "PerDay") {
				e.Retry = false
			}
		}
		if after, err := time.ParseDuration(string(d.RetryDelay)); err == nil {
			e.After = wait(after.Seconds())
		}
	}
	return e
}

// retryAfter reads how long to wait, of which Retry-After-Ms is the most precise.
func retryAfter(h http.Header, now time.Time) *time.Duration {
	if ms, err := strconv.ParseFloat(h.Get("Retry-After-Ms"), 64); err == nil {
		if after := wait(ms / 1000); after != nil {
			return after
		}
	}
	value := h.Get("Retry-After")
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		return wait(s)
	}
	if date, err := http.ParseTime(value); err == nil {
		return wait(max(0, date.Sub(now).Seconds()))
	}
	return nil
}

// longestWait bounds what a provider can ask for.
const longestWait = 24 * time.Hour

// wait makes a duration of seconds; nil if they are no time to wait.
func wait(seconds float64) *time.Duration {
	if math.IsNaN(seconds) || seconds < 0 {
		return nil
	}
	if seconds > longestWait.Seconds() {
		return new(longestWait)
	}
	return new(time.Duration(seconds * float64(time.Second)))
}

// A text is a string, or a number as it is written. Anything else is empty.
type text string

// UnmarshalJSON reads a text. There is no error.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = text(stringOf(b))
	if b = bytes.TrimSpace(b); len(b) > 0 && (b[0] == '-' || b[0] >= '0' && b[0] <= '9') {
		*t = text(b)
	}
	return nil
}
