package lang

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// An imported file, and the pattern that it matches.
type imported struct {
	file string
	rng  hcl.Range
}

// include declares the files that an imports attribute names. A pattern with "!"
// removes what those before it have matched.
func (s *scope) include(from string, a *hclsyntax.Attribute) {
	if a == nil {
		return
	}
	before := s.trouble()
	defer func() { s.partial = s.partial || s.trouble() != before }()
	items, diags := hcl.ExprList(a.Expr)
	if diags.HasErrors() {
		s.errorAt(a.Expr.Range(), "V09", "imports must be a list of strings", "Write them as imports = [\"agents/builtin.hcl\"].")
		return
	}
	var files []imported
	for _, item := range items {
		v, diags := item.Value(nil)
		switch {
		case s.meter.spent():
			s.reportSpent()
		case diags.HasErrors():
			s.errorAt(item.Range(), "V08", "an import must be a literal string", "Imports are read before any value is known. Write the path itself.")
		case v.IsNull() || v.Type() != cty.String:
			s.errorAt(item.Range(), "V09", "an import must be a string", "Write the path of a file, such as \"agents/builtin.hcl\".")
		default:
			files = s.importPattern(files, from, v.AsString(), item.Range())
		}
	}
	for _, f := range files {
		s.read = append(s.read, f.file)
		if src := s.parse(f.file, f.rng); src != nil {
			s.takeIn(src, f.rng)
		} else {
			s.quietly()
		}
	}
}

// takeIn declares the blocks of an imported file.
func (s *scope) takeIn(src *source, r hcl.Range) {
	if path.Base(src.path) == "case.hcl" && len(src.body.Attributes) > 0 {
		s.errorAt(r, "V01", "a case file cannot be imported", "%s holds the body of a case. A matrix selects it with cases = [%q].", src.path, path.Dir(src.path))
		return
	}
	for _, a := range inOrder(src.body.Attributes) {
		detail := fmt.Sprintf("Move %q into a block.", a.Name)
		if a.Name == "imports" {
			detail = "Only a suite block and a case file have imports. List the file there, too."
		}
		s.errorAt(a.NameRange, "V01", "a file of blocks has no arguments of its own", "%s", detail)
	}
	s.declare(src.body.Blocks, true)
}

// importPattern adds the files that a pattern matches, or removes them.
func (s *scope) importPattern(files []imported, from, pattern string, r hcl.Range) []imported {
	positive, negative := strings.CutPrefix(pattern, "!")
	p, err := resolvePath(from, positive)
	if err == nil && (positive == "" || !doublestar.ValidatePattern(p)) {
		err = badPattern(pattern)
	}
	if err != nil {
		s.errorAt(r, "V09", "unusable path", "%s.", upperFirst(err.Error()))
		return files
	}
	if negative {
		return slices.DeleteFunc(files, func(f imported) bool { return doublestar.MatchUnvalidated(p, f.file) })
	}
	if p == from {
		s.errorAt(r, "V06", "a file imports itself", "Its blocks are there already. Remove this import.")
		return files
	}
	found, err := s.glob(p)
	if err != nil || len(found) == 0 {
		s.noImport(p, r)
		return files
	}
	for _, name := range found {
		if name != from && !slices.ContainsFunc(files, func(f imported) bool { return f.file == name }) {
			files = append(files, imported{name, r})
		}
	}
	return files
}

// noImport reports a pattern that matches no file.
func (s *scope) noImport(p string, r hcl.Range) {
	if isPattern(p) {
		s.errorAt(r, "V10", "the import matches no file", "No file below the project root %s matches %s. Correct the pattern, or remove it.", s.rootDir, p)
		return
	}
	if info, ok := s.stat(p, r); ok {
		detail := fmt.Sprintf("%s cannot be read as a benchfile. Name a file.", p)
		if info.IsDir() {
			detail = fmt.Sprintf("%s is a directory. To import all of its files, write %q.", p, path.Join(p, "*.hcl"))
		}
		s.errorAt(r, "V17", "not a file", "%s", detail)
	}
}

// isPattern reports whether a path may match other files than the one it names.
func isPattern(p string) bool { return strings.ContainsAny(p, `*?[{\`) }

// nearFile proposes a file of the same directory with a similar name.
func (s *scope) nearFile(p string) string {
	entries, err := fs.ReadDir(s.root, path.Dir(p))
	if err != nil {
		return ""
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if n := Nearest(path.Base(p), names); n != "" {
		return " Did you mean " + path.Join(path.Dir(p), n) + "?"
	}
	return ""
}
