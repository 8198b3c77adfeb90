// Package scripted is a provider whose answers somebody wrote: for demonstrations
// and tests without a key, and for trying what agents and bench do when a provider
// is slow, refuses or breaks off.
//
//	script, diags := scripted.Load(provider.Script)
//	trial := script.Trial("greet")
//	http.Serve(listener, trial)
//	...
//	err := trial.Err() // what was asked and is not in the script
//
// It speaks all four families, plain and streamed: chat completions, responses,
// messages and generateContent. The same script gives the same bytes each time:
// ids count, and no clock is read.
//
// # Scripts
//
// A script is a text file, or a directory of them, which are read one after another
// in the order of their names:
//
//	# What the model answers in greet.
//	case greet
//
//	turn
//	text I write the file.
//	call write_file
//	  path = "hello.txt"
//	  content = <<END
//	Hello, world!
//	END
//	usage input=120 cache_read=1000 output=17
//
//	turn
//	wait 2s
//	error 429 retry_after=3s
//
//	turn
//	text Done.
//
// Each request takes the next turn, also one that repeats the request before. Lines
// that begin with # are for people.
//
// Lines before turns say to which requests these are given. Turns after other such
// lines are counted apart, and a request goes to the first that fit it:
//
//	case NAMES     cases, apart by spaces; * stands for any characters
//	model NAMES    models, as the request names them
//	tools yes|no   whether the request offers tools; titles are asked for without
//
// A turn is given once, N times after "turn N", and without end after "turn always".
// What it holds:
//
//	text TEXT      what the model says
//	call NAME      a tool that it calls; its arguments follow, as NAME = JSON
//	usage ...      tokens: input (not from a cache), cache_read, cache_write, output
//	               (with reasoning), reasoning; "usage none" tells nothing. Without the
//	               line there is one token for each four bytes
//	stop WHY       length or filter: the answer was cut short
//
// A text, or the value of an argument, can have several lines:
//
//	text <<END
//	One.
//	Two.
//	END
//
// What goes wrong in it:
//
//	wait TIME                        before anything is sent
//	pace TIME                        between events of a stream
//	error STATUS [retry_after=TIME] [after=N] [TEXT]
//	hang [after=N]                   nothing more is sent, and the connection stays
//	break [after=N]                  the connection is reset
//	close [after=N]                  the provider's side of it is closed
//	garble json                      JSON is cut in half
//	garble utf8                      the text has bytes that are no UTF-8
//	pad SIZE                         so much more text, as in 64MB
//
// It happens after so many events of a stream, or else before the first byte. A
// plain answer is one of two halves, so that after=1 is in its middle. An error in the
// middle of a stream has the form that the family has for it; plain answers have none,
// and it is sent in place of one.
package scripted

import (
	"fmt"
	"sync"
	"time"
)

// A Script is what is answered. It does not change.
type Script struct {
	sections []*section
}

// A section is some turns, and to which requests they are given.
type section struct {
	file   string
	line   int // of its first turn
	cases  []string
	models []string
	tools  *bool // nil if it is all one
	turns  []turn
}

// A turn answers one request, or several.
type turn struct {
	line  int
	times int // 0 is without end

	text  string
	calls []toolCall
	usage *usage // nil if nobody said
	quiet bool   // no usage is told
	stop  stop
	pad   int // bytes

	wait, pace time.Duration
	trouble    trouble
	after      int // events before the trouble
	status     int // of an error
	retryAfter time.Duration
	message    string
	garble     string // "", "json" or "utf8"
}

// A trouble is how an answer ends too early.
type trouble string

const (
	noTrouble trouble = ""
	isError   trouble = "error"
	hang      trouble = "hang"
	reset     trouble = "break"
	halfClose trouble = "close"
)

// A stop is why an answer was cut short.
type stop string

const (
	stopLength stop = "length"
	stopFilter stop = "filter"
)

type toolCall struct {
	id, name string
	args     string // an object of JSON
}

type usage struct{ input, cacheRead, cacheWrite, output, reasoning int64 }

func (u usage) prompt() int64 { return u.input + u.cacheRead + u.cacheWrite }

// Trial makes the provider of one attempt at a case: it begins with the first
// turns. It can be asked by many at once, and then the order of turns is theirs.
func (s *Script) Trial(caseName string) *Trial {
	return &Trial{script: s, name: caseName, given: map[*section]int{}}
}

// A Trial is an http.Handler that answers what one attempt asks.
type Trial struct {
	script *Script
	name   string
	mu     sync.Mutex
	given  map[*section]int // requests that went to it
	asked  int              // requests that turns were looked for
	err    error
}

// Err is about the first request that the script has no turn for; nil if there was
// none. Such a request is answered with the status 400, which ends every client.
func (t *Trial) Err() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

// next takes the turn for a request, and says which request it is.
func (t *Trial) next(q request) (turn, int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.asked++
	var spent *section
	for _, s := range t.script.sections {
		if !s.fits(t.name, q) {
			continue
		}
		t.given[s]++
		if turn, ok := s.turn(t.given[s]); ok {
			return turn, t.asked, nil
		}
		spent = s
		break
	}
	err := fmt.Errorf("nothing in the script is for the case %q, the model %q and a request %s tools", t.name, q.model, map[bool]string{true: "with", false: "without"}[q.tools])
	if spent != nil {
		err = fmt.Errorf("%s:%d: the turns that begin here are at their end with request %d; write one more, or \"turn always\"", spent.file, spent.line, t.given[spent])
	}
	if t.err == nil {
		t.err = err
	}
	return turn{}, t.asked, err
}

func (s *section) fits(caseName string, q request) bool {
	return anyGlob(s.cases, caseName) && anyGlob(s.models, q.model) && (s.tools == nil || *s.tools == q.tools)
}

// turn is the one for the nth request of the section.
func (s *section) turn(n int) (turn, bool) {
	for _, t := range s.turns {
		if n -= t.times; t.times == 0 || n <= 0 {
			return t, true
		}
	}
	return turn{}, false
}

// anyGlob reports whether one of some patterns fits a name; no patterns fit all.
func anyGlob(patterns []string, name string) bool {
	for _, p := range patterns {
		if glob(p, name) {
			return true
		}
	}
	return len(patterns) == 0
}

// glob matches a pattern in which * stands for any characters.
func glob(pattern, name string) bool {
	star, from := -1, 0 // the last star, and where in the name it begins
	p, n := 0, 0
	for n < len(name) {
		switch {
		case p < len(pattern) && pattern[p] == '*':
			star, from = p, n
			p++
		case p < len(pattern) && pattern[p] == name[n]:
			p++
			n++
		case star >= 0:
			from++
			p, n = star+1, from
		default:
			return false
		}
	}
	for p < len(pattern) && pattern[p] == '*' {
		p++
	}
	return p == len(pattern)
}
