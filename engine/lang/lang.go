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
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// Options say how to read a benchfile.
type Options struct {
	// Root is the project root. Empty means the nearest directory upward from
	// the benchfile that holds "cases" or ".git", else the benchfile's own.
	Root string
	// Vars gives variables their values.
	Vars map[string]Var
	// Version of bench, which suite.required_version is held against.
	Version string
	// Text takes the place of the benchfile's content, so that there need be no
	// such file; nil is what the file says. Its name still says where it lies.
	Text []byte
}

// Load reads a benchfile and everything that it names. The suite is nil if a
// diagnostic is an error. Sources is never nil, and can show every diagnostic.
func Load(file string, opts Options) (*engine.Suite, *Sources, engine.Diagnostics) {
	session, sources, diags := Open(file, opts)
	if session == nil {
		return nil, sources, diags
	}
	return session.Suite, sources, diags
}

func newLoader(opts Options) *loader {
	return &loader{
		opts: opts, sources: &Sources{files: map[string][]byte{}}, parsed: map[string]*source{}, fileCases: map[string]*engine.Case{}, badCases: map[string]bool{},
		reads: map[string][]string{}, sums: map[string]engine.Digest{}, trees: map[string]*engine.Tree{}, meter: &meter{},
		told: map[engine.Severity]int{}, dropped: map[engine.Severity]int{},
	}
}

type loader struct {
	opts    Options
	rootDir string // absolute
	root    fs.FS  // confined to rootDir
	sources *Sources
	parsed  map[string]*source
	diags   engine.Diagnostics
	reads   map[string][]string      // by benchfile: the files that its expressions read
	sums    map[string]engine.Digest // of those files
	pins    map[string]string        // by name of an image, from the lock file
	trees   map[string]*engine.Tree  // that were read, by what they are of
	meter   *meter
	noting  sync.Mutex // of reads, sums and unread: trials start while gates are judged
	unread  unread     // the last file that could not be read

	told, dropped     map[engine.Severity]int      // how many diagnostics were reported, and how many not
	counted, mistakes int                          // see trouble
	calls             map[string]function.Function // by name: those that are the same in every file

	scope     *scope                  // of the suite
	dirs      *[]string               // of all cases, once they were looked for
	noLook    bool                    // not all could be looked for, which was reported
	fileCases map[string]*engine.Case // by directory; nil for one that is none
	badCases  map[string]bool         // those in which something is wrong
}

// A source is a parsed file.
type source struct {
	path string // relative to the root, with slashes
	body *hclsyntax.Body
}

func (l *loader) load(file string) *engine.Suite {
	abs, err := filepath.Abs(file)
	if err == nil && l.opts.Text == nil {
		var info os.FileInfo
		if info, err = os.Stat(abs); err == nil && !info.Mode().IsRegular() {
			err = errors.New("not a file")
		}
	}
	if err != nil {
		l.report(engine.Diagnostic{Rule: "V17", Summary: "cannot read the benchfile", Detail: fmt.Sprintf("%s: %v. Give the path of an existing file.", file, cause(err))})
		return nil
	}
	l.rootDir = l.opts.Root
	if l.rootDir == "" {
		l.rootDir = FindRoot(filepath.Dir(abs))
	}
	if l.rootDir, err = filepath.Abs(l.rootDir); err == nil {
		var root *os.Root
		if root, err = os.OpenRoot(l.rootDir); err == nil {
			l.root = root.FS()
		}
	}
	if err != nil {
		l.report(engine.Diagnostic{Rule: "V17", Summary: "cannot open the project root", Detail: fmt.Sprintf("%s: %v. Give an existing directory with --root.", l.rootDir, cause(err))})
		return nil
	}
	rel, ok := inRoot(l.rootDir, abs)
	if !ok {
		l.report(engine.Diagnostic{Rule: "V17", Summary: "the benchfile lies outside of the project root",
			Detail: fmt.Sprintf("%s is not below %s. Move it there, or name another root with --root.", file, l.rootDir)})
		return nil
	}
	l.readLock()
	name := filepath.ToSlash(rel)
	var main *source
	if l.opts.Text != nil {
		main = l.parseText(name, l.opts.Text)
	} else {
		main = l.parse(name, hcl.Range{})
	}
	if main == nil {
		return nil
	}
	return l.suite(main)
}

// inRoot is a file relative to the root, whose own path may lead through links.
func inRoot(root, file string) (string, bool) {
	rel, err := filepath.Rel(root, file)
	if err == nil && filepath.IsLocal(rel) {
		return rel, true
	}
	realRoot, err1 := filepath.EvalSymlinks(root)
	realFile, err2 := filepath.EvalSymlinks(file)
	if err1 != nil || err2 != nil {
		return "", false
	}
	rel, err = filepath.Rel(realRoot, realFile)
	return rel, err == nil && filepath.IsLocal(rel)
}

// FindRoot is the project root of a directory: the nearest one upward that holds
// "cases" or ".git", else the directory itself.
func FindRoot(dir string) string {
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
	text, err := l.readFile(name)
	if err != nil {
		l.unreadable(name, err, from)
		return nil
	}
	return l.parseText(name, text)
}

// parseText parses the content of a file; nil after reporting why it cannot.
func (l *loader) parseText(name string, text []byte) *source {
	l.sources.files[name] = text
	body := l.syntax(name, text)
	if body == nil {
		return nil
	}
	l.warnOfKeys(name, text)
	s := &source{path: name, body: body}
	l.parsed[name] = s
	return s
}

// syntax parses a text; nil after reporting why it cannot.
func (l *loader) syntax(name string, text []byte) *hclsyntax.Body {
	if at := invalidUTF8(text); at >= 0 {
		l.notText(name, text, at)
		return nil
	}
	var tooComplex *complexity
	if errors.As(tooDeep(text), &tooComplex) {
		tooComplex.rng.Filename = name
		l.errorAt(tooComplex.rng, "V01", "the file is too complicated", "%s", tooComplex.what)
		return nil
	}
	f, diags := hclsyntax.ParseConfig(text, name, hcl.InitialPos)
	if diags.HasErrors() {
		l.syntaxErrors(name, text, diags)
		return nil
	}
	body := f.Body.(*hclsyntax.Body)
	l.meter.attach(body)
	return body
}

// An unread file is one that could not be read.
type unread struct {
	path string
	err  error
}

// readFile reads a file that people write, and refuses one that they did not.
func (l *loader) readFile(name string) ([]byte, error) {
	text, err := l.tryRead(name)
	if err != nil {
		l.noting.Lock()
		l.unread = unread{name, err}
		l.noting.Unlock()
	}
	return text, err
}

func (l *loader) tryRead(name string) ([]byte, error) {
	info, err := fs.Stat(l.root, name)
	if err == nil && info.IsDir() {
		err = errors.New("is a directory")
	} else if err == nil && !info.Mode().IsRegular() {
		err = errors.New("not a regular file")
	}
	if err != nil {
		return nil, cause(err)
	}
	f, err := l.root.Open(name)
	if err != nil {
		return nil, cause(err)
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	return text, cause(err)
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
	for name, sum := range l.sums {
		if _, ok := l.sources.files[name]; !ok {
			out = append(out, engine.Source{Path: name, Sum: sum})
		}
	}
	slices.SortFunc(out, func(a, b engine.Source) int { return strings.Compare(a.Path, b.Path) })
	return out
}

func pos(r hcl.Range) engine.Pos {
	end := engine.Point{Line: r.End.Line, Column: r.End.Column, Byte: r.End.Byte}
	return engine.Pos{File: r.Filename, Line: r.Start.Line, Column: r.Start.Column, Byte: r.Start.Byte, End: end}
}
