package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/prices"
	"github.com/ml-dev-bench/bench/engine/gateway/wire"
)

// A Row is what the ledger has of one call. Times are in nanoseconds.
type Row struct {
	N         int           `json:"call"`  // counts from 1
	Began     time.Time     `json:"began"` // UTC
	Family    wire.Family   `json:"family"`
	Upstream  wire.Family   `json:"upstream,omitempty"` // if it differs
	Kind      wire.Kind     `json:"kind"`
	Side      bool          `json:"side,omitempty"` // not of the agent's own loop, as far as can be told
	Stream    bool          `json:"stream,omitempty"`
	Requested string        `json:"requested_model,omitempty"` // by the agent
	Asked     string        `json:"asked_model,omitempty"`     // of the provider
	Served    string        `json:"served_model,omitempty"`    // as the provider says
	Status    int           `json:"status"`                    // that the agent has seen
	Tries     int           `json:"tries"`                     // how often the provider was asked
	Lost      int           `json:"lost,omitempty"`            // tries of which nobody knows the cost: the answer did not come, or broke off
	Refused   string        `json:"refused,omitempty"`         // why the gateway did not ask
	Failure   *wire.Failure `json:"failure,omitempty"`         // of the provider
	Cut       bool          `json:"cut,omitempty"`             // the answer ended before its end
	Gone      bool          `json:"gone,omitempty"`            // the agent did not wait for the end
	Stop      string        `json:"stop,omitempty"`
	Usage     wire.Usage    `json:"usage,omitzero"`
	Doubt     string        `json:"doubt,omitempty"` // why the usage that was told is not believed
	Cost      *float64      `json:"cost_usd,omitempty"`
	Dropped   []string      `json:"dropped,omitempty"` // fields that the translation left out
	Waited    time.Duration `json:"waited_ns"`
	FirstByte time.Duration `json:"first_byte_ns,omitempty"` // of the answer, after the call
	Took      time.Duration `json:"took_ns"`
	Sent      int64         `json:"request_bytes"`
	Got       int64         `json:"response_bytes"`
}

// A ledger sums up rows.
type ledger struct {
	requests, turns, refused int64
	tools                    bool // the agent has offered tools to its model
	answered                 bool // the model of the trial has answered
	sums                     map[string]*int64
	cost                     float64
	costly, counted          bool    // a cost, or a count, is not known
	estimate                 int64   // of tokens, which limits go by
	spent                    float64 // USD, about; the same
	served                   []string
}

// isTurn reports whether a call belongs to the agent's own loop. An agent that
// never gives its model a tool has a loop all the same.
func (l *ledger) isTurn(c wire.Call) bool {
	return c.Kind == wire.KindCompletion && (c.Tools || !l.tools)
}

// turnsBefore is how many turns the agent has made when a call comes. The first one
// with tools shows that those without were none: some agents ask for a title, or
// which model is to work, before they begin.
func (l *ledger) turnsBefore(c wire.Call) int64 {
	if c.Tools && !l.tools {
		return 0
	}
	return l.turns
}

// begin counts a call that is about to be made.
func (l *ledger) begin(c wire.Call) {
	l.requests++
	l.turns = l.turnsBefore(c)
	if l.isTurn(c) {
		l.turns++
	}
	l.tools = l.tools || c.Tools
}

// end books what a call has cost: about so much, in USD, if that is not known.
func (l *ledger) end(r Row, about float64) {
	if r.Refused != "" {
		l.refused++
	}
	if r.Kind != wire.KindCompletion || r.Tries == 0 {
		return
	}
	l.answered = l.answered || r.Stop != ""
	if r.Served != "" && !slices.Contains(l.served, r.Served) {
		l.served = append(l.served, r.Served)
	}
	if r.Lost > 0 {
		l.counted, l.costly = true, true
		l.estimate += int64(r.Lost) * r.Sent / bytesOfToken
	}
	if r.unbilled() {
		return
	}
	if l.sums == nil {
		l.sums = map[string]*int64{}
	}
	for name, n := range map[string]*int64{
		"input": r.Usage.Input, "read": r.Usage.CacheRead, "write": r.Usage.CacheWrite, "output": r.Usage.Output, "reasoning": r.Usage.Reasoning,
	} {
		if n == nil {
			continue
		}
		if l.sums[name] == nil {
			l.sums[name] = new(int64)
		}
		*l.sums[name] += *n
	}
	if total := r.Usage.Total(); total != nil {
		l.estimate += *total
	} else {
		l.counted = true
		l.estimate += (r.Sent + r.Got) / bytesOfToken
	}
	if r.Cost != nil {
		l.cost += *r.Cost
		l.spent += *r.Cost
	} else {
		l.costly = true
		l.spent += about
	}
}

// unbilled reports whether a provider takes nothing for a call: it has answered
// with an error, and nothing before it.
func (r Row) unbilled() bool {
	return r.Failure != nil && r.Failure.Status >= http.StatusBadRequest && r.FirstByte == 0 && r.Usage == wire.Usage{}
}

// reached says which limit is used up, before a call is made; empty if none is.
func (l *ledger) reached(limits engine.Limits, c wire.Call) (engine.Reason, string) {
	turns := l.turnsBefore(c)
	switch {
	case limits.Cost > 0 && l.spent >= limits.Cost:
		return engine.ReasonLimitCost, fmt.Sprintf("%s of %s USD", inUSD(l.spent), inUSD(limits.Cost))
	case limits.Tokens > 0 && l.estimate >= limits.Tokens:
		return engine.ReasonLimitTokens, fmt.Sprintf("%d of %d tokens", l.estimate, limits.Tokens)
	case limits.Requests > 0 && l.requests >= limits.Requests:
		return engine.ReasonLimitRequests, fmt.Sprintf("%d of %d requests", l.requests, limits.Requests)
	case l.isTurn(c) && limits.Turns > 0 && turns >= limits.Turns:
		return engine.ReasonLimitTurns, fmt.Sprintf("%d of %d turns", turns, limits.Turns)
	}
	return "", ""
}

// inUSD writes cents, and what is less than one as it is.
func inUSD(usd float64) string {
	if usd < 0.01 {
		return fmt.Sprintf("%.2g", usd)
	}
	return fmt.Sprintf("%.2f", usd)
}

func (l *ledger) use() Use {
	u := Use{ModelUse: engine.ModelUse{Requests: l.requests, Turns: l.turns, Refused: l.refused, Served: l.served}, AboutCost: l.spent, AboutTokens: l.estimate}
	if !l.costly {
		u.Cost = new(l.cost)
	}
	if l.counted {
		return u
	}
	u.Tokens = new(l.estimate)
	u.Input, u.Output = orZero(l.sums["input"]), orZero(l.sums["output"])
	u.CacheRead, u.CacheWrite, u.Reasoning = l.sums["read"], l.sums["write"], l.sums["reasoning"]
	return u
}

// orZero is a sum of which every part is known.
func orZero(n *int64) *int64 {
	if n == nil {
		return new(int64)
	}
	return n
}

// price works out what a call has cost. Where that is not known it says about how
// much it is, in USD: by the size of what was sent both ways, at the price of the
// trial's model unless there is another.
func (s *Session) price(r *Row) (about float64) {
	if r.Kind != wire.KindCompletion || r.Tries == 0 {
		return 0
	}
	if r.Doubt = doubt(r.Usage, r.Sent, r.Got); r.Doubt != "" {
		r.Usage = wire.Usage{}
	}
	usual, priced := prices.Of(s.trial.Model, r.Began)
	price, ok := usual, priced
	if r.Asked != s.trial.Model.ID {
		if price, ok = prices.Lookup(prices.ProviderOf(s.trial.Model.Provider), r.Asked, r.Began); !ok {
			price = usual
		}
	}
	if ok || priced {
		about, _ = prices.Cost(prices.Usage{Input: r.Sent / bytesOfToken}, price)
		about *= float64(r.Lost)
	}
	cost, known := costOf(r.Usage, price)
	switch {
	case ok && known && r.Lost == 0:
		r.Cost = &cost
		return cost
	case ok && known:
		return cost + about
	case ok || priced:
		cost, _ = prices.Cost(prices.Usage{Input: r.Sent / bytesOfToken, Output: r.Got / bytesOfToken}, price)
	}
	return cost + about
}

// costOf is what a usage costs, if all of it is known.
func costOf(u wire.Usage, price prices.Price) (usd float64, known bool) {
	if u.Input == nil || u.Output == nil {
		return 0, false
	}
	n := func(p *int64) int64 { return *orZero(p) }
	return prices.Cost(prices.Usage{
		Input: n(u.Input), CacheRead: n(u.CacheRead), CacheWrite: n(u.CacheWrite) - n(u.CacheWrite1h), CacheWrite1h: n(u.CacheWrite1h),
		Output: n(u.Output), Reasoning: n(u.Reasoning),
	}, price)
}

// bytesOfToken is about how many bytes a token has.
const bytesOfToken = 4

// hidden is how many tokens a provider may add to a request that the agent does not
// see: its own prompts, and the descriptions of its tools.
const hidden = 100_000

// mostThought is more tokens than any model thinks before it answers.
const mostThought = 10_000_000

// doubt says why a usage cannot be true: a model reads no more tokens than there are
// bytes, but for what its provider adds, and says no more than it sends, but for
// what it thinks. It reads something, too.
func doubt(u wire.Usage, sent, got int64) string {
	total := u.Total()
	switch {
	case total == nil:
		return ""
	case *total == *u.Output:
		return fmt.Sprintf("no tokens of input in a request of %d bytes", sent)
	case *total-*u.Output > sent+hidden:
		return fmt.Sprintf("%d tokens of input in a request of %d bytes", *total-*u.Output, sent)
	case *u.Output-*orZero(u.Reasoning) > got+hidden:
		return fmt.Sprintf("%d tokens of output in an answer of %d bytes", *u.Output-*orZero(u.Reasoning), got)
	case *orZero(u.Reasoning) > mostThought:
		return fmt.Sprintf("%d tokens of reasoning", *u.Reasoning)
	}
	return ""
}
