package apply

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/graph"
	"github.com/ml-dev-bench/bench/engine/imagelint"
	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Inventories remembers what is in images, by their ids.
type Inventories interface {
	// Load gives the inventory of an image; nil if there is none.
	Load(image string) *imagelint.Inventory
	// Keep remembers one. What it cannot keep is read again the next time.
	Keep(image string, i *imagelint.Inventory)
}

// lint looks at what is in an image. With an error in it, no agent works there:
// what it did would prove nothing.
func (r *runner) lint(ctx context.Context, s *engine.LintStep) graph.Report {
	inspector, ok := r.Driver.(sandbox.Inspector)
	if !ok {
		return r.note(string(s.ID), engine.Outcome{})
	}
	inventory, err := r.inventory(ctx, inspector, s)
	if err != nil {
		return r.note(string(s.ID), failure(ctx, fmt.Errorf("cannot look into the image of sandbox %q: %w", s.Image.Sandbox.Name, err)))
	}
	found := engine.ImageFindings{Step: s.ID, Findings: inventory.Findings(s.Cases)}
	if len(found.Findings) > 0 {
		r.observe(ImageLinted{Step: s, Findings: found.Findings})
	}
	errors := found.Of(engine.SeverityError)
	if len(errors) == 0 || r.Unsafe {
		return r.note(string(s.ID), engine.Outcome{})
	}
	detail := fmt.Sprintf("the image is not safe: %s. %s", errors[0], errors[0].Fix)
	if n := len(errors) - 1; n > 0 {
		detail = fmt.Sprintf("the image is not safe: %s; and %d more like it. %s", errors[0], n, errors[0].Fix)
	}
	return r.note(string(s.ID), engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonUnsafe, Detail: detail})
}

// inventory is that of an image, which is read unless that was done before.
func (r *runner) inventory(ctx context.Context, from sandbox.Inspector, s *engine.LintStep) (*imagelint.Inventory, error) {
	id := r.imageID(s.Image.ID)
	if r.Inventories != nil {
		if i := r.Inventories.Load(id); i != nil {
			return i, nil
		}
	}
	ctx, cancel := context.WithTimeout(ctx, s.Image.Sandbox.Timeouts.Build)
	defer cancel()
	config, err := from.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	files, w := io.Pipe()
	var export sync.WaitGroup
	export.Go(func() { w.CloseWithError(from.Export(ctx, id, w)) })
	defer export.Wait()
	defer files.Close()
	i, err := imagelint.Scan(config, files)
	if err == nil {
		_, err = io.Copy(io.Discard, files) // to its end, where an error may be
	}
	if err != nil {
		return nil, err
	}
	if r.Inventories != nil {
		r.Inventories.Keep(id, i)
	}
	return i, nil
}
