package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/lang"
	"github.com/ml-dev-bench/bench/engine/plan"
)

// BenchmarkValidate is what somebody waits for who has saved the file and looks
// for mistakes.
func BenchmarkValidate(b *testing.B) {
	file := filepath.Join("..", "..", "benchfiles", "ml-dev-bench.hcl")
	for b.Loop() {
		command(b, "validate", file)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/validate")
}

// BenchmarkPlanStored plans 100,000 trials, all of which have ended: benchfile,
// store, plan and text together.
func BenchmarkPlanStored(b *testing.B) {
	file := filepath.Join(b.TempDir(), "suite.hcl")
	if err := os.WriteFile(file, []byte(wideSuite(50, 4, 500)), 0o644); err != nil {
		b.Fatal(err)
	}
	storeAll(b, file)
	time.Sleep(20 * time.Millisecond) // or the last of them were too new for an index
	if out := command(b, "plan", file); !strings.Contains(out, "100000 trials, 100000 reused") {
		b.Fatal(out)
	}
	for b.Loop() {
		command(b, "plan", file)
	}
	b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/plan")
}

// BenchmarkPlanNew plans 100,000 trials of which nothing is stored.
func BenchmarkPlanNew(b *testing.B) {
	for _, trials := range []int{50, 500} {
		b.Run(fmt.Sprint(200*trials), func(b *testing.B) {
			file := filepath.Join(b.TempDir(), "suite.hcl")
			if err := os.WriteFile(file, []byte(wideSuite(50, 4, trials)), 0o644); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				command(b, "plan", file)
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/plan")
		})
	}
}

func command(b *testing.B, args ...string) string {
	b.Helper()
	var out bytes.Buffer
	if status := run(args, strings.NewReader(""), &out, io.Discard); status != exitDone {
		b.Fatalf("%v: exit status %d", args, status)
	}
	return out.String()
}

// wideSuite crosses cases and agents, whose commands differ from case to case.
func wideSuite(cases, agents, trials int) string {
	var b strings.Builder
	b.WriteString("suite \"wide\" {}\nsandbox \"box\" { image = \"debian\" }\n")
	var refs []string
	for i := range cases {
		fmt.Fprintf(&b, "case \"case%d\" {\n  prompt = \"Do %d.\"\n  sandbox = sandbox.box\n  check \"c\" { command = [\"true\"] }\n  solution { command = [\"true\"] }\n}\n", i, i)
		refs = append(refs, fmt.Sprintf("case.case%d", i))
	}
	for i := range agents {
		fmt.Fprintf(&b, "agent \"agent%d\" {\n  command = [\"agent\", trial.prompt_file, trial.case]\n  needs_model = false\n}\n", i)
	}
	fmt.Fprintf(&b, "matrix \"m\" {\n  cases = [%s]\n  agents = [agent.*]\n  trials = %d\n}\n", strings.Join(refs, ", "), trials)
	return b.String()
}

// storeAll writes a verdict for every trial of a suite, without waiting for the
// disk.
func storeAll(b *testing.B, file string) {
	b.Helper()
	suite, _, diags := lang.Load(file, lang.Options{})
	if diags.HasErrors() {
		b.Fatal(diags)
	}
	p, _ := plan.New(suite, nil, plan.Options{})
	s, err := openStore(suite)
	if err == nil {
		err = s.Lock()
	}
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = s.Unlock() }()
	var wg sync.WaitGroup
	const writers = 4
	for w := range writers {
		wg.Go(func() {
			for i := w; i < len(p.Trials); i += writers {
				if err := storeOne(inRoot(suite, suite.ResultsDir), suite.Name, p.Trials[i]); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func storeOne(dir, suite string, t *engine.Trial) error {
	at := filepath.Join(dir, suite, "trials", t.ID.Dir(), "attempt-1")
	if err := os.MkdirAll(filepath.Join(at, "grade-1"), 0o755); err != nil {
		return err
	}
	a := &engine.Attempt{Trial: t.ID, N: 1, Key: t.Run.Key, Exit: new(0), Began: time.Unix(int64(t.ID.N), 0).UTC(), Took: time.Minute}
	if err := writeQuickly(filepath.Join(at, "run.json"), a); err != nil {
		return err
	}
	g := &engine.Grade{Key: t.Check.Key, Checks: []engine.CheckResult{{Name: "c", Passed: true, Score: 1, Weight: 1}}, Began: a.Began}
	return writeQuickly(filepath.Join(at, "grade-1", "grade.json"), g)
}

func writeQuickly(file string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
