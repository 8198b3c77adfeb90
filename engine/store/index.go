package store

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// The index is a file with what the store keeps in memory, so that opening a
// large one does not read every file in it. It is a cache: what it says of a
// trial holds only as long as all files of the trial look as they did when they
// were read, and without it, or with a broken one, everything is as with it.
//
// A file that changes twice within one tick of the clock looks the same after
// the second time. So the index has a stamp, taken from the clock of the file
// system before anything was read: what has changed before it is settled, and
// would show any further change. What has not is read again.
//
// It begins with one line of version, a sum over all that follows, and stamp.
// Each other line is a trial. Fields are separated by tabs, and lists begin with
// their length:
//
//	name  modified  matrix  case  agent  model  axes  n  attempts…
//	attempt: n  modified  run.json  began  run key  outcome  took  cost  tokens  grades…
//	grade:   n  grade.json  check key  outcome
//	file:    modified  size
//	outcome: status  reason  cause
//
// Cost and tokens are empty where they are not known.
//
// What files say is worked out when they are read: raise the version when
// engine.Decide decides otherwise, and when a field is added. An index of another
// version is not read, and the next one is made from the files.
const indexVersion = "bench index 2"

func (s *Store) indexFile() string { return filepath.Join(s.suiteDir(), "index") }

// indexTemp is the pattern of names of an index that is being written.
const indexTemp = ".index-*"

// indexable reports whether the index can hold a trial. Names of files and
// words in them can be anything once people edit them.
func (t *trial) indexable() bool {
	words := []string{t.name}
	for _, a := range t.attempts {
		words = append(words, string(a.stored.Outcome.Reason), string(a.stored.Outcome.Cause))
		for _, g := range a.stored.Grades {
			words = append(words, string(g.Outcome.Reason), string(g.Outcome.Cause))
		}
	}
	return t.damaged == nil && !slices.ContainsFunc(words, func(w string) bool { return strings.ContainsAny(w, "\t\n") })
}

// An indexWriter is the file that becomes the index. A nil one is none: where it
// cannot be made, all else is as ever.
type indexWriter struct {
	file *os.File
	at   int64
}

// newIndex begins a file that can become the index, which takes its stamp.
func (s *Store) newIndex() (*indexWriter, error) {
	f, err := os.CreateTemp(s.suiteDir(), indexTemp)
	if err != nil {
		return nil, err
	}
	w := &indexWriter{file: f}
	info, err := f.Stat()
	if err != nil {
		w.discard()
		return nil, err
	}
	w.at = info.ModTime().UnixNano()
	return w, nil
}

// stamp is before which all is settled.
func (w *indexWriter) stamp() int64 {
	if w == nil {
		return math.MinInt64
	}
	return w.at
}

func (w *indexWriter) discard() {
	if w != nil {
		w.file.Close()
		os.Remove(w.file.Name())
	}
}

// saveIndex writes an index of all that is known.
func (s *Store) saveIndex() error {
	w, err := s.newIndex()
	if err != nil {
		return err
	}
	defer w.discard()
	return s.writeIndex(w)
}

// writeIndex writes the index, for which all that is not settled is read once
// more.
func (s *Store) writeIndex(w *indexWriter) error {
	dir, err := os.Open(s.trialsDir())
	if err != nil {
		return err
	}
	defer dir.Close()
	trials := slices.SortedFunc(maps.Values(s.trials), func(a, b *trial) int { return strings.Compare(a.name, b.name) })
	var names []string
	for _, t := range trials {
		if !t.settled {
			names = append(names, t.name)
		}
	}
	again := readTrials(dir, names, w.at)
	text := appendNumbers(nil, w.at)
	text = append(text, '\n')
	for _, t := range trials {
		if !t.settled {
			t, again = again[0], again[1:]
		}
		if t != nil && t.indexable() {
			text = t.appendTo(text)
		}
	}
	_, err = fmt.Fprintf(w.file, "%s\t%08x\t", indexVersion, checksum(text))
	if err == nil {
		_, err = w.file.Write(text)
	}
	if err = errors.Join(err, w.file.Chmod(0o644), w.file.Close()); err != nil {
		return err
	}
	if err := os.Rename(w.file.Name(), s.indexFile()); err != nil {
		return err
	}
	s.changed = false
	return nil
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

func checksum(text []byte) uint32 { return crc32.Checksum(text, castagnoli) }

func (t *trial) appendTo(b []byte) []byte {
	var id engine.TrialID
	if len(t.attempts) > 0 {
		id = t.attempts[0].stored.Trial
	}
	b = appendWords(b, t.name)
	b = appendNumbers(b, t.modified)
	b = appendWords(b, id.Matrix, id.Case, id.Agent, id.Model, id.Axes)
	b = appendNumbers(b, int64(id.N), int64(len(t.attempts)))
	for _, a := range t.attempts {
		st := a.stored
		b = appendNumbers(b, int64(st.N), a.modified, a.run.modified, a.run.size, a.began)
		b = appendOutcome(appendDigest(b, st.Run), st.Outcome)
		b = appendNumbers(b, int64(st.Took))
		if st.Cost != nil {
			b = strconv.AppendFloat(b, *st.Cost, 'g', -1, 64)
		}
		b = append(b, '\t')
		if st.Tokens != nil {
			b = strconv.AppendInt(b, *st.Tokens, 10)
		}
		b = append(b, '\t')
		b = appendNumbers(b, int64(len(st.Grades)))
		for i, g := range st.Grades {
			b = appendNumbers(b, int64(g.N), a.grades[i].modified, a.grades[i].size)
			b = appendOutcome(appendDigest(b, g.Check), g.Outcome)
		}
	}
	return append(b, '\n')
}

func appendWords(b []byte, words ...string) []byte {
	for _, w := range words {
		b = append(append(b, w...), '\t')
	}
	return b
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = append(strconv.AppendInt(b, n, 10), '\t')
	}
	return b
}

func appendDigest(b []byte, d engine.Digest) []byte { return append(hex.AppendEncode(b, d[:]), '\t') }

func appendOutcome(b []byte, o engine.Outcome) []byte {
	status := ""
	if o.Status != engine.StatusInvalid {
		status = o.Status.String()
	}
	return appendWords(b, status, string(o.Reason), string(o.Cause))
}

// readIndex reads the index file; nothing is known if there is no whole one of
// this version.
func (s *Store) readIndex() map[string]*trial {
	text, err := os.ReadFile(s.indexFile())
	if err != nil {
		return nil
	}
	r := &indexReader{rest: text}
	if r.word() != indexVersion || r.word() != fmt.Sprintf("%08x", checksum(r.rest)) {
		return nil
	}
	stamp := r.number()
	lines := slices.Collect(bytes.Lines(r.rest))
	if r.broken || len(lines) == 0 {
		return nil
	}
	lines = lines[1:] // what is left of the first one is its end
	all := make([]*trial, len(lines))
	spread(len(lines), func(from, to int) {
		r := &indexReader{}
		for i := from; i < to; i++ {
			all[i] = r.trial(lines[i])
		}
	})
	known := make(map[string]*trial, len(all))
	for _, t := range all {
		if t == nil {
			return nil
		}
		t.settled = t.newest() < stamp
		known[t.name] = t
	}
	return known
}

// An indexReader reads the fields of lines.
type indexReader struct {
	rest   []byte
	broken bool
	words  map[string]string // those that were read, since most are the same
}

// trial reads a line; nil stands for one that is none.
func (r *indexReader) trial(line []byte) *trial {
	r.rest = line
	t := &trial{name: string(r.field()), modified: r.number()}
	id := engine.TrialID{Matrix: r.word(), Case: r.word(), Agent: r.word(), Model: r.word(), Axes: r.word(), N: int(r.number())}
	for range r.length() {
		a := &attempt{stored: &engine.Stored{Trial: id, N: int(r.number())}, modified: r.number(), run: r.file(), began: r.number()}
		st := a.stored
		st.Run, st.Outcome, st.Took, st.Cost, st.Tokens = r.digest(), r.outcome(), time.Duration(r.number()), r.cost(), r.tokens()
		if n := r.length(); n > 0 {
			st.Grades, a.grades = make([]engine.StoredGrade, n), make([]file, n)
			for i := range n {
				st.Grades[i].N, a.grades[i] = int(r.number()), r.file()
				st.Grades[i].Check, st.Grades[i].Outcome = r.digest(), r.outcome()
			}
		}
		t.attempts = append(t.attempts, a)
	}
	if r.broken || string(r.rest) != "\n" {
		return nil
	}
	return t
}

func (r *indexReader) field() []byte {
	field, rest, ok := bytes.Cut(r.rest, []byte("\t"))
	r.rest = rest
	r.broken = r.broken || !ok
	return field
}

func (r *indexReader) word() string {
	field := r.field()
	if w, ok := r.words[string(field)]; ok {
		return w
	}
	if r.words == nil {
		r.words = map[string]string{}
	}
	w := string(field)
	r.words[w] = w
	return w
}

func (r *indexReader) number() int64 {
	n, err := strconv.ParseInt(string(r.field()), 10, 64)
	r.broken = r.broken || err != nil
	return n
}

// length is the number of things that follow, which must fit into the line.
func (r *indexReader) length() int {
	n := r.number()
	if n < 0 || n > int64(len(r.rest)) {
		r.broken = true
		return 0
	}
	return int(n)
}

func (r *indexReader) file() file { return file{r.number(), r.number()} }

func (r *indexReader) digest() (d engine.Digest) {
	field := r.field()
	if len(field) != hex.EncodedLen(len(d)) {
		r.broken = true
		return d
	}
	_, err := hex.Decode(d[:], field)
	r.broken = r.broken || err != nil
	return d
}

func (r *indexReader) outcome() (o engine.Outcome) {
	if status := r.word(); status != "" {
		o.Status = statuses[status]
		r.broken = r.broken || o.Status == engine.StatusInvalid
	}
	o.Reason, o.Cause = engine.Reason(r.word()), engine.StepID(r.word())
	return o
}

var statuses = func() map[string]engine.Status {
	all := map[string]engine.Status{}
	for _, s := range engine.Statuses {
		all[s.String()] = s
	}
	return all
}()

func (r *indexReader) cost() *float64 {
	field := r.field()
	if len(field) == 0 {
		return nil
	}
	usd, err := strconv.ParseFloat(string(field), 64)
	r.broken = r.broken || err != nil
	return &usd
}

func (r *indexReader) tokens() *int64 {
	field := r.field()
	if len(field) == 0 {
		return nil
	}
	n, err := strconv.ParseInt(string(field), 10, 64)
	r.broken = r.broken || err != nil
	return &n
}
