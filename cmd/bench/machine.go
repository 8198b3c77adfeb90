package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
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
		return tooLarge(p, localMachine(host))
	}
	host, err := docker.Probe(ctx)
	if err != nil {
		return nil
	}
	gpus, err := gpusOf(ctx, host)
	if err != nil {
		return nil
	}
	return tooLarge(p, machineOf(host, gpus))
}

// A machine is what sandboxes can have.
type machine struct {
	apply.Machine
	runtimes []string // of containers
}

func machineOf(host docker.Host, gpus []string) machine {
	return machine{apply.Machine{CPUs: host.CPUs, Memory: host.Memory, GPUs: gpus}, host.Runtimes}
}

func localMachine(host local.Host) machine {
	return machine{Machine: apply.Machine{CPUs: host.CPUs, Memory: host.Memory}}
}

// tooLarge reports sandboxes that the machine cannot hold.
func tooLarge(p *engine.Plan, m machine) engine.Diagnostics {
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
		if box.CPUs > float64(m.CPUs) {
			report("CPUs", "It asks for %v, and %s has %d. Lower cpus, or use a larger machine.", box.CPUs, name, m.CPUs)
		}
		memory, and := box.Memory, ""
		if t.Reuse.Attempt == nil && len(box.Services) > 0 { // it runs, and is not only graded
			memory, _ = box.WithServices()
			and = " with its services"
		}
		if memory > m.Memory {
			report("memory", "It asks for %.1f GiB"+and+", and %s has %.1f GiB. Lower memory, or use a larger machine.", gib(memory), name, gib(m.Memory))
		}
		if box.Runtime != "" && !slices.Contains(m.runtimes, box.Runtime) {
			out = append(out, engine.Diagnostic{Severity: engine.SeverityError, Rule: "V16", Subject: box.Pos.Range(),
				Summary: fmt.Sprintf("sandbox %q asks for a runtime that is not there", box.Name),
				Detail:  fmt.Sprintf("It asks for %q, and the Docker engine has %s. Choose one of these, or add it to the engine's runtimes.", box.Runtime, strings.Join(m.runtimes, ", "))})
		}
		if box.GPUs > len(m.GPUs) {
			report("GPUs", "It asks for %d, and bench knows of %d on %s. Lower gpus, or use a machine with more; if there are more, name their ids in BENCH_GPUS, as in 0,1.", box.GPUs, len(m.GPUs), name)
		}
	}
	return out.Sorted()
}

func gib(n int64) float64 { return float64(n) / (1 << 30) }
