package lang

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestResolvePath(t *testing.T) {
	for _, tt := range []struct {
		file, path string
		want       string // "" for a path that cannot be used
	}{
		{"suites/ci.hcl", "cases/a", "cases/a"},
		{"suites/ci.hcl", "cases/../x/", "x"},
		{"suites/ci.hcl", "./work", "suites/work"},
		{"suites/ci.hcl", "../work", "work"},
		{"suites/ci.hcl", ".", "suites"},
		{"suites/ci.hcl", "..", "."},
		{"ci.hcl", "./a//b/./c", "a/b/c"},
		{"ci.hcl", ".hidden", ".hidden"},
		{"ci.hcl", "..name", "..name"},
		{"ci.hcl", "..", ""},
		{"ci.hcl", "../x", ""},
		{"suites/ci.hcl", "../../x", ""},
		{"suites/ci.hcl", "cases/../../x", ""},
		{"suites/ci.hcl", "/etc/passwd", ""},
	} {
		got, err := resolvePath(tt.file, tt.path)
		if (err != nil) != (tt.want == "") || got != tt.want {
			t.Errorf("%s in %s: got %q (%v), want %q", tt.path, tt.file, got, err, tt.want)
		}
	}
}

func TestParseSize(t *testing.T) {
	for in, want := range map[string]int64{
		"1B": 1, "512MiB": 512 << 20, "4GiB": 4 << 30, "1.5GiB": 3 << 29, "8GB": 8e9, "1kB": 1000, "1KB": 1000, "1KiB": 1024, "2 TB": 2e12, "1TiB": 1 << 40,
	} {
		if got, ok := parseSize(in); !ok || got != want {
			t.Errorf("%q: got %d (%v), want %d", in, got, ok, want)
		}
	}
	for _, in := range []string{"", "B", "1", "GiB", "-1GiB", "0MiB", "0.1B", "1e30GiB", "NaNGiB", "InfB", "1gib", "1 GiB x", "0x", "9223372036854775807B", "9223372036854775807KiB"} {
		if got, ok := parseSize(in); ok {
			t.Errorf("%q: got %d, want it refused", in, got)
		}
	}
}

func TestVersionFits(t *testing.T) {
	for _, tt := range []struct {
		have, want string
		fits, bad  bool
	}{
		{"0.1.0", ">= 0.1", true, false},
		{"0.1.0", ">= 0.1, < 1", true, false},
		{"1.0.0", ">= 0.1, < 1", false, false},
		{"0.1.0", "0.1", true, false},
		{"0.1.1", "= 0.1", false, false},
		{"0.1.1", "!= 0.1", true, false},
		{"0.10.0", "> 0.9", true, false},
		{"v0.2.0-rc1", "<= 0.2", true, false},
		{"(devel)", "> 99", true, false}, // a build without a version fits everything
		{"0.1.0", "~> 0.1", false, true},
		{"0.1.0", "latest", false, true},
		{"0.1.0", ">= 0.1,", false, true},
		{"0.1.0", "1.2.3.4", false, true},
	} {
		fits, err := versionFits(tt.have, tt.want)
		if fits != tt.fits || (err != nil) != tt.bad {
			t.Errorf("%s for %q: got %v (%v), want %v", tt.have, tt.want, fits, err, tt.fits)
		}
	}
}

func TestNearest(t *testing.T) {
	names := []string{"trials", "parallel", "agents", "cases", "agent"}
	for in, want := range map[string]string{
		"trails": "trials", "paralel": "parallel", "Cases": "cases", "agents": "agents", "agentz": "agent", "zebra": "", "": "", "x": "",
	} {
		if got := Nearest(in, names); got != want {
			t.Errorf("%q: got %q, want %q", in, got, want)
		}
		slices.Reverse(names) // the order of maps must not show
		if got := Nearest(in, names); got != want {
			t.Errorf("%q, other order: got %q, want %q", in, got, want)
		}
	}
}

func TestDidYouMean(t *testing.T) {
	plain := func(n string) string { return n }
	many := strings.Fields("n3 n1 n2 n4 n5 n6 n7 n8 n9 n0")
	var got []string
	for _, in := range []struct {
		name  string
		names []string
	}{{"noop", nil}, {"nop", []string{"oracle", "noop"}}, {"elsewhere", []string{"noop"}}, {"elsewhere", []string{"oracle", "noop"}}, {"elsewhere", many}} {
		got = append(got, didYouMean(in.name, in.names, plain))
	}
	want := []string{"", " Did you mean noop?", " There is noop.", " There are noop, oracle.", " There are n0, n1, n2, n3, n4, n5, n6, n7 and 2 more."}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if many[0] != "n3" {
		t.Error("didYouMean sorted what it was given")
	}
}
