package scripted

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-dev-bench/bench/engine"
)

// Bounds of what a script may say.
const (
	maxText  = 16 << 20 // bytes of a file
	maxPad   = 1 << 30  // bytes
	maxTimes = 10_000
	maxTime  = 24 * time.Hour
)

// Load reads the scripts in a directory, or a single one. What is wrong with them
// is told with its place; the script is of use if none of it is an error.
func Load(tree *engine.Tree) (*Script, engine.Diagnostics) {
	s := &Script{}
	var diags engine.Diagnostics
	for _, e := range tree.Entries {
		if !e.Mode.IsRegular() {
			continue
		}
		name := path.Join(tree.Path, e.Path)
		if len(tree.Entries) == 1 && path.Base(tree.Path) == e.Path {
			name = tree.Path // it is the tree of a single file
		}
		text, err := read(tree, e)
		if err != nil {
			diags = append(diags, engine.Diagnostic{Severity: engine.SeverityError, Summary: "unusable script", Detail: fmt.Sprintf("%s: %v.", name, err), Subject: engine.Range{File: name}})
			continue
		}
		sections, d := parse(name, text)
		s.sections = append(s.sections, sections...)
		diags = append(diags, d...)
	}
	if len(s.sections) == 0 && !diags.HasErrors() {
		diags = append(diags, engine.Diagnostic{Severity: engine.SeverityError, Summary: "an empty script", Detail: fmt.Sprintf("There is no turn in %s. Write a line \"turn\", and one \"text\" below it.", tree.Path), Subject: engine.Range{File: tree.Path}})
	}
	return s, diags
}

// read gives a file as it was when the plan was made.
func read(tree *engine.Tree, e engine.TreeEntry) ([]byte, error) {
	if e.Size > maxText {
		return nil, fmt.Errorf("it has more than %d MiB. Write \"pad\" for an answer that is large", maxText>>20)
	}
	fsys := tree.FS
	if e.From != nil {
		fsys = e.From
	}
	f, err := fsys.Open(e.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, e.Size+1))
	if err == nil && sha256.Sum256(text) != e.Sum {
		err = fmt.Errorf("changed while bench was running; run the command again")
	}
	return text, err
}

// A parser reads the lines of one file.
type parser struct {
	file     string
	lines    []string
	starts   []int // where each begins, in bytes
	at       int   // index of the next line
	sections []*section
	open     bool // the last section may get more lines that say for whom it is
	diags    engine.Diagnostics
	args     map[string]bool // names of arguments of the last call; nil if there can be none
	seen     map[string]bool // lines of the turn that may stand there once
}

func parse(file string, text []byte) ([]*section, engine.Diagnostics) {
	p := &parser{file: file, lines: strings.Split(string(text), "\n")}
	p.starts = make([]int, len(p.lines))
	for i, line := range p.lines[:len(p.lines)-1] {
		p.starts[i+1] = p.starts[i] + len(line) + 1
	}
	if !utf8.Valid(text) {
		p.bad("not UTF-8", "A script is text in UTF-8. Write \"garble utf8\" for an answer that is none.")
		return nil, p.diags
	}
	for p.at < len(p.lines) {
		line := strings.TrimSpace(p.next())
		if line != "" && line[0] != '#' {
			p.line(line)
		}
	}
	for _, s := range p.sections {
		p.finish(s)
	}
	return p.sections, p.diags
}

func (p *parser) next() string {
	line := p.lines[p.at]
	p.at++
	return strings.TrimSuffix(line, "\r")
}

// bad tells of the line that was read last.
func (p *parser) bad(summary, format string, args ...any) {
	p.badAt(max(p.at, 1), summary, fmt.Sprintf(format, args...))
}

// badAt tells of a line, which counts from 1.
func (p *parser) badAt(n int, summary, detail string) {
	line, begin := strings.TrimSuffix(p.lines[n-1], "\r"), p.starts[n-1]
	p.diags = append(p.diags, engine.Diagnostic{
		Severity: engine.SeverityError, Summary: summary, Detail: detail,
		Subject: engine.Range{
			File:  p.file,
			Start: engine.Point{Line: n, Column: 1, Byte: begin},
			End:   engine.Point{Line: n, Column: utf8.RuneCountInString(line) + 1, Byte: begin + len(line)},
		},
	})
}

// line reads one line, and those of a text that begins in it.
func (p *parser) line(line string) {
	word, rest, _ := strings.Cut(line, " ")
	rest = strings.TrimSpace(rest)
	if rest == "=" || strings.HasPrefix(rest, "= ") {
		p.argument(word, strings.TrimSpace(rest[1:]))
		return
	}
	switch word {
	case "case", "model", "tools":
		p.forWhom(word, rest)
		return
	case "turn":
		p.turn(rest)
		return
	}
	if len(p.sections) == 0 || len(p.last().turns) == 0 || p.open {
		p.bad("no turn", "%q belongs to a turn. Write a line \"turn\" before it.", word)
		return
	}
	p.args = nil
	if word != "call" && p.seen[word] {
		p.bad("said twice", "A turn has %q once. Begin another turn.", word)
		return
	}
	p.seen[word] = true
	p.part(&p.last().turns[len(p.last().turns)-1], word, rest)
}

func (p *parser) last() *section { return p.sections[len(p.sections)-1] }

// section is the one that lines before a turn are about.
func (p *parser) section() *section {
	if !p.open {
		p.sections = append(p.sections, &section{file: p.file, line: p.at})
		p.open = true
	}
	return p.last()
}

func (p *parser) forWhom(word, rest string) {
	p.args = nil
	s := p.section()
	names := strings.Fields(rest)
	switch {
	case word == "tools" && (rest == "yes" || rest == "no"):
		s.tools = new(rest == "yes")
	case word == "tools":
		p.bad("unusable tools", "Write \"tools yes\" or \"tools no\".")
	case len(names) == 0:
		p.bad("no name", "Write for which it is, as in \"%s *\", or leave the line out.", word)
	case word == "case":
		s.cases = append(s.cases, names...)
	default:
		s.models = append(s.models, names...)
	}
}

func (p *parser) turn(rest string) {
	p.args, p.seen = nil, map[string]bool{}
	if len(p.sections) == 0 {
		p.section()
	}
	s := p.last()
	if p.open {
		s.line, p.open = p.at, false
	}
	t := turn{line: p.at, times: 1}
	switch n, err := strconv.Atoi(rest); {
	case rest == "always":
		t.times = 0
	case rest != "" && (err != nil || n < 1 || n > maxTimes):
		p.bad("unusable turn", "Write \"turn\", \"turn N\" with a number from 1 to %d, or \"turn always\".", maxTimes)
	case rest != "":
		t.times = n
	}
	if len(s.turns) > 0 && s.turns[len(s.turns)-1].times == 0 {
		p.bad("never reached", "The turn before is given always. Write \"case\", \"model\" or \"tools\" before this one, or put it first.")
	}
	s.turns = append(s.turns, t)
}

// part reads a line of a turn.
func (p *parser) part(t *turn, word, rest string) {
	switch word {
	case "text":
		t.text = p.value(rest)
	case "call":
		p.call(t, rest)
	case "usage":
		p.usage(t, rest)
	case "stop":
		if t.stop = stop(rest); t.stop != stopLength && t.stop != stopFilter {
			p.bad("unusable stop", "Write \"stop length\" or \"stop filter\".")
		}
	case "wait":
		t.wait = p.duration(rest)
	case "pace":
		t.pace = p.duration(rest)
	case "garble":
		if t.garble = rest; rest != "json" && rest != "utf8" {
			p.bad("unusable garble", "Write \"garble json\" or \"garble utf8\".")
		}
	case "pad":
		t.pad = p.size(rest)
	case string(isError), string(hang), string(reset), string(halfClose):
		p.trouble(t, trouble(word), rest)
	default:
		p.bad("unknown word", "A turn has no %q. It has text, call, usage, stop, wait, pace, error, hang, break, close, garble and pad; arguments of a call are written as NAME = JSON.", word)
	}
}

// value reads a text, which may go on in the lines below.
func (p *parser) value(rest string) string {
	word, ok := strings.CutPrefix(rest, "<<")
	if !ok {
		return rest
	}
	if word == "" {
		p.bad("a text without end", "Write a word after <<, as in <<END, and the same word in the line below the text.")
		return ""
	}
	begin := p.at
	var out strings.Builder
	for p.at < len(p.lines) {
		line := p.next()
		if strings.TrimSpace(line) == word {
			return out.String()
		}
		out.WriteString(line + "\n")
	}
	p.at = begin
	p.bad("a text without end", "A line with %q alone must end it.", word)
	p.at = len(p.lines)
	return ""
}

var toolName = regexp.MustCompile(`^[A-Za-z0-9_.:-]{1,128}$`)

func (p *parser) call(t *turn, rest string) {
	if !toolName.MatchString(rest) {
		p.bad("unusable name of a tool", "Write \"call NAME\"; the name has letters, digits, underscores, dots, colons and hyphens.")
	}
	t.calls = append(t.calls, toolCall{name: rest, args: "{}"})
	p.args = map[string]bool{}
}

func (p *parser) argument(name, rest string) {
	multi := strings.HasPrefix(rest, "<<")
	text := p.value(rest)
	switch {
	case p.args == nil:
		p.bad("no call", "%q is an argument, and stands below a line \"call\".", name)
		return
	case p.args[name]:
		p.bad("said twice", "The call has an argument %q already.", name)
		return
	}
	p.args[name] = true
	value := quote(text)
	if !multi {
		var raw bytes.Buffer
		if err := json.Compact(&raw, []byte(text)); err != nil {
			p.bad("not JSON", "The value of an argument is JSON (%v). Texts are in quotation marks, or in lines between <<END and END.", err)
			return
		}
		value = raw.String()
	}
	turns := p.last().turns
	calls := turns[len(turns)-1].calls
	c := &calls[len(calls)-1]
	c.args = strings.TrimSuffix(c.args, "}")
	if c.args != "{" {
		c.args += ","
	}
	c.args += quote(name) + ":" + value + "}"
}

// options reads words of the form NAME=VALUE; the first other word ends them.
func options(rest string, each func(name, value string) bool) (left string) {
	for rest != "" {
		word, more, _ := strings.Cut(rest, " ")
		name, value, ok := strings.Cut(word, "=")
		if !ok || !each(name, value) {
			return rest
		}
		rest = strings.TrimSpace(more)
	}
	return ""
}

func (p *parser) usage(t *turn, rest string) {
	if rest == "none" {
		t.quiet = true
		return
	}
	u := &usage{}
	t.usage = u
	fields := map[string]*int64{"input": &u.input, "cache_read": &u.cacheRead, "cache_write": &u.cacheWrite, "output": &u.output, "reasoning": &u.reasoning}
	left := options(rest, func(name, value string) bool {
		n, err := strconv.ParseInt(value, 10, 32)
		if fields[name] == nil || err != nil || n < 0 {
			return false
		}
		*fields[name] = n
		return true
	})
	switch {
	case left != "" || rest == "":
		p.bad("unusable usage", "Write \"usage none\", or numbers of tokens as in \"usage input=120 cache_read=1000 cache_write=0 output=17 reasoning=4\".")
	case u.reasoning > u.output:
		p.bad("unusable usage", "Output counts reasoning, too, and so cannot be less.")
	}
}

func (p *parser) trouble(t *turn, what trouble, rest string) {
	if t.trouble != noTrouble {
		p.bad("two troubles", "There is %q in this turn already. Begin another turn.", string(t.trouble))
		return
	}
	t.trouble = what
	if what == isError {
		var number string
		number, rest, _ = strings.Cut(rest, " ")
		n, err := strconv.Atoi(number)
		if err != nil || n < 400 || n > 599 {
			p.bad("unusable status", "Write \"error STATUS\", with a status from 400 to 599.")
		}
		t.status = n
	}
	t.message = options(strings.TrimSpace(rest), func(name, value string) bool {
		n, err := strconv.Atoi(value)
		switch {
		case name == "after" && err == nil && n >= 0 && n <= maxTimes:
			t.after = n
		case name == "retry_after" && what == isError:
			t.retryAfter = p.duration(value)
		default:
			return false
		}
		return true
	})
	if t.message != "" && what != isError {
		p.bad("unknown word", "After %q there is nothing but after=N, N being a number of events up to %d.", string(what), maxTimes)
	}
}

func (p *parser) duration(text string) time.Duration {
	d, err := time.ParseDuration(text)
	if err != nil || d < 0 || d > maxTime {
		p.bad("unusable time", "%q is no time from 0 to 24h, such as 1.5s, 200ms or 2m.", text)
		return 0
	}
	return d
}

func (p *parser) size(text string) int {
	number, unit := text, 1
	for suffix, n := range map[string]int{"kB": 1000, "MB": 1000 * 1000, "GB": 1000 * 1000 * 1000} {
		if cut, ok := strings.CutSuffix(text, suffix); ok {
			number, unit = cut, n
		}
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 0 || n > maxPad/unit {
		p.bad("unusable size", "%q is no size up to 1 GiB, such as 500, 20kB or 64MB.", text)
		return 0
	}
	return n * unit
}

// finish looks at what can be seen only when all lines are there.
func (p *parser) finish(s *section) {
	if len(s.turns) == 0 {
		p.badAt(s.line, "no turns", "No turn stands after this. Write a line \"turn\", or remove it.")
	}
	for _, t := range s.turns {
		said := t.text != "" || len(t.calls) > 0 || t.pad > 0
		switch {
		case !said && t.trouble == noTrouble && t.usage == nil && t.stop == "":
			p.badAt(t.line, "an empty turn", "Write what the model says, as in \"text Done.\", or what goes wrong.")
		case t.garble == "utf8" && t.text == "" && t.pad == 0:
			p.badAt(t.line, "nothing to garble", "There are bytes that are no UTF-8 in a text. Write one in this turn.")
		}
	}
	s.turns = slices.Clip(s.turns)
}
