package apply

import (
	"archive/tar"
	"bufio"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/graph"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/snapshot"
	"github.com/ml-dev-bench/bench/engine/store"
)

// Places in an agent's sandbox, beside the workspace.
const (
	homeDir     = "/home/agent"
	setupDir    = "/setup"
	solutionDir = "/solution"
)

// grace is how long an agent has to end by itself when it is stopped from outside.
const grace = 4 * time.Second

// outputLimit is how much of an agent's output is kept, in bytes.
const outputLimit = 4 << 20

// exitKilled is the status of a command that ended by SIGKILL, the signal of
// the kernel when memory runs out.
const exitKilled = 128 + 9

// run lets an agent work on a case once, and stores what came of it, whatever it
// was: what an agent has spent must not be lost.
func (r *runner) run(ctx context.Context, s *engine.RunStep, gpus []string) graph.Report {
	t := first(s.Trials)
	if err := r.Store.Room(leastRoom); err != nil {
		return r.note(string(s.ID), hostFailure(err)) // before an agent works for nothing
	}
	draft, err := r.Store.Begin(t.ID)
	if err != nil {
		return r.note(string(s.ID), hostFailure(err))
	}
	defer func() { _ = draft.Discard() }() // what stays is removed with the lock
	a := &engine.Attempt{Trial: t.ID, Key: s.Key, Seed: t.Seed, Version: r.Version, Origin: r.Origin, Image: r.imageID(s.Image), Began: time.Now().UTC()}
	w := &worker{runner: r, step: s, trial: t, attempt: a, dir: draft.Dir, gpus: gpus}
	w.volumes, a.Assets = r.provided(t)
	err = w.work(ctx)
	if err != nil {
		a.Outcome = failure(ctx, err)
	}
	if a.Outcome.Status == engine.StatusInvalid || a.Outcome.Status == engine.StatusErrored && w.talk.troubled() {
		w.talk.judge(a)
	}
	a.Ended = time.Now().UTC()
	lost := draft.Commit(a)
	r.mu.Lock()
	r.records[s.ID].made = a
	if lost == nil {
		r.records[s.ID].attempt = a
	}
	r.mu.Unlock()
	if lost != nil {
		return w.report(r.note(string(s.ID), hostFailure(lost)))
	}
	report := w.report(r.note(string(s.ID), a.Outcome))
	if errors.Is(err, errNoCommand) || errors.As(err, new(*providerError)) || w.talk.final() {
		report.Class = "" // the next time would come to the same
	}
	return report
}

// errNoCommand is the mistake of an agent block whose command does not exist.
var errNoCommand = errors.New("there is no command")

// leastRoom is what must be free where results are stored before an agent is
// started, in bytes.
const leastRoom = 1 << 20

// report says what the attempt has spent. What is not known is left out if something
// was set aside for it, which is taken to be spent then; or else it is about what the
// calls to the model must have cost, so that no budget is overdrawn without end.
func (w *worker) report(report graph.Report) graph.Report {
	report.Spent = map[string]float64{}
	book := func(what string, amount float64) {
		for _, m := range append(matricesOf(w.trial.Run.Trials), "") {
			report.Spent[accountOf(m, what)] = amount
		}
	}
	a, aside := w.attempt, w.trial.Reserve
	switch {
	case a.Cost != nil:
		book(accountCost, *a.Cost)
	case aside.Cost == 0 && w.talk.over():
		book(accountCost, w.talk.use.AboutCost)
	}
	switch {
	case a.Tokens != nil:
		book(accountTokens, float64(*a.Tokens))
	case aside.Tokens == 0 && w.talk.over():
		book(accountTokens, float64(w.talk.use.AboutTokens))
	}
	return report
}

func hostFailure(err error) engine.Outcome {
	return engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost, Detail: "cannot store results: " + err.Error()}
}

// A worker makes one attempt.
type worker struct {
	*runner
	step    *engine.RunStep
	trial   *engine.Trial
	attempt *engine.Attempt
	dir     string   // of the draft
	gpus    []string // ids of those that the trial has
	talk    *talk
	reach   *reach
	volumes []sandbox.Volume
}

// work takes an attempt through its phases. An error is the world's fault; what
// the agent did, whatever it was, is in the attempt.
func (w *worker) work(ctx context.Context) (err error) {
	c := w.trial.Case
	if w.talk, err = w.openTalk(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.talk.close(w.attempt)) }()
	if w.reach, err = w.openReach(); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, w.reach.close()) }()
	box, err := w.Driver.Start(ctx, sandbox.Spec{
		Image: w.attempt.Image, Sandbox: c.Sandbox, Trial: w.trial.ID.String(), Files: w.files,
		Volumes: w.volumes, Services: w.services(), GPUs: w.gpus, Serve: w.reach.handler(),
		Compare: c.Snapshot == engine.SnapshotFilesystem,
	})
	if err != nil {
		return errors.Join(err, w.keepLog(err))
	}
	defer box.Close()
	defer func() { err = errors.Join(err, w.keepServices(box.Services())) }()
	if w.attempt.Origin.Agent, err = w.agents.of(ctx, w); err != nil {
		return err
	}
	if c.Setup != nil {
		if done, err := w.setup(ctx, box); !done || err != nil {
			return err
		}
	}
	if err := serving(box.Services()); err != nil {
		return err
	}
	if err := w.agent(ctx, box); err != nil || w.attempt.Outcome.Status != engine.StatusInvalid {
		return err
	}
	if err := w.usage(ctx, box); err != nil {
		return err
	}
	if err := box.Freeze(ctx); err != nil {
		return err
	}
	if err := w.talk.close(w.attempt); err != nil || w.talk.troubled() {
		return err
	}
	if err := w.snapshot(ctx, box); err != nil {
		return err
	}
	return box.Close()
}

// files writes what the agent finds.
func (w *worker) files(out io.Writer) error {
	c := w.trial.Case
	user := c.Sandbox.User
	files := snapshot.NewWriter(out)
	if err := files.Tree(snapshot.Place{Dir: c.Sandbox.Workdir, Owner: user}, c.Workspace); err != nil {
		return err
	}
	if user != engine.Root {
		if err := files.Dir(snapshot.Place{Dir: homeDir, Owner: user}); err != nil {
			return err
		}
	}
	bench := snapshot.Place{Dir: path.Dir(engine.PromptFile)}
	if err := files.Dir(bench); err != nil {
		return err
	}
	if err := files.File(bench, path.Base(engine.PromptFile), []byte(c.Prompt)); err != nil {
		return err
	}
	if c.Setup != nil {
		if err := files.Tree(snapshot.Place{Dir: setupDir, Owner: user, Private: true}, c.Setup.Files); err != nil {
			return err
		}
	}
	if w.trial.Agent.Builtin == engine.BuiltinOracle {
		if err := files.Tree(snapshot.Place{Dir: solutionDir, Owner: user}, w.trial.Solution().Files); err != nil {
			return err
		}
	}
	return files.Close()
}

func homeOf(user engine.User) string {
	if user == engine.Root {
		return "/root"
	}
	return homeDir
}

func (w *worker) env() map[string]string {
	c := w.trial.Case
	env := map[string]string{"HOME": homeOf(c.Sandbox.User)}
	maps.Copy(env, w.reach.env())
	maps.Copy(env, c.Sandbox.Env)
	env["BENCH_CASE"] = c.Name
	env["BENCH_PROMPT_FILE"] = engine.PromptFile
	env["BENCH_WORKSPACE"] = c.Sandbox.Workdir
	return env
}

// setup prepares the workspace, and removes its own files before the agent can
// see them. It is not done if the command failed, which is the case's fault.
func (w *worker) setup(ctx context.Context, box sandbox.Sandbox) (done bool, err error) {
	c := w.trial.Case
	env := w.env()
	env["BENCH_SEED"] = strconv.FormatUint(w.trial.Seed, 10)
	out := sandbox.NewOutput(outputLimit)
	limited, cancel := context.WithTimeout(ctx, c.Sandbox.Timeouts.Setup)
	defer cancel()
	run := func(args ...string) (sandbox.Exit, error) {
		return box.Exec(limited, sandbox.Cmd{Args: args, Dir: c.Sandbox.Workdir, Env: env, User: c.Sandbox.User, Stdout: out, Stderr: out})
	}
	exit, err := run(c.Setup.Command...)
	if err == nil && exit.Code == 0 {
		exit, err = run("find", setupDir, "-mindepth", "1", "-delete")
	}
	switch {
	case ctx.Err() != nil:
		return false, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		w.setupFailed("took longer than %s", c.Sandbox.Timeouts.Setup)
	case err != nil:
		return false, err
	case exit.Code != 0:
		w.setupFailed("ended with exit status %d", exit.Code)
	default:
		return true, nil
	}
	return false, w.log(store.SetupLogFile, out)
}

func (w *worker) setupFailed(format string, args ...any) {
	w.attempt.Outcome = engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonSetup,
		Detail: fmt.Sprintf("the setup of case %s %s; its output is in %s of the attempt", w.trial.Case.Name, fmt.Sprintf(format, args...), store.SetupLogFile)}
}

// agent runs the agent to its end, or to its limit.
func (w *worker) agent(ctx context.Context, box sandbox.Sandbox) error {
	inv, err := w.invocation()
	if err != nil {
		return err
	}
	switch w.trial.Agent.Builtin {
	case engine.BuiltinNoop:
		return nil
	case engine.BuiltinOracle:
		inv = engine.Invocation{Command: w.trial.Solution().Command}
	}
	env := w.env()
	maps.Copy(env, w.talk.env(w))
	maps.Copy(env, inv.Env)
	out := sandbox.NewOutput(outputLimit)
	// At its limit an agent is killed; when bench is stopped, it may end by itself.
	limited, cancel := w.bounded(ctx)
	defer cancel()
	start := time.Now()
	cmd := sandbox.Cmd{
		Args: inv.Command, Dir: w.trial.Case.Sandbox.Workdir, Env: env, User: w.trial.Case.Sandbox.User, Stdout: out, Stderr: out,
		Grace: min(grace, w.trial.Case.Sandbox.Timeouts.Stop), Kill: w.Kill,
	}
	var exit sandbox.Exit
	if w.trial.Agent.Builtin == engine.BuiltinReact {
		exit, err = w.react(limited, box, cmd)
	} else {
		exit, err = box.Exec(limited, cmd)
	}
	a := w.attempt
	a.Took = time.Since(start)
	a.Output = engine.Output{Written: out.Written(), Kept: out.Kept()}
	if logErr := w.log(store.LogFile, out); logErr != nil {
		return logErr
	}
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && errors.Is(context.Cause(limited), errTimeUp):
		a.Limit, a.LimitDetail = engine.ReasonLimitWallClock, fmt.Sprintf("the agent was stopped after %s", w.trial.Limits.WallClock)
		return nil
	case err != nil && errors.Is(context.Cause(limited), errStopped):
		a.Limit, a.LimitDetail = w.talk.Limit() // empty if it is the provider that has failed
		return nil
	case err != nil:
		return err
	}
	a.Exit = &exit.Code
	if exit.Code == 126 || exit.Code == 127 {
		return w.commandExists(ctx, inv.Command[0])
	}
	return nil
}

// commandExists tells an agent that ended with the status of a missing command
// from one whose command is missing, by looking in a sandbox in which no agent
// has been. The latter is no failure of the agent, but a mistake in its block.
func (w *worker) commandExists(ctx context.Context, command string) error {
	c := w.trial.Case
	box, err := w.Driver.Start(ctx, sandbox.Spec{Image: w.attempt.Image, Sandbox: c.Sandbox, Trial: w.trial.ID.String(), Files: w.files, Volumes: w.volumes})
	if err != nil {
		return err
	}
	defer box.Close()
	exit, err := box.Exec(ctx, sandbox.Cmd{
		Args: []string{"sh", "-c", `command -v -- "$1"`, "sh", command}, Dir: c.Sandbox.Workdir, Env: w.env(), User: c.Sandbox.User,
	})
	if err == nil && exit.Code != 0 {
		what := fmt.Sprintf("agent %q", w.trial.Agent.Name)
		if w.trial.Agent.Builtin == engine.BuiltinOracle {
			what = "the solution of case " + c.Name
		}
		return fmt.Errorf("%w %q in the sandbox: correct the command of %s, or the image of sandbox %q", errNoCommand, command, what, c.Sandbox.Name)
	}
	return err
}

// usage records what the sandbox used, and whether the agent ran out of memory.
// What cannot be read stays unknown, and so does what nobody used: asking would
// take longer than all else that a trial without an agent does. The error is
// sandbox.ErrNoMemory.
func (w *worker) usage(ctx context.Context, box sandbox.Sandbox) error {
	if w.attempt.Exit == nil && w.attempt.Limit == "" {
		return nil
	}
	limited, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	u, err := box.Usage(limited)
	if err != nil {
		return nil
	}
	a := w.attempt
	a.Usage = u
	if a.Limit != "" || a.Exit == nil || *a.Exit != exitKilled || !u.Killed() {
		return nil
	}
	if u.HostOOM() && w.trial.Case.Sandbox.User != engine.Root { // who could have changed the programs that say so
		return sandbox.ErrNoMemory
	}
	a.Limit = engine.ReasonLimitMemory
	a.LimitDetail = fmt.Sprintf("the agent was killed for want of memory; its sandbox has %s", bytesText(w.trial.Case.Sandbox.Memory))
	return nil
}

func bytesText(n int64) string {
	for _, u := range []struct {
		size int64
		name string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.size && n%u.size == 0 {
			return fmt.Sprintf("%d %s", n/u.size, u.name)
		}
	}
	return fmt.Sprintf("%d bytes", n)
}

// snapshot stores what the agent left.
func (w *worker) snapshot(ctx context.Context, box sandbox.Sandbox) error {
	dir, clean, err := w.keeps(ctx, box)
	if err != nil {
		return w.tooLarge(err)
	}
	f, err := os.Create(filepath.Join(w.dir, store.SnapshotFile))
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	zip, err := gzip.NewWriterLevel(io.MultiWriter(f, sum), gzip.BestSpeed)
	if err != nil {
		return err
	}
	r, pipe := io.Pipe()
	copied := make(chan error, 1)
	var bug any
	go func() {
		var err error
		defer func() {
			if bug = recover(); bug != nil { // to be told by who waits, for this trial alone
				bug = fmt.Sprintf("%v\n%s", bug, debug.Stack())
				err = errors.New("bug in bench")
			}
			pipe.CloseWithError(err)
			copied <- err
		}()
		if err = box.CopyOut(ctx, dir, pipe); errors.Is(err, sandbox.ErrNoDirectory) { // the agent has removed it: it left nothing
			err = tar.NewWriter(pipe).Close()
		}
	}()
	left, err := clean(bufio.NewReaderSize(r, 1<<20), zip)
	if err == nil {
		_, err = io.Copy(io.Discard, r) // the padding after the end of the archive
	}
	r.CloseWithError(err)
	copyErr := <-copied
	if bug != nil {
		panic(bug)
	}
	w.attempt.Left = left
	if errors.Is(err, snapshot.ErrTooLarge) {
		return errors.Join(w.tooLarge(err), os.Remove(f.Name()))
	}
	if err = errors.Join(err, copyErr, zip.Close(), f.Sync()); err != nil {
		return err
	}
	w.attempt.Snapshot = digest.Hash(sum)
	return nil
}

// tooLarge makes it the agent's failure that it left more than is kept, or deeper
// than anyone can follow. Any other error stays one.
func (w *worker) tooLarge(err error) error {
	if !errors.Is(err, snapshot.ErrTooLarge) && !errors.Is(err, sandbox.ErrLongPath) {
		return err
	}
	w.attempt.Outcome = engine.Outcome{Status: engine.StatusFailed, Reason: engine.ReasonLimitDisk, Detail: err.Error()}
	return nil
}

// keeps says which directory of a sandbox is copied, and what is kept of it.
func (w *worker) keeps(ctx context.Context, box sandbox.Sandbox) (dir string, clean func(io.Reader, io.Writer) ([]string, error), err error) {
	c := w.trial.Case
	if c.Snapshot != engine.SnapshotFilesystem {
		return c.Sandbox.Workdir, func(r io.Reader, to io.Writer) ([]string, error) {
			return snapshot.Clean(r, to, snapshot.DefaultLimits)
		}, nil
	}
	var mounts []string
	for _, m := range c.Sandbox.Mounts {
		mounts = append(mounts, m.Target)
	}
	for _, v := range w.volumes {
		mounts = append(mounts, v.Target)
	}
	changes := snapshot.NewChanges(snapshot.DefaultLimits, c.Sandbox.Workdir, mounts...)
	err = box.Changes(ctx, func(ch sandbox.Change) error { return changes.Add(ch.Path, ch.Deleted) })
	return "/", changes.Clean, err
}

func (w *worker) log(name string, out *sandbox.Output) error {
	return os.WriteFile(filepath.Join(w.dir, name), w.Gateway.Mask([]byte(strings.ToValidUTF8(out.String(), "\uFFFD"))), 0o644)
}
