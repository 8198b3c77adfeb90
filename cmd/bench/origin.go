package main

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
)

// originWait bounds all questions to git. A work tree may be on a disk that does
// not answer, and no run waits for that.
const originWait = 5 * time.Second

// originOf says where results are made: the machine, its sandboxes ("docker
// 20.10.24"), and the sources below root. Paths of what bench itself writes are
// in own, relative to root or absolute: they make no sources differ.
func originOf(root, sandboxes string, own ...string) engine.Origin {
	ctx, cancel := context.WithTimeout(context.Background(), originWait)
	defer cancel()
	o := engine.Origin{OS: runtime.GOOS + "/" + runtime.GOARCH, Engine: sandboxes}
	o.Host, _ = os.Hostname() // empty if it is not known
	o.Commit = commitOf(ctx, root)
	if o.Commit != "" {
		o.Dirty = dirty(ctx, root, own)
	}
	return o
}

// commitOf is the commit that root is at, or empty if no commit has that
// directory: a repository around it that ignores it says nothing about it.
func commitOf(ctx context.Context, root string) string {
	out, err := git(ctx, root, "rev-parse", "--verify", "HEAD^{commit}")
	if err != nil {
		return ""
	}
	if _, err := git(ctx, root, "rev-parse", "--verify", "HEAD:./"); err != nil {
		return ""
	}
	return strings.TrimSpace(out)
}

// dirty reports whether files below root differ from the commit, those included
// that git neither knows nor ignores; nil if git cannot say so. Those are listed
// one by one, since a directory is not clean if only a report of ours is in it.
func dirty(ctx context.Context, root string, own []string) *bool {
	args := []string{"status", "--porcelain", "--untracked-files=all", "--ignore-submodules=none", "--no-renames", "-z", "--", "."}
	for _, path := range own {
		if filepath.IsAbs(path) {
			rel, err := filepath.Rel(root, path)
			if err != nil {
				continue
			}
			path = rel
		}
		if path = filepath.Clean(path); path != "." && filepath.IsLocal(path) { // git asks for no more than is below root
			args = append(args, ":(exclude,literal)"+filepath.ToSlash(path))
		}
	}
	out, err := git(ctx, root, args...)
	if err != nil {
		return nil
	}
	differ := out != ""
	return &differ
}
