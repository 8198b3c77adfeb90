package engine_test

import (
	"slices"
	"testing"

	"github.com/ml-dev-bench/bench/engine"
)

func TestFilesystemIsWeak(t *testing.T) {
	c := &engine.Case{Snapshot: engine.SnapshotWorkspace}
	r := engine.Result{Trial: &engine.Trial{Case: c}}
	if got := r.Weaknesses(); len(got) != 0 {
		t.Errorf("the snapshot of a workspace has %q", got)
	}
	c.Snapshot = engine.SnapshotFilesystem
	if got, want := r.Weaknesses(), []string{`snapshot = "filesystem": the agent can change the programs with which it is checked`}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
}
