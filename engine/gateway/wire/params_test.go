package wire_test

import (
	"encoding/json"
	"testing"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

func TestSetParams(t *testing.T) {
	for _, c := range []struct {
		family             wire.Family
		body, params, want string
	}{
		{wire.OpenAI, `{"model":"m","temperature":1}`, `{"temperature":0,"max_tokens":5}`, `{"max_tokens":5,"model":"m","temperature":0}`},
		{wire.Responses, `{"reasoning":{"effort":"low","summary":"auto"}}`, `{"reasoning":{"effort":"high"},"max_tokens":5}`, `{"max_output_tokens":5,"reasoning":{"effort":"high","summary":"auto"}}`},
		{wire.Anthropic, `{"thinking":{"type":"enabled"}}`, `{"thinking":null,"stop":["x"]}`, `{"stop_sequences":["x"],"thinking":null}`},
		{wire.Google, `{"generationConfig":{"topP":1,"temperature":1}}`, `{"temperature":0.2,"generationConfig":{"thinkingConfig":{}}}`, `{"generationConfig":{"temperature":0.2,"thinkingConfig":{},"topP":1}}`},
		{wire.Google, `{"contents":[]}`, `{"seed":18446744073709551615}`, `{"contents":[],"generationConfig":{"seed":18446744073709551615}}`},
		{wire.OpenAI, `{"a":1.50}`, `{}`, `{"a":1.50}`},
	} {
		var params map[string]json.RawMessage
		if err := json.Unmarshal([]byte(c.params), &params); err != nil {
			t.Fatal(err)
		}
		got, err := wire.SetParams(c.family, []byte(c.body), params)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s over %s: got %s, %v; want %s", c.family, c.params, c.body, got, err, c.want)
		}
	}
	if _, err := wire.SetParams(wire.OpenAI, []byte(`[]`), map[string]json.RawMessage{"a": nil}); err != wire.ErrNotObject {
		t.Errorf("got %v for an array", err)
	}
}
