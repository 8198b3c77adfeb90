package certify

import (
	"embed"
	"io/fs"
	"path"
	"strings"
	"sync"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

//go:embed battery/*.sh
var batteryFiles embed.FS

// lib is what the scripts of the battery have in common.
const lib = "lib.sh"

// A Cheat is an answer that does not do what any case asks for.
type Cheat struct {
	Name   string // "os_exit"
	What   string // what it does, in the present tense and without a full stop
	Do     string // what the author of a check does against it
	Script engine.Script
}

// do says against which cheat what helps.
var do = map[string]string{
	"believed_output":   "Do not decide by what the candidate prints; compute what should come out, and compare.",
	"daemon":            "Copy what is graded to a place of root's, and kill the candidate's processes before reading what they wrote.",
	"deleted_tests":     "Protect the tests, or bring the check's own, and demand the number of tests that must run.",
	"emptied_tests":     "Protect the tests, or bring the check's own, and demand the number of tests that must run.",
	"fake_modules":      "Run the candidate's code with python3 -I, on a copy of just the files that it was to deliver.",
	"finds_answers":     "Keep answers out of the image, the workspace and the setup; a check's files are the place for them.",
	"hooks":             "Run python3 with -I and pytest with --noconftest, on a copy of just the files that were to be delivered.",
	"huge_files":        "Demand what should be in the files, and bound what is read.",
	"links_out":         "Open what is read without following links.",
	"os_exit":           "An exit status of 0 proves nothing: demand an answer that only finished work can give.",
	"pipes":             "Demand plain files, and open them without waiting.",
	"result_file":       "Read no verdict that the candidate can write.",
	"shadowed_commands": "Call programs by absolute paths, or with a PATH that has no directory of the candidate's.",
	"sys_exit":          "An exit status of 0 proves nothing: demand an answer that only finished work can give.",
}

// Battery lists the cheats, sorted by name.
var Battery = sync.OnceValue(func() []Cheat {
	names, err := fs.Glob(batteryFiles, "battery/*.sh")
	if err != nil {
		panic(err)
	}
	var out []Cheat
	for _, file := range names {
		if name := strings.TrimSuffix(path.Base(file), ".sh"); path.Base(file) != lib {
			out = append(out, newCheat(name))
		}
	}
	return out
})

func newCheat(name string) Cheat {
	files, err := fs.Sub(batteryFiles, "battery")
	if err != nil {
		panic(err)
	}
	mine := func(p string, _ bool) bool { return p != name+".sh" && p != lib }
	tree, err := digest.Tree("cheat "+name, files, mine)
	if err != nil {
		panic(err)
	}
	text, err := fs.ReadFile(files, name+".sh")
	if err != nil {
		panic(err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	what := strings.TrimSuffix(strings.TrimPrefix(first, "# "), ".")
	return Cheat{
		Name: name, What: strings.ToLower(what[:1]) + what[1:], Do: do[name],
		Script: engine.Script{Command: []string{"sh", "/solution/" + name + ".sh"}, Files: tree},
	}
}

// cheatOf finds a cheat by its name.
func cheatOf(name string) Cheat {
	for _, c := range Battery() {
		if c.Name == name {
			return c
		}
	}
	panic("certify: no cheat " + name)
}
