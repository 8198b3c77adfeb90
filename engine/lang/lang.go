// Package lang turns benchfiles into a Suite: it parses, resolves, evaluates and
// type-checks, and explains every mistake at the place where it was made.
//
//	suite, sources, diags := lang.Load("benchfiles/quickstart.hcl", lang.Options{})
//	sources.Write(os.Stderr, diags, 80, false)
//	if diags.HasErrors() {
//		return
//	}
//
// A benchfile is HCL with exactly one suite block:
//
//	suite "hello" {
//	  imports = ["agents/builtin.hcl"]
//	}
//
//	matrix "smoke" {
//	  cases  = ["cases/smoke/*"]
//	  agents = [agent.oracle, agent.noop]
//	}
//
// Suite file and imports share one namespace; each case file has its own, which
// is what it declares and imports. So a case means the same in every suite.
//
// A value is known in one of two phases. Static values are known when the file
// has been read, and decide how many trials there are and what they are called.
// Values that mention trial.* are known once per trial; they are allowed only in
// an agent's command and environment. All of them are type-checked by Load.
//
// What a block may hold is said once, in schema.go.
package lang

// How a file becomes a suite:
//
//	Load ── parse ──► source ── declare ──► scope ── decode ──► engine.Suite
//	                    ▲                     │
//	                    └──── imports ────────┘ (and case files, each a scope of its own)
//
// Nothing here returns at the first mistake. Methods that read a value return
// it with an ok that is false after they have reported why not; callers go on
// with the zero value and never report a second time.

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// Options say how to read a benchfile.
type Options struct {
	// Root is the project root. Empty means the nearest directory upward from
	// the benchfile that holds "cases" or ".git", else the benchfile's own.
	Root string
	// Vars gives variables their values, as written on a command line.
	Vars map[string]string
	// Version of bench, which suite.required_version is held against.
	Version string
}

// Load reads a benchfile and everything that it names. The suite is nil if a
// diagnostic is an error. Sources is never nil, and can show every diagnostic.
func Load(file string, opts Options) (*engine.Suite, *Sources, engine.Diagnostics) {
	l := &loader{opts: opts, sources: &Sources{files: map[string][]byte{}}, parsed: map[string]*source{}, fileCases: map[string]*engine.Case{}}
	suite := l.load(file)
	if l.root != nil {
		l.sources.Root = l.rootDir
	}
	diags := l.diags.Sorted()
	if diags.HasErrors() {
		return nil, l.sources, diags
	}
	return suite, l.sources, diags
}

type loader struct {
	opts    Options
	rootDir string // absolute
	root    fs.FS  // confined to rootDir
	sources *Sources
	parsed  map[string]*source
	diags   engine.Diagnostics

	dirs      *[]string               // of all cases, once they were looked for
	fileCases map[string]*engine.Case // by directory; nil for one that was reported
}

// A source is a parsed file.
type source struct {
	path string // relative to the root, with slashes
	body *hclsyntax.Body
}

func (l *loader) load(file string) *engine.Suite {
	abs, err := filepath.Abs(file)
	if err == nil {
		var info os.FileInfo
		if info, err = os.Stat(abs); err == nil && !info.Mode().IsRegular() {
			err = errors.New("not a file")
		}
	}
	if err != nil {
		l.report(engine.Diagnostic{Summary: "cannot read the benchfile", Detail: fmt.Sprintf("%s: %v. Give the path of an existing file.", file, cause(err))})
		return nil
	}
	l.rootDir = l.opts.Root
	if l.rootDir == "" {
		l.rootDir = findRoot(filepath.Dir(abs))
	}
	if l.rootDir, err = filepath.Abs(l.rootDir); err == nil {
		var root *os.Root
		if root, err = os.OpenRoot(l.rootDir); err == nil {
			l.root = root.FS()
		}
	}
	if err != nil {
		l.report(engine.Diagnostic{Summary: "cannot open the project root", Detail: fmt.Sprintf("%v.", err)})
		return nil
	}
	rel, err := filepath.Rel(l.rootDir, abs)
	if err != nil || !filepath.IsLocal(rel) {
		l.report(engine.Diagnostic{Summary: "the benchfile lies outside of the project root",
			Detail: fmt.Sprintf("%s is not below %s. Move it there, or name another root with --root.", file, l.rootDir)})
		return nil
	}
	main := l.parse(filepath.ToSlash(rel), hcl.Range{})
	if main == nil {
		return nil
	}
	return l.suite(main)
}

func findRoot(dir string) string {
	for d := dir; ; d = filepath.Dir(d) {
		for _, mark := range []string{"cases", ".git"} {
			if _, err := os.Stat(filepath.Join(d, mark)); err == nil {
				return d
			}
		}
		if d == filepath.Dir(d) {
			return dir
		}
	}
}

// parse reads a file once. It returns nil after reporting why it cannot.
func (l *loader) parse(name string, from hcl.Range) *source {
	if s, ok := l.parsed[name]; ok {
		return s
	}
	l.parsed[name] = nil
	text, err := fs.ReadFile(l.root, name)
	if err != nil {
		l.errorAt(from, "V17", "cannot read a file", "%s: %v.", name, cause(err))
		return nil
	}
	l.sources.files[name] = text
	if len(text) > maxFile {
		l.errorAt(from, "V01", "file too large", "%s has %d bytes, more than the %d that a benchfile may have.", name, len(text), maxFile)
		return nil
	}
	f, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	l.hcl(diags, "V01")
	if diags.HasErrors() {
		return nil
	}
	s := &source{path: name, body: f.Body.(*hclsyntax.Body)}
	l.parsed[name] = s
	return s
}

// maxFile bounds a benchfile, in bytes. People do not write a megabyte.
const maxFile = 1 << 20

// cause strips the name of the operation from a file system error.
func cause(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// resolvePath applies the rule of paths: "./x" and "../x" are beside the file
// in which they are written, everything else is from the project root.
func resolvePath(file, p string) (string, error) {
	if path.IsAbs(p) || filepath.IsAbs(p) {
		return "", fmt.Errorf("%q is absolute; write it relative to the project root, or beside this file as \"./...\"", p)
	}
	clean := path.Clean(p)
	if strings.HasPrefix(p, "./") || strings.HasPrefix(p, "../") || p == "." || p == ".." {
		clean = path.Join(path.Dir(file), p)
	}
	if !fs.ValidPath(clean) {
		return "", fmt.Errorf("%q leads out of the project root", p)
	}
	return clean, nil
}

func (l *loader) sourceList() []engine.Source {
	var out []engine.Source
	for name, text := range l.sources.files {
		out = append(out, engine.Source{Path: name, Sum: digest.Bytes(text)})
	}
	slices.SortFunc(out, func(a, b engine.Source) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func pos(r hcl.Range) engine.Pos {
	return engine.Pos{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte}
}
