package snapshot_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// cleanChanges keeps what changed: a path, or one with "-" before it that was
// deleted.
func cleanChanges(limits snapshot.Limits, stream []byte, changed ...string) (out []byte, left []string, err error) {
	c := snapshot.NewChanges(limits, "/srv/work", "/data")
	for _, name := range changed {
		name, deleted := strings.CutPrefix(name, "-")
		if err := c.Add(name, deleted); err != nil {
			return nil, nil, err
		}
	}
	var w bytes.Buffer
	left, err = c.Clean(bytes.NewReader(stream), &w)
	return w.Bytes(), left, err
}

func TestCleanChanges(t *testing.T) {
	const (
		odd  = ": odd name"
		kind = ": neither a file, a directory nor a link"
		hard = ": hard link to something that is not kept"
		work = ": the workspace is there or below, so it has to be a directory"
	)
	for _, tt := range []struct {
		name    string
		changed []string
		in      []entry
		want    []string
		left    []string
	}{
		{"only what changed", []string{"/etc/passwd", "/usr/bin/tool"},
			[]entry{dir("/"), dir("/etc"), file("/etc/passwd", "1"), file("/etc/shadow", "2"), dir("/usr"), dir("/usr/bin"), file("/usr/bin/tool", "3"), file("/usr/bin/sh", "4")},
			[]string{"5 etc/", "0 etc/passwd 1", "5 usr/", "5 usr/bin/", "0 usr/bin/tool 3"}, nil},
		{"deleted and replaced", []string{"-/usr/share/doc", "-/etc/apt", "/etc/apt/new", "-/etc/issue"},
			[]entry{dir("etc"), dir("etc/apt"), file("etc/apt/new", "1")},
			[]string{"0 etc/.wh.apt", "0 etc/.wh.issue", "0 usr/share/.wh.doc", "5 etc/", "5 etc/apt/", "0 etc/apt/new 1"}, nil},
		{"places of the kernel and of bench", []string{"/", "/proc/x", "/sys", "/dev/x", "/run/x", "/tmp/x", "/bench/result/score", "/.bench/x", "/check/x", "/setup/x", "/solution/x", "/data/x", "-/data", "-/check", "/runner", "/etc/check"},
			[]entry{dir("/"), file("/proc/x", ""), file("/run/x", ""), file("/tmp/x", ""), dir("/bench"), dir("/bench/result"), file("/bench/result/score", "1"), file("/check/x", ""), file("/data/x", ""), file("/runner", ""), file("/etc/check", "")},
			[]string{"0 runner", "0 etc/check"}, nil},
		{"links stay in the sandbox", []string{"/a", "/b", "/c", "/d"},
			[]entry{link("/a", "/usr/bin"), link("/b", "../../x"), link("/c", "x\x1b"), link("/d", "")}, []string{"2 a /usr/bin", "2 b ../../x"},
			[]string{`"c": symbolic link to an odd name`, `"d": symbolic link to an odd name`}},
		{"below a link", []string{"/opt", "/opt/x", "/opt/d/y"}, []entry{link("/opt", "/check"), file("/opt/x", "1"), dir("/opt/d"), file("/opt/d/y", "1")},
			[]string{"2 opt /check"}, []string{`"opt/x": below a symbolic link`, `"opt/d": below a symbolic link`, `"opt/d/y": below a symbolic link`}},
		{"the workspace stays where it is", []string{"/srv", "/srv/work/a"}, []entry{link("/srv", "/check"), file("/srv/work/a", "1")}, []string{"0 srv/work/a 1"}, []string{`"srv"` + work}},
		{"the workspace is a directory", []string{"/srv/work"}, []entry{dir("/srv"), file("/srv/work", "1")}, []string{"5 srv/"}, []string{`"srv/work"` + work}},
		{"odd names", []string{"/a\nb", "/x\uFFFD", "/../y", "/./z", "a", "/.wh.a", "/d/.wh..wh..opq", "-/e\x1b", "/" + strings.Repeat("l", 1100)},
			[]entry{file("/a\nb", "1"), file("/x\xff", "1"), file("/x\uFFFD", "1"), file("/y", "1"), file("/.wh.a", "1")}, nil,
			[]string{`"/a\nb"` + odd, `"/x` + "\uFFFD" + `"` + odd, `"/../y"` + odd, `"/./z"` + odd, `"a"` + odd, `"/.wh.a"` + odd, `"/d/.wh..wh..opq"` + odd, `"/e\x1b"` + odd, `"/` + strings.Repeat("l", 1100) + `"` + odd}},
		{"names that lead elsewhere", []string{"/a"}, []entry{file("/x/../a", "1"), file("../a", "2"), file("/a", "3")}, []string{"0 a 3"}, nil},
		{"devices", []string{"/null", "/pipe"}, []entry{{"/null", tar.TypeChar, "", 0o666}, {"/pipe", tar.TypeFifo, "", 0o644}}, nil, []string{`"null"` + kind, `"pipe"` + kind}},
		{"hard links", []string{"/a", "/b", "/c", "/d", "/e", "/f", "/pipe"},
			[]entry{file("/a", "1"), {"/pipe", tar.TypeFifo, "", 0o644}, hardlink("/f", "/pipe"), file("/etc/shadow", "2"), hardlink("/b", "/a"), hardlink("/c", "/etc/shadow"), hardlink("/d", "/check/x"), hardlink("/e", "/x/../a")},
			[]string{"0 a 1", "1 b a", "1 c etc/shadow"}, []string{`"pipe"` + kind, `"f"` + hard, `"d"` + hard, `"e"` + hard}},
	} {
		out, left, err := cleanChanges(wide, pack(t, tt.in...), tt.changed...)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, lines(unpack(t, out))); diff != "" {
			t.Errorf("%s: entries (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.left, left); diff != "" {
			t.Errorf("%s: left (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Owners are kept, since programs need them; what would give rights is not.
func TestCleanChangesRights(t *testing.T) {
	var in bytes.Buffer
	w := tar.NewWriter(&in)
	for _, h := range []*tar.Header{
		{Name: "/su", Typeflag: tar.TypeReg, Mode: 0o6755, Uid: 7, Gid: 8, Uname: "root", PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "x"}},
		{Name: "/spool/", Typeflag: tar.TypeDir, Mode: 0o7777, Gid: 12},
	} {
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
	}
	w.Close()
	out, _, err := cleanChanges(wide, in.Bytes(), "/su", "/spool")
	if err != nil {
		t.Fatal(err)
	}
	r := tar.NewReader(bytes.NewReader(out))
	for _, want := range []string{"su 755 7:8", "spool/ 3777 0:12"} {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprintf("%s %o %d:%d", h.Name, h.Mode, h.Uid, h.Gid); got != want || h.Uname != "" || len(h.PAXRecords) > 0 {
			t.Errorf("got %s of %q with %v, want %s", got, h.Uname, h.PAXRecords, want)
		}
	}
}

func TestCleanChangesLimits(t *testing.T) {
	in := pack(t, file("/a", "12345"), file("/b", "12345"), file("/image", strings.Repeat("x", 4096)))
	var deleted []string
	for i := range 400 {
		deleted = append(deleted, fmt.Sprintf("-/%0300d/%0300d/%0300d/%0100d", i, i, i, i))
	}
	for _, tt := range []struct {
		name    string
		limits  snapshot.Limits
		changed []string
		want    error
	}{
		{"the image does not count", snapshot.Limits{Bytes: 10, Entries: 2}, []string{"/a", "/b"}, nil},
		{"too large", snapshot.Limits{Bytes: 9, Entries: 2}, []string{"/a", "/b"}, snapshot.ErrTooLarge},
		{"too many", snapshot.Limits{Bytes: 10, Entries: 1}, []string{"/a", "/b"}, snapshot.ErrTooLarge},
		{"odd ones count", snapshot.Limits{Bytes: 10, Entries: 1}, []string{"/a\n", "/b\n"}, snapshot.ErrTooLarge},
		{"places of bench do not", snapshot.Limits{Bytes: 10, Entries: 1}, []string{"/bench/a", "/tmp/b", "/a"}, nil},
		{"many deleted", snapshot.Limits{Entries: 1000}, deleted, nil},
		{"too many deleted", snapshot.Limits{Entries: 2000}, append(deleted, numbered("-/%01000d", 1000)...), snapshot.ErrTooLarge},
		{"long names", snapshot.Limits{Entries: 200_000}, numbered("/%01000d", 70_000), snapshot.ErrTooLarge},
	} {
		if _, _, err := cleanChanges(tt.limits, in, tt.changed...); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	if _, _, err := cleanChanges(wide, in[:514], "/a", "/b"); err == nil {
		t.Error("a stream that is cut off: want an error")
	}
}

func numbered(format string, n int) (out []string) {
	for i := range n {
		out = append(out, fmt.Sprintf(format, i))
	}
	return out
}

// What was deleted comes back out, and nothing else is taken for it.
func TestDeleted(t *testing.T) {
	changed := append(numbered("-/usr/share/doc/%d", 300), "-/top", "/usr/bin/tool")
	out, _, err := cleanChanges(wide, pack(t, file("/usr/bin/tool", "1")), changed...)
	if err != nil {
		t.Fatal(err)
	}
	got, err := snapshot.Deleted(bytes.NewReader(out))
	if err != nil || len(got) != 301 || !slices.Contains(got, "/top") || !slices.Contains(got, "/usr/share/doc/299") || slices.Contains(got, "/usr/bin/tool") {
		t.Errorf("got %q, %v", got, err)
	}
	if got, err := snapshot.Deleted(bytes.NewReader(pack(t))); got != nil || err != nil {
		t.Errorf("of nothing: %q, %v", got, err)
	}
	if _, err := snapshot.Deleted(bytes.NewReader(out[:700])); err == nil {
		t.Error("a stream that is cut off: want an error")
	}
}

func TestRestoreFilesystem(t *testing.T) {
	tree, err := digest.Tree("w", fstest.MapFS{"given": {Data: []byte("given")}, "tests/t": {Data: []byte("t")}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	stored, _, err := cleanChanges(wide, pack(t,
		dir("/etc"), file("/etc/conf", "1"), dir("/srv"), dir("/srv/work"), file("/srv/work/given", "changed"), hardlink("/srv/work/more", "/srv/work/given"),
		file("/srv/work/out", "2"), hardlink("/srv/work/out2", "/srv/work/out"), link("/srv/work/tests", "/etc"), dir("/usr"), hardlink("/usr/given", "/srv/work/given"), hardlink("/usr/out", "/srv/work/out")),
		"-/etc/issue", "-/srv/work/gone", "/etc/conf", "/srv/work/given", "/srv/work/more", "/srv/work/out", "/srv/work/out2", "/srv/work/tests", "/usr/given", "/usr/out")
	if err != nil {
		t.Fatal(err)
	}
	var w bytes.Buffer
	files := snapshot.NewWriter(&w)
	changed, err := files.RestoreFilesystem(snapshot.Place{Dir: "/srv/work", Owner: engine.DefaultUser}, bytes.NewReader(stored), snapshot.Protected{Workspace: tree, Globs: []string{"given", "tests/**"}})
	if err := errors.Join(err, files.Close()); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"5 srv/work/", "5 etc/", "0 etc/conf 1", "5 srv/", "0 srv/work/out 2", "1 srv/work/out2 srv/work/out", "5 usr/", "1 usr/out srv/work/out",
		"0 srv/work/given given", "5 srv/work/tests/", "0 srv/work/tests/t t",
	}
	if diff := cmp.Diff(want, lines(unpack(t, w.Bytes()))); diff != "" {
		t.Errorf("entries (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"given", "more", "tests", "tests/t"}, changed); diff != "" {
		t.Errorf("changed (-want +got):\n%s", diff)
	}
}

// FuzzChanges feeds it what no engine would write. Whatever comes out has only
// names that were told to have changed, or lead to them, outside of the reserved
// places; nothing lies below a link; and cleaning it once more changes nothing.
func FuzzChanges(f *testing.F) {
	f.Add(pack(f, dir("/"), file("/a", "1"), link("/l", "/a"), hardlink("/h", "/a")), "/a\n/l\n/h\n-/gone")
	f.Add(pack(f, link("/a", "/check"), file("/a/b", "1"), dir("/a/c")), "/a\n/a/b\n/a/c")
	f.Add(pack(f, file("../check/x", "1"), file("/check/x", "1"), file("/x/../check/x", "1")), "/check/x\n/../check/x\n//check\n/./check")
	f.Add(pack(f, link("/srv", "/x"), file("/srv/work/a", "1")), "/srv\n/srv/work\n/srv/work/a\n-/srv")
	f.Add(pack(f, file("/.wh.a", "1"), file("/a/.wh..wh..opq", "1")), "/.wh.a\n/a/.wh..wh..opq\n-/.wh.b\n-/a")
	f.Fuzz(func(t *testing.T, in []byte, changes string) { holdChanges(t, in, strings.Split(changes, "\n")) })
}

// What holds for what no engine would write holds for any order and mix of the
// things that agents can make.
func TestChangesHold(t *testing.T) {
	random := rand.New(rand.NewPCG(21, 0))
	names := []string{"a", "b", "srv", "work", "check", "bench", "..", ".wh.a", "x\n", "tmp", "data", "etc"}
	name := func() string {
		var parts []string
		for range 1 + random.IntN(4) {
			parts = append(parts, names[random.IntN(len(names))])
		}
		return "/" + strings.Join(parts, "/")
	}
	for range 3000 {
		var in []entry
		var changed []string
		for range random.IntN(12) {
			kinds := []entry{file(name(), "1"), dir(name()), link(name(), name()), hardlink(name(), name()), {name(), tar.TypeFifo, "", 0o644}}
			e := kinds[random.IntN(len(kinds))]
			in = append(in, e)
			if random.IntN(4) > 0 {
				changed = append(changed, strings.TrimSuffix(e.name, "/"))
			}
			if random.IntN(4) == 0 {
				changed = append(changed, "-"+name())
			}
		}
		holdChanges(t, pack(t, in...), changed)
		if t.Failed() {
			t.Fatalf("of %q with %q", lines(in), changed)
		}
	}
}

func holdChanges(t *testing.T, in []byte, changed []string) {
	t.Helper()
	once, _, err := cleanChanges(wide, in, changed...)
	if err != nil {
		return
	}
	entries := unpack(t, once)
	deleted, err := snapshot.Deleted(bytes.NewReader(once))
	if err != nil {
		t.Fatal(err)
	}
	links := map[string]bool{}
	var again []string
	for i, e := range entries {
		checkChange(t, e, changed, links)
		if i < len(deleted) {
			again = append(again, "-"+deleted[i])
			continue
		}
		if strings.Contains("/"+e.name, "/.wh.") {
			t.Errorf("%q after the marks of deleted files", e.name)
		}
		again = append(again, "/"+strings.TrimSuffix(e.name, "/"))
	}
	twice, left, err := cleanChanges(wide, pack(t, entries[len(deleted):]...), again...)
	if err != nil || left != nil {
		t.Fatalf("its own output: left %q (%v), want nothing", left, err)
	}
	if diff := cmp.Diff(lines(entries), lines(unpack(t, twice))); diff != "" {
		t.Errorf("its own output (-once +twice):\n%s", diff)
	}
	files := snapshot.NewWriter(io.Discard)
	if _, err := files.RestoreFilesystem(snapshot.Place{Dir: "/srv/work"}, bytes.NewReader(once), snapshot.Protected{}); err != nil {
		t.Errorf("it cannot be put back: %v", err)
	}
}

func checkChange(t *testing.T, e entry, changed []string, links map[string]bool) {
	t.Helper()
	name := strings.TrimSuffix(e.name, "/")
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\x00\n\x1b\\") {
		t.Errorf("unsafe name %q", e.name)
	}
	top, _, _ := strings.Cut(name, "/")
	if slices.Contains([]string{"proc", "sys", "dev", "run", "tmp", "bench", ".bench", "check", "setup", "solution", "data"}, top) {
		t.Errorf("reserved %q", e.name)
	}
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if links[d] {
			t.Errorf("%q lies below the link %q", name, d)
		}
	}
	links[name] = links[name] || e.kind == tar.TypeSymlink
	real := strings.Replace("/"+name, "/.wh.", "/", 1)
	if !slices.ContainsFunc(changed, func(c string) bool {
		c = strings.TrimPrefix(c, "-")
		return c == real || strings.HasPrefix(c, real+"/")
	}) {
		t.Errorf("%q did not change", name)
	}
	if (name == "srv" || name == "srv/work") && e.kind != tar.TypeDir {
		t.Errorf("%q is of kind %c", e.name, e.kind)
	}
	switch e.kind {
	case tar.TypeReg, tar.TypeSymlink:
	case tar.TypeDir:
		e.mode &^= 0o3000
	case tar.TypeLink:
		if path.IsAbs(e.text) || strings.Contains(e.text+"/", "../") {
			t.Errorf("hard link %q leads to %q", e.name, e.text)
		}
	default:
		t.Errorf("%q is of kind %c", e.name, e.kind)
	}
	if e.mode&^0o777 != 0 {
		t.Errorf("%q has mode %o", e.name, e.mode)
	}
}
