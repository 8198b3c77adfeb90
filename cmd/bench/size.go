package main

import (
	"fmt"
	"os"

	"github.com/ml-dev-bench/bench/engine/lang"
)

// defaultDiskBudget is what images that bench built may take on an engine.
const defaultDiskBudget = 20 << 30

// diskBudget is what BENCH_DISK_BUDGET says, in bytes.
func diskBudget() (int64, error) {
	text := os.Getenv("BENCH_DISK_BUDGET")
	if text == "" {
		return defaultDiskBudget, nil
	}
	n, ok := lang.ParseSize(text)
	if !ok {
		return 0, fmt.Errorf("BENCH_DISK_BUDGET is %q: write a size with a unit, such as 20GiB", text)
	}
	return n, nil
}

// formatSize is a number of bytes for people.
func formatSize(n int64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	f, i := float64(n), 0
	for ; f >= 1023.5 && i < len(units)-1; i++ {
		f /= 1024
	}
	if i == 0 || f >= 9.95 {
		return fmt.Sprintf("%.0f %s", f, units[i])
	}
	return fmt.Sprintf("%.1f %s", f, units[i])
}
