package lang

import (
	"bytes"
	_ "embed" // for the text of the reference
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template"

	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

//go:embed reference.md.tmpl
var referenceText string

// Reference is the manual of the language, in Markdown: docs/language.md. Its
// tables are those that the decoder itself reads, so it cannot be out of date.
func Reference() []byte {
	w := &reference{seen: map[*spec]string{}}
	t := template.Must(template.New("reference").Funcs(template.FuncMap{
		"topLevel": func() []row {
			var out []row
			for _, sp := range topLevel {
				out = append(out, row{Kind: sp.kind, spec: sp})
			}
			return out
		},
		"describe":           func(r row) string { return w.block(r.spec, nil) },
		"trialAttrs":         trialRows,
		"resultAttrs":        resultRows,
		"baselineAttrs":      baselineRows,
		"groups":             groupWords,
		"statuses":           statusWords,
		"outcomes":           func() []outcomeRow { return outcomeRows },
		"functionCategories": functionRows,
		"absentFunctions":    func() []row { return byMeaning(absent) },
		"reservedWords":      func() []row { return byMeaning(reserved) },
		"rules": func() []row {
			var out []row
			for _, r := range rules {
				out = append(out, row{Name: r.number, Type: r.severity, Doc: r.doc})
			}
			return out
		},
	}).Parse(referenceText))
	var b bytes.Buffer
	if err := t.Execute(&b, nil); err != nil {
		panic("lang: " + err.Error()) // the text is ours
	}
	return b.Bytes()
}

// A row is one of a table of the reference.
type row struct {
	Kind, Name, Names, Type, Doc string
	spec                         *spec
}

// reference remembers which blocks were described, and where.
type reference struct{ seen map[*spec]string }

// block describes a block that stands in others, outermost first.
func (w *reference) block(sp *spec, in []*spec) string {
	var b strings.Builder
	title, anchor := heading(sp, in)
	level := "###"
	if len(in) > 0 {
		level = "####"
	}
	fmt.Fprintf(&b, "\n%s %s\n\n%s\n", level, title, sp.doc)
	if len(in) > 0 && sp.many {
		b.WriteString("\nIt may stand more than once.\n")
	}
	if sp.example != "" {
		fmt.Fprintf(&b, "\n```hcl\n%s\n```\n", strings.TrimSpace(sp.example))
	}
	w.seen[sp] = anchor
	if len(sp.attrs) > 0 {
		b.WriteString("\n| Argument | Type | Default | Phase | What it is |\n| --- | --- | --- | --- | --- |\n")
		for _, a := range sp.attrs {
			def := a.def
			if a.required {
				def = "**required**"
			}
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", a.name, typeWords(a), def, phaseLetters[a.phase], inCell(a.doc))
		}
	}
	if sp == caseSpec {
		fmt.Fprintf(&b, "\nA case file has one more argument, and may declare sandboxes:\n\n| Argument | Type | Default | Phase | What it is |\n| --- | --- | --- | --- | --- |\n")
		a := caseFileSpec.attr("imports")
		fmt.Fprintf(&b, "| `%s` | %s | | %s | %s |\n", a.name, typeWords(a), phaseLetters[a.phase], inCell(a.doc))
	}
	if len(sp.blocks) > 0 {
		var names []string
		for _, inner := range sp.blocks {
			_, to := heading(inner, append(in, sp))
			if known, ok := w.seen[inner]; ok {
				to = known
			}
			names = append(names, fmt.Sprintf("[`%s`](#%s)", blockForm(inner), to))
		}
		fmt.Fprintf(&b, "\nBlocks in it: %s.\n", strings.Join(names, ", "))
	}
	for _, inner := range sp.blocks {
		if _, ok := w.seen[inner]; !ok {
			b.WriteString(w.block(inner, append(slices.Clone(in), sp)))
		}
	}
	return b.String()
}

// heading is the title of a block, and the anchor that readers make of it.
func heading(sp *spec, in []*spec) (title, anchor string) {
	title = sp.kind
	for _, outer := range slices.Backward(in) {
		title += " in " + article(outer.kind)
	}
	return title, strings.ReplaceAll(strings.ToLower(title), " ", "-")
}

// blockForm is the header of a block.
func blockForm(sp *spec) string {
	if sp.label == "" {
		return sp.kind
	}
	return fmt.Sprintf("%s \"%s\"", sp.kind, strings.ToUpper(sp.label))
}

var phaseLetters = map[phase]string{phaseLiteral: "L", phaseStatic: "S", phaseTrial: "T", phaseRun: "U", phaseResult: "R"}

// typeWords is the type of an argument, with what a reference refers to.
func typeWords(a attr) string {
	switch {
	case len(a.to) == 0:
		return string(a.kind)
	case a.kind == kRefs:
		to := make([]string, len(a.to))
		for i, kind := range a.to {
			to[i] = strings.ReplaceAll(kind+"s", "matrixs", "matrices")
		}
		return "list of references to " + strings.Join(to, " or ")
	}
	return strings.Replace(string(a.kind), "reference", "reference to "+article(strings.Join(a.to, " or ")), 1)
}

// inCell keeps a text from ending a cell of a table.
func inCell(s string) string { return strings.ReplaceAll(s, "|", "\\|") }

// trialDocs describe the attributes of trial, in the order in which people read
// them.
var trialDocs = []struct{ name, typ, doc string }{
	{"case", "", "The name of the case: `\"debugging/off_by_one\"`."},
	{"agent", "", "The name of the agent."},
	{"model.name", "string", "The name of the model in the benchfile. `trial.model` is null for an agent without one."},
	{"model.id", "string", "The name by which its provider knows it."},
	{"model.provider", "string", "The name of the provider."},
	{"model.api", "string", "The wire format of the provider: `\"openai\"`, `\"chat\"`, `\"anthropic\"` or `\"google\"`."},
	{"axis.NAME", "any", "The value of an axis of the matrix. An agent that is used in matrices without the axis writes `try(trial.axis.NAME, ...)`."},
	{"n", "", "Which trial of its cell: 1, 2 and so on."},
	{"seed", "", "A whole number of the trial alone; the same whenever the trial is run again."},
	{"prompt", "", "The prompt of the case."},
	{"prompt_file", "", "The file in the sandbox that holds the prompt."},
	{"workspace", "", "The directory in the sandbox where the agent works."},
	{"gateway.url", "string", "Where the agent asks its model."},
	{"gateway.token", "string", "What it shows there instead of a key."},
}

func trialRows() []row {
	var out []row
	for _, d := range trialDocs {
		t := d.typ
		if t == "" {
			t = ctyWords(trialTypes[d.name])
		}
		out = append(out, row{Name: d.name, Type: t, Doc: d.doc})
	}
	return out
}

func resultRows() []row {
	var out []row
	for _, a := range resultAttrs {
		out = append(out, row{Name: a.name, Type: ctyWords(a.typ), Doc: a.doc})
	}
	return out
}

var baselineDocs = []struct{ name, doc string }{
	{"pass_rate", "Of the baseline."},
	{"cost", "Of the baseline, in USD."},
	{"difference", "The pass rate here, less that of the baseline."},
	{"ci", "95 % interval of the difference."},
	{"p_value", "How likely such a difference is by chance alone: a permutation test, paired by case."},
	{"regressed", "Cells in which all trials passed in the baseline, and none does here."},
	{"fixed", "Cells in which none passed in the baseline, and all do here."},
	{"worse", "Cells with a lower pass rate than in the baseline."},
	{"better", "Cells with a higher one."},
	{"unmatched", "Cells that only one of the two has."},
}

func baselineRows() []row {
	var out []row
	for _, d := range baselineDocs {
		out = append(out, row{Name: d.name, Type: ctyWords(baselineType.AttributeType(d.name)), Doc: d.doc})
	}
	return out
}

// ctyWords is a type in words.
func ctyWords(t cty.Type) string {
	switch {
	case t.IsListType():
		return "list of " + ctyWords(t.ElementType()) + "s"
	case t.IsMapType() && t.ElementType().IsPrimitiveType():
		return "map of " + ctyWords(t.ElementType()) + "s"
	case t.IsMapType():
		return "map of " + strings.Replace(ctyWords(t.ElementType()), "object", "objects", 1)
	case t.IsObjectType():
		names := slices.Sorted(maps.Keys(t.AttributeTypes()))
		return "object: `" + strings.Join(names, "`, `") + "`"
	}
	return t.FriendlyName()
}

func groupWords() string {
	var out []string
	for _, g := range groupNames {
		if g != "by_agent" && g != "by_axis" {
			out = append(out, "`"+g+"`")
		}
	}
	return strings.Join(out, ", ")
}

func statusWords() string {
	var out []string
	for _, s := range engine.Statuses {
		out = append(out, s.String())
	}
	return strings.Join(out[:len(out)-1], ", ") + " and " + out[len(out)-1]
}

// An outcomeRow describes one way in which a trial can end.
type outcomeRow struct {
	Status engine.Status
	Reason engine.Reason
	Doc    string
}

func (r outcomeRow) Again() string {
	switch {
	case r.Status == engine.StatusErrored && slices.Contains(engine.Retryable, r.Reason):
		return "at once, if `retry` says so, and by the next apply"
	case r.Status == engine.StatusPassed || r.Status == engine.StatusFailed:
		return "never"
	}
	return "by the next apply"
}

func (r outcomeRow) Counted() string {
	if (engine.Outcome{Status: r.Status}).Verdict() {
		return "yes"
	}
	return "no"
}

var outcomeRows = []outcomeRow{
	{engine.StatusPassed, "", "All checks passed. That the agent ended with another exit status than 0 is noted."},
	{engine.StatusFailed, engine.ReasonCheck, "A check failed."},
	{engine.StatusFailed, engine.ReasonLimitWallClock, "The agent used up its time. The workspace was checked all the same, and what came of it is noted."},
	{engine.StatusFailed, engine.ReasonLimitMemory, "The agent was ended because it used more memory than its sandbox has."},
	{engine.StatusFailed, engine.ReasonLimitDisk, "The workspace grew larger than what can be kept of it."},
	{engine.StatusFailed, engine.ReasonLimitTokens, "The agent used up its tokens. The workspace was checked all the same."},
	{engine.StatusFailed, engine.ReasonLimitCost, "The agent used up its money. The workspace was checked all the same."},
	{engine.StatusFailed, engine.ReasonLimitTurns, "The agent used up its turns. The workspace was checked all the same."},
	{engine.StatusFailed, engine.ReasonLimitRequests, "The agent used up its requests. The workspace was checked all the same."},
	{engine.StatusFailed, engine.ReasonAgentExit, "A check failed, and the agent had ended with another exit status than 0."},
	{engine.StatusErrored, engine.ReasonImage, "An image could not be pulled or built, or the agent not be installed in it."},
	{engine.StatusErrored, engine.ReasonAsset, "An asset could not be fetched or is not what its `sha256` says, or its fixture failed."},
	{engine.StatusErrored, engine.ReasonUnsafe, "The image holds a file of a check or a solution, or neither `cat` nor `sh`: no agent works in it, unless `--allow image.unsafe` says so."},
	{engine.StatusErrored, engine.ReasonSandbox, "A sandbox could not be started or used, or ended through no fault of the agent."},
	{engine.StatusErrored, engine.ReasonSetup, "The setup of the case failed."},
	{engine.StatusErrored, engine.ReasonProvider, "The provider of the model could not answer, however often it was asked."},
	{engine.StatusErrored, engine.ReasonAuth, "The provider refused the key, or does not know the model."},
	{engine.StatusErrored, engine.ReasonCheck, "A check could not decide: its command is not there, or it ended with exit status 75."},
	{engine.StatusErrored, engine.ReasonHost, "The machine failed: its disk or memory is full, or the engine of the containers is gone."},
	{engine.StatusErrored, engine.ReasonEngine, "bench itself is wrong. Report it."},
	{engine.StatusSkipped, engine.ReasonCondition, "The `if` of its matrix is false."},
	{engine.StatusSkipped, engine.ReasonNeeds, "What its matrix needs was not complete, or did not pass."},
	{engine.StatusSkipped, engine.ReasonBudget, "The rest of a budget did not cover it, or its wall clock had run out."},
	{engine.StatusSkipped, engine.ReasonFailFast, "A trial of its matrix had not passed, and the matrix has `fail_fast`."},
	{engine.StatusSkipped, engine.ReasonMaxErrors, "Its matrix had as many errored trials as `max_errors` allows."},
	{engine.StatusSkipped, engine.ReasonSignal, "It had not been started when bench was told to stop."},
	{engine.StatusCancelled, engine.ReasonFailFast, "It was running when its matrix ended, since a trial had not passed."},
	{engine.StatusCancelled, engine.ReasonDeadline, "It was running when the wall clock of a budget ran out."},
	{engine.StatusCancelled, engine.ReasonSignal, "It was running when bench was told to stop."},
}

// A category is the functions below one heading.
type category struct {
	Name      string
	Functions []functionRow
}

type functionRow struct{ Signature, Result, Doc, Example, Gives string }

func functionRows() []category {
	var out []category
	for _, d := range functionTable {
		if len(out) == 0 || out[len(out)-1].Name != d.category {
			out = append(out, category{Name: d.category})
		}
		c := &out[len(out)-1]
		c.Functions = append(c.Functions, functionRow{
			Signature: fmt.Sprintf("%s(%s)", d.name, d.params), Result: upperFirst(d.result), Doc: inCell(d.doc), Example: inCell(d.example), Gives: inCell(d.gives),
		})
	}
	return out
}

// byMeaning lists words with what is said of them, those of one meaning together.
func byMeaning(words map[string]string) []row {
	names := map[string][]string{}
	for _, w := range slices.Sorted(maps.Keys(words)) {
		names[words[w]] = append(names[words[w]], "`"+w+"`")
	}
	var out []row
	for doc, list := range names {
		out = append(out, row{Names: strings.Join(list, ", "), Doc: inCell(doc)})
	}
	slices.SortFunc(out, func(a, b row) int { return strings.Compare(a.Names, b.Names) })
	return out
}
