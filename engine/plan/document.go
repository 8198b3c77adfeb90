package plan

import (
	"bytes"
	"cmp"
	_ "embed"
	"encoding/json"
	"math"
	"slices"

	"github.com/ml-dev-bench/bench/engine"
)

// DocumentSchema is what the field "schema" of a document says.
const DocumentSchema = "bench.plan/1"

//go:embed plan.schema.json
var schema []byte

// Schema is the JSON Schema of a document, in the dialect of 2020-12. The caller
// owns the bytes.
func Schema() []byte { return bytes.Clone(schema) }

// A Document is a plan as it is saved: what it would do, and everything that
// decided that. It holds no secrets, no times, and of the machine only the paths
// of mounts. What each field means is in plan.schema.json, next to this file;
// the two are changed together.
type Document struct {
	Version   engine.Version
	Protocols Protocols
	Suite     SuiteOf
	Options   Options
	Variables []VariableOf
	Files     []engine.Source // sorted by path
	Powers    []string
	Matrices  []MatrixOf // in the order of the suite
	Images    []ImageOf
	Assets    []AssetOf
	WorstCase WorstOf
	Expected  ExpectedOf
	Trials    []TrialOf // in the order of the plan
	Gone      []engine.TrialID

	Uncertified []engine.Uncertified // sorted by case
}

// Protocols are the versions of what steps do, as they stand in keys.
type Protocols struct {
	Image string `json:"image"`
	Asset string `json:"asset"`
	Run   string `json:"run"`
	Check string `json:"check"`
}

// SuiteOf says which suite was planned.
type SuiteOf struct {
	Name string `json:"name"`
	File string `json:"file"` // relative to the root
}

// VariableOf is an input of the suite.
type VariableOf struct {
	Name      string          `json:"name"`
	Value     json.RawMessage `json:"value,omitempty"` // absent if it is sensitive
	Sensitive bool            `json:"sensitive,omitempty"`
	Sum       engine.Digest   `json:"sha256"`
}

// MatrixOf counts the trials of a matrix by what is to be done for them.
type MatrixOf struct {
	Name    string `json:"name"`
	Trials  int    `json:"trials"`
	New     int    `json:"new"`
	Changed int    `json:"changed"`
	Regrade int    `json:"regrade"`
	Again   int    `json:"again"`
	Same    int    `json:"same"`
	Left    int    `json:"left"` // not selected, and not counted above
}

// ImageOf is an image that is pulled or built.
type ImageOf struct {
	ID    engine.StepID `json:"id"`
	Key   engine.Digest `json:"key"`
	Base  engine.StepID `json:"base,omitempty"`
	Agent string        `json:"agent,omitempty"`

	Service string `json:"service,omitempty"`
}

// AssetOf is an asset that is fetched, or made.
type AssetOf struct {
	ID      engine.StepID  `json:"id"`
	Key     engine.Digest  `json:"key"`
	Variant engine.Variant `json:"variant"`
	URL     string         `json:"url,omitempty"`   // with full
	Sum     engine.Digest  `json:"sha256,omitzero"` // with full
	Image   engine.StepID  `json:"image,omitempty"` // with mini
}

// TrialOf is what is done for a trial, and by which keys that was decided.
type TrialOf struct {
	ID      engine.TrialID  `json:"id"`
	Sign    Word            `json:"sign"`
	Work    Work            `json:"work"`
	Seed    uint64          `json:"seed"`
	Assets  engine.Variant  `json:"assets,omitempty"`
	Run     engine.Digest   `json:"run_key"`
	Check   engine.Digest   `json:"check_key"`
	Limits  LimitsOf        `json:"limits"`
	Changed []engine.Change `json:"changed,omitempty"`
}

// LimitsOf are the limits of a trial; one that is absent does not bind it.
type LimitsOf struct {
	Seconds  float64 `json:"wall_clock_seconds"`
	Tokens   int64   `json:"tokens,omitempty"`
	Cost     float64 `json:"cost_usd,omitempty"`
	Turns    int64   `json:"turns,omitempty"`
	Requests int64   `json:"requests,omitempty"`
}

// WorstOf is a Worst as it is saved. What is nil is not bounded, or not known.
type WorstOf struct {
	AgentSeconds float64  `json:"agent_seconds"`
	Cost         *float64 `json:"cost_usd"`
	AtOnce       *int     `json:"at_once"`
}

// ExpectedOf is a forecast as it is saved. What is nil is not known.
type ExpectedOf struct {
	AgentSeconds *EstimateOf `json:"agent_seconds"`
	Cost         *EstimateOf `json:"cost_usd"`
	Samples      int         `json:"samples"`
	Unknown      int         `json:"unknown"`
}

// EstimateOf is an estimate as it is saved.
type EstimateOf struct {
	Mean   float64  `json:"mean"`
	Spread *float64 `json:"spread"`
}

// A Word is a sign as a document writes it.
type Word string

var words = map[engine.Sign]Word{
	engine.SignNew: "new", engine.SignChanged: "changed", engine.SignRegrade: "regrade", engine.SignAgain: "again", engine.SignSame: "same",
}

// Work is what has to be done for a trial.
type Work string

// The works, the least first.
const (
	WorkNone  Work = "none"  // a verdict is stored
	WorkCheck Work = "check" // what the agent left is stored, and is graded
	WorkRun   Work = "run"   // the agent runs, and its work is graded
)

var works = []Work{WorkNone, WorkCheck, WorkRun}

// Inputs are what a plan was made from, beside its suite.
type Inputs struct {
	File    string // the benchfile, relative to the root
	Options Options
}

// NewDocument writes a plan down.
func NewDocument(p *engine.Plan, in Inputs, v engine.Version) *Document {
	d := &Document{
		Version:   v,
		Protocols: Protocols{imageProtocol, assetProtocol, runProtocol, checkProtocol},
		Suite:     SuiteOf{p.Suite.Name, in.File},
		Options:   in.Options.listed(),
		Variables: []VariableOf{},
		Files:     filesOf(p),
		Powers:    Powers(p),
		Matrices:  matricesOf(p),
		Images:    []ImageOf{},
		Assets:    []AssetOf{},
		WorstCase: worstOf(WorstCase(p)),
		Expected:  ExpectedOf{estimateOf(p.Expect.Time), estimateOf(p.Expect.Cost), p.Expect.Samples, p.Expect.Unknown},
		Trials:    make([]TrialOf, 0, len(p.Trials)),
		Gone:      append([]engine.TrialID{}, p.Gone...),

		Uncertified: append([]engine.Uncertified{}, p.Uncertified...),
	}
	for _, v := range p.Suite.Variables {
		out := VariableOf{Name: v.Name, Sensitive: v.Sensitive, Sum: v.Sum}
		if !v.Sensitive {
			out.Value = json.RawMessage(v.Value)
		}
		d.Variables = append(d.Variables, out)
	}
	for _, s := range p.Steps {
		switch s := s.(type) {
		case *engine.ImageStep:
			out := ImageOf{ID: s.ID, Key: s.Key.Sum, Base: s.Base}
			if s.Agent != nil {
				out.Agent = s.Agent.Name
			}
			if s.Service != nil {
				out.Service = s.Service.Name
			}
			d.Images = append(d.Images, out)
		case *engine.AssetStep:
			out := AssetOf{ID: s.ID, Key: s.Key.Sum, Variant: s.Variant, Image: s.Image}
			if s.Variant == engine.VariantFull {
				out.URL, out.Sum = s.Asset.URL, s.Asset.SHA256
			}
			d.Assets = append(d.Assets, out)
		}
	}
	for _, t := range p.Trials {
		d.Trials = append(d.Trials, trialOf(t))
	}
	return d
}

func trialOf(t *engine.Trial) TrialOf {
	work := WorkNone
	switch {
	case mustRun(t):
		work = WorkRun
	case mustCheck(t):
		work = WorkCheck
	}
	return TrialOf{
		ID: t.ID, Sign: words[t.Reuse.Sign], Work: work, Seed: t.Seed, Assets: t.Assets, Run: t.Run.Key.Sum, Check: t.Check.Key.Sum,
		Limits:  LimitsOf{t.Limits.WallClock.Seconds(), t.Limits.Tokens, t.Limits.Cost, t.Limits.Turns, t.Limits.Requests},
		Changed: t.Reuse.Changed,
	}
}

func matricesOf(p *engine.Plan) []MatrixOf {
	counts := map[string]*MatrixOf{}
	for _, m := range p.Suite.Matrices {
		counts[m.Name] = &MatrixOf{Name: m.Name, Left: p.Left[m.Name]}
	}
	for _, t := range p.Trials {
		c := counts[t.ID.Matrix]
		c.Trials++
		switch t.Reuse.Sign {
		case engine.SignNew:
			c.New++
		case engine.SignChanged:
			c.Changed++
		case engine.SignRegrade:
			c.Regrade++
		case engine.SignAgain:
			c.Again++
		case engine.SignSame:
			c.Same++
		}
	}
	out := make([]MatrixOf, 0, len(counts))
	for _, m := range p.Suite.Matrices {
		out = append(out, *counts[m.Name])
	}
	return out
}

func worstOf(w Worst) WorstOf {
	out := WorstOf{AgentSeconds: w.AgentSeconds, Cost: w.Cost}
	if w.AtOnce > 0 {
		out.AtOnce = &w.AtOnce
	}
	return out
}

func estimateOf(e *engine.Estimate) *EstimateOf {
	if e == nil {
		return nil
	}
	return &EstimateOf{e.Mean, e.Spread}
}

// listed makes every list of the options one that is written as a list, but for
// Changed, which may not have been asked for, and says what is meant without a
// word.
func (o Options) listed() Options {
	for _, list := range o.lists() {
		*list = append([]string{}, *list...)
	}
	o.Assets = cmp.Or(o.Assets, engine.VariantFull)
	return o
}

func (o *Options) lists() []*[]string {
	s := &o.Select
	return []*[]string{&s.Cases, &s.Tags, &s.Agents, &s.Models, &s.Matrices, &s.Targets, &s.Exclude, &o.Rerun}
}

// Inputs are those that the plan was made from.
func (d *Document) Inputs() Inputs { return Inputs{File: d.Suite.File, Options: d.Options} }

func finite(numbers ...float64) bool {
	return !slices.ContainsFunc(numbers, func(n float64) bool { return n < 0 || math.IsInf(n, 0) || math.IsNaN(n) })
}
