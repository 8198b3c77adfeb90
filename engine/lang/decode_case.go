package lang

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// sandbox decodes a sandbox block once.
func (s *scope) sandbox(name string) *engine.Sandbox {
	if out, ok := s.sandboxes[name]; ok {
		return out
	}
	block := s.blocks["sandbox"][name]
	b := s.open(block.Body, sandboxSpec, block.DefRange())
	out := &engine.Sandbox{
		Name: name, CPUs: 1, Memory: 2 << 30, PIDs: 512, Network: engine.NetworkNone,
		User: engine.DefaultUser, Workdir: "/workspace", Timeouts: engine.DefaultTimeouts, Pos: pos(b.rng),
	}
	s.sandboxes[name] = out
	b.image(out)
	if v, ok := b.number("cpus", 0.01, 4096); ok {
		out.CPUs = v
	}
	if v, ok := b.size("memory"); ok {
		out.Memory = v
		if v < 16<<20 {
			s.errorAt(b.place("memory"), "V09", "memory is out of range", "A sandbox needs at least 16MiB.")
		}
	}
	if v, ok := b.whole("pids", 8, 1<<22); ok {
		out.PIDs = int64(v)
	}
	if v, ok := b.str("network"); ok && v != string(engine.NetworkNone) {
		s.errorAt(b.place("network"), "V09", fmt.Sprintf("unknown network %q", v), "A sandbox of this version of bench reaches nothing: write \"none\", or leave it out.")
	}
	out.Env = b.env("env")
	if v, ok := b.str("user"); ok {
		if out.User, ok = parseUser(v); !ok {
			s.errorAt(b.place("user"), "V09", fmt.Sprintf("unusable user %q", v), "Write a number such as \"1000\" or \"1000:1000\", or \"root\". Names of an image are not used.")
		}
	}
	if v, ok := b.str("workdir"); ok {
		if !path.IsAbs(v) || path.Clean(v) != v || v == "/" || reservedDir(v) {
			s.errorAt(b.place("workdir"), "V09", fmt.Sprintf("unusable workdir %q", v), "Write an absolute path such as \"/workspace\"; it may not be a directory that the system or bench needs.")
		}
		out.Workdir = v
	}
	b.timeouts(&out.Timeouts)
	return out
}

// reservedDir reports whether a workspace must not lie there.
func reservedDir(p string) bool {
	first, _, _ := strings.Cut(p[1:], "/")
	return slices.Contains([]string{"bench", "bin", "boot", "check", "dev", "etc", "lib", "lib64", "proc", "run", "sbin", "setup", "solution", "sys", "usr"}, first)
}

func parseUser(s string) (engine.User, bool) {
	if s == "root" {
		return engine.Root, true
	}
	uid, gid, two := strings.Cut(s, ":")
	u, err := strconv.Atoi(uid)
	g := u
	if two && err == nil {
		g, err = strconv.Atoi(gid)
	}
	return engine.User{UID: u, GID: g}, err == nil && u >= 0 && g >= 0 && u < 1<<31 && g < 1<<31
}

func (b *body) timeouts(t *engine.Timeouts) {
	inner := b.one("timeouts")
	if inner == nil {
		return
	}
	for name, into := range map[string]*time.Duration{"pull": &t.Pull, "build": &t.Build, "start": &t.Start, "setup": &t.Setup, "stop": &t.Stop} {
		if d, ok := inner.duration(name); ok {
			*into = d
		}
	}
}

func (b *body) image(out *engine.Sandbox) {
	ref, named := b.str("image")
	build := b.one("build")
	_, written := b.content.Attributes["image"]
	if written == (build != nil) {
		b.errorAt(b.rng, "V07", "a sandbox has either an image or a build", "Give exactly one of the two.")
		return
	}
	if named {
		if ref == "" || strings.ContainsAny(ref, " \t\n") {
			b.errorAt(b.place("image"), "V09", "unusable image", "Write the name of an image, such as \"debian:trixie-slim\".")
		}
		out.Image.Ref = ref
	}
	if build == nil {
		return
	}
	def := &engine.Build{Dockerfile: "Dockerfile", Args: build.stringMap("args")}
	def.Target, _ = build.str("target")
	if f, ok := build.str("dockerfile"); ok {
		def.Dockerfile = path.Clean(f)
	}
	if p, ok := build.path("context"); ok {
		def.Context = build.buildContext(p, build.place("context"))
	}
	if def.Context != nil && !slices.ContainsFunc(def.Context.Entries, func(e engine.TreeEntry) bool { return e.Path == def.Dockerfile && e.Mode.IsRegular() }) {
		b.errorAt(build.place("context"), "V17", "there is no Dockerfile", "The build context %s has no file %s.", def.Context.Path, def.Dockerfile)
	}
	out.Image.Build = def
}

// buildContext reads a build context, less what its .dockerignore leaves out.
func (b *body) buildContext(p string, r hcl.Range) *engine.Tree {
	ignore := func(string, bool) bool { return false }
	if f, err := b.root.Open(path.Join(p, ".dockerignore")); err == nil {
		defer f.Close()
		patterns, err := ignorefile.ReadAll(f)
		if err == nil {
			var m *patternmatcher.PatternMatcher
			if m, err = patternmatcher.New(patterns); err == nil {
				ignore = func(name string, dir bool) bool {
					hit, _ := m.MatchesOrParentMatches(name)
					return hit && (!dir || !m.Exclusions()) && name != "Dockerfile"
				}
			}
		}
		if err != nil {
			b.errorAt(r, "V09", "unusable .dockerignore", "%s/.dockerignore: %v.", p, err)
		}
	}
	return b.tree(p, r, ignore)
}

// tree reads a directory of the project, or a single file.
func (s *scope) tree(p string, r hcl.Range, ignore func(string, bool) bool) *engine.Tree {
	info, err := fs.Stat(s.root, p)
	if err != nil {
		detail := fmt.Sprintf("There is no %s below the project root.", p)
		beside := path.Join(path.Dir(r.Filename), p)
		if _, err := fs.Stat(s.root, beside); err == nil {
			detail += fmt.Sprintf(" Did you mean \"./%s\", which is beside this file?", p)
		} else {
			detail += s.nearFile(p)
		}
		s.errorAt(r, "V17", "no such file or directory", "%s", detail)
		return nil
	}
	var t *engine.Tree
	if info.IsDir() {
		var sub fs.FS
		if sub, err = fs.Sub(s.root, p); err == nil {
			t, err = digest.Tree(p, sub, ignore)
		}
	} else {
		var sub fs.FS
		if sub, err = fs.Sub(s.root, path.Dir(p)); err == nil {
			t, err = digest.File(p, sub, path.Base(p))
		}
	}
	if err != nil {
		s.errorAt(r, "V17", "unusable files", "%v.", err)
		return nil
	}
	return t
}

// script decodes the command and files of a setup, check or solution.
func (b *body) script() engine.Script {
	out := engine.Script{Command: b.command("command")}
	paths, ok := b.paths("files")
	if !ok {
		return out
	}
	var trees []*engine.Tree
	for _, p := range paths {
		if t := b.tree(p, b.place("files"), nil); t != nil {
			trees = append(trees, t)
		}
	}
	if len(trees) == 0 {
		return out
	}
	merged, err := digest.Merge(trees...)
	if err != nil {
		b.errorAt(b.place("files"), "V03", "two files of the same name", "%v. Rename one of the two.", err)
		return out
	}
	out.Files = merged
	return out
}

// inlineCase decodes a case block of a benchfile.
func (s *scope) inlineCase(name string) {
	block := s.blocks["case"][name]
	b := s.open(block.Body, caseSpec, block.DefRange())
	s.cases[name] = b.caseBody(name, "")
}

// caseFile decodes a case.hcl in a scope of its own.
func (l *loader) caseFile(dir string) *engine.Case {
	src := l.parse(path.Join(dir, "case.hcl"), hcl.Range{})
	if src == nil {
		return nil
	}
	s := newScope(l)
	for _, block := range src.body.Blocks {
		if block.Type == "sandbox" {
			s.declare(hclsyntax.Blocks{block}, false)
		}
	}
	s.include(src.path, src.body.Attributes["imports"])
	top := hcl.Range{Filename: src.path, Start: hcl.InitialPos, End: hcl.InitialPos}
	b := s.open(src.body, caseFileSpec, top)
	for _, name := range s.order["sandbox"] {
		s.sandbox(name)
	}
	return b.caseBody(strings.TrimPrefix(dir, "cases/"), dir)
}

// caseBody decodes what a case holds, wherever it is written.
func (b *body) caseBody(name, dir string) *engine.Case {
	c := &engine.Case{Name: name, Dir: dir, Pos: pos(b.rng)}
	c.Description, _ = b.str("description")
	c.Tags = b.tags()
	if p, ok := b.str("prompt"); ok {
		if strings.TrimSpace(p) == "" {
			b.errorAt(b.place("prompt"), "V09", "the prompt is empty", "Say what the agent is to do.")
		}
		c.Prompt = p
	}
	if ref, ok := b.ref("sandbox", "sandbox"); ok {
		c.Sandbox = b.sandbox(ref)
	}
	workspace, hasWorkspace := b.path("workspace")
	if hasWorkspace {
		c.Workspace = b.tree(workspace, b.place("workspace"), nil)
	}
	if list, ok := b.stringList("protect", kStrings); ok {
		c.Protect = b.protect(list, hasWorkspace)
	}
	if setup := b.one("setup"); setup != nil {
		script := setup.script()
		c.Setup = &script
	}
	for i, check := range b.each("check") {
		c.Checks = append(c.Checks, check.check(b, i, c))
	}
	if len(c.Checks) == 0 {
		b.errorAt(b.rng, "V01", "a case needs a check", "Without one, nothing can be passed or failed. Add check \"name\" { command = [...] }.")
	}
	if solution := b.one("solution"); solution != nil {
		script := solution.script()
		c.Solution = &script
	}
	c.Limits = b.limits()
	b.hidden(c, workspace, hasWorkspace)
	return c
}

func (b *body) tags() []string {
	tags, _ := b.stringList("tags", kStrings)
	for _, t := range tags {
		if !engine.ValidTag(t) {
			b.errorAt(b.place("tags"), "V04", fmt.Sprintf("%q cannot be a tag", t), "A tag is made of lower-case letters, digits, underscores and hyphens.")
		}
	}
	slices.Sort(tags)
	return slices.Compact(tags)
}

func (b *body) protect(globs []string, hasWorkspace bool) []string {
	if !hasWorkspace {
		b.errorAt(b.place("protect"), "V09", "nothing to protect", "The case has no workspace, so there are no files to restore. Remove protect, or add workspace.")
	}
	for _, g := range globs {
		if g == "" || path.IsAbs(g) || path.Clean(g) != g || strings.HasPrefix(g, "..") || !doublestar.ValidatePattern(g) {
			b.errorAt(b.place("protect"), "V09", fmt.Sprintf("unusable pattern %q", g), "Write a path within the workspace, such as \"test_model.py\" or \"tests/**\".")
		}
	}
	return globs
}

func (b *body) check(parent *body, i int, c *engine.Case) *engine.Check {
	name := parent.content.Blocks.OfType("check")[i].Labels[0]
	label := parent.content.Blocks.OfType("check")[i].LabelRanges[0]
	if !engine.ValidName(name) {
		b.errorAt(label, "V04", fmt.Sprintf("%q cannot be a name", name), "A name is a lower-case letter followed by lower-case letters, digits, underscores and hyphens.")
	}
	if slices.ContainsFunc(c.Checks, func(o *engine.Check) bool { return o.Name == name }) {
		b.errorAt(label, "V03", fmt.Sprintf("check %q is declared twice", name), "Rename or remove one of the two.")
	}
	out := &engine.Check{Name: name, Script: b.script(), Timeout: 2 * time.Minute, Weight: 1, Env: b.env("env")}
	if d, ok := b.duration("timeout"); ok {
		out.Timeout = d
	}
	if w, ok := b.number("weight", 0.0001, 1e6); ok {
		out.Weight = w
	}
	return out
}

// hidden reports files of checks and solutions that the agent would find in its
// workspace or its image.
func (b *body) hidden(c *engine.Case, workspace string, hasWorkspace bool) {
	var open []string
	if hasWorkspace {
		open = append(open, workspace)
	}
	if c.Sandbox != nil && c.Sandbox.Image.Build != nil && c.Sandbox.Image.Build.Context != nil {
		open = append(open, c.Sandbox.Image.Build.Context.Path)
	}
	for _, s := range scripts(c) {
		if s.files == nil {
			continue
		}
		parts := s.files.Merged
		if parts == nil {
			parts = []*engine.Tree{s.files}
		}
		for _, t := range parts {
			for _, seen := range open {
				if how := relation(t.Path, seen); how != "" {
					b.errorAt(b.rng, "V18", fmt.Sprintf("the files of the %s are not hidden", s.what),
						"%s %s %s, which the agent sees. Put the hidden files into a directory of their own.", t.Path, how, seen)
				}
			}
		}
	}
}

// relation says how two paths share files, or "" if they share none.
func relation(p, other string) string {
	switch {
	case p == other:
		return "is"
	case within(p, other):
		return "lies in"
	case within(other, p):
		return "holds"
	}
	return ""
}

// A hiddenScript is a script whose files the agent must not find.
type hiddenScript struct {
	what  string
	files *engine.Tree
}

func scripts(c *engine.Case) []hiddenScript {
	var out []hiddenScript
	for _, check := range c.Checks {
		out = append(out, hiddenScript{fmt.Sprintf("check %q", check.Name), check.Script.Files})
	}
	if c.Setup != nil {
		out = append(out, hiddenScript{"setup", c.Setup.Files})
	}
	if c.Solution != nil {
		out = append(out, hiddenScript{"solution", c.Solution.Files})
	}
	return out
}

// within reports whether path p lies in directory dir, or is it.
func within(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") || dir == "." }
