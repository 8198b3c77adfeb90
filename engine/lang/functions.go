package lang

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"

	"github.com/bmatcuk/doublestar/v4"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"
)

// pure are the functions that need nothing but their arguments. What changes
// between plan and apply (a clock, a random number, the environment) is not
// among them, and never will be.
var pure = map[string]function.Function{
	"abs": stdlib.AbsoluteFunc, "ceil": stdlib.CeilFunc, "floor": stdlib.FloorFunc,
	"max": stdlib.MaxFunc, "min": stdlib.MinFunc, "range": stdlib.RangeFunc,
	"length": stdlib.LengthFunc, "concat": stdlib.ConcatFunc, "distinct": stdlib.DistinctFunc,
	"flatten": stdlib.FlattenFunc, "sort": stdlib.SortFunc, "reverse": stdlib.ReverseListFunc,
	"contains": stdlib.ContainsFunc, "keys": stdlib.KeysFunc, "values": stdlib.ValuesFunc,
	"lookup": stdlib.LookupFunc, "merge": stdlib.MergeFunc, "zipmap": stdlib.ZipmapFunc,
	"setproduct": stdlib.SetProductFunc, "join": stdlib.JoinFunc, "split": stdlib.SplitFunc,
	"format": stdlib.FormatFunc, "replace": stdlib.ReplaceFunc, "regex": stdlib.RegexFunc,
	"lower": stdlib.LowerFunc, "upper": stdlib.UpperFunc, "trimspace": stdlib.TrimSpaceFunc,
	"jsonencode": stdlib.JSONEncodeFunc, "jsondecode": stdlib.JSONDecodeFunc,
	"csvdecode": stdlib.CSVDecodeFunc, "coalesce": stdlib.CoalesceFunc,
	"try": tryfunc.TryFunc, "can": tryfunc.CanFunc,
	"tostring": stdlib.MakeToFunc(cty.String), "tonumber": stdlib.MakeToFunc(cty.Number), "tobool": stdlib.MakeToFunc(cty.Bool),
}

// functions are all that can be called in an expression of the given file.
func (l *loader) functions(file string) map[string]function.Function {
	out := map[string]function.Function{"file": l.fileFunc(file), "fileset": l.filesetFunc(file)}
	for name, f := range pure {
		out[name] = f
	}
	return out
}

// functionNames lists what can be called, sorted.
func functionNames() []string {
	names := append(slices.Collect(maps.Keys(pure)), "file", "fileset")
	slices.Sort(names)
	return names
}

func (l *loader) fileFunc(from string) function.Function {
	return pathFunc(cty.String, func(arg string) (cty.Value, error) {
		p, err := resolvePath(from, arg)
		if err != nil {
			return cty.NilVal, err
		}
		info, err := fs.Stat(l.root, p)
		if err == nil && info.Size() > maxFile {
			err = fmt.Errorf("it has %d bytes, more than %d", info.Size(), maxFile)
		}
		var text []byte
		if err == nil {
			text, err = fs.ReadFile(l.root, p)
		}
		if err != nil {
			return cty.NilVal, fmt.Errorf("cannot read %s: %w", p, cause(err))
		}
		return cty.StringVal(string(text)), nil
	})
}

func (l *loader) filesetFunc(from string) function.Function {
	return pathFunc(cty.List(cty.String), func(arg string) (cty.Value, error) {
		p, err := resolvePath(from, arg)
		if err != nil {
			return cty.NilVal, err
		}
		files, err := doublestar.Glob(l.root, p, doublestar.WithFilesOnly())
		if err != nil {
			return cty.NilVal, err
		}
		if len(files) == 0 {
			return cty.NilVal, errors.New("no file matches " + p)
		}
		slices.Sort(files)
		var out []cty.Value
		for _, f := range files {
			out = append(out, cty.StringVal(f))
		}
		return cty.ListVal(out), nil
	})
}

func pathFunc(result cty.Type, impl func(string) (cty.Value, error)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
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
