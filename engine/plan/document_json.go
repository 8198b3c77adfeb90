package plan

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// maxDocument bounds what is read of a document, in bytes. A plan of 100,000
// trials takes about 30 MB.
const maxDocument = 256 << 20

// A field is one of the document: how it is written, and how it is read. Lists
// are read one element after the other, and each is checked at once, so that a
// small file cannot become a large document.
type field struct {
	name  string
	write func(*writer)
	read  func(*json.Decoder) error
}

func (d *Document) fields() []field {
	schema := DocumentSchema
	return []field{
		value("schema", &schema, func(s *string) error {
			if *s != DocumentSchema {
				return fmt.Errorf("it is %q, and this version of bench reads %s", *s, DocumentSchema)
			}
			return nil
		}),
		value("version", &d.Version, func(v *engine.Version) error { return given(v.Bench != "") }),
		value("protocols", &d.Protocols, func(p *Protocols) error { return given(p.Image != "" && p.Asset != "" && p.Run != "" && p.Check != "") }),
		value("suite", &d.Suite, func(s *SuiteOf) error { return given(s.Name != "" && s.File != "") }),
		value("options", &d.Options, (*Options).check),
		list("variables", &d.Variables, (*VariableOf).check),
		list("files", &d.Files, checkFile),
		list("powers", &d.Powers, func(s *string) error { return given(*s != "") }),
		list("matrices", &d.Matrices, (*MatrixOf).check),
		list("images", &d.Images, func(i *ImageOf) error { return given(i.ID != "" && !i.Key.IsZero()) }),
		list("assets", &d.Assets, (*AssetOf).check),
		value("worst_case", &d.WorstCase, (*WorstOf).check),
		value("expected", &d.Expected, (*ExpectedOf).check),
		list("trials", &d.Trials, (*TrialOf).check),
		list("gone", &d.Gone, func(id *engine.TrialID) error { return given(id.N > 0) }),
		list("uncertified", &d.Uncertified, func(u *engine.Uncertified) error {
			return given(u.Case != "" && (u.Standing == engine.StandingChanged || u.Standing == engine.StandingNever))
		}),
	}
}

// Write writes the document: equal documents as equal bytes, with a line for
// each trial and each file.
func (d *Document) Write(out io.Writer) error {
	w := &writer{}
	w.json = json.NewEncoder(&w.Buffer)
	w.json.SetEscapeHTML(false)
	for i, f := range d.fields() {
		w.WriteString(before(i, "{\n  ", ",\n  "))
		w.value(f.name)
		w.WriteString(": ")
		f.write(w)
	}
	w.WriteString("\n}\n")
	if w.err != nil {
		return w.err
	}
	_, err := out.Write(w.Bytes())
	return err
}

type writer struct {
	bytes.Buffer
	json *json.Encoder // into the buffer
	err  error
}

func (w *writer) value(v any) {
	if err := w.json.Encode(v); err != nil {
		w.err = errors.Join(w.err, err)
		return
	}
	w.Truncate(w.Len() - 1) // the end of the line
}

// before is what stands before an entry: before the first, or between two.
func before(i int, first, between string) string {
	if i == 0 {
		return first
	}
	return between
}

func value[T any](name string, at *T, check func(*T) error) field {
	return field{
		name:  name,
		write: func(w *writer) { w.value(at) },
		read:  func(in *json.Decoder) error { return element(in, at, check) },
	}
}

func list[T any](name string, at *[]T, check func(*T) error) field {
	return field{
		name: name,
		write: func(w *writer) {
			w.WriteString("[")
			for i := range *at {
				w.WriteString(before(i, "\n    ", ",\n    "))
				w.value(&(*at)[i])
			}
			if len(*at) > 0 {
				w.WriteString("\n  ")
			}
			w.WriteString("]")
		},
		read: func(in *json.Decoder) error {
			if err := token(in, json.Delim('[')); err != nil {
				return err
			}
			*at = []T{}
			for in.More() {
				var v T
				if err := element(in, &v, check); err != nil {
					return fmt.Errorf("entry %d: %w", len(*at)+1, err)
				}
				*at = append(*at, v)
			}
			return token(in, json.Delim(']'))
		},
	}
}

func element[T any](in *json.Decoder, at *T, check func(*T) error) error {
	if err := in.Decode(at); err != nil {
		return err
	}
	return check(at)
}

func token(in *json.Decoder, want json.Delim) error {
	got, err := in.Token()
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("%v stands where %v belongs", got, want)
	}
	return nil
}

// ReadDocument reads what Write has written. It takes nothing that it does not
// know, and nothing that is not there.
func ReadDocument(r io.Reader) (*Document, error) { return readDocument(r, maxDocument) }

func readDocument(r io.Reader, most int64) (*Document, error) {
	limited := &io.LimitedReader{R: r, N: most + 1}
	d := &Document{}
	err := d.read(json.NewDecoder(limited))
	if limited.N <= 0 {
		err = fmt.Errorf("it is larger than %d MiB", most>>20)
	}
	if err != nil {
		return nil, fmt.Errorf("this is not a plan that bench has saved: %w", err)
	}
	return d, nil
}

func (d *Document) read(in *json.Decoder) error {
	in.DisallowUnknownFields()
	if err := token(in, json.Delim('{')); err != nil {
		return err
	}
	missing := map[string]field{}
	for _, f := range d.fields() {
		missing[f.name] = f
	}
	for in.More() {
		name, err := in.Token()
		if err != nil {
			return err
		}
		f, ok := missing[name.(string)]
		if !ok {
			return fmt.Errorf("unknown field %q, or one that is there twice", name)
		}
		delete(missing, f.name)
		if err := f.read(in); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if err := token(in, json.Delim('}')); err != nil {
		return err
	}
	for _, f := range d.fields() {
		if _, ok := missing[f.name]; ok {
			return fmt.Errorf("%s is missing", f.name)
		}
	}
	if _, err := in.Token(); err != io.EOF {
		return errors.New("something follows its end")
	}
	return d.consistent()
}

// consistent holds the parts of a document against each other.
func (d *Document) consistent() error {
	counted := map[string]int{}
	for _, m := range d.Matrices {
		if _, twice := counted[m.Name]; twice {
			return fmt.Errorf("matrix %s is there twice", m.Name)
		}
		counted[m.Name] = m.Trials
	}
	seen := make(map[engine.TrialID]bool, len(d.Trials))
	for _, t := range d.Trials {
		if seen[t.ID] {
			return fmt.Errorf("trial %s is there twice", t.ID)
		}
		seen[t.ID] = true
		counted[t.ID.Matrix]--
	}
	for i, f := range d.Files[min(1, len(d.Files)):] {
		if f.Path <= d.Files[i].Path {
			return fmt.Errorf("file %s is there twice, or not in its place", f.Path)
		}
	}
	for name, n := range counted {
		if n != 0 {
			return fmt.Errorf("the trials of matrix %s are not as many as it has", name)
		}
	}
	return nil
}

func given(ok bool) error {
	if !ok {
		return errors.New("a value in it is missing or out of range")
	}
	return nil
}

func checkFile(s *engine.Source) error { return given(fs.ValidPath(s.Path) && !s.Sum.IsZero()) }

func (o *Options) check() error {
	for _, list := range o.lists() {
		if *list == nil {
			return given(false)
		}
	}
	if o.Driver != "" && o.Driver != engine.DriverLocal {
		return fmt.Errorf("there is no driver %q", o.Driver)
	}
	return given(o.Assets == engine.VariantFull || o.Assets == engine.VariantMini)
}

func (a *AssetOf) check() error {
	full := a.URL != "" && !a.Sum.IsZero() && a.Image == ""
	mini := a.URL == "" && a.Sum.IsZero() && a.Image != ""
	return given(a.ID != "" && !a.Key.IsZero() && (a.Variant == engine.VariantFull && full || a.Variant == engine.VariantMini && mini))
}

// check drops the blanks in a value, too: they mean nothing.
func (v *VariableOf) check() error {
	if v.Value != nil {
		var b bytes.Buffer
		if err := json.Compact(&b, v.Value); err != nil {
			return err
		}
		v.Value = b.Bytes()
	}
	return given(engine.ValidName(v.Name) && !v.Sum.IsZero() && v.Sensitive == (v.Value == nil))
}

func (m *MatrixOf) check() error {
	sum := 0
	for _, n := range []int{m.New, m.Changed, m.Regrade, m.Again, m.Same} {
		if n < 0 || n > maxDocument {
			return given(false)
		}
		sum += n
	}
	return given(engine.ValidName(m.Name) && m.Left >= 0 && m.Trials == sum)
}

func (w *WorstOf) check() error {
	return given(finite(w.AgentSeconds, orZero(w.Cost)) && (w.AtOnce == nil || *w.AtOnce > 0))
}

func (e *ExpectedOf) check() error {
	for _, estimate := range []*EstimateOf{e.AgentSeconds, e.Cost} {
		if estimate != nil && !finite(estimate.Mean, orZero(estimate.Spread)) {
			return given(false)
		}
	}
	return given(e.Samples >= 0 && e.Unknown >= 0)
}

func orZero(n *float64) float64 {
	if n == nil {
		return 0
	}
	return *n
}

func (t *TrialOf) check() error {
	l := t.Limits
	nameless := func(c engine.Change) bool { return c.Name == "" }
	if t.Changed != nil && len(t.Changed) == 0 || slices.ContainsFunc(t.Changed, nameless) {
		return given(false)
	}
	if t.Assets != "" && t.Assets != engine.VariantFull && t.Assets != engine.VariantMini {
		return given(false)
	}
	return given(t.ID.N > 0 && t.knownWords() && !t.Run.IsZero() && !t.Check.IsZero() &&
		finite(l.Seconds, l.Cost) && l.Seconds > 0 && l.Tokens >= 0 && l.Turns >= 0 && l.Requests >= 0)
}

func (t *TrialOf) knownWords() bool {
	for _, w := range words {
		if w == t.Sign {
			return t.Work.rank() >= 0 && (t.Sign == words[engine.SignSame]) == (t.Work == WorkNone)
		}
	}
	return false
}
