package main

import (
	"fmt"
	"sync"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/stats"
)

// A judge says what a benchfile says of results: it is where apply, which knows
// no language, and the language, which knows no running, meet. Several goroutines
// may ask it at once.
type judge struct {
	mu      sync.Mutex // a session takes one question at a time
	session *lang.Session
	left    map[string]int
}

// newJudge judges the results of a plan that was made from the suite of a session.
func newJudge(session *lang.Session, p *engine.Plan) *judge {
	return &judge{session: session, left: p.Left}
}

// Gate judges a gate once all that it reads has ended. The results are those of
// all planned trials of a matrix, by its name.
func (j *judge) Gate(g *engine.Gate, results map[string][]engine.Result, gates map[string]engine.Judgement) engine.GateResult {
	ended, err := j.ended(g.Condition, results, gates)
	if err != nil {
		return engine.GateResult{Gate: g, Judgement: engine.GateInconclusive, Message: err.Error()}
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.session.Judge(g, ended)
}

// Holds evaluates the if of a matrix. An error is a sentence that says why it
// cannot.
func (j *judge) Holds(m *engine.Matrix, results map[string][]engine.Result, gates map[string]engine.Judgement) (bool, error) {
	ended, err := j.ended(m.If, results, gates)
	if err != nil {
		return false, fmt.Errorf("the if of matrix.%s cannot be decided: %w", m.Name, err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.session.Holds(m, ended)
}

// ended adds up the results that a condition reads, and no others: there may be
// many of them.
func (j *judge) ended(c *engine.Condition, results map[string][]engine.Result, gates map[string]engine.Judgement) (lang.Ended, error) {
	read := map[string][]stats.Trial{}
	if c != nil {
		for _, m := range c.Matrices {
			of, ok := results[m]
			if !ok {
				continue
			}
			read[m] = make([]stats.Trial, len(of))
			for i := range of {
				read[m][i] = statsOf(&of[i])
			}
		}
	}
	values, err := addUp(read)
	return lang.Ended{Results: values, Gates: gates, Left: j.left}, err
}
