package store_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/store"
)

// furnish stores two trials, each with two attempts of two grades, and leaves a
// draft, an index and a lock file behind.
func furnish(t *testing.T, dir string) {
	s := locked(t, dir)
	for n := range 2 {
		at := id
		at.N = n + 1
		for range 2 {
			a, err := tryCommit(s, at)
			if err != nil {
				t.Fatal(err)
			}
			for i := range 2 {
				if err := s.AddGrade(a, grade(key(fmt.Sprint("check/", i)))); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if err := s.Unlock(); err != nil {
		t.Fatal(err)
	}
	draft := filepath.Join(dir, "suite", "drafts", "attempt-1")
	if err := os.MkdirAll(draft, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(draft, "run.json"), "{}")
	write(t, filepath.Join(dir, "lock"), "process 1\n")
}

// storedAt is what a store knows, by directory: of attempts, and of grades.
func storedAt(s *store.Store) map[string]any {
	out := map[string]any{}
	for st := range s.All() {
		dir := filepath.Join(st.Trial.Dir(), fmt.Sprint("attempt-", st.N))
		for _, g := range st.Grades {
			out[filepath.Join(dir, fmt.Sprint("grade-", g.N))] = g
		}
		alone := *st
		alone.Grades = nil
		out[dir] = alone
	}
	return out
}

// A hurt is a way in which a file goes bad.
var hurts = map[string]func(t *rapid.T, file string, text []byte) error{
	"cut": func(t *rapid.T, file string, text []byte) error {
		return os.WriteFile(file, text[:rapid.IntRange(0, len(text)-1).Draw(t, "length")], 0o644)
	},
	"flip": func(t *rapid.T, file string, text []byte) error {
		text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
		return os.WriteFile(file, text, 0o644)
	},
	"zero": func(_ *rapid.T, file string, text []byte) error {
		return os.WriteFile(file, make([]byte, len(text)), 0o644)
	},
	"empty object": func(_ *rapid.T, file string, _ []byte) error { return os.WriteFile(file, []byte("{}"), 0o644) },
	"remove":       func(_ *rapid.T, file string, _ []byte) error { return os.Remove(file) },
	"directory": func(_ *rapid.T, file string, _ []byte) error {
		if err := os.Remove(file); err != nil {
			return err
		}
		return os.Mkdir(file, 0o755)
	},
	"attempt is a file": func(_ *rapid.T, file string, _ []byte) error {
		if filepath.Base(file) != "run.json" {
			return nil
		}
		dir := filepath.Dir(file)
		if err := os.RemoveAll(dir); err != nil {
			return err
		}
		return os.WriteFile(dir, nil, 0o644)
	},
}

// Whatever becomes of one file, all that has nothing to do with it is found as
// before; what cannot be read is reported; and no number is given again.
func TestOneBadFile(t *testing.T) {
	pristine := filepath.Join(t.TempDir(), "results")
	furnish(t, pristine)
	before := storedAt(open(t, pristine))
	if len(before) != 2*2*3 {
		t.Fatalf("there are %d things, want 12", len(before))
	}
	var files []string
	err := fs.WalkDir(os.DirFS(pristine), ".", func(name string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	root, n := t.TempDir(), 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		dir := filepath.Join(root, strconv.Itoa(n))
		if err := os.CopyFS(dir, os.DirFS(pristine)); err != nil {
			t.Fatal(err)
		}
		bad := rapid.SampledFrom(files).Draw(t, "file")
		hurt := rapid.SampledFrom(slices.Sorted(maps.Keys(hurts))).Draw(t, "hurt")
		text, err := os.ReadFile(filepath.Join(dir, bad))
		if err == nil {
			err = hurts[hurt](t, filepath.Join(dir, bad), text)
		}
		if err != nil {
			t.Fatal(err)
		}
		s, err := store.Open(dir, "suite")
		if bad == "bench.json" {
			return // TestVersion is about it
		}
		if err != nil {
			t.Fatal(err)
		}
		checkDamage(t, s, before, bad, hurt)
		if bad == "lock" && hurt == "directory" {
			return
		}
		if err := s.Lock(); err != nil {
			t.Fatal(err)
		}
		defer s.Unlock()
		for at := 1; at <= 2; at++ {
			next := id
			next.N = at
			if a, err := tryCommit(s, next); err != nil || a.N != 3 {
				t.Fatalf("%s: the next attempt has number %d (%v), want 3", next, a.N, err)
			}
		}
	})
}

func checkDamage(t *rapid.T, s *store.Store, before map[string]any, bad, hurt string) {
	after := storedAt(s)
	at, isStored := strings.CutPrefix(filepath.Dir(bad), "suite/trials/")
	lost := 0
	for dir, want := range before {
		of := isStored && (dir == at || strings.HasPrefix(dir, at+"/"))
		got, ok := after[dir]
		if !ok {
			lost++
		}
		if !of && !cmp.Equal(want, got) {
			t.Errorf("%s: got %v, want %v", dir, got, want)
		}
	}
	if lost > 0 && len(s.Damaged) != 1 {
		t.Errorf("%d are not there, and as damaged are reported: %q", lost, s.Damaged)
	}
	if lost == 0 && len(s.Damaged) > 0 {
		t.Errorf("nothing is missing, and as damaged are reported: %q", s.Damaged)
	}
	// A flipped bit can make another text that is fine, and a cut the last line
	// break only; the rest leaves nothing that could be read.
	if lost == 0 && isStored && slices.Contains([]string{"zero", "empty object", "remove", "directory"}, hurt) {
		t.Errorf("a bad %s goes unseen", bad)
	}
}

func TestTries(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	host := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost}
	stopped := engine.Outcome{Status: engine.StatusCancelled, Reason: engine.ReasonSignal}
	k := key("run/1")
	commit(t, s, k, host)
	commit(t, s, key("run/0"), host) // other work
	commit(t, s, k, stopped)
	graded := commit(t, s, k, engine.Outcome{})
	for _, version := range []string{"check/1", "check/2"} {
		g := grade(key(version))
		g.Checks[0].Passed = version == "check/2"
		if err := s.AddGrade(graded, g); err != nil {
			t.Fatal(err)
		}
	}
	commit(t, s, k, host) // somebody wanted it made again
	commit(t, s, k, engine.Outcome{})
	commit(t, s, k, host)
	took, cost, tokens := graded.Took, graded.Cost, graded.Tokens
	want := []engine.Try{{N: 5, Outcome: host, Took: took, Cost: cost, Tokens: tokens}}
	first := []engine.Try{{N: 1, Outcome: host, Took: took, Cost: cost, Tokens: tokens}, {N: 3, Outcome: stopped, Took: took, Cost: cost, Tokens: tokens}}
	for name, s := range map[string]*store.Store{"itself": s, "reopened": open(t, dir)} {
		best := s.Best(k.Sum)
		if best.N != 6 {
			t.Fatalf("%s: the best is %d, want 6, since 7 cannot be graded", name, best.N)
		}
		if diff := cmp.Diff(want, s.Tries(best)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if diff := cmp.Diff(first, s.Tries(&engine.Stored{Trial: id, N: 4, Run: k.Sum})); diff != "" {
			t.Errorf("%s, of the graded one (-want +got):\n%s", name, diff)
		}
		if got := s.Tries(&engine.Stored{Trial: id, N: 1, Run: k.Sum}); got != nil {
			t.Errorf("%s: before the first: got %v", name, got)
		}
	}
	if got := s.Tries(&engine.Stored{Trial: engine.TrialID{Matrix: "another"}}); got != nil {
		t.Errorf("of a trial that is not stored: got %v", got)
	}
}

// What an attempt took of models is unknown if its record does not say it: that is
// not zero.
func TestTriesOfOlderRecords(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	host := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost}
	k := key("run/1")
	file := filepath.Join(s.Dir(commit(t, s, k, host)), "run.json")
	commit(t, s, k, engine.Outcome{})
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, regexp.MustCompile(`(?m)^  "(cost_usd|tokens)": .*\n`).ReplaceAllString(string(text), ""))
	for range 2 { // the second time from the index
		s := open(t, dir)
		tries := s.Tries(s.Best(k.Sum))
		if len(tries) != 1 || tries[0].Tokens != nil || tries[0].Cost != nil {
			t.Fatalf("got %+v, want one try of which nothing is known", tries)
		}
		if err := s.WriteIndex(); err != nil {
			t.Fatal(err)
		}
	}
}

// A byte that went bad within a text is damage too, although a decoder of JSON
// would make another text of it.
func TestBadByteInText(t *testing.T) {
	dir := t.TempDir()
	furnish(t, dir)
	files, err := filepath.Glob(filepath.Join(dir, "suite", "trials", "*", "attempt-1", "run.json"))
	if err != nil || len(files) != 2 {
		t.Fatal(files, err)
	}
	text, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(text, []byte(`"version"`)) + 2
	text[at] ^= 0xff
	write(t, files[0], string(text))
	s, err := store.Open(dir, "suite")
	if err != nil {
		t.Fatal(err)
	}
	if len(s.Damaged) != 1 || !strings.Contains(s.Damaged[0], "run.json: it is not text any more") {
		t.Errorf("damaged: %q", s.Damaged)
	}
}
