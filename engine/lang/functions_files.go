package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

func (l *loader) fileFunc(from string) function.Function {
	return pathFunc("path", cty.String, func(arg string) (cty.Value, error) {
		p, err := resolvePath(from, arg)
		if err != nil {
			return cty.NilVal, err
		}
		text, err := l.readFile(p)
		if err == nil && !utf8.Valid(text) {
			err = errors.New("it is not UTF-8 text")
		}
		if err != nil {
			return cty.NilVal, fmt.Errorf("cannot read %s: %w", p, err)
		}
		l.recordRead(from, p, digest.Bytes(text))
		return cty.StringVal(string(text)), nil
	})
}

// filesetFunc lists files. What it reads are names, so these are what is
// recorded, under the pattern.
func (l *loader) filesetFunc(from string) function.Function {
	return pathFunc("pattern", cty.List(cty.String), func(arg string) (cty.Value, error) {
		p, err := resolvePath(from, arg)
		if err == nil && !doublestar.ValidatePattern(p) {
			err = badPattern(arg)
		}
		if err != nil {
			return cty.NilVal, err
		}
		files, err := l.glob(p)
		if err == nil && len(files) == 0 {
			err = errors.New("no file matches " + p)
		}
		if err != nil {
			return cty.NilVal, err
		}
		l.recordRead(from, p, digest.Bytes([]byte(strings.Join(files, "\n"))))
		out := make([]cty.Value, len(files))
		for i, f := range files {
			out[i] = cty.StringVal(f)
		}
		return cty.ListVal(out), nil
	})
}

// recordRead notes that a benchfile means something else when p changes.
func (l *loader) recordRead(from, p string, sum engine.Digest) {
	l.noting.Lock()
	defer l.noting.Unlock()
	if !slices.Contains(l.reads[from], p) {
		l.reads[from] = append(l.reads[from], p)
	}
	l.sums[p] = sum
}

// costEntry is what one entry of a directory costs the meter.
const costEntry = 16

// glob lists the regular files that match a pattern, sorted. It goes only where
// the pattern can lead, and never into .git.
func (l *loader) glob(pattern string) ([]string, error) {
	base, rest := doublestar.SplitPattern(pattern)
	depth := strings.Count(rest, "/")
	anyDepth := strings.Contains(rest, "**")
	var files []string
	err := fs.WalkDir(l.root, base, func(p string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist) && p == base:
			return fs.SkipAll
		case err != nil:
			return fmt.Errorf("cannot read %s: %w", p, cause(err))
		case !l.meter.charge(costEntry):
			return errTooLarge
		case d.IsDir():
			below := strings.Count(strings.TrimPrefix(p, base), "/")
			if base == "." && p != "." {
				below = strings.Count(p, "/") + 1
			}
			if d.Name() == ".git" || p != base && below > depth && !anyDepth {
				return fs.SkipDir
			}
			return nil
		}
		if doublestar.MatchUnvalidated(pattern, p) && l.isFile(p, d) {
			files = append(files, p)
		}
		return nil
	})
	slices.Sort(files)
	return files, err
}

// isFile reports whether an entry is a regular file, or a link to one inside of
// the root.
func (l *loader) isFile(p string, d fs.DirEntry) bool {
	if d.Type()&fs.ModeSymlink == 0 {
		return d.Type().IsRegular()
	}
	info, err := fs.Stat(l.root, path.Clean(p))
	return err == nil && info.Mode().IsRegular()
}

func pathFunc(param string, result cty.Type, impl func(string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: param, Type: cty.String}},
		Type:   function.StaticReturnType(result),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := impl(args[0].AsString())
			if err != nil {
				return v, function.NewArgError(0, err)
			}
			return v, nil
		},
	})
}
