package apply

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"runtime/debug"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/graph"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// Places in the sandbox of a fixture.
const (
	fixtureDir = "/fixture" // its files; it runs there
	assetDir   = "/asset"   // what it writes
)

// asset makes an asset available. If it cannot, the step is the cause for which
// all its trials are errored.
func (r *runner) asset(ctx context.Context, s *engine.AssetStep) graph.Report {
	m := &maker{runner: r, step: s, out: sandbox.NewOutput(outputLimit)}
	file, err := m.file(ctx)
	if ctx.Err() != nil { // its trials are not errored, but skipped
		return r.note(string(s.ID), stopped(ctx))
	}
	end := AssetEnded{Step: s, Err: err, Log: m.out.String()}
	if err == nil {
		end.Bytes = file.Size
	}
	r.observe(end)
	if err != nil {
		o := failure(ctx, err)
		if o.Reason != engine.ReasonHost {
			o.Reason = engine.ReasonAsset
		}
		report := r.note(string(s.ID), o)
		var final *asset.FinalError
		if errors.As(err, &final) {
			report.Class = "" // it would be the same the next time
		}
		return report
	}
	r.mu.Lock()
	r.assets[s.ID] = file
	r.mu.Unlock()
	return r.note(string(s.ID), engine.Outcome{})
}

// provided gives the assets of a trial as its sandboxes have them, and as an
// attempt records them. Its steps have ended well.
func (r *runner) provided(t *engine.Trial) (volumes []sandbox.Volume, used []engine.AssetUsed) {
	r.mu.Lock()
	defer r.mu.Unlock()
	var placed []asset.Placed
	for i, a := range t.Case.Assets {
		step := t.Run.Assets[i]
		file := r.assets[step.ID]
		placed = append(placed, asset.Placed{Target: a.Target, File: file})
		used = append(used, engine.AssetUsed{Name: a.Name, Variant: step.Variant, Sum: file.Sum})
	}
	return asset.Volumes(placed), used
}

// otherAssets names an asset that is not what it was when an agent worked with
// it: a fixture need not write the same each time. What the agent made of the
// one is not graded with the other.
func otherAssets(a *engine.Attempt, used []engine.AssetUsed) error {
	for i, u := range used {
		if i >= len(a.Assets) || a.Assets[i].Sum != u.Sum {
			return fmt.Errorf("the fixture of asset %q has written something else than when the agent ran, and what was written then is gone; let the agent run again, with --rerun %s", u.Name, a.Trial)
		}
	}
	return nil
}

// A maker makes one asset available.
type maker struct {
	*runner
	step *engine.AssetStep
	out  *sandbox.Output // of the fixture
}

func (m *maker) file(ctx context.Context) (*asset.File, error) {
	a := m.step.Asset
	if m.step.Variant == engine.VariantMini {
		file, err := m.Assets.Make(ctx, m.step.Key.Sum, m.make)
		if err != nil {
			err = fmt.Errorf("the fixture of asset %q of case %s: %w", a.Name, m.step.Case.Name, err)
		}
		return file, err
	}
	file, err := m.Assets.Fetch(ctx, a.URL, a.SHA256)
	if err != nil && a.Fixture != nil {
		err = fmt.Errorf("%w; with --assets mini, a fixture stands in for it", err)
	}
	return file, err
}

// make runs the fixture, in the image of the case and without a network, and
// writes an archive of what it wrote.
func (m *maker) make(ctx context.Context, w io.Writer) error {
	alone := *m.step.Case.Sandbox
	alone.Network, alone.Allow, alone.GPUs, alone.Mounts, alone.Services = engine.NetworkNone, nil, 0, nil, nil
	box, err := m.Driver.Start(ctx, sandbox.Spec{Image: m.imageID(m.step.Image), Sandbox: &alone, Trial: string(m.step.ID), Files: m.files})
	if err != nil {
		return err
	}
	defer box.Close()
	if err := m.run(ctx, box); err != nil {
		return err
	}
	if err := box.Freeze(ctx); err != nil {
		return err
	}
	if err := m.pack(ctx, box, w); err != nil {
		return err
	}
	return box.Close()
}

func (m *maker) files(out io.Writer) error {
	user := m.step.Case.Sandbox.User
	files := snapshot.NewWriter(out)
	if err := files.Tree(snapshot.Place{Dir: fixtureDir, Owner: user}, m.step.Asset.Fixture.Files); err != nil {
		return err
	}
	if user != engine.Root {
		if err := files.Dir(snapshot.Place{Dir: homeDir, Owner: user}); err != nil {
			return err
		}
	}
	if err := files.Dir(snapshot.Place{Dir: assetDir, Owner: user}); err != nil {
		return err
	}
	return files.Close()
}

func (m *maker) run(ctx context.Context, box sandbox.Sandbox) error {
	s, command := m.step.Case.Sandbox, m.step.Asset.Fixture.Command
	env := map[string]string{"HOME": homeOf(s.User)}
	maps.Copy(env, s.Env)
	env["BENCH_ASSET"] = path.Join(assetDir, path.Base(m.step.Asset.Target))
	limited, cancel := context.WithTimeoutCause(ctx, s.Timeouts.Setup, sandbox.ErrKill)
	defer cancel()
	exit, err := box.Exec(limited, sandbox.Cmd{Args: command, Dir: fixtureDir, Env: env, User: s.User, Stdout: m.out, Stderr: m.out})
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		return m.fails("took longer than %s, which the setup timeout of sandbox %q allows", s.Timeouts.Setup, s.Name)
	case err != nil:
		return err
	case exit.Code != 0:
		return m.fails("ended with exit status %d", exit.Code)
	}
	return nil
}

// fails is the error of a fixture that is at fault itself, with the last that it
// said.
func (m *maker) fails(format string, args ...any) error {
	why := fmt.Sprintf("%q ", strings.Join(m.step.Asset.Fixture.Command, " ")) + fmt.Sprintf(format, args...)
	said := strings.TrimSpace(strings.ToValidUTF8(m.out.String(), "\uFFFD"))
	if said != "" {
		why += ": " + said[strings.LastIndexByte(said, '\n')+1:]
	}
	return &asset.FinalError{Err: errors.New(why)}
}

// pack writes what the fixture wrote. What no snapshot would take is an error:
// nothing is left out of an asset in silence.
func (m *maker) pack(ctx context.Context, box sandbox.Sandbox, w io.Writer) error {
	copied := piped(func(w io.Writer) error { return box.CopyOut(ctx, assetDir, w) })
	cleaned := piped(func(w io.Writer) error {
		defer copied.Close()
		left, err := snapshot.Clean(bufio.NewReaderSize(copied, 1<<20), w, snapshot.DefaultLimits)
		if err == nil {
			_, err = io.Copy(io.Discard, copied) // the padding after the end of the archive
		}
		switch {
		case errors.Is(err, snapshot.ErrTooLarge):
			return m.fails("wrote too much: %v", err)
		case err == nil && len(left) > 0:
			return m.fails("wrote what cannot be used: %s", strings.Join(left, ", "))
		}
		return err
	})
	defer cleaned.Close()
	err := asset.Pack(w, cleaned, path.Base(m.step.Asset.Target))
	if err == nil {
		_, err = io.Copy(io.Discard, cleaned)
	}
	return err
}

// piped gives what a function writes to whoever reads it. A bug in the function
// is an error of the reader.
func piped(write func(io.Writer) error) *io.PipeReader {
	r, w := io.Pipe()
	go func() {
		err := errors.New("bug in bench")
		defer func() {
			if p := recover(); p != nil {
				err = fmt.Errorf("bug in bench, please report: %v\n%s", p, debug.Stack())
			}
			w.CloseWithError(err)
		}()
		err = write(w)
	}()
	return r
}
