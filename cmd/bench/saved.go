package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// readPlan reads a file that "bench plan --out" has saved. It is nil for a file
// that is something else: a saved plan is JSON, and no benchfile begins as JSON
// does.
func readPlan(file string) (*plan.Document, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, nil //nolint:nilerr // whoever reads it as a benchfile says what is wrong
	}
	defer f.Close()
	start := make([]byte, 64)
	n, _ := f.Read(start)
	if !bytes.HasPrefix(bytes.TrimSpace(start[:n]), []byte("{")) {
		return nil, nil
	}
	if _, err := f.Seek(0, 0); err != nil {
		return nil, cannot(err)
	}
	doc, err := plan.ReadDocument(f)
	if err != nil {
		return nil, &exitError{exitUsage, fmt.Sprintf("%s is not a plan that can be used: %v", file, err)}
	}
	return doc, nil
}

// staleFile names the first file of a plan that is no longer what it was. It is
// asked before the benchfile is read, since a file that has changed may not even
// be one any more.
func staleFile(saved *plan.Document, root string) string {
	for _, f := range saved.Files {
		if strings.ContainsAny(f.Path, "*?[{") {
			continue // what a fileset has found: the plan itself will tell
		}
		name := filepath.Join(root, filepath.FromSlash(f.Path))
		var text []byte
		info, err := os.Lstat(name)
		if err == nil && info.Mode()&os.ModeSymlink != 0 {
			var link string
			link, err = os.Readlink(name)
			text = []byte(link)
		} else if err == nil {
			text, err = os.ReadFile(name)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return f.Path + " was used when the plan was made, and is gone"
		case err != nil:
			return err.Error()
		case digest.Bytes(text) != f.Sum:
			return f.Path + " has changed since the plan was made"
		}
	}
	return ""
}

// follow makes the flags those with which a plan was made, and gives its
// benchfile. A flag that would change the plan is refused.
func (f *applyFlags) follow(cmd *cobra.Command, saved *plan.Document) (file string, err error) {
	fits := map[string]bool{"root": true, "var": true, "var-file": true, "parallel": true, "fail-on": true, "allow": true, "color": true, "no-color": true, "chdir": true}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if !fits[flag.Name] && err == nil {
			err = fmt.Errorf("--%s cannot be given with a saved plan, which was made without it; make another plan", flag.Name)
		}
	})
	if err != nil {
		return "", err
	}
	f.saved = map[string]lang.Var{}
	for _, v := range saved.Variables {
		if v.Sensitive {
			continue // it has to be given again: a plan does not hold it
		}
		value, err := lang.JSONVar(v.Value, "the saved plan")
		if err != nil {
			return "", &exitError{exitUsage, fmt.Sprintf("the value of variable %q in the plan cannot be read: %v", v.Name, err)}
		}
		f.saved[v.Name] = value
	}
	root := f.root
	if root == "" {
		if root, err = filepath.Abs("."); err != nil {
			return "", cannot(err)
		}
		root = lang.FindRoot(root)
	}
	if why := staleFile(saved, root); why != "" {
		return "", &exitError{exitUsage, "the saved plan cannot be carried out: " + why + "; run bench plan again"}
	}
	return filepath.Join(root, filepath.FromSlash(saved.Suite.File)), nil
}
