package translate

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// What an agent says survives the way into another family and back: texts, images,
// tools, calls, results, and the order of all.
func TestRoundTrips(t *testing.T) {
	pairs(t, func(t *testing.T, from, to string) {
		for seed := range uint64(100) {
			c := random(rand.New(rand.NewPCG(seed, 1)), from)
			s := fresh()
			s.model = "m"
			w := &writer{from: from, to: from, state: s}
			s.name(c)
			first := marshal(dialects[from].writeRequest(w, c))
			if w.err != nil {
				t.Fatal(w.err)
			}
			there, _, err := Request(from, to, first, "m", false)
			if err != nil {
				t.Fatalf("%v: %s", err, first)
			}
			back, _, err := Request(to, from, there, "m", false)
			if err != nil {
				t.Fatalf("%v: %s", err, there)
			}
			if got, want := sense(t, from, back), sense(t, from, first); got != want {
				t.Fatalf("seed %d: %s\nbecame %s\nand then %s\nor\n%s\ninstead of\n%s", seed, first, there, back, got, want)
			}
		}
	})
}

// sense is what a request says.
func sense(t *testing.T, family string, raw []byte) string {
	t.Helper()
	r := &reader{family: family, state: fresh()}
	c := dialects[family].readRequest(r, raw)
	c.settle(r)
	if r.err != nil {
		t.Fatal(r.err)
	}
	var b strings.Builder
	fmt.Fprintln(&b, "system", strings.Join(c.system, "\n\n"))
	fmt.Fprintln(&b, "choice", c.choice.mode, seenName("", c.choice.name))
	for _, tool := range c.tools {
		fmt.Fprintln(&b, "tool", seenName(tool.space, tool.name), tool.description, string(marshal(tool.parameters())))
	}
	for _, m := range c.messages {
		fmt.Fprintln(&b, m.role)
		for _, p := range m.parts {
			switch p.kind {
			case textPart:
				fmt.Fprintf(&b, "  %q\n", p.text)
			case imagePart:
				fmt.Fprintln(&b, " ", p.image)
			case callPart:
				fmt.Fprintln(&b, " ", fitID(p.call.id), seenName(p.call.space, p.call.name), p.call.args)
			case resultPart:
				fmt.Fprintf(&b, "  %s %q\n", fitID(p.result.id), p.result.text())
			}
		}
	}
	return b.String()
}

// random is a conversation that each family can say.
func random(r *rand.Rand, family string) *conversation {
	say := func() part {
		return part{text: fmt.Sprintf("%d said \"<&>\"\n\u2028ü\t%s", r.IntN(1000), strings.Repeat("x", r.IntN(3)))}
	}
	odd := "." // in names, where the family has it
	if family != google {
		odd = "-"
	}
	c := &conversation{}
	for range r.IntN(3) {
		c.system = append(c.system, say().text)
	}
	for i := range r.IntN(4) {
		c.tools = append(c.tools, tool{
			name: fmt.Sprintf("tool%s%d%s", odd, i, strings.Repeat("_long", r.IntN(16))), description: say().text,
			schema: json.RawMessage(fmt.Sprintf(`{"type":"object","properties":{"z%d":{"type":"string"},"a":{"type":["integer","null"]}}}`, i)),
		})
	}
	if n := len(c.tools); n > 0 {
		c.choice = []choice{{}, {mode: chooseAuto}, {mode: chooseAny}, {mode: chooseNone}, {mode: chooseOne, name: c.tools[r.IntN(n)].name}}[r.IntN(5)]
	}
	for turn := range 1 + r.IntN(4) {
		for range 1 + r.IntN(2) {
			c.add(user, say())
		}
		if r.IntN(3) == 0 {
			c.add(user, part{kind: imagePart, image: image{mime: "image/png", data: "aGVsbG8="}}, say())
		}
		for range r.IntN(3) {
			c.add(assistant, say())
		}
		var results []part
		for i := range r.IntN(4) {
			if len(c.tools) == 0 {
				break
			}
			id := fmt.Sprintf("id%d_%d%s", turn, i, strings.Repeat("0", r.IntN(60)))
			name := c.tools[r.IntN(len(c.tools))].name
			c.add(assistant, part{kind: callPart, call: call{id: id, name: name, args: fmt.Sprintf(`{"z":%d,"a":[1.50,"<"]}`, r.IntN(9))}})
			results = append(results, part{kind: resultPart, result: result{id: id, name: seenName("", name), parts: []part{say()}}})
		}
		c.add(user, results...)
	}
	return c
}

// What a model proves of its reasoning comes back to it as it was, through agents
// of all families that have a place for it.
func TestProofs(t *testing.T) {
	wants := map[string][]string{
		responses: {`"encrypted_content":"c2VjcmV0"`, `"text":"Two at once."`},
		anthropic: {`"thinking":"Two at once.","signature":"c2lnbmVk"`, `"data":"aGlkZGVu"`},
		google:    {`"thoughtSignature":"c2lnbmVk"`},
	}
	pairs(t, func(t *testing.T, from, to string) {
		if from == openai || to == openai {
			return
		}
		_, s := asked(t, from, to)
		plain, err := s.Answer(file(t, to, "answer.json"))
		if err != nil {
			t.Fatal(err)
		}
		_, s = asked(t, from, to)
		stream := flow(t, s.Stream(), file(t, to, "stream.sse"), 0)
		for _, body := range [][]byte{next(t, from, plain), next(t, from, collect(t, from, stream))} {
			out, _, err := Request(from, to, body, model(to), false)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range wants[to] {
				if !strings.Contains(string(out), want) {
					t.Errorf("%s is missing in %s, of %s", want, out, body)
				}
			}
			if strings.Contains(string(out), unproven) {
				t.Errorf("a signature was made up: %s", out)
			}
		}
	})
}

// next is the request that an agent makes after an answer, with that in it word
// by word.
func next(t *testing.T, family string, raw []byte) []byte {
	t.Helper()
	var a struct {
		Content    json.RawMessage
		Output     []json.RawMessage
		Candidates []struct{ Content json.RawMessage }
	}
	if err := json.Unmarshal(raw, &a); err != nil {
		t.Fatal(err)
	}
	switch family {
	case anthropic:
		return fmt.Appendf(nil, `{"max_tokens":1,"messages":[{"role":"user","content":"a"},{"role":"assistant","content":%s}]}`, a.Content)
	case responses:
		return fmt.Appendf(nil, `{"input":%s}`, marshal(a.Output))
	}
	return fmt.Appendf(nil, `{"contents":[%s]}`, a.Candidates[0].Content)
}

// collect is the plain answer that a client makes of a stream.
func collect(t *testing.T, family string, stream []byte) []byte {
	t.Helper()
	if family == anthropic {
		return marshal(writeMessagesAnswer(nil, replay(t, family, stream)))
	}
	whole := googleContent{Role: "model"}
	for line := range strings.Lines(string(stream)) {
		data, ok := strings.CutPrefix(line, "data: ")
		if !ok {
			continue
		}
		if family == responses && strings.Contains(data, `"type":"response.completed"`) {
			var v struct{ Response json.RawMessage }
			if err := json.Unmarshal([]byte(data), &v); err != nil {
				t.Fatal(err)
			}
			return v.Response
		}
		var v googleAnswer
		if err := json.Unmarshal([]byte(data), &v); err != nil {
			t.Fatal(err)
		}
		whole.Parts = append(whole.Parts, v.parts()...)
	}
	return marshal(googleAnswer{Candidates: []googleCandidate{{Content: &whole}}})
}

// A tool of free text in a space, as Codex has it, is a function for the model and
// itself for the agent.
func TestFreeText(t *testing.T) {
	const args = `{\"input\":\"text(\\\"hi\\\")\\n\"}`
	_, s := asked(t, responses, openai)
	out, err := s.Answer([]byte(`{"choices":[{"message":{"tool_calls":[{"id":"c1","function":{"name":"functions__exec","arguments":"` + args + `"}}]},"finish_reason":"stop"}]}`))
	const want = `"type":"custom_tool_call","id":"item__0","status":"completed","call_id":"c1","namespace":"functions","name":"exec","input":"text(\"hi\")\n"`
	if err != nil || !strings.Contains(string(out), want) {
		t.Errorf("%s, %v", out, err)
	}

	_, s = asked(t, responses, openai)
	stream := s.Stream()
	out, err = stream.Write([]byte(`data: {"choices":[{"delta":{"tool_calls":[{"index":0,"id":"c1","function":{"name":"functions__exec","arguments":"` + args + "\"}}]},\"finish_reason\":\"tool_calls\"}]}\n\n"))
	for _, want := range []string{want, `"type":"response.custom_tool_call_input.delta"`, `"delta":"text(\"hi\")\n"`} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s is missing in %s, %v", want, out, err)
		}
	}
	if strings.Contains(string(out), "function_call_arguments") {
		t.Errorf("the agent sees JSON: %s", out)
	}
}

// Calls have ids that are theirs alone, in an answer and over turns, whatever the
// server calls them.
func TestIDs(t *testing.T) {
	const request = `{"max_tokens":1,"messages":[{"role":"assistant","content":[{"type":"tool_use","id":"call_0","name":"f","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_0"}]}]}`
	_, s, err := Request(anthropic, openai, []byte(request), "m", false)
	if err != nil {
		t.Fatal(err)
	}
	const c = `{"id":"call_0","function":{"name":"f","arguments":""}}`
	out, err := s.Answer([]byte(`{"choices":[{"message":{"tool_calls":[` + c + `,` + c + `,{"id":"x","function":{"name":"f"}}]}}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var a messagesAnswer
	if err := json.Unmarshal(out, &a); err != nil || len(a.Content) != 3 {
		t.Fatal(err, string(out))
	}
	if a.Content[0].ID == "call_0" || a.Content[1].ID == a.Content[0].ID || a.Content[2].ID != "x" {
		t.Errorf("the ids are %q, %q and %q", a.Content[0].ID, a.Content[1].ID, a.Content[2].ID)
	}

	// An agent whose calls all have one id still gets each result where it belongs.
	const same = `{"messages":[{"role":"assistant","tool_calls":[` + c + `]},{"role":"tool","tool_call_id":"call_0","content":"one"},
		{"role":"assistant","tool_calls":[` + c + `]},{"role":"tool","tool_call_id":"call_0","content":"two"}]}`
	out, _, err = Request(openai, anthropic, []byte(same), "m", false)
	for _, want := range []string{`"tool_use_id":"call_0","content":[{"type":"text","text":"one"}]`, `"tool_use_id":"call_0_2","content":[{"type":"text","text":"two"}]`} {
		if err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s is missing in %s, %v", want, out, err)
		}
	}
}

// Names and ids that an upstream does not take become ones that it takes, with
// different ones kept apart, and the agent hears its own again.
func TestNames(t *testing.T) {
	long := strings.Repeat("n", 70)
	for _, name := range []string{long + "1", long + "2", "a.b", "a:b", "7zip", "-", "ü"} {
		seen, id := seenName("", name), fitID(name)
		if !plainName.MatchString(seen) || !plainID.MatchString(id) || seen != seenName("", seen) || id != fitID(id) {
			t.Errorf("%s is seen as %s, and as an id as %s", name, seen, id)
		}
		for _, other := range []string{long + "1", "a.b"} {
			if other != name && (seenName("", other) == seen || fitID(other) == id) {
				t.Errorf("%s and %s are one", name, other)
			}
		}
		body := fmt.Appendf(nil, `{"contents":[{"parts":[{"text":"a"}]}],"tools":[{"functionDeclarations":[{"name":%q}]}]}`, name)
		_, s, err := Request(google, openai, body, "m", false)
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Answer(fmt.Appendf(nil, `{"choices":[{"message":{"tool_calls":[{"id":"a","function":{"name":%q,"arguments":"{}"}}]}}]}`, seen))
		if err != nil || !strings.Contains(string(out), fmt.Sprintf(`"name":%q`, name)) {
			t.Errorf("%s is called as %s, %v", name, out, err)
		}
	}
}

// Arguments of any kind are sent on as an object.
func TestOddArguments(t *testing.T) {
	deep := strings.Repeat(`{"a":`, 9999) + "1" + strings.Repeat("}", 9999)
	for args, want := range map[string]string{
		"": `{}`, `{"a": 1}`: `{"a":1}`, `[1]`: `{"arguments":"[1]"}`, `{"a`: `{"arguments":"{\"a"}`, `{},{}`: `{"arguments":"{},{}"}`,
		deep: `{"arguments":` + string(marshal(deep)) + `}`,
	} {
		body := fmt.Appendf(nil, `{"messages":[{"role":"assistant","tool_calls":[{"id":"a","function":{"name":"f","arguments":%s}}]}]}`, marshal(args))
		for _, to := range []string{anthropic, google} {
			out, _, err := Request(openai, to, body, "m", false)
			if err != nil || !strings.Contains(string(out), want) {
				t.Errorf("%s: %s becomes %s, %v", to, clip(args, 80), clip(string(out), 300), err)
			}
		}
	}
}

// Only models that reason are asked in the way of those.
func TestThinks(t *testing.T) {
	for model, want := range map[string]bool{
		"o1": true, "o3-mini": true, "gpt-5": true, "gpt-5.6-terra": true, "openai/gpt-6": true, "gpt-10": true, "codex-mini-latest": true,
		"gpt-4o": false, "gpt-4.1": false, "gpt-5-chat-latest": false, "gpt-oss-120b": false, "llama-o1": false, "opus": false,
	} {
		if thinks(model) != want {
			t.Errorf("%s: %t", model, !want)
		}
	}
}

// What a stream can make the gateway remember is bounded.
func TestBounds(t *testing.T) {
	piece := strings.Repeat("x", 1<<20)
	for name, feed := range map[string]func(i int) string{
		"a line":    func(int) string { return piece },
		"an event":  func(int) string { return "data: " + piece + "\n" },
		"an answer": func(int) string { return `data: {"choices":[{"delta":{"content":"` + piece + `"}}]}` + "\n\n" },
		"a lost call": func(int) string {
			return `data: {"choices":[{"delta":{"tool_calls":[{"function":{"arguments":"` + piece + `"}}]}}]}` + "\n\n"
		},
		"calls": func(i int) string {
			return fmt.Sprintf(`data: {"choices":[{"delta":{"tool_calls":[{"index":%d,"function":{"name":"f"}}]}}]}`+"\n\n", i)
		},
		"long names": func(i int) string {
			return fmt.Sprintf(`data: {"choices":[{"delta":{"tool_calls":[{"index":%d,"function":{"name":"%s"}}]}}]}`+"\n\n", i, piece)
		},
		"nameless ones": func(i int) string {
			return fmt.Sprintf(`data: {"choices":[{"delta":{"tool_calls":[{"index":%d}]}}]}`+"\n\n", i)
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, s := asked(t, anthropic, openai)
			stream := s.Stream()
			for i := range 2 * maxBlocks {
				if _, err := stream.Write([]byte(feed(i))); err != nil {
					if held := len(stream.line) + len(stream.data) + stream.seq.size; held > maxEvent+maxAnswer+2*len(piece) {
						t.Errorf("%d bytes are held", held)
					}
					return
				}
			}
			t.Error("it never ends")
		})
	}
}

// each calls f for each ordered pair of families, with a state of its own.
func each(f func(from, to string, s *State)) {
	for _, from := range families {
		for _, to := range families {
			if from != to {
				s := fresh()
				s.from, s.to, s.model = from, to, "m"
				f(from, to, s)
			}
		}
	}
}

func FuzzRequest(f *testing.F) {
	for _, family := range families {
		f.Add(file(f, family, "request.json"))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		each(func(from, to string, _ *State) {
			out, _, err := Request(from, to, body, "gemini-3", false)
			if err == nil && !json.Valid(out) {
				t.Errorf("%s to %s: this is not JSON: %s", from, to, out)
			}
		})
	})
}

func FuzzAnswer(f *testing.F) {
	for _, family := range families {
		f.Add(file(f, family, "answer.json"))
		f.Add(file(f, family, "error.json"))
	}
	f.Add([]byte{})
	f.Add([]byte("null"))
	f.Fuzz(func(t *testing.T, body []byte) {
		each(func(from, to string, s *State) {
			out, err := s.Answer(body)
			if err == nil && !json.Valid(out) {
				t.Errorf("%s to %s: this is not JSON: %s", from, to, out)
			}
			if out := s.Error(500, body); !json.Valid(out) {
				t.Errorf("%s to %s: this is not JSON: %s", from, to, out)
			}
		})
	})
}

func FuzzStream(f *testing.F) {
	for _, family := range families {
		f.Add(file(f, family, "stream.sse"), 3)
	}
	f.Fuzz(func(t *testing.T, in []byte, n int) {
		whole := map[string]string{}
		for _, n := range []int{max(1, len(in)), 1 + n&0xff} {
			each(func(from, to string, s *State) {
				stream := s.Stream()
				var all []byte
				for rest := in; len(rest) > 0; rest = rest[min(n, len(rest)):] {
					out, _ := stream.Write(rest[:min(n, len(rest))])
					all = append(all, out...)
				}
				out, _ := stream.Close()
				got, pair := string(append(all, out...)), from+" to "+to
				if want, ok := whole[pair]; ok && got != want {
					t.Errorf("%s, in pieces of %d:\n%s\ninstead of\n%s", pair, n, got, want)
				}
				whole[pair] = got
			})
		}
	})
}
