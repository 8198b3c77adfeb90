package snapshot_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// An entry is a line of a tar stream, as tests write it.
type entry struct {
	name string
	kind byte
	text string // content of a file, target of a link
	mode int64
}

func (e entry) String() string {
	s := fmt.Sprintf("%c %s", e.kind, e.name)
	if e.text != "" {
		s += " " + e.text
	}
	return s
}

func file(name, text string) entry   { return entry{name, tar.TypeReg, text, 0o644} }
func dir(name string) entry          { return entry{name + "/", tar.TypeDir, "", 0o755} }
func link(name, to string) entry     { return entry{name, tar.TypeSymlink, to, 0o777} }
func hardlink(name, to string) entry { return entry{name, tar.TypeLink, to, 0o644} }

func pack(tb testing.TB, entries ...entry) []byte {
	tb.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Typeflag: e.kind, Mode: e.mode}
		switch e.kind {
		case tar.TypeReg:
			h.Size = int64(len(e.text))
		case tar.TypeSymlink, tar.TypeLink:
			h.Linkname = e.text
		}
		if err := w.WriteHeader(h); err != nil {
			tb.Fatal(err)
		}
		if e.kind == tar.TypeReg {
			io.WriteString(w, e.text)
		}
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func unpack(tb testing.TB, stream []byte) (out []entry) {
	tb.Helper()
	r := tar.NewReader(bytes.NewReader(stream))
	for {
		h, err := r.Next()
		if err == io.EOF {
			return out
		}
		if err != nil {
			tb.Fatal(err)
		}
		text, err := io.ReadAll(r)
		if err != nil {
			tb.Fatal(err)
		}
		out = append(out, entry{h.Name, h.Typeflag, string(text) + h.Linkname, h.Mode})
	}
}

func lines(entries []entry) (out []string) {
	for _, e := range entries {
		out = append(out, e.String())
	}
	return out
}

var wide = snapshot.Limits{Bytes: 1 << 20, Entries: 1000}

func TestClean(t *testing.T) {
	const (
		odd  = ": odd name"
		kind = ": neither a file, a directory nor a link"
		out  = ": symbolic link that leads out of the workspace"
		hard = ": hard link to something else than a file of the workspace"
	)
	for _, tt := range []struct {
		name string
		in   []entry
		want []string
		left []string
	}{
		{"plain", []entry{dir("w"), file("w/a", "1"), dir("w/d"), file("w/d/b", "2")}, []string{"0 a 1", "5 d/", "0 d/b 2"}, nil},
		{"absolute names", []entry{dir("/w"), file("/w/a", "1")}, []string{"0 a 1"}, nil},
		{"dots", []entry{file("./w/./a", "1"), file("w/../../etc/x", "1"), file("w/d/../../x", "1"), file("w/..", "1")}, []string{"0 a 1"},
			[]string{`"w/../../etc/x"` + odd, `"w/d/../../x"` + odd, `"w/.."` + odd}},
		{"names with dots are names", []entry{file("w/..a", "1"), file("w/a..b", "1"), dir("w/..."), file("w/.../c", "1")},
			[]string{"0 ..a 1", "0 a..b 1", "5 .../", "0 .../c 1"}, nil},
		{"control characters", []entry{file("w/a\nb", "1"), file("w/\x1b[31m", "1"), file("w/\u202etxt.exe", "1"), file("w/\xff", "1"), file(`w/a\b`, "1"), file("w/naïve 文", "1")},
			[]string{"0 naïve 文 1"},
			[]string{`"w/a\nb"` + odd, `"w/\x1b[31m"` + odd, `"w/\u202etxt.exe"` + odd, `"w/\xff"` + odd, `"w/a\\b"` + odd}},
		{"links inside", []entry{file("w/a", "1"), link("w/l", "a"), dir("w/d"), link("w/d/up", "../a"), link("w/dangling", "later/x"), link("w/d/self", ".")},
			[]string{"0 a 1", "2 l a", "5 d/", "2 d/up ../a", "2 dangling later/x", "2 d/self ."}, nil},
		{"links out", []entry{link("w/abs", "/etc/passwd"), link("w/up", ".."), link("w/up2", "../w/a"), dir("w/d"), link("w/d/upup", "../../x"), link("w/later", "d/../../x"), link("w/odd", "a\x1b")},
			[]string{"5 d/"},
			[]string{`"abs"` + out, `"up"` + out, `"up2"` + out, `"d/upup"` + out, `"later"` + out, `"odd"` + out}},
		// top/.. seems to be x/y, but top is the workspace itself: its ".." leads out.
		{"chained links", []entry{dir("w/x"), dir("w/x/y"), link("w/d", "x/y"), link("w/e", "d/.."), link("w/f", "d/../../.."), link("w/x/y/top", "../.."), link("w/x/y/g", "top/..")},
			[]string{"5 x/", "5 x/y/", "2 d x/y", "2 x/y/top ../.."}, []string{`"e"` + out, `"f"` + out, `"x/y/g"` + out}},
		// b leads to the top, so b/l lies there, whatever its name says.
		{"below a link", []entry{dir("w/a"), link("w/a/b", ".."), link("w/a/b/l", "../.."), file("w/a/b/f", "1"), file("w/a/c", "1")},
			[]string{"5 a/", "2 a/b ..", "0 a/c 1"}, []string{`"a/b/l": below a symbolic link`, `"a/b/f": below a symbolic link`}},
		{"devices", []entry{{"w/null", tar.TypeChar, "", 0o666}, {"w/sda", tar.TypeBlock, "", 0o666}, {"w/pipe", tar.TypeFifo, "", 0o644}, {"w/cont", tar.TypeCont, "", 0o644}},
			nil, []string{`"null"` + kind, `"sda"` + kind, `"pipe"` + kind, `"cont"` + kind}},
		{"hard links", []entry{file("w/a", "1"), hardlink("w/b", "w/a"), hardlink("w/c", "/etc/passwd"), hardlink("w/d", "w/later"), link("w/l", "a"), hardlink("w/e", "w/l"), hardlink("w/f", "w/../a"), file("w/later", "2")},
			[]string{"0 a 1", "1 b a", "2 l a", "0 later 2"}, []string{`"c"` + hard, `"d"` + hard, `"e"` + hard, `"f"` + hard}},
	} {
		var w bytes.Buffer
		left, err := snapshot.Clean(bytes.NewReader(pack(t, tt.in...)), &w, wide)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if diff := cmp.Diff(tt.want, lines(unpack(t, w.Bytes()))); diff != "" {
			t.Errorf("%s: entries (-want +got):\n%s", tt.name, diff)
		}
		if diff := cmp.Diff(tt.left, left); diff != "" {
			t.Errorf("%s: left (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A snapshot is unpacked by root: nothing in it may bring rights along.
func TestCleanDropsRights(t *testing.T) {
	h := &tar.Header{Name: "w/su", Typeflag: tar.TypeReg, Mode: 0o6755, Uid: 0, Gid: 0, Uname: "root", PAXRecords: map[string]string{"SCHILY.xattr.security.capability": "x"}}
	var in, out bytes.Buffer
	w := tar.NewWriter(&in)
	if err := errors.Join(w.WriteHeader(h), w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := snapshot.Clean(&in, &out, wide); err != nil {
		t.Fatal(err)
	}
	got, err := tar.NewReader(&out).Next()
	if err != nil {
		t.Fatal(err)
	}
	if got.Mode != 0o755 || got.Uname != "" {
		t.Errorf("got mode %o of %q, want 755 of nobody", got.Mode, got.Uname)
	}
	for name := range got.PAXRecords {
		if strings.Contains(name, "xattr") {
			t.Errorf("%s was let pass", name)
		}
	}
}

func TestCleanLimits(t *testing.T) {
	in := pack(t, dir("w"), file("w/a", "12345"), file("w/b", "12345"), dir("w/c"))
	for _, tt := range []struct {
		name   string
		limits snapshot.Limits
		want   error
	}{
		{"just fits", snapshot.Limits{Bytes: 10, Entries: 3}, nil},
		{"too large", snapshot.Limits{Bytes: 9, Entries: 3}, snapshot.ErrTooLarge},
		{"too many", snapshot.Limits{Bytes: 10, Entries: 2}, snapshot.ErrTooLarge},
	} {
		if _, err := snapshot.Clean(bytes.NewReader(in), io.Discard, tt.limits); !errors.Is(err, tt.want) {
			t.Errorf("%s: got %v, want %v", tt.name, err, tt.want)
		}
	}
	// What is refused costs nothing but is counted: it must not fill the memory.
	var many []entry
	for i := range 80 {
		many = append(many, link(fmt.Sprintf("w/%d", i), "/"))
	}
	left, err := snapshot.Clean(bytes.NewReader(pack(t, many...)), io.Discard, wide)
	if err != nil || len(left) != 51 || left[50] != "and 30 more" {
		t.Errorf("got %d lines (%v), the last of them %q; want 50 and \"and 30 more\"", len(left), err, left[len(left)-1])
	}
	if _, err := snapshot.Clean(bytes.NewReader(pack(t, many...)), io.Discard, snapshot.Limits{Bytes: 1, Entries: 79}); !errors.Is(err, snapshot.ErrTooLarge) {
		t.Errorf("80 refused entries: got %v, want %v", err, snapshot.ErrTooLarge)
	}
	if _, err := snapshot.Clean(bytes.NewReader(in[:700]), io.Discard, wide); err == nil {
		t.Error("a stream that is cut off: want an error")
	}
}

// FuzzClean feeds it what no engine would write. Whatever comes out has only
// safe names, and cleaning it once more changes nothing.
func FuzzClean(f *testing.F) {
	f.Add(pack(f, dir("w"), file("w/a", "1"), link("w/l", "a"), hardlink("w/h", "w/a")))
	f.Add(pack(f, file("../../x", "1"), link("w/l", "../../x"), entry{"w/p", tar.TypeFifo, "", 0o644}))
	f.Add(pack(f, file("/w/"+strings.Repeat("long/", 60)+"name", "1"), file("w//./a", "1"), dir("w/a")))
	f.Add(pack(f, file("w", "1"), link("", "x"), dir("w/"), file("w/a", "1"), link("w/b", "a")))
	f.Fuzz(func(t *testing.T, in []byte) {
		var once, twice bytes.Buffer
		if _, err := snapshot.Clean(bytes.NewReader(in), &once, wide); err != nil {
			return
		}
		entries := unpack(t, once.Bytes())
		for i, e := range entries {
			checkSafe(t, e)
			entries[i].name = "w/" + e.name
			if e.kind == tar.TypeLink {
				entries[i].text = "w/" + e.text
			}
		}
		left, err := snapshot.Clean(bytes.NewReader(pack(t, entries...)), &twice, wide)
		if err != nil || left != nil {
			t.Fatalf("its own output: left %q (%v), want nothing", left, err)
		}
		if diff := cmp.Diff(lines(unpack(t, once.Bytes())), lines(unpack(t, twice.Bytes()))); diff != "" {
			t.Errorf("its own output (-once +twice):\n%s", diff)
		}
	})
}

func checkSafe(t *testing.T, e entry) {
	t.Helper()
	name := strings.TrimSuffix(e.name, "/")
	if name == "" || path.IsAbs(name) || path.Clean(name) != name || name == ".." || strings.HasPrefix(name, "../") || strings.ContainsAny(name, "\x00\n\x1b\\") {
		t.Errorf("unsafe name %q", e.name)
	}
	switch e.kind {
	case tar.TypeReg, tar.TypeDir:
	case tar.TypeSymlink:
		if to := path.Join(path.Dir(name), e.text); path.IsAbs(e.text) || to == ".." || strings.HasPrefix(to, "../") {
			t.Errorf("link %q leads to %q", e.name, e.text)
		}
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
