package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/store"
)

// known is all that can be asked of a store.
func known(s *store.Store) string {
	var b strings.Builder
	for st := range s.All() {
		cost, tokens := "unknown", "unknown"
		if st.Cost != nil {
			cost = fmt.Sprint(*st.Cost)
		}
		if st.Tokens != nil {
			tokens = fmt.Sprint(*st.Tokens)
		}
		fmt.Fprintln(&b, st.Trial, st.N, st.Run.Short(), st.Outcome, st.Took, cost, tokens, st.Grades, s.Latest(st.Trial).N, s.Best(st.Run).Trial, s.Best(st.Run).N)
	}
	for _, d := range s.Damaged {
		fmt.Fprintln(&b, "damaged:", d)
	}
	return b.String()
}

// A machine does to a results directory what bench, people and crashes do.
type machine struct {
	dir   string
	index string // the file
	s     *store.Store
	n     int
}

// check opens the directory with its index and without. The index stays as it
// was, so that an old one is seen again after more has changed.
func (m *machine) check(t *rapid.T) {
	before, err := os.ReadFile(m.index)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	with, err := store.Open(m.dir, "suite")
	if err != nil {
		t.Fatal(err)
	}
	got := known(with)
	without := m.rebuilt(t)
	if diff := cmp.Diff(without, got); diff != "" {
		t.Fatalf("with the index (-without +with):\n%s", diff)
	}
	if before == nil {
		os.Remove(m.index)
		return
	}
	if err := os.WriteFile(m.index, before, 0o644); err != nil {
		t.Fatal(err)
	}
}

// rebuilt is what is known without an index.
func (m *machine) rebuilt(t *rapid.T) string {
	s, err := store.Open(m.dir, "suite")
	if err == nil {
		err = s.Rebuild()
	}
	if err != nil {
		t.Fatal(err)
	}
	return known(s)
}

// pick draws one of the files that fit a pattern; empty if there is none.
func (m *machine) pick(t *rapid.T, pattern ...string) string {
	files, err := filepath.Glob(filepath.Join(append([]string{m.dir, "suite", "trials"}, pattern...)...))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		return ""
	}
	return files[rapid.IntRange(0, len(files)-1).Draw(t, "file")]
}

// edit changes a file in place.
func (m *machine) edit(t *rapid.T, file string, change func([]byte) []byte) {
	if file == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err == nil {
		err = os.WriteFile(file, change(text), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
}

var trialOf = rapid.Custom(func(t *rapid.T) engine.TrialID {
	return engine.TrialID{
		Matrix: "m", Case: rapid.SampledFrom([]string{"a", "a/b", "b"}).Draw(t, "case"), Agent: "x",
		Model: rapid.SampledFrom([]string{"", "gpt"}).Draw(t, "model"), Axes: rapid.SampledFrom([]string{"", "t=0.3,k=1"}).Draw(t, "axes"), N: rapid.IntRange(1, 2).Draw(t, "n"),
	}
})

var outcomeOf = rapid.SampledFrom([]engine.Outcome{
	{}, {}, {}, {Status: engine.StatusErrored, Reason: engine.ReasonHost, Detail: "for people"}, {Status: engine.StatusFailed, Reason: "odd\treason\n", Cause: "image:x"},
})

func (m *machine) commit(t *rapid.T) {
	m.n++
	id := trialOf.Draw(t, "trial")
	a := &engine.Attempt{
		Trial: id, Key: engine.Key{Sum: engine.Digest{rapid.Byte().Draw(t, "key") % 4}}, Outcome: outcomeOf.Draw(t, "outcome"),
		Began: time.Unix(int64(m.n%7), 0).UTC(), Took: time.Duration(m.n) * time.Second,
	}
	if m.n%2 == 0 {
		cost := float64(m.n) / 3
		a.Cost = &cost
	}
	if m.n%3 == 0 {
		a.Tokens = new(int64(m.n - 3)) // none is not unknown
	}
	draft, err := m.s.Begin(id)
	if err == nil {
		err = draft.Commit(a)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) grade(t *rapid.T) {
	all := slices.Collect(m.s.All())
	if len(all) == 0 {
		return
	}
	st := all[rapid.IntRange(0, len(all)-1).Draw(t, "attempt")]
	a, _, err := m.s.Load(st, nil)
	if err != nil {
		return // somebody has edited it since
	}
	m.n++
	g := &engine.Grade{Key: engine.Key{Sum: engine.Digest{byte(m.n)}}, Outcome: outcomeOf.Draw(t, "outcome"), Checks: []engine.CheckResult{{Name: "c", Passed: m.n%2 == 0}}}
	if err := m.s.AddGrade(a, g); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
}

// reopen ends a process and starts the next one. A crash leaves no new index.
func (m *machine) reopen(t *rapid.T) {
	before, _ := os.ReadFile(m.index)
	if err := m.s.Unlock(); err != nil {
		t.Fatal(err)
	}
	if before != nil && rapid.Bool().Draw(t, "crash") {
		if err := os.WriteFile(m.index, before, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	m.open(t)
}

func (m *machine) open(t *rapid.T) {
	s, err := store.Open(m.dir, "suite")
	if err == nil {
		err = s.Lock()
	}
	if err != nil {
		t.Fatal(err)
	}
	m.s = s
	if diff := cmp.Diff(m.rebuilt(t), known(s)); diff != "" {
		t.Fatalf("under the lock (-without index +locked):\n%s", diff)
	}
}

// What a store knows never depends on its index, whatever has become of it and
// of the files.
func TestIndex(t *testing.T) {
	root := t.TempDir()
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		m := &machine{dir: filepath.Join(root, fmt.Sprint(n))}
		m.index = filepath.Join(m.dir, "suite", "index")
		m.open(t)
		defer m.s.Unlock()
		replace := func(old, new string) func([]byte) []byte {
			return func(text []byte) []byte {
				if bytes.Contains(text, []byte(old)) {
					return bytes.Replace(text, []byte(old), []byte(new), 1)
				}
				return bytes.Replace(text, []byte(new), []byte(old), 1)
			}
		}
		remove := func(file string) {
			if file == "" {
				return
			}
			if err := os.RemoveAll(file); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			m.commit(t)
			m.grade(t)
		}
		t.Repeat(map[string]func(*rapid.T){
			"commit":         m.commit,
			"grade":          m.grade,
			"reopen":         m.reopen,
			"wait":           func(*rapid.T) { time.Sleep(5 * time.Millisecond) },
			"remove attempt": func(t *rapid.T) { remove(m.pick(t, "*", "attempt-*")) },
			"remove trial":   func(t *rapid.T) { remove(m.pick(t, "*")) },
			"remove a file":  func(t *rapid.T) { remove(m.pick(t, "*", "attempt-*", "grade-*", "grade.json")) },
			"edit a run": func(t *rapid.T) { // of equal size
				m.edit(t, m.pick(t, "*", "attempt-*", "run.json"), replace(`"took_ns": 1`, `"took_ns": 2`))
			},
			"edit a grade": func(t *rapid.T) {
				m.edit(t, m.pick(t, "*", "attempt-*", "grade-*", "grade.json"), replace(`"passed": true,`, `"passed":false,`))
			},
			"break a file": func(t *rapid.T) { m.edit(t, m.pick(t, "*", "attempt-*", "*", "*.json"), replace(`{`, `[`)) },
			"link a file": func(t *rapid.T) { // to where changes cannot be seen from here
				m.n++
				if file, real := m.pick(t, "*", "attempt-*", "run.json"), filepath.Join(m.dir, fmt.Sprint("real-", m.n)); file != "" {
					if err := errors.Join(os.Rename(file, real), os.Symlink(real, file)); err != nil {
						t.Fatal(err)
					}
				}
			},
			"rename a trial":   func(t *rapid.T) { m.rename(t) },
			"remove the index": func(*rapid.T) { remove(m.index) },
			"cut the index": func(t *rapid.T) {
				m.editIndex(t, func(text []byte) []byte { return text[:rapid.IntRange(0, len(text)-1).Draw(t, "length")] })
			},
			"garble the index": func(t *rapid.T) {
				m.editIndex(t, func(text []byte) []byte {
					text[rapid.IntRange(0, len(text)-1).Draw(t, "at")] ^= 1 << rapid.IntRange(0, 7).Draw(t, "bit")
					return text
				})
			},
			"": m.check,
		})
	})
}

func (m *machine) editIndex(t *rapid.T, change func([]byte) []byte) {
	if text, err := os.ReadFile(m.index); err == nil && len(text) > 0 {
		if err := os.WriteFile(m.index, change(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func (m *machine) rename(t *rapid.T) {
	from := m.pick(t, "*")
	if from == "" {
		return
	}
	to := strings.TrimSuffix(from, "~")
	if to == from {
		to += "~"
	}
	if err := os.Rename(from, to); err != nil && !errors.Is(err, fs.ErrExist) {
		t.Fatal(err)
	}
}

// A change within the same tick of the clock as the one before, and of the same
// size, cannot be seen from outside: so nothing is believed of a file that is
// not older than the stamp of the index. (New kernels tell such changes apart, so
// the tick is made by hand.)
func TestSameTick(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	file := filepath.Join(s.Dir(commit(t, s, key("run/1"), engine.Outcome{})), "run.json")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	tick := time.Now().Add(time.Minute) // later than that of the directories, which count too
	if err := os.Chtimes(file, time.Time{}, tick); err != nil {
		t.Fatal(err)
	}
	open(t, dir) // makes an index
	index, err := os.ReadFile(filepath.Join(dir, "suite", "index"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, file, strings.Replace(string(text), `"took_ns": 2`, `"took_ns": 3`, 1))
	if err := os.Chtimes(file, time.Time{}, tick); err != nil {
		t.Fatal(err)
	}
	for stamp, want := range map[int64]time.Duration{0: 3 * time.Second, 1: 2 * time.Second} {
		_, trials, _ := strings.Cut(string(index), "\n")
		writeIndex(t, dir, 2, tick.UnixNano()+stamp, trials)
		if got := open(t, dir).Latest(id).Took; got != want {
			t.Errorf("stamp %d ns after the change: got %v, want %v", stamp, got, want)
		}
	}
}

// writeIndex writes an index as it would be if bench had made it.
func writeIndex(t *testing.T, dir string, version int, stamp int64, trials string) {
	t.Helper()
	rest := fmt.Sprintf("%d\t\n%s", stamp, trials)
	write(t, filepath.Join(dir, "suite", "index"), fmt.Sprintf("bench index %d\t%08x\t%s", version, crc32.Checksum([]byte(rest), crc32.MakeTable(crc32.Castagnoli)), rest))
}

// An index of another version may look like one of this version, and mean
// something else: the files are read instead.
func TestIndexOfAnotherVersion(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	a := commit(t, locked(t, dir), key("run/1"), engine.Outcome{})
	open(t, dir) // makes an index
	index, err := os.ReadFile(filepath.Join(dir, "suite", "index"))
	if err != nil {
		t.Fatal(err)
	}
	_, trials, _ := strings.Cut(string(index), "\n")
	trials = strings.Replace(trials, fmt.Sprintf("\t%d\t", *a.Tokens), "\t7\t", 1)
	for version, want := range map[int]int64{1: *a.Tokens, 2: 7, 3: *a.Tokens} {
		writeIndex(t, dir, version, time.Now().Add(time.Minute).UnixNano(), trials)
		if got := open(t, dir).Latest(id).Tokens; got == nil || *got != want {
			t.Errorf("version %d: got %v, want %d", version, got, want)
		}
	}
}

// A file that changes back to its size and time goes unseen, until it is used.
func TestUnseenChange(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	a := commit(t, s, key("run/1"), engine.Outcome{})
	if err := s.AddGrade(a, grade(key("check/1"))); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond) // or the file is too new for the index to vouch for it
	if err := s.Unlock(); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ file, old, new string }{
		{"run.json", `{`, `[`},
		{"run.json", `"took_ns": 2`, `"took_ns": 3`},
		{"grade-1/grade.json", `{`, `[`},
		{"grade-1/grade.json", `"sum": "` + key("check/1").Sum.Short(), `"sum": "000000000000`},
	} {
		file := filepath.Join(s.Dir(a), tt.file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(file)
		if err != nil {
			t.Fatal(err)
		}
		replace := func(text []byte) {
			write(t, file, string(text))
			if err := os.Chtimes(file, time.Time{}, info.ModTime()); err != nil {
				t.Fatal(err)
			}
		}
		replace(bytes.Replace(text, []byte(tt.old), []byte(tt.new), 1))
		st := open(t, dir).Latest(id)
		if st == nil || len(st.Grades) != 1 {
			t.Fatalf("%s with %s: got %v; the index was not used", tt.file, tt.new, st)
		}
		if _, _, err := s.Load(st, &st.Grades[0]); err == nil || !strings.Contains(err.Error(), tt.file) {
			t.Errorf("%s with %s: got %v, want an error that names the file", tt.file, tt.new, err)
		}
		replace(text)
	}
}

// A process that only looks leaves an index where it had to read much, and
// nothing where it must not write.
func TestOpenWritesIndex(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	s := locked(t, dir)
	for range 20 {
		commit(t, s, key("run/1"), engine.Outcome{})
	}
	if err := s.Unlock(); err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(dir, "suite", "index")
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	open(t, dir)
	if _, err := os.Stat(index); err != nil {
		t.Error(err)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "suite", ".index*")); left != nil {
		t.Errorf("left: %v", left)
	}
	if err := os.Remove(index); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(index, 0o755); err != nil { // which also root cannot replace by a file
		t.Fatal(err)
	}
	if got := open(t, dir).Latest(id); got == nil || got.N != 20 {
		t.Errorf("without an index that could be written: got %v", got)
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "suite", ".index*")); left != nil {
		t.Errorf("left: %v", left)
	}
}

func TestSuites(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "results")
	if names, err := store.Suites(dir); err != nil || names != nil {
		t.Errorf("of nothing: got %v, %v", names, err)
	}
	for _, suite := range []string{"two", "one", "empty"} {
		s, err := store.Open(dir, suite)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Lock(); err != nil {
			t.Fatal(err)
		}
		if suite != "empty" {
			commit(t, s, key("run/1"), engine.Outcome{})
		}
		s.Unlock()
	}
	if names, err := store.Suites(dir); err != nil || !slices.Equal(names, []string{"one", "two"}) {
		t.Errorf("got %v, %v", names, err)
	}
	var version *store.VersionError
	write(t, filepath.Join(dir, "bench.json"), "{}")
	if _, err := store.Suites(dir); !errors.As(err, &version) {
		t.Errorf("of another version: got %v", err)
	}
}
