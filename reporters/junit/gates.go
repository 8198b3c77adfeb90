package junit

import (
	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/reporters"
)

// gateSuite makes test cases of the gates. Only a gate that failed and is more
// than a warning is a failure; what else did not pass is skipped, and says why.
func gateSuite(gates []reporters.Gate) testsuite {
	s := testsuite{Name: "gates", Tests: len(gates)}
	for _, g := range gates {
		c := testcase{Name: g.ID(), Classname: "gates"}
		if g.Pos.Line > 0 {
			c.File, c.Line = reporters.Line(g.Pos.File), g.Pos.Line
		}
		c.Properties = gateProperties(g).list()
		message := reporters.Head(g.Text(), maxMessage)
		if message == "" {
			message = g.Word()
		}
		switch {
		case g.Bad():
			s.Failures++
			c.Failure = &problem{Type: "gate", Message: message, Body: bodyOf(message)}
		case g.Judgement != engine.GatePassed:
			s.Skipped++
			c.Skipped = &skipped{Message: g.Word() + ": " + message}
		}
		s.Cases = append(s.Cases, c)
	}
	return s
}

func gateProperties(g reporters.Gate) properties {
	ps := properties{{"judgement", string(g.Judgement)}, {"severity", string(g.Severity)}}
	if g.Condition != "" {
		ps = append(ps, property{"condition", reporters.Line(g.Condition)})
	}
	for _, v := range g.Values {
		ps = append(ps, property{reporters.Line(v.Name), reporters.Line(v.Value)})
	}
	return ps
}
