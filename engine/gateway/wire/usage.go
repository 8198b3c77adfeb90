package wire

import (
	"encoding/json"
	"math"
	"strconv"
)

// Usage is what an answer cost, in tokens, the same for every family. Input,
// CacheRead, CacheWrite and Output are apart from each other, and are what is
// billed; the others are parts of these. A nil is not known.
//
// Some providers do not tell what came from a cache from the rest of the input.
// Then Input is all of it, and CacheRead and CacheWrite are nil.
type Usage struct {
	Input        *int64 `json:"input,omitempty"`          // that no cache had and none was given
	CacheRead    *int64 `json:"cache_read,omitempty"`     // that came from a cache
	CacheWrite   *int64 `json:"cache_write,omitempty"`    // that a cache was given
	CacheWrite1h *int64 `json:"cache_write_1h,omitempty"` // of CacheWrite, to keep for an hour, which costs more
	Output       *int64 `json:"output,omitempty"`         // all that the model wrote, reasoning and calls of tools with it
	Reasoning    *int64 `json:"reasoning,omitempty"`      // of Output
}

// Total is the number of all tokens; nil unless both input and output are known.
func (u Usage) Total() *int64 {
	if u.Input == nil || u.Output == nil {
		return nil
	}
	sum := *u.Input + *u.Output
	for _, part := range []*int64{u.CacheRead, u.CacheWrite} {
		if part != nil {
			sum += *part
		}
	}
	return &sum
}

// openaiUsage is what a chat completion says it cost.
//
// prompt_tokens includes what was read from a cache and what was written to one;
// completion_tokens includes reasoning. Source: the usage object in OpenAI's
// reference, platform.openai.com/docs/api-reference/chat/object, and its guide to
// prompt caching; cache_write_tokens is told by models that bill it, from gpt-5.6
// on.
//
// xAI speaks this format and counts reasoning beside completion_tokens; its
// total_tokens gives that away. Source: docs.x.ai, consumption and rate limits:
// reasoning is counted separately from completion_tokens, but in total_tokens.
type openaiUsage struct {
	Prompt        count        `json:"prompt_tokens"`
	Completion    count        `json:"completion_tokens"`
	Total         count        `json:"total_tokens"`
	PromptOf      inputDetails `json:"prompt_tokens_details"`
	CompletionsOf struct {
		Reasoning count `json:"reasoning_tokens"`
	} `json:"completion_tokens_details"`
}

func (u *openaiUsage) usage() Usage {
	v := inclusive(u.Prompt, u.PromptOf)
	reasoning := u.CompletionsOf.Reasoning
	output := u.Completion
	if reasoning.n > 0 && u.Prompt.known && u.Completion.known && u.Total.known && u.Total.n == u.Prompt.n+u.Completion.n+reasoning.n {
		output.n += reasoning.n
	}
	v.Output, v.Reasoning = output.pointer(), reasoning.pointer()
	return v
}

// responsesUsage is what a response of OpenAI's says it cost.
//
// input_tokens includes what was read from a cache and what was written to one;
// output_tokens includes reasoning. Source: ResponseUsage in OpenAI's reference,
// platform.openai.com/docs/api-reference/responses/object.
type responsesUsage struct {
	Input    count        `json:"input_tokens"`
	Output   count        `json:"output_tokens"`
	InputOf  inputDetails `json:"input_tokens_details"`
	OutputOf struct {
		Reasoning count `json:"reasoning_tokens"`
	} `json:"output_tokens_details"`
}

func (u *responsesUsage) usage() Usage {
	v := inclusive(u.Input, u.InputOf)
	v.Output, v.Reasoning = u.Output.pointer(), u.OutputOf.Reasoning.pointer()
	return v
}

type inputDetails struct {
	Cached  count `json:"cached_tokens"`
	Written count `json:"cache_write_tokens"`
}

// inclusive takes apart an input that includes what caches did. Parts that are more
// than the whole leave the rest unknown.
func inclusive(whole count, of inputDetails) Usage {
	rest := count{whole.n - of.Cached.n - of.Written.n, whole.known}
	if rest.n < 0 {
		rest = count{}
	}
	return Usage{Input: rest.pointer(), CacheRead: of.Cached.pointer(), CacheWrite: of.Written.pointer()}
}

// anthropicUsage is what a message says it cost. In a stream it comes in parts: that
// of message_start has the input, and an output of a token or so that means
// nothing; those of message_delta are cumulative, and stand in place of what they
// name.
//
// input_tokens excludes what was read from a cache and what was written to one;
// output_tokens includes thinking. Source: Anthropic's reference of messages: the
// total of the input is the sum of input_tokens, cache_creation_input_tokens and
// cache_read_input_tokens; and MessageDeltaUsage: "cumulative".
//
// A request that compacts its context samples twice, and these counts leave the
// second one out. It is in iterations, and billed. Source: Anthropic's guide to
// compaction at a token threshold.
type anthropicUsage struct {
	sampling
	OutputOf struct {
		Thinking count `json:"thinking_tokens"`
	} `json:"output_tokens_details"`
	Iterations []struct {
		Type string `json:"type"`
		sampling
	} `json:"iterations"`
}

// sampling is what one pass of a model cost.
type sampling struct {
	Input   count `json:"input_tokens"`
	Read    count `json:"cache_read_input_tokens"`
	Written count `json:"cache_creation_input_tokens"`
	Output  count `json:"output_tokens"`
	Lasting struct {
		Hour count `json:"ephemeral_1h_input_tokens"`
	} `json:"cache_creation"`
}

// merge takes what a part names; a null names nothing.
func (u *anthropicUsage) merge(part []byte) {
	before := u.Iterations
	u.Iterations = nil
	_ = json.Unmarshal(part, u) // what does not fit is not known
	if u.Iterations == nil {
		u.Iterations = before
	}
}

func (u *anthropicUsage) usage() Usage {
	s := u.sampling
	for _, i := range u.Iterations {
		if i.Type == "compaction" {
			s = s.plus(i.sampling)
		}
	}
	return Usage{
		Input: s.Input.pointer(), CacheRead: s.Read.pointer(), CacheWrite: s.Written.pointer(), CacheWrite1h: s.Lasting.Hour.pointer(),
		Output: s.Output.pointer(), Reasoning: u.OutputOf.Thinking.pointer(),
	}
}

// plus adds what another pass cost, as far as it says so. What is not known of the
// first stays so.
func (s sampling) plus(t sampling) sampling {
	s.Input.n += t.Input.n
	s.Read.n += t.Read.n
	s.Written.n += t.Written.n
	s.Output.n += t.Output.n
	s.Lasting.Hour.n += t.Lasting.Hour.n
	return s
}

// googleUsage is what a piece of an answer of Google's says all of it cost up to
// then; so the last one counts.
//
// promptTokenCount includes what was read from a cache, and excludes
// toolUsePromptTokenCount; candidatesTokenCount excludes thoughtsTokenCount, which
// is billed as output. Writing a cache is not billed with an answer. Source:
// UsageMetadata in ai.google.dev/api/generate-content: "this is still the total
// effective prompt size", and totalTokenCount as the sum of prompt, thoughts and
// candidates. Counts that are zero are left out, as in all JSON that is made of
// Protocol Buffers (protobuf.dev, ProtoJSON); before the end of a stream, those that
// are not known yet are left out, too.
type googleUsage struct {
	Prompt     count `json:"promptTokenCount"`
	ToolUse    count `json:"toolUsePromptTokenCount"`
	Cached     count `json:"cachedContentTokenCount"`
	Candidates count `json:"candidatesTokenCount"`
	Thoughts   count `json:"thoughtsTokenCount"`
}

func (u googleUsage) usage(ended bool) Usage {
	if u.Prompt.known && ended {
		for _, c := range []*count{&u.ToolUse, &u.Cached, &u.Candidates, &u.Thoughts} {
			c.known = true
		}
	}
	v := inclusive(count{u.Prompt.n + u.ToolUse.n, u.Prompt.known}, inputDetails{Cached: u.Cached, Written: count{known: u.Cached.known}})
	v.Output = count{u.Candidates.n + u.Thoughts.n, u.Candidates.known}.pointer()
	v.Reasoning = u.Thoughts.pointer()
	return v
}

// A count is a number of tokens. Anything else that is in its place is not known.
type count struct {
	n     int64
	known bool
}

// mostTokens is more than any answer has, and few enough that sums are numbers.
const mostTokens = 1e12

// UnmarshalJSON reads a count, and leaves it as it is for a null. There is no error.
func (c *count) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil
	}
	*c = count{}
	n, err := strconv.ParseFloat(string(b), 64)
	if err == nil && n >= 0 && n <= mostTokens && n == math.Trunc(n) {
		*c = count{int64(n), true}
	}
	return nil
}

func (c count) pointer() *int64 {
	if !c.known {
		return nil
	}
	return &c.n
}
