package main

import (
	"bytes"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
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
	differ, err := git(root, "diff", "--name-only", "--no-renames", "--no-ext-diff", "--relative", "-z", revision, "--")
	if err != nil {
		return nil, fmt.Errorf("--changed-since %s: %w", revision, err)
	}
	fresh, err := git(root, "ls-files", "--others", "--exclude-standard", "-z")
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

func git(dir string, args ...string) (string, error) {
	cmd := exec.Command("git", append([]string{"-C", dir}, args...)...)
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
