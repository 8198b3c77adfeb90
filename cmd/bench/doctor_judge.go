package main

import (
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
)

// Levels of findings: only the last one means that trials cannot run.
const (
	levelOK   = "ok"
	levelWarn = "warn"
	levelFail = "FAIL"
)

// A finding is a line of doctor.
type finding struct {
	Level string `json:"level"`
	Check string `json:"check"`
	Text  string `json:"text"`
	Do    string `json:"do,omitempty"` // about it
}

// What doctor holds the facts against.
const (
	minAPI       = 41 // of 1.41, which Docker 20.10 speaks
	maxClockSkew = 2 * time.Second
	littleDisk   = 5 << 30
	noDisk       = 512 << 20
	fewSubnets   = 4
)

// diagnose says what the facts mean. It is pure.
func diagnose(f *facts) []finding {
	var out []finding
	if f.host == nil {
		out = append(out, finding{levelFail, "engine", firstLine(f.noEngine), startDocker + "."}, judgeLocal(f.noLocal))
	} else {
		out = append(out, judgeEngine(f.host), finding{Level: levelOK, Check: "address", Text: f.host.At}, judgeKernel(f.host))
		out = append(out, judgeLimits(f)...)
		out = append(out, judgeClock(f.host.Ahead), judgeNetworks(f), judgeGPUs(f.host), judgeLeft(f))
	}
	out = append(out, judgeBudget(f), judgeAssets(f))
	for _, d := range f.disks {
		out = append(out, judgeDisk(d))
	}
	return out
}

// judgeLocal is about what there is instead of an engine.
func judgeLocal(err error) finding {
	if err != nil {
		return finding{levelWarn, "local", "there are no local sandboxes either: " + firstLine(err), ""}
	}
	return finding{levelOK, "local", "trials could run as local processes, which isolate less", orLocal + "."}
}

func firstLine(err error) string {
	line, _, _ := strings.Cut(err.Error(), "\n")
	return line
}

func judgeEngine(h *docker.Host) finding {
	text := fmt.Sprintf("Docker %s, API %s, %s, %s of memory", h.Engine, h.API, plural(h.CPUs, "CPU"), formatSize(h.Memory))
	var minor int
	if _, err := fmt.Sscanf(h.API, "1.%d", &minor); err != nil || minor < minAPI {
		return finding{levelFail, "engine", text, fmt.Sprintf("bench needs API 1.%d: use Docker 20.10 or later.", minAPI)}
	}
	return finding{Level: levelOK, Check: "engine", Text: text}
}

func judgeKernel(h *docker.Host) finding {
	version := "control groups of unknown version"
	if h.Cgroup != "" {
		version = "control groups v" + h.Cgroup
	}
	text := fmt.Sprintf("storage driver %s, %s", h.Storage, version)
	switch {
	case h.Storage == "vfs":
		return finding{levelWarn, "kernel", text, "vfs copies the whole image for each sandbox: use overlay2 if the file system can."}
	case h.NoSwap:
		return finding{levelWarn, "kernel", text + ", swap cannot be limited", "A sandbox may use swap beyond its memory: boot with swapaccount=1, or without swap."}
	}
	return finding{Level: levelOK, Check: "kernel", Text: text}
}

// judgeLimits holds what the kernel has against what was asked for.
func judgeLimits(f *facts) []finding {
	switch {
	case errors.Is(f.noLimits, docker.ErrNoImage):
		return []finding{{levelWarn, "limits", "not checked: " + f.noLimits.Error(), "Run \"docker pull debian:trixie-slim\", and this again."}}
	case f.noLimits != nil:
		return []finding{{levelFail, "limits", "no sandbox starts: " + firstLine(f.noLimits), "Try \"docker run --rm debian:trixie-slim true\"; the engine's log says more."}}
	}
	var missing []string
	miss := func(what string, holds bool) {
		if !holds {
			missing = append(missing, what)
		}
	}
	miss("memory", f.found.Memory != nil && *f.found.Memory <= *f.asked.Memory)
	miss("processes", f.found.PIDs != nil && *f.found.PIDs <= *f.asked.PIDs)
	miss("CPUs", f.found.CPUs != nil && *f.found.CPUs <= *f.asked.CPUs)
	if len(missing) > 0 {
		return []finding{{levelFail, "limits", "a sandbox was not limited in " + strings.Join(missing, ", "), "The engine ignores these limits: see the warnings of \"docker info\". A rootless engine needs systemd and control groups v2."}}
	}
	return []finding{{Level: levelOK, Check: "limits", Text: "a sandbox was held to its memory, processes and CPUs"}}
}

func judgeClock(ahead *time.Duration) finding {
	switch {
	case ahead == nil:
		return finding{levelWarn, "clock", "the engine does not say what time it has", "Compare \"date\" here and on its machine."}
	case ahead.Abs() > maxClockSkew:
		way := "ahead of"
		if *ahead < 0 {
			way = "behind"
		}
		return finding{levelWarn, "clock", fmt.Sprintf("the engine is %s %s this machine", ahead.Abs().Round(time.Second), way), "Times in results will not fit together: set both clocks, for example by NTP."}
	}
	return finding{Level: levelOK, Check: "clock", Text: "the engine has the time of this machine"}
}

// judgeNetworks counts what is left of the range that subnets are cut from.
func judgeNetworks(f *facts) finding {
	if f.noNetwork != nil {
		return finding{levelWarn, "networks", "not checked: " + firstLine(f.noNetwork), ""}
	}
	if a, b := overlap(f.networks); a != "" {
		return finding{levelWarn, "networks", fmt.Sprintf("the addresses of networks %s and %s overlap", a, b), "Remove one of them with \"docker network rm\"."}
	}
	if f.noPool != nil {
		return finding{levelFail, "networks", f.noPool.Error(), "Correct it, or unset it."}
	}
	free, all := subnetsOf(f.pool, f.networks)
	text := fmt.Sprintf("%s, %d of %d subnets free", plural(len(f.networks), "network"), free, all)
	if free < fewSubnets {
		return finding{levelWarn, "networks", text, "Sandboxes with services or an open network need one each: run \"docker network prune\", or name another private range in BENCH_SUBNETS."}
	}
	return finding{Level: levelOK, Check: "networks", Text: text}
}

// overlap names two networks that share addresses.
func overlap(networks []docker.Network) (a, b string) {
	for i, n := range networks {
		for _, m := range networks[:i] {
			for _, x := range n.Subnets {
				for _, y := range m.Subnets {
					if x.Overlaps(y) {
						return m.Name, n.Name
					}
				}
			}
		}
	}
	return "", ""
}

// subnetsOf counts the small subnets of a range, and those that no network has.
func subnetsOf(pool netip.Prefix, networks []docker.Network) (free, all int) {
	all = 1 << (docker.SubnetBits - pool.Bits())
	free = all
	for _, network := range networks {
		for _, s := range network.Subnets {
			if s.Overlaps(pool) {
				free -= 1 << max(0, docker.SubnetBits-max(s.Bits(), pool.Bits()))
			}
		}
	}
	return max(0, free), all
}

func judgeGPUs(h *docker.Host) finding {
	text := map[string]string{"nvidia": "by the runtime nvidia", "cdi": "by CDI devices", "": "none: sandboxes with gpus cannot start here"}[h.GPUs]
	return finding{Level: levelOK, Check: "gpus", Text: text}
}

func judgeLeft(f *facts) finding {
	if f.noThings != nil {
		return finding{levelWarn, "left", "not checked: " + firstLine(f.noThings), ""}
	}
	if n := len(f.left); n > 0 {
		return finding{levelWarn, "left", fmt.Sprintf("%s of bench processes that died, such as %s %s", plural(n, "thing"), f.left[0].Kind, f.left[0].Name), "It goes as this command ends; \"bench clean\" says if it cannot."}
	}
	return finding{Level: levelOK, Check: "left", Text: "nothing is left of processes that died"}
}

func judgeBudget(f *facts) finding {
	if f.noBudget != nil {
		return finding{levelFail, "images", f.noBudget.Error(), "Correct it, or unset it for 20GiB."}
	}
	var sum int64
	for _, t := range f.images {
		sum += t.Size
	}
	text := fmt.Sprintf("%s built here, %s of a budget of %s", plural(len(f.images), "image"), formatSize(sum), formatSize(f.budget))
	switch {
	case f.host == nil || f.noThings != nil:
		return finding{Level: levelOK, Check: "images", Text: "a budget of " + formatSize(f.budget)}
	case sum > f.budget:
		return finding{levelWarn, "images", text, "Run \"bench clean --images\", or raise BENCH_DISK_BUDGET."}
	}
	return finding{Level: levelOK, Check: "images", Text: text}
}

func judgeDisk(d disk) finding {
	switch {
	case d.free == nil:
		return finding{levelWarn, "disk", fmt.Sprintf("%s: how much is free in %s is not known", d.what, d.dir), ""}
	case *d.free < noDisk:
		return finding{levelFail, "disk", fmt.Sprintf("%s: %s free in %s", d.what, formatSize(*d.free), d.dir), "Make room: \"bench clean FILE\" removes what bench does not need."}
	case *d.free < littleDisk:
		return finding{levelWarn, "disk", fmt.Sprintf("%s: %s free in %s", d.what, formatSize(*d.free), d.dir), "It will not last long: \"bench clean FILE\" removes what bench does not need."}
	}
	return finding{Level: levelOK, Check: "disk", Text: fmt.Sprintf("%s: %s free in %s", d.what, formatSize(*d.free), d.dir)}
}
