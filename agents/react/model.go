package react

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
)

// largestAnswer bounds what is read of an answer, in bytes.
const largestAnswer = 64 << 20

// tries is how often a question is asked whose answer breaks off. All other
// trouble with a provider is the gateway's to sit out.
const tries = 3

// A request is what is asked.
type request struct {
	Model    string        `json:"model"`
	Messages []any         `json:"messages"`
	Tools    []declaration `json:"tools"`
}

type message struct {
	Role       string `json:"role"`
	Content    string `json:"content"`
	ToolCallID string `json:"tool_call_id,omitempty"`
}

// An answer is what the model said.
type answer struct {
	message map[string]json.RawMessage // to be sent back; with all that it holds, as some providers insist on
	text    string
	calls   []call
	stop    string
}

// A call is one of a tool.
type call struct {
	id, name string
	args     string // as the model wrote them
}

// Why a model stopped, where that matters.
const (
	stopLength = "length"
	stopFilter = "content_filter"
)

// ending is what an answer without calls means.
func (a *answer) ending() ending {
	if a.stop == stopFilter {
		return ending{exitFailed, "The provider has withheld the answer of the model, by its filter of content."}
	}
	return ending{exitDone, "The model is done."}
}

// A refusal is that nothing more is answered.
type refusal struct {
	status  int
	code    string
	message string
}

// tooLong is how providers say that a conversation does not fit the model.
var tooLong = regexp.MustCompile(`(?i)context_length_exceeded|context (length|window|size)|(prompt|input) is too long|maximum context`)

func (r *refusal) Error() string {
	why := "The model was refused"
	if r.status == http.StatusBadRequest && tooLong.MatchString(r.code+" "+r.message) || r.status == http.StatusRequestEntityTooLarge {
		why = "The conversation has become too long for the model"
	}
	return fmt.Sprintf("%s (HTTP status %d): %s", why, r.status, r.message)
}

// ask asks the model to go on. The error is a *refusal if bench or the provider
// says no.
func (a *agent) ask(ctx context.Context) (*answer, error) {
	var body bytes.Buffer
	e := json.NewEncoder(&body)
	e.SetEscapeHTML(false)
	if err := e.Encode(request{a.Model, a.conversation, declarations}); err != nil {
		return nil, fmt.Errorf("cannot ask the model: %w", err)
	}
	for try := 1; ; try++ {
		status, text, err := a.post(ctx, body.Bytes())
		switch {
		case err == nil && status != http.StatusOK:
			return nil, readRefusal(status, text)
		case err == nil:
			var got *answer
			if got, err = readAnswer(text, len(a.conversation)); err == nil {
				return got, nil
			}
		}
		if ctx.Err() != nil || try == tries {
			return nil, fmt.Errorf("cannot ask the model: %w", err)
		}
	}
}

// post sends a request, and reads all of its answer.
func (a *agent) post(ctx context.Context, body []byte) (status int, text []byte, err error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(a.BaseURL, "/")+"/chat/completions", bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+a.Token)
	r.Header.Set("Content-Type", "application/json")
	response, err := a.Client.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	text, err = io.ReadAll(io.LimitReader(response.Body, largestAnswer+1))
	if err == nil && len(text) > largestAnswer {
		err = fmt.Errorf("its answer has more than %d bytes", largestAnswer)
	}
	return response.StatusCode, text, err
}

func readRefusal(status int, text []byte) *refusal {
	var in struct {
		Error struct {
			Message string
			Code    any
		}
	}
	r := &refusal{status: status, message: strings.TrimSpace(string(text))}
	if json.Unmarshal(text, &in) == nil && in.Error.Message != "" {
		r.message = in.Error.Message
		r.code, _ = in.Error.Code.(string)
	}
	return r
}

// readAnswer reads the nth message of a conversation. The error is that it is none.
func readAnswer(text []byte, n int) (*answer, error) {
	var in struct {
		Choices []struct {
			Message map[string]json.RawMessage
			Stop    string `json:"finish_reason"`
		}
	}
	if err := json.Unmarshal(text, &in); err != nil {
		return nil, fmt.Errorf("its answer cannot be read: %w", err)
	}
	if len(in.Choices) == 0 || in.Choices[0].Message == nil {
		return nil, errors.New("its answer has no message")
	}
	a := &answer{message: in.Choices[0].Message, stop: in.Choices[0].Stop}
	for field, value := range a.message {
		if string(value) == "null" { // some take none where they give it
			delete(a.message, field)
		}
	}
	a.message["role"] = inJSON("assistant")
	a.text = readText(a.message["content"])
	if a.text == "" {
		a.text = readText(a.message["refusal"])
	}
	if err := a.readCalls(n); err != nil {
		return nil, fmt.Errorf("its calls of tools cannot be read: %w", err)
	}
	if _, said := a.message["content"]; !said && len(a.calls) == 0 {
		a.message["content"] = inJSON("")
	}
	return a, nil
}

// readText reads a text, or the texts among parts.
func readText(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		return text
	}
	var parts []struct{ Text string }
	_ = json.Unmarshal(raw, &parts) // what is no text cannot be shown
	for _, p := range parts {
		text += p.Text
	}
	return text
}

// readCalls reads the calls of a message, and puts them in order for sending them
// back: each with an id of its own, and with arguments that are an object, as some
// providers parse what models wrote.
func (a *answer) readCalls(n int) error {
	var calls []map[string]json.RawMessage
	if raw := a.message["tool_calls"]; raw != nil {
		if err := json.Unmarshal(raw, &calls); err != nil {
			return err
		}
	}
	delete(a.message, "tool_calls") // an empty list is refused by some
	taken := map[string]bool{"": true}
	for i, raw := range calls {
		var f struct {
			Name      string          `json:"name"`
			Arguments json.RawMessage `json:"arguments"`
		}
		if err := json.Unmarshal(raw["function"], &f); err != nil {
			return err
		}
		c := call{id: readText(raw["id"]), name: f.Name, args: string(f.Arguments)}
		if text := ""; json.Unmarshal(f.Arguments, &text) == nil {
			c.args = text
		}
		if taken[c.id] {
			c.id = fmt.Sprintf("call_%d_%d", n, i+1)
		}
		taken[c.id] = true
		a.calls = append(a.calls, c)
		f.Arguments = inJSON("{}")
		if isObject(c.args) {
			f.Arguments = inJSON(c.args)
		}
		raw["id"], raw["type"], raw["function"] = inJSON(c.id), inJSON("function"), inJSON(f)
		a.message["tool_calls"] = inJSON(calls)
	}
	return nil
}

func isObject(text string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(text), &object) == nil && object != nil
}

// inJSON writes what cannot fail to be written.
func inJSON(v any) json.RawMessage {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return text
}
