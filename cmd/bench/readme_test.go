package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestReadme runs every command of the README in a copy of the project, and
// looks for the output that the README shows, line by line. Lines may be left
// out there, and times may differ.
func TestReadme(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	dir := copyProject(t, root)
	commands := readmeCommands(string(text))
	if len(commands) < 4 {
		t.Fatalf("found %d commands in the README", len(commands))
	}
	for _, c := range commands {
		t.Run(c.line, func(t *testing.T) {
			cmd := exec.Command("sh", "-c", c.line)
			cmd.Dir = dir
			cmd.Env = append(os.Environ(), "BENCH_STATE_DIR="+t.TempDir(), "NO_COLOR=1")
			out, err := cmd.CombinedOutput()
			shown := strings.Join(c.output, "\n")
			if wantsError := strings.HasPrefix(shown, "error:"); (err != nil) != wantsError {
				t.Fatalf("%v\n%s", err, out)
			}
			lines := map[string]bool{}
			for line := range strings.Lines(string(out)) {
				lines[withoutTimes(line)] = true
			}
			for _, want := range c.output {
				if !lines[withoutTimes(want)] {
					t.Errorf("the README shows a line that is not printed: %q\nprinted:\n%s", want, out)
				}
			}
		})
	}
}

type readmeCommand struct {
	line   string
	output []string
}

// readmeCommands gives the lines after "$ " of the console blocks, each with
// what stands below it.
func readmeCommands(text string) []readmeCommand {
	var out []readmeCommand
	inside := false
	for line := range strings.SplitSeq(text, "\n") {
		switch {
		case strings.HasPrefix(line, "```"):
			inside = line == "```console"
		case inside && strings.HasPrefix(line, "$ "):
			out = append(out, readmeCommand{line: line[2:]})
		case inside && line != "":
			last := &out[len(out)-1]
			last.output = append(last.output, line)
		}
	}
	return out
}

var (
	times   = regexp.MustCompile(`\s+<?\d+(\.\d+)?(m?s)?$|\s+$`)
	seconds = regexp.MustCompile(`\b\d\.\d\d\b`)
)

// withoutTimes cuts a time at the end of a line, and makes those within it alike.
func withoutTimes(line string) string {
	return seconds.ReplaceAllString(times.ReplaceAllString(strings.TrimRight(line, " \n"), ""), "TIME")
}

// copyProject copies what git knows of the project, and what it would not
// ignore: a fresh clone, with the changes that are being tested.
func copyProject(t *testing.T, root string) string {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	cmd.Dir = root
	list, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name := range strings.SplitSeq(strings.TrimRight(string(list), "\x00"), "\x00") {
		from := filepath.Join(root, name)
		info, err := os.Lstat(from)
		if err != nil {
			continue // deleted, and not committed yet
		}
		to := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			t.Fatal(err)
		}
		if info.Mode()&os.ModeSymlink != 0 {
			target, err := os.Readlink(from)
			if err == nil {
				err = os.Symlink(target, to)
			}
			if err != nil {
				t.Fatal(err)
			}
			continue
		}
		text, err := os.ReadFile(from)
		if err == nil {
			err = os.WriteFile(to, text, info.Mode().Perm())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestReadmeNamesCommands holds the table of commands against the commands that
// there are.
func TestReadmeNamesCommands(t *testing.T) {
	text, err := os.ReadFile(filepath.Join("..", "..", "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range newRootCmd(&app{}).Commands() {
		if c.Name() == "help" || c.Hidden {
			continue
		}
		if !strings.Contains(string(text), "\n| `bench "+c.Name()+" ") && !strings.Contains(string(text), "\n| `bench "+c.Name()+"`") {
			t.Errorf("the README has no line for bench %s", c.Name())
		}
	}
}
