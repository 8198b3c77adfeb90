package wire_test

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

var now = time.Date(2026, 11, 27, 10, 0, 0, 0, time.UTC)

func TestReadFailure(t *testing.T) {
	for _, c := range []struct {
		name   string
		family wire.Family
		status int
		header http.Header
		body   string
		want   wire.Failure
	}{
		{"rate limit", wire.OpenAI, 429, http.Header{"Retry-After": {"20"}},
			`{"error":{"message":"Rate limit reached","type":"tokens","param":null,"code":"rate_limit_exceeded"}}`,
			wire.Failure{Status: 429, Code: "rate_limit_exceeded", Message: "Rate limit reached", Retry: true, After: new(20 * time.Second)}},
		{"no money", wire.OpenAI, 429, nil,
			`{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`,
			wire.Failure{Status: 429, Code: "insufficient_quota", Message: "You exceeded your current quota", Auth: true}},
		{"a bill", wire.OpenAI, 429, nil,
			`{"error":{"message":"Your account is not active","type":"billing_not_active","param":null,"code":"billing_not_active"}}`,
			wire.Failure{Status: 429, Code: "billing_not_active", Message: "Your account is not active", Auth: true}},
		{"no credit", wire.Anthropic, 400, nil,
			`{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the API."}}`,
			wire.Failure{Status: 400, Code: "invalid_request_error", Message: "Your credit balance is too low to access the API.", Auth: true}},
		{"a wrong key", wire.OpenAI, 401, nil,
			`{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","param":null,"code":"invalid_api_key"}}`,
			wire.Failure{Status: 401, Code: "invalid_api_key", Message: "Incorrect API key provided", Auth: true}},
		{"no such model", wire.Responses, 404, nil, `{"error":{"message":"The model does not exist","type":"invalid_request_error","param":null,"code":"model_not_found"}}`,
			wire.Failure{Status: 404, Code: "model_not_found", Message: "The model does not exist", Auth: true}},
		{"too long", wire.Responses, 400, nil, `{"error":{"message":"Too long","type":"invalid_request_error","param":"input","code":"context_length_exceeded"}}`,
			wire.Failure{Status: 400, Code: "context_length_exceeded", Message: "Too long"}},
		{"the status as a text", wire.OpenAI, 400, nil, `{"error":{"message":"Budget has been exceeded!","type":"budget_exceeded","param":null,"code":"400"}}`,
			wire.Failure{Status: 400, Code: "budget_exceeded", Message: "Budget has been exceeded!"}},
		{"just a text", wire.OpenAI, 500, nil, `{"error":"model runner has stopped"}`,
			wire.Failure{Status: 500, Message: "model runner has stopped", Retry: true}},
		{"nothing around it", wire.OpenAI, 400, nil, `{"object":"error","message":"no","type":"BadRequestError","param":null,"code":400}`,
			wire.Failure{Status: 400, Code: "BadRequestError", Message: "no"}},
		{"a bill", wire.Anthropic, 402, nil, `{"type":"error","error":{"type":"billing_error","message":"Check your payment details"}}`,
			wire.Failure{Status: 402, Code: "billing_error", Message: "Check your payment details", Auth: true}},
		{"overloaded", wire.Anthropic, 529, nil, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}`,
			wire.Failure{Status: 529, Code: "overloaded_error", Message: "Overloaded", Retry: true}},
		{"told not to", wire.Anthropic, 500, http.Header{"X-Should-Retry": {"false"}}, `{"type":"error","error":{"type":"api_error","message":"Internal server error"}}`,
			wire.Failure{Status: 500, Code: "api_error", Message: "Internal server error"}},
		{"told to", wire.Anthropic, 400, http.Header{"X-Should-Retry": {"true"}, "Retry-After-Ms": {"1500.5"}, "Retry-After": {"9"}}, `{}`,
			wire.Failure{Status: 400, Retry: true, After: new(1500500 * time.Microsecond)}},
		{"a limit of a minute", wire.Google, 429, nil,
			`{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.07s"}]}}`,
			wire.Failure{Status: 429, Code: "RESOURCE_EXHAUSTED", Message: "Quota", Retry: true, After: new(34070 * time.Millisecond)}},
		{"a limit of a day, in an array", wire.Google, 429, nil,
			`[{"error":{"code":429,"message":"Quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}]`,
			wire.Failure{Status: 429, Code: "RESOURCE_EXHAUSTED", Message: "Quota"}},
		{"a wrong key of Google's", wire.Google, 400, nil,
			`{"error":{"code":400,"message":"API key not valid","status":"INVALID_ARGUMENT","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"API_KEY_INVALID","domain":"googleapis.com"}]}}`,
			wire.Failure{Status: 400, Code: "INVALID_ARGUMENT", Message: "API key not valid", Auth: true}},
		{"a page", wire.Google, 502, nil, `<html>`, wire.Failure{Status: 502, Retry: true}},
		{"nothing", wire.OpenAI, 408, nil, ``, wire.Failure{Status: 408, Retry: true}},
		{"other things in its place", wire.OpenAI, 400, nil, `{"error":{"message":{"x":1},"type":["a"],"code":null,"details":"none"}}`, wire.Failure{Status: 400}},
	} {
		if diff := cmp.Diff(c.want, wire.ReadFailure(c.family, c.status, c.header, []byte(c.body), now)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for value, want := range map[string]time.Duration{
		"0": 0, "1.5": 1500 * time.Millisecond, "Fri, 27 Nov 2026 10:00:30 GMT": 30 * time.Second, "Fri, 27 Nov 2026 09:00:00 GMT": 0,
		"1e99": 24 * time.Hour, "Inf": 24 * time.Hour, "-1": -1, "NaN": -1, "soon": -1, "": -1,
	} {
		got := wire.ReadFailure(wire.OpenAI, 503, http.Header{"Retry-After": {value}}, nil, now).After
		if want < 0 != (got == nil) || got != nil && *got != want {
			t.Errorf("%q: %v", value, got)
		}
	}
}

// TestRefusals writes down what each family is told, and reads it back: in words of
// its own and with the meaning that it has.
func TestRefusals(t *testing.T) {
	file := "testdata/refusals.txtar"
	a := archives(t, ".")[file]
	for _, c := range []struct {
		name    string
		refusal wire.Refusal
	}{
		{"budget", wire.Refusal{Status: 403, Code: "budget_exceeded", Message: "bench: the budget of this trial is used up (USD 2.00 of 2.00)"}},
		{"token", wire.Refusal{Status: 401, Code: "invalid_api_key", Message: "bench: no trial has this token"}},
		{"rate", wire.Refusal{Status: 429, Code: "rate_limit_exceeded", Message: "bench: too many requests at once", RetryAfter: 1200 * time.Millisecond}},
		{"provider", wire.Refusal{Status: 502, Code: "provider_error", Message: "bench: the provider cannot be reached"}},
		{"upgrade", wire.Refusal{Status: 426, Code: "upgrade_refused", Message: "bench: there are no websockets here"}},
	} {
		var out strings.Builder
		name, r := c.name, c.refusal
		for _, f := range wire.Families {
			status, header, body := r.StatusFor(f), r.Header(), r.Body(f)
			out.WriteString(string(f) + " " + http.StatusText(status) + "\n")
			if err := header.Write(&out); err != nil {
				t.Fatal(err)
			}
			out.Write(body)
			got := wire.ReadFailure(f, status, header, body, now)
			if got.Message != r.Message || got.Retry != (r.Status == 429 || r.Status == 502) || (got.After != nil) != (r.Status == 429) {
				t.Errorf("%s for %s is read as %+v", name, f, got)
			}
			calls := []wire.Call{{Family: f, Stream: true}}
			if f == wire.Google {
				calls = append(calls, wire.Call{Family: f, Stream: true, Array: true})
			}
			for _, c := range calls {
				inStream(t, c, r)
				out.Write(r.InStream(c, false))
			}
		}
		golden(t, file, a, name, strings.ReplaceAll(out.String(), "\r\n", "\n"))
	}
}

// inStream reads a refusal back that ends a stream, from its start and later.
func inStream(t *testing.T, c wire.Call, r wire.Refusal) {
	t.Helper()
	begun := map[wire.Family]string{
		wire.OpenAI: "data: {\"model\":\"m\",\"choices\":[]}\n\n", wire.Responses: "data: {\"type\":\"response.created\",\"response\":{\"model\":\"m\"}}\n\n",
		wire.Anthropic: "event: message_start\ndata: {\"message\":{\"model\":\"m\"}}\n\n", wire.Google: "data: {\"modelVersion\":\"m\"}\n\n",
	}[c.Family]
	if c.Array {
		begun = `[{"modelVersion":"m"}`
		if all := begun + string(r.InStream(c, true)); !json.Valid([]byte(all)) {
			t.Errorf("%s is no array", all)
		}
	}
	for _, got := range []wire.Answer{
		folded(c.Family, []byte(wire.KeepAlive), r.InStream(c, false)),
		folded(c.Family, []byte(begun), r.InStream(c, true)),
		folded(c.Family, []byte(begun), []byte("data: {\"cut"), r.InStream(c, true)),
	} {
		if c.Array && got.Failure == nil {
			continue // cut within an element, which nothing can mend
		}
		if got.Failure == nil || got.Failure.Message != r.Message || got.Failure.Retry != (r.Status == 429 || r.Status >= 500) {
			t.Errorf("%s in a stream of %s is read as %s", r.Code, c.Family, inJSON(t, got))
		}
	}
}
