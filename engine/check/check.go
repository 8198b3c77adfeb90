// Package check grades what an agent left, where the agent cannot reach.
//
//	grade, err := check.Run(ctx, driver, check.Input{Trial: t, Image: id, Snapshot: open, …})
//
// Every check gets a sandbox of its own, made from the same pristine image as
// the agent's: nothing that ran with the agent runs in it, and nothing that the
// agent did outside of its workspace is in it. In it are
//
//	the workspace     the snapshot, with the protected files as the case has them;
//	                  it belongs to the user that the agent was
//	/check            the files of the check, for root alone
//	/bench/result     where the check may leave a score and metrics; for root alone
//	the assets        as the agent had them, which nobody can change
//
// Where the case says so, what is graded is the whole file system, and not just the
// workspace: then the image has been changed as the agent changed it, and the
// programs that the check runs may be the agent's. See engine.SnapshotFilesystem.
//
// The check runs as root, with just the capabilities to run the candidate's code
// as the agent's user and to kill it. Its exit status, as the engine reports it,
// decides: 0 passes, 75 and a command that does not exist mean that the check is
// broken, everything else and a time-out fail.
package check

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// An Input is a snapshot to be graded.
type Input struct {
	Trial    *engine.Trial
	Key      engine.Key
	Image    string                        // id of the pristine image
	Volumes  []sandbox.Volume              // assets, as the agent had them
	Snapshot func() (io.ReadCloser, error) // opens the gzipped tar of what the case says is graded
	Version  engine.Version
	Origin   engine.Origin
	GPUs     []string // ids of those that the sandbox has
}

// Places in a grading sandbox.
const (
	filesDir    = "/check"
	resultDir   = "/bench/result"
	scoreFile   = resultDir + "/score"
	metricsFile = resultDir + "/metrics.json"
)

// Bounds of what a check may leave.
const (
	outputLimit = 64 << 10 // bytes of output
	resultLimit = 64 << 10 // bytes of a result file
	maxMetrics  = 200
	exitBroken  = 75      // EX_TEMPFAIL of sysexits.h
	exitKilled  = 128 + 9 // SIGKILL, of the kernel when memory runs out
)

// Run runs the checks of a case one after the other, each in a fresh sandbox. A
// check that cannot decide makes the outcome of the grade errored(check). The
// error means that the sandbox or the world is at fault.
func Run(ctx context.Context, d sandbox.Driver, in Input) (*engine.Grade, error) {
	g := &engine.Grade{Key: in.Key, Version: in.Version, Origin: in.Origin, Began: time.Now().UTC()}
	start := time.Now()
	for _, c := range in.Trial.Case.Checks {
		r := &runner{driver: d, in: in, check: c}
		result, err := r.run(ctx)
		var broken *brokenError
		switch {
		case errors.As(err, &broken):
			g.Outcome = engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonCheck, Detail: fmt.Sprintf("check %q %s", c.Name, broken.why)}
		case err != nil:
			return nil, fmt.Errorf("check %q: %w", c.Name, err)
		}
		g.Checks = append(g.Checks, result)
		g.Changed = r.changed
		if g.Outcome.Status != engine.StatusInvalid {
			break
		}
	}
	g.Took = time.Since(start)
	return g, nil
}

// A brokenError says why a check could not decide.
type brokenError struct{ why string }

func (e *brokenError) Error() string { return e.why }

func broken(format string, args ...any) error { return &brokenError{fmt.Sprintf(format, args...)} }

type runner struct {
	driver  sandbox.Driver
	in      Input
	check   *engine.Check
	changed []string
}

func (r *runner) run(ctx context.Context) (engine.CheckResult, error) {
	result := engine.CheckResult{Name: r.check.Name, Weight: r.check.Weight}
	box, err := r.start(ctx, r.in.Snapshot)
	if err != nil {
		return result, err
	}
	defer box.Close()

	out := sandbox.NewOutput(outputLimit)
	limited, cancel := context.WithTimeout(ctx, r.check.Timeout)
	defer cancel()
	start := time.Now()
	exit, err := box.Exec(limited, sandbox.Cmd{
		Args: r.check.Script.Command, Dir: r.in.Trial.Case.Sandbox.Workdir, Env: r.env(), User: engine.Root, Stdout: out, Stderr: out,
	})
	result.Took = time.Since(start)
	result.Output = strings.ToValidUTF8(out.String(), "\uFFFD")
	switch {
	case ctx.Err() != nil:
		return result, ctx.Err()
	case errors.Is(err, context.DeadlineExceeded):
		result.Detail = fmt.Sprintf("took longer than %s", r.check.Timeout)
		return result, nil
	case err != nil:
		return result, err
	}
	if exit.Code == exitKilled && r.in.Trial.Case.Snapshot != engine.SnapshotFilesystem { // or an agent could have changed the programs that say so
		if u, err := box.Usage(ctx); err == nil && u.HostOOM() {
			return result, sandbox.ErrNoMemory
		}
	}
	if err := r.verdict(ctx, exit.Code, &result); err != nil {
		return result, err
	}
	return result, r.readResults(ctx, box, &result)
}

// start makes a grading sandbox; a nil snapshot leaves the workspace empty.
func (r *runner) start(ctx context.Context, open func() (io.ReadCloser, error)) (sandbox.Sandbox, error) {
	c := r.in.Trial.Case
	over := open != nil && c.Snapshot == engine.SnapshotFilesystem
	var remove []string
	if over {
		if err := unzip(open, func(snap io.Reader) (err error) { remove, err = snapshot.Deleted(snap); return err }); err != nil {
			return nil, err
		}
	}
	return r.driver.Start(ctx, sandbox.Spec{
		Image: r.in.Image, Sandbox: c.Sandbox, Grading: true, Trial: r.in.Trial.ID.String(), GPUs: r.in.GPUs, Volumes: r.in.Volumes,
		Over: over, Remove: remove,
		Files: func(w io.Writer) error {
			files := snapshot.NewWriter(w)
			workspace := snapshot.Place{Dir: c.Sandbox.Workdir, Owner: c.Sandbox.User}
			if err := r.restore(files, workspace, open); err != nil {
				return err
			}
			if err := files.Tree(snapshot.Place{Dir: filesDir, Private: true}, r.check.Script.Files); err != nil {
				return err
			}
			if err := files.Dir(snapshot.Place{Dir: "/bench"}); err != nil {
				return err
			}
			if err := files.Dir(snapshot.Place{Dir: resultDir, Private: true}); err != nil {
				return err
			}
			return files.Close()
		},
	})
}

func (r *runner) restore(files *snapshot.Writer, at snapshot.Place, open func() (io.ReadCloser, error)) error {
	if open == nil {
		return files.Dir(at)
	}
	put := files.Restore
	if r.in.Trial.Case.Snapshot == engine.SnapshotFilesystem {
		put = files.RestoreFilesystem
	}
	return unzip(open, func(snap io.Reader) (err error) {
		r.changed, err = put(at, snap, snapshot.Protected{Workspace: r.in.Trial.Case.Workspace, Globs: r.in.Trial.Case.Protect})
		return err
	})
}

// unzip opens a snapshot to be read.
func unzip(open func() (io.ReadCloser, error), read func(io.Reader) error) error {
	stored, err := open()
	if err != nil {
		return err
	}
	defer stored.Close()
	plain, err := gzip.NewReader(stored)
	if err != nil {
		return fmt.Errorf("stored snapshot: %w", err)
	}
	return read(plain)
}

func (r *runner) env() map[string]string {
	env := map[string]string{"HOME": "/root"}
	box := r.in.Trial.Case.Sandbox
	maps.Copy(env, box.Env)
	if found, ok := env["PATH"]; ok {
		env["PATH"] = outside(box.Workdir, found)
	}
	maps.Copy(env, r.check.Env)
	env["BENCH_CASE"] = r.in.Trial.Case.Name
	env["BENCH_SEED"] = strconv.FormatUint(r.in.Trial.Seed, 10)
	env["BENCH_SCORE"] = scoreFile
	env["BENCH_METRICS"] = metricsFile
	return env
}

// outside leaves out of a PATH what lies in the workspace. An agent may well be
// meant to find its own programs; as root, the check must not.
func outside(workdir, list string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(list, ":"), func(dir string) bool {
		dir = path.Clean(dir)
		return !path.IsAbs(dir) || dir == workdir || strings.HasPrefix(dir, workdir+"/")
	}), ":")
}

// verdict turns an exit status into one.
func (r *runner) verdict(ctx context.Context, code int, result *engine.CheckResult) error {
	switch code {
	case 0:
		result.Passed, result.Score = true, 1
		return nil
	case exitBroken:
		return broken("ended with exit status %d, by which it says that it could not decide; its output is in the report", code)
	case 126, 127:
		// The shell and the engine use these for a command that is not there,
		// but so could code of the candidate that the check has run. Only a
		// sandbox that the candidate never was in can tell the two apart.
		there, err := r.commandExists(ctx)
		if err != nil {
			return err
		}
		if !there {
			return broken("cannot run: there is no command %q in its sandbox; correct the command of the check, or its image", r.check.Script.Command[0])
		}
	}
	status := fmt.Sprintf("exit status %d", code)
	switch last := lastLine(result.Output); {
	case last == "":
		result.Detail = status
	case code == 1: // the plain way of a check to say no
		result.Detail = last
	default:
		result.Detail = last + " (" + status + ")"
	}
	return nil
}

// commandExists looks for the check's command in a sandbox with nothing but the
// files of the check.
func (r *runner) commandExists(ctx context.Context) (bool, error) {
	box, err := r.start(ctx, nil)
	if err != nil {
		return false, err
	}
	defer box.Close()
	exit, err := box.Exec(ctx, sandbox.Cmd{
		Args: []string{"sh", "-c", `command -v -- "$1"`, "sh", r.check.Script.Command[0]},
		Dir:  r.in.Trial.Case.Sandbox.Workdir, Env: r.env(), User: engine.Root,
	})
	return exit.Code == 0, err
}

func lastLine(s string) string {
	lines := strings.Split(strings.TrimSpace(s), "\n")
	last := strings.TrimSpace(lines[len(lines)-1])
	if len(last) > 200 {
		last = strings.ToValidUTF8(last[:200], "") + "..."
	}
	return last
}

// readResults reads the score and the metrics that the check left.
func (r *runner) readResults(ctx context.Context, box sandbox.Sandbox, result *engine.CheckResult) error {
	var archive bytes.Buffer
	limited := &limitedWriter{&archive, 4 * resultLimit}
	switch err := box.CopyOut(ctx, resultDir, limited); {
	case errors.Is(err, sandbox.ErrNoDirectory):
		return broken("removed %s, which is for a score and metrics", resultDir)
	case err != nil:
		return err
	}
	if limited.left == 0 {
		return broken("left too much in %s, which is only for a score and metrics; write other files to /tmp", resultDir)
	}
	files := map[string][]byte{}
	for in := tar.NewReader(&archive); ; {
		h, err := in.Next()
		if err != nil {
			break // its end
		}
		name := path.Join(path.Dir(resultDir), h.Name)
		switch {
		case name != scoreFile && name != metricsFile:
			continue
		case h.Typeflag != tar.TypeReg:
			return broken("left something else than a file in the place of %s", path.Base(name))
		case h.Size > resultLimit:
			return broken("wrote %d bytes to %s; at most %d are read", h.Size, path.Base(name), resultLimit)
		}
		if files[name], err = io.ReadAll(in); err != nil {
			return fmt.Errorf("reading what a check left: %w", err)
		}
	}
	if text, ok := files[scoreFile]; ok {
		score, err := strconv.ParseFloat(strings.TrimSpace(string(text)), 64)
		if err != nil || !(score >= 0 && score <= 1) {
			return broken("wrote %.40q to BENCH_SCORE, which is no number from 0 to 1", text)
		}
		result.Score = score
	}
	if text, ok := files[metricsFile]; ok {
		metrics, err := parseMetrics(text)
		if err != nil {
			return broken("wrote unusable metrics to BENCH_METRICS: %v", err)
		}
		result.Metrics = metrics
	}
	return nil
}

// parseMetrics reads a JSON object of name to number, or to an object with
// value, unit and description.
func parseMetrics(text []byte) (map[string]engine.Metric, error) {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(text, &raw); err != nil {
		return nil, err
	}
	if len(raw) > maxMetrics {
		return nil, fmt.Errorf("%d metrics, at most %d", len(raw), maxMetrics)
	}
	out := map[string]engine.Metric{}
	for name, value := range raw {
		if name == "" || len(name) > 100 || !utf8.ValidString(name) {
			return nil, fmt.Errorf("%.120q cannot be the name of a metric", name)
		}
		var full struct {
			Value       *float64 `json:"value"`
			Unit        string   `json:"unit"`
			Description string   `json:"description"`
		}
		if json.Unmarshal(value, &full.Value) != nil || full.Value == nil {
			full.Value = nil // a failed Unmarshal may have set it all the same
			d := json.NewDecoder(bytes.NewReader(value))
			d.DisallowUnknownFields()
			if err := d.Decode(&full); err != nil || full.Value == nil {
				return nil, fmt.Errorf("%q is neither a number nor an object with a value", name)
			}
		}
		if math.IsNaN(*full.Value) || math.IsInf(*full.Value, 0) {
			return nil, fmt.Errorf("%q is not finite", name)
		}
		out[name] = engine.Metric{Value: *full.Value, Unit: full.Unit, Description: full.Description}
	}
	return out, nil
}

// A limitedWriter takes everything and keeps the first bytes.
type limitedWriter struct {
	w    io.Writer
	left int
}

func (l *limitedWriter) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	if _, err := l.w.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}
