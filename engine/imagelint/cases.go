package imagelint

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// AllowUnsafe is the power with which agents work in images with errors.
const AllowUnsafe = "image.unsafe"

// Findings says what is wrong with an image for cases that are worked on in it,
// errors first.
func (i *Inventory) Findings(cases []*engine.Case) []engine.Finding {
	found := slices.Clone(i.Found)
	found = append(found, i.hidden(cases)...)
	found = append(found, i.writable(cases)...)
	return tidy(found)
}

// A leak is a file of the image that no agent may see.
type leak struct {
	path     string
	severity engine.Severity
	of       string // which file it is
	what     string // "a check"
	cases    []string
}

// hidden finds the hidden files of cases by their content.
func (i *Inventory) hidden(cases []*engine.Case) []engine.Finding {
	leaks := map[string]*leak{}
	var order []string
	for _, c := range cases {
		shown := sumsOf(c.Workspace)
		look := func(what string, severity engine.Severity, tree *engine.Tree) {
			for _, e := range filesOf(tree) {
				at, ok := i.Sums[e.Sum]
				if !ok || shown[e.Sum] {
					continue
				}
				l := leaks[at]
				if l == nil {
					l = &leak{path: at, severity: severity, of: path.Join(tree.Path, e.Path), what: what}
					leaks[at], order = l, append(order, at)
				}
				if !slices.Contains(l.cases, c.Name) {
					l.cases = append(l.cases, c.Name)
				}
			}
		}
		for _, check := range c.Checks {
			look("a check", engine.SeverityError, check.Script.Files)
		}
		if c.Solution != nil {
			look("the solution", engine.SeverityError, c.Solution.Files)
		}
		if c.Setup != nil {
			look("the setup", engine.SeverityWarning, c.Setup.Files)
		}
	}
	var out []engine.Finding
	for _, at := range order {
		out = append(out, leaks[at].finding())
	}
	return out
}

func (l *leak) finding() engine.Finding {
	of := "case " + l.cases[0]
	if n := len(l.cases) - 1; n > 0 {
		of += fmt.Sprintf(" and %d more", n)
	}
	f := engine.Finding{
		Severity: l.severity, Rule: "hidden-file", Path: l.path, Summary: fmt.Sprintf("is %s, a file of %s of %s", l.of, l.what, of),
		Detail: "Agents must not see it, and can read it in the image: no verdict would say what they are able to do.",
		Fix:    fmt.Sprintf("Keep it out of the image: a COPY or ADD of a directory may bring more than it should. If it has to be there, allow it with --allow %s, or leave the case out with --case '!%s'.", AllowUnsafe, l.cases[0]),
	}
	if l.severity != engine.SeverityError {
		f.Detail = "It is removed from the sandbox before an agent starts, but the copy in the image is not."
		f.Fix = "Keep it out of the image, if agents are not to see it."
	}
	return f
}

// filesOf are the files of a tree that have enough content to be known by it.
func filesOf(t *engine.Tree) (out []engine.TreeEntry) {
	if t == nil {
		return nil
	}
	for _, e := range t.Entries {
		if e.Mode.IsRegular() && e.Size >= leastSize {
			out = append(out, e)
		}
	}
	return out
}

func sumsOf(t *engine.Tree) map[engine.Digest]bool {
	out := map[engine.Digest]bool{}
	for _, e := range filesOf(t) {
		out[e.Sum] = true
	}
	return out
}

// writable finds what anybody may change on the PATH of programs: that of the
// image, and that of the sandboxes of cases.
func (i *Inventory) writable(cases []*engine.Case) (out []engine.Finding) {
	seen := map[string]bool{}
	look := func(list, whose string) {
		for dir := range strings.SplitSeq(list, ":") {
			if seen[dir] {
				continue
			}
			seen[dir] = true
			out = append(out, i.onPath(dir, whose, seen)...)
		}
	}
	look(i.Path, "the image")
	for _, c := range cases {
		if list := c.Sandbox.Env["PATH"]; list != "" {
			look(list, fmt.Sprintf("sandbox %q", c.Sandbox.Name))
		}
	}
	return out
}

// onPath looks at one directory, which may have several names.
func (i *Inventory) onPath(dir, whose string, seen map[string]bool) (out []engine.Finding) {
	f := engine.Finding{
		Severity: engine.SeverityWarning, Rule: "writable-path",
		Detail: "What runs in the sandbox may not be the program that it is called by. Checks are safe from that, since they run in a sandbox of their own; what prepares or watches the agent is not.",
		Fix:    "Take the right to write away from others (chmod o-w), or the directory out of PATH.",
	}
	if !path.IsAbs(dir) {
		f.Summary = fmt.Sprintf("PATH of %s has %q, which is another directory wherever a program starts", whose, dir)
		f.Fix = "Write absolute paths alone into PATH."
		return []engine.Finding{f}
	}
	real := i.resolve(dir)
	if real != dir && seen[real] {
		return nil
	}
	seen[real] = true
	if slices.Contains(i.Dirs, real) {
		f.Path, f.Summary = real, fmt.Sprintf("is on PATH of %s, and anybody may write to it", whose)
		out = append(out, f)
	}
	for _, name := range i.Files {
		if path.Dir(name) == real {
			f.Path, f.Summary = name, fmt.Sprintf("is in a directory on PATH of %s, and anybody may change it", whose)
			out = append(out, f)
		}
	}
	return out
}
