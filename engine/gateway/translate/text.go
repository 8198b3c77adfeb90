package translate

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// marshal is the JSON of a value of this package's own types, in one line. Raw
// messages in it are valid: they come from a decoder or from object.
func marshal(v any) []byte {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		panic(fmt.Sprintf("translate: %v", err))
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// read decodes what stands at a field, if anything does.
func read(r *reader, raw json.RawMessage, into any, field string) bool {
	if blank(raw) {
		return false
	}
	if err := json.Unmarshal(raw, into); err != nil {
		r.unread(err, field)
		return false
	}
	return true
}

// unread tells that something is not of the form that it should have.
func (r *reader) unread(err error, field string) {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		r.refuse(join(field, wrong.Field), "a %s cannot stand here", wrong.Value)
		return
	}
	r.refuse(field, "this is not JSON: %v", err)
}

func join(field, below string) string {
	if field == "" || below == "" {
		return field + below
	}
	return field + "." + below
}

// at names an item of a list.
func at(field string, i int) string { return fmt.Sprintf("%s[%d]", field, i) }

// blank reports whether nothing was said.
func blank(raw json.RawMessage) bool {
	s := string(bytes.TrimSpace(raw))
	return s == "" || s == "null"
}

// body reads an object of a request. Fields that are not in into are dropped by
// name and told, but for silent ones, which only label a request.
func body(r *reader, raw []byte, into any, field string, silent ...string) (unknown []string) {
	fields := map[string]json.RawMessage{}
	for _, v := range []any{&fields, into} {
		if err := json.Unmarshal(raw, v); err != nil {
			r.unread(err, field)
			return nil
		}
	}
	known := silent
	for f := range reflect.TypeOf(into).Elem().Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		known = append(known, name)
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		if !blank(fields[name]) && !slices.Contains(known, name) {
			unknown = append(unknown, name)
			r.drop(join(field, clip(name, 80)))
		}
	}
	return unknown
}

// object is the arguments of a call for families that take nothing but an object.
// Others, and what is nested so deep that it could be in no body, become a text in
// one.
func object(args string) json.RawMessage {
	if strings.TrimSpace(args) == "" {
		return json.RawMessage("{}")
	}
	var b bytes.Buffer
	const outer, end = "[[[[[[[[", "]]]]]]]]" // as deep as arguments stand in a body
	if json.Compact(&b, []byte(args)) == nil && b.Bytes()[0] == '{' && json.Valid([]byte(outer+args+end)) {
		return b.Bytes()
	}
	return marshal(map[string]string{"arguments": args})
}

// freeText is what a model wrote for a tool of free text.
func freeText(args string) string {
	var in struct {
		Input *string `json:"input"`
	}
	if json.Unmarshal([]byte(args), &in) == nil && in.Input != nil {
		return *in.Input
	}
	return args
}

// freeArgs is a free text as arguments of the function that stands for its tool.
func freeArgs(text string) string {
	return string(marshal(map[string]string{"input": text}))
}

// freeSchema is the schema of that function.
const freeSchema = `{"type":"object","properties":{"input":{"type":"string","description":"The whole input of the tool, as plain text."}},"required":["input"],"additionalProperties":false}`

// clip is the start of a text, n bytes or a little less.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n] + "…"
}

var (
	plainName  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)
	plainStart = regexp.MustCompile(`^[A-Za-z_]`)
	plainID    = regexp.MustCompile(`^[A-Za-z0-9_-]{1,40}$`)
	oddRune    = regexp.MustCompile(`[^A-Za-z0-9_-]`)
)

// seenName is the name under which an upstream of any family takes a tool: at
// most 64 letters, digits, underscores and hyphens. Equal names stay equal, and
// different ones different.
func seenName(space, name string) string {
	full := name
	if space != "" {
		full = strings.TrimSuffix(space, "__") + "__" + name
	}
	if plainName.MatchString(full) {
		return full
	}
	odd := oddRune.ReplaceAllString(full, "_")
	if !plainStart.MatchString(odd) {
		odd = "_" + odd
	}
	return odd[:min(len(odd), 55)] + "_" + sum(full, 8)
}

// fitID is the id under which an upstream of any family takes a call.
func fitID(id string) string {
	if plainID.MatchString(id) {
		return id
	}
	return "call_" + sum(id, 24)
}

// sum is n hexadecimal digits that stand for a text.
func sum(s string, n int) string {
	h := sha256.Sum256([]byte(s))
	return hex.EncodeToString(h[:])[:n]
}

// thinks reports whether a model of OpenAI's is one that reasons, by its name.
// Those take no sampling and have another name for the limit of tokens; that the
// same id means the same elsewhere is a convention of compatible servers.
func thinks(model string) bool {
	return thinker.MatchString(model) && !strings.Contains(model, "-chat")
}

var thinker = regexp.MustCompile(`(^|/)(o[1-9]|gpt-[5-9]|gpt-[1-9][0-9]|codex)`)

// A token is what an agent keeps of the reasoning of a family that is not its
// own: all that the upstream wants back.
type token struct {
	Bench string `json:"bench"` // the family
	Proof string `json:"proof"`
	Text  string `json:"text,omitempty"`
}

// wrap makes a token of a proof, in base64, since some clients decode proofs.
func wrap(family, proof, text string) string {
	if proof == "" {
		return ""
	}
	return base64.StdEncoding.EncodeToString(marshal(token{family, proof, text}))
}

// unwrap reads what wrap wrote for a family. Proofs of others are none.
func unwrap(family, wrapped string) (proof, text string) {
	raw, err := base64.StdEncoding.DecodeString(wrapped)
	var t token
	if err != nil || json.Unmarshal(raw, &t) != nil || t.Bench != family {
		return "", ""
	}
	return t.Proof, t.Text
}
