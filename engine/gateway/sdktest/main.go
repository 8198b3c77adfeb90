// Sdktest drives the official Go SDKs of OpenAI, Anthropic and Google against the
// address in BENCH_GATEWAY_URL, as any program would that was written for a
// provider. Beside it are the same checks in Python and in JavaScript.
//
// Each check is one line of JSON on the standard output, and the exit status is 1
// if one of them failed. All three programs ask the same questions in the same
// order, because the other side is a script: see TestSDKs in engine/gateway.
//
// It is a module of its own, so that the weight of the SDKs is not on bench.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"
)

// What the script answers.
const (
	answerText = "Grüße aus Zürich – 你好 👋, and a few words more to fill several pieces."
	callText   = "I look at the weather in both cities."
	finalText  = "Snow in Zürich and rain in Oslo, so take boots and a coat with you."
	inputUsed  = 1150 // tokens, with those from and for a cache
	outputUsed = 17   // tokens, with reasoning
)

// weather is what the tool says of a city.
var weather = map[string]string{"Zürich": "snow, 2 below zero", "Oslo": "rain, 3 above zero"}

// What is sent along.
const (
	system          = "You are terse."
	question        = "How are you?"
	toolQuestion    = "What is the weather in Zürich and in Oslo?"
	toolName        = "weather"
	toolDescription = "Tells the weather in a city."
	maxTokens       = 1000
)

// schema is what the tool takes.
var schema = map[string]any{
	"type":                 "object",
	"properties":           map[string]any{"city": map[string]any{"type": "string", "description": "Where."}},
	"required":             []string{"city"},
	"additionalProperties": false,
}

// A conversation is one with a model through an SDK. It remembers what was said.
type conversation interface {
	// ask says something as the user; tool is whether the model may use the tool.
	ask(text string, tool bool)

	// answer gets the next answer of the model, whole or streamed, and remembers it.
	answer(ctx context.Context, stream bool) (answer, error)

	// result says what came of a call.
	result(c call, text string)

	// refusal is the status of HTTP and the message in an error that has the SDK's
	// own type for what a provider refuses; 0 in any other.
	refusal(err error) (int, string)
}

// An answer is what an SDK made of an answer.
type answer struct {
	text          string
	pieces        int // of the text, in a stream
	calls         []call
	input, output int64 // tokens
}

type call struct{ id, name, city string }

// A family is a family of wire formats, and the SDK that speaks it.
type family struct {
	sdk, name string
	begin     func() conversation
}

var (
	url   = os.Getenv("BENCH_GATEWAY_URL")
	token = os.Getenv("BENCH_GATEWAY_TOKEN")
	model = os.Getenv("BENCH_MODEL")
)

var families = []family{
	{"openai-go", "openai-chat", beginChat},
	{"openai-go", "openai-responses", beginResponses},
	{"anthropic-sdk-go", "anthropic-messages", beginMessages},
	{"go-genai", "google-generateContent", beginGenerate},
}

// A check is made of each family, plain and streamed.
type check struct {
	what string
	make func(ctx context.Context, c conversation, stream bool) error
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	ok := true
	for _, f := range families {
		for _, c := range []check{{"answer", plain}, {"tools", tools}, {"refused", refused("not today")}} {
			ok = run(ctx, f, c) && ok
		}
	}
	// By now the limit of the gateway is reached.
	for _, f := range families {
		ok = run(ctx, f, check{"used up", refused("bench: the agent has used up")}) && ok
	}
	if !ok {
		os.Exit(1)
	}
}

// run makes a check, plain and streamed, and prints what came of it.
func run(ctx context.Context, f family, c check) bool {
	ok := true
	for _, stream := range []bool{false, true} {
		line := struct {
			SDK    string `json:"sdk"`
			Family string `json:"family"`
			What   string `json:"what"`
			OK     bool   `json:"ok"`
			Detail string `json:"detail"`
		}{SDK: f.sdk, Family: f.name, What: c.what}
		if stream {
			line.What += ", streamed"
		}
		err := c.make(ctx, f.begin(), stream)
		if line.OK = err == nil; err != nil {
			ok, line.Detail = false, err.Error()
		}
		if err := json.NewEncoder(os.Stdout).Encode(line); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return false
		}
	}
	return ok
}

// plain is one question and its answer.
func plain(ctx context.Context, c conversation, stream bool) error {
	c.ask(question, false)
	a, err := c.answer(ctx, stream)
	if err != nil {
		return err
	}
	return a.is(answerText, stream)
}

// tools is a question for which the model wants the tool twice.
func tools(ctx context.Context, c conversation, stream bool) error {
	c.ask(toolQuestion, true)
	a, err := c.answer(ctx, stream)
	if err != nil {
		return err
	}
	if err := a.is(callText, stream, "Zürich", "Oslo"); err != nil {
		return err
	}
	for _, call := range a.calls {
		c.result(call, weather[call.city])
	}
	if a, err = c.answer(ctx, stream); err != nil {
		return fmt.Errorf("after the results: %w", err)
	}
	return a.is(finalText, stream)
}

// refused makes a check of a question that is answered with an error.
func refused(words string) func(context.Context, conversation, bool) error {
	return func(ctx context.Context, c conversation, stream bool) error {
		c.ask(question, false)
		_, err := c.answer(ctx, stream)
		if err == nil {
			return errors.New("no error")
		}
		status, message := c.refusal(err)
		if status != 403 && status != 400 || !strings.Contains(message, words) {
			return fmt.Errorf("%T, status %d, message %q: %w", err, status, message, err)
		}
		return nil
	}
}

// is holds an answer against what the script says.
func (a answer) is(text string, stream bool, cities ...string) error {
	var names, called []string
	for _, c := range a.calls {
		names, called = append(names, c.name), append(called, c.city)
	}
	switch {
	case a.text != text:
		return fmt.Errorf("text %q, want %q", a.text, text)
	case stream && a.pieces < 2:
		return fmt.Errorf("the text came in %d pieces", a.pieces)
	case !slices.Equal(called, cities) || slices.ContainsFunc(names, func(n string) bool { return n != toolName }):
		return fmt.Errorf("calls of %q for %q, want %q for %q", names, called, toolName, cities)
	case a.input != inputUsed || a.output != outputUsed:
		return fmt.Errorf("usage: %d tokens in and %d out, want %d and %d", a.input, a.output, inputUsed, outputUsed)
	}
	return nil
}

// cityOf reads the arguments of a call.
func cityOf(args []byte) string {
	var in struct {
		City string `json:"city"`
	}
	if err := json.Unmarshal(args, &in); err != nil {
		return fmt.Sprintf("%s: %v", args, err)
	}
	return in.City
}
