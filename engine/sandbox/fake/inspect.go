package fake

import (
	"archive/tar"
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// An Inspector shows images that are not there, beside a driver:
//
//	struct{ *fake.Driver; sandbox.Inspector }{d, &fake.Inspector{Files: files}}
type Inspector struct {
	Config sandbox.ImageConfig
	Files  map[string]string // content by absolute path; all can be run
	Err    error             // of Export, after the files

	exports atomic.Int64
}

var _ sandbox.Inspector = (*Inspector)(nil)

// Exports is how often files were asked for.
func (i *Inspector) Exports() int { return int(i.exports.Load()) }

// Inspect gives the configuration, of every image.
func (i *Inspector) Inspect(context.Context, string) (sandbox.ImageConfig, error) {
	return i.Config, nil
}

// Export writes the files, of every image.
func (i *Inspector) Export(_ context.Context, _ string, w io.Writer) error {
	i.exports.Add(1)
	out := tar.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(i.Files)) {
		if err := out.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: strings.TrimPrefix(name, "/"), Size: int64(len(i.Files[name])), Mode: 0o755}); err != nil {
			return err
		}
		if _, err := io.WriteString(out, i.Files[name]); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), i.Err)
}
