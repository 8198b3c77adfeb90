package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
)

func TestGPUs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "nvidia-smi"), []byte("#!/bin/sh\necho GPU-a\necho GPU-b\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	here := docker.Host{GPUs: "nvidia", Local: true}
	for _, test := range []struct {
		name, env string
		host      docker.Host
		want      []string
		bad       bool
	}{
		{"of the driver", "", here, []string{"GPU-a", "GPU-b"}, false},
		{"named", "1, 0", here, []string{"1", "0"}, false},
		{"named, of an engine that says nothing", "0", docker.Host{}, []string{"0"}, false},
		{"an engine elsewhere", "", docker.Host{GPUs: "nvidia"}, nil, false},
		{"an engine without", "", docker.Host{Local: true}, nil, false},
		{"twice", "0,0", here, nil, true},
		{"nothing between commas", "0,", here, nil, true},
	} {
		t.Setenv("BENCH_GPUS", test.env)
		got, err := gpusOf(t.Context(), test.host)
		if (err != nil) != test.bad || !slices.Equal(got, test.want) {
			t.Errorf("%s: got %q, %v", test.name, got, err)
		}
	}
}
