package wire_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/url"
	pathpkg "path"
	"slices"
	"strings"
	"testing"

	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// TestRoutePaths holds paths against what they mean, behind every prefix.
func TestRoutePaths(t *testing.T) {
	type what struct {
		family wire.Family
		kind   wire.Kind
		model  string
	}
	for ask, want := range map[string]what{
		"POST /chat/completions":            {wire.OpenAI, wire.KindCompletion, "m"},
		"GET /chat/completions":             {wire.OpenAI, wire.KindUnknown, ""},
		"POST /responses":                   {wire.Responses, wire.KindCompletion, "m"},
		"POST /responses/compact":           {wire.Responses, wire.KindCompletion, "m"},
		"POST /responses/input_tokens":      {wire.Responses, wire.KindCount, "m"},
		"GET /responses":                    {wire.Responses, wire.KindUnknown, ""},
		"POST /messages":                    {wire.Anthropic, wire.KindCompletion, "m"},
		"POST /messages/count_tokens":       {wire.Anthropic, wire.KindCount, "m"},
		"HEAD /messages":                    {wire.Anthropic, wire.KindHead, ""},
		"POST /models/g:generateContent":    {wire.Google, wire.KindCompletion, "g"},
		"POST /models/a/g:generateContent":  {wire.Google, wire.KindCompletion, "a/g"},
		"POST /models/g:x:countTokens":      {wire.Google, wire.KindCount, "g:x"},
		"POST /models/:generateContent":     {"", wire.KindUnknown, ":generateContent"},
		"POST /models/g:embedContent":       {"", wire.KindUnknown, "g:embedContent"},
		"GET /models":                       {"", wire.KindModels, ""},
		"GET /models/m":                     {"", wire.KindModels, "m"},
		"GET /models/..":                    {"", wire.KindUnknown, ""},
		"DELETE /models/m":                  {"", wire.KindUnknown, "m"},
		"POST /embeddings":                  {"", wire.KindUnknown, ""},
		"POST /notmessages":                 {"", wire.KindUnknown, ""},
		"POST /models/g:generateContent/..": {"", wire.KindUnknown, "g:generateContent/.."},
	} {
		for _, prefix := range []string{"", "/v1", "/v1beta", "/openai/v1", "//v1"} {
			method, path, _ := strings.Cut(ask, " ")
			for _, end := range []string{"", "/"} {
				c := wire.Route(method, &url.URL{Path: prefix + path + end}, nil, []byte(`{"model":"m"}`))
				if want.family != "" && c.Family != want.family || c.Kind != want.kind || c.Model != want.model {
					t.Errorf("%s %s%s%s: %+v", method, prefix, path, end, c)
				}
			}
		}
	}
}

func TestEdits(t *testing.T) {
	for body, want := range map[string]string{
		`{"model":"a"}`:                            `{"stream_options":{"include_usage":true},"model":"b"}`,
		` { "model" : "b" } `:                      ` {"stream_options":{"include_usage":true}, "model" : "b" } `,
		`{"model":"\u0062","x":"\u0062"}`:          `{"stream_options":{"include_usage":true},"model":"\u0062","x":"\u0062"}`,
		`{"model":null,"stream_options":{}}`:       `{"model":"b","stream_options":{"include_usage":true}}`,
		`{"stream_options":[1],"model":{"x":[1]}}`: `{"stream_options":{"include_usage":true},"model":"b"}`,
		`{"stream_options":{"include_usage":false,"x":1},"stream_options": {"y":2},"model":"a"}`: `{"stream_options":{"include_usage":true,"x":1},"stream_options": {"include_usage":true,"y":2},"model":"b"}`,
	} {
		got, err := wire.SetModel(wire.OpenAI, []byte(body), "b")
		if err == nil {
			got, err = wire.AskUsage(got)
		}
		if err != nil || string(got) != want {
			t.Errorf("%s became %s, %v", body, got, err)
		}
	}
	for body, want := range map[string]error{
		`{}`: wire.ErrNoModel, `{"Model":"a"}`: wire.ErrNoModel, ``: wire.ErrNotObject, `[]`: wire.ErrNotObject, `{"model":"a"}{}`: wire.ErrNotObject, `{"model":"a"`: wire.ErrNotObject, `{"model"}`: wire.ErrNotObject,
	} {
		if _, err := wire.SetModel(wire.Anthropic, []byte(body), "b"); err != want {
			t.Errorf("%s: %v", body, err)
		}
	}
}

// FuzzRoute holds that a call is always one that can be answered, and that what is
// passed on asks for the model that it is to ask for.
func FuzzRoute(f *testing.F) {
	for _, a := range archives(f, "requests") {
		r, body := request(f, section(a, "request"))
		f.Add(r.Method, r.URL.Path, r.URL.RawQuery, body)
	}
	f.Fuzz(func(t *testing.T, method, path, query string, body []byte) {
		c := wire.Route(method, &url.URL{Path: path, RawQuery: query}, http.Header{}, body)
		if !slices.Contains(wire.Families, c.Family) || c.Kind == "" {
			t.Fatalf("%+v", c)
		}
		if p := c.Path(c.Model); pathpkg.Clean(p+"/x") != p+"/x" || c.Kind == wire.KindCompletion && p == "" {
			t.Errorf("%+v is at %q", c, p)
		}
		before := bytes.Clone(body)
		sent, err := wire.SetModel(c.Family, body, "served")
		if err != nil {
			return
		}
		if sent, err = wire.AskUsage(sent); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(before, body) {
			t.Fatal("the body was changed")
		}
		var got map[string]json.RawMessage
		if err := json.Unmarshal(sent, &got); err != nil {
			t.Fatalf("%v in %s", err, sent)
		}
		if m := string(got["model"]); m != `"served"` && c.Family != wire.Google {
			t.Errorf("model %s in %s", m, sent)
		}
		if back := wire.Route(http.MethodPost, &url.URL{Path: "/chat/completions"}, nil, sent); !back.Usage {
			t.Errorf("usage is not asked for in %s", sent)
		}
	})
}
