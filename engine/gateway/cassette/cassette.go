// Package cassette keeps what models were asked and what they answered, so that a
// trial can be run again without a key, a network or a bill.
//
//	recorder := cassette.NewRecorder("cassettes/smoke", cassette.Options{Mask: mask})
//	tape, err := recorder.Open(trial)
//	client.Transport = tape.Transport(http.DefaultTransport)
//	...
//	err = tape.Close()
//
//	player := cassette.NewPlayer("cassettes/smoke", cassette.Options{Mask: mask})
//	playback, err := player.Open(trial)
//	client.Transport = playback
//
// A cassette is a directory with one text file for each trial, named by its case,
// agent, model, axes and number, and not by its matrix:
//
//	cassettes/smoke/debugging/off_by_one@react+gpt#1.txt
//
// So trials that run at once never write to one file, and recording one of them
// again changes its own file and nothing else. In a file every call stands with
// its request and its answer:
//
//	bench cassette 1
//	trial debugging/off_by_one@react+gpt#1
//
//	call 1
//	> POST /chat/completions
//	{
//	  "messages": [
//	    {
//	      "content": "Fix the test.\n"
//	        "Change nothing else.",
//	      "role": "user"
//	    }
//	  ],
//	  "model": "gpt-5.1",
//	  "stream": true
//	}
//	< 200
//	< Content-Type: text/event-stream
//	| data: {"choices":[{"delta":{"content":"Done."}}]}
//	|
//	+
//	| data: [DONE]
//	|
//	end
//
// A request is kept in its normal form: JSON with sorted keys, where a string of
// several lines takes several lines, without what changes from run to run. Secrets,
// random ids, dates, durations, addresses, numbers of processes, versions of kernels
// and the names of temporary files have placeholders, and the same id has the same
// one within a request. "= 12" in a request stands for as many lines of the one
// before it in the file: of its beginning if it is the first line, of its end if it
// is the last.
//
// An answer is kept byte for byte, but for secrets. JSON that came in one line
// stands in several. All other bytes are in lines that begin with "| " if a line
// feed ends them, with "^ " if carriage return and line feed do, with "\ " if
// nothing does, and with "~ " if they are no readable text and so in base64. A line
// with "+" is where one chunk of a stream ended and the next began. "cut" instead
// of "end" says that the stream broke there.
package cassette

import (
	"cmp"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// Options are what recorders and players need alike.
type Options struct {
	// Mask takes secrets out of a text, in whatever form they are there. It must
	// leave JSON valid. With nil there are no secrets.
	Mask func([]byte) []byte

	// Name is what errors call the cassette; with "" it is its directory.
	Name string
}

// named gives a name to a cassette that has none.
func (o Options) named(dir string) Options {
	o.Name = cmp.Or(o.Name, dir)
	return o
}

func (o Options) mask(b []byte) []byte {
	if o.Mask == nil {
		return b
	}
	return o.Mask(b)
}

// A Request is what is asked, as the client has written it.
type Request struct {
	Method string
	Path   string // with its query
	Body   []byte
}

// A Response is what was answered.
type Response struct {
	Status int
	Header http.Header // those of keptHeaders
	Chunks [][]byte    // of the body, as they arrived; one at most, unless it is a stream
	Cut    bool        // the stream ended before its end
}

// keptHeaders are the headers of an answer that clients act upon. Others change
// from run to run, or tell whose account it is.
var keptHeaders = []string{"Content-Encoding", "Content-Type", "Retry-After", "Retry-After-Ms", "X-Should-Retry"}

// maxBody bounds a body, in bytes.
const maxBody = 64 << 20

// keyOf names a trial without its matrix.
func keyOf(id engine.TrialID) string { return id.Work() + "#" + strconv.Itoa(id.N) }

// fileOf is where the recording of a trial lies.
func fileOf(dir string, id engine.TrialID) string {
	return filepath.Join(dir, filepath.FromSlash(id.Recording()))
}

// part is the extension of a recording that is not finished.
const part = ".part"

// isStream reports whether the chunks of an answer mean something: those of other
// bodies are as the network happened to deliver them.
func isStream(path string, h http.Header) bool {
	return strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") || strings.Contains(path, ":streamGenerateContent")
}
