package engine

import "slices"

// A Certificate says whether a case is sound: that a pass is earned, and that a
// fail is not the case's fault.
type Certificate struct {
	Case   *Case
	Digest Digest // of all that decided it
	Repeat int    // how often oracle and noop had to try
	Proofs []Proof
	Flake  Flake
	Old    bool // nothing was run for it: it was certified before, at the same digest
}

// A Proof is one thing that has to hold for a case.
type Proof struct {
	Kind   ProofKind
	Name   string // of the cheat or mutant; empty for the other kinds
	Want   string // what has to hold, as a sentence without its full stop
	State  ProofState
	Detail string    // why it does not hold, or is not known, and what to do; empty if it holds
	Trials []TrialID // what it rests on
	Right  int       // verdicts that were as they have to be, of Asked
	Asked  int
}

// A Flake is how often equal trials and gradings came to different verdicts.
type Flake struct {
	Asked int // verdicts that were asked for more than once
	Odd   int // of those, how many were not what most of their kind were
}

// A ProofKind is what a proof is about.
type ProofKind string

// The kinds of proofs.
const (
	ProofOracle ProofKind = "oracle" // its own solution passes
	ProofNoop   ProofKind = "noop"   // doing nothing fails
	ProofTwice  ProofKind = "twice"  // one snapshot has one verdict
	ProofCheat  ProofKind = "cheat"  // what agents have tried elsewhere fails
	ProofMutant ProofKind = "mutant" // a wrong solution fails
)

// ProofKinds lists the kinds in the order of a certificate.
var ProofKinds = []ProofKind{ProofOracle, ProofNoop, ProofTwice, ProofCheat, ProofMutant}

// A ProofState is whether a proof holds.
type ProofState string

// The states of a proof.
const (
	ProofHolds   ProofState = "holds"
	ProofBroken  ProofState = "broken"
	ProofUnknown ProofState = "unknown" // trouble of the world: it has to be tried again
)

// Certified reports whether everything holds.
func (c *Certificate) Certified() bool {
	return c.Old || len(c.Proofs) > 0 && !slices.ContainsFunc(c.Proofs, func(p Proof) bool { return p.State != ProofHolds })
}

// Broken reports whether something does not hold, whatever else is not known.
func (c *Certificate) Broken() bool {
	return slices.ContainsFunc(c.Proofs, func(p Proof) bool { return p.State == ProofBroken })
}

// Count is how many proofs of a kind hold, of how many.
func (c *Certificate) Count(k ProofKind) (holding, all int) {
	for _, p := range c.Proofs {
		if p.Kind == k {
			all++
			if p.State == ProofHolds {
				holding++
			}
		}
	}
	return holding, all
}

// A Standing is whether a case is certified as it is.
type Standing string

// The standings.
const (
	StandingCertified Standing = "certified"
	StandingChanged   Standing = "changed" // it was certified, and something that decided it is another by now
	StandingNever     Standing = "never"
)
