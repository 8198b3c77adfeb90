package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/gateway/prices"
)

type pricesFlags struct {
	suiteFlags
	json bool
}

func newPricesCmd(a *app) *cobra.Command {
	var f pricesFlags
	cmd := &cobra.Command{
		Use:   "prices [FILE]",
		Short: "Show what models cost, and what a benchfile makes of it",
		Long: "prices shows the list prices that bench knows, in USD per million tokens, as they\n" +
			"are today. With a benchfile it begins with the models of that, what each of them\n" +
			"costs and who says so, and marks them in the table with *. A price in a benchfile\n" +
			"wins over the table as a whole. A - is a price that is not known, which is not zero.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return fmt.Errorf("prices takes at most one benchfile: bench %s", cmd.Use)
			}
			return nil
		},
		ValidArgsFunction: completeArgs(benchfiles),
		RunE:              func(_ *cobra.Command, args []string) error { return a.prices(args, &f, time.Now()) },
	}
	f.add(cmd)
	cmd.Flags().BoolVar(&f.json, "json", false, "as JSON")
	return cmd
}

// A priceList is the table at a date, and what a benchfile makes of it.
type priceList struct {
	Schema string         `json:"schema"`
	Date   string         `json:"date"`
	Models []pricedModel  `json:"models,omitempty"` // of the benchfile, sorted by name
	Table  []prices.Price `json:"table"`
}

// A pricedModel is a model of a benchfile.
type pricedModel struct {
	Name     string        `json:"name"`
	Provider string        `json:"provider"` // as the benchfile calls it
	ID       string        `json:"id"`
	File     string        `json:"file"`
	Line     int           `json:"line"`
	Price    *prices.Price `json:"price"`     // null if it is not known
	Instead  *prices.Price `json:"overrides"` // what the table has, if the benchfile says something else
}

func (a *app) prices(args []string, f *pricesFlags, now time.Time) error {
	list := priceList{Schema: "bench.prices/1", Date: now.UTC().Format(time.DateOnly), Table: prices.Table(now)}
	for _, file := range args {
		suite, _, err := a.load(file, &f.suiteFlags)
		if err != nil {
			return err
		}
		for _, m := range suite.Models {
			list.Models = append(list.Models, pricedModelOf(m, now))
		}
	}
	if f.json {
		text, err := json.MarshalIndent(list, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(a.stdout, "%s\n", text)
		return err
	}
	return list.write(a.stdout)
}

func pricedModelOf(m *engine.Model, now time.Time) pricedModel {
	out := pricedModel{Name: m.Name, Provider: m.Provider.Name, ID: m.ID, File: m.Pos.File, Line: m.Pos.Line}
	if p, ok := prices.Of(m, now); ok {
		out.Price = &p
	}
	if p, ok := prices.Lookup(prices.ProviderOf(m.Provider), m.ID, now); ok && m.Price != nil {
		out.Instead = &p
	}
	return out
}

const priceColumns = "input\toutput\tcached_input\tcache_write\tcache_write_1h\treasoning\tsource"

func (l priceList) write(w io.Writer) error {
	used := map[string]bool{} // rows of the table
	row := func(p *prices.Price) string { return p.Provider + "\t" + p.ID }
	tab := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	if len(l.Models) > 0 {
		fmt.Fprintf(tab, "model\tprovider\tid\t%s\n", priceColumns)
	}
	for _, m := range l.Models {
		subject := m.Provider + "\t" + m.ID
		switch {
		case m.Price == nil:
			fmt.Fprintf(tab, "%s\t%s\t%s\tnot known\n", m.Name, subject, cells(prices.Rates{}))
		case m.Price.Source == prices.FromBenchfile:
			fmt.Fprintf(tab, "%s\t%s\t%s\t%s:%d\n", m.Name, subject, cells(m.Price.Rates), m.File, m.Line)
		default:
			used[row(m.Price)] = true
			writePrice(tab, m.Name+"\t"+subject, m.Price, "")
		}
		if m.Instead != nil {
			used[row(m.Instead)] = true
			writePrice(tab, "\t"+subject, m.Instead, ", which the benchfile overrides")
		}
	}
	if len(l.Models) > 0 {
		fmt.Fprintln(tab)
		if err := tab.Flush(); err != nil {
			return err
		}
	}
	fmt.Fprintf(tab, "  provider\tid\t%s\n", priceColumns)
	for _, p := range l.Table {
		mark := "  "
		if used[row(&p)] {
			mark = "* "
		}
		writePrice(tab, mark+row(&p), &p, "")
	}
	return tab.Flush()
}

// writePrice writes a line for a price, and one for each size of prompt that has
// others.
func writePrice(w io.Writer, subject string, p *prices.Price, note string) {
	source := p.Source
	if p.Since != "" {
		source += ", since " + p.Since
	}
	fmt.Fprintf(w, "%s\t%s\t%s\n", subject, cells(p.Rates), source+note)
	for _, t := range p.Tiers {
		fmt.Fprintf(w, "%s\t%s\t%s, for prompts of more than %d tokens\n", subject, cells(t.Rates), source+note, t.Above)
	}
}

// cells are the rates of a line.
func cells(r prices.Rates) string {
	var out []string
	for _, rate := range []prices.Rate{r.Input, r.Output, r.CachedInput, r.CacheWrite, r.CacheWrite1h, r.Reasoning} {
		if rate == "" {
			rate = "-"
		}
		out = append(out, string(rate))
	}
	return strings.Join(out, "\t")
}
