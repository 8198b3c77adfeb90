package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine/sandbox/docker"
)

// smiTime bounds the question which GPUs there are.
const smiTime = 10 * time.Second

// gpusOf are the ids of the GPUs that sandboxes may have: those in BENCH_GPUS, or
// else all that the driver of a local engine's machine tells of.
func gpusOf(ctx context.Context, host docker.Host) ([]string, error) {
	if text := os.Getenv("BENCH_GPUS"); text != "" {
		ids, err := parseGPUs(text)
		if err != nil {
			return nil, cannot(err)
		}
		return ids, nil
	}
	if host.GPUs == "" || !host.Local {
		return nil, nil
	}
	ctx, cancel := context.WithTimeout(ctx, smiTime)
	defer cancel()
	out, err := exec.CommandContext(ctx, "nvidia-smi", "--query-gpu=uuid", "--format=csv,noheader").Output()
	if err != nil {
		return nil, nil // none that can be named
	}
	return strings.Fields(string(out)), nil
}

func parseGPUs(text string) ([]string, error) {
	var ids []string
	for id := range strings.SplitSeq(text, ",") {
		id = strings.TrimSpace(id)
		if id == "" || strings.ContainsAny(id, " \t\n") || slices.Contains(ids, id) {
			return nil, fmt.Errorf("BENCH_GPUS is %q: write the ids of GPUs, each once, such as 0,1", text)
		}
		ids = append(ids, id)
	}
	return ids, nil
}
