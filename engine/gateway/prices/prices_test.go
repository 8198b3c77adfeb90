package prices_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/prices"
)

func day(t *testing.T, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestCost(t *testing.T) {
	cached := prices.Rates{Input: "3", Output: "15", CachedInput: "0.3", CacheWrite: "3.75", CacheWrite1h: "6"}
	plain := prices.Rates{Input: "0.1", Output: "0.4"}
	free := prices.Rates{Input: "0", Output: "0", CachedInput: "0"}
	apart := prices.Rates{Input: "2", Output: "8", Reasoning: "3"}
	tiered := prices.Price{Rates: prices.Rates{Input: "1", Output: "10"}, Tiers: []prices.Tier{
		{Above: 100, Rates: prices.Rates{Input: "2", Output: "20", CachedInput: "1"}},
		{Above: 200, Rates: prices.Rates{Input: "4", Output: "40"}},
	}}
	const unknown = -1
	for _, tt := range []struct {
		name  string
		price prices.Price
		usage prices.Usage
		want  float64
	}{
		{"nothing", prices.Price{Rates: plain}, prices.Usage{}, 0},
		{"nothing, and no price", prices.Price{}, prices.Usage{}, 0},
		{"no price", prices.Price{}, prices.Usage{Input: 1}, unknown},
		{"every part", prices.Price{Rates: cached}, prices.Usage{Input: 1e6, Output: 1e6, CacheRead: 1e6, CacheWrite: 1e6, CacheWrite1h: 1e6}, 28.05},
		{"a token", prices.Price{Rates: plain}, prices.Usage{Input: 1}, 0.0000001},
		{"a sum that binary fractions miss", prices.Price{Rates: plain}, prices.Usage{Input: 1e6, Output: 500_000}, 0.3},
		{"free", prices.Price{Rates: free}, prices.Usage{Input: 5, Output: 5, CacheRead: 5}, 0},
		{"a cache without a price", prices.Price{Rates: plain}, prices.Usage{Input: 1, CacheRead: 1}, unknown},
		{"a cache write without a price", prices.Price{Rates: plain}, prices.Usage{Input: 1, CacheWrite: 1}, unknown},
		{"an hour without a price", prices.Price{Rates: free}, prices.Usage{CacheWrite1h: 1}, unknown},
		{"reasoning is output", prices.Price{Rates: plain}, prices.Usage{Output: 1e6, Reasoning: 900_000}, 0.4},
		{"reasoning apart", prices.Price{Rates: apart}, prices.Usage{Output: 1e6, Reasoning: 1e6}, 3},
		{"reasoning apart, in part", prices.Price{Rates: apart}, prices.Usage{Output: 1e6, Reasoning: 500_000}, 5.5},
		{"more reasoning than output", prices.Price{Rates: apart}, prices.Usage{Output: 1, Reasoning: 2}, unknown},
		{"a negative number", prices.Price{Rates: free}, prices.Usage{Input: -1}, unknown},
		{"more than can be counted", prices.Price{Rates: free}, prices.Usage{Input: math.MaxInt64, CacheRead: 1}, unknown},
		{"a search", prices.Price{Rates: free}, prices.Usage{ServerCalls: 1}, unknown},
		{"below the first size", tiered, prices.Usage{Input: 100, Output: 1}, 0.000110},
		{"above the first size", tiered, prices.Usage{Input: 101, Output: 1}, 0.000222},
		{"cached tokens count as prompt", tiered, prices.Usage{Input: 50, CacheRead: 100}, 0.0002},
		{"above the last size", tiered, prices.Usage{Input: 201}, 0.000804},
		{"a size that has no price for caches", tiered, prices.Usage{Input: 200, CacheRead: 1}, unknown},
		{"a rate that is none", prices.Price{Rates: prices.Rates{Input: "NaN"}}, prices.Usage{Input: 1}, unknown},
	} {
		usd, known := prices.Cost(tt.usage, tt.price)
		if known != (tt.want != unknown) || known && usd != tt.want || !known && usd != 0 {
			t.Errorf("%s: got %v, %v, want %v", tt.name, usd, known, tt.want)
		}
	}
}

// Splitting a call in two never changes what both cost by more than the rounding of
// the results.
func TestCostAddsUp(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	p := prices.Price{Rates: prices.Rates{Input: "2.2288", Output: "0.3432", CachedInput: "0.003625", CacheWrite: "3.125", CacheWrite1h: "9"}}
	part := func() prices.Usage {
		return prices.Usage{Input: r.Int64N(1e9), Output: r.Int64N(1e9), CacheRead: r.Int64N(1e9), CacheWrite: r.Int64N(1e9), CacheWrite1h: r.Int64N(1e9)}
	}
	for range 1000 {
		a, b := part(), part()
		both := prices.Usage{Input: a.Input + b.Input, Output: a.Output + b.Output, CacheRead: a.CacheRead + b.CacheRead, CacheWrite: a.CacheWrite + b.CacheWrite, CacheWrite1h: a.CacheWrite1h + b.CacheWrite1h}
		x, _ := prices.Cost(a, p)
		y, _ := prices.Cost(b, p)
		sum, _ := prices.Cost(both, p)
		if math.Abs(x+y-sum) > sum*1e-15 {
			t.Fatalf("%v + %v = %v", x, y, sum)
		}
	}
}

func TestLookup(t *testing.T) {
	for _, tt := range []struct{ provider, id, at, want string }{
		{"anthropic", "claude-sonnet-5", "2026-09-23", "claude-sonnet-5 2/10"},
		{"anthropic", "Claude-Sonnet-5", "2026-09-23", "claude-sonnet-5 2/10"},
		{"anthropic", "claude-sonnet-4.5", "2026-09-23", "claude-sonnet-4-5 3/15"},
		{"anthropic", "claude-sonnet-4-5-20250929", "2026-09-23", "claude-sonnet-4-5 3/15"},
		{"anthropic", "claude-3-5-haiku-20241022", "2026-09-23", "claude-3-5-haiku-latest 0.8/4"},
		{"anthropic", "anthropic/claude-sonnet-4-5-20250929", "2026-09-23", "claude-sonnet-4-5 3/15"},
		{"openai", "gpt-5.1-2025-11-13", "2026-09-23", "gpt-5.1 1.25/10"},
		{"openai", "openai/gpt-5.1", "2026-09-23", "gpt-5.1 1.25/10"},
		{"openai", "gpt-4o-2024-08-06", "2026-09-23", "gpt-4o 2.5/10"},
		{"openai", "gpt-4o-2024-05-13", "2026-09-23", "gpt-4o-2024-05-13 5/15"}, // which has a price of its own
		{"google", "models/gemini-2.5-pro", "2026-09-23", "gemini-2.5-pro 1.25/10"},
		{"google", "gemini-2.0-flash-001", "2026-09-23", "gemini-2.0-flash 0.1/0.4"},
		{"openrouter", "anthropic/claude-4.5-sonnet-20250929", "2026-09-23", "anthropic/claude-sonnet-4.5 3/15"},
		{"openrouter", "openrouter/openai/gpt-5", "2026-09-23", "openai/gpt-5 1.25/10"},

		{"openai", "o3", "2025-06-09", "o3 10/40"},
		{"openai", "o3", "2025-06-10", "o3 2/8"},
		{"openai", "o3", "2030-01-01", "o3 2/8"},

		{"openai", "gpt-5.1-turbo", "2026-09-23", ""},
		{"openai", "gpt", "2026-09-23", ""},
		{"openai", "", "2026-09-23", ""},
		{"openai", "claude-sonnet-5", "2026-09-23", ""},
		{"openai", "anthropic/claude-sonnet-5", "2026-09-23", ""},
		{"anthropic", "claude-sonnet-5-5", "2026-09-23", ""}, // a model of which the table knows nothing
		{"openrouter", "gpt-5", "2026-09-23", ""},
		{"openrouter", "openai/gpt-5:free", "2026-09-23", ""},
		{"deepseek", "deepseek-chat", "2026-09-23", ""}, // whose price depends on the time of day
		{"", "gpt-5", "2026-09-23", ""},
	} {
		p, ok := prices.Lookup(tt.provider, tt.id, day(t, tt.at))
		got := ""
		if ok {
			got = p.ID + " " + string(p.Input) + "/" + string(p.Output)
		}
		if got != tt.want {
			t.Errorf("%s, %s, %s: got %q, want %q", tt.provider, tt.id, tt.at, got, tt.want)
		}
	}
}

// A date is one of UTC, where the day of a price begins.
func TestLookupInAnotherZone(t *testing.T) {
	west := time.FixedZone("west", -8*3600)
	if p, _ := prices.Lookup("openai", "o3", time.Date(2025, 6, 9, 23, 0, 0, 0, west)); p.Input != "2" {
		t.Errorf("got %s", p.Input)
	}
}

func model(baseURL, id string, price *engine.Price) *engine.Model {
	return &engine.Model{Name: "m", Provider: &engine.Provider{Name: "p", BaseURL: baseURL}, ID: id, Price: price}
}

func TestOf(t *testing.T) {
	at := day(t, "2026-09-23")
	for _, tt := range []struct {
		name  string
		model *engine.Model
		want  string // rates and source
	}{
		{"of the table", model("https://api.openai.com/v1", "gpt-5", nil), "1.25 10 0.125    genai-prices 0.1.8"},
		{"of the table, with a port", model("https://API.openai.com:443/v1", "gpt-5", nil), "1.25 10 0.125    genai-prices 0.1.8"},
		{"the same name elsewhere", model("http://localhost:8000/v1", "gpt-5", nil), ""},
		{"a host that only ends so", model("https://evil-api.openai.com/v1", "gpt-5", nil), ""},
		{"no address", model("", "gpt-5", nil), ""},
		{"no address at all", model("::", "gpt-5", nil), ""},
		{"the benchfile wins, as a whole", model("https://api.openai.com/v1", "gpt-5", &engine.Price{Input: 0.1, Output: 0.2}), "0.1 0.2 0.1 0.1 0.1  benchfile"},
		{"the benchfile has all of it", model("https://api.openai.com/v1", "x", &engine.Price{Input: 3, Output: 15, CachedInput: new(0.3), CacheWrite: new(3.75)}), "3 15 0.3 3.75 3.75  benchfile"},
		{"free", model("http://localhost/v1", "x", &engine.Price{}), "0 0 0 0 0  benchfile"},
	} {
		p, ok := prices.Of(tt.model, at)
		got := ""
		if ok {
			r := p.Rates
			got = strings.Join([]string{string(r.Input), string(r.Output), string(r.CachedInput), string(r.CacheWrite), string(r.CacheWrite1h), string(r.Reasoning), p.Source}, " ")
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
		if prices.Known(tt.model) != ok {
			t.Errorf("%s: Known is %v", tt.name, !ok)
		}
	}
}

// Every model of the table is found by its id and by its aliases, at any time, and
// has the two prices that every call needs.
func TestTable(t *testing.T) {
	for _, at := range []string{"2020-01-01", "2026-03-13", "2026-09-23", "2035-01-01"} {
		all := prices.Table(day(t, at))
		if len(all) < 500 {
			t.Fatalf("%s: the table has %d models", at, len(all))
		}
		for i, p := range all {
			if i > 0 && (all[i-1].Provider > p.Provider || all[i-1].Provider == p.Provider && all[i-1].ID >= p.ID) {
				t.Errorf("%s: %s of %s is out of order", at, p.ID, p.Provider)
			}
			for _, id := range append([]string{p.ID}, p.Aliases...) {
				if got, ok := prices.Lookup(p.Provider, id, day(t, at)); !ok || !cmp.Equal(got, p) {
					t.Errorf("%s: %s of %s is %s", at, id, p.Provider, got.ID)
				}
			}
			if _, known := prices.Cost(prices.Usage{Input: 1, Output: 1, Reasoning: 1}, p); !known {
				t.Errorf("%s: the cost of %s of %s is not known", at, p.ID, p.Provider)
			}
			for _, tier := range p.Tiers {
				if tier.CachedInput == "" != (p.CachedInput == "") || tier.CacheWrite == "" != (p.CacheWrite == "") {
					t.Errorf("%s: %s of %s has other prices above %d", at, p.ID, p.Provider, tier.Above)
				}
			}
		}
	}
}

func TestJSON(t *testing.T) {
	p, _ := prices.Lookup("openai", "gpt-5.4", day(t, "2026-09-23"))
	p.Aliases = nil
	got, err := json.Marshal(p)
	const want = `{"provider":"openai","id":"gpt-5.4","source":"genai-prices 0.1.8","input":2.5,"output":15,"cached_input":0.25,"cache_write":null,"cache_write_1h":null,"reasoning":null,` +
		`"tiers":[{"above":271999,"input":5,"output":22.5,"cached_input":0.5,"cache_write":null,"cache_write_1h":null,"reasoning":null}]}`
	if err != nil || string(got) != want {
		t.Errorf("got\n%s, %v\nwant\n%s", got, err, want)
	}
}
