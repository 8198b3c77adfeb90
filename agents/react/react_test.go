package react_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/agents/react"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/gateway/scripted"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/fake"
)

// host plays the programs of a fake sandbox with the shell of this machine. The
// end of ctx kills what belongs to the command.
func host(ctx context.Context, _ *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
	c := exec.Command(cmd.Args[0], cmd.Args[1:]...)
	c.Dir, c.Env, c.Stdout, c.Stderr = cmd.Dir, []string{"PATH=" + os.Getenv("PATH"), "MARK=" + cmd.Env["MARK"]}, cmd.Stdout, cmd.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := c.Start(); err != nil {
		return sandbox.Exit{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
	defer stop()
	err := c.Wait()
	if ctx.Err() != nil {
		return sandbox.Exit{}, ctx.Err()
	}
	if status, ok := c.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signaled() {
		return sandbox.Exit{Code: 128 + int(status.Signal())}, nil
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return sandbox.Exit{}, err
	}
	return sandbox.Exit{Code: c.ProcessState.ExitCode()}, nil
}

// A trial is one run of the agent.
type trial struct {
	react.Options
	log   bytes.Buffer
	asked []string // bodies of requests

	mu sync.Mutex
}

// start makes a trial whose model is a handler, and whose sandbox is this machine.
func start(t *testing.T, model http.Handler) *trial {
	t.Helper()
	d := &fake.Driver{Program: host}
	box, err := d.Start(t.Context(), sandbox.Spec{Files: func(w io.Writer) error { return nil }})
	if err != nil {
		t.Fatal(err)
	}
	tr := &trial{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		tr.mu.Lock()
		tr.asked = append(tr.asked, string(body))
		tr.mu.Unlock()
		if r.Header.Get("Authorization") != "Bearer token" {
			t.Errorf("the token is shown as %q", r.Header.Get("Authorization"))
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		model.ServeHTTP(w, r)
	}))
	t.Cleanup(server.Close)
	tr.Options = react.Options{
		Box: box, Dir: t.TempDir(), Env: map[string]string{"MARK": "env"}, Client: server.Client(), BaseURL: server.URL + "/v1",
		Token: "token", Model: "m", Prompt: "Do it.", CommandTimeout: time.Minute, Log: &tr.log,
	}
	return tr
}

func script(t *testing.T, text string) http.Handler {
	t.Helper()
	tree, err := digest.File("turns.txt", fstest.MapFS{"turns.txt": {Data: []byte(text)}}, "turns.txt")
	if err != nil {
		t.Fatal(err)
	}
	s, diags := scripted.Load(tree)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return s.Trial("case")
}

// run runs the agent, and wants that it ends by itself.
func (tr *trial) run(t *testing.T, code int, why string) {
	t.Helper()
	exit, err := react.Run(t.Context(), tr.Options)
	if err != nil || exit.Code != code {
		t.Fatalf("it ended with %d, %v; want %d\n%s", exit.Code, err, code, tr.log.String())
	}
	if lines := strings.Split(strings.TrimSpace(tr.log.String()), "\n"); !strings.Contains(lines[len(lines)-1], why) {
		t.Errorf("the log ends with %q, want %q", lines[len(lines)-1], why)
	}
}

type message struct {
	Role       string
	Content    any
	ToolCallID string           `json:"tool_call_id"`
	ToolCalls  []map[string]any `json:"tool_calls"`
	Extra      any
}

// conversation is that of the last request.
func (tr *trial) conversation(t *testing.T) []message {
	t.Helper()
	var in struct{ Messages []message }
	if err := json.Unmarshal([]byte(tr.asked[len(tr.asked)-1]), &in); err != nil {
		t.Fatal(err)
	}
	return in.Messages
}

// results are what the tools have answered.
func (tr *trial) results(t *testing.T) []string {
	t.Helper()
	var out []string
	for _, m := range tr.conversation(t) {
		if m.Role == "tool" {
			out = append(out, m.Content.(string))
		}
	}
	return out
}

func (tr *trial) file(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(tr.Dir, name))
	if err != nil {
		t.Error(err)
	}
	return string(text)
}

func TestAnswersOnly(t *testing.T) {
	tr := start(t, script(t, "turn\ntext There is nothing to do.\n"))
	tr.run(t, 0, "The model is done.")
	if got := tr.conversation(t); len(got) != 2 || got[0].Role != "system" || got[1].Role != "user" || got[1].Content != "Do it." {
		t.Errorf("it asked %v", got)
	}
	want := "\n=== task\nDo it.\n\n=== model\nThere is nothing to do.\n\n=== end\nThe model is done.\n"
	if diff := cmp.Diff(want, tr.log.String()); diff != "" {
		t.Errorf("log (-want +got):\n%s", diff)
	}
}

func TestTools(t *testing.T) {
	tr := start(t, script(t, `
turn
text I look.
call bash
  command = "pwd; echo $MARK; printf oops >&2; exit 3"
call write_file
  path = "-deep/a b/it's.txt"
  content = "one\\ntwo %s \\c $HOME 'é\u0000\n\n"
call bash
  command = "cd /; true"
turn
call bash
  command = "pwd"
turn
text Done.
`))
	tr.run(t, 0, "The model is done.")
	want := []string{
		tr.Dir + "\nenv\noops\n[exit status 3]",
		"27 bytes were written to -deep/a b/it's.txt.",
		"[no output, exit status 0]",
		tr.Dir + "\n[exit status 0]",
	}
	if diff := cmp.Diff(want, tr.results(t)); diff != "" {
		t.Errorf("results (-want +got):\n%s", diff)
	}
	if got, want := tr.file(t, "-deep/a b/it's.txt"), "one\\ntwo %s \\c $HOME 'é\x00\n\n"; got != want {
		t.Errorf("the file has %q, want %q", got, want)
	}
	var ids []string
	for _, m := range tr.conversation(t) {
		for _, c := range m.ToolCalls {
			ids = append(ids, "call "+c["id"].(string))
		}
		if m.ToolCallID != "" {
			ids = append(ids, m.ToolCallID)
		}
	}
	if diff := cmp.Diff([]string{"call call_1_1", "call call_1_2", "call call_1_3", "call_1_1", "call_1_2", "call_1_3", "call call_2_1", "call_2_1"}, ids); diff != "" {
		t.Errorf("ids (-want +got):\n%s", diff)
	}
	for _, said := range []string{"=== model\nI look.\n", "=== bash\n$ pwd; echo $MARK", "oops\n[exit status 3]\n", "=== write_file -deep/a b/it's.txt\none"} {
		if !strings.Contains(tr.log.String(), said) {
			t.Errorf("the log lacks %q:\n%s", said, tr.log.String())
		}
	}
}

// A file can have more than fits into one command, and be empty.
func TestWritesLargeFiles(t *testing.T) {
	large := strings.Repeat(`\é`, 500_000)
	content, _ := json.Marshal(large)
	tr := start(t, script(t, fmt.Sprintf("turn\ncall write_file\n  path = \"large\"\n  content = %s\ncall write_file\n  path = \"empty\"\n  content = \"\"\ncall write_file\n  path = \"large/below\"\n  content = \"x\"\nturn\ntext Done.\n", content)))
	tr.run(t, 0, "done")
	if got := tr.file(t, "large"); got != large {
		t.Errorf("the file has %d bytes, want %d", len(got), len(large))
	}
	if got := tr.file(t, "empty"); got != "" {
		t.Errorf("the empty file has %q", got)
	}
	if got := tr.results(t)[2]; strings.Contains(got, "were written") || strings.Contains(got, "status 0") {
		t.Errorf("a file in a file: %q", got)
	}
}

func TestEqualAnswersGetEqualQuestions(t *testing.T) {
	var asked [2][]string
	for i := range asked {
		tr := start(t, script(t, "turn\ncall bash\n  command = \"echo a; cat /nowhere; ps | grep -c react\"\nturn\ntext Done.\n"))
		tr.run(t, 0, "done")
		asked[i] = tr.asked
	}
	if diff := cmp.Diff(asked[0], asked[1]); diff != "" {
		t.Errorf("questions differ:\n%s", diff)
	}
}

func TestHugeOutput(t *testing.T) {
	tr := start(t, script(t, `
turn
call bash
  command = "echo first; head -c 3000000 /dev/zero | tr '\\0' x; echo; echo last; printf '\\377\\0'"
turn
text Done.
`))
	tr.run(t, 0, "done")
	got := tr.results(t)[0]
	if len(got) > 17<<10 || !strings.HasPrefix(got, "first\nxxx") || !strings.HasSuffix(got, "xxx\nlast\n\uFFFD\uFFFD\n[exit status 0]") || !strings.Contains(got, "bytes cut here]") {
		t.Errorf("the model got %d bytes: %.40q … %q", len(got), got, got[len(got)-40:])
	}
}

// What a model prints is not taken for what the wrapper tells.
func TestForgedMarks(t *testing.T) {
	tr := start(t, script(t, `
turn
call bash
  command = "printf '\\036react 1 x\\n\\036react 1 99999999999999999999\\n\\036react 2 7\\n'; exit 5"
turn
text Done.
`))
	tr.run(t, 0, "done")
	if got, want := tr.results(t)[0], "\x1ereact 1 x\n\x1ereact 1 99999999999999999999\n\x1ereact 2 7\n[exit status 5]"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestTimeout(t *testing.T) {
	tr := start(t, script(t, `
turn
call bash
  command = "echo polite; trap 'echo bye; exit 1' TERM; while :; do sleep 1; done"
  timeout = 1
call bash
  command = "echo deaf; trap '' TERM; sleep 1000 & echo $! >pid; wait; while :; do sleep 1; done"
  timeout = 1
call bash
  command = "echo alive"
  timeout = 0.001
turn
text Done.
`))
	tr.run(t, 0, "done")
	const note = "[killed after 1s, with what it had started; what takes longer can run in the background]"
	got := tr.results(t)
	if len(got) != 3 || !strings.HasPrefix(got[0], "polite\n") || !strings.Contains(got[0], "bye\n") || !strings.HasSuffix(got[0], note) || got[1] != "deaf\n"+note {
		t.Errorf("got %q", got)
	}
	gone(t, tr.file(t, "pid"))
}

// gone wants that a process ends.
func gone(t *testing.T, pid string) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		state, err := os.ReadFile("/proc/" + strings.TrimSpace(pid) + "/stat")
		if err != nil || bytes.Contains(state, []byte(") Z ")) {
			return
		}
	}
	t.Errorf("process %s runs", pid)
}

// A command whose processes hold its output is over nevertheless; they go on while
// the next commands run, and end with the agent.
func TestBackground(t *testing.T) {
	tr := start(t, script(t, `
turn
call bash
  command = "(while :; do echo tick; echo tick >>ticks; sleep 0.01; done) & echo $! >pid; echo started"
call bash
  command = "n=$(wc -l <ticks); while [ $(wc -l <ticks) -eq $n ]; do sleep 0.01; done; kill -0 $(cat pid) && echo goes on"
turn
text Done.
`))
	tr.run(t, 0, "done")
	if got := tr.results(t); !strings.Contains(got[0], "started\n") || got[1] != "goes on\n[exit status 0]" {
		t.Errorf("got %q", got)
	}
	gone(t, tr.file(t, "pid"))
}

// A command that kills its wrapper is over when nothing holds its output.
func TestKilledWrapper(t *testing.T) {
	tr := start(t, script(t, "turn\ncall bash\n  command = \"kill -9 $PPID\"\nturn\ntext Done.\n"))
	tr.run(t, 0, "done")
	if got := tr.results(t)[0]; !strings.HasSuffix(got, "[exit status 1]") {
		t.Errorf("got %q", got)
	}
}

// Where a command cannot be stopped alone, that is the end of the agent.
func TestStuck(t *testing.T) {
	tr := start(t, script(t, "turn\ncall bash\n  command = \"sleep 1000\"\n  timeout = 0.1\n"))
	d := &fake.Driver{Program: func(ctx context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		if strings.HasPrefix(cmd.Args[2], "kill -") {
			return sandbox.Exit{}, errors.New("no process can be started")
		}
		return host(ctx, b, cmd)
	}}
	tr.Box, _ = d.Start(t.Context(), sandbox.Spec{Files: func(io.Writer) error { return nil }})
	tr.run(t, 1, "A command had to be stopped with all that ran in the sandbox.")
}

func TestMistakes(t *testing.T) {
	calls := func(list ...string) string {
		return `{"choices":[{"finish_reason":"tool_calls","message":{"role":"assistant","content":null,"refusal":null,"extra":{"kept":1},"tool_calls":[` + strings.Join(list, ",") + `]}}]}`
	}
	call := func(name, args string) string {
		text, _ := json.Marshal(args)
		return fmt.Sprintf(`{"id":"same","type":"function","signature":"s","function":{"name":%q,"arguments":%s}}`, name, text)
	}
	tr := start(t, texts(
		calls(call("bash", `{"command":`), call("bash", `null`), call("bash", `{"command":"x","timeout":-1}`), call("bash", `{"command":"a\u0000b"}`),
			call("bash", `{"cmd":"x"}`), call("write_file", `{"path":"x"}`), call("write_file", `{"path":"a\u0000","content":""}`), call("fly", `{}`), `{"function":{}}`),
		calls(`{"function":{"name":"bash","arguments":{"command":"echo an object"}}}`),
		`{"choices":[{"finish_reason":"length","message":{"role":"assistant"}}]}`,
		`{"choices":[{"finish_reason":"stop","message":{"role":"assistant","content":[{"type":"text","text":"Parts."}],"tool_calls":[]}}]}`,
	))
	tr.run(t, 0, "The model is done.")
	got := tr.results(t)
	for i, want := range []string{
		`Nothing was done: bash takes an object with "command", a text, and maybe "timeout", a number of seconds above 0: unexpected end of JSON input.`,
		`Nothing was done: bash takes`, `Nothing was done: bash takes`, `Nothing was run: a command cannot have the character NUL.`, `Nothing was done: bash takes`,
		`Nothing was done: write_file takes`, `Nothing was written: there can be no such path.`, `There is no tool "fly". The tools are bash and write_file.`, `There is no tool ""`,
		"an object\n[exit status 0]",
	} {
		if !strings.HasPrefix(got[i], want) {
			t.Errorf("result %d is %q, want %q", i, got[i], want)
		}
	}
	said := tr.conversation(t)
	first := said[2]
	if first.Extra == nil || first.ToolCalls[0]["signature"] != "s" || first.ToolCalls[0]["id"] != "same" || first.ToolCalls[1]["id"] != "call_2_2" || said[4].ToolCallID != "call_2_2" {
		t.Errorf("the message was sent back as %v, and the second result for %q", first, said[4].ToolCallID)
	}
	if f := first.ToolCalls[0]["function"].(map[string]any); f["arguments"] != "{}" {
		t.Errorf("arguments that are no JSON were sent back as %v", f)
	}
	if last := said[len(said)-1]; last.Role != "user" || !strings.Contains(last.Content.(string), "cut off") {
		t.Errorf("after an answer that was cut off, it said %v", last)
	}
	if !strings.Contains(tr.log.String(), "=== model\nParts.") {
		t.Errorf("the log lacks a text:\n%s", tr.log.String())
	}
}

// texts is a model that gives one answer after another, the last without end.
func texts(list ...string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, list[0])
		if len(list) > 1 {
			list = list[1:]
		}
	})
}

func TestNoUseInTheEnd(t *testing.T) {
	tr := start(t, script(t, "turn 3\ncall fly\nturn\ncall bash\n  command = \":\"\nturn always\ncall fly\n"))
	tr.run(t, 1, "The last 5 answers of the model were of no use.")
	if len(tr.asked) != 9 {
		t.Errorf("%d questions, want 9: a good call in between counts", len(tr.asked))
	}
}

func TestRefusals(t *testing.T) {
	for name, test := range map[string]struct{ turn, why string }{
		"budget":   {"error 403 bench: the budget of the trial is used up", "The model was refused (HTTP status 403): bench: the budget of the trial is used up"},
		"too long": {"error 400 This model's maximum context length is 10 tokens.", "The conversation has become too long for the model (HTTP status 400): This model's"},
		"invalid":  {"error 400 What?", "The model was refused (HTTP status 400): What?"},
		"provider": {"error 503", "The model was refused (HTTP status 503): a scripted failure"},
		"garbled":  {"error 403\ngarble json", "The model was refused (HTTP status 403): {"},
		"filter":   {"text I\nstop filter", "The provider has withheld the answer"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := start(t, script(t, "turn\ncall bash\n  command = \"echo x >x\"\nturn\n"+test.turn+"\n"))
			tr.run(t, 1, test.why)
			if len(tr.asked) != 2 || tr.file(t, "x") != "x\n" {
				t.Errorf("%d questions, want 2", len(tr.asked))
			}
		})
	}
}

// An answer that breaks off is asked for again; one that always does is not the
// model's doing.
func TestBrokenAnswers(t *testing.T) {
	for _, trouble := range []string{"break", "break after=1", "close after=1", "garble json"} {
		tr := start(t, script(t, "turn 2\ntext Long.\n"+trouble+"\nturn\ntext Done.\n"))
		tr.run(t, 0, "The model is done.")
	}
	for _, answer := range []string{
		"", "null", "[]", "hello", `{"choices":[]}`, `{"choices":[null]}`, `{"choices":[{"message":null}]}`, `{"choices":[{"message":"x"}]}`,
		`{"choices":[{"message":{"tool_calls":"x"}}]}`, `{"choices":[{"message":{"tool_calls":[null]}}]}`, `{"choices":[{"message":{"tool_calls":[{"function":5}]}}]}`,
		`{"choices":[{"message":{"tool_calls":[{"id":"x"}]}}]}`, `{"choices":{}}`, strings.Repeat("[", 100_000),
	} {
		tr := start(t, texts(answer))
		exit, err := react.Run(t.Context(), tr.Options)
		if err == nil || len(tr.asked) != 3 {
			t.Errorf("%.60q: exit %d and error %v after %d questions, want an error after 3", answer, exit.Code, err, len(tr.asked))
		}
	}
	for _, answer := range []string{`{"choices":[{"message":{}}]}`, `{"choices":[{"message":{"content":5,"tool_calls":null}}]}`} {
		tr := start(t, texts(answer))
		tr.run(t, 0, "The model is done.")
	}
}

func TestUnreachable(t *testing.T) {
	tr := start(t, texts(""))
	tr.BaseURL = "http://127.0.0.1:1"
	if _, err := react.Run(t.Context(), tr.Options); err == nil || !strings.Contains(err.Error(), "cannot ask the model") {
		t.Errorf("got error %v", err)
	}
}

func TestBrokenSandbox(t *testing.T) {
	tr := start(t, script(t, "turn\ncall bash\n  command = \"true\"\n"))
	broken := errors.New("the container died")
	d := &fake.Driver{Program: func(context.Context, *fake.Box, sandbox.Cmd) (sandbox.Exit, error) { return sandbox.Exit{}, broken }}
	tr.Box, _ = d.Start(t.Context(), sandbox.Spec{Files: func(io.Writer) error { return nil }})
	if _, err := react.Run(t.Context(), tr.Options); !errors.Is(err, broken) {
		t.Errorf("got error %v, want that of the sandbox", err)
	}
}

// A program that knows nothing of the wrapper, as in other tests with the fake.
func TestPlayedProgram(t *testing.T) {
	tr := start(t, script(t, "turn\ncall bash\n  command = \"anything\"\nturn\ntext Done.\n"))
	d := &fake.Driver{Program: func(_ context.Context, b *fake.Box, cmd sandbox.Cmd) (sandbox.Exit, error) {
		fmt.Fprint(cmd.Stdout, "played")
		return sandbox.Exit{Code: 4}, nil
	}}
	tr.Box, _ = d.Start(t.Context(), sandbox.Spec{Files: func(io.Writer) error { return nil }})
	tr.run(t, 0, "done")
	if got := tr.results(t)[0]; got != "played\n[exit status 4]" {
		t.Errorf("got %q", got)
	}
}

// The end of ctx ends the agent, whatever it is at.
func TestStopped(t *testing.T) {
	for name, test := range map[string]struct{ turns, file string }{
		"in a command":        {"turn\ncall bash\n  command = \"sleep 1000 & echo $! >pid; wait\"\n", "pid"},
		"in a question":       {"turn\ncall bash\n  command = \"echo >pid\"\nturn\nhang\n", "pid"},
		"with what goes on":   {"turn\ncall bash\n  command = \"sleep 1000 & echo $! >pid\"\nturn\nhang\n", "pid"},
		"in an answer's half": {"turn\ncall bash\n  command = \"echo >pid\"\nturn\ntext x\nhang after=1\n", "pid"},
	} {
		t.Run(name, func(t *testing.T) {
			tr := start(t, script(t, test.turns))
			ctx, stop := context.WithCancelCause(t.Context())
			go func() {
				for { // until the test is at its end, which needs the file
					if text, err := os.ReadFile(filepath.Join(tr.Dir, test.file)); err == nil && bytes.HasSuffix(text, []byte("\n")) {
						stop(sandbox.ErrKill)
						return
					}
					time.Sleep(10 * time.Millisecond)
				}
			}()
			_, err := react.Run(ctx, tr.Options)
			if !errors.Is(err, context.Canceled) {
				t.Fatalf("got error %v, want that of the context", err)
			}
			if !strings.HasSuffix(tr.log.String(), "=== end\nStopped from outside.\n") {
				t.Errorf("the log ends otherwise:\n%s", tr.log.String())
			}
			if pid := strings.TrimSpace(tr.file(t, "pid")); pid != "" {
				gone(t, pid)
			}
		})
	}
}
