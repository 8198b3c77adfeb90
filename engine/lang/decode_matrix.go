package lang

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// matrix decodes a matrix block, and resolves what it selects.
func (s *scope) matrix(name string) *engine.Matrix {
	block := s.blocks["matrix"][name]
	b := s.open(block.Body, matrixSpec, block.DefRange())
	m := &engine.Matrix{Name: name, Trials: 1, Pos: pos(b.rng), Limits: b.limits()}
	s.matrices[name] = m
	if n, ok := b.whole("trials", 1, 100_000); ok {
		m.Trials = int(n)
	}
	if n, ok := b.whole("parallel", 1, 4096); ok {
		m.Parallel = int(n)
	}
	selected, ok := b.selectCases("cases")
	m.Cases = b.withTags(selected, ok)
	m.Agents = b.agentRefs("agents")
	for _, e := range b.each("exclude") {
		m.Exclude = append(m.Exclude, e.exclude())
	}
	for _, i := range b.each("include") {
		m.Include = append(m.Include, i.include(m.Trials))
	}
	return m
}

func (b *body) agentRefs(name string) []*engine.Agent {
	var out []*engine.Agent
	for _, r := range b.refs(name, "agent") {
		out = append(out, b.runnable(r))
	}
	return out
}

// runnable is the agent of a reference, after reporting if it cannot run.
func (b *body) runnable(r namedRef) *engine.Agent {
	a := b.agents[r.name]
	if a.NeedsModel {
		b.errorAt(r.rng, "V11", fmt.Sprintf("agent %q needs a model", r.name),
			"This version of bench runs agents without a model. If agent %q calls none, write needs_model = false in its block.", r.name)
	}
	return a
}

func (b *body) exclude() *engine.Exclude {
	out := &engine.Exclude{Pos: pos(b.rng)}
	if e, ok := b.expr("case", kCases); ok {
		out.Cases = b.casesOf([]hcl.Expression{e})
	}
	if name, ok := b.ref("agent", "agent"); ok {
		out.Agent = b.agents[name]
	}
	if len(b.content.Attributes) == 0 {
		b.errorAt(b.rng, "V10", "an exclude that names nothing", "Give it a case, an agent, or both; all that it gives must match.")
	}
	return out
}

func (b *body) include(trials int) *engine.Include {
	out := &engine.Include{Trials: trials, Pos: pos(b.rng)}
	if n, ok := b.whole("trials", 1, 100_000); ok {
		out.Trials = int(n)
	}
	out.Cases, _ = b.selectCases("cases")
	out.Agents = b.agentRefs("agents")
	return out
}

// selectCases reads a list of globs and references. Its ok is false if
// something was reported, so that nobody complains of an empty result too.
func (b *body) selectCases(name string) ([]*engine.Case, bool) {
	e, ok := b.expr(name, kCases)
	if !ok {
		return nil, false
	}
	before := len(b.diags)
	items := []hcl.Expression{e}
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		items = list
	}
	out := b.casesOf(items)
	return out, len(b.diags) == before
}

// casesOf resolves each item to cases: a reference, a glob, or a list of globs.
// A glob that begins with "!" removes; later ones win.
func (b *body) casesOf(items []hcl.Expression) []*engine.Case {
	picked := map[string]*engine.Case{}
	for _, item := range items {
		if misplacedCase(item) {
			b.errorAt(item.Range(), "V05", "a reference to a case is expected", "Write case.NAME, or case[\"group/name\"] if the name has a slash.")
			continue
		}
		if t, diags := hcl.AbsTraversalForExpr(item); !diags.HasErrors() && t.RootName() == "case" {
			if name, ok := b.refOf(item, "case"); ok {
				picked[name] = b.cases[name]
			}
			continue
		}
		v, ok := b.eval(item, cty.DynamicPseudoType)
		if !ok {
			continue
		}
		if !v.IsNull() && v.Type() == cty.String {
			b.applyGlob(picked, v.AsString(), item.Range())
			continue
		}
		if v, ok = b.convert(v, cty.List(cty.String), item.Range()); ok {
			globs, _ := b.asStrings(v, item.Range())
			for _, g := range globs {
				b.applyGlob(picked, g, item.Range())
			}
		}
	}
	out := make([]*engine.Case, 0, len(picked))
	for _, c := range picked {
		out = append(out, c)
	}
	slices.SortFunc(out, func(x, y *engine.Case) int { return strings.Compare(x.Name, y.Name) })
	return out
}

// misplacedCase finds case.group/name, which reads as a division.
func misplacedCase(e hcl.Expression) bool {
	_, diags := hcl.AbsTraversalForExpr(e)
	return diags.HasErrors() && slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool { return t.RootName() == "case" })
}

// badPattern is the error for a glob that cannot be used.
func badPattern(glob string) error {
	return fmt.Errorf("%q is not a valid pattern; patterns are made of names, *, **, ?, [a-z] and {a,b}", glob)
}

func (b *body) applyGlob(picked map[string]*engine.Case, glob string, r hcl.Range) {
	positive, negative := strings.CutPrefix(glob, "!")
	pattern, err := resolvePath(b.file, positive)
	if err == nil && (positive == "" || !doublestar.ValidatePattern(pattern)) {
		err = badPattern(glob)
	}
	if err != nil {
		b.errorAt(r, "V09", "unusable pattern", "%v.", err)
		return
	}
	if negative {
		for name, c := range picked {
			if c.Dir != "" && doublestar.MatchUnvalidated(pattern, c.Dir) {
				delete(picked, name)
			}
		}
		return
	}
	found := false
	for _, dir := range b.caseDirs() {
		if !doublestar.MatchUnvalidated(pattern, dir) {
			continue
		}
		found = true
		if c := b.fileCase(dir); c != nil {
			picked[c.Name] = c
		}
	}
	if !found {
		b.errorAt(r, "V10", "the pattern matches no case", "No directory with a case.hcl matches %q.%s", pattern, b.nearCase(pattern))
	}
}

func (b *body) nearCase(pattern string) string {
	dirs := b.caseDirs()
	if len(dirs) == 0 {
		return fmt.Sprintf(" There are no cases below %s/cases.", b.rootDir)
	}
	groups := map[string]bool{}
	for _, d := range dirs {
		groups[d] = true
		groups[path.Dir(d)+"/*"] = true
	}
	var names []string
	for g := range groups {
		names = append(names, g)
	}
	return didYouMean(pattern, names, func(n string) string { return fmt.Sprintf("%q", n) })
}

// caseDirs lists the directories below cases/ that hold a case.hcl.
func (l *loader) caseDirs() []string {
	if l.dirs != nil {
		return *l.dirs
	}
	dirs := []string{}
	err := fs.WalkDir(l.root, "cases", func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && strings.HasPrefix(d.Name(), "."):
			return fs.SkipDir
		case d.Name() == "case.hcl" && !d.IsDir():
			dirs = append(dirs, path.Dir(p))
			return fs.SkipDir // what lies beside it belongs to the case
		}
		return nil
	})
	if err != nil && len(dirs) > 0 {
		l.report(engine.Diagnostic{Rule: "V17", Summary: "cannot read all cases", Detail: fmt.Sprintf("%v.", err)})
	}
	slices.Sort(dirs)
	l.dirs = &dirs
	return dirs
}

// fileCase decodes the case of a directory once; nil after a report.
func (b *body) fileCase(dir string) *engine.Case {
	if c, ok := b.fileCases[dir]; ok {
		return c
	}
	b.fileCases[dir] = nil
	name := strings.TrimPrefix(dir, "cases/")
	if !engine.ValidCaseName(name) {
		b.report(engine.Diagnostic{Rule: "V04", Summary: fmt.Sprintf("%q cannot be the name of a case", name), Detail: "Each directory of its path must be a lower-case letter followed by lower-case letters, digits, underscores and hyphens. Rename the directory " + dir + "."})
		return nil
	}
	if block, ok := b.blocks["case"][name]; ok {
		b.errorAt(block.LabelRanges[0], "V03", fmt.Sprintf("case %q is declared twice", name), "There is a file %s/case.hcl too. Rename one of the two.", dir)
		return nil
	}
	c := b.caseFile(dir)
	b.fileCases[dir] = c
	return c
}

// withTags keeps the cases that have one of the plain tags (if there are any)
// and none of the "!" ones.
func (b *body) withTags(cases []*engine.Case, ok bool) []*engine.Case {
	tags, given := b.stringList("tags", kStrings)
	var out []*engine.Case
	for _, c := range cases {
		if matchTags(c, tags) {
			out = append(out, c)
		}
	}
	if ok && len(out) == 0 {
		if given && len(cases) > 0 {
			b.errorAt(b.place("tags"), "V10", "no case has these tags", "%d cases match the patterns, and none of them has what tags ask for. Change tags or cases.", len(cases))
		} else {
			b.errorAt(b.place("cases"), "V10", "the matrix selects no case", "Selecting nothing is an error. Change the patterns.")
		}
	}
	return out
}

func matchTags(c *engine.Case, tags []string) bool {
	wanted, has := false, false
	for _, t := range tags {
		if not, ok := strings.CutPrefix(t, "!"); ok {
			if slices.Contains(c.Tags, not) {
				return false
			}
			continue
		}
		wanted = true
		has = has || slices.Contains(c.Tags, t)
	}
	return has || !wanted
}
