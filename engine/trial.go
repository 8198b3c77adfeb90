package engine

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// A Trial is one case given once to one agent with one model.
type Trial struct {
	ID         TrialID
	Matrix     *Matrix
	Case       *Case
	Agent      *Agent
	Model      *Model      // nil if the agent uses none
	Axes       []AxisPoint // in the order of the matrix
	Seed       uint64
	Invocation Invocation // zero for built-in agents
	Params     Params     // for the model: its own, and over them those of the matrix
	Limits     Limits
	Assets     Variant // empty if the case has none
	Reserve    Reserve
	Run        *RunStep
	Check      *CheckStep
	Reuse      Reuse
}

// Solution is what an oracle runs; nil if there is nothing to run.
func (t *Trial) Solution() *Script {
	if t.Agent.Answer != nil {
		return t.Agent.Answer
	}
	return t.Case.Solution
}

// A Reserve is what one attempt may spend: its limit, or else what most earlier
// ones of its cell have spent. A zero is not known. It is made only where a
// budget asks for it.
type Reserve struct {
	Cost   float64 // USD
	Tokens int64
}

// A TrialID names a trial for people, shells and directories. Its String form,
// "smoke/debugging/nan_loss@react+gpt,temperature=0.3#2", parses back with
// ParseTrialID.
type TrialID struct {
	Matrix string
	Case   string
	Agent  string
	Model  string // empty if the agent uses none
	Axes   string // "temperature=0.3,minutes=5"; empty if the matrix has no axis
	N      int    // which trial of the cell; counts from 1
}

// Cell is the id without the number: what statistics compare.
func (id TrialID) Cell() string { return id.Matrix + "/" + id.Work() }

// Work is the cell without its matrix: what two matrices have in common when
// they try the same thing.
func (id TrialID) Work() string {
	s := id.Case + "@" + id.Agent
	if id.Model != "" {
		s += "+" + id.Model
	}
	if id.Axes != "" {
		s += "," + id.Axes
	}
	return s
}

// Points are the axes of the trial, as pairs of name and value, in order.
func (id TrialID) Points() [][2]string {
	var out [][2]string
	for point := range strings.SplitSeq(id.Axes, ",") {
		if axis, value, ok := strings.Cut(point, "="); ok {
			out = append(out, [2]string{axis, value})
		}
	}
	return out
}

// Axis is the name of the trial's value on an axis; empty if it has none.
func (id TrialID) Axis(name string) string {
	for _, p := range id.Points() {
		if p[0] == name {
			return p[1]
		}
	}
	return ""
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
	axisForm = regexp.MustCompile(`^[A-Za-z0-9._-]{1,40}$`)
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

// ValidAxisValue reports whether s can name a value of an axis: 1 to 40 letters,
// digits, dots, underscores and hyphens, which no shell takes for anything else.
func ValidAxisValue(s string) bool { return axisForm.MatchString(s) }

// ValidAxes reports whether s can be the axes of a trial id: NAME=VALUE, joined
// by commas, each name once.
func ValidAxes(s string) bool {
	seen := map[string]bool{}
	for point := range strings.SplitSeq(s, ",") {
		name, value, ok := strings.Cut(point, "=")
		if !ok || !ValidName(name) || !ValidAxisValue(value) || seen[name] {
			return false
		}
		seen[name] = true
	}
	return true
}

// ParseTrialID is the inverse of TrialID.String.
func ParseTrialID(s string) (TrialID, error) {
	bad := func(why string) (TrialID, error) {
		return TrialID{}, fmt.Errorf("trial id %q: %s; the form is matrix/case@agent+model,axis=value#1", s, why)
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
	agent, axes, hasAxes := strings.Cut(agent, ",")
	agent, model, hasModel := strings.Cut(agent, "+")
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || strconv.Itoa(n) != number {
		return bad("its number must count from 1")
	}
	if !ValidName(matrix) || !ValidCaseName(name) || !ValidName(agent) || hasModel && !ValidName(model) || hasAxes && !ValidAxes(axes) {
		return bad("a name in it is not valid")
	}
	return TrialID{Matrix: matrix, Case: name, Agent: agent, Model: model, Axes: axes, N: n}, nil
}

var flatten = strings.NewReplacer("/", ".", "@", ".", "+", ".", ",", ".", "=", "-", "#", ".")

// Dir is the name of the directory that holds the trial's results: readable,
// at most 109 bytes, and without a clash even for ids that look alike once
// their separators are gone.
func (id TrialID) Dir() string {
	s := id.String()
	sum := sha256.Sum256([]byte(s))
	flat := flatten.Replace(s)
	return flat[:min(len(flat), 100)] + "-" + hex.EncodeToString(sum[:4])
}

// Recording is the path of the trial's file in a cassette, with slashes: its work
// and its number, since what two matrices try is recorded once. The last name is at
// most 213 bytes; longer ones are cut, and told apart by a sum.
func (id TrialID) Recording() string {
	const longest = 200
	key := id.Work() + "#" + strconv.Itoa(id.N)
	folder, name := path.Split(key)
	if len(name) > longest {
		sum := sha256.Sum256([]byte(key))
		name = name[:longest] + "-" + hex.EncodeToString(sum[:4])
	}
	return folder + name + ".txt"
}

// Seed derives the seed of a trial from the suite's. The matrix is not part of
// it, so that a cell gets the same seed in two matrices that are compared.
func (id TrialID) Seed(suite uint64) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d\n%s\n%d", suite, id.Work(), id.N))
	return binary.BigEndian.Uint64(sum[:8])
}
