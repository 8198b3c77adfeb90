package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"testing"
	"time"
)

// repository is a real one with a commit of a project in a directory of it, and
// with git's own settings out of the way.
func repository(t *testing.T) (top, root string) {
	t.Helper()
	top = t.TempDir()
	root = filepath.Join(top, "project")
	t.Setenv("GIT_CONFIG_GLOBAL", os.DevNull)
	t.Setenv("GIT_CONFIG_NOSYSTEM", "1")
	t.Setenv("GIT_CEILING_DIRECTORIES", filepath.Dir(top))
	for name, text := range map[string]string{"project/bench.hcl": "suite {}\n", "project/.gitignore": "*.tmp\n", "other/file": "x\n"} {
		write(t, filepath.Join(top, name), text)
	}
	gitDo(t, top, "init", "-q", ".")
	gitDo(t, top, "config", "user.email", "bench@example.org")
	gitDo(t, top, "config", "user.name", "bench")
	gitDo(t, top, "add", ".")
	gitDo(t, top, "commit", "-qm", "first")
	return top, root
}

func gitDo(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

var commitForm = regexp.MustCompile(`^[0-9a-f]{40}$`)

// What counts as a difference: files of the project, and not what git ignores,
// what bench writes, or what lies elsewhere.
func TestOriginDirty(t *testing.T) {
	for name, test := range map[string]struct {
		change func(t *testing.T, top, root string)
		own    []string
		want   bool
	}{
		"clean":   {func(*testing.T, string, string) {}, nil, false},
		"changed": {func(t *testing.T, _, root string) { write(t, root+"/bench.hcl", "suite { }\n") }, nil, true},
		"staged":  {func(t *testing.T, top, root string) { write(t, root+"/bench.hcl", ""); gitDo(t, top, "add", ".") }, nil, true},
		"removed": {func(t *testing.T, _, root string) { os.Remove(root + "/bench.hcl") }, nil, true},
		"new":     {func(t *testing.T, _, root string) { write(t, root+"/cases/new.hcl", "") }, nil, true},
		"new, and hidden": {func(t *testing.T, top, root string) {
			gitDo(t, top, "config", "status.showUntrackedFiles", "no")
			write(t, root+"/new.hcl", "")
		}, nil, true},
		"ignored":   {func(t *testing.T, _, root string) { write(t, root+"/a.tmp", "") }, nil, false},
		"elsewhere": {func(t *testing.T, top, _ string) { write(t, top+"/other/file", "y") }, nil, false},
		"own": {func(t *testing.T, _, root string) {
			write(t, root+"/.bench/lock", "")
			write(t, root+"/out/r*.xml", "")
		}, []string{".bench", "out/r*.xml", "../other", "/nowhere"}, false},
		"own, and new": {func(t *testing.T, _, root string) {
			write(t, root+"/out/r*.xml", "")
			write(t, root+"/out/rest.xml", "")
		}, []string{"out/r*.xml"}, true},
		"own is all": {func(t *testing.T, _, root string) { write(t, root+"/new.hcl", "") }, []string{"."}, true},
	} {
		t.Run(name, func(t *testing.T) {
			top, root := repository(t)
			test.change(t, top, root)
			for i, path := range test.own {
				if i == 0 {
					test.own[i] = filepath.Join(root, path) // as one that is absolute
				}
			}
			o := originOf(root, "docker 1.2.3", test.own...)
			if !commitForm.MatchString(o.Commit) || o.Engine != "docker 1.2.3" || o.OS != runtime.GOOS+"/"+runtime.GOARCH || o.Host == "" {
				t.Errorf("got %+v", o)
			}
			if o.Dirty == nil || *o.Dirty != test.want {
				t.Errorf("dirty is %v, want %v", o.Dirty, test.want)
			}
		})
	}
}

// What git cannot say is not known, and nothing fails for it.
func TestOriginUnknown(t *testing.T) {
	for name, prepare := range map[string]func(t *testing.T, top, root string){
		"no repository": func(t *testing.T, top, _ string) { os.RemoveAll(top + "/.git") },
		"no commit":     func(t *testing.T, top, _ string) { os.RemoveAll(top + "/.git"); gitDo(t, top, "init", "-q", ".") },
		"not in a commit": func(t *testing.T, top, root string) {
			gitDo(t, top, "rm", "-rq", "--cached", "project")
			write(t, top+"/.gitignore", "project\n")
			gitDo(t, top, "commit", "-qm", "second")
		},
		"no git":        func(t *testing.T, _, _ string) { t.Setenv("PATH", t.TempDir()) },
		"no such place": func(t *testing.T, top, _ string) { os.RemoveAll(top) },
		"git hangs": func(t *testing.T, top, _ string) {
			write(t, top+"/bin/git", "#!/bin/sh\nsleep 60\n")
			t.Setenv("PATH", top+"/bin:"+os.Getenv("PATH"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			top, root := repository(t)
			prepare(t, top, root)
			start := time.Now()
			o := originOf(root, "")
			if o.Commit != "" || o.Dirty != nil || o.Host == "" {
				t.Errorf("got %+v", o)
			}
			if took := time.Since(start); took > originWait+10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

// Neither the environment of a hook nor the settings of a repository lead git
// astray: another one is not asked, and no program of theirs is run.
func TestOriginSettings(t *testing.T) {
	other, _ := repository(t)
	gitDo(t, other, "commit", "-q", "--allow-empty", "-m", "of the other")
	top, root := repository(t)
	want := originOf(root, "")
	write(t, top+"/monitor", "#!/bin/sh\ntouch '"+top+"/asked'\n")
	gitDo(t, top, "config", "core.fsmonitor", top+"/monitor")
	write(t, root+"/bench.hcl", "changed\n")
	t.Setenv("GIT_DIR", filepath.Join(other, ".git"))
	t.Setenv("GIT_INDEX_FILE", filepath.Join(other, ".git", "index"))
	got := originOf(root, "")
	if got.Commit != want.Commit || got.Dirty == nil || !*got.Dirty {
		t.Errorf("got %+v, want commit %s, and dirty", got, want.Commit)
	}
	if _, err := os.Stat(top + "/asked"); err == nil {
		t.Error("the file system monitor was asked")
	}
	if _, err := os.Stat(top + "/.git/index.lock"); err == nil {
		t.Error("a lock is left")
	}
}
