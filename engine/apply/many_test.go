package apply_test

import (
	"testing"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/store"
)

// BenchmarkManyAtOnce runs 200 trials of which nothing but bench's own work is
// left, 64 at once, on one engine. None of them may want for an address, a
// process or a turn.
func BenchmarkManyAtOnce(b *testing.B) {
	const trials, atOnce = 200, 64
	driver, err := docker.Open(b.Context(), docker.Options{State: b.TempDir()})
	if err != nil {
		b.Fatalf("this benchmark needs a Docker engine (make bench starts one): %v", err)
	}
	defer driver.Close()
	for b.Loop() {
		results, err := store.Open(b.TempDir(), "many")
		if err != nil {
			b.Fatal(err)
		}
		if err := results.Lock(); err != nil {
			b.Fatal(err)
		}
		suite := noopSuite()
		suite.Matrices[0].Trials = trials
		suite.Matrices[0].Cases[0].Sandbox.Memory = 64 << 20
		p, diags := plan.New(suite, nil, plan.Options{})
		if diags.HasErrors() {
			b.Fatal(diags)
		}
		done, _ := apply.Run(b.Context(), p, apply.Options{Driver: driver, Store: results, Machine: apply.Machine{CPUs: atOnce}, Parallel: atOnce})
		for _, r := range done {
			if r.Outcome.Status != engine.StatusPassed && r.Outcome.Status != engine.StatusFailed {
				b.Errorf("%s: %v %s", r.Trial.ID, r.Outcome, r.Outcome.Detail)
			}
		}
		if err := results.Unlock(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(trials*b.N)/b.Elapsed().Seconds(), "trials/s")
}
