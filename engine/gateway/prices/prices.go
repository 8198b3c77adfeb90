// Package prices knows what models cost: a dated table that is part of bench, and
// over it what a benchfile says.
//
//	price, ok := prices.Of(model, time.Now())
//	usd, known := prices.Cost(prices.Usage{Input: 1200, CacheRead: 90000, Output: 450}, price)
//
// Unknown is not zero. A model that is not in the table has no price, and tokens of
// a kind that has no price make the cost of the whole call unknown.
//
// The table, table.csv, has list prices in USD per million tokens of text, as they
// are without discounts for batches, surcharges for priority, and regions. Models that
// cost more or less by the time of day are not in it, and neither are those that are
// paid by anything else than tokens. generate.cjs makes it from the data of
// genai-prices, whose licence is in LICENSE-genai-prices.
package prices

import (
	"math"
	"math/big"
	"strconv"

	"github.com/ml-dev-bench/bench/engine"
)

// A Rate is a price in USD per million tokens: a decimal number without sign and
// exponent. The empty Rate is one that is not known.
type Rate string

// exact is the rate as a number; false if it is not known.
func (r Rate) exact() (*big.Rat, bool) {
	if r == "" {
		return nil, false
	}
	return new(big.Rat).SetString(string(r))
}

// MarshalJSON writes a number as it stands in the table, or null.
func (r Rate) MarshalJSON() ([]byte, error) {
	if r == "" {
		return []byte("null"), nil
	}
	return []byte(r), nil
}

// Rates are what the kinds of tokens cost.
type Rates struct {
	Input        Rate `json:"input"` // what is neither read from a cache nor written to one
	Output       Rate `json:"output"`
	CachedInput  Rate `json:"cached_input"`   // input that is read from a cache
	CacheWrite   Rate `json:"cache_write"`    // input that is written to a cache for minutes
	CacheWrite1h Rate `json:"cache_write_1h"` // input that is written to a cache for an hour
	Reasoning    Rate `json:"reasoning"`      // if it differs from Output; else empty
}

// A Price is what a model costs, and where that is known from.
type Price struct {
	Provider string   `json:"provider"` // as the table calls it; of a benchfile, as that does
	ID       string   `json:"id"`       // of the model
	Aliases  []string `json:"aliases,omitempty"`
	Since    string   `json:"since,omitempty"` // the UTC date from which it holds, as in 2026-03-13; empty for always
	Source   string   `json:"source"`          // FromBenchfile, or whose data it is
	Rates
	Tiers []Tier `json:"tiers,omitempty"` // by size
}

// FromBenchfile is the source of a price that a benchfile declares.
const FromBenchfile = "benchfile"

// A Tier has the rates of calls whose prompt is long. They hold for all of the call.
type Tier struct {
	Above int64 `json:"above"` // tokens of the prompt, cached ones included
	Rates
}

// Usage is what a call took, in tokens. No token is in two fields, but Reasoning is a
// part of Output.
type Usage struct {
	Input, CacheRead, CacheWrite, CacheWrite1h int64
	Output, Reasoning                          int64

	// ServerCalls counts the tools that the provider ran, such as searches of the web.
	// They are billed apart, and no price here covers them.
	ServerCalls int64
}

// prompt is how many tokens the model read.
func (u Usage) prompt() int64 { return u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite1h }

// most is how many tokens of one kind a call can have: so many that their sum is still
// a number.
const most = math.MaxInt64 / 8

// Cost is what a call cost: the exact sum, rounded once, to the nearest float64. It
// is not known if any part of the usage that is not zero has no rate, or if the usage
// cannot be: a number that is negative or absurd, or more reasoning than output.
func Cost(u Usage, p Price) (usd float64, known bool) {
	if u.ServerCalls != 0 || u.Reasoning > u.Output {
		return 0, false
	}
	rates := p.ratesFor(u.prompt())
	reasoning := rates.Reasoning
	if reasoning == "" {
		reasoning = rates.Output
	}
	sum := new(big.Rat)
	for _, part := range []struct {
		tokens int64
		rate   Rate
	}{
		{u.Input, rates.Input}, {u.CacheRead, rates.CachedInput}, {u.CacheWrite, rates.CacheWrite}, {u.CacheWrite1h, rates.CacheWrite1h},
		{u.Output - u.Reasoning, rates.Output}, {u.Reasoning, reasoning},
	} {
		if part.tokens == 0 {
			continue
		}
		rate, ok := part.rate.exact()
		if !ok || part.tokens < 0 || part.tokens > most {
			return 0, false
		}
		sum.Add(sum, rate.Mul(rate, new(big.Rat).SetInt64(part.tokens)))
	}
	usd, _ = sum.Quo(sum, big.NewRat(1_000_000, 1)).Float64()
	return usd, true
}

// ratesFor gives the rates for a prompt of so many tokens.
func (p Price) ratesFor(prompt int64) Rates {
	rates := p.Rates
	for _, t := range p.Tiers {
		if prompt > t.Above {
			rates = t.Rates
		}
	}
	return rates
}

// declared are the rates that a benchfile says. It says all of them: what it does not
// name costs what input costs, and writing to any cache costs the same.
func declared(p *engine.Price) Rates {
	r := Rates{Input: rateOf(p.Input), Output: rateOf(p.Output)}
	r.CachedInput, r.CacheWrite = r.Input, r.Input
	if p.CachedInput != nil {
		r.CachedInput = rateOf(*p.CachedInput)
	}
	if p.CacheWrite != nil {
		r.CacheWrite = rateOf(*p.CacheWrite)
	}
	r.CacheWrite1h = r.CacheWrite
	return r
}

// rateOf is the shortest decimal number that is this float: what was written.
func rateOf(f float64) Rate { return Rate(strconv.FormatFloat(f, 'f', -1, 64)) }
