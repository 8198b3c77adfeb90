// Package certify proves that cases are sound: that a pass is earned, and that a
// fail is not the case's fault.
//
//	p := certify.Prover{Suite: suite, Repeat: 3, Run: run, …}
//	todo, diags := p.Plan(c, mutants)
//	p.Prove(c, mutants, todo).Certified()
//
// A case is given to agents of which it is known what has to come of them:
//
//	oracle       its own solution          has to pass, each time
//	noop         does nothing              has to fail, each time
//	cheats       the battery               has to fail: what agents have tried elsewhere
//	mutants      beside the solution       has to fail: wrong solutions that the author wrote
//
// and what the first oracle and the first noop left is graded once more: the
// check has to say the same again. All of them run as any agent does, in the same
// sandboxes and with the same checks, so a proof holds for what users run.
//
// What was proven is recorded beside the case, with a digest of all that decided
// it. A case whose digest is another by now is not certified any more.
package certify

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// A Prover proves cases.
type Prover struct {
	Suite  *engine.Suite // the cases are given to copies of its one matrix
	Repeat int           // how often oracle and noop try; at least 1
	// Run carries out a plan, and gives one result for each trial, in its order.
	Run func(*engine.Plan) []engine.Result
	// Stored finds an attempt that Run has stored.
	Stored func(*engine.Attempt) *engine.Stored
	// Printed is the end of what the agent of an attempt has printed.
	Printed func(*engine.Attempt) string
}

// Plan is the work that proves a case, but for grading twice.
func (p *Prover) Plan(c *engine.Case, mutants []Mutant) (*engine.Plan, engine.Diagnostics) {
	return plan.New(p.suite(c, mutants), nil, plan.Options{})
}

// Prove carries out the plan of a case, and says what it proves.
func (p *Prover) Prove(c *engine.Case, mutants []Mutant, first *engine.Plan) *engine.Certificate {
	j := &judge{Prover: p, Certificate: &engine.Certificate{Case: c, Digest: Digest(c, mutants), Repeat: p.Repeat}}
	results := p.Run(first)
	again, of := p.twice(first, results)
	var second []engine.Result
	if len(of) > 0 {
		second = p.Run(again)
	}
	j.all(results, of, second)
	return j.Certificate
}

// suite makes the suite that tries one case.
func (p *Prover) suite(c *engine.Case, mutants []Mutant) *engine.Suite {
	suite, m := *p.Suite, *p.Suite.Matrices[0]
	m.Cases, m.Trials, m.Seeds, m.Include = []*engine.Case{c}, p.Repeat, nil, nil
	m.Agents = []*engine.Agent{{Name: string(engine.ProofNoop), Builtin: engine.BuiltinNoop, Pos: m.Pos}}
	if c.Solution != nil {
		m.Agents = append(m.Agents, &engine.Agent{Name: string(engine.ProofOracle), Builtin: engine.BuiltinOracle, Pos: m.Pos})
	}
	m.Include = []*engine.Include{{Cases: m.Cases, Agents: answers(c, mutants), Trials: 1, Pos: m.Pos}}
	suite.Cases, suite.Agents, suite.Matrices = m.Cases, m.Agents, []*engine.Matrix{&m}
	return &suite
}

// answers makes agents of cheats and mutants.
func answers(c *engine.Case, mutants []Mutant) []*engine.Agent {
	var out []*engine.Agent
	add := func(k engine.ProofKind, name string, answer engine.Script) {
		out = append(out, &engine.Agent{Name: agentName(k, name), Builtin: engine.BuiltinOracle, Answer: &answer, Pos: c.Pos})
	}
	for _, cheat := range Battery() {
		add(engine.ProofCheat, cheat.Name, cheat.Script)
	}
	for _, m := range mutants {
		add(engine.ProofMutant, m.Name, m.script(c))
	}
	return out
}

func agentName(k engine.ProofKind, name string) string { return string(k) + "-" + name }

// twice plans to grade once more what the first oracle and the first noop left.
// Of has the positions of their results.
func (p *Prover) twice(first *engine.Plan, results []engine.Result) (again *engine.Plan, of []int) {
	again = &engine.Plan{Suite: first.Suite}
	for _, s := range first.Steps {
		if image, ok := s.(*engine.ImageStep); ok {
			again.Steps = append(again.Steps, image)
		}
	}
	seen := map[string]bool{}
	for i, r := range results {
		if name := r.Trial.Agent.Name; r.Trial.Agent.Answer != nil || seen[name] || r.Grade == nil || !r.Outcome.Verdict() {
			continue
		}
		seen[r.Trial.Agent.Name] = true
		t := *r.Trial
		check := *t.Check
		check.Trials = []*engine.Trial{&t}
		t.Check = &check
		t.Reuse = engine.Reuse{Sign: engine.SignRegrade, Attempt: p.Stored(r.Attempt)}
		again.Trials = append(again.Trials, &t)
		again.Steps = append(again.Steps, &check)
		of = append(of, i)
	}
	return again, of
}

// A judge turns results into proofs.
type judge struct {
	*Prover
	*engine.Certificate
}

func (c *judge) all(results []engine.Result, of []int, second []engine.Result) {
	by := map[string][]engine.Result{}
	for _, r := range results {
		by[r.Trial.Agent.Name] = append(by[r.Trial.Agent.Name], r)
	}
	c.repeated(engine.ProofOracle, by[string(engine.ProofOracle)], engine.StatusPassed, "its own solution passes")
	c.repeated(engine.ProofNoop, by[string(engine.ProofNoop)], engine.StatusFailed, "doing nothing fails")
	c.sameTwice(results, of, second)
	for _, r := range results {
		kind, name, ok := strings.Cut(r.Trial.Agent.Name, "-")
		if ok && r.Trial.Agent.Answer != nil {
			c.answer(engine.ProofKind(kind), name, &r)
		}
	}
	slices.SortStableFunc(c.Proofs, func(a, b engine.Proof) int {
		return slices.Index(engine.ProofKinds, a.Kind) - slices.Index(engine.ProofKinds, b.Kind)
	})
}

// repeated judges what has to come of an agent each time.
func (c *judge) repeated(k engine.ProofKind, results []engine.Result, want engine.Status, sentence string) {
	p := engine.Proof{Kind: k, Want: fmt.Sprintf("%s, %d of %d times", sentence, c.Prover.Repeat, c.Prover.Repeat), State: engine.ProofHolds}
	if len(results) == 0 {
		p.State, p.Detail = engine.ProofBroken, "The case has no solution, so nothing shows that it can be passed at all. Add a solution block."
		c.Proofs = append(c.Proofs, p)
		return
	}
	verdicts := map[engine.Status]int{}
	var other *engine.Result
	for i, r := range results {
		p.Trials = append(p.Trials, r.Trial.ID)
		if !r.Outcome.Verdict() {
			p.State, p.Detail = noVerdict(&r)
			continue
		}
		verdicts[r.Outcome.Status]++
		if r.Outcome.Status != want && other == nil {
			other = &results[i]
		}
	}
	asked := verdicts[engine.StatusPassed] + verdicts[engine.StatusFailed]
	p.Right, p.Asked = verdicts[want], len(results)
	c.Flake.Asked += asked
	c.Flake.Odd += min(verdicts[engine.StatusPassed], verdicts[engine.StatusFailed])
	if other != nil {
		p.State, p.Detail = engine.ProofBroken, notEachTime(k, verdicts, other)
	}
	c.Proofs = append(c.Proofs, p)
}

func notEachTime(k engine.ProofKind, verdicts map[engine.Status]int, r *engine.Result) string {
	passed, failed := verdicts[engine.StatusPassed], verdicts[engine.StatusFailed]
	switch {
	case passed > 0 && failed > 0:
		return fmt.Sprintf("The case is flaky: of %d equal trials %d passed and %d failed. Find what differs from one to the next: a seed, the time, an order, a limit that is too tight. Trial %s: %s.", passed+failed, passed, failed, r.Trial.ID, why(r))
	case k == engine.ProofNoop:
		return "The check cannot fail: it passes an agent that does nothing. Make it demand what the prompt asks for."
	}
	return fmt.Sprintf("The solution does not pass the check of its own case. Mend one of the two. Trial %s: %s.", r.Trial.ID, why(r))
}

// sameTwice compares the gradings of one snapshot.
func (c *judge) sameTwice(results []engine.Result, of []int, second []engine.Result) {
	p := engine.Proof{Kind: engine.ProofTwice, Want: "one snapshot gets the same verdict twice", State: engine.ProofHolds}
	for n, i := range of {
		before, after := results[i], second[n]
		p.Trials = append(p.Trials, before.Trial.ID)
		p.Asked++
		c.Flake.Asked++
		switch {
		case !after.Outcome.Verdict():
			p.State, p.Detail = noVerdict(&after)
		case before.Outcome.Status != after.Outcome.Status:
			c.Flake.Odd++
			p.State = engine.ProofBroken
			p.Detail = fmt.Sprintf("The check is flaky: what trial %s left has %s, and %s when it was graded again. A check may depend on the snapshot alone, not on time, chance or order.",
				before.Trial.ID, before.Outcome.Status, after.Outcome.Status)
		default:
			p.Right++
		}
		if p.State == engine.ProofBroken {
			break
		}
	}
	if len(of) == 0 {
		p.State, p.Detail = engine.ProofUnknown, "There was nothing that could be graded again."
	}
	c.Proofs = append(c.Proofs, p)
}

// answer judges a cheat or a mutant, which has to fail.
func (c *judge) answer(k engine.ProofKind, name string, r *engine.Result) {
	proof := engine.Proof{Kind: k, Name: name, Want: "mutant " + name + " fails", State: engine.ProofHolds, Trials: []engine.TrialID{r.Trial.ID}, Asked: 1}
	if k == engine.ProofCheat {
		proof.Want = "an agent fails that " + cheatOf(name).What
	}
	switch {
	case r.Outcome.Status == engine.StatusFailed:
		proof.Right = 1
	case r.Outcome.Reason == engine.ReasonCheck:
		proof.State = engine.ProofBroken
		proof.Detail = fmt.Sprintf("The check breaks where it should fail, and an agent could escape its verdict so. Trial %s: %s.", r.Trial.ID, why(r))
	case r.Outcome.Status != engine.StatusPassed:
		proof.State, proof.Detail = noVerdict(r)
	case k == engine.ProofCheat:
		proof.State = engine.ProofBroken
		proof.Detail = fmt.Sprintf("The check passes an agent that only cheats: it %s. %s%s", cheatOf(name).What, cheatOf(name).Do, c.printed(r))
	default:
		proof.State = engine.ProofBroken
		proof.Detail = fmt.Sprintf("The check passes the wrong solution in %s/%s. Make it demand what that one lacks; or remove the mutant, if it is right after all.", mutantsDir, name)
	}
	c.Proofs = append(c.Proofs, proof)
}

// printed tells what a cheat has found.
func (p *Prover) printed(r *engine.Result) string {
	if p.Printed == nil || r.Attempt == nil {
		return ""
	}
	text := strings.Join(strings.Fields(p.Printed(r.Attempt)), " ")
	if text == "" {
		return ""
	}
	return " The agent printed: " + text
}

// noVerdict judges an outcome that is none. What the case itself has broken is
// its fault; all else is that of the world.
func noVerdict(r *engine.Result) (engine.ProofState, string) {
	switch r.Outcome.Reason {
	case engine.ReasonCheck:
		return engine.ProofBroken, fmt.Sprintf("The check cannot decide. Trial %s: %s.", r.Trial.ID, why(r))
	case engine.ReasonUnsafe:
		return engine.ProofBroken, fmt.Sprintf("No agent may work in the image of the case. Trial %s: %s.", r.Trial.ID, why(r))
	case engine.ReasonSetup:
		return engine.ProofBroken, fmt.Sprintf("The setup of the case does not work. Trial %s: %s.", r.Trial.ID, why(r))
	}
	return engine.ProofUnknown, fmt.Sprintf("Trial %s came to no verdict, %s: %s. Run bench test again.", r.Trial.ID, r.Outcome, why(r))
}

// why is the reason of an outcome in a line.
func why(r *engine.Result) string {
	text, _, _ := strings.Cut(strings.TrimSpace(r.Outcome.Detail), "\n")
	if text == "" {
		return r.Outcome.String()
	}
	return strings.TrimSuffix(text, ".")
}
