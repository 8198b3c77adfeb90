package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"regexp"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// LockFile pins the images of a project. It lies at its root.
const LockFile = "bench.lock.hcl"

// A Pin says what a tag meant when the lock file was written.
type Pin struct {
	Ref string // as a benchfile writes it: "debian:trixie-slim"
	To  string // "debian@sha256:…", or the id "sha256:…" of an image that no registry has
}

var pinForm = regexp.MustCompile(`^([^\s@]+@)?sha256:[0-9a-f]{64}$`)

var lockSpec = &spec{kind: "image", label: "ref", attrs: []attr{
	{name: "pin", kind: kString, phase: phaseLiteral, required: true, doc: "What the tag meant when `bench lock` was run."},
}}

// readLock reads the lock file, if there is one.
func (l *loader) readLock() {
	l.pins = map[string]string{}
	if _, err := fs.Stat(l.root, LockFile); errors.Is(err, fs.ErrNotExist) {
		return
	}
	src := l.parse(LockFile, hcl.Range{})
	if src == nil {
		return
	}
	s := newScope(l)
	const anew = "Run bench lock to write the file anew."
	for _, a := range inOrder(src.body.Attributes) {
		s.errorAt(a.NameRange, "V01", "unusable lock file", "It holds only image \"name\" blocks. %s", anew)
	}
	first := map[string]hcl.Range{}
	for _, block := range src.body.Blocks {
		if block.Type != "image" || len(block.Labels) != 1 {
			s.errorAt(block.DefRange(), "V01", "unusable lock file", "It holds only image \"name\" blocks. %s", anew)
			continue
		}
		b := s.open(block, lockSpec)
		if before, twice := first[b.label]; twice {
			s.errorAt(block.LabelRanges[0], "V03", fmt.Sprintf("image %q is pinned twice", b.label), "It is pinned at %s already. %s", at(before), anew)
			continue
		}
		first[b.label] = block.LabelRanges[0]
		pin, ok := b.str("pin")
		switch {
		case ok && pinForm.MatchString(pin):
			l.pins[b.label] = pin
		case ok:
			s.errorAt(b.place("pin"), "V09", "unusable pin", "It must be a digest. %s", anew)
		}
	}
	l.sources.pins = l.pins
}

// Pins are those of the lock file, by name of the image. The caller owns the map.
func (s *Sources) Pins() map[string]string { return maps.Clone(s.pins) }

// FormatLock writes a lock file. Pins are sorted by Ref.
func FormatLock(pins []Pin) []byte {
	f := hclwrite.NewEmptyFile()
	f.Body().AppendUnstructuredTokens(hclwrite.Tokens{{Bytes: []byte("# What the tags of images meant when \"bench lock\" was run. Commit this file.\n")}})
	for _, p := range pins {
		f.Body().AppendNewline()
		f.Body().AppendNewBlock("image", []string{p.Ref}).Body().SetAttributeValue("pin", cty.StringVal(p.To))
	}
	return f.Bytes()
}

// String is the pin as people read it.
func (p Pin) String() string { return fmt.Sprintf("%s is %s", p.Ref, p.To) }
