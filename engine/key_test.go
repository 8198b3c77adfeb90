package engine_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
)

func TestKeyChanged(t *testing.T) {
	key := func(pairs ...string) (k engine.Key) {
		for _, p := range pairs {
			name, value, _ := strings.Cut(p, "=")
			k.Parts = append(k.Parts, engine.Part{Name: name, Value: value})
		}
		return k
	}
	for _, tt := range []struct {
		name     string
		new, old engine.Key
		want     []string
	}{
		{"equal", key("a=1", "b=2"), key("a=1", "b=2"), nil},
		{"other order", key("a=1", "b=2"), key("b=2", "a=1"), nil},
		{"value", key("a=1", "b=2"), key("a=1", "b=3"), []string{"b"}},
		{"added", key("a=1", "b=2"), key("a=1"), []string{"b"}},
		{"added, without a value", key("a=1", "b="), key("a=1"), []string{"b"}},
		{"removed", key("a=1"), key("a=1", "b=2"), []string{"b"}},
		{"all at once, new ones first", key("z=1", "a=2"), key("c=1", "a=1", "b=1"), []string{"z", "a", "c", "b"}},
		{"nothing known of the old one", key("a=1"), engine.Key{}, []string{"a"}},
	} {
		if diff := cmp.Diff(tt.want, tt.new.Changed(tt.old)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestDigestParsesBack(t *testing.T) {
	for _, want := range []engine.Digest{{}, {1}, {31: 255}} {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := engine.Digest{9}
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("from %s: got %v (%v), want %v", text, got, err, want)
		}
	}
	var d engine.Digest
	for _, bad := range []string{`"00"`, `"` + strings.Repeat("x", 64) + `"`, `"` + strings.Repeat("0", 66) + `"`} {
		if err := json.Unmarshal([]byte(bad), &d); err == nil {
			t.Errorf("%s: got %v, want an error", bad, d)
		}
	}
}

func TestDiagnosticsSorted(t *testing.T) {
	at := func(file string, byte int, summary string) engine.Diagnostic {
		return engine.Diagnostic{Severity: engine.SeverityError, Summary: summary, Subject: engine.Range{File: file, Start: engine.Point{Byte: byte}}}
	}
	in := engine.Diagnostics{at("b", 1, "x"), at("a", 9, "x"), at("a", 2, "z"), at("a", 2, "y"), at("b", 1, "x"), {Summary: "nowhere"}}
	want := engine.Diagnostics{{Summary: "nowhere"}, at("a", 2, "y"), at("a", 2, "z"), at("a", 9, "x"), at("b", 1, "x")}
	if diff := cmp.Diff(want, in.Sorted()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if in[0].Subject.File != "b" {
		t.Error("Sorted changed what it was given")
	}
}
