package apply

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/snapshot"
)

// installDir is where the script that installs an agent lies while it runs.
const installDir = "/bench-install"

// install makes a build of a layer that is given as a script: its files, and the
// Dockerfile that runs it as root and removes it.
func install(layer *engine.Build) (engine.Image, func(io.Writer) error) {
	build := *layer
	build.Dockerfile = "Dockerfile"
	return engine.Image{Build: &build}, func(w io.Writer) error {
		files := snapshot.NewWriter(w)
		if err := files.File(snapshot.Place{Dir: "/"}, build.Dockerfile, []byte(installDockerfile(layer.Context))); err != nil {
			return err
		}
		if err := files.Tree(snapshot.Place{Dir: installDir}, layer.Context); err != nil {
			return err
		}
		return files.Close()
	}
}

func installDockerfile(files *engine.Tree) string {
	var script string
	for _, e := range files.Entries {
		if e.Mode.IsRegular() {
			script = installDir + "/" + e.Path
		}
	}
	run, err := json.Marshal([]string{"sh", script})
	if err != nil {
		panic(err) // a string has a JSON form
	}
	return fmt.Sprintf("ARG BASE\nFROM ${BASE}\nUSER 0:0\nCOPY .%[1]s %[1]s\nRUN %[2]s\nRUN [\"rm\", \"-r\", \"%[1]s\"]\n", installDir, run)
}
