package main

import (
	"context"
	"fmt"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/apply"
	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
	"github.com/ml-dev-bench/bench/engine/sandbox/local"
)

// probeTime is how long plan waits for an engine that does not answer.
const probeTime = 2 * time.Second

// tooLargeHere holds a plan against the machine that would run it, if it can be
// asked: otherwise a plan is as good, but for this.
func (a *app) tooLargeHere(p *engine.Plan) engine.Diagnostics {
	if len(p.Steps) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), probeTime)
	defer cancel()
	if p.Driver == engine.DriverLocal {
		host := local.Describe()
		return tooLarge(p, machineOf(host.CPUs, host.Memory))
	}
	host, err := docker.Probe(ctx)
	if err != nil {
		return nil
	}
	return tooLarge(p, machineOf(host.CPUs, host.Memory))
}

// tooLarge reports sandboxes that the machine cannot hold.
func tooLarge(p *engine.Plan, machine apply.Machine) engine.Diagnostics {
	var out engine.Diagnostics
	name := "the machine of the Docker engine"
	if p.Driver == engine.DriverLocal {
		name = "this machine"
	}
	for _, t := range p.Trials {
		if t.Reuse.Sign == engine.SignSame {
			continue
		}
		box := t.Case.Sandbox
		report := func(what, detail string, args ...any) {
			out = append(out, engine.Diagnostic{Severity: engine.SeverityError, Rule: "V16", Subject: box.Pos.Range(),
				Summary: fmt.Sprintf("sandbox %q asks for more %s than there is", box.Name, what), Detail: fmt.Sprintf(detail, args...)})
		}
		if box.CPUs > float64(machine.CPUs) {
			report("CPUs", "It asks for %v, and %s has %d. Lower cpus, or use a larger machine.", box.CPUs, name, machine.CPUs)
		}
		if box.Memory > machine.Memory {
			report("memory", "It asks for %.1f GiB, and %s has %.1f GiB. Lower memory, or use a larger machine.", gib(box.Memory), name, gib(machine.Memory))
		}
	}
	return out.Sorted()
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }
