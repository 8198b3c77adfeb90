package react

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"
)

// A declaration tells the model of a tool.
type declaration struct {
	Type     string   `json:"type"`
	Function function `json:"function"`
}

type function struct {
	Name        string          `json:"name"`
	Description string          `json:"description"`
	Parameters  json.RawMessage `json:"parameters"`
}

var declarations = []declaration{
	{"function", function{
		"bash", "Runs a command with sh, and gives what it printed (standard output and standard error; the middle of long output is left out) and its exit status. It has no standard input.",
		json.RawMessage(`{"type":"object","properties":{"command":{"type":"string","description":"the command, or a script of several lines"},"timeout":{"type":"number","description":"seconds after which it is killed, if it should be sooner than usual"}},"required":["command"]}`),
	}},
	{"function", function{
		"write_file", "Writes a text to a file, which is made with its directories if it is not there, and replaced if it is.",
		json.RawMessage(`{"type":"object","properties":{"path":{"type":"string","description":"absolute, or relative to the directory of the task"},"content":{"type":"string","description":"the whole text"}},"required":["path","content"]}`),
	}},
}

// How to call the tools, for a model that got it wrong.
const (
	bashUsage  = `bash takes an object with "command", a text, and maybe "timeout", a number of seconds above 0`
	writeUsage = `write_file takes an object with "path" and "content", two texts`
)

// longestArg bounds a text that is handed to a program, in bytes. The kernel takes
// 128 KiB.
const longestArg = 96 << 10

// call does what a call asks for. It is not ok if that is not clear: the result
// says why.
func (a *agent) call(ctx context.Context, c call) (result string, ok bool, err error) {
	switch c.name {
	case "bash":
		return a.bash(ctx, c.args)
	case "write_file":
		return a.writeFile(ctx, c.args)
	}
	a.note("a call of "+c.name, c.args)
	return fmt.Sprintf("There is no tool %q. The tools are bash and write_file.", c.name), false, nil
}

func (a *agent) bash(ctx context.Context, args string) (string, bool, error) {
	var in struct {
		Command *string
		Timeout *float64
	}
	err := json.Unmarshal([]byte(args), &in)
	if err != nil || in.Command == nil || in.Timeout != nil && *in.Timeout <= 0 {
		return a.mistake("bash", args, bashUsage, err)
	}
	command := *in.Command
	a.note("bash", "$ "+command)
	if strings.ContainsRune(command, 0) {
		return "Nothing was run: a command cannot have the character NUL.", false, nil
	}
	if len(command) > longestArg {
		return fmt.Sprintf("Nothing was run: a command can have %d bytes, and this one has %d. Write it to a file and run that.", longestArg, len(command)), false, nil
	}
	limit := a.CommandTimeout
	if in.Timeout != nil && *in.Timeout < limit.Seconds() {
		limit = time.Duration(*in.Timeout * float64(time.Second))
	}
	r, err := a.shell.run(ctx, limit, command)
	return r.text(limit), true, err
}

// text is a result as the model reads it.
func (r result) text(limit time.Duration) string {
	end := fmt.Sprintf("[exit status %d]", r.status)
	switch {
	case r.expired:
		end = fmt.Sprintf("[killed after %v, with what it had started; what takes longer can run in the background]", limit)
	case r.output == "":
		end = fmt.Sprintf("[no output, exit status %d]", r.status)
	}
	if r.output != "" && !strings.HasSuffix(r.output, "\n") {
		return r.output + "\n" + end
	}
	return r.output + end
}

// piecesAtOnce is how many pieces of a file are handed to one command. The kernel
// takes 2 MiB of arguments and environment.
const piecesAtOnce = 8

// The scripts that write a file, piece by piece.
const (
	writeFirst = `file=$1; shift
case $file in */*) dir=${file%/*}; mkdir -p -- "${dir:-/}" || exit ;; esac
for piece; do printf %b "$piece" || exit; done >"$file"`
	writeNext = `file=$1; shift
for piece; do printf %b "$piece" || exit; done >>"$file"`
)

func (a *agent) writeFile(ctx context.Context, args string) (string, bool, error) {
	var in struct{ Path, Content *string }
	err := json.Unmarshal([]byte(args), &in)
	if err != nil || in.Path == nil || in.Content == nil || *in.Path == "" {
		return a.mistake("write_file", args, writeUsage, err)
	}
	path, content := *in.Path, *in.Content
	a.note("write_file "+path, content)
	if strings.ContainsRune(path, 0) || len(path) > longestArg {
		return "Nothing was written: there can be no such path.", false, nil
	}
	pieces := escape(content)
	script := writeFirst
	for first := true; first || len(pieces) > 0; first = false {
		n := min(len(pieces), piecesAtOnce)
		r, err := a.shell.run(ctx, a.CommandTimeout, script, append([]string{path}, pieces[:n]...)...)
		if err != nil || r.expired || r.status != 0 {
			return r.text(a.CommandTimeout), true, err
		}
		pieces, script = pieces[n:], writeNext
	}
	return fmt.Sprintf("%d bytes were written to %s.", len(content), path), true, nil
}

// escape cuts a text into pieces that can be handed to a program, and of which
// printf %b makes the text again.
func escape(text string) (pieces []string) {
	var b strings.Builder
	for _, r := range text {
		if b.Len()+utf8.UTFMax > longestArg {
			pieces = append(pieces, b.String())
			b.Reset()
		}
		switch r {
		case '\\':
			b.WriteString(`\\`)
		case 0:
			b.WriteString(`\0000`)
		default:
			b.WriteRune(r)
		}
	}
	if b.Len() > 0 {
		pieces = append(pieces, b.String())
	}
	return pieces
}

// mistake tells the model how to call a tool.
func (a *agent) mistake(tool, args, usage string, err error) (string, bool, error) {
	a.note("a call of "+tool, args)
	if err != nil {
		usage += ": " + err.Error()
	}
	return "Nothing was done: " + usage + ".", false, nil
}
