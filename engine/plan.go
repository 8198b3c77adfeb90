package engine

// A Plan is the whole work as a graph. Apply adds nothing to it.
type Plan struct {
	Suite  *Suite
	Driver Driver         // what keeps its sandboxes
	Trials []*Trial       // by matrix in file order, then case, agent, model, axes and number
	Steps  []Step         // in topological order; only those that have work to do
	Gone   []TrialID      // trials with a stored result that the suite no longer has, sorted
	Left   map[string]int // by matrix: trials that a selection left out
	Expect Forecast

	// Uncertified are the cases of the plan's trials that are not certified as
	// they are, sorted by name. Cases that are written in a benchfile have no
	// place for a record, and are left out.
	Uncertified []Uncertified
}

// Uncertified is a case of which nothing proves that its verdicts are deserved.
type Uncertified struct {
	Case     string   `json:"case"`
	Standing Standing `json:"standing"` // not StandingCertified
}

// A Forecast is what earlier trials say of the work of a plan.
type Forecast struct {
	Time    *Estimate // of agents, in seconds, not divided by what runs at once
	Cost    *Estimate // in USD
	Samples int       // earlier trials that it is made from
	Unknown int       // runs of the plan of whose cells there is no earlier trial
}

// An Estimate is a sum of means.
type Estimate struct {
	Mean   float64
	Spread *float64 // standard deviation of the sum; nil if it is not known
}

// A StepID names a step: its kind, a colon, and what it is for.
type StepID string

// A Step is a vertex of the plan. The implementations are *ImageStep, *LintStep,
// *AssetStep, *RunStep and *CheckStep; there are no others.
type Step interface {
	StepID() StepID
	Needs() []StepID
	StepKey() Key
	step()
}

// An ImageStep makes sure that an image is there.
type ImageStep struct {
	ID      StepID
	Key     Key
	Image   Image
	Sandbox *Sandbox // the first one that declares it
	Base    StepID   // the image that this one is laid over; empty if it stands by itself
	Agent   *Agent   // whose layer it is; nil if it stands by itself
	Service *Service // of the sandbox, whose image it is; nil if it is that of the sandbox
}

// An AssetStep makes sure that an asset is there. Cases that need the same share
// one step.
type AssetStep struct {
	ID      StepID
	Key     Key
	Asset   *Asset // the first one that is it
	Case    *Case  // whose asset it is
	Variant Variant
	Image   StepID // the image that the stand-in is made in; empty for what is fetched
}

// A LintStep looks at what is in an image before an agent works in it. With a
// finding that is an error, none does.
type LintStep struct {
	ID    StepID
	Key   Key
	Image *ImageStep
	Cases []*Case // that are worked on in it: their hidden files are looked for
}

// A RunStep lets an agent work on a case and keeps a snapshot of what it left.
// Trials with equal keys share one step.
type RunStep struct {
	ID       StepID
	Key      Key
	Image    StepID       // with the layer of the agent, if it has one
	Lint     StepID       // of that image
	Services []StepID     // images of the services of the sandbox, in their order
	Assets   []*AssetStep // in the order of the case
	Trials   []*Trial     // at least one; those of other matrices share its work
}

// A CheckStep grades the snapshot of a run step.
type CheckStep struct {
	ID     StepID
	Key    Key
	Run    StepID
	Image  StepID
	Assets []*AssetStep // in the order of the case
	Trials []*Trial
}

// StepID names the step.
func (s *ImageStep) StepID() StepID { return s.ID }

// StepID names the step.
func (s *AssetStep) StepID() StepID { return s.ID }

func (s *LintStep) StepID() StepID { return s.ID }

// StepID names the step.
func (s *RunStep) StepID() StepID { return s.ID }

// StepID names the step.
func (s *CheckStep) StepID() StepID { return s.ID }

// Needs is the image below, if there is one.
func (s *ImageStep) Needs() []StepID {
	if s.Base == "" {
		return nil
	}
	return []StepID{s.Base}
}

// Needs is the image that a stand-in is made in.
func (s *AssetStep) Needs() []StepID {
	if s.Image == "" {
		return nil
	}
	return []StepID{s.Image}
}

// Needs is the image that is looked at.
func (s *LintStep) Needs() []StepID { return []StepID{s.Image.ID} }

// Needs are the images of the case, which has been looked at, and of its services,
// and its assets.
func (s *RunStep) Needs() []StepID {
	return withAssets(s.Assets, append([]StepID{s.Image, s.Lint}, s.Services...)...)
}

// Needs is the run whose snapshot is graded, the image it is graded in, and the
// assets of the case.
func (s *CheckStep) Needs() []StepID { return withAssets(s.Assets, s.Run, s.Image) }

func withAssets(assets []*AssetStep, needs ...StepID) []StepID {
	for _, a := range assets {
		needs = append(needs, a.ID)
	}
	return needs
}

// StepKey is what makes the step the same work as another.
func (s *ImageStep) StepKey() Key { return s.Key }

// StepKey is what makes the step the same work as another.
func (s *AssetStep) StepKey() Key { return s.Key }

func (s *LintStep) StepKey() Key { return s.Key }

// StepKey is what makes the step the same work as another.
func (s *RunStep) StepKey() Key { return s.Key }

// StepKey is what makes the step the same work as another.
func (s *CheckStep) StepKey() Key { return s.Key }

func (*ImageStep) step() {}
func (*AssetStep) step() {}
func (*LintStep) step()  {}
func (*RunStep) step()   {}
func (*CheckStep) step() {}

// Reuse says what a plan found in the results directory for a trial.
type Reuse struct {
	Sign    Sign
	Changed []Change     // with SignChanged and SignRegrade: the parts of the key that differ
	Attempt *Stored      // with SignSame and SignRegrade, and with SignAgain if only the check is made again: the stored run
	Grade   *StoredGrade // with SignSame: the stored verdict; nil if the run itself is one
}

// A Sign is the mark before a trial in a plan. The zero value is not a sign.
type Sign int

// The signs of a plan.
const (
	SignInvalid Sign = iota
	SignNew          // +  nothing is stored under this key
	SignChanged      // ~  a result exists under the same id with another key
	SignRegrade      // ~  the agent's work is stored, but the checks differ
	SignSame         // =  a verdict is stored under this key
	SignAgain        // !  the key fits, but the last attempt gave no verdict
)

func (s Sign) String() string {
	switch s {
	case SignNew:
		return "+"
	case SignChanged, SignRegrade:
		return "~"
	case SignSame:
		return "="
	case SignAgain:
		return "!"
	}
	panic("engine: sign is not set")
}
