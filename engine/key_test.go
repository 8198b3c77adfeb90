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
	over := func(base engine.Key, pairs ...string) engine.Key {
		k := key(pairs...)
		k.Base = &base
		return k
	}
	for _, tt := range []struct {
		name     string
		new, old engine.Key
		want     []engine.Change
	}{
		{"equal", key("a=1", "b=2"), key("a=1", "b=2"), nil},
		{"other order", key("a=1", "b=2"), key("b=2", "a=1"), nil},
		{"value", key("a=1", "b=2"), key("a=1", "b=3"), []engine.Change{{Name: "b", Old: "3", New: "2"}}},
		{"added", key("a=1", "b=2"), key("a=1"), []engine.Change{{Name: "b", New: "2"}}},
		{"added, without a value", key("a=1", "b="), key("a=1"), []engine.Change{{Name: "b"}}},
		{"removed", key("a=1"), key("a=1", "b=2"), []engine.Change{{Name: "b", Old: "2"}}},
		{"all at once, new ones first", key("z=1", "a=2"), key("c=1", "a=1", "b=1"),
			[]engine.Change{{Name: "z", New: "1"}, {Name: "a", Old: "1", New: "2"}, {Name: "c", Old: "1"}, {Name: "b", Old: "1"}}},
		{"nothing known of the old one", key("a=1"), engine.Key{}, []engine.Change{{Name: "a", New: "1"}}},
		{"the same parts in other layers", over(over(key("c=3"), "a=1"), "b=2"), over(key("a=1", "b=2"), "c=3"), nil},
		{"a part of the base", over(key("a=1"), "b=2"), over(key("a=2"), "b=2"), []engine.Change{{Name: "a", Old: "2", New: "1"}}},
		{"a base that is gone", key("b=2"), over(key("a=1"), "b=2"), []engine.Change{{Name: "a", Old: "1"}}},
	} {
		if diff := cmp.Diff(tt.want, tt.new.Changed(tt.old)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
}

// A file knows nothing of layers: a key is one list of parts there.
func TestKeyInJSON(t *testing.T) {
	bottom := engine.Key{Sum: engine.Digest{1}, Parts: []engine.Part{{Name: "b", Value: "2"}, {Name: "d", Value: "4"}}}
	middle := engine.Key{Sum: engine.Digest{2}, Parts: []engine.Part{{Name: "a", Value: "1"}}, Base: &bottom}
	top := engine.Key{Sum: engine.Digest{3}, Parts: []engine.Part{{Name: "c", Value: "3"}}, Base: &middle}
	text, err := json.Marshal(top)
	if err != nil {
		t.Fatal(err)
	}
	want := `{"sum":"03` + strings.Repeat("0", 62) + `","parts":[{"name":"a","value":"1"},{"name":"b","value":"2"},{"name":"c","value":"3"},{"name":"d","value":"4"}]}`
	if string(text) != want {
		t.Errorf("got %s, want %s", text, want)
	}
	var back engine.Key
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(engine.Key{Sum: top.Sum, Parts: top.All()}, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
	if changed := top.Changed(back); changed != nil {
		t.Errorf("what was read differs in %v", changed)
	}
	if len(top.Parts) != 1 || len(bottom.Parts) != 2 {
		t.Error("All has changed a key")
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
