package digest_test

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

func tree(t *testing.T, name string, fsys fs.FS) *engine.Tree {
	t.Helper()
	out, err := digest.Tree(name, fsys, nil)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// What can change how a trial goes must change the sum; what git does not keep
// must not, or a fresh clone would reuse nothing.
func TestTreeSum(t *testing.T) {
	base := func() fstest.MapFS {
		return fstest.MapFS{
			"a.txt":     {Data: []byte("a"), Mode: 0o644},
			"dir/b.txt": {Data: []byte("b"), Mode: 0o644},
			"link":      {Data: []byte("a.txt"), Mode: fs.ModeSymlink | 0o777},
			"empty":     {Mode: fs.ModeDir | 0o755},
		}
	}
	want := tree(t, "base", base()).Sum
	for _, tt := range []struct {
		name   string
		change func(fstest.MapFS)
		same   bool
	}{
		{"nothing", func(fstest.MapFS) {}, true},
		{"time", func(m fstest.MapFS) { m["a.txt"].ModTime = time.Unix(1e9, 0) }, true},
		{"group and other bits", func(m fstest.MapFS) { m["a.txt"].Mode = 0o600 }, true},
		{"bits of a directory", func(m fstest.MapFS) { m["empty"].Mode = fs.ModeDir | 0o700 }, true},
		{"content", func(m fstest.MapFS) { m["a.txt"].Data = []byte("A") }, false},
		{"name", func(m fstest.MapFS) { m["c.txt"] = m["a.txt"]; delete(m, "a.txt") }, false},
		{"executable bit", func(m fstest.MapFS) { m["a.txt"].Mode = 0o755 }, false},
		{"link target", func(m fstest.MapFS) { m["link"].Data = []byte("dir") }, false},
		{"link turned file", func(m fstest.MapFS) { m["link"].Mode = 0o644 }, false},
		{"empty directory gone", func(m fstest.MapFS) { delete(m, "empty") }, false},
		{"empty directory turned file", func(m fstest.MapFS) { m["empty"].Mode = 0o644 }, false},
		{"moved content", func(m fstest.MapFS) { m["a.txt"].Data, m["dir/b.txt"].Data = []byte("b"), []byte("a") }, false},
	} {
		m := base()
		tt.change(m)
		if got := tree(t, "other", m).Sum == want; got != tt.same {
			t.Errorf("%s: got the same sum %v, want %v", tt.name, got, tt.same)
		}
	}
}

func TestTreeIgnore(t *testing.T) {
	m := fstest.MapFS{"keep": {}, "skip/a": {}, "skip/b": {}, "x/skip.txt": {}}
	got, err := digest.Tree("t", m, func(p string, _ bool) bool { return strings.Contains(p, "skip") })
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"keep", "x"}, paths(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func paths(t *engine.Tree) (out []string) {
	for _, e := range t.Entries {
		out = append(out, e.Path)
	}
	return out
}

func TestTreeRefuses(t *testing.T) {
	for name, file := range map[string]*fstest.MapFile{
		"link to the parent":     {Data: []byte("../secret"), Mode: fs.ModeSymlink},
		"link to the root":       {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink},
		"device":                 {Mode: fs.ModeDevice},
		"pipe":                   {Mode: fs.ModeNamedPipe},
		"socket":                 {Mode: fs.ModeSocket},
		"link that climbs twice": {Data: []byte("x/../../y"), Mode: fs.ModeSymlink},
	} {
		if got, err := digest.Tree("t", fstest.MapFS{"odd": file}, nil); err == nil {
			t.Errorf("%s: got %v, want an error", name, paths(got))
		}
	}
}

func TestFile(t *testing.T) {
	m := fstest.MapFS{"a.txt": {Data: []byte("a")}, "b.txt": {Data: []byte("b")}}
	got, err := digest.File("dir/a.txt", m, "a.txt")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"a.txt"}, paths(got)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if p := digest.PathOf(got, got.Entries[0]); p != "dir/a.txt" {
		t.Errorf("the file lies at %s", p)
	}
	dir := tree(t, "x/a.txt", fstest.MapFS{"a.txt": {Data: []byte("a")}})
	if p := digest.PathOf(dir, dir.Entries[0]); p != "x/a.txt/a.txt" {
		t.Errorf("a file in a directory of its name lies at %s", p)
	}
	if want := tree(t, "alone", fstest.MapFS{"a.txt": {Data: []byte("a")}}).Sum; got.Sum != want {
		t.Errorf("got %v, want that of a directory with this one file, %v", got.Sum, want)
	}
}

func TestMerge(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	for _, tt := range []struct {
		name string
		a, b fstest.MapFS
		want []string
		err  string
	}{
		{"apart", fstest.MapFS{"a": file("a")}, fstest.MapFS{"b": file("b")}, []string{"a", "b"}, ""},
		{"shared directory", fstest.MapFS{"d/a": file("a")}, fstest.MapFS{"d/b": file("b")}, []string{"d", "d/a", "d/b"}, ""},
		{"same file", fstest.MapFS{"d/a": file("a")}, fstest.MapFS{"d/a": file("a")}, nil, "d/a is both in first and in second"},
		{"file, then directory", fstest.MapFS{"x": file("a")}, fstest.MapFS{"x/y": file("b")}, nil, "x is both in first and in second"},
		{"directory, then file", fstest.MapFS{"x/y": file("b")}, fstest.MapFS{"x": file("a")}, nil, "x is both in first and in second"},
	} {
		got, err := digest.Merge(tree(t, "first", tt.a), tree(t, "second", tt.b))
		if tt.err != "" {
			if err == nil || err.Error() != tt.err {
				t.Errorf("%s: got error %v, want %s", tt.name, err, tt.err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, paths(got)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
		for _, e := range got.Entries { // each from where it came from
			if !e.Mode.IsRegular() {
				continue
			}
			if text, err := read(got, e); err != nil || text != filepath.Base(e.Path) {
				t.Errorf("%s: %s: got %q (%v), want its name", tt.name, e.Path, text, err)
			}
		}
	}
}

func read(t *engine.Tree, e engine.TreeEntry) (string, error) {
	f, err := digest.Open(t, e)
	if err != nil {
		return "", err
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	return string(text), err
}

// A file that changes after the plan was made must not be used unnoticed.
func TestOpenNoticesChange(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.txt")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("before")
	made := tree(t, "t", os.DirFS(dir))
	if text, err := read(made, made.Entries[0]); err != nil || text != "before" {
		t.Errorf("unchanged: got %q (%v), want \"before\"", text, err)
	}
	for _, text := range []string{"behind", "bef", "before and after", ""} {
		write(text)
		if _, err := read(made, made.Entries[0]); !errors.Is(err, digest.ErrChanged) {
			t.Errorf("%q: got error %v, want %v", text, err, digest.ErrChanged)
		}
	}
}

func TestKey(t *testing.T) {
	long := strings.Repeat("long ", 100)
	want := digest.NewKey("p/1").Add("a", "1").Add("b", long).Key()
	if got := digest.NewKey("p/1").Add("b", long).Add("a", "1").Key(); got.Sum != want.Sum {
		t.Error("the order of Add changes the sum")
	}
	for name, other := range map[string]engine.Key{
		"protocol":   digest.NewKey("p/2").Add("a", "1").Add("b", long).Key(),
		"value":      digest.NewKey("p/1").Add("a", "2").Add("b", long).Key(),
		"long value": digest.NewKey("p/1").Add("a", "1").Add("b", long+".").Key(),
		"missing":    digest.NewKey("p/1").Add("b", long).Key(),
		"quoting":    digest.NewKey("p/1").Add("a\"=\"1", "").Add("b", long).Key(),
	} {
		if other.Sum == want.Sum {
			t.Errorf("%s: the sum is the same", name)
		}
	}
	for _, p := range want.Parts {
		if len(p.Value) > 80 {
			t.Errorf("%s: a value of %d bytes is kept", p.Name, len(p.Value))
		}
	}
	none, empty := digest.NewKey("p").AddTree("t", nil).Key(), digest.NewKey("p").AddTree("t", tree(t, "", fstest.MapFS{})).Key()
	if none.Sum == empty.Sum {
		t.Error("no tree and an empty tree have the same sum")
	}
	defer func() {
		if recover() == nil {
			t.Error("a part given twice: want a panic")
		}
	}()
	digest.NewKey("p").Add("a", "1").Add("a", "1").Key()
}

// The sum of a key covers what it is laid over.
func TestKeyOver(t *testing.T) {
	base := digest.NewKey("p/1").Add("a", "1").Key()
	want := digest.Over(&base).Add("c", "3").Add("b", "2").Key()
	parts := []engine.Part{{Name: "a", Value: "1"}, {Name: "b", Value: "2"}, {Name: "c", Value: "3"}, {Name: "protocol", Value: "p/1"}}
	if diff := cmp.Diff(parts, want.All()); diff != "" {
		t.Errorf("parts (-want +got):\n%s", diff)
	}
	same, other := digest.NewKey("p/1").Add("a", "1").Key(), digest.NewKey("p/1").Add("a", "2").Key()
	if got := digest.Over(&same).Add("b", "2").Add("c", "3").Key(); got.Sum != want.Sum {
		t.Error("equal parts over an equal base have another sum")
	}
	for name, k := range map[string]engine.Key{
		"other base":    digest.Over(&other).Add("b", "2").Add("c", "3").Key(),
		"other part":    digest.Over(&base).Add("b", "2").Add("c", "4").Key(),
		"missing part":  digest.Over(&base).Add("b", "2").Key(),
		"nothing added": digest.Over(&base).Key(),
		"the base":      base,
	} {
		if k.Sum == want.Sum {
			t.Errorf("%s: the sum is the same", name)
		}
	}
	if digest.Over(&base).Key().Sum == base.Sum {
		t.Error("a layer without parts has the sum of its base")
	}
}

// A value that is hidden cannot be read from a key, but it counts.
func TestKeyHidden(t *testing.T) {
	a, b := digest.NewKey("p").AddHidden("x", "one").Key(), digest.NewKey("p").AddHidden("x", "two").Key()
	plain := digest.NewKey("p").Add("x", "one").Key()
	if a.Sum == b.Sum || a.Sum == plain.Sum {
		t.Error("two values have the same sum")
	}
	if got, want := a.Parts[1].Value, "sha256:"+digest.Bytes([]byte("one")).String(); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
