package docker_test

import (
	"io"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/sandbox"
	"github.com/ml-dev-bench/bench/engine/sandbox/sandboxtest"
)

// A container that somebody takes away while a command runs in it is trouble of
// the world, and never a command that failed: not even in the moment in which the
// engine does not know yet that the container is ending.
func TestContainerLost(t *testing.T) {
	state := t.TempDir()
	d := open(t, state)
	defer d.Close()
	image := baseID(t, d)
	for round := range 8 {
		spec := sandboxtest.Spec(image)
		spec.Trial = "hang in " + state
		box, err := d.Start(t.Context(), spec)
		if err != nil {
			t.Fatal(err)
		}
		started, out := io.Pipe()
		go func() {
			_, _ = io.ReadFull(started, make([]byte, 3)) // the command runs
			for _, id := range containers(t, state) {
				if round%2 == 0 {
					dockerCommand(t, "kill", id)
				} else {
					dockerCommand(t, "rm", "-f", id)
				}
			}
		}()
		exit, err := box.Exec(t.Context(), sandbox.Cmd{Args: []string{"sh", "-c", "echo go; sleep 5"}, Dir: "/", User: engine.DefaultUser, Stdout: out})
		if err == nil {
			t.Errorf("round %d: the command ended with %d, and nothing went wrong", round, exit.Code)
		}
		if err := box.Close(); err != nil {
			t.Error(err)
		}
	}
}
