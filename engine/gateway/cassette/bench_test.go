package cassette

import (
	"strings"
	"testing"
)

// Agents send their whole conversation with each request: some 100 kB.
func BenchmarkNormal(b *testing.B) {
	text := strings.Repeat("You are a coding agent; run tests with go test ./... before you say that it works (see section 3.2).\\n", 1000)
	body := []byte(`{"model":"m","messages":[{"role":"system","content":"` + text + `"},{"role":"user","content":"/tmp/x1 call_Ab3dEf6hIj9l"}]}`)
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		normal(Request{"POST", "/messages", body}, none)
	}
}
