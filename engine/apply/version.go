package apply

import (
	"context"
	"strings"
	"sync"
	"time"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// versionTime is how long an agent may take to say its version.
const versionTime = 30 * time.Second

// versions are what agents say of themselves, each asked once in each image, in a
// sandbox without a workspace: no trial pays for it.
type versions struct {
	mu    sync.Mutex
	known map[[2]string]*version // by agent and image
}

type version struct {
	mu   sync.Mutex
	text string
	said bool
}

// of is the version of an agent in the image of an attempt; empty if it has no
// command for it, or the command fails. An error is the world's fault.
func (v *versions) of(ctx context.Context, w *worker) (string, error) {
	agent := w.trial.Agent
	if len(agent.Version) == 0 {
		return "", nil
	}
	key := [2]string{agent.Name, w.attempt.Image}
	v.mu.Lock()
	if v.known == nil {
		v.known = map[[2]string]*version{}
	}
	one := v.known[key]
	if one == nil {
		one = &version{}
		v.known[key] = one
	}
	v.mu.Unlock()
	one.mu.Lock()
	defer one.mu.Unlock()
	if !one.said {
		text, err := w.askVersion(ctx)
		if err != nil {
			return "", err
		}
		one.text, one.said = text, true
	}
	return one.text, nil
}

func (w *worker) askVersion(ctx context.Context) (string, error) {
	c := w.trial.Case
	box, err := w.Driver.Start(ctx, sandbox.Spec{Image: w.attempt.Image, Sandbox: c.Sandbox, Trial: w.trial.ID.String(), Files: w.files, Volumes: w.volumes})
	if err != nil {
		return "", err
	}
	defer box.Close()
	limited, cancel := context.WithTimeout(ctx, versionTime)
	defer cancel()
	out := sandbox.NewOutput(1 << 10)
	exit, err := box.Exec(limited, sandbox.Cmd{Args: w.trial.Agent.Version, Dir: c.Sandbox.Workdir, Env: w.env(), User: c.Sandbox.User, Stdout: out, Stderr: out})
	switch {
	case ctx.Err() != nil:
		return "", ctx.Err()
	case limited.Err() != nil:
		return "", nil
	case err != nil:
		return "", err
	case exit.Code != 0:
		return "", nil
	}
	line, _, _ := strings.Cut(strings.TrimSpace(strings.ToValidUTF8(out.String(), "\uFFFD")), "\n")
	return strings.TrimSpace(line), nil
}
