package main

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
)

// executable writes the beginning of an executable: its header, and what it needs.
func executable(t *testing.T, file string, machine elf.Machine, needs elf.ProgType) {
	t.Helper()
	var out bytes.Buffer
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT), Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	if err := errors.Join(binary.Write(&out, binary.LittleEndian, header), binary.Write(&out, binary.LittleEndian, elf.Prog64{Type: uint32(needs)}),
		os.WriteFile(file, out.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func TestHelperBeside(t *testing.T) {
	dir := t.TempDir()
	own, other := filepath.Join(dir, "bench"), filepath.Join(dir, "bench-linux-arm64")
	if err := os.WriteFile(own, []byte("not of Linux"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := helperBeside(own, "linux/arm64")
	want := "there is no static bench for linux/arm64 to run beside an agent: bench is not for Linux, and " + other + " does not exist; in a clone of bench, \"CGO_ENABLED=0 GOOS=linux GOARCH=arm64 go build -o " + other + " ./cmd/bench\" makes one"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	executable(t, other, elf.EM_AARCH64, elf.PT_LOAD)
	if got, err := helperBeside(own, "linux/arm64"); got != other {
		t.Errorf("got %s, %v", got, err)
	}
	executable(t, own, elf.EM_X86_64, elf.PT_LOAD)
	if got, err := helperBeside(own, "linux/amd64"); got != own {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := helperBeside(own, "linux/arm64"); got != other {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := helperBeside(own, "linux/s390x"); err == nil || !strings.Contains(err.Error(), "bench is for EM_X86_64") {
		t.Errorf("got %v", err)
	}
}

func TestRunsAnywhere(t *testing.T) {
	file := filepath.Join(t.TempDir(), "bench")
	executable(t, file, elf.EM_X86_64, elf.PT_INTERP)
	if err := runsAnywhere(file, "amd64"); err == nil || err.Error() != "is not static" {
		t.Errorf("got %v", err)
	}
	if err := runsAnywhere(file, "riscv64"); err == nil {
		t.Error("it runs on an architecture that is not known")
	}
}

func TestNoHelper(t *testing.T) {
	hosts := &engine.Sandbox{Name: "hosts", Allow: []string{"a.test"}, Platform: "linux/arm64", Pos: engine.Pos{File: "a.hcl", Line: 3}}
	asks := &engine.Sandbox{Name: "asks", Pos: engine.Pos{File: "f.hcl", Line: 9}}
	trial := func(box *engine.Sandbox, sign engine.Sign, model *engine.Model, builtin engine.Builtin) *engine.Trial {
		return &engine.Trial{Case: &engine.Case{Sandbox: box}, Agent: &engine.Agent{Builtin: builtin}, Model: model, Reuse: engine.Reuse{Sign: sign}}
	}
	model := &engine.Model{}
	plan := &engine.Plan{Trials: []*engine.Trial{
		trial(hosts, engine.SignNew, nil, ""), trial(hosts, engine.SignNew, model, ""), trial(&engine.Sandbox{}, engine.SignNew, nil, ""),
		trial(&engine.Sandbox{Allow: hosts.Allow}, engine.SignSame, nil, ""), trial(asks, engine.SignNew, model, ""),
		trial(&engine.Sandbox{}, engine.SignNew, model, engine.BuiltinReact), trial(&engine.Sandbox{}, engine.SignSame, model, ""),
	}}
	find := func(platform string) (string, error) { return "", errors.New("there is none for " + platform) }
	want := engine.Diagnostics{
		{Severity: engine.SeverityError, Subject: hosts.Pos.Range(), Summary: `agents in sandbox "hosts" cannot reach their hosts`, Detail: "Bench itself is the way there, and there is none for linux/arm64."},
		{Severity: engine.SeverityError, Subject: asks.Pos.Range(), Summary: `agents in sandbox "asks" cannot reach their model`, Detail: "Bench itself is the way there, and there is none for linux/amd64."},
	}
	if diff := cmp.Diff(want, noHelper(plan, "linux/amd64", find)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := noHelper(plan, "", func(string) (string, error) { return "x", nil }); len(got) != 0 {
		t.Errorf("got %+v", got)
	}
}
