package lang

import (
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"

	"github.com/ml-dev-bench/bench/engine"
)

// A Session evaluates expressions as if they stood in a benchfile, and the
// conditions that stand there. Its methods take turns: nobody calls two at once.
type Session struct {
	Suite *engine.Suite
	scope *scope
}

// Open reads a benchfile as Load does, and keeps its names.
func Open(file string, opts Options) (*Session, *Sources, engine.Diagnostics) {
	l := newLoader(opts)
	suite := l.load(file)
	l.reportSpent()
	if l.root != nil {
		l.sources.Root = l.rootDir
	}
	diags := l.all()
	if diags.HasErrors() {
		return nil, l.sources, diags
	}
	return &Session{suite, l.scope}, l.sources, diags
}

// consoleFile is the name of what was typed, in diagnostics.
const consoleFile = "console"

// Eval gives the value of an expression, as it would be written in a benchfile.
// Results that are not in results are unknown. A value that is sensitive is not
// shown.
func (x *Session) Eval(text string, results Results) (string, *Sources, engine.Diagnostics) {
	x.begin(results, nil)
	s := x.scope
	s.sources.files[consoleFile] = []byte(text)
	delete(s.sources.keys, consoleFile)
	value := s.evalText(text)
	s.reportSpent()
	return value, s.sources, s.all()
}

// begin forgets the evaluation before this one.
func (x *Session) begin(results Results, gates map[string]engine.Judgement) {
	s := x.scope
	s.diags, s.known, s.judged = nil, results, gates
	s.counted, s.mistakes = 0, 0
	clear(s.told)
	clear(s.dropped)
	s.meter.refill()
}

func (s *scope) evalText(text string) string {
	var tooComplex *complexity
	if errors.As(tooDeep([]byte(text)), &tooComplex) {
		tooComplex.rng.Filename = consoleFile
		s.errorAt(tooComplex.rng, "V01", "the expression is too complicated", "%s", tooComplex.what)
		return ""
	}
	e, diags := hclsyntax.ParseExpression([]byte(text), consoleFile, hcl.InitialPos)
	if diags.HasErrors() {
		s.expressionError(consoleFile, []byte(text), diags)
		return ""
	}
	e = s.meter.wrap(e, whole)
	ctx, ok := s.context(e, phaseResult)
	if !ok {
		return ""
	}
	v, diags := e.Value(ctx)
	if s.failedEval(diags, ctx) {
		return ""
	}
	switch {
	case v.ContainsMarked():
		return notShown
	case !v.IsWhollyKnown():
		return "(not known before the trials have ended)"
	}
	return strings.TrimSpace(string(hclwrite.Format(hclwrite.TokensForValue(v).Bytes())))
}
