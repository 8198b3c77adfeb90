package lang_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
)

// said loads a suite, and gives all that is said of it.
func said(t *testing.T, root, file string) string {
	t.Helper()
	_, sources, diags := lang.Load(filepath.Join(root, file), lang.Options{Root: root})
	for i := range diags {
		diags[i].Detail = strings.ReplaceAll(diags[i].Detail, root, "/project")
	}
	var out bytes.Buffer
	if err := sources.Write(&out, diags, 80, false); err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(out.String()), " ")
}

// small is a project with one place for a mistake.
func small(body string) map[string]string {
	return map[string]string{
		"cases/README": "",
		"ws/a":         "a\n",
		"install.sh":   "true\n",
		"box.hcl":      "sandbox \"box\" {\n  image = \"debian:trixie-slim\"\n}\n",
		"s.hcl": `suite "s" {
  imports = ["box.hcl"]
}

case "c" {
  prompt  = "p"
  sandbox = sandbox.box

  check "k" {
    command = ["true"]
  }

  solution {
    command = ["true"]
  }
` + body + `}

agent "noop" {
  builtin = "noop"
}

matrix "m" {
  cases  = [case.c]
  agents = [agent.noop]
}
`,
	}
}

// What a link says is where it leads, and why that is not read.
func TestLinks(t *testing.T) {
	outside := t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "top.txt"), []byte("TOP"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name, body string
		links      map[string]string // from the root, to wherever
		want       string
	}{
		{"directory out of the root", "workspace = \"out\"\n", map[string]string{"out": outside}, "out is a symbolic link that leads out of the project root. Put the file itself there."},
		{"by its relative path", "workspace = \"out\"\n", map[string]string{"out": "../" + filepath.Base(outside)}, "leads out of the project root"},
		{"inside of a tree", "workspace = \"ws\"\n", map[string]string{"ws/out": outside}, "leads out of the directory"},
		{"into a directory above", "workspace = \"out/deep\"\n", map[string]string{"out": outside}, "leads out of the project root"},
		{"to nothing", "workspace = \"gone\"\n", map[string]string{"gone": "nowhere"}, "gone is a symbolic link, and what it points to is not there"},
		{"to itself", "workspace = \"loop\"\n", map[string]string{"loop": "loop"}, "too many levels of symbolic links"},
		{"within the root", "workspace = \"in\"\n", map[string]string{"in": "ws"}, ""},
		{"prompt", "description = file(\"out\")\n", map[string]string{"out": outside + "/top.txt"}, "out is a symbolic link that leads out of the project root"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := project(t, small(tt.body))
			for from, to := range tt.links {
				if err := os.Symlink(to, filepath.Join(root, from)); err != nil {
					t.Fatal(err)
				}
			}
			got := said(t, root, "s.hcl")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) || strings.Contains(got, "TOP") {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestLinkedFiles(t *testing.T) {
	files := small("")
	files["s.hcl"] = strings.Replace(files["s.hcl"], "builtin = \"noop\"", "command = [\"x\"]\n  needs_model = false\n  install = \"link.sh\"", 1)
	root := project(t, files)
	if err := os.Symlink("install.sh", filepath.Join(root, "link.sh")); err != nil {
		t.Fatal(err)
	}
	if got := said(t, root, "s.hcl"); !strings.Contains(got, "Name the file that it points to.") {
		t.Errorf("got %q", got)
	}

	// An import may be a link, as long as it leads nowhere else.
	root = project(t, small(""))
	if err := os.Rename(filepath.Join(root, "box.hcl"), filepath.Join(root, "real.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("real.hcl", filepath.Join(root, "box.hcl")); err != nil {
		t.Fatal(err)
	}
	if got := said(t, root, "s.hcl"); got != "" {
		t.Errorf("a link within the root: got %q", got)
	}
	if err := os.Remove(filepath.Join(root, "box.hcl")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/hosts", filepath.Join(root, "box.hcl")); err != nil {
		t.Fatal(err)
	}
	if got := said(t, root, "s.hcl"); !strings.Contains(got, "box.hcl is a symbolic link that leads out of the project root") || strings.Contains(got, "unknown sandbox") {
		t.Errorf("a link out of the root: got %q", got)
	}
}

// What is not a file that people write is refused at once, and not waited for.
func TestOddFiles(t *testing.T) {
	for _, tt := range []struct {
		name string
		make func(t *testing.T, root string)
		want string
	}{
		{"a pipe as an import", func(t *testing.T, root string) {
			pipe(t, root, "box.hcl")
		}, "box.hcl cannot be read as a benchfile"},
		{"a directory as a case file", func(t *testing.T, root string) {
			write(t, root, "cases/c/case.hcl/x", "")
		}, ""},
		{"a benchfile of a megabyte", func(t *testing.T, root string) {
			write(t, root, "box.hcl", strings.Repeat("# x\n", 1<<18)+"#\n")
		}, "it has more than 1048576 bytes"},
		{"an empty import", func(t *testing.T, root string) {
			write(t, root, "box.hcl", "")
		}, "unknown sandbox \"box\""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			root := project(t, small(""))
			if err := os.Remove(filepath.Join(root, "box.hcl")); err != nil && tt.want != "" {
				t.Fatal(err)
			}
			if tt.want == "" {
				write(t, root, "box.hcl", small("")["box.hcl"])
			}
			tt.make(t, root)
			got := said(t, root, "s.hcl")
			if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func pipe(t *testing.T, root, name string) {
	t.Helper()
	if err := syscall.Mkfifo(filepath.Join(root, name), 0o644); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, root, name, text string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestUnreadable(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root can read everything")
	}
	root := project(t, small(""))
	if err := os.Chmod(filepath.Join(root, "box.hcl"), 0); err != nil {
		t.Fatal(err)
	}
	if got := said(t, root, "s.hcl"); !strings.Contains(got, "box.hcl: permission denied") {
		t.Errorf("got %q", got)
	}
}

// A pipe that an expression reads must not hang either.
func TestPipeInExpression(t *testing.T) {
	root := project(t, small("description = file(\"pipe\")\n"))
	pipe(t, root, "pipe")
	if got := said(t, root, "s.hcl"); !strings.Contains(got, "pipe: not a regular file") {
		t.Errorf("got %q", got)
	}
}

func TestRoots(t *testing.T) {
	root := project(t, small(""))
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(root, link); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, file, root, want string }{
		{"found upward", filepath.Join(root, "s.hcl"), "", ""},
		{"through a link", filepath.Join(link, "s.hcl"), root, ""},
		{"root through a link", filepath.Join(root, "s.hcl"), link, ""},
		{"outside", filepath.Join(root, "s.hcl"), t.TempDir(), "the benchfile lies outside of the project root"},
		{"no such root", filepath.Join(root, "s.hcl"), filepath.Join(root, "gone"), "cannot open the project root"},
		{"a file as root", filepath.Join(root, "s.hcl"), filepath.Join(root, "s.hcl"), "cannot open the project root"},
	} {
		suite, sources, diags := lang.Load(tt.file, lang.Options{Root: tt.root})
		var out bytes.Buffer
		if err := sources.Write(&out, diags, 80, false); err != nil {
			t.Fatal(err)
		}
		if (suite != nil) != (tt.want == "") || !strings.Contains(out.String(), tt.want) {
			t.Errorf("%s: got suite %v and\n%s", tt.name, suite != nil, &out)
		}
	}
}

// Where there are no cases at all, the message says where they were looked for.
func TestNoCases(t *testing.T) {
	root := project(t, map[string]string{"s.hcl": "suite \"s\" {}\n\nagent \"noop\" {\n  builtin = \"noop\"\n}\n\nmatrix \"m\" {\n  cases  = [\"cases/*\"]\n  agents = [agent.noop]\n}\n"})
	if got := said(t, root, "s.hcl"); !strings.Contains(got, "There are no cases below /project/cases.") {
		t.Errorf("got %q", got)
	}
}

// Files that were edited elsewhere: a byte order mark, and lines that end in
// another way.
func TestEncodings(t *testing.T) {
	files := small("")
	files["s.hcl"] = "\ufeff" + strings.ReplaceAll(files["s.hcl"], "\n", "\r\n")
	if got := said(t, project(t, files), "s.hcl"); strings.Contains(got, "error:") && !strings.Contains(got, "byte order mark") {
		t.Errorf("got %q", got)
	}
}

// What the root is may be written in full: that is no way out of it, and no more
// than what lies in it.
func TestMountByFullPath(t *testing.T) {
	files := small("")
	root := project(t, files)
	write(t, root, "box.hcl", "sandbox \"box\" {\n  image = \"debian:trixie-slim\"\n  user = \"root\"\n\n  mount {\n    source = \""+filepath.ToSlash(root)+"/ws\"\n    target = \"/ws\"\n  }\n}\n")
	suite, sources, diags := lang.Load(filepath.Join(root, "s.hcl"), lang.Options{Root: root})
	if len(diags) > 0 {
		show(t, sources, diags)
	}
	box := suite.Cases[0].Sandbox
	if m := box.Mounts[0]; m.Outside || m.Source != "ws" {
		t.Errorf("got %+v", m)
	}
	if box.User != engine.Root {
		t.Errorf("got user %+v", box.User)
	}
}

// Cases that lie elsewhere are not looked for there.
func TestCasesElsewhere(t *testing.T) {
	files := small("")
	delete(files, "cases/README")
	files["s.hcl"] = strings.Replace(files["s.hcl"], "cases  = [case.c]", "cases  = [case.c, \"cases/*\"]", 1)
	root := project(t, files)
	if err := os.Symlink(t.TempDir(), filepath.Join(root, "cases")); err != nil {
		t.Fatal(err)
	}
	if got := said(t, root, "s.hcl"); !strings.Contains(got, "cannot look for cases") || strings.Contains(got, "matches no case") {
		t.Errorf("got %q", got)
	}
	root = project(t, small(""))
	write(t, root, "cases/.git/x/case.hcl", "nonsense")
	if got := said(t, root, "s.hcl"); got != "" {
		t.Errorf("a directory that is hidden: got %q", got)
	}
}
