package lang

import (
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// assets reads the data that a case needs, each with a place of its own. The
// files of fixtures are added to those that the agent must not see.
func (b *body) assets(c *engine.Case, hidden *[]hiddenFiles) {
	var before []*body
	for _, inner := range b.named("asset") {
		a := inner.asset(hidden)
		if a.Target != "" && inner.freeTarget(a, c) {
			for i, other := range c.Assets {
				if other.Target != "" && (within(a.Target, other.Target) || within(other.Target, a.Target)) {
					inner.errorAt(inner.place("target"), "V03", fmt.Sprintf("asset %q has no place of its own", a.Name),
						"Asset %q is put at %s, at %s. Give one of them another target.", other.Name, other.Target, at(before[i].place("target")))
				}
			}
		}
		c.Assets, before = append(c.Assets, a), append(before, inner)
	}
	slices.SortFunc(c.Assets, func(a, b *engine.Asset) int { return strings.Compare(a.Name, b.Name) })
}

// asset reads one: where it is fetched, how its stand-in is made, or both.
func (b *body) asset(hidden *[]hiddenFiles) *engine.Asset {
	out := &engine.Asset{Name: b.label, Target: b.target("target"), Pos: pos(b.rng)}
	if v, ok := b.str("url"); ok {
		out.URL = v
		if u, err := url.Parse(v); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			b.errorAt(b.place("url"), "V09", "unusable url", "Write an address that begins with https:// and has no password in it.")
		}
	}
	if v, ok := b.str("sha256"); ok {
		if err := out.SHA256.UnmarshalText([]byte(strings.ToLower(v))); err != nil || out.SHA256.IsZero() {
			b.errorAt(b.place("sha256"), "V09", "unusable sha256", "Write the sum of the file, 64 hexadecimal digits, as sha256sum prints it.")
		}
	}
	files := b.scriptFiles(fmt.Sprintf("the fixture of asset %q", b.label), hidden)
	if command := b.command("fixture"); command != nil {
		out.Fixture = &engine.Script{Command: command, Files: files}
	}
	switch {
	case !b.has("url") && !b.has("fixture"):
		b.errorAt(b.rng, "V07", fmt.Sprintf("asset %q comes from nowhere", b.label), "Give it a url with its sha256, a fixture that makes a small stand-in, or both.")
	case b.has("url") && !b.has("sha256"):
		b.errorAt(b.attrs["url"].NameRange, "V07", "a url without a sha256", "What lies there may be another file tomorrow. Add sha256, as sha256sum prints it.")
	case b.has("sha256") && !b.has("url"):
		b.errorAt(b.attrs["sha256"].NameRange, "V07", "a sha256 without a url", "It says what is fetched, and nothing is. Remove it, or add url.")
	case b.has("files") && !b.has("fixture"):
		b.errorAt(b.attrs["files"].NameRange, "V07", "files without a fixture", "Nothing would use them. Remove them, or add fixture.")
	}
	return out
}

// freeTarget reports whether the directory around the target of an asset can be
// given to assets alone.
func (b *body) freeTarget(a *engine.Asset, c *engine.Case) bool {
	dir := path.Dir(a.Target)
	if dir == "/" {
		b.errorAt(b.place("target"), "V09", fmt.Sprintf("unusable target %q", a.Target), "The directory around an asset is there for assets alone. Write a path such as \"/assets%s\".", a.Target)
		return false
	}
	for _, t := range takenDirs(c.Sandbox) {
		if within(t.dir, dir) || t.whole && within(dir, t.dir) {
			b.errorAt(b.place("target"), "V03", fmt.Sprintf("the directory around %s is not free", a.Target),
				"It is read-only, and there for assets alone, but %s is %s. Choose another target, such as \"/assets/%s\".", t.dir, t.what, path.Base(a.Target))
			return false
		}
	}
	return true
}

// A takenDir is a directory of a sandbox that serves something else than assets.
type takenDir struct {
	dir, what string
	whole     bool // with all that is in it
}

func takenDirs(s *engine.Sandbox) []takenDir {
	const temporary = "where programs put temporary files"
	out := []takenDir{{"/home/agent", "the home of the agent", false}, {"/root", "the home of root", false}, {"/tmp", temporary, false}, {"/var/tmp", temporary, false}}
	if s == nil {
		return out
	}
	if s.Workdir != "" {
		out = append(out, takenDir{s.Workdir, "the workspace", true})
	}
	for _, m := range s.Mounts {
		if m.Target != "" {
			out = append(out, takenDir{m.Target, "a mount", true})
		}
	}
	return out
}
