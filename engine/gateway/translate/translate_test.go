package translate

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files of translations")

var families = []string{openai, responses, anthropic, google}

// pairs calls f for each ordered pair of families.
func pairs(t *testing.T, f func(t *testing.T, from, to string)) {
	t.Helper()
	for _, from := range families {
		for _, to := range families {
			if from != to {
				t.Run(from+"-to-"+to, func(t *testing.T) { f(t, from, to) })
			}
		}
	}
}

func file(t testing.TB, names ...string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(append([]string{"testdata"}, names...)...))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// golden compares with a file of the pair.
func golden(t *testing.T, from, to, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", from+"-to-"+to, name)
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, got, 0o666); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s:\n%s\ninstead of\n%s", path, got, want)
	}
}

func indent(t *testing.T, raw []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := json.Indent(&b, raw, "", "  "); err != nil {
		t.Fatal(err)
	}
	b.WriteByte('\n')
	return b.Bytes()
}

// asked translates the request of the fixtures.
func asked(t *testing.T, from, to string) ([]byte, *State) {
	t.Helper()
	body := file(t, from, "request.json")
	if to == responses { // which has no stop sequences and no choice of what to leave out
		body = bytes.ReplaceAll(body, []byte(`"stop"`), []byte(`"ignored"`))
	}
	out, s, err := Request(from, to, body, model(to), from == google)
	if err != nil {
		t.Fatal(err)
	}
	return out, s
}

// model is an id of a model of a family.
func model(family string) string {
	return map[string]string{openai: "some-model", responses: "gpt-5.1", anthropic: "claude-x", google: "gemini-3-pro"}[family]
}

func TestRequests(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		out, s := asked(t, from, to)
		if !s.Streamed() {
			t.Error("nobody streams")
		}
		golden(t, from, to, "request.json", indent(t, out))
		golden(t, from, to, "dropped.txt", []byte(strings.Join(s.Dropped(), "\n")+"\n"))
	})
}

func TestAnswers(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		_, s := asked(t, from, to)
		out, err := s.Answer(file(t, to, "answer.json"))
		if err != nil {
			t.Fatal(err)
		}
		golden(t, from, to, "answer.json", indent(t, out))
	})
}

func TestErrors(t *testing.T) {
	status := map[string]int{openai: 429, responses: 404, anthropic: 529, google: 429}
	pairs(t, func(t *testing.T, from, to string) {
		_, s := asked(t, from, to)
		golden(t, from, to, "error.json", indent(t, s.Error(status[to], file(t, to, "error.json"))))
		var out map[string]any
		if err := json.Unmarshal(s.Error(502, []byte("<html>bad gateway</html>")), &out); err != nil || !strings.Contains(fmt.Sprint(out), "bad gateway") {
			t.Errorf("of a page: %v, %v", out, err)
		}
	})
}

func TestStreams(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		_, s := asked(t, from, to)
		golden(t, from, to, "stream.sse", flow(t, s.Stream(), file(t, to, "stream.sse"), 0))
	})
}

// flow lets a stream through in pieces of n bytes, or in one.
func flow(t *testing.T, stream *Stream, in []byte, n int) []byte {
	t.Helper()
	var all []byte
	if n == 0 {
		n = len(in)
	}
	for len(in) > 0 {
		n := min(n, len(in))
		out, err := stream.Write(in[:n])
		if err != nil {
			t.Fatal(err)
		}
		all, in = append(all, out...), in[n:]
	}
	out, err := stream.Close()
	if err != nil {
		t.Fatal(err)
	}
	return append(all, out...)
}

// A stream gives the same bytes however it is cut, also where lines end in the
// way of other systems.
func TestStreamsInPieces(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		in := file(t, to, "stream.sse")
		_, s := asked(t, from, to)
		want := flow(t, s.Stream(), in, 0)
		for _, n := range []int{1, 2, 3, 7, 64, 1000} {
			_, s := asked(t, from, to)
			if got := flow(t, s.Stream(), in, n); !bytes.Equal(got, want) {
				t.Fatalf("in pieces of %d:\n%s\ninstead of\n%s", n, got, want)
			}
		}
		_, s = asked(t, from, to)
		if got := flow(t, s.Stream(), bytes.ReplaceAll(in, []byte("\n"), []byte("\r\n")), 5); !bytes.Equal(got, want) {
			t.Errorf("with long ends of lines:\n%s\ninstead of\n%s", got, want)
		}
	})
}

// What a stream says is what the plain answer says.
func TestStreamsSayWhatAnswersSay(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		_, s := asked(t, from, to)
		stream := flow(t, s.Stream(), file(t, to, "stream.sse"), 0)
		_, s = asked(t, from, to)
		plain, err := s.Answer(file(t, to, "answer.json"))
		if err != nil {
			t.Fatal(err)
		}
		r := &reader{family: from, state: fresh()}
		a := dialects[from].readAnswer(r, plain)
		a.settleStop()
		if r.err != nil {
			t.Fatal(r.err)
		}
		if got, want := gist(replay(t, from, stream)), gist(a); got != want {
			t.Errorf("the stream says\n%s\nand the answer\n%s", got, want)
		}
	})
}

func fresh() *State { return &State{ids: map[string]bool{}, tools: map[string]tool{}} }

// replay reads a stream of a family.
func replay(t *testing.T, family string, stream []byte) *answer {
	t.Helper()
	q := &sequence{state: fresh(), answer: &answer{}, to: deaf{}}
	s := &Stream{seq: q, in: dialects[family].decoder(q), out: &output{}}
	flow(t, s, stream, 0)
	for i := range q.answer.parts {
		if p := &q.answer.parts[i]; p.kind == reasoningPart {
			p.proof, _ = unwrap("", p.proof)
		}
	}
	return q.answer
}

// deaf hears events and does nothing.
type deaf struct{}

func (deaf) start()              {}
func (deaf) begin(*block)        {}
func (deaf) grow(*block, string) {}
func (deaf) end(*block)          {}
func (deaf) finish()             {}
func (deaf) fail(failure)        {}

// gist is what an answer says, without the cuts between neighbouring texts.
func gist(a *answer) string {
	var b strings.Builder
	fmt.Fprintln(&b, a.id, a.model, a.stop, a.usage != nil)
	if a.usage != nil {
		fmt.Fprintf(&b, "%+v\n", *a.usage)
	}
	for _, p := range a.parts {
		if p.empty() {
			continue
		}
		fmt.Fprintln(&b, p.kind, p.text, p.proof, p.call.id, p.call.space, p.call.name, p.call.free, p.call.args)
	}
	return b.String()
}

// The first words of a model are told before the others are there.
func TestStreamsAreNotHeldBack(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		_, s := asked(t, from, to)
		in := file(t, to, "stream.sse")
		i := bytes.Index(in, []byte("I call "))
		i += bytes.Index(in[i:], []byte("\n\n")) + 2
		out, err := s.Stream().Write(in[:i])
		if err != nil || !bytes.Contains(out, []byte("I call ")) {
			t.Errorf("so far: %s, %v", out, err)
		}
	})
}

// An upstream that ends early, or tells an error, is not taken for one that has
// said all.
func TestStreamsThatBreak(t *testing.T) {
	ends := map[string]string{openai: "[DONE]", responses: "response.completed", anthropic: "message_stop", google: `"STOP"`}
	pairs(t, func(t *testing.T, from, to string) {
		in := file(t, to, "stream.sse")
		_, s := asked(t, from, to)
		stream := s.Stream()
		out, err := stream.Write(in[:len(in)*2/3])
		if err != nil {
			t.Fatal(err)
		}
		end, err := stream.Close()
		var e *Error
		if !errors.As(err, &e) || e.Field != "stream" || e.Family != to {
			t.Errorf("the end is %v", err)
		}
		all := append(out, end...)
		if bytes.Contains(all, []byte(ends[from])) || !bytes.Contains(all, []byte("ended before the answer did")) {
			t.Errorf("the agent is told %s", all)
		}

		for _, bad := range []string{"data: {\n\n", "data: []\n\n", "data: {\"error\":{\"message\":\"Oh no.\"}, \"type\":\"error\"}\n\n"} {
			_, s = asked(t, from, to)
			out, err := s.Stream().Write([]byte(bad))
			if told := strings.Contains(bad, "Oh no."); told == (err != nil) || told != bytes.Contains(out, []byte("Oh no.")) {
				t.Errorf("of %s, the agent is told %s, and the error is %v", bad, out, err)
			}
			if bytes.Contains(out, []byte(ends[from])) {
				t.Errorf("of %s, the agent is told %s", bad, out)
			}
		}
	})
}

func TestCan(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		if err := Can(from, to); err != nil {
			t.Error(err)
		}
	})
	var e *Error
	if err := Can("openai", "cohere"); !errors.As(err, &e) || e.Family != "cohere" {
		t.Error(err)
	}
	if _, _, err := Request("openai", "openai", []byte(`{}`), "m", false); err == nil {
		t.Error("a request was translated into its own words")
	}
}

// What cannot be said in other words is refused, and by its name.
func TestRefusals(t *testing.T) {
	for _, c := range []struct{ from, to, body, field string }{
		{openai, anthropic, `{"messages":[{"role":"user","content":"a"}],"n":2}`, "n"},
		{openai, anthropic, `{"messages":[{"role":"user","content":[{"type":"input_audio"}]}]}`, "messages[0].content[0].type"},
		{openai, anthropic, `{"messages":[{"role":"user","content":"a"}],"temperature":1.5}`, "temperature"},
		{openai, anthropic, `{"messages":[{"role":"user","content":"a"}],"response_format":{"type":"json_object"}}`, "response_format"},
		{openai, anthropic, `{"messages":[{"role":"system","content":"a"}]}`, ""},
		{openai, google, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://x.org/a.png"}}]}]}`, "messages[0].content[0].image_url.url"},
		{openai, google, `{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png,x"}}]}]}`, "messages[0].content[0].image_url.url"},
		{openai, google, `{"messages":[{"role":"tool","tool_call_id":"x","content":"a"}]}`, "messages[0].tool_call_id"},
		{openai, google, `{"messages":{}}`, "messages"},
		{openai, google, `{"messages"`, ""},
		{openai, responses, `{"messages":[],"stop":["x"]}`, "stop"},
		{openai, responses, `{"messages":[],"tools":[{"type":"custom"}]}`, "tools[0].type"},
		{anthropic, responses, `{"messages":[],"stop_sequences":["x"]}`, "stop_sequences"},
		{anthropic, openai, `{"messages":[{"role":"user","content":[{"type":"document"}]}]}`, "messages[0].content[0].type"},
		{anthropic, openai, `{"messages":[{"role":"user","content":[{"type":"image","source":{"type":"file"}}]}]}`, "messages[0].content[0].source.type"},
		{anthropic, openai, `{"messages":[{"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":[{"type":"search_result"}]}]}]}`, "messages[0].content[0].content[0].type"},
		{anthropic, openai, `{"messages":[{"role":"assistant","content":[{"type":"image","source":{"type":"url","url":"https://x"}}]}]}`, "messages[0].content[0]"},
		{anthropic, openai, `{"messages":[],"tools":[{"type":"bash_20250124","name":"bash"}]}`, "tools[0].type"},
		{anthropic, openai, `{"messages":[],"mcp_servers":[{}]}`, "mcp_servers"},
		{responses, openai, `{"input":"a","previous_response_id":"resp_1"}`, "previous_response_id"},
		{responses, openai, `{"input":[{"type":"item_reference","id":"a"}]}`, "input[0].type"},
		{responses, openai, `{"input":[{"type":"message","role":"user","content":[{"type":"input_file"}]}]}`, "input[0].content[0].type"},
		{responses, openai, `{"input":"a","tools":[{"type":"local_shell"}]}`, "tools[0].type"},
		{google, openai, `{"contents":[{"parts":[{"fileData":{"fileUri":"x"}}]}]}`, "contents[0].parts[0]"},
		{google, openai, `{"contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav","data":""}}]}]}`, "contents[0].parts[0].inlineData.mimeType"},
		{google, openai, `{"contents":[],"cachedContent":"x"}`, "cachedContent"},
		{google, openai, `{"contents":[],"system_instruction":{}}`, "system_instruction"},
		{google, openai, `{"contents":[],"generationConfig":{"candidateCount":2}}`, "generationConfig.candidateCount"},
		{google, openai, `{"contents":[],"generationConfig":{"topK":"x"}}`, "generationConfig.topK"},
		{google, responses, `{"contents":[],"generationConfig":{"stopSequences":["x"]}}`, "generationConfig.stopSequences"},
		{google, openai, `{"contents":[],"tools":[{"functionDeclarations":[{"name":"f","parameters":` + strings.Repeat(`{"items":`, 100) + `{}` + strings.Repeat(`}`, 100) + `}]}]}`, "tools[0].functionDeclarations[0].parameters"},
	} {
		_, _, err := Request(c.from, c.to, []byte(c.body), "m", false)
		var e *Error
		if !errors.As(err, &e) || e.Family != c.from || e.Field != c.field {
			t.Errorf("%s to %s, %s: %v", c.from, c.to, c.body, err)
		}
	}
}
