package engine_test

import (
	"encoding/json"
	"path"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
)

var (
	names     = rapid.StringMatching(`[a-z][a-z0-9_-]{0,12}`)
	caseNames = rapid.StringMatching(`[a-z][a-z0-9_-]{0,8}(/[a-z][a-z0-9_-]{0,8}){0,3}`)
	trialIDs  = rapid.Custom(func(t *rapid.T) engine.TrialID {
		return engine.TrialID{
			Matrix: names.Draw(t, "matrix"), Case: caseNames.Draw(t, "case"), Agent: names.Draw(t, "agent"),
			Model: rapid.OneOf(rapid.Just(""), names).Draw(t, "model"), N: rapid.IntRange(1, 1e6).Draw(t, "n"),
		}
	})
)

// Names of trials are what people copy from a report into a command.
func TestTrialIDParsesBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := trialIDs.Draw(t, "id")
		got, err := engine.ParseTrialID(want.String())
		if err != nil {
			t.Fatal(err)
		}
		if got != want {
			t.Errorf("%s: got %+v, want %+v", want, got, want)
		}
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got = engine.TrialID{}
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("from %s: got %+v (%v), want %+v", text, got, err, want)
		}
	})
}

// Two trials that share a directory would overwrite each other's results.
func TestTrialIDDirIsUnique(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := trialIDs.Draw(t, "a"), trialIDs.Draw(t, "b")
		if a != b && a.Dir() == b.Dir() {
			t.Errorf("%s and %s: both in %s", a, b, a.Dir())
		}
		if n := len(a.Dir()); n > 109 {
			t.Errorf("%s: directory of %d bytes", a, n)
		}
	})
	// These differ only in what Dir replaces.
	a := engine.TrialID{Matrix: "m", Case: "a/b", Agent: "c", N: 1}
	b := engine.TrialID{Matrix: "m", Case: "a", Agent: "b", Model: "c", N: 1}
	if a.Dir() == b.Dir() {
		t.Errorf("%s and %s: both in %s", a, b, a.Dir())
	}
}

// A recording is named by what was tried, and not by the matrix; names of any
// length have files of their own.
func TestTrialIDRecording(t *testing.T) {
	id := engine.TrialID{Matrix: "m", Case: "debugging/off_by_one", Agent: "react", Model: "gpt", Axes: "level=low", N: 2}
	if got, want := id.Recording(), "debugging/off_by_one@react+gpt,level=low#2.txt"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	long := id
	long.Agent = strings.Repeat("a", 300)
	second := long
	second.N = 3
	for _, l := range []engine.TrialID{long, second} {
		if name := path.Base(l.Recording()); len(name) != 213 || !strings.HasPrefix(l.Recording(), "debugging/off_by_one@aaa") {
			t.Errorf("%d bytes: %s", len(name), l.Recording())
		}
	}
	if long.Recording() == second.Recording() {
		t.Error("two trials have one file")
	}
}

func TestTrialIDSeed(t *testing.T) {
	id := engine.TrialID{Matrix: "m", Case: "a/b", Agent: "c", N: 1}
	other := func(change func(*engine.TrialID)) engine.TrialID {
		out := id
		change(&out)
		return out
	}
	for _, tt := range []struct {
		name  string
		id    engine.TrialID
		suite uint64
		same  bool
	}{
		{"itself", id, 1, true},
		{"another matrix", other(func(id *engine.TrialID) { id.Matrix = "n" }), 1, true},
		{"another number", other(func(id *engine.TrialID) { id.N = 2 }), 1, false},
		{"another case", other(func(id *engine.TrialID) { id.Case = "a/c" }), 1, false},
		{"another agent", other(func(id *engine.TrialID) { id.Agent = "d" }), 1, false},
		{"another model", other(func(id *engine.TrialID) { id.Model = "e" }), 1, false},
		{"another suite seed", id, 2, false},
	} {
		if got := tt.id.Seed(tt.suite) == id.Seed(1); got != tt.same {
			t.Errorf("%s: got the same seed %v, want %v", tt.name, got, tt.same)
		}
	}
}

func TestParseTrialIDRefuses(t *testing.T) {
	for _, s := range []string{
		"", "m", "m/c", "m/c@a", "m/c#1", "c@a#1", "m/c@a#", "m/c@a#0", "m/c@a#-1", "m/c@a#01", "m/c@a#+1", "m/c@a#x",
		"m/c@a+#1", "m/@a#1", "m//c@a#1", "m/c/@a#1", "/c@a#1", "M/c@a#1", "m/c@a b#1", "m/c@a#1#2", "m/c@a@b#1", "m/c@a+b+c#1", "m/../c@a#1",
		"m/c@a#99999999999999999999",
	} {
		if id, err := engine.ParseTrialID(s); err == nil {
			t.Errorf("%q: got %+v, want an error", s, id)
		}
	}
}

func FuzzParseTrialID(f *testing.F) {
	f.Add("smoke/debugging/nan_loss@react+gpt#2")
	f.Add("m/c@a#1")
	f.Add("m//c@a+#01")
	f.Fuzz(func(t *testing.T, s string) {
		id, err := engine.ParseTrialID(s)
		if err != nil {
			if diff := cmp.Diff(engine.TrialID{}, id); diff != "" {
				t.Errorf("%q: an error and an id: %s", s, diff)
			}
			return
		}
		if got := id.String(); got != s {
			t.Errorf("got %q, want %q", got, s)
		}
	})
}
