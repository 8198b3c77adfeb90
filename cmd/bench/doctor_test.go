package main

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
)

// healthy are the facts of a machine with which nothing is wrong.
func healthy() *facts {
	limits := docker.Limits{Memory: new(int64(64 << 20)), PIDs: new(int64(32)), CPUs: new(0.5)}
	return &facts{
		host: &docker.Host{
			Engine: "28.2.2", API: "1.50", CPUs: 2, Memory: 8 << 30, Storage: "overlay2", Cgroup: "2", At: "DOCKER_HOST=unix:///x", Local: true, Ahead: new(time.Duration(0)),
		},
		asked: limits, found: limits, budget: 20 << 30,
		pool:     netip.MustParsePrefix("10.213.0.0/24"),
		networks: []docker.Network{subnetOf("bridge", "172.17.0.0/16")},
		disks:    []disk{{"results", "/r", new(int64(50 << 30))}},
	}
}

func subnetOf(name, subnet string) docker.Network {
	return docker.Network{Name: name, Subnets: []netip.Prefix{netip.MustParsePrefix(subnet)}}
}

// Each row makes one thing wrong, and names the one line that then is not ok.
func TestDiagnose(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(*facts)
		want  string // level, check and a part of the text; "" if all is well
	}{
		"healthy":       {func(*facts) {}, ""},
		"old engine":    {func(f *facts) { f.host.API = "1.40" }, "FAIL engine Docker 28.2.2, API 1.40"},
		"odd engine":    {func(f *facts) { f.host.API = "" }, "FAIL engine "},
		"podman":        {func(f *facts) { f.host.API = "1.41" }, ""},
		"vfs":           {func(f *facts) { f.host.Storage = "vfs" }, "warn kernel storage driver vfs"},
		"swap":          {func(f *facts) { f.host.NoSwap = true }, "warn kernel storage driver overlay2, control groups v2, swap cannot be limited"},
		"no memory":     {func(f *facts) { f.found.Memory = nil }, "FAIL limits a sandbox was not limited in memory"},
		"much memory":   {func(f *facts) { f.found.Memory = new(int64(1 << 62)) }, "FAIL limits a sandbox was not limited in memory"},
		"no limits":     {func(f *facts) { f.found = docker.Limits{} }, "FAIL limits a sandbox was not limited in memory, processes, CPUs"},
		"no image":      {func(f *facts) { f.noLimits = docker.ErrNoImage }, "warn limits not checked: there is no image"},
		"no start":      {func(f *facts) { f.noLimits = errors.New("no room\nat all") }, "FAIL limits no sandbox starts: no room"},
		"clock unknown": {func(f *facts) { f.host.Ahead = nil }, "warn clock the engine does not say"},
		"clock near":    {func(f *facts) { f.host.Ahead = new(-2 * time.Second) }, ""},
		"clock ahead":   {func(f *facts) { f.host.Ahead = new(3 * time.Second) }, "warn clock the engine is 3s ahead of"},
		"clock behind":  {func(f *facts) { f.host.Ahead = new(-time.Hour) }, "warn clock the engine is 1h0m0s behind"},
		"overlap": {func(f *facts) { f.networks = append(f.networks, subnetOf("vpn", "172.17.4.0/24")) },
			"warn networks the addresses of networks bridge and vpn overlap"},
		"few subnets": {func(f *facts) {
			f.networks = append(f.networks, subnetOf("large", "10.213.0.0/25"), subnetOf("more", "10.213.0.128/26"), subnetOf("one", "10.213.0.192/29"))
		},
			"warn networks 4 networks, 3 of 16 subnets free"},
		"no subnet":     {func(f *facts) { f.networks = append(f.networks, subnetOf("own", "10.0.0.0/8")) }, "warn networks 2 networks, 0 of 16 subnets free"},
		"elsewhere":     {func(f *facts) { f.networks = append(f.networks, subnetOf("own", "192.168.0.0/16")) }, ""},
		"wrong subnets": {func(f *facts) { f.noPool = errors.New("BENCH_SUBNETS is \"x\"") }, "FAIL networks BENCH_SUBNETS is"},
		"no networks":   {func(f *facts) { f.noNetwork = errors.New("oh") }, "warn networks not checked: oh"},
		"leftovers":     {func(f *facts) { f.left = []docker.Thing{{Kind: docker.KindVolume, Name: "v"}} }, "warn left 1 thing of bench processes that died, such as volume v"},
		"over budget":   {func(f *facts) { f.images = []docker.Thing{{Size: 15 << 30}, {Size: 15 << 30}} }, "warn images 2 images built here, 30 GiB of a budget of 20 GiB"},
		"wrong budget":  {func(f *facts) { f.noBudget = errors.New("BENCH_DISK_BUDGET is \"x\"") }, "FAIL images BENCH_DISK_BUDGET is"},
		"disk low":      {func(f *facts) { f.disks[0].free = new(int64(3 << 30)) }, "warn disk results: 3.0 GiB free in /r"},
		"disk full":     {func(f *facts) { f.disks[0].free = new(int64(1 << 20)) }, "FAIL disk results: 1.0 MiB free in /r"},
		"disk unknown":  {func(f *facts) { f.disks[0].free = nil }, "warn disk results: how much is free in /r is not known"},
		"no engine":     {func(f *facts) { f.host, f.noEngine = nil, errors.New("gone\nStart it") }, "FAIL engine gone"},
		"gpus elsewise": {func(f *facts) { f.host.GPUs = "cdi" }, ""},
	} {
		f := healthy()
		test.spoil(f)
		var bad []string
		for _, line := range diagnose(f) {
			if line.Text == "" || line.Level == levelFail && line.Do == "" {
				t.Errorf("%s: a line does not say what is wrong, or what to do: %+v", name, line)
			}
			if line.Level != levelOK {
				bad = append(bad, line.Level+" "+line.Check+" "+line.Text)
			}
		}
		if want := test.want; want == "" && len(bad) > 0 || want != "" && (len(bad) != 1 || !strings.HasPrefix(bad[0], want)) {
			t.Errorf("%s: got %q, want %q", name, bad, want)
		}
	}
}

func TestFormatSize(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1024: "1.0 KiB", 310 << 20: "310 MiB", 10 << 10: "10 KiB", 1<<20 - 1: "1.0 MiB", 1 << 50: "1024 TiB"} {
		if got := formatSize(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}

func TestDiskBudget(t *testing.T) {
	for text, want := range map[string]int64{"": 20 << 30, "8GB": 8e9, "1GiB": 1 << 30, "20": 0, "much": 0} {
		t.Setenv("BENCH_DISK_BUDGET", text)
		if got, err := diskBudget(); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q: got %d, %v", text, got, err)
		}
	}
}
