package engine

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Digest is a SHA-256 sum. The zero Digest means "none".
type Digest [32]byte

// IsZero reports whether there is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// String is the sum in 64 hexadecimal digits.
func (d Digest) String() string {
	var text [2 * len(d)]byte
	hex.Encode(text[:], d[:])
	return string(text[:])
}

// Short is enough of the sum to tell digests apart on a screen.
func (d Digest) Short() string { return d.String()[:12] }

// MarshalText makes a digest a string in JSON; the zero one is empty.
func (d Digest) MarshalText() ([]byte, error) {
	if d.IsZero() {
		return nil, nil
	}
	return []byte(d.String()), nil
}

// UnmarshalText is the inverse of MarshalText.
func (d *Digest) UnmarshalText(text []byte) error {
	if len(text) == 0 {
		*d = Digest{}
		return nil
	}
	if len(text) != 64 {
		return fmt.Errorf("a digest has 64 hexadecimal digits, not %d", len(text))
	}
	_, err := hex.Decode(d[:], text)
	return err
}

// A Key says what makes a step the same work as another: a sum, and the parts
// that it was made of, so that a plan can name the one that changed.
//
// A plan has many keys that differ in a few parts only. Such keys have what they
// share as their base. In JSON a key is its sum and one list of all parts, so a
// key that was read has no base; its sum and its parts are the same.
type Key struct {
	Sum   Digest `json:"sum"`
	Parts []Part `json:"parts"` // its own, sorted by name
	Base  *Key   `json:"-"`     // whose parts it has, too; nil if it has none but its own
}

// All are the parts of the key, those of its base among them, sorted by name.
// Nobody changes what it returns.
func (k Key) All() []Part {
	if k.Base == nil {
		return k.Parts
	}
	all := slices.Clone(k.Parts)
	for base := k.Base; base != nil; base = base.Base {
		all = append(all, base.Parts...)
	}
	slices.SortFunc(all, func(a, b Part) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// MarshalJSON writes the sum and all parts.
func (k Key) MarshalJSON() ([]byte, error) {
	type flat Key
	return json.Marshal(flat{Sum: k.Sum, Parts: k.All()})
}

// A Part is one input of a step: its name in the words of the benchfile, and
// its value or the digest of it.
type Part struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// A Change is a part in which two keys differ. A part that only one of them has
// is "" in the other.
type Change struct {
	Name string `json:"name"`
	Old  string `json:"old,omitempty"`
	New  string `json:"new,omitempty"`
}

// Changed names the parts in which two keys differ, in the order of k and then
// of old.
func (k Key) Changed(old Key) []Change {
	was := old.All()
	before := make(map[string]string, len(was))
	for _, p := range was {
		before[p.Name] = p.Value
	}
	var out []Change
	for _, p := range k.All() {
		if v, ok := before[p.Name]; !ok || v != p.Value {
			out = append(out, Change{p.Name, v, p.Value})
		}
		delete(before, p.Name)
	}
	for _, p := range was {
		if v, gone := before[p.Name]; gone {
			out = append(out, Change{Name: p.Name, Old: v})
		}
	}
	return out
}
