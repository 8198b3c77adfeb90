package certificate

import (
	"bytes"
	"encoding/xml"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// example has a case that is certified, one that was before, one that is not, and
// one of which nothing is known; what agents print tries to be more than text.
func example() *Report {
	at := func(name string) *engine.Case {
		return &engine.Case{Name: name, Pos: engine.Pos{File: "cases/" + name + "/case.hcl"}}
	}
	id := func(name, agent string) []engine.TrialID {
		return []engine.TrialID{{Matrix: "certify", Case: name, Agent: agent, N: 1}}
	}
	holds := []engine.Proof{
		{Kind: engine.ProofOracle, Want: "its own solution passes, 3 of 3 times", State: engine.ProofHolds, Right: 3, Asked: 3, Trials: id("toy/sound", "oracle")},
		{Kind: engine.ProofCheat, Name: "pipes", Want: "an agent fails that makes pipes", State: engine.ProofHolds, Right: 1, Asked: 1},
	}
	return &Report{
		Version: engine.Version{Bench: "0.1.0", Commit: "abc"}, Origin: engine.Origin{Engine: "docker 28.0"},
		Certificates: []*engine.Certificate{
			{Case: at("toy/sound"), Repeat: 3, Flake: engine.Flake{Asked: 8}, Proofs: holds},
			{Case: at("toy/before"), Repeat: 3, Old: true},
			{Case: at("toy/broken"), Repeat: 3, Flake: engine.Flake{Asked: 8, Odd: 1}, Proofs: []engine.Proof{
				{Kind: engine.ProofNoop, Want: "doing nothing fails, 3 of 3 times", State: engine.ProofBroken, Asked: 3, Detail: "It passes. The agent printed: `rm` | <b>\x1b[31m\n@all #1 ]]>"},
			}},
			{Case: at("toy/unknown"), Repeat: 3, Proofs: []engine.Proof{
				{Kind: engine.ProofMutant, Name: "wrong", Want: "mutant wrong fails", State: engine.ProofUnknown, Asked: 1, Detail: "Run bench test again."},
			}},
		},
	}
}

func TestGolden(t *testing.T) {
	for name, write := range map[string]func(io.Writer, *Report) error{"report.json": JSON, "report.md": Markdown, "report.xml": JUnit} {
		var got bytes.Buffer
		if err := write(&got, example()); err != nil {
			t.Fatal(err)
		}
		golden := filepath.Join("testdata", name)
		if *update {
			if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got.String()); diff != "" {
			t.Errorf("%s: go test -update writes it anew (-want +got):\n%s", name, diff)
		}
	}
}

// What CI systems count has to add up.
func TestJUnitAddsUp(t *testing.T) {
	var b bytes.Buffer
	if err := JUnit(&b, example()); err != nil {
		t.Fatal(err)
	}
	var doc testsuites
	if err := xml.Unmarshal(b.Bytes(), &doc); err != nil {
		t.Fatal(err)
	}
	if doc.Tests != 5 || doc.Failures != 1 || doc.Errors != 1 || doc.Skipped != 1 {
		t.Errorf("got %d tests, %d failures, %d errors, %d skipped", doc.Tests, doc.Failures, doc.Errors, doc.Skipped)
	}
	certified, broken, unknown := example().Counts()
	if certified != 2 || broken != 1 || unknown != 1 {
		t.Errorf("got %d certified, %d broken, %d unknown", certified, broken, unknown)
	}
}
