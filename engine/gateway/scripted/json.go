package scripted

import (
	"bytes"
	"encoding/json"
)

// An object of JSON. Its keys are sorted, so that equal answers are equal bytes.
type object = map[string]any

// encode makes JSON in one line. All values are ours, so it cannot fail.
func encode(v any) []byte {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	_ = e.Encode(v)
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

func quote(s string) string { return string(encode(s)) }

// textOrNull is a text; null if it is empty, as beside tool calls.
func textOrNull(s string) any {
	if s == "" {
		return nil
	}
	return s
}
