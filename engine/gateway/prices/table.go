package prices

import (
	"cmp"
	_ "embed"
	"encoding/csv"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

//go:embed table.csv
var text string

// table reads the table when somebody first asks. It is a part of the program, and a
// test reads it: one that cannot be read is a bug.
var table = sync.OnceValue(func() index {
	t, err := parse(text)
	if err != nil {
		panic("bench: the table of prices: " + err.Error())
	}
	return t
})

// An index finds prices by who is asked for which model, in lower case.
type index map[name][]Price // of one model: oldest first

type name struct{ provider, id string }

// hosts say who is behind an address, whatever the benchfile calls it.
var hosts = map[string]string{
	"api.anthropic.com":                 "anthropic",
	"api.cerebras.ai":                   "cerebras",
	"api.deepseek.com":                  "deepseek",
	"api.fireworks.ai":                  "fireworks",
	"api.groq.com":                      "groq",
	"api.mistral.ai":                    "mistral",
	"api.moonshot.ai":                   "moonshotai",
	"api.openai.com":                    "openai",
	"api.together.ai":                   "together",
	"api.together.xyz":                  "together",
	"api.x.ai":                          "x-ai",
	"api.z.ai":                          "zai",
	"generativelanguage.googleapis.com": "google",
	"openrouter.ai":                     "openrouter",
}

// ProviderOf is what the table calls a provider: decided by its address, since
// models of one name cost something else, or nothing, elsewhere. It is empty if the
// table has nobody of that address.
func ProviderOf(p *engine.Provider) string {
	u, err := url.Parse(p.BaseURL)
	if err != nil {
		return ""
	}
	return hosts[strings.ToLower(u.Hostname())]
}

// Of is the price of a model at a time. That of the benchfile wins, as a whole;
// without one it is that of the table. False means that it is not known.
func Of(m *engine.Model, at time.Time) (Price, bool) {
	if m.Price != nil {
		return Price{Provider: m.Provider.Name, ID: m.ID, Source: FromBenchfile, Rates: declared(m.Price)}, true
	}
	return Lookup(ProviderOf(m.Provider), m.ID, at)
}

// Known reports whether a model has a price. The table has one for all times of
// every model that is in it.
func Known(m *engine.Model) bool {
	return m.Price != nil || table().find(ProviderOf(m.Provider), m.ID) != nil
}

// Lookup finds the price that the table has for a model at a time. The provider is
// one of the table, as ProviderOf gives it, and the id is as programs write it: an
// alias, with the provider before it ("openai/gpt-5.1") or with a date behind it
// ("gpt-5.1-2025-11-13"). Where the table has the longer id as well, that counts.
func Lookup(provider, id string, at time.Time) (Price, bool) {
	return current(table().find(provider, id), at)
}

// Table gives the prices that hold at a time, sorted by provider and id.
func Table(at time.Time) []Price {
	var out []Price
	for n, dated := range table() {
		if p, ok := current(dated, at); ok && n.id == strings.ToLower(p.ID) {
			out = append(out, p)
		}
	}
	slices.SortFunc(out, func(a, b Price) int {
		return cmp.Or(strings.Compare(a.Provider, b.Provider), strings.Compare(a.ID, b.ID))
	})
	return out
}

// current is the price that holds at a time, of prices with the oldest first.
func current(dated []Price, at time.Time) (Price, bool) {
	day := at.UTC().Format(time.DateOnly)
	for _, p := range slices.Backward(dated) {
		if p.Since <= day {
			return p, true
		}
	}
	return Price{}, false
}

// release is what stands behind the id of a model for one release of it. Google
// counts releases, others date them.
var release = regexp.MustCompile(`[-@](20\d{6}|20\d\d-\d\d-\d\d|00\d)$`)

// find gives the prices of a model, oldest first; nil if there are none.
func (t index) find(provider, id string) []Price {
	id = strings.ToLower(id)
	short := strings.TrimPrefix(strings.TrimPrefix(id, "models/"), provider+"/")
	for _, id := range []string{id, short, release.ReplaceAllString(id, ""), release.ReplaceAllString(short, "")} {
		if dated := t[name{provider, id}]; dated != nil {
			return dated
		}
	}
	return nil
}

// columns are those of the table, in order.
const columns = "provider,id,aliases,since,above,input,output,cached_input,cache_write,cache_write_1h,reasoning,source"

var decimal = regexp.MustCompile(`^\d+(\.\d+)?$`)

// parse reads the table. The rows of a model begin with one for all times, and those
// of later dates follow; after each come those for longer prompts, in order.
func parse(text string) (index, error) {
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(rows) == 0 || strings.Join(rows[0], ",") != columns {
		return nil, fmt.Errorf("the columns are not %s", columns)
	}
	t := index{}
	for i, row := range rows[1:] {
		p, above, err := parseRow(row)
		if err != nil {
			return nil, fmt.Errorf("row %d: %w", i+2, err)
		}
		n := name{p.Provider, strings.ToLower(p.ID)}
		dated := t[n]
		switch last := len(dated) - 1; {
		case above > 0 && last >= 0 && dated[last].Since == p.Since && !slices.ContainsFunc(dated[last].Tiers, func(t Tier) bool { return t.Above >= above }):
			dated[last].Tiers = append(dated[last].Tiers, Tier{Above: above, Rates: p.Rates})
		case above == 0 && (last < 0 && p.Since == "" || last >= 0 && dated[last].Since < p.Since):
			dated = append(dated, p)
		default:
			return nil, fmt.Errorf("row %d: %s of %s is there twice, or out of order", i+2, p.ID, p.Provider)
		}
		t[n] = dated
	}
	return t, t.addAliases()
}

func parseRow(row []string) (p Price, above int64, err error) {
	p = Price{Provider: row[0], ID: row[1], Aliases: strings.Fields(row[2]), Since: row[3], Source: row[11]}
	if p.Since != "" {
		if _, err := time.Parse(time.DateOnly, p.Since); err != nil {
			return p, 0, err
		}
	}
	if row[4] != "" {
		if above, err = strconv.ParseInt(row[4], 10, 64); err != nil || above <= 0 {
			return p, 0, fmt.Errorf("%q is no size of a prompt", row[4])
		}
	}
	for i, to := range []*Rate{&p.Input, &p.Output, &p.CachedInput, &p.CacheWrite, &p.CacheWrite1h, &p.Reasoning} {
		*to = Rate(row[5+i])
		if !decimal.MatchString(row[5+i]) && (row[5+i] != "" || i < 2) {
			return p, 0, fmt.Errorf("%q is no price", row[5+i])
		}
	}
	return p, above, nil
}

// addAliases lets models be found by their other names.
func (t index) addAliases() error {
	aliases := index{}
	for n, dated := range t {
		for _, a := range dated[0].Aliases {
			a := name{n.provider, strings.ToLower(a)}
			if t[a] != nil || aliases[a] != nil {
				return fmt.Errorf("%s of %s is the name of two models", a.id, a.provider)
			}
			aliases[a] = dated
		}
	}
	for a, dated := range aliases {
		t[a] = dated
	}
	return nil
}
