package digest

import (
	"crypto/sha256"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// maxValue is how long a value may be that is kept as it is, in bytes.
const maxValue = 64

// A KeyBuilder collects the parts of a key. The order of Add does not matter.
type KeyBuilder struct {
	base  *engine.Key
	parts []engine.Part
}

// NewKey starts a key of the given protocol version.
func NewKey(version string) *KeyBuilder {
	return (&KeyBuilder{}).Add("protocol", version)
}

// Over starts a key that has all parts of base, and is to get others. Its sum
// stands on that of the base: work is found to be equal only where the same
// parts are in the base.
func Over(base *engine.Key) *KeyBuilder { return &KeyBuilder{base: base} }

// Grow makes room for n parts.
func (b *KeyBuilder) Grow(n int) *KeyBuilder {
	b.parts = slices.Grow(b.parts, n)
	return b
}

// Add gives a part its value. Long values are kept as their digest.
func (b *KeyBuilder) Add(name, value string) *KeyBuilder {
	if len(value) > maxValue {
		return b.AddHidden(name, value)
	}
	b.parts = append(b.parts, engine.Part{Name: name, Value: value})
	return b
}

// AddHidden adds a value of which only the digest is kept, however short it is.
func (b *KeyBuilder) AddHidden(name, value string) *KeyBuilder {
	b.parts = append(b.parts, engine.Part{Name: name, Value: "sha256:" + Bytes([]byte(value)).String()})
	return b
}

// AddSum adds a part that is a digest already.
func (b *KeyBuilder) AddSum(name string, sum engine.Digest) *KeyBuilder {
	return b.Add(name, sum.String())
}

// AddJSON adds a value in its JSON form, in which maps are sorted. It panics on
// values that have none, which only a bug can pass.
func (b *KeyBuilder) AddJSON(name string, value any) *KeyBuilder {
	return b.Add(name, JSON(value))
}

// JSON is the JSON form of a value as it stands in a key. People read it, so it
// is not escaped for HTML.
func JSON(value any) string {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic("digest: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}

// AddTree adds a tree; a nil one is a value of its own, unlike an empty one.
func (b *KeyBuilder) AddTree(name string, t *engine.Tree) *KeyBuilder {
	if t == nil {
		return b.Add(name, "none")
	}
	return b.AddSum(name, t.Sum)
}

// Key closes the builder, which cannot be used after it. It panics if a part was
// given twice.
func (b *KeyBuilder) Key() engine.Key {
	parts := b.parts
	slices.SortFunc(parts, func(x, y engine.Part) int { return strings.Compare(x.Name, y.Name) })
	text := make([]byte, 0, 512) // on the stack, for most keys
	if b.base != nil {           // parts begin with a quote
		text = append(append(text, "over "...), b.base.Sum[:]...)
	}
	for i, p := range parts {
		if i > 0 && parts[i-1].Name == p.Name {
			panic("digest: part " + p.Name + " twice")
		}
		text = strconv.AppendQuote(text, p.Name)
		text = append(text, '=')
		text = strconv.AppendQuote(text, p.Value)
		text = append(text, '\n')
	}
	return engine.Key{Sum: sha256.Sum256(text), Parts: parts, Base: b.base}
}
