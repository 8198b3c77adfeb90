// Package wire reads and writes what agents and models say to each other, in the
// four families of formats in which they do: OpenAI's chat completions, OpenAI's
// responses, Anthropic's messages and Google's generateContent.
//
// It is what a gateway between them needs to know, and no more. A request is told
// by how its path ends:
//
//	call := wire.Route(r.Method, r.URL, r.Header, body)
//	body, err := wire.SetModel(call.Family, body, model)
//
// An answer goes through as it is, byte by byte, and a [Folder] that is shown the
// same bytes says afterwards what they cost:
//
//	fold := wire.NewFolder(call.Family)
//	io.Copy(w, io.TeeReader(response.Body, fold))
//	fmt.Println(fold.Answer().Usage)
//
// What a provider says instead of an answer is a [Failure]; what the gateway says
// instead of one is a [Refusal], in the words that make the clients of a family
// give up at once, or wait, as is meant.
//
// Nothing here is strict. Formats gain fields every week, and bytes from the net
// may be anything: what is not understood is passed over, and a count that is not
// known is nil, which is not zero. The package is pure: it opens, sends and logs
// nothing, and time comes in as an argument.
package wire

// A Family is a format in which programs talk to models.
type Family string

// The families. OpenAI has two, which are as different from each other as from
// the rest.
const (
	OpenAI    Family = "openai"    // chat completions
	Responses Family = "responses" // OpenAI's responses
	Anthropic Family = "anthropic" // messages
	Google    Family = "google"    // generateContent
)

// Families lists them.
var Families = []Family{OpenAI, Responses, Anthropic, Google}
