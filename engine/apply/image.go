package apply

import (
	"context"
	"errors"
	"io"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// image makes an image available. If it cannot, the step is the cause for which
// all its trials are errored.
func (r *runner) image(ctx context.Context, s *engine.ImageStep) bool {
	r.observe(ImageStarted{s})
	spec := sandbox.ImageSpec{
		Name: s.Sandbox.Name, Key: s.Key.Sum, Image: s.Image,
		Pull: s.Sandbox.Timeouts.Pull, Build: s.Sandbox.Timeouts.Build,
	}
	if s.Image.Build != nil {
		spec.Context = func(w io.Writer) error {
			files := snapshot.NewWriter(w)
			if err := files.Tree(snapshot.Place{Dir: "/"}, s.Image.Build.Context); err != nil {
				return err
			}
			return files.Close()
		}
	}
	id, err := r.Driver.Image(ctx, spec)
	end := ImageEnded{Step: s, Err: err}
	var build *sandbox.BuildError
	if errors.As(err, &build) {
		end.Log = build.Log
	}
	if ctx.Err() != nil { // its trials are not errored, but skipped
		return true
	}
	r.observe(end)
	if err != nil {
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.images[s.ID] = id
	return true
}

func (r *runner) imageID(id engine.StepID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.images[id]
}
