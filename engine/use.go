package engine

import "time"

// ModelUse is what an attempt asked of models, as the gateway counted it: the same
// way for every agent. A nil is an unknown, which is not zero.
type ModelUse struct {
	Requests int64 `json:"requests"`          // to models, side calls included
	Turns    int64 `json:"turns"`             // those of the agent's own loop
	Refused  int64 `json:"refused,omitempty"` // requests that the gateway itself refused

	// Input, CacheRead, CacheWrite and Output are apart from each other, and are
	// what is billed, in tokens. Where a provider does not tell what came from a
	// cache, Input is all of the input.
	Input      *int64 `json:"input_tokens,omitempty"`
	CacheRead  *int64 `json:"cache_read_tokens,omitempty"`
	CacheWrite *int64 `json:"cache_write_tokens,omitempty"`
	Output     *int64 `json:"output_tokens,omitempty"`
	Reasoning  *int64 `json:"reasoning_tokens,omitempty"` // a part of Output

	// Served names the models that have answered, as the provider calls them.
	Served []string `json:"served_models,omitempty"`

	// Waited is the time in which nothing was to be had of the provider: it was at
	// its limit, or failed and was asked again. It is not charged to the agent.
	Waited time.Duration `json:"waited_ns,omitempty"`
}
