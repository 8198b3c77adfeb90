package engine

import (
	"encoding/hex"
	"fmt"
)

// A Digest is a SHA-256 sum. The zero Digest means "none".
type Digest [32]byte

// IsZero reports whether there is no digest.
func (d Digest) IsZero() bool { return d == Digest{} }

// String is the sum in 64 hexadecimal digits.
func (d Digest) String() string { return hex.EncodeToString(d[:]) }

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
type Key struct {
	Sum   Digest `json:"sum"`
	Parts []Part `json:"parts"`
}

// A Part is one input of a step: its name in the words of the benchfile, and
// its value or the digest of it.
type Part struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Changed names the parts in which two keys differ, in the order of k and then
// of old.
func (k Key) Changed(old Key) []string {
	before := make(map[string]string, len(old.Parts))
	for _, p := range old.Parts {
		before[p.Name] = p.Value
	}
	var names []string
	for _, p := range k.Parts {
		if v, ok := before[p.Name]; !ok || v != p.Value {
			names = append(names, p.Name)
		}
		delete(before, p.Name)
	}
	for _, p := range old.Parts {
		if _, gone := before[p.Name]; gone {
			names = append(names, p.Name)
		}
	}
	return names
}
