package reporters

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// A Matrix is the part of the results that belongs to one matrix.
type Matrix struct {
	Name    string
	Results []engine.Result
	Summary Summary
}

// Matrices divides results by matrix, in the order of the plan. A matrix of
// which nothing was selected is not there.
func Matrices(results []engine.Result) []Matrix {
	var out []Matrix
	index := map[string]int{}
	for _, r := range results {
		name := r.Trial.ID.Matrix
		i, ok := index[name]
		if !ok {
			i = len(out)
			index[name] = i
			out = append(out, Matrix{Name: name})
		}
		out[i].Results = append(out[i].Results, r)
	}
	for i := range out {
		out[i].Summary = Summarize(out[i].Results)
	}
	return out
}

// A Table groups results by what its rows stand for. Rows are sorted by their
// keys.
type Table struct {
	Columns []string // what the keys of a row are: "agent", "case", …
	Rows    []Row
}

// A Row adds up the results that have its keys.
type Row struct {
	Keys    []string // one for each column; None where there is none
	Summary Summary
}

// None stands in a row for trials that have no model, no category or no tag.
const None = "-"

// DefaultRows is what rows stand for where a report says nothing else.
var DefaultRows = []string{"agent", "model"}

// rowKeys gives the values of a trial for each name that Rows may hold, but for
// those of axes. A case with several tags counts in the row of each, so rows by
// tag overlap.
var rowKeys = map[string]func(*engine.Trial) []string{
	"agent":    func(t *engine.Trial) []string { return []string{t.ID.Agent} },
	"model":    func(t *engine.Trial) []string { return []string{t.ID.Model} },
	"case":     func(t *engine.Trial) []string { return []string{t.ID.Case} },
	"category": func(t *engine.Trial) []string { return []string{Category(t)} },
	"tag":      tags,
}

// keyOf gives the function of rowKeys for a name, or for an axis: "axis.NAME".
// It is nil for anything else.
func keyOf(name string) func(*engine.Trial) []string {
	if axis, ok := strings.CutPrefix(name, "axis."); ok {
		return func(t *engine.Trial) []string { return []string{t.ID.Axis(axis)} }
	}
	return rowKeys[name]
}

// NewTable groups results by rows, which are names out of "agent", "model",
// "case", "category", "tag" and "axis.NAME"; no rows means [DefaultRows]. A model column is
// left out if no trial has a model and another column is left.
func NewTable(results []engine.Result, rows []string) (Table, error) {
	if len(rows) == 0 {
		rows = DefaultRows
	}
	for _, name := range rows {
		if keyOf(name) == nil {
			return Table{}, fmt.Errorf("rows: %q is not one of agent, model, case, category, tag, axis.NAME", name)
		}
	}
	columns := slices.Clone(rows)
	if !slices.ContainsFunc(results, func(r engine.Result) bool { return r.Trial.ID.Model != "" }) {
		columns = slices.DeleteFunc(columns, func(c string) bool { return c == "model" })
	}
	if len(columns) == 0 {
		columns = rows
	}
	return Table{Columns: columns, Rows: group(results, columns)}, nil
}

func group(results []engine.Result, columns []string) []Row {
	keys := map[string][]string{}
	members := map[string][]engine.Result{}
	for _, r := range results {
		for _, k := range keysOf(r.Trial, columns) {
			id := strings.Join(k, "\x00")
			keys[id] = k
			members[id] = append(members[id], r)
		}
	}
	var out []Row
	for id, k := range keys {
		out = append(out, Row{Keys: k, Summary: Summarize(members[id])})
	}
	slices.SortFunc(out, func(a, b Row) int { return slices.Compare(a.Keys, b.Keys) })
	return out
}

// keysOf gives the keys of every row in which the trial counts.
func keysOf(t *engine.Trial, columns []string) [][]string {
	out := [][]string{nil}
	for _, c := range columns {
		var longer [][]string
		for _, prefix := range out {
			for _, v := range keyOf(c)(t) {
				if v == "" {
					v = None
				}
				longer = append(longer, append(slices.Clip(prefix), v))
			}
		}
		out = longer
	}
	return out
}

func tags(t *engine.Trial) []string {
	if t.Case == nil || len(t.Case.Tags) == 0 {
		return []string{""}
	}
	return slices.Compact(slices.Sorted(slices.Values(t.Case.Tags)))
}

// Category is the category of the case of a trial, or empty.
func Category(t *engine.Trial) string {
	return (&engine.Case{Name: t.ID.Case}).Category()
}

// Agent is the agent of a trial with its model, as in a trial id: "react+gpt".
func Agent(id engine.TrialID) string {
	if id.Model == "" {
		return id.Agent
	}
	return id.Agent + "+" + id.Model
}

// A Grid crosses cases with agents. Cells[i][j] is case i given to agent j; nil
// where the matrix has no such cell.
type Grid struct {
	Cases  []string // sorted
	Agents []string // sorted, with their models
	Cells  [][]*Summary
}

// NewGrid crosses results, which should be of one matrix.
func NewGrid(results []engine.Result) Grid {
	type cell struct{ name, agent string }
	members := map[cell][]engine.Result{}
	var g Grid
	for _, r := range results {
		c := cell{r.Trial.ID.Case, Agent(r.Trial.ID)}
		members[c] = append(members[c], r)
		g.Cases, g.Agents = append(g.Cases, c.name), append(g.Agents, c.agent)
	}
	g.Cases, g.Agents = unique(g.Cases), unique(g.Agents)
	for _, name := range g.Cases {
		row := make([]*Summary, len(g.Agents))
		for j, agent := range g.Agents {
			if rs := members[cell{name, agent}]; rs != nil {
				row[j] = new(Summarize(rs))
			}
		}
		g.Cells = append(g.Cells, row)
	}
	return g
}

func unique(words []string) []string {
	slices.Sort(words)
	return slices.Compact(words)
}
