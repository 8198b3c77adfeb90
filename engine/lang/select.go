package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/ml-dev-bench/bench/engine"
)

// A selection is a set of cases that grows and shrinks, entry by entry.
type selection struct {
	*body
	picked map[string]*engine.Case
	empty  func(hcl.Range, string) // reports a pattern that matches no case
}

// selectCases reads a list of globs and references. A pattern that matches no
// case is an error.
func (b *body) selectCases(name string) []*engine.Case {
	e, ok := b.expr(name, kCases)
	if !ok {
		return nil
	}
	items := []hcl.Expression{e}
	if list, diags := hcl.ExprList(e); !diags.HasErrors() {
		items = list
	} else if !b.listOfCases(name, e) {
		return nil
	}
	return b.casesOf(items, func(r hcl.Range, pattern string) {
		b.errorAt(r, "V10", "the pattern matches no case", "No directory with a case.hcl matches %q.%s", pattern, b.nearCase(pattern))
	})
}

// listOfCases reports a single case, or a single pattern, where a list of them is
// wanted.
func (b *body) listOfCases(name string, e hcl.Expression) bool {
	t, diags := hcl.AbsTraversalForExpr(e)
	if _, splat := hcl.UnwrapExpression(e).(*hclsyntax.SplatExpr); splat || !diags.HasErrors() && t.RootName() == "case" {
		b.errorAt(e.Range(), "V05", fmt.Sprintf("%s must be a list of patterns and references", name), "%s", b.listForm(e, []string{"case"}))
		return false
	}
	if v, diags := e.Value(nil); !diags.HasErrors() && v.IsKnown() && !v.IsNull() && v.Type() == cty.String {
		b.errorAt(e.Range(), "V09", fmt.Sprintf("%s must be a list of patterns and references", name), "Write it as [%q].", v.AsString())
		return false
	}
	return true
}

// casesOf resolves each item to cases: a reference, a glob, or a list of globs.
// A glob that begins with "!" removes; later ones win.
func (b *body) casesOf(items []hcl.Expression, empty func(hcl.Range, string)) []*engine.Case {
	sel := selection{b, map[string]*engine.Case{}, empty}
	for _, item := range items {
		sel.add(item)
	}
	return sorted(sel.picked)
}

func (s *selection) add(item hcl.Expression) {
	if _, ok := hcl.UnwrapExpression(item).(*hclsyntax.SplatExpr); ok {
		for _, r := range s.refsOf(item, []string{"case"}) {
			s.picked[r.name] = s.cases[r.name]
		}
		return
	}
	if misplacedCase(item) {
		s.errorAt(item.Range(), "V05", "a reference to a case is expected", "Write case.NAME, or case[\"group/name\"] if the name has a slash.")
		return
	}
	if t, diags := hcl.AbsTraversalForExpr(item); !diags.HasErrors() && t.RootName() == "case" {
		if r, ok := s.refOf(item, "case"); ok {
			s.picked[r.name] = s.cases[r.name]
		}
		return
	}
	v, ok := s.eval(item, cty.DynamicPseudoType)
	if !ok {
		return
	}
	switch {
	case !v.IsNull() && v.Type() == cty.String:
		s.glob(v.AsString(), item.Range())
		return
	case v.IsNull() || v.Type().IsPrimitiveType():
		s.errorAt(item.Range(), "V09", "wrong type", "A case is selected by a pattern such as \"cases/*/*\", or by a reference: case.NAME.")
		return
	}
	if v, ok = s.convert(v, cty.List(cty.String), item); ok {
		globs, _ := s.asStrings(v, item)
		for i, g := range globs {
			s.glob(g, itemAt(item, i))
		}
	}
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

// glob adds the cases whose directories match a pattern, or removes them.
func (s *selection) glob(glob string, r hcl.Range) {
	positive, negative := strings.CutPrefix(glob, "!")
	pattern, err := resolvePath(s.file, positive)
	if err == nil && (positive == "" || !doublestar.ValidatePattern(pattern)) {
		err = badPattern(glob)
	}
	if err != nil {
		s.errorAt(r, "V09", "unusable pattern", "%s.", upperFirst(err.Error()))
		return
	}
	if negative {
		for name, c := range s.picked {
			if c.Dir != "" && doublestar.MatchUnvalidated(pattern, c.Dir) {
				delete(s.picked, name)
			}
		}
		return
	}
	found := false
	for _, dir := range s.caseDirs() {
		if !doublestar.MatchUnvalidated(pattern, dir) {
			continue
		}
		found = true
		if c := s.fileCase(dir, r); c != nil {
			s.picked[c.Name] = c
		}
	}
	if !found && !s.noLook {
		s.empty(r, pattern)
	}
}

// nearCase proposes a pattern that matches something.
func (b *body) nearCase(pattern string) string {
	dirs := b.caseDirs()
	if len(dirs) == 0 {
		return fmt.Sprintf(" There are no cases below %s/cases.", b.rootDir)
	}
	matches := func(p string) bool {
		return slices.ContainsFunc(dirs, func(d string) bool { return doublestar.MatchUnvalidated(p, d) })
	}
	for _, p := range []string{path.Join("cases", pattern), strings.TrimSuffix(pattern, "/case.hcl"), path.Join(pattern, "*"), path.Join(pattern, "**")} {
		if matches(p) {
			return fmt.Sprintf(" Did you mean %q?", p)
		}
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
	if l.noLook = err != nil && !errors.Is(err, fs.ErrNotExist); l.noLook {
		l.report(engine.Diagnostic{Rule: "V17", Summary: "cannot look for cases", Detail: fmt.Sprintf("%s All directories below cases must be readable.", whyUnreadable("cases", err))})
	}
	slices.Sort(dirs)
	l.dirs = &dirs
	return dirs
}

// fileCase decodes the case of a directory once; nil after a report.
func (b *body) fileCase(dir string, r hcl.Range) *engine.Case {
	if c, ok := b.fileCases[dir]; ok {
		if c == nil || b.badCases[dir] {
			b.quietly()
		}
		return c
	}
	b.fileCases[dir] = nil
	before := b.trouble()
	defer func() { b.badCases[dir] = b.trouble() != before }()
	name := strings.TrimPrefix(dir, "cases/")
	if !engine.ValidCaseName(name) {
		b.errorAt(r, "V04", fmt.Sprintf("%q cannot be the name of a case", name), "The pattern matches the directory %s. Each part of its path must be a lower-case letter followed by lower-case letters, digits, underscores and hyphens. Rename it.", dir)
		return nil
	}
	if _, inline := b.blocks["case"][name]; inline {
		b.quietly() // reported where that one is declared
		return nil
	}
	c := b.caseFile(dir)
	b.fileCases[dir] = c
	return c
}

// withTags keeps the cases that have one of the plain tags (if there are any)
// and none of the "!" ones.
func (b *body) withTags(cases []*engine.Case, whole bool) []*engine.Case {
	before := b.trouble()
	tags, given := b.stringList("tags", kStrings)
	for i, t := range tags {
		if !engine.ValidTag(strings.TrimPrefix(t, "!")) {
			b.errorAt(b.item("tags", i), "V04", fmt.Sprintf("%q cannot be a tag", t), "A tag is made of lower-case letters, digits, underscores and hyphens; \"!\" before it keeps away the cases that have it.")
		}
	}
	var out []*engine.Case
	for _, c := range cases {
		if matchTags(c, tags) {
			out = append(out, c)
		}
	}
	switch {
	case len(out) > 0 || !whole || !b.written("cases") || b.trouble() != before:
	case given && len(cases) > 0:
		b.errorAt(b.place("tags"), "V10", "no case has these tags", "The patterns match %s, and the tags leave none of them. Change tags or cases.%s", counted(len(cases), "case"), nearTags(tags, cases))
	default:
		b.errorAt(b.place("cases"), "V10", "the matrix selects no case", "%s", b.whyEmpty("cases"))
	}
	return out
}

// whyEmpty says why a list of cases selects none.
func (b *body) whyEmpty(name string) string {
	if items, diags := hcl.ExprList(b.attrs[name].Expr); !diags.HasErrors() && len(items) == 0 {
		return "Selecting nothing is an error. Name cases or patterns of them."
	}
	return "Its last entries remove all that the others pick. Later ones win; change or remove them."
}

// counted is a number of things in words.
func counted(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}

// nearTags proposes tags for those that no case has.
func nearTags(tags []string, cases []*engine.Case) string {
	known := map[string]bool{}
	for _, c := range cases {
		for _, t := range c.Tags {
			known[t] = true
		}
	}
	var names []string
	for t := range known {
		names = append(names, t)
	}
	for _, t := range tags {
		if !strings.HasPrefix(t, "!") && !known[t] {
			return didYouMean(t, names, func(n string) string { return fmt.Sprintf("%q", n) })
		}
	}
	return ""
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
