package main

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine"
)

type graphFlags struct {
	suiteFlags
	selectFlags
	format string
	trials bool
	status bool
}

var graphFormats = []string{"text", "dot", "mermaid", "json"}

func newGraphCmd(a *app) *cobra.Command {
	var f graphFlags
	cmd := &cobra.Command{
		Use:   "graph FILE",
		Short: "Draw what a suite runs, and what waits for what",
		Long: "graph draws a suite: images, looks into them (lint), assets, matrices, gates and reports, and what each waits for.\n\n" +
			"  bench graph suite.hcl --format dot | dot -Tsvg > suite.svg\n" +
			"  bench graph suite.hcl --format mermaid",
		Args:              oneFile,
		ValidArgsFunction: completeArgs(benchfiles),
		RunE:              func(_ *cobra.Command, args []string) error { return a.graph(args[0], &f) },
	}
	f.suiteFlags.add(cmd)
	f.selectFlags.add(cmd)
	f.driver.add(cmd)
	a.completeSelection(cmd, &f.suiteFlags)
	cmd.Flags().StringVar(&f.format, "format", "text", "text, dot, mermaid or json")
	cmd.Flags().BoolVar(&f.trials, "trials", false, "draw every trial, not only matrices")
	cmd.Flags().BoolVar(&f.status, "status", false, "show how trials ended when they last ran")
	if err := cmd.RegisterFlagCompletionFunc("format", cobra.FixedCompletions(graphFormats, cobra.ShellCompDirectiveNoFileComp)); err != nil {
		panic(err) // the flag is three lines above
	}
	return cmd
}

func (a *app) graph(file string, f *graphFlags) error {
	if !slices.Contains(graphFormats, f.format) {
		return fmt.Errorf("graph: --format is one of %s, not %q.%s", strings.Join(graphFormats, ", "), f.format, didYouMean(f.format, graphFormats))
	}
	w, err := a.planWork(file, &f.suiteFlags, &f.selectFlags)
	if err != nil {
		return err
	}
	g := draw(w.plan, f.trials, f.status)
	switch f.format {
	case "dot":
		return g.dot(a.stdout)
	case "mermaid":
		return g.mermaid(a.stdout)
	case "json":
		return g.json(a.stdout)
	}
	return g.text(a.stdout)
}

// A drawing is a graph of steps, for people and for programs that draw. An edge
// leads from what is waited for to what waits.
type drawing struct {
	Schema string        `json:"schema"`
	Suite  string        `json:"suite"`
	Nodes  []drawingNode `json:"nodes"`
	Edges  []drawingEdge `json:"edges"`
	index  map[string]bool
}

type drawingNode struct {
	ID     string `json:"id"`
	Kind   string `json:"kind"` // image, lint, asset, run, check, matrix, gate, report
	Label  string `json:"label"`
	Matrix string `json:"matrix,omitempty"` // of a run or a check
	Status string `json:"status,omitempty"` // as stored
}

type drawingEdge struct {
	From string `json:"from"`
	To   string `json:"to"`
	Kind string `json:"kind"` // input, needs, after, reads
}

func draw(p *engine.Plan, trials, status bool) *drawing {
	g := &drawing{Schema: "bench.graph/1", Suite: p.Suite.Name, Nodes: []drawingNode{}, Edges: []drawingEdge{}, index: map[string]bool{}}
	byMatrix := map[*engine.Matrix][]*engine.Trial{}
	for _, t := range p.Trials {
		byMatrix[t.Matrix] = append(byMatrix[t.Matrix], t)
		g.inputs(t, trials)
	}
	for _, m := range p.Suite.Matrices {
		if len(byMatrix[m]) == 0 {
			continue
		}
		id := "matrix." + m.Name
		node := drawingNode{ID: id, Kind: "matrix", Label: fmt.Sprintf("%s: %s", id, plural(len(byMatrix[m]), "trial"))}
		if status {
			node.Status = statusOf(byMatrix[m])
		}
		for _, t := range byMatrix[m] {
			g.trial(t, id, trials, status)
		}
		g.node(node)
	}
	g.order(p.Suite)
	return g
}

// inputs adds the images and the assets of a trial, and the look into the image of
// its agent.
func (g *drawing) inputs(t *engine.Trial, trials bool) {
	add := func(id engine.StepID) {
		g.node(drawingNode{ID: string(id), Kind: "image", Label: string(id)})
	}
	add(t.Check.Image)
	add(t.Run.Image)
	for _, id := range t.Run.Services {
		add(id)
	}
	if t.Check.Image != t.Run.Image {
		g.edge(string(t.Check.Image), string(t.Run.Image), "input")
	}
	g.node(drawingNode{ID: string(t.Run.Lint), Kind: "lint", Label: string(t.Run.Lint)})
	g.edge(string(t.Run.Image), string(t.Run.Lint), "input")
	for _, s := range t.Run.Assets {
		g.node(drawingNode{ID: string(s.ID), Kind: "asset", Label: fmt.Sprintf("%s, %s", s.ID, s.Variant)})
		if s.Image != "" {
			add(s.Image)
			g.edge(string(s.Image), string(s.ID), "input")
		}
	}
	if !trials {
		g.use(t, "matrix."+t.ID.Matrix)
	}
}

// use draws what the run of a trial needs.
func (g *drawing) use(t *engine.Trial, user string) {
	for _, id := range t.Run.Needs() {
		if id != t.Run.Image { // the look into it leads there
			g.edge(string(id), user, "input")
		}
	}
}

// trial adds the two steps of a trial. Those that two trials share are drawn
// once.
func (g *drawing) trial(t *engine.Trial, matrix string, trials, status bool) {
	if !trials {
		return
	}
	run, check := string(t.Run.ID), string(t.Check.ID)
	end := ""
	if status {
		end = statusOf([]*engine.Trial{t})
	}
	g.node(drawingNode{ID: run, Kind: "run", Label: run, Matrix: t.ID.Matrix})
	g.node(drawingNode{ID: check, Kind: "check", Label: check, Matrix: t.ID.Matrix, Status: end})
	g.use(t, run)
	g.edge(run, check, "input")
	g.edge(check, matrix, "input")
}

// order adds gates and reports, and what waits for what.
func (g *drawing) order(s *engine.Suite) {
	for _, gate := range s.Gates {
		id := "gate." + gate.Name
		g.node(drawingNode{ID: id, Kind: "gate", Label: id})
		for _, m := range gate.Condition.Matrices {
			g.edge("matrix."+m, id, "reads")
		}
		for _, other := range gate.Condition.Gates {
			g.edge("gate."+other, id, "reads")
		}
	}
	for _, m := range s.Matrices {
		id := "matrix." + m.Name
		for _, d := range m.Needs {
			g.edge(d.Ref(), id, "needs")
		}
		for _, d := range m.After {
			g.edge(d.Ref(), id, "after")
		}
		if m.If != nil {
			for _, other := range m.If.Matrices {
				g.edge("matrix."+other, id, "reads")
			}
			for _, gate := range m.If.Gates {
				g.edge("gate."+gate, id, "reads")
			}
		}
	}
	for _, r := range s.Reports {
		id := "report." + r.Format + ":" + r.Path
		g.node(drawingNode{ID: id, Kind: "report", Label: r.Format + " report " + r.Path})
		for _, m := range r.Matrices {
			g.edge("matrix."+m.Name, id, "input")
		}
	}
	// A selection may have left out what these wait for.
	g.Edges = slices.DeleteFunc(g.Edges, func(e drawingEdge) bool { return !g.index[e.From] || !g.index[e.To] })
}

func (g *drawing) node(n drawingNode) {
	if !g.index[n.ID] {
		g.index[n.ID] = true
		g.Nodes = append(g.Nodes, n)
	}
}

func (g *drawing) edge(from, to, kind string) {
	e := drawingEdge{from, to, kind}
	if key := from + "\x00" + to + "\x00" + kind; !g.index[key] {
		g.index[key] = true
		g.Edges = append(g.Edges, e)
	}
}

// statusOf is the outcome that trials share as it is stored: "passed", "failed",
// "mixed", or "pending" if one of them still has to run.
func statusOf(trials []*engine.Trial) string {
	status := ""
	for _, t := range trials {
		if t.Reuse.Sign != engine.SignSame {
			return "pending"
		}
		s := storedOutcome(t).Status.String()
		if status != "" && s != status {
			return "mixed"
		}
		status = s
	}
	return status
}

func (g *drawing) json(w io.Writer) error {
	text, err := json.MarshalIndent(g, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s\n", text)
	return err
}

var dotShapes = map[string]string{"image": "cylinder", "lint": "box", "asset": "cylinder", "run": "box", "check": "box", "matrix": "folder", "gate": "diamond", "report": "note"}

// Colours only repeat what the label says.
var statusColors = map[string]string{"passed": "palegreen", "failed": "lightcoral", "mixed": "khaki", "pending": "lightgrey"}

func (n drawingNode) text() string {
	if n.Status == "" {
		return n.Label
	}
	return n.Label + " (" + n.Status + ")"
}

func (g *drawing) dot(w io.Writer) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %q {\n  rankdir=LR\n  node [fontname=\"sans-serif\"]\n", g.Suite)
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %q [label=%q shape=%s", n.ID, n.text(), dotShapes[n.Kind])
		if n.Status != "" {
			fmt.Fprintf(&b, " style=filled fillcolor=%s", statusColors[n.Status])
		}
		b.WriteString("]\n")
	}
	for _, e := range g.Edges {
		fmt.Fprintf(&b, "  %q -> %q", e.From, e.To)
		if e.Kind != "input" {
			style := "solid"
			if e.Kind == "after" {
				style = "dashed"
			}
			fmt.Fprintf(&b, " [label=%q style=%s]", e.Kind, style)
		}
		b.WriteByte('\n')
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// mermaid writes the graph in the language of Markdown viewers. Its ids are
// numbers, since names may hold what it takes for syntax.
func (g *drawing) mermaid(w io.Writer) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	for i, n := range g.Nodes {
		ids[n.ID] = fmt.Sprintf("n%d", i)
		open, end := "[", "]"
		switch n.Kind {
		case "image", "asset":
			open, end = "[(", ")]"
		case "gate":
			open, end = "{", "}"
		case "report":
			open, end = "[/", "/]"
		}
		fmt.Fprintf(&b, "  n%d%s\"%s\"%s\n", i, open, strings.ReplaceAll(n.text(), `"`, "#quot;"), end)
		if n.Status != "" {
			fmt.Fprintf(&b, "  style n%d fill:%s\n", i, statusColors[n.Status])
		}
	}
	for _, e := range g.Edges {
		arrow := "-->"
		switch e.Kind {
		case "after":
			arrow = "-.->|after|"
		case "needs", "reads":
			arrow = "-->|" + e.Kind + "|"
		}
		fmt.Fprintf(&b, "  %s %s %s\n", ids[e.From], arrow, ids[e.To])
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// text lists every node with what it waits for.
func (g *drawing) text(w io.Writer) error {
	into := map[string][]drawingEdge{}
	for _, e := range g.Edges {
		into[e.To] = append(into[e.To], e)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "suite %s\n", g.Suite)
	for _, n := range g.Nodes {
		fmt.Fprintf(&b, "  %s\n", n.text())
		for _, e := range into[n.ID] {
			verb := map[string]string{"input": "from", "needs": "needs", "after": "after", "reads": "reads"}[e.Kind]
			fmt.Fprintf(&b, "    %s %s\n", verb, e.From)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}
