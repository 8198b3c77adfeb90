package main

import (
	"cmp"
	"debug/elf"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// In a sandbox that reaches a model or hosts through bench, bench itself is the side
// inside of the tunnel: see main, and package tunnel. The sandbox has nothing that a
// dynamic executable needs, and may be of another platform.

// helper finds a bench that runs in any sandbox of a platform such as
// "linux/amd64": this one, or else one beside it that is named after the platform.
func helper(platform string) (string, error) {
	own, err := os.Executable()
	if err != nil {
		return "", err
	}
	return helperBeside(own, platform)
}

func helperBeside(own, platform string) (string, error) {
	arch := strings.TrimPrefix(platform, "linux/")
	other := filepath.Join(filepath.Dir(own), "bench-linux-"+arch)
	ownErr := runsAnywhere(own, arch)
	if ownErr == nil {
		return own, nil
	}
	otherErr := runsAnywhere(other, arch)
	if otherErr == nil {
		return other, nil
	}
	if errors.Is(otherErr, os.ErrNotExist) {
		otherErr = errors.New("does not exist")
	}
	return "", fmt.Errorf("there is no static bench for %s to run beside an agent: %s %w, and %s %w; in a clone of bench, \"CGO_ENABLED=0 GOOS=linux GOARCH=%s go build -o %s ./cmd/bench\" makes one",
		platform, filepath.Base(own), ownErr, other, otherErr, arch, other)
}

// machines are the architectures that helpers are for, as executables call them.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// runsAnywhere reports an error unless a file is an executable for Linux on an
// architecture that needs no other files. The error goes on after its name.
func runsAnywhere(file, arch string) error {
	if _, err := os.Stat(file); err != nil {
		return err
	}
	f, err := elf.Open(file)
	if err != nil {
		return errors.New("is not for Linux")
	}
	defer f.Close()
	if want, known := machines[arch]; !known || f.Machine != want {
		return fmt.Errorf("is for %s", f.Machine)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return errors.New("is not static")
		}
	}
	return nil
}

// served is what an agent reaches through bench in the sandbox of a trial; empty if
// nothing.
func served(t *engine.Trial) string {
	switch {
	case t.Reuse.Sign == engine.SignSame:
		return ""
	case len(t.Case.Sandbox.Allow) > 0:
		return "hosts"
	case t.Model != nil && t.Agent.Builtin == engine.BuiltinNone:
		return "model"
	}
	return ""
}

// noHelper reports sandboxes that could not be served, before any of them starts.
// Images that name no platform are for that of the engine.
func noHelper(p *engine.Plan, engines string, find func(platform string) (string, error)) engine.Diagnostics {
	var out engine.Diagnostics
	told := map[*engine.Sandbox]bool{}
	for _, t := range p.Trials {
		box, what := t.Case.Sandbox, served(t)
		if what == "" || told[box] {
			continue
		}
		told[box] = true
		platform := cmp.Or(box.Platform, engines)
		if _, err := find(platform); err != nil {
			out = append(out, engine.Diagnostic{Severity: engine.SeverityError, Subject: box.Pos.Range(),
				Summary: fmt.Sprintf("agents in sandbox %q cannot reach their %s", box.Name, what), Detail: fmt.Sprintf("Bench itself is the way there, and %v.", err)})
		}
	}
	return out.Sorted()
}
