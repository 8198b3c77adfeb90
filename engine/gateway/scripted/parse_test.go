package scripted

import (
	"encoding/json"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// Each mistake is told with its line, and all of them.
func TestParseErrors(t *testing.T) {
	for _, tt := range []struct {
		text string
		line int
		want string
	}{
		{"text x", 1, "no turn"},
		{"turn\n\nfoo", 3, "unknown word"},
		{"turn\ntext a\ntext b", 3, "said twice"},
		{"turn 0\ntext a", 1, "unusable turn"},
		{"turn always\ntext a\nturn\ntext b", 3, "never reached"},
		{"turn", 1, "an empty turn"},
		{"turn\ntext <<END\na", 2, "a text without end"},
		{"turn\ntext <<\na", 2, "a text without end"},
		{"turn\ncall a b", 2, "unusable name of a tool"},
		{"turn\nx = 1", 2, "no call"},
		{"turn\ncall a\nx = 1\nx = 2", 4, "said twice"},
		{"turn\ncall a\nx = yes", 3, "not JSON"},
		{"turn\ncall a\nx =", 3, "not JSON"},
		{"turn\ncall a\ntext b\nx = 1", 4, "no call"},
		{"turn\nusage input=-1", 2, "unusable usage"},
		{"turn\nusage tokens=1", 2, "unusable usage"},
		{"turn\nusage output=1 reasoning=2", 2, "unusable usage"},
		{"turn\ntext a\nstop now", 3, "unusable stop"},
		{"turn\ntext a\nwait long", 3, "unusable time"},
		{"turn\ntext a\nwait 25h", 3, "unusable time"},
		{"turn\nerror 200", 2, "unusable status"},
		{"turn\nerror 429 retry_after=x", 2, "unusable time"},
		{"turn\nhang after=x", 2, "unknown word"},
		{"turn\nhang\nbreak", 3, "two troubles"},
		{"turn\ntext a\ngarble all", 3, "unusable garble"},
		{"turn\ncall a\ngarble utf8", 1, "nothing to garble"},
		{"turn\npad 2GB", 2, "unusable size"},
		{"case\nturn\ntext a", 1, "no name"},
		{"tools maybe\nturn\ntext a", 1, "unusable tools"},
		{"turn\ntext a\ncase b", 3, "no turns"},
		{"case a\ntext b\nturn\ntext b", 2, "no turn"},
		{"turn\ntext \xff", 1, "not UTF-8"},
	} {
		_, diags := parse("f", []byte(tt.text))
		if len(diags) == 0 || diags[0].Summary != tt.want || diags[0].Subject.Start.Line != tt.line {
			t.Errorf("%q: got %+v, want line %d: %s", tt.text, diags, tt.line, tt.want)
			continue
		}
		if d := diags[0]; !strings.HasSuffix(d.Detail, ".") || d.Subject.File != "f" || d.Subject.End.Byte > len(tt.text) {
			t.Errorf("%q: got %+v", tt.text, d)
		}
	}
	if _, diags := parse("f", []byte("turn\nfoo\nbar\nx = 1\n")); len(diags) != 4 {
		t.Errorf("not all mistakes: %+v", diags)
	}
}

// A directory is read in the order of its names, as it was when it was planned.
func TestLoad(t *testing.T) {
	files := fstest.MapFS{"b.txt": {Data: []byte("turn\ntext b\n")}, "a/x.txt": {Data: []byte("case one\nturn\ntext a\n")}}
	tree, err := digest.Tree("turns", files, nil)
	if err != nil {
		t.Fatal(err)
	}
	s, diags := Load(tree)
	if len(diags) > 0 || len(s.sections) != 2 || s.sections[0].file != "turns/a/x.txt" {
		t.Fatalf("got %+v, %+v", s, diags)
	}
	files["b.txt"] = &fstest.MapFile{Data: []byte("turn\ntext c\n")}
	if _, diags = Load(tree); len(diags) != 1 || !strings.Contains(diags[0].Detail, "turns/b.txt: changed while bench was running") {
		t.Errorf("got %+v", diags)
	}
	empty, err := digest.File("turns/greet.txt", fstest.MapFS{"greet.txt": {Data: []byte("# later\n")}}, "greet.txt")
	if err != nil {
		t.Fatal(err)
	}
	if _, diags = Load(empty); len(diags) != 1 || diags[0].Summary != "an empty script" || diags[0].Severity != engine.SeverityError {
		t.Errorf("got %+v", diags)
	}
}

// Whatever a script says, it is read or refused, and what is read can be answered
// with in all families.
func FuzzParse(f *testing.F) {
	f.Add(example)
	f.Add("turn always\ntext <<E\nx\nE\nstop filter\ngarble utf8\nmodel a\nturn\nerror 429 retry_after=1s after=2 no\n")
	f.Add("turn\ncall a\n \"\\\" = {\"a\":[1e9]}\nturn\nbreak after=1\ntext x\n")
	f.Fuzz(func(t *testing.T, text string) {
		sections, diags := parse("f", []byte(text))
		for _, d := range diags {
			if d.Subject.Start.Line < 1 || d.Subject.End.Byte > len(text) || d.Subject.Start.Byte < 0 {
				t.Fatalf("%+v", d)
			}
		}
		if diags.HasErrors() {
			return
		}
		for _, s := range sections {
			for _, turn := range s.turns {
				if turn.pad > 1<<20 {
					return
				}
				for _, family := range []family{chat{}, responses{}, messages{}, generate{}} {
					q := request{family: family, model: "m", usage: true}
					a := turn.answer(1, q)
					if !json.Valid(encode(family.plain(a))) {
						t.Fatalf("%T: %s", family, encode(family.plain(a)))
					}
					for _, e := range family.stream(a, q) {
						if text, ok := e.data.(string); !ok && !json.Valid(encode(e.data)) {
							t.Fatalf("%T: %v %s", family, e, text)
						}
					}
				}
			}
		}
	})
}
