package certify

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"path"

	"github.com/ml-dev-bench/bench/engine"
)

// RecordFile is the name of the record of a case, in its directory. It is meant
// to be committed: equal proofs give equal bytes.
const RecordFile = "certified.json"

// A Record says what was proven of a case, and for which content of it.
type Record struct {
	Case    string        `json:"case"`
	Digest  engine.Digest `json:"digest"` // of all that decided it
	Repeat  int           `json:"repeat"` // how often oracle and noop tried
	Cheats  int           `json:"cheats"`
	Mutants int           `json:"mutants"`
}

// RecordOf is what there is to be recorded of a case that is certified.
func RecordOf(c *engine.Certificate) Record {
	_, cheats := c.Count(engine.ProofCheat)
	_, mutants := c.Count(engine.ProofMutant)
	return Record{c.Case.Name, c.Digest, c.Repeat, cheats, mutants}
}

// Bytes is the content of a record's file.
func (r *Record) Bytes() []byte {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		panic(err) // it has nothing that cannot be written
	}
	return append(text, '\n')
}

// recordLimit bounds a record's file, in bytes.
const recordLimit = 64 << 10

// ReadRecord reads the record of a case; nil if there is none. Root is the
// project's. A record that cannot be read is an error, and certifies nothing.
func ReadRecord(root fs.FS, c *engine.Case) (*Record, error) {
	if c.Dir == "" {
		return nil, nil
	}
	name := path.Join(c.Dir, RecordFile)
	info, err := fs.Stat(root, name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > recordLimit:
		return nil, fmt.Errorf("%s is no record of bench test: remove it, and run bench test %s", name, c.Name)
	}
	text, err := fs.ReadFile(root, name)
	if err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	r := &Record{}
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("%s is no record of bench test (%w): remove it, and run bench test %s", name, err, c.Name)
	}
	return r, nil
}

// StandingOf compares the record of a case with what the case is now.
func StandingOf(root fs.FS, c *engine.Case) (engine.Standing, error) {
	r, err := ReadRecord(root, c)
	if r == nil || err != nil {
		return engine.StandingNever, err
	}
	mutants, err := Mutants(root, c)
	if err != nil {
		return engine.StandingNever, err
	}
	if r.Digest != Digest(c, mutants) {
		return engine.StandingChanged, nil
	}
	return engine.StandingCertified, nil
}
