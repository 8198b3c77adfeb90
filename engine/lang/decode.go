package lang

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ml-dev-bench/bench/engine"
)

// suite decodes the file on the command line with all that it imports.
func (l *loader) suite(main *source) *engine.Suite {
	s := newScope(l)
	l.scope = s
	if path.Base(main.path) == "case.hcl" && len(main.body.Attributes) > 0 {
		s.errorAt(hcl.Range{Filename: main.path, Start: hcl.InitialPos, End: hcl.InitialPos}, "V02", "this is a case file, and no suite", "A case is given to agents by a matrix, in a benchfile with a suite block: cases = [%q].", path.Dir(main.path))
		return nil
	}
	for _, a := range inOrder(main.body.Attributes) {
		s.errorAt(a.NameRange, "V01", "a benchfile has no arguments of its own", "Move %q into %s.", a.Name, homeOf(a.Name))
	}
	s.declare(main.body.Blocks, false)
	suites := s.order["suite"]
	if len(suites) == 0 {
		i := slices.IndexFunc(main.body.Blocks, func(b *hclsyntax.Block) bool { return b.Type == "suite" })
		if i < 0 {
			s.errorAt(main.body.MissingItemRange(), "V02", "this file has no suite block",
				"The file on the command line has one, suite \"name\" { ... }; files without one can only be imported by such a file.")
			return nil
		}
		suites = []string{""} // its name was refused
		s.order["suite"], s.blocks["suite"] = suites, map[string]*hclsyntax.Block{"": main.body.Blocks[i]}
	}
	block := s.blocks["suite"][suites[0]]
	b := s.open(block, suiteSpec)
	if !b.checkVersion() { // what else seems wrong may be right in the version that is wanted
		l.diags = l.diags[len(l.diags)-1:]
		return nil
	}
	s.include(main.path, block.Body.Attributes["imports"])
	out := b.suite()
	out.Variables = s.variables()
	s.evaluateLocals()
	s.decodeModels()
	s.decodeAll("sandbox", func(name string) { s.sandbox(name) })
	s.decodeAll("case", s.inlineCase)
	s.decodeAll("agent", s.agent)
	s.decodeAll("matrix", func(name string) { out.Matrices = append(out.Matrices, s.matrix(name)) })
	if len(out.Matrices) == 0 && !s.goneAny("matrix") {
		s.errorAt(block.DefRange(), "V10", "the suite has no matrix", "Nothing would run. Declare which cases are given to which agents in a matrix block.")
	}
	s.decodeAll("gate", func(name string) { out.Gates = append(out.Gates, s.gate(name)) })
	s.connect()
	s.reports(out)
	if s.trouble() == 0 { // else what is wrong may be what would use it
		s.unusedBlocks(main.path)
	}
	s.use(out)
	out.Sources, out.Reads = l.sourceList(), l.reads
	return out
}

// homeOf says into which block an argument belongs.
func homeOf(name string) string {
	var kinds []string
	for _, sp := range topLevel {
		if sp.find(name) {
			kinds = append(kinds, sp.kind)
		}
	}
	switch {
	case len(kinds) != 1:
		return "a block"
	case kinds[0] == "suite":
		return "the suite block"
	}
	return article(kinds[0]) + " block"
}

// suite decodes the suite block itself.
func (b *body) suite() *engine.Suite {
	out := &engine.Suite{Name: b.label, Root: b.rootDir, ResultsDir: ".bench", KeepArtifacts: engine.KeepFailed, Pos: pos(b.rng)}
	out.Description, _ = b.str("description")
	if n, ok := b.whole("parallel", 1, 4096); ok {
		out.Parallel = int(n)
	}
	out.Seed, _ = b.whole("seed", 0, 1<<53)
	if p, ok := b.path("results_dir"); ok {
		out.ResultsDir = p
		if within(p, "cases") {
			b.errorAt(b.place("results_dir"), "V23", "results inside of cases/", "They would be taken for cases. Choose another directory, such as \".bench\".")
		}
	}
	if k, ok := b.choice("keep_artifacts", string(engine.KeepAll), string(engine.KeepFailed), string(engine.KeepNone)); ok {
		out.KeepArtifacts = engine.Keep(k)
	}
	out.Locks = b.locks("locks")
	out.Budget = b.budget()
	b.retry = b.retryOr(engine.DefaultRetry)
	return out
}

// goneAny reports whether blocks of a kind may be missing, or broken, for a
// reason that was reported.
func (s *scope) goneAny(kind string) bool {
	for _, names := range []map[string]bool{s.lost, s.broken} {
		for name := range names {
			if strings.HasPrefix(name, kind+".") {
				return true
			}
		}
	}
	return s.partial
}

func (s *scope) evaluateLocals() {
	for _, name := range slices.Sorted(maps.Keys(s.locals)) {
		a := s.locals[name]
		t := hcl.Traversal{hcl.TraverseRoot{Name: "local", SrcRange: a.NameRange}, hcl.TraverseAttr{Name: name, SrcRange: a.NameRange}}
		s.lookup("local", name, nil, t)
	}
}

func (b *body) checkVersion() bool {
	want, ok := b.str("required_version")
	if !ok {
		return true
	}
	fits, err := versionFits(b.opts.Version, want)
	if err != nil {
		b.errorAt(b.place("required_version"), "V02", "unusable version constraint", "%v. Write it as \">= 0.1, < 1\".", err)
		return false
	}
	if !fits {
		b.errorAt(b.place("required_version"), "V02", "this suite needs another version of bench", "It wants %s, and this is bench %s. Install one that fits.", want, b.opts.Version)
	}
	return fits
}

// versionFits holds a version against a list of constraints, all of which must
// hold: ">= 0.1, < 1".
func versionFits(have, constraints string) (bool, error) {
	v, err := parseVersion(have)
	if err != nil {
		return true, nil // a build without a version fits everything
	}
	for c := range strings.SplitSeq(constraints, ",") {
		c = strings.TrimSpace(c)
		op := strings.TrimRight(c[:min(2, len(c))], " 0123456789.")
		want, err := parseVersion(strings.TrimSpace(strings.TrimPrefix(c, op)))
		if err != nil {
			return false, fmt.Errorf("%q is not a version constraint", c)
		}
		d := slices.Compare(v[:], want[:])
		holds, known := map[string]bool{"": d == 0, "=": d == 0, "!=": d != 0, ">": d > 0, ">=": d >= 0, "<": d < 0, "<=": d <= 0}[op]
		if !known {
			return false, fmt.Errorf("%q is not a comparison", op)
		}
		if !holds {
			return false, nil
		}
	}
	return true, nil
}

func parseVersion(s string) (v [3]int, err error) {
	s, _, _ = strings.Cut(strings.TrimPrefix(s, "v"), "-")
	parts := strings.Split(s, ".")
	if len(parts) > 3 {
		return v, fmt.Errorf("%q is not a version", s)
	}
	for i, p := range parts {
		if v[i], err = strconv.Atoi(p); err != nil || v[i] < 0 {
			return v, fmt.Errorf("%q is not a version", s)
		}
	}
	return v, nil
}

var reportFormats = []string{"json", "junit", "markdown"}

// reports decodes the report blocks.
func (s *scope) reports(out *engine.Suite) {
	paths := map[string]hcl.Range{}
	for _, key := range s.order["report"] {
		block := s.blocks["report"][key]
		b := s.open(block, reportSpec)
		r := &engine.Report{Format: b.label, Rows: []string{"agent", "model"}, Matrices: out.Matrices, Pos: pos(b.rng)}
		if !slices.Contains(reportFormats, r.Format) {
			s.errorAt(block.LabelRanges[0], "V09", fmt.Sprintf("unknown report format %q", r.Format), "bench writes other formats.%s", didYouMean(r.Format, reportFormats, strconv.Quote))
		}
		r.Path = b.reportPath(paths)
		if b.written("matrices") {
			r.Matrices = nil
			for _, n := range b.refs("matrices") {
				r.Matrices = append(r.Matrices, s.matrices[n.name])
			}
		}
		if rows, ok := b.stringList("rows", kStrings); ok {
			b.checkRows(rows, out.Matrices)
			r.Rows = rows
		}
		out.Reports = append(out.Reports, r)
	}
}

// reportPath reads where a report is written to. Others knows the paths of those
// before it.
func (b *body) reportPath(others map[string]hcl.Range) string {
	p, ok := b.path("path")
	if !ok {
		return ""
	}
	before, twice := others[p]
	info, err := fs.Stat(b.root, p)
	switch {
	case twice:
		b.errorAt(b.place("path"), "V23", "two reports write the same file", "%s is written by the report at %s already. Give one of them another path.", p, at(before))
		return p
	case within(p, "cases"):
		b.errorAt(b.place("path"), "V23", "a report inside of cases/", "It would change what the next plan reads. Write it to out/ instead.")
	case err == nil && info.IsDir():
		b.errorAt(b.place("path"), "V23", "a report cannot replace a directory", "%s is a directory. Name a file in it.", p)
	case b.sources.files[p] != nil:
		b.errorAt(b.place("path"), "V23", "a report would replace a benchfile", "%s is read by this suite. Write the report to out/ instead.", p)
	}
	others[p] = b.place("path")
	return p
}

func (b *body) checkRows(rows []string, matrices []*engine.Matrix) {
	known := []string{"agent", "case", "category", "model", "tag"}
	for _, m := range matrices {
		for _, a := range m.Axes {
			known = append(known, "axis."+a.Name)
		}
	}
	for i, r := range rows {
		if !slices.Contains(known, r) && (!strings.HasPrefix(r, "axis.") || !b.goneAny("matrix")) {
			b.errorAt(b.item("rows", i), "V09", fmt.Sprintf("rows cannot stand for %q", r), "They group the trials of a table.%s", didYouMean(r, known, strconv.Quote))
		}
	}
	if len(rows) == 0 {
		b.errorAt(b.place("rows"), "V10", "rows is empty", "Leave it out, or name what rows stand for.")
	}
}
