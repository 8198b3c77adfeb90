package lang

import (
	"fmt"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// inlineCase decodes a case block of a benchfile.
func (s *scope) inlineCase(name string) {
	block := s.blocks["case"][name]
	dir := path.Join("cases", name)
	if slices.Contains(s.caseDirs(), dir) {
		s.errorAt(block.LabelRanges[0], "V03", fmt.Sprintf("case %q is declared twice", name), "There is a file %s/case.hcl, too. Rename or remove one of the two.", dir)
	}
	s.cases[name] = s.open(block, caseSpec).caseBody(name, "")
}

// caseAllowance is what a case file may cost the meter, beside what all expressions
// of the suite may cost together. Most cost a tenth of it.
const caseAllowance = 16 << 10

// caseFile decodes a case.hcl in a scope of its own.
func (l *loader) caseFile(dir string) *engine.Case {
	before := l.meter.used.Load()
	defer func() {
		if !l.meter.spent() {
			l.meter.used.Add(-min(l.meter.used.Load()-before, caseAllowance))
		}
	}()
	file := path.Join(dir, "case.hcl")
	src := l.parse(file, hcl.Range{})
	if src == nil {
		return nil
	}
	defer delete(l.parsed, file) // nobody reads it again, and there may be very many
	s := newScope(l)
	s.read = []string{src.path}
	for _, block := range src.body.Blocks {
		switch block.Type {
		case "sandbox":
			if s.labelled(block, sandboxSpec) {
				s.declareBlock(block)
			}
		case "case": // everything else would only follow from this
			s.errorAt(block.DefRange(), "V01", "a case file holds the body of a case", "Its name is that of its directory. Remove this line and the closing brace, and keep what is between them.")
			return nil
		}
	}
	own := slices.Clone(s.order["sandbox"])
	s.include(src.path, src.body.Attributes["imports"])
	top := hcl.Range{Filename: src.path, Start: hcl.InitialPos, End: hcl.InitialPos}
	b := s.openBody(src.body, caseFileSpec, top)
	for _, name := range own {
		s.sandbox(name)
	}
	c := b.caseBody(strings.TrimPrefix(dir, "cases/"), dir)
	c.Files = slices.Compact(slices.Sorted(slices.Values(s.read)))
	return c
}

// caseBody decodes what a case holds, wherever it is written.
func (b *body) caseBody(name, dir string) *engine.Case {
	c := &engine.Case{Name: name, Dir: dir, Snapshot: engine.SnapshotWorkspace, Files: []string{b.file}, Pos: pos(b.rng)}
	c.Description, _ = b.str("description")
	c.Tags = b.tags()
	if p, ok := b.str("prompt"); ok {
		if strings.TrimSpace(p) == "" {
			b.errorAt(b.place("prompt"), "V09", "the prompt is empty", "Say what the agent is to do.")
		}
		c.Prompt = p
	}
	if r, ok := b.ref("sandbox"); ok {
		c.Sandbox = b.sandbox(r.name)
	}
	if workspace, ok := b.path("workspace"); ok {
		c.Workspace = b.dirTree(workspace, b.place("workspace"))
	}
	c.Protect = b.protect()
	var hidden []hiddenFiles
	if setup := b.one("setup"); setup != nil {
		script := setup.script("the setup", &hidden)
		c.Setup = &script
	}
	for _, inner := range b.named("check") {
		check := inner.check(&hidden)
		c.Checks = append(c.Checks, check)
		if !inner.has("files") && onlyExistence(check.Script.Command) {
			b.warnAt(inner.rng, "V22", fmt.Sprintf("check %q only asks whether a file is there", check.Name), "An empty file would pass. Look at what is in it, with a program of your own in files.")
		}
	}
	if !b.has("check") {
		b.errorAt(b.rng, "V01", "a case needs a check", "Without one, nothing can be passed or failed. Add check \"name\" { command = [...] }.")
	}
	if solution := b.one("solution"); solution != nil {
		script := solution.script("the solution", &hidden)
		c.Solution = &script
	}
	if v, ok := b.choice("snapshot", string(engine.SnapshotWorkspace), string(engine.SnapshotFilesystem)); ok {
		c.Snapshot = engine.Snapshot(v)
	}
	b.assets(c, &hidden)
	c.Artifacts = b.globs("artifacts")
	c.Limits = b.limits()
	if !b.has("solution") {
		b.warnAt(b.rng, "V22", fmt.Sprintf("case %q has no solution", c.Name), "Nothing shows that it can be solved. Add a solution block.")
	}
	b.seen(c, hidden)
	return c
}

// onlyExistence reports whether a command says no more than that a file is there.
func onlyExistence(command []string) bool {
	if len(command) == 3 && slices.Contains([]string{"sh", "bash"}, path.Base(command[0])) && command[1] == "-c" && !strings.ContainsAny(command[2], "|&;()<>`$\n") {
		command = strings.Fields(command[2])
	}
	if len(command) < 2 {
		return false
	}
	switch path.Base(command[0]) {
	case "test", "[":
		return slices.Contains([]string{"-e", "-f", "-d", "-r", "-x"}, command[1])
	case "ls", "stat", "find":
		return true
	}
	return false
}

// script decodes the command and files of a setup, check or solution. Its files
// are added to those that the agent must not see.
func (b *body) script(what string, hidden *[]hiddenFiles) engine.Script {
	return engine.Script{Command: b.command("command"), Files: b.scriptFiles(what, hidden)}
}

func (b *body) scriptFiles(what string, hidden *[]hiddenFiles) *engine.Tree {
	var trees []*engine.Tree
	for _, p := range b.paths("files") {
		if t := b.tree(p.path, p.rng); t != nil {
			trees = append(trees, t)
			*hidden = append(*hidden, hiddenFiles{what, t.Path, p.rng})
		}
	}
	if len(trees) == 0 {
		return nil
	}
	merged, err := digest.Merge(trees...)
	if err != nil {
		b.errorAt(b.place("files"), "V03", "two files of the same name", "All files of a script lie in one directory, and %v. Rename one of the two.", err)
		return nil
	}
	return merged
}

// globs reads patterns of paths in a sandbox.
func (b *body) globs(name string) []string {
	list, ok := b.stringList(name, kGlobs)
	if !ok {
		return nil
	}
	for i, g := range list {
		if g == "" || !doublestar.ValidatePattern(g) || slices.Contains(strings.Split(g, "/"), "..") {
			b.errorAt(b.item(name, i), "V09", fmt.Sprintf("unusable pattern %q", g), "Write a path in the sandbox, such as \"/root/.agent/**\", or one within the workspace.")
		}
	}
	return list
}

func (b *body) tags() []string {
	tags, _ := b.stringList("tags", kStrings)
	for i, t := range tags {
		if !engine.ValidTag(t) {
			b.errorAt(b.item("tags", i), "V04", fmt.Sprintf("%q cannot be a tag", t), "A tag is made of lower-case letters, digits, underscores and hyphens.")
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

func (b *body) protect() []string {
	globs, ok := b.stringList("protect", kGlobs)
	if !ok {
		return nil
	}
	if !b.has("workspace") {
		b.errorAt(b.attrs["protect"].NameRange, "V09", "nothing to protect", "The case has no workspace, so there are no files to restore. Remove protect, or add workspace.")
	}
	for i, g := range globs {
		if g == "" || path.IsAbs(g) || path.Clean(g) != g || strings.HasPrefix(g, "..") || !doublestar.ValidatePattern(g) {
			b.errorAt(b.item("protect", i), "V09", fmt.Sprintf("unusable pattern %q", g), "Write a path within the workspace, such as \"test_model.py\" or \"tests/**\".")
		}
	}
	return globs
}

func (b *body) check(hidden *[]hiddenFiles) *engine.Check {
	out := &engine.Check{Name: b.label, Script: b.script(fmt.Sprintf("check %q", b.label), hidden), Timeout: 2 * time.Minute, Weight: 1, Env: b.env("env")}
	if d, ok := b.duration("timeout"); ok {
		out.Timeout = d
	}
	if w, ok := b.number("weight", 0.0001, 1e6); ok {
		out.Weight = w
	}
	return out
}

// hiddenFiles are files of a script that the agent must not find.
type hiddenFiles struct {
	what string // "the solution"
	path string
	rng  hcl.Range
}

// An open place is one that an agent sees.
type open struct {
	what  string // "the workspace"
	path  string
	whole bool         // all that lies there is seen
	tree  *engine.Tree // what of it is seen, if not all
}

// seen reports hidden files that the agent would find in its workspace, in its
// image, or in a mount.
func (b *body) seen(c *engine.Case, hidden []hiddenFiles) {
	for _, o := range b.openTo(c) {
		for _, h := range hidden {
			if how := o.shows(h.path); how != "" {
				b.errorAt(h.rng, "V18", fmt.Sprintf("the files of %s are not hidden", h.what),
					"%s. Put the hidden files into a directory of their own.", o.sentence(h.path, how))
			}
		}
	}
}

// openTo lists what an agent that works on a case sees of the project.
func (b *body) openTo(c *engine.Case) []open {
	var out []open
	if c.Workspace != nil {
		out = append(out, open{"the workspace", c.Workspace.Path, true, nil})
	}
	if c.Sandbox == nil {
		return out
	}
	if build := c.Sandbox.Image.Build; build != nil && build.Context != nil {
		out = append(out, open{fmt.Sprintf("the build context of sandbox %q", c.Sandbox.Name), build.Context.Path, false, build.Context})
	}
	for _, m := range c.Sandbox.Mounts {
		what := fmt.Sprintf("a mount of sandbox %q", c.Sandbox.Name)
		if !m.Outside {
			out = append(out, open{what, m.Source, true, nil})
		} else if rel, err := filepath.Rel(m.Source, b.rootDir); err == nil && filepath.IsLocal(rel) { // the root lies in it
			out = append(out, open{what, ".", true, nil})
		}
	}
	return out
}

// shows says how a path and an open place share files, or "" if they share none.
func (o open) shows(p string) string {
	how := ""
	switch {
	case p == o.path:
		how = "is"
	case within(p, o.path):
		how = "lies in"
	case within(o.path, p):
		how = "holds"
	}
	if how == "" || o.whole {
		return how
	}
	for _, e := range o.tree.Entries {
		if !e.Mode.IsDir() && within(path.Join(o.path, e.Path), p) {
			return how
		}
	}
	return ""
}

// sentence says where the agent sees hidden files.
func (o open) sentence(p, how string) string {
	if how == "is" {
		return fmt.Sprintf("%s is %s, which the agent sees", p, o.what)
	}
	return fmt.Sprintf("%s %s %s, which the agent sees: %s", p, how, o.what, rootWords(o.path))
}

func rootWords(p string) string {
	if p == "." {
		return "the project root"
	}
	return p
}

// within reports whether path p lies in directory dir, or is it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") || dir == "." }

// leaksTo reports files of cases that an agent would find in the image that is
// made for it.
func (s *scope) leaksTo(a *engine.Agent, cases []*engine.Case) {
	r, ok := s.layers[a.Name]
	if !ok || a.Layer == nil || a.Layer.Context == nil {
		return
	}
	o := open{"that directory", a.Layer.Context.Path, false, a.Layer.Context}
	for _, c := range cases {
		for _, script := range scripts(c) {
			for _, t := range script.trees() {
				if how := o.shows(t.Path); how != "" {
					s.errorAt(r, "V18", fmt.Sprintf("the build context of agent %q shows what is hidden", a.Name),
						"%s, which belongs to the %s of case %q, %s %s. Choose a directory that holds nothing but the agent.", t.Path, script.what, c.Name, how, rootWords(o.path))
					delete(s.layers, a.Name) // once is enough
					return
				}
			}
		}
	}
}

type script struct {
	what  string
	files *engine.Tree
}

// trees are those that the files were laid together from.
func (s script) trees() []*engine.Tree {
	switch {
	case s.files == nil:
		return nil
	case s.files.Merged != nil:
		return s.files.Merged
	}
	return []*engine.Tree{s.files}
}

func scripts(c *engine.Case) []script {
	var out []script
	for _, check := range c.Checks {
		out = append(out, script{fmt.Sprintf("check %q", check.Name), check.Script.Files})
	}
	if c.Setup != nil {
		out = append(out, script{"setup", c.Setup.Files})
	}
	if c.Solution != nil {
		out = append(out, script{"solution", c.Solution.Files})
	}
	for _, a := range c.Assets {
		if a.Fixture != nil {
			out = append(out, script{fmt.Sprintf("fixture of asset %q", a.Name), a.Fixture.Files})
		}
	}
	return out
}
