package lang

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// explained is a mistake of syntax in our words.
type explained struct {
	rng             hcl.Range
	summary, detail string
}

// explain says what is wrong in the words of someone who has written a
// benchfile, not a parser. What is not listed is said in those of the library.
func (p *parsed) explain(d *hcl.Diagnostic) explained {
	rng := *d.Subject
	tok, next := p.at(rng.Start.Byte)
	is := func(summary, detail string, args ...any) explained {
		return explained{rng, summary, fmt.Sprintf(detail, args...)}
	}
	switch d.Summary {
	case "Argument or block definition required", "Invalid argument name":
		return p.explainItem(rng, tok, next)
	case "Invalid block definition", "Invalid single-argument block definition", "Argument definition required", "Missing newline after block definition":
		return p.explainBlock(d, tok)
	case "Unclosed configuration block":
		return is("the block is not closed", "There is no } that belongs to this {. Add one where the block ends, or see whether a bracket inside of it is missing.")
	case "Invalid expression", "Missing expression":
		return p.explainValue(rng, tok)
	case "Missing item separator", "Missing argument separator", "Unterminated tuple constructor expression", "Unterminated function call",
		"Unterminated object constructor expression", "Missing attribute separator", "Unbalanced parentheses", "Missing close bracket on index":
		return p.explainSeparator(d, tok, next)
	case "Missing key/value separator", "Missing attribute value":
		return is("an equals sign is missing", "Elements of a map are written as { name = value }. Put an equals sign and a value after the name.")
	case "Missing newline after argument":
		if tok.Type == hclsyntax.TokenIdent && (string(tok.Bytes) == "and" || string(tok.Bytes) == "or") {
			return is(fmt.Sprintf("%q is no operator", tok.Bytes), "Write && for and, || for or, and ! for not.")
		}
		return is("something follows the value", "The line goes on after the value of the argument. Put each argument on a line of its own, and text into double quotes.")
	case "Unexpected comma after argument":
		return is("a comma after an argument", "Arguments are separated by new lines. Remove the comma.")
	case "Attribute redefined":
		where := ""
		if m := redefined.FindStringSubmatch(d.Detail); m != nil {
			where = fmt.Sprintf("It is written at %s:%s:%s already. ", m[1], m[2], m[3])
		}
		return is(fmt.Sprintf("argument %q is written twice", tok.Bytes), "%sKeep one of the two.", where)
	case "Invalid multi-line string":
		if open, ok := p.opener(rng.Start.Byte, hclsyntax.TokenOQuote); ok {
			rng = hcl.RangeBetween(open.Range, hcl.Range{Filename: rng.Filename, Start: rng.Start, End: rng.Start})
		}
		return is("the string is not closed", "It ends where its line does. Put a double quote at its end; text of several lines stands between <<EOT and EOT.")
	case "Unterminated template string", "Unterminated string literal", "Invalid string literal":
		return p.explainString(d)
	case "Invalid character", "Invalid character encoding", "Unsupported operator":
		return p.explainCharacter(rng, tok)
	case "Invalid escape sequence":
		return is("unknown escape sequence", "A backslash begins one of \\n, \\t, \\r, \\\", \\\\, \\uNNNN and \\UNNNNNNNN. For a backslash itself, write two.")
	case "Extra characters after interpolation expression", "Unclosed template interpolation sequence":
		for _, t := range p.tokens {
			if t.Type == hclsyntax.TokenTemplateInterp && t.Range.Start.Line == rng.Start.Line && isInterpolation(d) {
				rng = t.Range // the last one of the line
			}
		}
		return is("the interpolation is not closed", "After ${ stands one expression, and then }. To leave ${...} for a shell, write $${...}.")
	case "Invalid template directive", "Invalid template control keyword":
		return is("unknown directive", "After %%{ stands if, else, endif, for or endfor. To write these two characters themselves, double the first: %%%%{.")
	case "Missing false expression in conditional":
		return is("half a condition", "Write CONDITION ? VALUE : OTHER, with both values.")
	case "Invalid number literal":
		return is("unusable number", "Write digits, with a point and an exponent if need be: 12, 0.5, 1e6.")
	}
	return is(lowerFirst(d.Summary), "%s", d.Detail)
}

// redefined is where the library says that an argument stands already.
var redefined = regexp.MustCompile(`already set at (.*):(\d+),(\d+)-[\d,]+\.`)

// explainItem: something stands where a block or an argument begins.
func (p *parsed) explainItem(rng hcl.Range, tok, next hclsyntax.Token) explained {
	name := string(tok.Bytes)
	switch {
	case tok.Type == hclsyntax.TokenIdent && next.Type == hclsyntax.TokenColon:
		return explained{rng, "an equals sign is missing", fmt.Sprintf("An argument is written with one: %s = ..., and not with a colon.", name)}
	case tok.Type == hclsyntax.TokenIdent && (next.Type == hclsyntax.TokenNewline || next.Type == hclsyntax.TokenEOF):
		return explained{rng, fmt.Sprintf("%s stands alone", name), fmt.Sprintf("Write %s = ... for an argument, or %s { ... } for a block.", name, name)}
	case tok.Type == hclsyntax.TokenIdent:
		return explained{rng, "an equals sign is missing", fmt.Sprintf("Write %s = ... for an argument, or %s { ... } for a block.", name, name)}
	case tok.Type == hclsyntax.TokenCBrace:
		return explained{rng, "a closing brace too many", "No block is open here. Remove it, or see whether a block above it is closed too early."}
	case tok.Type == hclsyntax.TokenOBrace && len(bytes.TrimSpace(p.text[:rng.Start.Byte-p.start.Byte])) == 0:
		return explained{rng, "a brace without a block", "A benchfile is HCL, and not JSON. Write the type of the block before the brace, such as suite \"name\" {."}
	case tok.Type == hclsyntax.TokenOQuote:
		return explained{rng, "a name in quotes", "Names of arguments and types of blocks have no quotes. Remove them."}
	}
	return explained{rng, "a name is expected", "Arguments are written as name = value, and blocks as type \"name\" { ... }. A name begins with a letter."}
}

// explainBlock: the header of a block, or a block on one line, is not right.
func (p *parsed) explainBlock(d *hcl.Diagnostic, tok hclsyntax.Token) explained {
	rng := *d.Subject
	switch {
	case d.Summary == "Invalid single-argument block definition", d.Summary == "Argument definition required":
		return explained{rng, "more than one argument on one line", "A block on one line holds one argument. Put each on a line of its own, and the closing brace on the last one."}
	case d.Summary == "Missing newline after block definition":
		return explained{rng, "something follows the block", "After the closing brace of a block, its line ends. Begin a new line."}
	case tok.Type == hclsyntax.TokenEqual:
		return explained{rng, "a block has no equals sign", "Write it as type \"name\" { ... }, without the sign."}
	case tok.Type == hclsyntax.TokenNewline, tok.Type == hclsyntax.TokenEOF:
		name := "name"
		if d.Context != nil {
			rng = *d.Context
			rng.End = d.Subject.Start
			if t, _ := p.at(rng.Start.Byte); t.Type == hclsyntax.TokenIdent {
				name = string(t.Bytes)
			}
		}
		return explained{rng, "a brace or an equals sign is missing", fmt.Sprintf("Write %s = ... for an argument. If it is a block, open its brace on this line.", name)}
	}
	return explained{rng, "unusable name of a block", "Between the type of a block and its brace stands its name, in double quotes. Write it as type \"name\" {."}
}

// explainValue: no value stands where one begins.
func (p *parsed) explainValue(rng hcl.Range, tok hclsyntax.Token) explained {
	switch tok.Type {
	case hclsyntax.TokenNewline, hclsyntax.TokenEOF, hclsyntax.TokenCBrace, hclsyntax.TokenTemplateSeqEnd:
		rng.End = rng.Start
		return explained{rng, "a value is missing", "Write one here: text in double quotes, a number, true or false, a list in brackets, or a name such as var.trials."}
	}
	return explained{rng, "a value is expected", fmt.Sprintf("No value begins with %s. Write text in double quotes, a number, true or false, a list in brackets, or a name such as var.trials.", quoteToken(tok))}
}

func quoteToken(t hclsyntax.Token) string {
	text := string(t.Bytes)
	if text == "" || strings.Contains(text, `"`) {
		return "this"
	}
	return fmt.Sprintf("%q", text)
}

// explainSeparator: an element of a list, a map or a call does not end as it
// should. Where the next line is an argument, the bracket was forgotten.
func (p *parsed) explainSeparator(d *hcl.Diagnostic, tok, next hclsyntax.Token) explained {
	rng := *d.Subject
	open, ok := p.opener(rng.Start.Byte, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOBrace)
	if d.Context != nil {
		for _, t := range p.tokens {
			if t.Range.Start.Byte >= d.Context.Start.Byte && t.Range.Start.Byte < rng.Start.Byte && (t.Type == hclsyntax.TokenOBrack || t.Type == hclsyntax.TokenOParen || t.Type == hclsyntax.TokenOBrace) {
				open, ok = t, true
				break
			}
		}
	}
	unclosed := strings.HasPrefix(d.Summary, "Unterminated") || tok.Type == hclsyntax.TokenEOF || tok.Type == hclsyntax.TokenCBrace ||
		open.Type != hclsyntax.TokenOBrace && tok.Type == hclsyntax.TokenIdent && (next.Type == hclsyntax.TokenEqual || next.Type == hclsyntax.TokenOBrace || next.Type == hclsyntax.TokenOQuote)
	if ok && unclosed {
		closer := map[string]string{"[": "]", "(": ")", "{": "}"}[string(open.Bytes)]
		return explained{open.Range, fmt.Sprintf("the %s is not closed", bracketNames[string(open.Bytes)]), fmt.Sprintf("There is no %s that belongs to this %s. Add one after its last element.", closer, open.Bytes)}
	}
	return explained{rng, "a comma is missing", "Elements of lists, maps on one line and arguments of functions are separated by commas. Put one before this."}
}

var bracketNames = map[string]string{"[": "list", "(": "parenthesis", "{": "map"}

// explainString: a text has no end.
func (p *parsed) explainString(d *hcl.Diagnostic) explained {
	rng := *d.Subject
	open, ok := p.opener(rng.Start.Byte+1, hclsyntax.TokenOQuote, hclsyntax.TokenOHeredoc)
	if !ok {
		return explained{rng, lowerFirst(d.Summary), d.Detail}
	}
	if open.Type == hclsyntax.TokenOHeredoc {
		word := strings.TrimLeft(strings.TrimSpace(string(open.Bytes)), "<-")
		rng = open.Range
		rng.End.Line, rng.End.Column, rng.End.Byte = rng.Start.Line, rng.Start.Column+len(bytes.TrimSpace(open.Bytes)), rng.Start.Byte+len(bytes.TrimSpace(open.Bytes))
		return explained{rng, "the text is not closed", fmt.Sprintf("It ends at a line that holds only %s, and there is none. Add one.", word)}
	}
	if strings.HasPrefix(d.Detail, "Template sequences") {
		return explained{rng, "a name with ${ in it", "The name of a block is written as it is, and nothing is filled into it. Write the name itself."}
	}
	rng = hcl.RangeBetween(open.Range, rng)
	return explained{rng, "the string is not closed", "It ends where its line does. Put a double quote at its end; text of several lines stands between <<EOT and EOT."}
}

// explainCharacter: characters that mean nothing here, or not what they do elsewhere.
func (p *parsed) explainCharacter(rng hcl.Range, tok hclsyntax.Token) explained {
	switch c := string(tok.Bytes); {
	case c == "'":
		return explained{rng, "single quotes", "Text stands in double quotes. Write \"...\" instead of '...'."}
	case strings.ContainsAny(c, "“”„‘’«»"):
		return explained{rng, "typographic quotes", "Text stands in straight double quotes, as an editor for programs writes them. Replace the quotes by \"."}
	case c == "`":
		return explained{rng, "backquotes", "Text stands in double quotes; text of several lines stands between <<EOT and EOT."}
	case c == ";":
		return explained{rng, "a semicolon", "Arguments are separated by new lines. Remove it."}
	case c == "&", c == "|":
		return explained{rng, fmt.Sprintf("%s is no operator", c), fmt.Sprintf("Write %s%s.", c, c)}
	case c == "~", c == "^", c == "**":
		return explained{rng, fmt.Sprintf("%s is no operator", c), "There are + - * / % == != < <= > >= && || ! and CONDITION ? VALUE : OTHER."}
	case c == "\r":
		return explained{rng, "a carriage return", "Lines end with a line feed, or with both characters. Save the file with the line ends of Unix."}
	case tok.Type == hclsyntax.TokenBadUTF8, strings.ContainsRune(c, '\uFFFD'):
		return explained{rng, "not UTF-8", "A benchfile is text in UTF-8. Choose this encoding in the editor, and save the file again."}
	case len(c) == 1 && (c[0] < 0x20 || c[0] == 0x7f):
		return explained{rng, "a control character", fmt.Sprintf("The character with the number %d cannot be seen, and means nothing here. Remove it.", c[0])}
	default:
		return explained{rng, fmt.Sprintf("the character %s means nothing here", strings.TrimSpace(printable(c))), "Outside of text and comments there are letters, digits and the signs of the language. Remove it, or put the text into double quotes."}
	}
}
