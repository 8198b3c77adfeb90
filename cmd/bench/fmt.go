package main

import (
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/ml-dev-bench/bench/engine/lang"
)

type fmtFlags struct{ check, diff bool }

func newFmtCmd(a *app) *cobra.Command {
	var f fmtFlags
	cmd := &cobra.Command{
		Use:   "fmt [PATH...]",
		Short: "Format benchfiles",
		Long:  "fmt gives benchfiles their usual layout, and lists those that it changed. A path\nmay be a file, a directory with all *.hcl files below it (default: this one), or\n- for standard input to standard output.",
		RunE:  func(_ *cobra.Command, args []string) error { return a.format(args, &f) },
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing, list what differs, exit with 5 if anything does")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "show what changes")
	return cmd
}

func (a *app) format(paths []string, f *fmtFlags) error {
	if len(paths) == 0 {
		paths = []string{"."}
	}
	differs := false
	var failed error
	for _, p := range paths {
		if p == "-" {
			if err := a.formatStdin(); err != nil {
				return err
			}
			continue
		}
		files, err := hclFiles(p)
		if err != nil {
			return fmt.Errorf("%w; give the path of a file or a directory", err)
		}
		for _, file := range files {
			changed, err := a.formatFile(file, f)
			differs = differs || changed
			if err != nil {
				failed = err
			}
		}
	}
	if failed == nil && differs && f.check {
		return &exitError{code: exitDiffers}
	}
	return failed
}

func (a *app) formatStdin() error {
	text, err := io.ReadAll(a.stdin)
	if err != nil {
		return cannot(err)
	}
	out, sources, diags := lang.Format("stdin", text)
	if err := a.show(sources, diags); err != nil {
		return err
	}
	_, err = a.stdout.Write(out)
	return err
}

func (a *app) formatFile(file string, f *fmtFlags) (changed bool, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return false, cannot(err)
	}
	out, sources, diags := lang.Format(filepath.ToSlash(file), text)
	if err := a.show(sources, diags); err != nil || bytes.Equal(out, text) {
		return false, err
	}
	if f.diff {
		if _, err := a.stdout.Write(diff.Diff(file, text, file+" (formatted)", out)); err != nil {
			return true, cannot(err)
		}
	} else {
		fmt.Fprintln(a.stdout, file)
	}
	if f.check {
		return true, nil
	}
	info, err := os.Stat(file)
	if err == nil {
		err = os.WriteFile(file, out, info.Mode().Perm())
	}
	if err != nil {
		err = cannot(err)
	}
	return true, err
}

// hclFiles lists a file, or the *.hcl files below a directory; hidden ones, and
// what lies in the workspace of a case, are not ours to format.
func hclFiles(path string) ([]string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return []string{path}, nil
	}
	var out []string
	err = filepath.WalkDir(path, func(p string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && p != path && strings.HasPrefix(d.Name(), "."), d.IsDir() && d.Name() == "workspace":
			return fs.SkipDir
		case !d.IsDir() && filepath.Ext(p) == ".hcl":
			out = append(out, p)
		}
		return nil
	})
	return out, err
}
