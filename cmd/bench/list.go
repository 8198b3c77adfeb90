package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

type listFlags struct {
	suiteFlags
	selectFlags
	json bool
}

// listKinds is what can be listed, in the order of the help.
var listKinds = []string{"cases", "agents", "models", "matrices", "trials"}

func newListCmd(a *app) *cobra.Command {
	var f listFlags
	cmd := &cobra.Command{
		Use:   "list {cases|agents|models|matrices|trials} FILE",
		Short: "Name what a suite uses, one a line",
		Long:  "list names the cases, agents, models, matrices or trials of a suite, one a line,\nfor scripts and for people. Nothing is run, and no results are read.",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 2 || !slices.Contains(listKinds, args[0]) {
				return fmt.Errorf("list takes a kind and a benchfile: bench %s", cmd.Use)
			}
			return nil
		},
		ValidArgsFunction: completeArgs(words(listKinds...), benchfiles),
		RunE:              func(_ *cobra.Command, args []string) error { return a.list(args[0], args[1], &f) },
	}
	f.suiteFlags.add(cmd)
	f.selectFlags.add(cmd)
	a.completeSelection(cmd, &f.suiteFlags)
	cmd.Flags().BoolVar(&f.json, "json", false, "a JSON array, with what is known of each")
	return cmd
}

// An item is a thing that list names. What does not apply is left out.
type item struct {
	Name        string            `json:"name"`
	Description string            `json:"description,omitempty"`
	Tags        []string          `json:"tags,omitempty"`
	Matrix      string            `json:"matrix,omitempty"`
	Case        string            `json:"case,omitempty"`
	Agent       string            `json:"agent,omitempty"`
	Model       string            `json:"model,omitempty"`
	Provider    string            `json:"provider,omitempty"`
	ID          string            `json:"id,omitempty"`
	Axes        map[string]string `json:"axes,omitempty"`
	Seed        *uint64           `json:"seed,omitempty"`
	Trials      int               `json:"trials"`
	File        string            `json:"file,omitempty"`
	Line        int               `json:"line,omitempty"`
}

func (a *app) list(kind, file string, f *listFlags) error {
	p, err := a.planFresh(file, &f.suiteFlags, &f.selectFlags)
	if err != nil {
		return err
	}
	return writeItems(a.stdout, items(kind, p), f.json)
}

// planFresh plans a suite as if nothing were stored.
func (a *app) planFresh(file string, sf *suiteFlags, sel *selectFlags) (*engine.Plan, error) {
	suite, sources, err := a.load(file, sf)
	if err != nil {
		return nil, err
	}
	o, err := sel.options(suite.Root)
	if err != nil {
		return nil, err
	}
	p, diags := plan.New(suite, nil, o)
	return p, a.show(sources, diags)
}

func writeItems(w io.Writer, all []item, asJSON bool) error {
	if asJSON {
		if all == nil {
			all = []item{}
		}
		text, err := json.MarshalIndent(all, "", "  ")
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(w, "%s\n", text)
		return err
	}
	var b strings.Builder
	for _, i := range all {
		b.WriteString(i.Name + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// items lists what the trials of a plan use.
func items(kind string, p *engine.Plan) []item {
	if kind == "trials" {
		var out []item
		for _, t := range p.Trials {
			seed := t.Seed
			out = append(out, item{Name: t.ID.String(), Matrix: t.ID.Matrix, Case: t.ID.Case, Agent: t.ID.Agent, Model: t.ID.Model, Axes: axesOf(t), Seed: &seed, Trials: 1})
		}
		return out
	}
	found := map[string]*item{}
	var order []string
	for _, t := range p.Trials {
		i := itemOf(kind, t)
		if i.Name == "" {
			continue
		}
		if found[i.Name] == nil {
			found[i.Name] = &i
			order = append(order, i.Name)
		}
		found[i.Name].Trials++
	}
	if kind != "matrices" {
		slices.Sort(order)
	}
	var out []item
	for _, name := range order {
		out = append(out, *found[name])
	}
	return out
}

func itemOf(kind string, t *engine.Trial) item {
	switch kind {
	case "cases":
		return item{Name: t.Case.Name, Description: t.Case.Description, Tags: t.Case.Tags, File: t.Case.Pos.File, Line: t.Case.Pos.Line}
	case "agents":
		return item{Name: t.Agent.Name, File: t.Agent.Pos.File, Line: t.Agent.Pos.Line}
	case "models":
		if t.Model == nil {
			return item{}
		}
		return item{Name: t.Model.Name, Provider: t.Model.Provider.Name, ID: t.Model.ID, Tags: t.Model.Tags, File: t.Model.Pos.File, Line: t.Model.Pos.Line}
	case "matrices":
		return item{Name: t.Matrix.Name, File: t.Matrix.Pos.File, Line: t.Matrix.Pos.Line}
	}
	panic("bench: cannot list " + kind)
}

func axesOf(t *engine.Trial) map[string]string {
	if len(t.Axes) == 0 {
		return nil
	}
	out := map[string]string{}
	for _, p := range t.Axes {
		out[p.Axis] = p.Value.Name
	}
	return out
}
