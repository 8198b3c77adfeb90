package lang

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/json"

	"github.com/ml-dev-bench/bench/engine"
)

// ReadVarFile reads values of variables from a file of arguments: HCL, or JSON
// if its name ends in ".json".
//
//	trials = 10
//	cases  = ["cases/debugging/*"]
func ReadVarFile(file string) (map[string]Var, *Sources, engine.Diagnostics) {
	l := newLoader(Options{})
	text, err := os.ReadFile(file)
	if err == nil && len(text) > maxFile {
		err = fmt.Errorf("it has more than %d bytes", maxFile)
	}
	if err != nil {
		l.report(engine.Diagnostic{Rule: "V17", Summary: "cannot read a file of variables", Detail: fmt.Sprintf("%s: %v.", file, cause(err))})
		return nil, l.sources, l.diags
	}
	l.sources.files[file] = text
	var body hcl.Body
	if filepath.Ext(file) == ".json" {
		if jsonNesting(string(text)) > maxNesting {
			l.report(engine.Diagnostic{Rule: "V01", Summary: "the file is too complicated", Detail: fmt.Sprintf("%s is nested more than %d deep. Make it flatter.", file, maxNesting)})
			return nil, l.sources, l.diags
		}
		f, diags := json.Parse(text, file)
		l.hcl(diags, "V01")
		body = f.Body
	} else if parsed := l.syntax(file, text); parsed != nil {
		body = parsed
	}
	if l.diags.HasErrors() {
		return nil, l.sources, l.all()
	}
	attrs, diags := body.JustAttributes()
	l.hcl(diags, "V01")
	out := map[string]Var{}
	for name, a := range attrs {
		if _, diags := a.Expr.Value(nil); diags.HasErrors() {
			l.errorAt(a.Expr.Range(), "V08", "a value must be literal", "A file of variables gives values, and can use no names. Write the value itself.")
			continue
		}
		out[name] = Var{File: file, expr: a.Expr}
	}
	return out, l.sources, l.all()
}

// JSONVar is a value that was written as JSON, for a variable of any type.
func JSONVar(text []byte, from string) (Var, error) {
	if jsonNesting(string(text)) > maxNesting {
		return Var{}, errNested
	}
	e, diags := json.ParseExpression(text, from)
	if diags.HasErrors() {
		return Var{}, diags
	}
	return Var{File: from, expr: e}, nil
}
