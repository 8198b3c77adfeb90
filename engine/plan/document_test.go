package plan_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/plan"
)

var update = flag.Bool("update", false, "rewrite golden files")

var bench = engine.Version{Bench: "0.3.0", Commit: "abc"}

// A project is a suite with files, and with results of some of its trials.
type project struct {
	*world
	files   fstest.MapFS
	history history
	options plan.Options
	version engine.Version
}

func newProject(t testing.TB) *project {
	p := &project{world: newWorld(t), version: bench, files: fstest.MapFS{}}
	for _, f := range []string{"cases/a/case.hcl", "cases/a/workspace/main.py", "cases/a/workspace/lib/x.py", "cases/a/check.py", "shared/h.py", "cases/a/solve.sh", "docker/Dockerfile", "cases/a/setup/setup", "cases/a/fixture/make", "agents/install.sh", "turns.json", "tape/a@run+gpt#1.txt", "tape/a@run+gpt#2.txt", "tape/a@run+gpt#3.txt", "tape/a@run+gpt#4.txt", "benchfiles/ci.hcl"} {
		p.files[f] = &fstest.MapFile{Data: []byte(f)}
	}
	p.matrix.Trials = 3
	p.box.Mounts = append(p.box.Mounts, &engine.Mount{Source: "/data", Outside: true, Target: "/mnt"})
	p.box.Image = engine.Image{Build: &engine.Build{Dockerfile: "Dockerfile"}}
	p.suite.Variables = []*engine.Variable{{Name: "size", Value: `{"small":[1,2]}`, Sum: engine.Digest{1}}, {Name: "token", Sensitive: true, Sum: engine.Digest{2}}}
	p.read(t)
	trials := newPlan(t, p.suite, nil).Trials
	p.history.add(trials[0], passed).Cost = new(0.25)
	p.history.add(trials[1], passed).Grades = nil
	p.history.stored = append(p.history.stored, &engine.Stored{Trial: engine.TrialID{Matrix: "old", Case: "a", Agent: "run", N: 1}, N: 1})
	return p
}

// read makes the trees and sources of the files as they are now.
func (p *project) read(t testing.TB) {
	dir := func(name string) *engine.Tree {
		sub, err := p.files.Sub(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := digest.Tree(name, sub, nil)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	file := func(name string) *engine.Tree {
		sub, err := p.files.Sub(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		out, err := digest.File(name, sub, filepath.Base(name))
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	merged, err := digest.Merge(file("cases/a/check.py"), dir("shared"))
	if err != nil {
		t.Fatal(err)
	}
	p.c.Workspace, p.c.Checks[0].Script.Files, p.c.Solution.Files = dir("cases/a/workspace"), merged, file("cases/a/solve.sh")
	p.c.Setup.Files = dir("cases/a/setup")
	for _, a := range p.c.Assets {
		a.Fixture.Files = dir("cases/a/fixture")
	}
	p.box.Image.Build.Context, p.a.Layer.Context, p.provider.Script, p.provider.Recordings = dir("docker"), file("agents/install.sh"), file("turns.json"), dir("tape")
	p.suite.Sources = nil
	for _, name := range []string{"benchfiles/ci.hcl", "cases/a/case.hcl"} {
		if f, ok := p.files[name]; ok {
			p.suite.Sources = append(p.suite.Sources, engine.Source{Path: name, Sum: digest.Bytes(f.Data)})
		}
	}
}

func (p *project) document(t testing.TB) *plan.Document {
	t.Helper()
	made := newPlan(t, p.suite, &p.history, p.options)
	made.Uncertified = []engine.Uncertified{{Case: "a", Standing: engine.StandingNever}}
	return plan.NewDocument(made, plan.Inputs{File: "benchfiles/ci.hcl", Options: p.options}, p.version)
}

func written(t testing.TB, d *plan.Document) string {
	t.Helper()
	var b bytes.Buffer
	if err := d.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestDocument(t *testing.T) {
	p := newProject(t)
	p.suite.Parallel = 4
	p.options = plan.Options{Select: plan.Selection{Cases: []string{"a"}, Changed: []string{"cases/a/prompt.md"}}, Rerun: []string{"errored"}}
	p.c.Dir = "cases/a"
	text := written(t, p.document(t))
	golden := filepath.Join("testdata", "plan.json")
	if *update {
		if err := os.WriteFile(golden, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), text); diff != "" {
		t.Errorf("go test -update writes it anew (-want +got):\n%s", diff)
	}
	if err := compile(t).Validate(decoded(t, text)); err != nil {
		t.Error(err)
	}
	for range 5 {
		if again := written(t, p.document(t)); again != text {
			t.Fatal("equal plans are written in two ways")
		}
	}
	for _, secret := range []string{"hush", "louder"} {
		if strings.Contains(text, secret) {
			t.Errorf("%q is in the document", secret)
		}
	}
	back, err := plan.ReadDocument(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(p.document(t), back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if got := back.Inputs(); got.File != "benchfiles/ci.hcl" || !reflect.DeepEqual(got.Options.Select.Changed, []string{"cases/a/prompt.md"}) {
		t.Errorf("inputs: got %+v", got)
	}
}

// A document lists every file that decided something, each once.
func TestDocumentFiles(t *testing.T) {
	p := newProject(t)
	p.c.Workspace.Entries = append(p.c.Workspace.Entries, engine.TreeEntry{Path: "link", Mode: os.ModeSymlink, Link: "main.py"})
	var got []string
	for _, f := range p.document(t).Files {
		got = append(got, f.Path)
		file, link := p.files[f.Path], "main.py"
		if file != nil {
			link = string(file.Data)
		}
		if f.Sum != digest.Bytes([]byte(link)) {
			t.Errorf("%s: the sum is not that of what is in it", f.Path)
		}
	}
	want := []string{"agents/install.sh", "benchfiles/ci.hcl", "cases/a/case.hcl", "cases/a/check.py", "cases/a/fixture/make", "cases/a/setup/setup", "cases/a/solve.sh", "cases/a/workspace/lib/x.py", "cases/a/workspace/link", "cases/a/workspace/main.py", "docker/Dockerfile", "shared/h.py", "tape/a@run+gpt#1.txt", "tape/a@run+gpt#2.txt", "tape/a@run+gpt#3.txt", "turns.json"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEmptyDocument(t *testing.T) {
	p := newProject(t)
	p.suite.Variables = nil
	p.options = plan.Options{Select: plan.Selection{Changed: []string{}}, AllowEmpty: true}
	p.history = history{}
	d := p.document(t)
	text := written(t, d)
	if err := compile(t).Validate(decoded(t, text)); err != nil {
		t.Error(err)
	}
	back, err := plan.ReadDocument(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(d, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func compile(t *testing.T) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("plan.schema.json", decoded(t, string(plan.Schema()))); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("plan.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decoded(t *testing.T, text string) any {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return doc
}

// What is wrong with a document is refused by the reader and by the schema; but
// a schema cannot hold two of its parts against each other.
func TestWrongDocumentsAreRefused(t *testing.T) {
	schema := compile(t)
	p := newProject(t)
	p.version.Commit = ""
	good := written(t, p.document(t))
	first := func(d map[string]any, list string) map[string]any { return d[list].([]any)[0].(map[string]any) }
	for _, tt := range []struct {
		name   string
		spoil  func(d map[string]any)
		want   string
		schema bool // refuses it, too
	}{
		{"nothing", func(map[string]any) {}, "", false},
		{"other schema", func(d map[string]any) { d["schema"] = "bench.plan/2" }, `schema: it is "bench.plan/2", and this version of bench reads bench.plan/1`, true},
		{"unknown field", func(d map[string]any) { d["extra"] = 1 }, `unknown field "extra"`, true},
		{"missing field", func(d map[string]any) { delete(d, "gone") }, "gone is missing", true},
		{"no list", func(d map[string]any) { d["files"] = nil }, "files: <nil> stands where [ belongs", true},
		{"field of a trial", func(d map[string]any) { first(d, "trials")["luck"] = 1 }, `trials: entry 1: json: unknown field "luck"`, true},
		{"empty trial", func(d map[string]any) { d["trials"].([]any)[1] = map[string]any{} }, "trials: entry 2: a value in it is missing or out of range", true},
		{"no trial", func(d map[string]any) { d["trials"].([]any)[1] = nil }, "trials: entry 2", true},
		{"bad trial id", func(d map[string]any) { first(d, "trials")["id"] = "m/../a@run#1" }, `trial id "m/../a@run#1"`, true},
		{"same trial twice", func(d map[string]any) { l := d["trials"].([]any); l[1] = l[0] }, "trial m/a@run+gpt#1 is there twice", false},
		{"trial of no matrix", func(d map[string]any) { first(d, "trials")["id"] = "n/a@run#1" }, "are not as many as it has", false},
		{"one trial less", func(d map[string]any) { d["trials"] = d["trials"].([]any)[1:] }, "the trials of matrix m are not as many as it has", false},
		{"unknown sign", func(d map[string]any) { first(d, "trials")["sign"] = "lucky" }, "trials: entry 1", true},
		{"unknown work", func(d map[string]any) { first(d, "trials")["work"] = "some" }, "trials: entry 1", true},
		{"sign and work that do not fit", func(d map[string]any) { first(d, "trials")["work"] = "run" }, "trials: entry 1", true},
		{"short key", func(d map[string]any) { first(d, "trials")["run_key"] = "abc" }, "64 hexadecimal digits", true},
		{"no key of the run", func(d map[string]any) { first(d, "trials")["run_key"] = "" }, "trials: entry 1", true},
		{"no key of the check", func(d map[string]any) { first(d, "trials")["check_key"] = "" }, "trials: entry 1", true},
		{"negative seed", func(d map[string]any) { first(d, "trials")["seed"] = -1 }, "trials: entry 1", true},
		{"no wall clock", func(d map[string]any) { first(d, "trials")["limits"] = map[string]any{} }, "trials: entry 1", true},
		{"negative limit", func(d map[string]any) { first(d, "trials")["limits"].(map[string]any)["tokens"] = -1 }, "trials: entry 1", true},
		{"no changes", func(d map[string]any) { first(d, "trials")["changed"] = []any{} }, "trials: entry 1", true},
		{"nameless change", func(d map[string]any) { first(d, "trials")["changed"] = []any{map[string]any{"old": "x"}} }, "trials: entry 1", true},
		{"bad gone", func(d map[string]any) { d["gone"] = []any{"x"} }, `gone: entry 1: trial id "x"`, true},
		{"no standing", func(d map[string]any) { first(d, "uncertified")["standing"] = "certified" }, "uncertified: entry 1", true},
		{"nothing gone", func(d map[string]any) { d["gone"] = []any{nil} }, "gone: entry 1", true},
		{"absolute file", func(d map[string]any) { first(d, "files")["path"] = "/etc/passwd" }, "files: entry 1", true},
		{"file that climbs", func(d map[string]any) { first(d, "files")["path"] = "../x" }, "files: entry 1", false},
		{"file without a sum", func(d map[string]any) { delete(first(d, "files"), "sha256") }, "files: entry 1", true},
		{"files out of order", func(d map[string]any) { first(d, "files")["path"] = "zzz" }, "is there twice, or not in its place", false},
		{"variable without a value", func(d map[string]any) { delete(first(d, "variables"), "value") }, "variables: entry 1", true},
		{"sensitive variable with one", func(d map[string]any) { first(d, "variables")["sensitive"] = true }, "variables: entry 1", true},
		{"matrix that does not add up", func(d map[string]any) { first(d, "matrices")["new"] = 7 }, "matrices: entry 1", false},
		{"absurd count", func(d map[string]any) { first(d, "matrices")["new"] = 1e18 }, "matrices: entry 1", false},
		{"negative count", func(d map[string]any) { first(d, "matrices")["left"] = -1 }, "matrices: entry 1", true},
		{"same matrix twice", func(d map[string]any) { l := d["matrices"].([]any); d["matrices"] = append(l, l[0]) }, "matrix m is there twice", false},
		{"image without a key", func(d map[string]any) { delete(first(d, "images"), "key") }, "images: entry 1", true},
		{"asset without a key", func(d map[string]any) { delete(first(d, "assets"), "key") }, "assets: entry 1", true},
		{"asset of no variant", func(d map[string]any) { first(d, "assets")["variant"] = "medium" }, "assets: entry 1", true},
		{"file that nobody is sure of", func(d map[string]any) { delete(first(d, "assets"), "sha256") }, "assets: entry 1", true},
		{"stand-in that is fetched", func(d map[string]any) { first(d, "assets")["variant"] = "mini" }, "assets: entry 1", true},
		{"unknown variant of a trial", func(d map[string]any) { first(d, "trials")["assets"] = "medium" }, "trials: entry 1", true},
		{"unknown variant of the options", func(d map[string]any) { d["options"].(map[string]any)["assets"] = "" }, "options", true},
		{"negative worst case", func(d map[string]any) { d["worst_case"].(map[string]any)["cost_usd"] = -1 }, "worst_case", true},
		{"nothing at once", func(d map[string]any) { d["worst_case"].(map[string]any)["at_once"] = 0 }, "worst_case", true},
		{"negative estimate", func(d map[string]any) { d["expected"].(map[string]any)["agent_seconds"].(map[string]any)["mean"] = -1 }, "expected", true},
		{"negative samples", func(d map[string]any) { d["expected"].(map[string]any)["samples"] = -1 }, "expected", true},
		{"no list of an option", func(d map[string]any) { d["options"].(map[string]any)["rerun"] = nil }, "options", true},
		{"no protocol", func(d map[string]any) { d["protocols"].(map[string]any)["run"] = "" }, "protocols", true},
		{"no version", func(d map[string]any) { d["version"] = map[string]any{} }, "version", true},
		{"no file of the suite", func(d map[string]any) { delete(d["suite"].(map[string]any), "file") }, "suite", true},
		{"empty power", func(d map[string]any) { d["powers"] = []any{""} }, "powers: entry 1", true},
		{"text for a number", func(d map[string]any) { first(d, "matrices")["trials"] = "3" }, "matrices: entry 1", true},
	} {
		var doc map[string]any
		d := json.NewDecoder(strings.NewReader(good))
		d.UseNumber() // seeds
		if err := d.Decode(&doc); err != nil {
			t.Fatal(err)
		}
		tt.spoil(doc)
		text, err := json.Marshal(doc)
		if err != nil {
			t.Fatal(err)
		}
		got, err := plan.ReadDocument(bytes.NewReader(text))
		if tt.want == "" {
			if err != nil {
				t.Errorf("%s: %v", tt.name, err)
			}
		} else if err == nil || got != nil || !strings.Contains(err.Error(), tt.want) || !strings.HasPrefix(err.Error(), "this is not a plan that bench has saved: ") {
			t.Errorf("%s: got error %v, want %s", tt.name, err, tt.want)
		}
		if refused := schema.Validate(decoded(t, string(text))) != nil; refused != tt.schema {
			t.Errorf("%s: refused by the schema: %v", tt.name, refused)
		}
	}
}

// Every object of the schema that lists properties must be closed.
func TestSchemaIsClosed(t *testing.T) {
	var walk func(path string, v any)
	walk = func(path string, v any) {
		switch v := v.(type) {
		case map[string]any:
			if _, lists := v["required"]; lists && v["type"] != nil && v["additionalProperties"] != false {
				t.Errorf("%s is open", path)
			}
			for k, child := range v {
				walk(path+"/"+k, child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprint(path, "/", i), child)
			}
		}
	}
	walk("", decoded(t, string(plan.Schema())))
}

func TestUnusableText(t *testing.T) {
	p := newProject(t)
	good := written(t, p.document(t))
	for name, text := range map[string]string{
		"nothing": "", "no object": "[]", "no JSON": "suite \"x\" {}", "cut": good[:len(good)/2], "two": good + good, "more": good + "x",
		"field twice": strings.Replace(good, "{\n", "{\n  \"schema\": \"bench.plan/1\",\n", 1),
	} {
		if d, err := plan.ReadDocument(strings.NewReader(text)); err == nil || d != nil {
			t.Errorf("%s: got %v, want an error", name, d)
		}
	}
}

// A file that is too large is not read to its end, and not kept.
func TestHugeDocument(t *testing.T) {
	const most = 1 << 20
	blanks := &endless{}
	if d, err := plan.ReadDocumentUpTo(io.MultiReader(strings.NewReader("{"), blanks), most); err == nil || d != nil || !strings.Contains(err.Error(), "larger than 1 MiB") {
		t.Errorf("got %v, %v", d, err)
	}
	if blanks.read > most+1 {
		t.Errorf("%d bytes were read", blanks.read)
	}
	good := written(t, newProject(t).document(t))
	if _, err := plan.ReadDocumentUpTo(strings.NewReader(good), int64(len(good))); err != nil {
		t.Errorf("a document as large as may be: %v", err)
	}
	if _, err := plan.ReadDocumentUpTo(strings.NewReader(good), int64(len(good)-1)); err == nil {
		t.Error("a document that is one byte larger is read")
	}
}

// endless is blanks without an end.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.read += len(p)
	return len(p), nil
}

func TestStale(t *testing.T) {
	trial := func(p *project, t testing.TB, i int) *engine.Trial { return newPlan(t, p.suite, nil).Trials[i] }
	for _, tt := range []struct {
		name   string
		change func(*project)
		want   string
	}{
		{"nothing", func(*project) {}, ""},
		{"a benchfile", func(p *project) { p.files["benchfiles/ci.hcl"].Data = []byte("x") }, "benchfiles/ci.hcl has changed since the plan was made; run bench plan again"},
		{"the first of two files", func(p *project) {
			p.files["cases/a/workspace/main.py"].Data, p.files["cases/a/check.py"].Data = []byte("x"), []byte("y")
		}, "cases/a/check.py has changed since the plan was made; run bench plan again"},
		{"a file that was added", func(p *project) { p.files["cases/a/workspace/new.py"] = &fstest.MapFile{} }, "cases/a/workspace/new.py was added since the plan was made; run bench plan again"},
		{"a file that was added at the end", func(p *project) {
			p.suite.Sources = append(p.suite.Sources, engine.Source{Path: "zzz", Sum: engine.Digest{1}})
		}, "zzz was added since the plan was made; run bench plan again"},
		{"a file that is gone", func(p *project) { delete(p.files, "cases/a/workspace/main.py") }, "cases/a/workspace/main.py was used when the plan was made, and is gone; run bench plan again"},
		{"a file that is executable now", func(p *project) { p.files["cases/a/workspace/main.py"].Mode = 0o755 }, "trial m/a@run+gpt#1 is other work than when the plan was made; run bench plan again"},
		{"a variable", func(p *project) { p.suite.Variables[0].Sum[0]++ }, `variable "size" had another value when the plan was made; run bench plan again`},
		{"a sensitive variable", func(p *project) { p.suite.Variables[1].Sum[0]++ }, `variable "token" had another value when the plan was made; run bench plan again`},
		{"another variable", func(p *project) {
			p.suite.Variables = append(p.suite.Variables, &engine.Variable{Name: "x", Value: "1", Sum: engine.Digest{3}})
		}, "there are other variables than when the plan was made; run bench plan again"},
		{"the version alone", func(p *project) { p.version.Bench = "0.4.0" }, ""},
		{"something that no file says", func(p *project) { p.suite.Seed++ }, "trial m/a@run+gpt#1 is other work than when the plan was made; run bench plan again"},
		{"the checks", func(p *project) { p.c.Protect = nil }, "trial m/a@run+gpt#1 is other work than when the plan was made; run bench plan again"},
		{"trials that are gone", func(p *project) { renamed(p.matrix, "n") }, "trial m/a@run+gpt#1 was in the plan when it was made, and is gone; run bench plan again"},
		{"more trials", func(p *project) {
			more := *p.matrix
			p.suite.Matrices = append(p.suite.Matrices, renamed(&more, "n"))
		}, "trial n/a@run+gpt#1 was not in the plan when it was made; run bench plan again"},
		{"a recording", func(p *project) { p.files["tape/a@run+gpt#3.txt"].Data = []byte("x") }, "tape/a@run+gpt#3.txt has changed since the plan was made; run bench plan again"},
		{"a recording of another trial", func(p *project) { p.files["tape/a@run+gpt#4.txt"].Data = []byte("x") }, ""},
		{"a verdict that is gone", func(p *project) { p.history.stored = p.history.stored[1:] }, "trial m/a@run+gpt#1 was to use a stored result, which is gone; run bench plan again"},
		{"work to be graded that is gone", func(p *project) { p.history.stored = p.history.stored[:1] }, "trial m/a@run+gpt#2 was to use a stored result, which is gone; run bench plan again"},
		{"verdicts that came since", func(p *project) {
			p.history.stored[1].Grades = []engine.StoredGrade{{N: 1, Check: trial(p, t, 1).Check.Key.Sum, Outcome: passed}}
			p.history.add(trial(p, t, 2), failed)
		}, ""},
		{"results that are gone of what was gone", func(p *project) { p.history.stored = p.history.stored[:2] }, ""},
	} {
		p := newProject(t)
		var b bytes.Buffer
		if err := p.document(t).Write(&b); err != nil {
			t.Fatal(err)
		}
		saved, err := plan.ReadDocument(&b)
		if err != nil {
			t.Fatal(err)
		}
		sources := len(p.suite.Sources)
		tt.change(p)
		if len(p.suite.Sources) == sources {
			p.read(t)
		}
		got := ""
		if err := saved.Stale(p.document(t)); err != nil {
			got = err.Error()
		}
		if got != tt.want {
			t.Errorf("%s: got %q, want %q", tt.name, got, tt.want)
		}
	}

	p := newProject(t)
	saved := p.document(t)
	saved.Protocols.Run = "run/1"
	want := "the plan was made by bench 0.3.0, and bench 0.9.0 does not do the same work; run bench plan again"
	p.version.Bench = "0.9.0"
	if err := saved.Stale(p.document(t)); err == nil || err.Error() != want {
		t.Errorf("other protocols: got %v, want %s", err, want)
	}
}

func FuzzReadDocument(f *testing.F) {
	text := written(f, newProject(f).document(f))
	f.Add([]byte(text))
	f.Add([]byte(strings.Replace(text, `"value":{"small":[1,2]}`, `"value":  { "small" : null }`, 1)))
	f.Add([]byte(strings.Replace(text, `"mean":`, `"mean":-0`, 1)))
	f.Add([]byte(`{"schema": "bench.plan/1", "trials": [{}]}`))
	f.Add([]byte(`{"files": [null, {"path": "` + strings.Repeat("a/", 50) + `"}]}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d, err := plan.ReadDocument(bytes.NewReader(text))
		if err != nil {
			if d != nil {
				t.Fatal("an error and a document")
			}
			return
		}
		again, err := plan.ReadDocument(strings.NewReader(written(t, d)))
		if err != nil {
			t.Fatalf("what was read and written cannot be read: %v", err)
		}
		if diff := cmp.Diff(d, again); diff != "" {
			t.Fatalf("(-read +read again):\n%s", diff)
		}
		if err := d.Stale(again); err != nil {
			t.Fatal(err)
		}
	})
}

// A plan of 100,000 trials is saved and read with memory to spare.
func BenchmarkDocument(b *testing.B) {
	p := newPlan(b, large(100_000), nil)
	b.ReportAllocs()
	for b.Loop() {
		var out bytes.Buffer
		if err := plan.NewDocument(p, plan.Inputs{File: "f.hcl"}, bench).Write(&out); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(out.Len())/(1<<20), "MiB")
		if _, err := plan.ReadDocument(&out); err != nil {
			b.Fatal(err)
		}
	}
}
