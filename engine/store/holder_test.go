package store

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// Whatever was called, the lock file has one line, from which the holder is read
// back.
func TestHolderRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		h := Holder{
			PID: rapid.IntRange(1, 1<<22).Draw(t, "pid"), Host: rapid.StringMatching(`[a-z0-9.-]+`).Draw(t, "host"),
			Since:   time.Unix(rapid.Int64Range(0, 1<<33).Draw(t, "since"), 0).UTC(),
			Command: commandOf(append([]string{"/usr/bin/bench"}, rapid.SliceOf(rapid.String()).Draw(t, "args")...)),
		}
		text := h.String() + "\n"
		if strings.Count(text, "\n") != 1 {
			t.Fatalf("more than a line: %q", text)
		}
		if diff := cmp.Diff(h, parseHolder(text)); diff != "" {
			t.Fatalf("%q (-want +got):\n%s", text, diff)
		}
	})
}

func TestParseHolder(t *testing.T) {
	since := time.Date(2026, 1, 2, 12, 1, 2, 0, time.UTC)
	for text, want := range map[string]Holder{
		"process 123 on host x since 2026-01-02 12:01:02 UTC (bench apply (old) suite.hcl)\n": {123, "x", since, "bench apply (old) suite.hcl"},
		"process 123\n":                  {PID: 123}, // as older versions wrote it
		"":                               {},
		"process 0\n":                    {},
		"process 99999999999999999999\n": {},
		"process 123 on ho":              {},
		"\x00\x00\x00\x00":               {},
		"{}":                             {},
	} {
		if diff := cmp.Diff(want, parseHolder(text)); diff != "" {
			t.Errorf("%q (-want +got):\n%s", text, diff)
		}
	}
	for holder, want := range map[Holder]string{
		{123, "x", since, "bench apply suite.hcl"}: "process 123 on host x since 2026-01-02 12:01:02 UTC (bench apply suite.hcl)",
		{PID: 123}: "process 123",
		{}:         "a process that has not said which one it is",
	} {
		if got := holder.String(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// The lock file can be read by others, and flags can hold secrets.
func TestCommandOf(t *testing.T) {
	for want, args := range map[string][]string{
		"bench apply suite.hcl …": {"/bin/bench", "apply", "suite.hcl", "--var", "key=secret"},
		"bench …":                 {"bench", "-C", "dir", "apply", "suite.hcl"},
		"bench apply a?[1m.hcl":   {"bench", "apply", "a\x1b[1m.hcl"},
	} {
		if got := commandOf(args); got != want {
			t.Errorf("%q: got %q, want %q", args, got, want)
		}
	}
}
