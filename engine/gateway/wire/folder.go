package wire

import (
	"bytes"
	"cmp"
	"encoding/json"
)

// An Answer is what a Folder found.
type Answer struct {
	Usage Usage `json:"usage,omitzero"`

	// Model is what the provider says has answered; empty if it does not.
	Model string `json:"model,omitempty"`

	// Stop is why the model ended, in the words of its family: "tool_calls",
	// "end_turn", "max_output_tokens", "STOP". Empty if the answer was cut before
	// it ended. The usage of such an answer is what had been told of it.
	Stop string `json:"stop,omitempty"`

	// Failure is an error within the answer, which may come with the status 200;
	// nil if there is none.
	Failure *Failure `json:"failure,omitempty"`
}

// A Folder reads an answer that is on its way and makes an Answer of it, whether
// that comes as JSON, as an array in pieces or as server-sent events, which it sees
// for itself. It is an io.Writer that takes everything, in pieces of any size; it
// keeps and changes none of it, and needs little memory for answers of any length.
// Bytes that are no answer leave it with nothing known.
//
// It is for one answer, and for one goroutine at a time.
type Folder struct {
	pick  picker
	begun bool
	lines *lines // nil for JSON

	family          Family
	usage           Usage
	message         anthropicUsage
	piece           googleUsage
	model, stop     string
	status, because string // of a response
	failed          []byte // an error, in JSON
	event           responseError
	over            bool // an event says, or Google's may well be, the end of the stream
	ended           bool // and that event is whole
}

// NewFolder makes a folder for an answer of a family.
func NewFolder(f Family) *Folder {
	fold := &Folder{family: f}
	wanted := values[f]
	fold.pick.wanted = func(path []byte) bool { return wanted[string(path)] != nil }
	fold.pick.found = func(path, value []byte) {
		if string(value) != "null" {
			wanted[string(path)](fold, value)
		}
	}
	return fold
}

// Write takes a piece of the answer. It never fails.
func (f *Folder) Write(p []byte) (int, error) {
	for _, c := range p {
		if !f.begun && !f.begin(c) {
			continue
		}
		if f.lines != nil {
			f.lines.feed(c)
		} else {
			f.pick.feed(c)
		}
	}
	return len(p), nil
}

// begin looks at the bytes before an answer, which are white space or the mark of a
// byte order, and says whether this is its first one.
func (f *Folder) begin(c byte) bool {
	switch c {
	case ' ', '\t', '\r', '\n', 0xEF, 0xBB, 0xBF:
		return false
	case '{', '[':
	default:
		f.lines = &lines{data: f.pick.feed, end: f.endEvent}
	}
	f.begun = true
	return true
}

// doneData is the data of the last event of a stream of chat completions. Source:
// platform.openai.com/docs/api-reference/chat/create, stream.
const doneData = "[DONE]"

// endEvent is behind an event of a stream.
func (f *Folder) endEvent() {
	switch f.pick.reset(); f.family {
	case OpenAI:
		f.ended = f.ended || string(f.lines.first) == doneData
	case Google: // whose last event looks like the others
		f.ended, f.over = f.over && f.stop != "", false
	default:
		f.ended = f.ended || f.over
	}
}

// Ended reports whether a stream has said that it is at its end, so that whoever
// reads it may not wait for more. It is never true of an answer that is no stream of
// events, whose end is the end of its bytes.
func (f *Folder) Ended() bool { return f.ended }

// Answer is what was found up to now.
func (f *Folder) Answer() Answer {
	a := Answer{Usage: f.usage, Model: f.model, Stop: f.stop}
	switch f.family {
	case Anthropic:
		a.Usage = f.message.usage()
	case Google:
		a.Usage = f.piece.usage(f.stop != "")
	}
	switch f.status {
	case "completed", "failed", "incomplete", "cancelled":
		if a.Stop = f.status; f.because != "" {
			a.Stop = f.because
		}
	}
	switch {
	case f.failed != nil:
		a.Failure = new(readError(f.family, 0, f.failed))
	case f.event.told:
		a.Failure = new(judged(Failure{Code: f.event.code, Message: f.event.message}, errorBody{}))
	}
	return a
}

// A responseError is an event "error" of a response, whose fields are not in an
// object of their own. Source: ResponseErrorEvent in OpenAI's reference,
// platform.openai.com/docs/api-reference/responses-streaming/error.
type responseError struct {
	told          bool
	code, message string
}

// values says what is taken from an answer of each family, by its path, and by what.
// Those of a plain answer and those of the events of a stream have nothing in
// common that means two things.
var values = map[Family]map[string]func(*Folder, []byte){
	OpenAI: {
		"usage":                 latest((*openaiUsage).usage),
		"model":                 (*Folder).setModel,
		"choices.finish_reason": (*Folder).setStop,
		"error":                 (*Folder).setError,
	},
	Responses: {
		"usage":                              latest((*responsesUsage).usage),
		"model":                              (*Folder).setModel,
		"status":                             func(f *Folder, v []byte) { f.status = stringOf(v) },
		"incomplete_details.reason":          func(f *Folder, v []byte) { f.because = stringOf(v) },
		"error":                              (*Folder).setError,
		"response.usage":                     latest((*responsesUsage).usage),
		"response.model":                     (*Folder).setModel,
		"response.status":                    func(f *Folder, v []byte) { f.status = stringOf(v) },
		"response.incomplete_details.reason": func(f *Folder, v []byte) { f.because = stringOf(v) },
		"response.error":                     (*Folder).setError,
		"type":                               (*Folder).setType,
		"code":                               func(f *Folder, v []byte) { f.event.code = stringOf(v) },
		"message":                            func(f *Folder, v []byte) { f.event.message = stringOf(v) },
	},
	Anthropic: {
		"type":              func(f *Folder, v []byte) { f.over = f.over || stringOf(v) == "message_stop" },
		"usage":             func(f *Folder, v []byte) { f.message.merge(v) },
		"model":             (*Folder).setModel,
		"stop_reason":       (*Folder).setStop,
		"error":             (*Folder).setError,
		"message.usage":     (*Folder).startMessage,
		"message.model":     (*Folder).setModel,
		"delta.stop_reason": (*Folder).setStop,
	},
	Google: {
		"usageMetadata":              (*Folder).setPiece,
		"modelVersion":               (*Folder).setModel,
		"candidates.finishReason":    (*Folder).setStop,
		"promptFeedback.blockReason": (*Folder).setStop,
		"error":                      (*Folder).setError,
	},
}

// latest reads usage that stands in place of what was told before.
func latest[U any](usage func(*U) Usage) func(*Folder, []byte) {
	return func(f *Folder, value []byte) {
		u := new(U)
		_ = json.Unmarshal(value, u) // what does not fit is not known
		f.usage = usage(u)
	}
}

// startMessage reads the usage at the start of a stream, whose output is none.
func (f *Folder) startMessage(value []byte) {
	f.message.merge(value)
	f.message.Output = count{}
}

// setPiece reads the usage of a piece of Google's.
func (f *Folder) setPiece(value []byte) {
	f.piece, f.over = googleUsage{}, true
	_ = json.Unmarshal(value, &f.piece) // what does not fit is not known
}

// setType reads the name of an event of a response.
func (f *Folder) setType(value []byte) {
	switch stringOf(value) {
	case "error":
		f.event.told, f.over = true, true
	case "response.completed", "response.incomplete", "response.failed":
		f.over = true
	}
}

func (f *Folder) setModel(value []byte) { f.model = cmp.Or(stringOf(value), f.model) }

func (f *Folder) setStop(value []byte) { f.stop = cmp.Or(stringOf(value), f.stop) }

func (f *Folder) setError(value []byte) { f.failed = bytes.Clone(value) }

// lines reads server-sent events, as the HTML standard has them (section 9.2.6),
// and gives away what they hold as it comes. Lines end with \n, \r\n or \r; a line
// that is neither "data" nor empty is passed over. Data in several lines is put
// together without the \n that belongs between them, which JSON does not need.
type lines struct {
	data func(byte) // of an event
	end  func()     // of an event

	at       place
	name     []byte // of the field, as far as it matters
	first    []byte // of the data of the event, as far as it matters
	returned bool   // the last byte was \r
}

// A place within a line.
type place int

const (
	inName  place = iota
	inSpace       // behind the colon
	inData
	inOther // fields and comments that do not matter
)

const dataField = "data"

func (l *lines) feed(c byte) {
	if l.returned && c == '\n' {
		l.returned = false
		return
	}
	l.returned = c == '\r'
	switch {
	case c == '\n' || c == '\r':
		l.endLine()
	case l.at == inName && c == ':':
		if l.at = inOther; string(l.name) == dataField {
			l.at = inSpace
		}
	case l.at == inName:
		if len(l.name) <= len(dataField) {
			l.name = append(l.name, c)
		}
	case l.at == inSpace && c == ' ':
		l.at = inData
	case l.at == inSpace || l.at == inData:
		l.at = inData
		if len(l.first) <= len(doneData) {
			l.first = append(l.first, c)
		}
		l.data(c)
	}
}

func (l *lines) endLine() {
	if l.at == inName && len(l.name) == 0 {
		l.end()
		l.first = l.first[:0]
	}
	l.at, l.name = inName, l.name[:0]
}
