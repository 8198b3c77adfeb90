package apply

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/graph"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// image makes an image available. If it cannot, the step is the cause for which
// all its trials are errored.
func (r *runner) image(ctx context.Context, s *engine.ImageStep) graph.Report {
	r.observe(ImageStarted{s})
	spec := sandbox.ImageSpec{
		Name: s.Sandbox.Name, Key: s.Key.Sum, Image: s.Image, Platform: s.Sandbox.Platform,
		Pull: s.Sandbox.Timeouts.Pull, Build: s.Sandbox.Timeouts.Build,
	}
	if s.Service != nil {
		spec.Name += "." + s.Service.Name
	}
	if s.Agent != nil {
		spec.Name += "+" + s.Agent.Name
		if spec.Base = r.imageID(s.Base); spec.Base == "" {
			panic(fmt.Sprintf("%s is not there, but %s is to be laid over it", s.Base, s.ID))
		}
	}
	switch {
	case s.Agent != nil && s.Agent.Install:
		spec.Image, spec.Context = install(s.Image.Build)
	case s.Image.Build != nil:
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
		if s.Agent != nil && s.Agent.Install { // nobody has written a Dockerfile
			end.Err = fmt.Errorf("agent %q cannot be installed into the image of sandbox %q: %w", s.Agent.Name, s.Sandbox.Name, err)
		}
	}
	if ctx.Err() != nil { // its trials are not errored, but skipped
		return r.note(string(s.ID), stopped(ctx))
	}
	r.observe(end)
	if err != nil {
		o := failure(ctx, err)
		if o.Reason != engine.ReasonHost {
			o.Reason = engine.ReasonImage
		}
		return r.note(string(s.ID), o)
	}
	r.mu.Lock()
	r.images[s.ID] = id
	r.mu.Unlock()
	return r.note(string(s.ID), engine.Outcome{})
}

func (r *runner) imageID(id engine.StepID) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.images[id]
}
