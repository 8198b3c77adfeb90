package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
	"github.com/ml-dev-bench/bench/reporters"
)

// writePlan shows a plan: totals, a line for each matrix, below it what changed,
// or with long every trial, and then what all of it takes.
func writePlan(w io.Writer, p *engine.Plan, long bool) error {
	var b strings.Builder
	fmt.Fprintf(&b, "suite %s: %s%s\n\n", p.Suite.Name, describeSigns(p.Trials), describeImages(p))
	byMatrix := map[*engine.Matrix][]*engine.Trial{}
	for _, t := range p.Trials {
		byMatrix[t.Matrix] = append(byMatrix[t.Matrix], t)
	}
	writeMatrices(&b, p, byMatrix, long)
	if n := len(p.Gone); n > 0 {
		writeGone(&b, p.Gone, long)
	}
	b.WriteByte('\n')
	for _, line := range describeWork(p) {
		b.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func writeMatrices(b *strings.Builder, p *engine.Plan, byMatrix map[*engine.Matrix][]*engine.Trial, long bool) {
	var names, shapes []string
	var shown []*engine.Matrix
	for _, m := range p.Suite.Matrices {
		if len(byMatrix[m]) == 0 && p.Left[m.Name] == 0 {
			continue
		}
		shown = append(shown, m)
		names = append(names, "matrix."+m.Name)
		shapes = append(shapes, describeShape(m))
	}
	nameWidth, shapeWidth := widest(names), widest(shapes)
	for i, m := range shown {
		trials := byMatrix[m]
		fmt.Fprintf(b, "  %s %-*s  %-*s  %s%s\n", worst(trials), nameWidth, names[i], shapeWidth, shapes[i], describeSigns(trials), describeLeft(p.Left[m.Name]))
		if long {
			writeTrials(b, trials)
		} else {
			writeChanges(b, trials)
		}
		for _, line := range describeOrder(m) {
			fmt.Fprintf(b, "      %s\n", line)
		}
	}
}

func widest(all []string) int {
	width := 0
	for _, s := range all {
		width = max(width, len(s))
	}
	return width
}

// worst is the sign that stands for a matrix: that of its first trial with work.
func worst(trials []*engine.Trial) string {
	if len(trials) == 0 {
		return " "
	}
	sign := engine.SignSame
	for _, s := range []engine.Sign{engine.SignAgain, engine.SignRegrade, engine.SignChanged, engine.SignNew} {
		if slices.ContainsFunc(trials, func(t *engine.Trial) bool { return t.Reuse.Sign == s }) {
			sign = s
		}
	}
	return sign.String()
}

// describeShape is the crossing as the matrix declares it.
func describeShape(m *engine.Matrix) string {
	parts := []string{plural(len(m.Cases), "case"), plural(len(m.Agents), "agent")}
	if len(m.Models) > 0 {
		parts = append(parts, plural(len(m.Models), "model"))
	}
	for _, a := range m.Axes {
		parts = append(parts, fmt.Sprintf("%d %s", len(a.Values), a.Name))
	}
	if m.Trials > 1 {
		parts = append(parts, plural(m.Trials, "trial"))
	}
	return strings.Join(parts, " x ")
}

func describeSigns(trials []*engine.Trial) string {
	count := map[engine.Sign]int{}
	for _, t := range trials {
		count[t.Reuse.Sign]++
	}
	parts := []string{plural(len(trials), "trial")}
	for _, s := range []struct {
		sign engine.Sign
		word string
	}{{engine.SignNew, "new"}, {engine.SignChanged, "changed"}, {engine.SignRegrade, "to be graded again"}, {engine.SignAgain, "to be tried again"}, {engine.SignSame, "reused"}} {
		if n := count[s.sign]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.word))
		}
	}
	return strings.Join(parts, ", ")
}

func describeLeft(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("; %d not selected", n)
}

// describeOrder says what a matrix waits for.
func describeOrder(m *engine.Matrix) []string {
	refs := func(all []engine.Dependency) string {
		var out []string
		for _, d := range all {
			out = append(out, d.Ref())
		}
		return strings.Join(out, ", ")
	}
	var lines []string
	if len(m.Needs) > 0 {
		lines = append(lines, "needs "+refs(m.Needs))
	}
	if len(m.After) > 0 {
		lines = append(lines, "after "+refs(m.After))
	}
	if m.If != nil {
		lines = append(lines, "if "+m.If.Text)
	}
	return lines
}

func describeImages(p *engine.Plan) string {
	images, layers, services, lints := 0, 0, 0, 0
	for _, s := range p.Steps {
		switch s := s.(type) {
		case *engine.ImageStep:
			switch {
			case s.Service != nil:
				services++
			case s.Base == "":
				images++
			default:
				layers++
			}
		case *engine.LintStep:
			lints++
		}
	}
	text := ""
	if images > 0 {
		text = "; " + plural(images, "image")
	}
	if layers > 0 {
		text += ", " + plural(layers, "agent layer")
	}
	if services > 0 {
		text += ", " + plural(services, "service image")
	}
	if lints > 0 {
		text += ", " + plural(lints, "lint")
	}
	if assets := describeAssets(p); assets != "" {
		text += "; assets: " + assets
	}
	return text
}

// writeTrials lists every trial.
func writeTrials(b *strings.Builder, trials []*engine.Trial) {
	for _, t := range trials {
		fmt.Fprintf(b, "      %s %s", t.Reuse.Sign, t.ID)
		switch {
		case len(t.Reuse.Changed) > 0:
			fmt.Fprintf(b, "   %s", describeChanges(t.Reuse.Changed))
		case t.Reuse.Sign == engine.SignSame:
			fmt.Fprintf(b, "   %s", storedOutcome(t))
		}
		b.WriteByte('\n')
	}
}

// storedOutcome is the verdict of a trial that is reused.
func storedOutcome(t *engine.Trial) engine.Outcome {
	if t.Reuse.Grade != nil {
		return t.Reuse.Grade.Outcome
	}
	return t.Reuse.Attempt.Outcome
}

// maxChanges is how many lines of changes a matrix gets.
const maxChanges = 10

// writeChanges names the parts that changed. Neighbouring trials of a cell whose
// changes are alike share a line.
func writeChanges(b *strings.Builder, trials []*engine.Trial) {
	lines, hidden := 0, 0
	for i := 0; i < len(trials); {
		t := trials[i]
		if t.Reuse.Sign != engine.SignChanged && t.Reuse.Sign != engine.SignRegrade {
			i++
			continue
		}
		end := i + 1
		for end < len(trials) && alike(trials[end], t) {
			end++
		}
		if lines++; lines <= maxChanges {
			name := strings.TrimPrefix(t.ID.String(), t.ID.Matrix+"/")
			if end > i+1 {
				name += ".." + strconv.Itoa(trials[end-1].ID.N)
			}
			fmt.Fprintf(b, "      %s %s   %s\n", t.Reuse.Sign, name, describeChanges(t.Reuse.Changed))
		} else {
			hidden += end - i
		}
		i = end
	}
	if hidden > 0 {
		fmt.Fprintf(b, "      and %s more that changed; --long lists them\n", plural(hidden, "trial"))
	}
}

func alike(t, first *engine.Trial) bool {
	return t.ID.Cell() == first.ID.Cell() && t.Reuse.Sign == first.Reuse.Sign && slices.Equal(t.Reuse.Changed, first.Reuse.Changed)
}

// describeChanges names what changed, and shows the old and the new value of
// what is short enough to be read.
func describeChanges(changes []engine.Change) string {
	if len(changes) == 0 {
		return "graded for the first time"
	}
	var parts []string
	for _, c := range changes {
		if readable(c.Old) && readable(c.New) {
			parts = append(parts, fmt.Sprintf("%s %s -> %s", c.Name, c.Old, c.New))
		} else {
			parts = append(parts, c.Name)
		}
	}
	return strings.Join(parts, ", ")
}

// readable reports whether a part of a key is a value, and not a digest.
func readable(value string) bool {
	return value != "" && len(value) <= 40 && !strings.HasPrefix(value, "sha256:")
}

func writeGone(b *strings.Builder, gone []engine.TrialID, long bool) {
	fmt.Fprintf(b, "  - %s stored, which the suite no longer has: kept, not counted\n", plural(len(gone), "trial"))
	if !long {
		return
	}
	for _, id := range gone {
		fmt.Fprintf(b, "      - %s\n", id)
	}
}

// describeWork says what a plan needs, and what it takes.
func describeWork(p *engine.Plan) []string {
	switch {
	case len(p.Trials) == 0:
		return []string{"Nothing to do: no trial is selected."}
	case len(p.Steps) == 0:
		return []string{"Nothing to do: every trial has a verdict."}
	}
	powers := "none"
	if all := plan.Powers(p); len(all) > 0 {
		powers = strings.Join(all, ", ")
	}
	lines := []string{"powers   " + powers}
	if len(p.Uncertified) > 0 {
		lines = append(lines, "cases    "+describeUncertified(p))
	}
	if p.Driver == engine.DriverLocal {
		lines = append(lines, "weak     "+local.Weakness)
	}
	w := plan.WorstCase(p)
	if w.Runs == 0 {
		return append(lines, "No agent runs; stored work is graded again.")
	}
	for _, w := range describeWeaknesses(p) {
		lines = append(lines, "weak     "+w)
	}
	if runtimes := describeRuntimes(p); runtimes != "" {
		lines = append(lines, "runtime  "+runtimes)
	}
	if services := describeServices(p); services != "" {
		lines = append(lines, "services "+services)
	}
	if hosts := describeHosts(p); hosts != "" {
		lines = append(lines, "hosts    "+hosts)
	}
	lines = append(lines, "time     "+describeTime(p, w))
	if slices.ContainsFunc(p.Trials, func(t *engine.Trial) bool { return t.Model != nil }) {
		lines = append(lines, "cost     "+describeCost(p, w))
	}
	return lines
}

// maxUncertified is how many cases are named that are not certified.
const maxUncertified = 3

func describeUncertified(p *engine.Plan) string {
	var names []string
	for _, u := range p.Uncertified[:min(maxUncertified, len(p.Uncertified))] {
		names = append(names, fmt.Sprintf("%s (%s)", u.Case, u.Standing))
	}
	if n := len(p.Uncertified) - len(names); n > 0 {
		names = append(names, fmt.Sprintf("%d more", n))
	}
	return fmt.Sprintf("%d of %d not certified as they are: %s; see bench test", len(p.Uncertified), len(casesIn(p)), strings.Join(names, ", "))
}

// sandboxesOf are those in which agents will run, by their names.
func sandboxesOf(p *engine.Plan) (out []*engine.Sandbox) {
	for _, s := range p.Steps {
		if run, ok := s.(*engine.RunStep); ok && !slices.Contains(out, run.Trials[0].Case.Sandbox) {
			out = append(out, run.Trials[0].Case.Sandbox)
		}
	}
	slices.SortStableFunc(out, func(a, b *engine.Sandbox) int { return strings.Compare(a.Name, b.Name) })
	return out
}

// describeWeaknesses says what makes verdicts on trials that will run prove less.
func describeWeaknesses(p *engine.Plan) (lines []string) {
	var runs []engine.Result
	for _, s := range p.Steps {
		if run, ok := s.(*engine.RunStep); ok {
			for _, t := range run.Trials {
				runs = append(runs, engine.Result{Trial: t})
			}
		}
	}
	for _, w := range reporters.Weaknesses(runs) {
		lines = append(lines, fmt.Sprintf("%s (%s)", w.Text, w.Count()))
	}
	return lines
}

// describeRuntimes names the runtimes that are not the engine's own.
func describeRuntimes(p *engine.Plan) string {
	var names []string
	for _, box := range sandboxesOf(p) {
		if box.Runtime != "" {
			names = append(names, fmt.Sprintf("%s of sandbox %s", box.Runtime, box.Name))
		}
	}
	return strings.Join(slices.Compact(names), ", ")
}

// describeHosts names what agents can reach outside, beside their models.
func describeHosts(p *engine.Plan) string {
	var hosts []string
	for _, box := range sandboxesOf(p) {
		hosts = append(hosts, box.Allow...)
	}
	slices.Sort(hosts)
	return strings.Join(slices.Compact(hosts), ", ")
}

// describeServices names what is started beside agents.
func describeServices(p *engine.Plan) string {
	var names []string
	for _, box := range sandboxesOf(p) {
		for _, v := range box.Services {
			names = append(names, box.Name+"."+v.Name)
		}
	}
	return strings.Join(slices.Compact(names), ", ")
}

func describeTime(p *engine.Plan, w plan.Worst) string {
	most := time.Duration(w.AgentSeconds * float64(time.Second))
	text := fmt.Sprintf("at most %s of agents at work", shortDuration(most))
	if n := min(w.AtOnce, w.Runs); n > 1 {
		most /= time.Duration(n)
		text += fmt.Sprintf(", or %s with %d at once", shortDuration(most), n)
	}
	if limit := p.Suite.Budget.WallClock; limit > 0 && limit < most {
		text += fmt.Sprintf(", so the budget of %s decides", shortDuration(limit))
	}
	return text + "; " + describeForecast(p, p.Expect.Time, func(seconds float64) string {
		return shortDuration(time.Duration(seconds * float64(time.Second)))
	})
}

func describeCost(p *engine.Plan, w plan.Worst) string {
	text := "at most unknown, since not every agent has a limit"
	if w.Cost != nil {
		text = "at most " + usd(*w.Cost) + " by limits"
	}
	if limit := p.Suite.Budget.Cost; limit > 0 && (w.Cost == nil || limit < *w.Cost) {
		text += fmt.Sprintf(", so the budget of %s decides", usd(limit))
	}
	return text + "; " + describeForecast(p, p.Expect.Cost, usd)
}

// describeForecast says what is to be expected, how sure that is, and from what.
func describeForecast(p *engine.Plan, e *engine.Estimate, show func(float64) string) string {
	if e == nil {
		return "expected unknown"
	}
	text := "expected " + show(e.Mean)
	if e.Spread != nil {
		text += " ± " + show(*e.Spread)
	}
	text += " (from " + plural(p.Expect.Samples, "earlier trial")
	if p.Expect.Unknown > 0 {
		text += fmt.Sprintf("; unknown for %d of the runs", p.Expect.Unknown)
	}
	return text + ")"
}

func usd(f float64) string { return "$" + strconv.FormatFloat(f, 'f', 2, 64) }

// shortDuration is a duration as people write it: 1h30m, and no more digits than
// anybody wants.
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Minute:
		d = d.Round(time.Second)
	case d >= time.Second:
		d = d.Round(100 * time.Millisecond)
	default:
		d = d.Round(time.Millisecond)
	}
	text := d.String() // "3h0m0s"
	for _, zero := range []string{"0s", "0m"} {
		if short := strings.TrimSuffix(text, zero); short != text && short != "" && strings.ContainsAny(short[len(short)-1:], "hm") {
			text = short
		}
	}
	return text
}

func plural(n int, noun string) string {
	switch {
	case n == 1:
		return "1 " + noun
	case strings.HasSuffix(noun, "x"): // matrix
		return fmt.Sprintf("%d %sces", n, strings.TrimSuffix(noun, "x"))
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
