package snapshot_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

var place = snapshot.Place{Dir: "/workspace", Owner: engine.User{UID: 1000, GID: 1001}}

// workspace is a case's: its tests are protected, its code is not.
func workspace(t *testing.T) *engine.Tree {
	t.Helper()
	tree, err := digest.Tree("w", fstest.MapFS{
		"main.py":         {Data: []byte("todo")},
		"test_main.py":    {Data: []byte("test")},
		"tests/a.py":      {Data: []byte("a")},
		"tests/unit/b.py": {Data: []byte("b")},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

var globs = []string{"test_*.py", "tests/**/*.py"}

func restore(t *testing.T, snap []byte, p snapshot.Protected) (files map[string]string, changed []string) {
	t.Helper()
	var out bytes.Buffer
	w := snapshot.NewWriter(&out)
	changed, err := w.Restore(place, bytes.NewReader(snap), p)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return extract(t, out.Bytes()), changed
}

// extract does what an engine does with a stream: a later entry replaces an
// earlier one, nothing can lie below what is no directory, and a hard link
// without its target is an error.
func extract(t *testing.T, stream []byte) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, e := range unpack(t, stream) {
		name := strings.TrimSuffix(strings.TrimPrefix(e.name, "workspace/"), "/")
		if e.name == "workspace/" {
			continue
		}
		for d := name; strings.Contains(d, "/"); {
			d = d[:strings.LastIndex(d, "/")]
			if kind, ok := files[d]; ok && kind != "dir" {
				t.Errorf("%s lies below %s, which is %q", name, d, kind)
			}
		}
		switch e.kind {
		case tar.TypeDir:
			files[name] = "dir"
		case tar.TypeReg:
			files[name] = e.text
		case tar.TypeSymlink:
			files[name] = "-> " + e.text
		case tar.TypeLink:
			text, ok := files[strings.TrimPrefix(e.text, "workspace/")]
			if !ok {
				t.Errorf("hard link %s to %s, which does not exist", name, e.text)
			}
			files[name] = text
		}
	}
	return files
}

func TestRestore(t *testing.T) {
	untouched := []entry{file("main.py", "done"), file("test_main.py", "test"), dir("tests"), file("tests/a.py", "a"), dir("tests/unit"), file("tests/unit/b.py", "b")}
	with := func(change map[string][]entry, more ...entry) (out []entry) {
		for _, e := range untouched {
			if instead, ok := change[e.name]; ok {
				out = append(out, instead...)
			} else {
				out = append(out, e)
			}
		}
		return append(out, more...)
	}
	whole := map[string]string{"main.py": "done", "test_main.py": "test", "tests": "dir", "tests/a.py": "a", "tests/unit": "dir", "tests/unit/b.py": "b"}
	plus := func(pairs ...string) map[string]string {
		out := map[string]string{}
		for k, v := range whole {
			out[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			out[pairs[i]] = pairs[i+1]
		}
		return out
	}
	none := []entry{}
	for _, tt := range []struct {
		name    string
		snap    []entry
		want    map[string]string
		changed []string
	}{
		{"untouched", untouched, whole, nil},
		{"changed", with(map[string][]entry{"test_main.py": {file("test_main.py", "pass")}}), whole, []string{"test_main.py"}},
		{"deleted", with(map[string][]entry{"test_main.py": none, "tests/": none, "tests/a.py": none, "tests/unit/": none, "tests/unit/b.py": none}), whole,
			[]string{"test_main.py", "tests/a.py", "tests/unit/b.py"}},
		{"added", with(nil, file("tests/conftest.py", "skip"), file("test_x.py", "x"), file("tests/notes.txt", "n")), plus("tests/notes.txt", "n"), []string{"test_x.py", "tests/conftest.py"}},
		{"file turned link", with(map[string][]entry{"test_main.py": {link("test_main.py", "main.py")}}), whole, []string{"test_main.py"}},
		{"file turned directory", with(map[string][]entry{"test_main.py": {dir("test_main.py"), file("test_main.py/x", "x")}}), whole, []string{"test_main.py", "test_main.py/x"}},
		{"directory turned link", with(map[string][]entry{"tests/": {dir("other"), link("tests", "other")}, "tests/a.py": none, "tests/unit/": none, "tests/unit/b.py": none}),
			plus("other", "dir"), []string{"tests/a.py", "tests/unit/b.py"}},
		{"directory turned file", with(map[string][]entry{"tests/": {file("tests", "x")}, "tests/a.py": none, "tests/unit/": none, "tests/unit/b.py": none}),
			whole, []string{"tests/a.py", "tests/unit/b.py"}},
		{"hard link to a protected file", with(nil, hardlink("alias", "test_main.py")), whole, []string{"alias"}},
		{"hard link to a dropped file", with(map[string][]entry{"tests/": {file("tests", "x"), hardlink("alias", "tests")}, "tests/a.py": none, "tests/unit/": none, "tests/unit/b.py": none}),
			whole, []string{"alias", "tests/a.py", "tests/unit/b.py"}},
		{"hard link to a hard link that was dropped", with(nil, hardlink("alias", "test_main.py"), hardlink("alias2", "alias")), whole, []string{"alias", "alias2"}},
		{"protected file turned hard link", with(map[string][]entry{"test_main.py": {hardlink("test_main.py", "main.py")}}), whole, []string{"test_main.py"}},
		{"hard link of its own", with(nil, hardlink("copy.py", "main.py")), plus("copy.py", "done"), nil},
		{"twice", with(nil, file("test_main.py", "pass")), whole, []string{"test_main.py"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			files, changed := restore(t, pack(t, tt.snap...), snapshot.Protected{Workspace: workspace(t), Globs: globs})
			if diff := cmp.Diff(tt.want, files); diff != "" {
				t.Errorf("files (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(tt.changed, changed); diff != "" {
				t.Errorf("changed (-want +got):\n%s", diff)
			}
		})
	}
}

func TestRestoreWithoutWorkspace(t *testing.T) {
	files, changed := restore(t, pack(t, file("a", "1"), file("test_a.py", "x")), snapshot.Protected{Globs: globs})
	if diff := cmp.Diff(map[string]string{"a": "1"}, files); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"test_a.py"}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// A protected file that changed on disk since the plan must not be used.
func TestRestoreNoticesChange(t *testing.T) {
	tree := workspace(t)
	tree.FS.(fstest.MapFS)["test_main.py"].Data = []byte("TEST")
	w := snapshot.NewWriter(io.Discard)
	if _, err := w.Restore(place, bytes.NewReader(pack(t)), snapshot.Protected{Workspace: tree, Globs: globs}); !errors.Is(err, digest.ErrChanged) {
		t.Errorf("got %v, want %v", err, digest.ErrChanged)
	}
}

// Archives of equal trees are equal bytes, with every name where it belongs.
func TestWriteTree(t *testing.T) {
	tree, err := digest.Tree("w", fstest.MapFS{
		"run.sh": {Data: []byte("x"), Mode: 0o755},
		"d/link": {Data: []byte("../run.sh"), Mode: fs.ModeSymlink},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	write := func(p snapshot.Place) []byte {
		var b bytes.Buffer
		w := snapshot.NewWriter(&b)
		if err := errors.Join(w.Tree(p, tree), w.File(p, "note", []byte("n")), w.Close()); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	first := write(place)
	if !bytes.Equal(first, write(place)) {
		t.Error("the same tree gave other bytes")
	}
	want := []string{"5 workspace/", "5 workspace/d/", "2 workspace/d/link ../run.sh", "0 workspace/run.sh x", "0 workspace/note n"}
	if diff := cmp.Diff(want, lines(unpack(t, first))); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	r := tar.NewReader(bytes.NewReader(first))
	for h, err := r.Next(); err == nil; h, err = r.Next() {
		if h.Uid != 1000 || h.Gid != 1001 || !h.ModTime.Equal(engine.TreeTime) {
			t.Errorf("%s: got %d:%d at %v, want 1000:1001 at %v", h.Name, h.Uid, h.Gid, h.ModTime, engine.TreeTime)
		}
	}
	private := place
	private.Private = true
	for _, e := range unpack(t, write(private)) {
		if e.mode&0o077 != 0 {
			t.Errorf("private %s has mode %o", e.name, e.mode)
		}
	}
}

// A name that has just fitted into the plain header of a tar stream gets longer
// when it is put back.
func TestRestoreLongNames(t *testing.T) {
	for n := 80; n < 270; n++ {
		name := strings.Repeat("d", n/2) + "/" + strings.Repeat("f", n-n/2)
		var stored, w bytes.Buffer
		if _, err := snapshot.Clean(bytes.NewReader(pack(t, file("w/"+name, "1"), hardlink("w/l", "w/"+name))), &stored, wide); err != nil {
			t.Fatal(err)
		}
		files := snapshot.NewWriter(&w)
		if _, err := files.Restore(snapshot.Place{Dir: "/work/space"}, &stored, snapshot.Protected{}); err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		files.Close()
		if got := unpack(t, w.Bytes()); len(got) != 3 || got[1].name != "work/space/"+name || got[2].text != got[1].name {
			t.Errorf("%d bytes: got %v", n, got)
		}
	}
}
