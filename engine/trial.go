package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// A Trial is one case given once to one agent.
type Trial struct {
	ID         TrialID
	Matrix     *Matrix
	Case       *Case
	Agent      *Agent
	Seed       uint64
	Invocation Invocation // zero for built-in agents
	Limits     Limits
	Run        *RunStep
	Check      *CheckStep
	Reuse      Reuse
}

// A TrialID names a trial for people, shells and directories. Its String form,
// "smoke/debugging/nan_loss@react+gpt#2", parses back with ParseTrialID.
type TrialID struct {
	Matrix string
	Case   string
	Agent  string
	Model  string // empty if the agent uses none
	N      int    // which trial of the cell; counts from 1
}

// Cell is the id without the number: what statistics compare.
func (id TrialID) Cell() string {
	s := id.Matrix + "/" + id.Case + "@" + id.Agent
	if id.Model != "" {
		s += "+" + id.Model
	}
	return s
}

func (id TrialID) String() string { return id.Cell() + "#" + strconv.Itoa(id.N) }

// MarshalText makes an id a string in JSON.
func (id TrialID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText is the inverse of MarshalText.
func (id *TrialID) UnmarshalText(text []byte) error {
	parsed, err := ParseTrialID(string(text))
	if err == nil {
		*id = parsed
	}
	return err
}

var (
	nameForm = regexp.MustCompile(`^[a-z][a-z0-9_-]*$`)
	tagForm  = regexp.MustCompile(`^[a-z0-9_-]+$`)
)

// ValidName reports whether s can name a block: a lower-case letter, then
// letters, digits, underscores and hyphens.
func ValidName(s string) bool { return nameForm.MatchString(s) }

// ValidTag reports whether s can be a tag of a case.
func ValidTag(s string) bool { return tagForm.MatchString(s) }

// ValidCaseName reports whether s can name a case: names joined by slashes.
func ValidCaseName(s string) bool {
	for segment := range strings.SplitSeq(s, "/") {
		if !ValidName(segment) {
			return false
		}
	}
	return true
}

// ParseTrialID is the inverse of TrialID.String.
func ParseTrialID(s string) (TrialID, error) {
	bad := func(why string) (TrialID, error) {
		return TrialID{}, fmt.Errorf("trial id %q: %s; the form is matrix/case@agent#1", s, why)
	}
	matrix, rest, ok := strings.Cut(s, "/")
	if !ok {
		return bad("no matrix")
	}
	name, rest, ok := strings.Cut(rest, "@")
	if !ok {
		return bad("no agent")
	}
	agent, number, ok := strings.Cut(rest, "#")
	if !ok {
		return bad("no number")
	}
	agent, model, hasModel := strings.Cut(agent, "+")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || strconv.Itoa(n) != number {
		return bad("its number must count from 1")
	}
	if !ValidName(matrix) || !ValidCaseName(name) || !ValidName(agent) || hasModel && !ValidName(model) {
		return bad("a name in it is not valid")
	}
	return TrialID{Matrix: matrix, Case: name, Agent: agent, Model: model, N: n}, nil
}

// Dir is the name of the directory that holds the trial's results: readable,
// at most 109 bytes, and without a clash even for ids that look alike once
// their separators are gone.
func (id TrialID) Dir() string {
	s := id.String()
	sum := sha256.Sum256([]byte(s))
	flat := strings.NewReplacer("/", ".", "@", ".", "+", ".", ",", ".", "#", ".").Replace(s)
	return flat[:min(len(flat), 100)] + "-" + hex.EncodeToString(sum[:4])
}

// Seed derives the seed of a trial from the suite's. The matrix is not part of
// it, so that a cell gets the same seed in two matrices that are compared.
func (id TrialID) Seed(suite uint64) uint64 {
	cell := id.Case + "@" + id.Agent + "+" + id.Model
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%d", suite, cell, id.N))
	return binary.BigEndian.Uint64(sum[:8])
}
