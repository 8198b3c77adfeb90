package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// changedFiles lists the files below root that differ from a git revision, new
// ones that git does not know yet included. The paths are relative to root. The
// list is never nil.
func changedFiles(root, revision string) ([]string, error) {
	if strings.HasPrefix(revision, "-") {
		return nil, fmt.Errorf("--changed-since %s: a revision does not begin with a hyphen", revision)
	}
	// The work tree against the revision itself: what was committed since, and
	// what was not. Without renames, so that both names are listed.
	differ, err := git(context.Background(), root, "diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", revision, "--")
	if err != nil {
		return nil, fmt.Errorf("--changed-since %s: %w", revision, err)
	}
	fresh, err := git(context.Background(), root, "ls-files", "--others", "--exclude-standard", "-z")
	if err != nil {
		return nil, fmt.Errorf("--changed-since %s: %w", revision, err)
	}
	out := []string{}
	for _, name := range strings.Split(differ+fresh, "\x00") {
		if name != "" {
			out = append(out, filepath.ToSlash(name))
		}
	}
	return out, nil
}

// notHere are variables that point git somewhere else than to the directory it is
// called for. It sets them itself for its hooks, in which bench may well run.
var notHere = []string{"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"}

// git asks about the repository around dir. It takes no lock, so that nobody who
// works there is disturbed, and starts no file system monitor.
func git(ctx context.Context, dir string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", append([]string{"-C", dir, "-c", "core.fsmonitor=false"}, args...)...)
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(notHere, name)
	}), "GIT_OPTIONAL_LOCKS=0")
	cmd.WaitDelay = time.Second // for what git has started
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("git is not installed")
	}
	if err != nil {
		if line, _, _ := strings.Cut(strings.TrimSpace(stderr.String()), "\n"); line != "" {
			return "", errors.New(strings.TrimPrefix(line, "fatal: "))
		}
		return "", err
	}
	return string(out), nil
}
