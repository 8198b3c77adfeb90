package apply

import (
	"fmt"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/graph"
)

// sentences say why a trial was stopped, or did not start.
var sentences = map[engine.Reason]struct{ stopped, skipped string }{
	engine.ReasonSignal:    {"stopped, since bench was told to", "not started, since bench was told to stop"},
	engine.ReasonDeadline:  {"stopped, since the time of the budget was over", "not started, since the time of the budget was over"},
	engine.ReasonBudget:    {"", "not started, since the rest of the budget did not cover its round"},
	engine.ReasonFailFast:  {"stopped, since another trial of the matrix had not passed, and it has fail_fast", "not started, since another trial of the matrix had not passed, and it has fail_fast"},
	engine.ReasonMaxErrors: {"", "not started, since as many trials of the matrix had errored as max_errors allows"},
}

// begin notes that a step is about to be done.
func (r *runner) begin(s engine.Step, try int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	rec := r.records[s.StepID()]
	rec.began, rec.try, rec.retried = time.Now(), try, false
	r.tell(StepStarted{s, trialOf(s), try})
}

// trialOf is the trial in whose name a step works; nil for an image, a look at one
// or an asset.
func trialOf(s engine.Step) *engine.Trial {
	switch s := s.(type) {
	case *engine.RunStep:
		return first(s.Trials)
	case *engine.CheckStep:
		return first(s.Trials)
	}
	return nil
}

// tryEnded tells how the last try of a step ended.
func (r *runner) tryEnded(id string, again *time.Duration) {
	s, rec := r.steps[id], r.records[engine.StepID(id)]
	e := StepEnded{Step: s, Trial: trialOf(s), Try: rec.try, Outcome: rec.outcome, Took: time.Since(rec.began), Again: again}
	if rec.made != nil {
		e.Cost, e.Tokens = rec.made.Cost, rec.made.Tokens
	}
	rec.made = nil
	r.tell(e)
}

// again is told that a step has errored and is tried again.
func (r *runner) again(a graph.Again, wait time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.tryEnded(a.ID, new(max(0, wait)))
	r.records[engine.StepID(a.ID)].retried = true
}

// ended is told how a vertex ended, and ends the trials of which all is known
// with it.
func (r *runner) ended(e graph.End) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if rec := r.records[engine.StepID(e.ID)]; rec != nil {
		rec.end, rec.over = e, true
		if e.Tries > 0 && !rec.retried {
			r.tryEnded(e.ID, nil)
		}
	}
	switch s := r.steps[e.ID].(type) {
	case *engine.RunStep:
		r.settle(s.Trials)
	case *engine.CheckStep:
		if r.settle(s.Trials) {
			r.forget(s)
		}
	case nil:
		if name, ok := strings.CutPrefix(e.ID, startPrefix); ok {
			r.starts[name] = e
			r.settle(r.plan.Trials)
		}
	}
}

// settle ends the trials that can be: those whose matrix does not start, and
// those whose steps have ended. It reports whether all have ended.
func (r *runner) settle(trials []*engine.Trial) (all bool) {
	all = true
	for _, t := range trials {
		if i := r.position[t]; r.results[i].Outcome.Status == engine.StatusInvalid {
			result, ok := r.resultOf(t)
			if ok {
				r.end(result)
			}
			all = all && ok
		}
	}
	return all
}

// end ends a trial.
func (r *runner) end(result engine.Result) {
	if a := result.Attempt; a != nil && a.N > 0 {
		result.Earlier = r.Store.Tries(&engine.Stored{Trial: a.Trial, N: a.N, Run: a.Key.Sum})
	}
	i := r.position[result.Trial]
	r.results[i] = result
	r.keep(i)
	r.tell(TrialEnded{&result})
}

// resultOf is what came of a trial; not ok before that is known.
func (r *runner) resultOf(t *engine.Trial) (result engine.Result, ok bool) {
	result.Trial = t
	if r.conditional[t.ID.Matrix] {
		start, decided := r.starts[t.ID.Matrix]
		if !decided {
			return result, false
		}
		if start.Status != graph.Done {
			result.Outcome = r.notStarted(t.ID.Matrix, start)
			return result, true
		}
	}
	run, check := r.records[t.Run.ID], r.records[t.Check.ID]
	if run == nil {
		run = &record{}
	}
	result.Attempt = run.attempt
	switch {
	case run.over && run.end.Status != graph.Done: // nothing was left to grade
		result.Outcome = r.outcomeOf(run)
	case check != nil && check.over && (run.over || r.steps[string(t.Run.ID)] == nil):
		if result.Attempt == nil {
			result.Attempt = check.attempt
		}
		result.Grade, result.Outcome = check.grade, r.outcomeOf(check)
		if run.attempt != nil && result.Outcome.Status == engine.StatusSkipped {
			result.Outcome = ungraded(result.Outcome.Reason)
		}
	default:
		return result, false
	}
	return result, true
}

// ungraded is the outcome of a trial whose agent has worked in this run, and
// which was stopped before its check. The next apply grades what is stored.
func ungraded(reason engine.Reason) engine.Outcome {
	if reason == engine.ReasonBudget {
		reason = engine.ReasonDeadline
	}
	return engine.Outcome{Status: engine.StatusCancelled, Reason: reason, Detail: sentences[reason].stopped + "; the work of the agent is stored, and not graded yet"}
}

// notStarted is the outcome of the trials of a matrix that did not start.
func (r *runner) notStarted(matrix string, start graph.End) engine.Outcome {
	o := engine.Outcome{Status: engine.StatusSkipped, Reason: engine.ReasonNeeds, Cause: causeOf(start.Cause)}
	switch {
	case start.Cause == "":
		o.Reason, o.Detail = engine.ReasonCondition, r.why[matrix]
	case strings.HasPrefix(start.Cause, gatePrefix):
		g := r.gates[strings.TrimPrefix(start.Cause, gatePrefix)]
		o.Detail = fmt.Sprintf("not started, since %s is %s", o.Cause, g.Judgement)
	default:
		o.Detail = fmt.Sprintf("not started, since %s is not complete", o.Cause)
	}
	return o
}

// causeOf is a vertex as a benchfile calls it.
func causeOf(id string) engine.StepID {
	for _, prefix := range []string{matrixPrefix, gatePrefix, resourceProvider} {
		if name, ok := strings.CutPrefix(id, prefix); ok {
			return engine.StepID(strings.TrimSuffix(prefix, ":") + "." + name)
		}
	}
	return engine.StepID(id)
}

// outcomeOf is the outcome of a step: that of its last try, or why it had none.
func (r *runner) outcomeOf(rec *record) engine.Outcome {
	e := rec.end
	if e.Tries > 0 {
		return rec.outcome
	}
	if image, ok := r.steps[e.Cause].(*engine.ImageStep); ok && e.Status == graph.Errored {
		if o := r.records[image.ID].outcome; o.Reason == engine.ReasonEngine {
			return o // a bug is told where it hit
		}
		return engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonImage, Cause: image.ID, Detail: "its image could not be made"}
	}
	if id := engine.StepID(e.Cause); failsItself(r.steps[e.Cause]) && e.Status == graph.Errored {
		o := r.records[id].outcome
		if o.Reason != engine.ReasonEngine { // a bug is told where it hit
			o.Cause = id
		}
		return o
	}
	if e.Status == graph.Errored {
		return engine.Outcome{Status: engine.StatusErrored, Reason: engine.Reason(e.Reason), Cause: causeOf(e.Cause), Detail: "not started, since the provider has been given up"}
	}
	reason := engine.Reason(e.Reason)
	detail := sentences[reason].skipped
	if reason == engine.ReasonDeadline {
		reason = engine.ReasonBudget
	}
	return engine.Outcome{Status: engine.StatusSkipped, Reason: reason, Detail: detail}
}

// failsItself reports whether a step has an outcome that its trials share. That of
// an image says only that there is none.
func failsItself(s engine.Step) bool {
	switch s.(type) {
	case *engine.LintStep, *engine.AssetStep:
		return true
	}
	return false
}
