package cassette

import (
	"bytes"
	"strings"
	"testing"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func none(b []byte) []byte { return b }

// Of each pair, both are the same request, or are not.
func TestNormal(t *testing.T) {
	for _, tt := range []struct {
		name, a, b string
		same       bool
	}{
		{"space and order", `{"a":1,"b":[2]}`, "{ \"b\": [2],\n\"a\": 1 }", true},
		{"order of an array", `[1,2]`, `[2,1]`, false},
		{"numbers", `12345678901234567890`, `12345678901234567891`, false},
		{"metadata", `{"a":1,"metadata":{"x":1},"user":"u1"}`, `{"a":1,"client_metadata":2,"prompt_cache_key":"k"}`, true},
		{"metadata below", `{"a":{"user":1}}`, `{"a":{"user":2}}`, false},
		{"billing", `{"system":[{"type":"text","text":"x-anthropic-billing-header: a=1"},{"text":"Help."}]}`, `{"system":[{"type":"text","text":"x-anthropic-billing-header: a=2"},{"text":"Help."}]}`, true},
		{"other system", `{"system":[{"text":"Help."}]}`, `{"system":[{"text":"Hello."}]}`, false},
		{"ids", `["call_Ab3dEf6hIj9l","call_Ab3dEf6hIj9l"]`, `["call_Zb3dEf6hIj9l","call_Zb3dEf6hIj9l"]`, true},
		{"ids that belong together", `["call_Ab3dEf6hIj9l","call_Ab3dEf6hIj9l"]`, `["call_Zb3dEf6hIj9l","call_Yb3dEf6hIj9l"]`, false},
		{"ids of Codex", `["msg_d9a3de06-b3dc-5acc-a012-c4c994401bb5","fco_01a21e43-1f02-7e33-9809-fe375efce1c0"]`, `["msg_17488151-4c0e-5b6a-8018-d1439b7e4bda","fco_01a21e44-e835-7ac0-8d5b-b90660df346c"]`, true},
		{"chunks of Codex", `"Chunk ID: 43a0ae\nWall time: 0.0513 seconds\nProcess exited with code 0"`, `"Chunk ID: fabbed\nWall time: 1.2000 seconds\nProcess exited with code 0"`, true},
		{"chunks of Codex in JSON", `"{\"chunk_id\":\"79a2f8\",\"wall_time_seconds\":0.000010092,\"exit_code\":0}"`, `"{\"chunk_id\":\"fabbed\",\"wall_time_seconds\":1.2e-5,\"exit_code\":0}"`, true},
		{"ids of Gemini CLI", `["write_file_1795804083735_0","write_file_1795804083735_0"]`, `["write_file_1795804189579_0","write_file_1795804189579_0"]`, true},
		{"ids of Gemini CLI that belong together", `["run_shell_command_1795804083878_0","run_shell_command_1795804083878_0"]`, `["run_shell_command_1795804083878_0","run_shell_command_1795804083888_1"]`, false},
		{"processes", `"Output: 23\nProcess Group PGID: 52\nBackground PIDs: 61, 62"`, `"Output: 23\nProcess Group PGID: 54\nBackground PIDs: 1061, 62"`, true},
		{"kernels", `" - OS Version: Linux 6.18.44-fc-v657\n"`, `" - OS Version: Linux 6.1.0-40-amd64\n"`, true},
		{"other systems", `" - OS Version: Linux 6.18.44"`, `" - OS Version: Darwin 24.6.0"`, false},
		{"words", `"call_subroutinefirst"`, `"call_subroutineother"`, false},
		{"short ids", `"call_1_1"`, `"call_1_2"`, false},
		{"uuids", `"x 0b1c2d3e-0000-4000-8000-00000000000a"`, `"x 1b1c2d3e-0000-4000-8000-00000000000a"`, true},
		{"dates", `"on 2026-11-27, at 10:39:15.250Z"`, `"on 2025-01-02, at 23:00"`, true},
		{"moments", `"2026-11-27T10:39:15Z x"`, `"2025-01-02T03:04:05.6+01:00 x"`, true},
		{"days", `"Fri Nov 27 10:39:15 2026"`, `"Sat Nov 28 11:40:16 2026"`, true},
		{"what date prints", `"Fri Nov 27 18:27:25 UTC 2026"`, `"Sat Jan  2 08:07:05 CET 2027"`, true},
		{"what git prints", `"Date:   Fri Nov 27 18:27:25 2026 +0000"`, `"Date:   Sat Jan 2 08:07:05 2027 -0500"`, true},
		{"hours up to twelve", `"11/27/2026, 6:27:25 PM"`, `"1/2/2027, 11:05:00 AM"`, true},
		{"lists of files", `"-rw-r--r-- 1 agent agent   23 Nov 27 18:27 a.py"`, `"-rw-r--r-- 1 agent agent   23 Jan  2 08:07 a.py"`, true},
		{"lists of old files", `"-rw-r--r-- 1 agent agent   23 Nov 27  2024 a.py"`, `"-rw-r--r-- 1 agent agent   23 Jan  2  2025 a.py"`, true},
		{"sizes of files", `"-rw-r--r-- 1 agent agent   23 Nov 27 18:27 a.py"`, `"-rw-r--r-- 1 agent agent   24 Nov 27 18:27 a.py"`, false},
		{"versions", `"1.2.3"`, `"1.2.4"`, false},
		{"durations", `"3 passed in 0.04s"`, `"3 passed in 12.50s"`, true},
		{"counts", `"3 passed in 0.04s"`, `"2 passed in 0.04s"`, false},
		{"addresses", `"<f at 0x7f00a1b2c3d4>"`, `"<f at 0x7f11a1b2c3d4>"`, true},
		{"temporary files", `"/tmp/abc1/x.py"`, `"/private/var/folders/ab/cdefg_h/T/xyz/x.py"`, true},
		{"below temporary files", `"/tmp/abc1/x.py"`, `"/tmp/abc1/y.py"`, false},
		{"other files", `"/srv/abc1"`, `"/srv/abc2"`, false},
		{"no JSON", "at 10:39", "at 10:40", true},
		{"binary", "\xff1", "\xff2", false},
	} {
		a := normal(Request{"POST", "/messages", []byte(tt.a)}, none)
		b := normal(Request{"POST", "/messages", []byte(tt.b)}, none)
		if (a.sum() == b.sum()) != tt.same {
			t.Errorf("%s: %s and %s", tt.name, a.Body, b.Body)
		}
	}
}

func TestNormalPath(t *testing.T) {
	for _, tt := range []struct{ path, want string }{
		{"/v1/chat/completions", "/chat/completions"},
		{"/api/coding/v1/messages?beta=true&key=x", "/messages?beta=true"},
		{"/v1/messages/count_tokens", "/messages/count_tokens"},
		{"/v1beta/models/gemini:streamGenerateContent?key=k&alt=sse", "/models/gemini:streamGenerateContent?alt=sse"},
		{"/else where", "/else_where"},
	} {
		if got := normal(Request{"POST", tt.path, nil}, none).Path; got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.path, got, tt.want)
		}
	}
}

func FuzzNormal(f *testing.F) {
	for _, s := range []string{`{"a":"b"}`, "12:3401:23", "/tmp//tmp/a", "2026-01-02T10:00", "<id 1> call_Ab3dEf6hIj9l", "Mon 5 Jan 5", "23 Nov 27 18:27 PM UTC 2026", "Chunk ID: abcdef_1795804083735_0", "Linux pid 12 6.1.2", `{"system":[{"text":"x-anthropic-billing-header:"},{"text":"x-anthropic-billing-header:"}]}`, "/tmp/2026-01-01/12:12"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		once := normal(Request{"POST", "/x", body}, none)
		twice := normal(once, none)
		if once.sum() != twice.sum() {
			t.Fatalf("%q, then %q", once.Body, twice.Body)
		}
	})
}

// Lines of strings come together again, whatever is in them.
func TestSpread(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := map[string]any{"a": []any{rapid.StringOf(rapid.SampledFrom([]rune("a\n\\\"n{ ]"))).Draw(t, "text")}}
		text := encode(value)
		wide := spread(text)
		if got := gather(strings.Split(wide, "\n")); !bytes.Equal(got, text) {
			t.Fatalf("%s became %s", text, got)
		}
		for line := range strings.Lines(wide) {
			if strings.Contains(strings.TrimSuffix(strings.TrimRight(line, ",\n"), `\n"`), `\n`) && !strings.Contains(line, `\\n`) {
				t.Fatalf("more than one line in %s", line)
			}
		}
	})
}

func FuzzParse(f *testing.F) {
	r := recording{key: "a@b#1", calls: []call{
		{1, Request{"POST", "/messages", []byte("{\n  \"a\": \"b\\nc\"\n}")}, answered(`{"a":[1]}`)},
		{2, Request{"POST", "/messages", []byte("{\n  \"a\": \"b\\nc\"\n}")}, Response{Status: 429, Chunks: [][]byte{[]byte("a\r\n\xff"), []byte("b")}, Cut: true}},
		{3, Request{"GET", "/models", nil}, Response{Status: 200}},
	}}
	f.Add(r.encode())
	f.Add([]byte(version + "\ntrial x\ncall 1\n> POST /x\n= 0\n= 9\n< 200\nend\n"))
	f.Add([]byte(version + "\ntrial x\ncall 1\n> POST /x\n[\n1]\n< 200\n[\n]\n| x\n+\n~ eA==\nend\ncall 1\n> POST /x\n= 1\n= 1\n< 200\ncut\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := parse(text)
		if err != nil {
			return
		}
		checkStable(t, r.encode())
	})
}

// Bytes come back as they were, also those that only look like JSON that can be
// laid out.
func TestBytes(t *testing.T) {
	for _, body := range []string{
		`{"a":1}`, `{"a": 1}`, "{\n  \"a\": 1\n}\n", "{}\n\n", "[ ]", `{"a":"b\nc\n"}`, `{"a":"\u00e9"}`, `{"b":1,"a":1,"a":2}`, `{"a":1.50}`,
		"{\"a\":\"\xff\"}", `{"a":1}{"b":2}`, "{", "null", "end", "call 1\n", "\ufeff{}", "a \n", "\r\n", "a\rb\n", "\x00",
	} {
		want := recording{key: "a@b#1", calls: []call{{1, Request{"POST", "/messages", nil}, answered(body)}}}
		got, err := parse(want.encode())
		if err != nil || !bytes.Equal(got.calls[0].response.Chunks[0], []byte(body)) {
			t.Errorf("%q: %v in\n%s", body, err, want.encode())
		}
		if !utf8.Valid(want.encode()) {
			t.Errorf("%q is no text", body)
		}
	}
}

// Each mistake is told with its line.
func TestParseErrors(t *testing.T) {
	head := version + "\ntrial x\n"
	for _, tt := range []struct{ text, want string }{
		{"", `line 1: this is not "bench cassette 1"`},
		{version + "\n", "line 2: here must stand the trial"},
		{head + "cal 1\n", "line 3: here must stand a call"},
		{head + "call 1\n> POST\n", "line 4: here must stand what is asked"},
		{head + "call 1\n> POST /x\n{\n< 200\nend\n", "line 5: the request is not JSON"},
		{head + "call 1\n> POST /x\n= 1\n< 200\nend\n", "line 5: the request before has 0 lines"},
		{head + "call 1\n> POST /x\n< 20\nend\n", "line 5: here must stand the status"},
		{head + "call 1\n> POST /x\n< 200\n< Set-Cookie: x\nend\n", "line 6: here must stand a header"},
		{head + "call 1\n> POST /x\n< 200\n{]\nend\n", "line 6: the answer is not JSON"},
		{head + "call 1\n> POST /x\n< 200\n~ !\nend\n", "line 6: this is not base64"},
		{head + "call 1\n> POST /x\n< 200\n| x\n", "here must stand more of the answer"},
		{head + "call 1\n> POST /x\n< 200\n| x\n+\nend\n", "line 8: between this"},
		{head + "call 1\n> POST /x\n< 200\n| x\nend", "line 7: the end of the line is missing"},
	} {
		_, err := parse([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%q: got %v, want %s", tt.text, err, tt.want)
		}
	}
}
