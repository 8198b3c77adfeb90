// Package bench_test holds the rules of the whole project. There is no Go code
// at the root.
package bench_test

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/ml-dev-bench/bench/"

// A rule says what a package may never reach, directly or not. Names of ours are
// without the module; a name stands for what lies below it, too.
type rule struct {
	of    []string // packages it holds for
	never []string // must not be reachable
	not   []string // must not be imported by the package itself
	why   string
}

var rules = []rule{
	{
		of:    []string{"engine$"},
		never: []string{"engine/", "reporters", "cmd", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog"},
		why:   "the vocabulary imports only the standard library, and does nothing",
	},
	{
		of:    []string{"engine/graph"},
		never: []string{"engine", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog", "math/rand", "math/rand/v2"},
		why:   "the scheduler is told the time, is pure and knows no domain",
	},
	{
		of:    []string{"engine/stats"},
		never: []string{"engine", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog", "time"},
		why:   "statistics are pure and know no domain",
	},
	{
		of:    []string{"engine/digest"},
		never: []string{"engine/lang", "engine/store", "engine/sandbox", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog"},
		why:   "digests are pure: files come in as fs.FS",
	},
	{
		of:    []string{"engine/snapshot"},
		never: []string{"engine/store", "engine/sandbox", "engine/apply"},
		not:   []string{"os", "os/exec", "net", "log/slog"},
		why:   "snapshots are pure: streams in, streams out",
	},
	{
		of:    []string{"engine/asset"},
		never: []string{"engine/apply", "engine/store", "engine/lang", "engine/plan", "engine/sandbox/docker", "reporters"},
		not:   []string{"os/exec"},
		why:   "a cache of files knows nothing of who asks for them, and runs nothing on the host",
	},
	{
		of:    []string{"engine/keyshape"},
		never: []string{"engine", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog"},
		why:   "what a key looks like has nothing to do with where it lies",
	},
	{
		of:    []string{"engine/imagelint"},
		never: []string{"engine/apply", "engine/store", "engine/lang", "engine/plan", "engine/sandbox/docker", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog"},
		why:   "what is wrong with an image is decided from streams and values alone",
	},
	{
		of:    []string{"engine/lang"},
		never: []string{"engine/sandbox", "engine/store", "engine/apply", "engine/plan", "reporters"},
		why:   "the language knows nothing of running",
	},
	{
		of:    []string{"engine/plan"},
		never: []string{"engine/lang", "engine/store", "engine/sandbox", "engine/apply", "github.com/hashicorp/hcl"},
		not:   []string{"os", "os/exec", "net", "time"},
		why:   "a plan is made from values alone, and asks for history through its own interface",
	},
	{
		of:    []string{"engine/apply", "engine/check"},
		never: []string{"engine/sandbox/docker", "engine/sandbox/local", "engine/lang", "engine/plan", "reporters", "github.com/hashicorp/hcl", "github.com/moby/moby"},
		why:   "steps see interfaces; implementations meet in cmd/bench",
	},
	{
		of:    []string{"engine/store"},
		never: []string{"engine/lang", "engine/plan", "engine/sandbox", "engine/apply", "reporters", "cmd"},
		why:   "results can be read without anything that made them",
	},
	{
		of:    []string{"engine/journal"},
		never: []string{"engine/", "reporters", "cmd", "third party"},
		not:   []string{"os/exec", "net", "log/slog"},
		why:   "a journal can be read without anything that wrote it: it knows the vocabulary, and nothing else",
	},
	{
		of:    []string{"engine/sandbox"},
		never: []string{"engine/apply", "engine/store", "engine/lang", "reporters"},
		why:   "a place to run knows nothing of what runs in it",
	},
	{
		of:    []string{"engine/egress"},
		never: []string{"engine/", "reporters", "cmd", "third party"},
		not:   []string{"os", "os/exec", "log/slog"},
		why:   "the proxy decides what an agent reaches: it can be read alone",
	},
	{
		of:    []string{"engine/gateway"},
		never: []string{"engine/apply", "engine/store", "engine/lang", "engine/plan", "engine/sandbox", "reporters", "cmd", "github.com/hashicorp/hcl", "github.com/moby/moby"},
		not:   []string{"os/exec", "log/slog"},
		why:   "the way to models knows nothing of who asks, where that runs and what becomes of the answers",
	},
	{
		of:    []string{"engine/gateway/wire", "engine/gateway/translate"},
		never: []string{"engine/", "reporters", "cmd", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog"},
		why:   "formats are pure: bytes in, bytes out",
	},
	{
		of:    []string{"engine/gateway/prices", "engine/gateway/mask"},
		never: []string{"engine/", "reporters", "cmd", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog"},
		why:   "what a call costs and what must not be seen is decided from values alone",
	},
	{
		of:    []string{"agents/react"},
		never: []string{"engine/apply", "engine/store", "engine/lang", "engine/plan", "engine/gateway", "engine/sandbox/", "reporters", "cmd", "third party"},
		not:   []string{"os", "os/exec", "net", "log/slog", "math/rand", "math/rand/v2"},
		why:   "an agent has a model and a sandbox, and can do nothing on the host",
	},
	{
		of:    []string{"reporters"},
		never: []string{"engine/apply", "engine/sandbox", "engine/lang", "engine/store", "engine/plan", "cmd"},
		why:   "a reporter gets a finished run, and nothing else",
	},
}

// homes says which packages may import a third party: one home for each.
var homes = map[string][]string{
	"github.com/hashicorp/hcl":     {"engine/lang"},
	"github.com/zclconf/go-cty":    {"engine/lang"},
	"github.com/testcontainers":    {"engine/sandbox/docker"},
	"github.com/moby/moby":         {"engine/sandbox/docker"},
	"github.com/containerd":        {"engine/sandbox/docker"},
	"github.com/hashicorp/yamux":   {"engine/sandbox/tunnel"},
	"github.com/olekukonko":        {"reporters/terminal", "reporters/markdown"},
	"github.com/spf13":             {"cmd/bench"},
	"golang.org/x/term":            {"cmd/bench"},
	"github.com/rogpeppe":          {"cmd/bench"},
	"github.com/gofrs/flock":       {"engine/asset", "engine/store", "engine/sandbox/docker"},
	"github.com/bmatcuk":           {"engine/lang", "engine/plan", "engine/snapshot"},
	"github.com/moby/patternmatch": {"engine/lang"},
	"github.com/clipperhouse":      {"engine/lang"},
	"github.com/agext":             {"engine/lang", "engine/plan"},
}

type pkg struct {
	ImportPath string
	Standard   bool
	Imports    []string
	Deps       []string
}

// TestImports reads what the packages import and holds it against the rules.
func TestImports(t *testing.T) {
	ours := list(t)
	for _, p := range ours {
		name := strings.TrimPrefix(p.ImportPath, module)
		for _, r := range rules {
			if slices.ContainsFunc(r.of, func(of string) bool { return covers(of, name) }) {
				checkRule(t, name, p, r)
			}
		}
		for _, imported := range p.Imports {
			for party, at := range homes {
				if strings.HasPrefix(imported, party) && !slices.ContainsFunc(at, func(h string) bool { return covers(h, name) }) {
					t.Errorf("%s imports %s, whose home is %s: replacing a library must stay one package's work", name, imported, strings.Join(at, ", "))
				}
			}
		}
	}
}

func checkRule(t *testing.T, name string, p pkg, r rule) {
	for _, dep := range p.Deps {
		short, isOurs := strings.CutPrefix(dep, module)
		thirdParty := !isOurs && strings.Contains(strings.Split(dep, "/")[0], ".") && !strings.HasPrefix(dep, "golang.org/x/")
		for _, bad := range r.never {
			hit := covers(bad, short) && isOurs && !inside(name, short) || bad == "third party" && thirdParty || !isOurs && covers(bad, dep)
			if hit {
				t.Errorf("%s reaches %s: %s", name, short, r.why)
			}
		}
	}
	for _, imported := range p.Imports {
		if slices.Contains(r.not, imported) {
			t.Errorf("%s imports %s: %s", name, imported, r.why)
		}
	}
}

// covers reports whether a package is meant by a name in a rule: the package
// itself (only it, with a $ at the end; not it, with a slash) or one below it.
func covers(rule, name string) bool {
	if exact, ok := strings.CutSuffix(rule, "$"); ok {
		return name == exact
	}
	if strings.HasSuffix(rule, "/") {
		return strings.HasPrefix(name, rule)
	}
	return name == rule || strings.HasPrefix(name, rule+"/")
}

// inside reports whether dep is the package itself or a parent of it: a child
// may always import those.
func inside(name, dep string) bool { return name == dep || strings.HasPrefix(name, dep+"/") }

func list(t *testing.T) []pkg {
	t.Helper()
	// go test does not see what go list reads, and would give an old verdict
	// from its cache. It does see which files the test opens itself.
	err := filepath.WalkDir(".", func(path string, _ fs.DirEntry, err error) error {
		if err == nil && filepath.Ext(path) == ".go" {
			_, err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("go", "list", "-json=ImportPath,Standard,Imports,Deps", "./...")
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
	if len(all) < 10 {
		t.Fatalf("go list found %d packages; is this the root of the module?", len(all))
	}
	return all
}
