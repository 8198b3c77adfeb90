package lang

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Parser and evaluator of the library call themselves for everything that lies
// in something else, and a stack that overflows cannot be caught. So what is
// nested too deeply is refused before it is parsed.
const (
	maxNesting   = 200     // brackets, braces, strings and directives that are open at once
	maxOperators = 1000    // operators and indexes of one expression, with those around it
	maxJoined    = 1 << 30 // bytes that the parser copies to join the lines of a text
	maxWords     = 250_000 // words and signs of a file
)

// A complexity is an error of a text that only a machine would write.
type complexity struct {
	rng  hcl.Range
	what string // whole sentences
}

func (c *complexity) Error() string { return fmt.Sprintf("line %d: %s", c.rng.Start.Line, c.what) }

// tooDeep reports, as a *complexity, a text that cannot be parsed safely.
func tooDeep(text []byte) error {
	if len(text) > maxFile {
		return &complexity{hcl.Range{Start: hcl.InitialPos, End: hcl.InitialPos}, fmt.Sprintf("It has more than %d bytes. Move long texts to files of their own, and read them with file.", maxFile)}
	}
	tokens, _ := hclsyntax.LexConfig(text, "", hcl.InitialPos)
	if len(tokens) > maxWords {
		return &complexity{tokens[maxWords].Range, fmt.Sprintf("It has more than %d words and signs. Move what a program has written to files of their own, and read them with file.", maxWords)}
	}
	d := &depth{levels: []level{{}}}
	for i, t := range tokens {
		if what := d.add(t, tokens[i+1:]); what != "" {
			return &complexity{t.Range, what}
		}
	}
	return nil
}

// A level is what lies directly in one pair of brackets.
type level struct {
	lines      bool // a new line begins another expression
	operators  int  // of the expression so far
	directives int  // %{ if } and %{ for } that are open
}

type depth struct {
	levels []level
	nested int // levels and directives that are open
	chain  int // operators of all levels
	run    int // bytes of literal text that follow on each other
	joined int // bytes copied
}

// add reads a token, and says what is wrong, if something is.
func (d *depth) add(t hclsyntax.Token, rest hclsyntax.Tokens) string {
	top := &d.levels[len(d.levels)-1]
	literal := t.Type == hclsyntax.TokenStringLit || t.Type == hclsyntax.TokenQuotedLit
	if !literal {
		d.run = 0
	}
	switch {
	case literal:
		d.run += len(t.Bytes)
		d.joined += d.run
	case slices.Contains(openers, t.Type):
		if t.Type == hclsyntax.TokenOBrack || t.Type == hclsyntax.TokenOParen {
			d.count(top) // a[0][0] and f(x)[0] lie in each other, from the inside out
		}
		d.open(top, t, rest)
	case slices.Contains(closers, t.Type):
		if len(d.levels) > 1 {
			d.reset(top)
			d.nested -= 1 + top.directives
			d.levels = d.levels[:len(d.levels)-1]
		}
	case slices.Contains(operators, t.Type):
		d.count(top)
	case t.Type == hclsyntax.TokenComma, t.Type == hclsyntax.TokenNewline && (top.lines || len(d.levels) == 1):
		d.reset(top)
	case t.Type == hclsyntax.TokenNumberLit && len(t.Bytes) > maxDigits:
		return fmt.Sprintf("The number has more than %d digits. Write a shorter one.", maxDigits)
	}
	switch {
	case d.nested > maxNesting:
		return fmt.Sprintf("It is nested more than %d deep. Give parts of it names of their own in a locals block.", maxNesting)
	case d.chain > maxOperators:
		return fmt.Sprintf("The expression has more than %d operators. Give parts of it names of their own in a locals block.", maxOperators)
	case d.joined > maxJoined:
		return "The text is too long to stand here. Move it to a file of its own, and read it with file."
	}
	return ""
}

func (d *depth) count(l *level) {
	l.operators++
	d.chain++
}

func (d *depth) reset(l *level) {
	d.chain -= l.operators
	l.operators = 0
}

func (d *depth) open(top *level, t hclsyntax.Token, rest hclsyntax.Tokens) {
	d.nested++
	if t.Type == hclsyntax.TokenTemplateControl && len(rest) > 0 {
		switch string(rest[0].Bytes) {
		case "if", "for":
			top.directives++
			d.nested++
		case "endif", "endfor":
			if top.directives > 0 {
				top.directives--
				d.nested--
			}
		}
	}
	d.levels = append(d.levels, level{lines: t.Type == hclsyntax.TokenOBrace && !isFor(rest)})
}

// isFor reports whether a brace opens a for expression, in which lines mean
// nothing.
func isFor(rest hclsyntax.Tokens) bool {
	for _, t := range rest {
		if t.Type != hclsyntax.TokenNewline && t.Type != hclsyntax.TokenComment {
			return t.Type == hclsyntax.TokenIdent && string(t.Bytes) == "for"
		}
	}
	return false
}

var (
	openers = []hclsyntax.TokenType{
		hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc,
		hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl,
	}
	closers = []hclsyntax.TokenType{
		hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote, hclsyntax.TokenCHeredoc,
		hclsyntax.TokenTemplateSeqEnd,
	}
	operators = []hclsyntax.TokenType{
		hclsyntax.TokenStar, hclsyntax.TokenSlash, hclsyntax.TokenPlus, hclsyntax.TokenMinus, hclsyntax.TokenPercent,
		hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual, hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq, hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq,
		hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenBang, hclsyntax.TokenQuestion, hclsyntax.TokenColon,
	}
)

// invalidUTF8 is where a text stops being UTF-8, or -1.
func invalidUTF8(text []byte) int {
	for i := 0; i < len(text); {
		r, size := utf8.DecodeRune(text[i:])
		if r == utf8.RuneError && size == 1 {
			return i
		}
		i += size
	}
	return -1
}

// notText reports a byte that is no part of a text.
func (l *loader) notText(name string, text []byte, at int) {
	start := bytes.LastIndexByte(text[:at], '\n') + 1
	p := hcl.Pos{Line: bytes.Count(text[:at], []byte("\n")) + 1, Column: utf8.RuneCount(text[start:at]) + 1, Byte: at}
	rng := hcl.Range{Filename: name, Start: p, End: hcl.Pos{Line: p.Line, Column: p.Column + 1, Byte: at + 1}}
	l.errorAt(rng, "V01", "not UTF-8", "A benchfile is text in UTF-8. Choose this encoding in the editor, and save the file again.")
}
