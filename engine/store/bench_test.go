package store_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
	"github.com/ml-dev-bench/bench/engine/store"
)

// BenchmarkOpen opens stores in which every trial has an attempt and a grade.
func BenchmarkOpen(b *testing.B) {
	for _, test := range []struct {
		name   string
		trials int
		index  bool
	}{
		{"index/100000", 100_000, true},
		{"index/5000", 5_000, true},
		{"files/5000", 5_000, false},
	} {
		b.Run(test.name, func(b *testing.B) {
			dir := filepath.Join(b.TempDir(), "results")
			fill(b, dir, test.trials)
			time.Sleep(20 * time.Millisecond) // or the last of them were too new for an index
			if _, err := store.Open(dir, "suite"); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if !test.index {
					b.StopTimer()
					if err := os.Remove(filepath.Join(dir, "suite", "index")); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
				}
				s, err := store.Open(dir, "suite")
				if err != nil {
					b.Fatal(err)
				}
				if s.Latest(trialOfMany(test.trials-1)) == nil {
					b.Fatal("the last one is not there")
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N), "ms/open")
		})
	}
}

func trialOfMany(i int) engine.TrialID {
	return engine.TrialID{Matrix: "matrix", Case: fmt.Sprintf("debugging/case_%d", i/40%50), Agent: fmt.Sprintf("agent-%d", i%4), Model: "model", N: i/2000*10 + i/4%10 + 1}
}

// fill writes trials without waiting for the disk.
func fill(b *testing.B, dir string, n int) {
	b.Helper()
	s, err := store.Open(dir, "suite")
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Lock(); err != nil {
		b.Fatal(err)
	}
	defer s.Unlock()
	var parts digest.KeyBuilder
	for i := range 25 {
		parts.AddSum(fmt.Sprintf("part.%d", i), engine.Digest{byte(i)})
	}
	run := parts.Key()
	exit := 0
	check := digest.NewKey("check/1").AddSum("run", run.Sum).Add("protect", "[]").Add("check.c.command", "[\"true\"]").Key()
	const writers = 4
	var wg sync.WaitGroup
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n; i += writers {
				id := trialOfMany(i)
				run := run
				run.Sum[0], run.Sum[1], run.Sum[2] = byte(i), byte(i>>8), byte(i>>16)
				at := filepath.Join(dir, "suite", "trials", id.Dir(), "attempt-1")
				err := os.MkdirAll(filepath.Join(at, "grade-1"), 0o755)
				if err == nil {
					err = writeQuick(filepath.Join(at, "run.json"), &engine.Attempt{Trial: id, N: 1, Key: run, Exit: &exit, Began: time.Unix(int64(i), 0), Took: time.Minute})
				}
				if err == nil {
					g := grade(check)
					g.Checks[0].Passed = i%3 == 0
					err = writeQuick(filepath.Join(at, "grade-1", "grade.json"), g)
				}
				if err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

func writeQuick(file string, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o644)
}
