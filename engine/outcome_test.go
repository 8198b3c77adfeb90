package engine_test

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/ml-dev-bench/bench/engine"
)

// The order, when several things hold: cancelled, errored, limit, check,
// agent_exit, passed. Each row has all of what comes later as well.
func TestDecide(t *testing.T) {
	status := func(n int) *int { return &n }
	errored := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonHost}
	broken := engine.Outcome{Status: engine.StatusErrored, Reason: engine.ReasonCheck}
	stopped := engine.Outcome{Status: engine.StatusCancelled, Reason: engine.ReasonSignal}
	disk := engine.Outcome{Status: engine.StatusFailed, Reason: engine.ReasonLimitDisk}
	pass := []engine.CheckResult{{Name: "a", Passed: true}, {Name: "b", Passed: true}}
	fail := []engine.CheckResult{{Name: "a", Passed: true}, {Name: "b", Detail: "no b"}, {Name: "c", Detail: "no c"}}

	for _, tt := range []struct {
		name    string
		attempt engine.Attempt
		grade   *engine.Grade
		want    string
		detail  string
	}{
		{"cancelled run", engine.Attempt{Outcome: stopped, Exit: status(1)}, nil, "cancelled(signal)", ""},
		{"cancelled check before an errored run", engine.Attempt{Outcome: errored}, &engine.Grade{Outcome: stopped}, "cancelled(signal)", ""},
		{"errored run before errored check", engine.Attempt{Outcome: errored, Limit: engine.ReasonLimitWallClock}, &engine.Grade{Outcome: broken}, "errored(host)", ""},
		{"errored check before limit", engine.Attempt{Limit: engine.ReasonLimitWallClock, Exit: status(1)}, &engine.Grade{Outcome: broken, Checks: fail}, "errored(check)", ""},
		{"a verdict without a grade", engine.Attempt{Outcome: disk}, nil, "failed(limit_disk)", ""},
		{"limit before check", engine.Attempt{Limit: engine.ReasonLimitWallClock, LimitDetail: "stopped after 2s", Exit: status(1)}, &engine.Grade{Checks: fail}, "failed(limit_wall_clock)", "stopped after 2s"},
		{"limit, and all checks passed", engine.Attempt{Limit: engine.ReasonLimitMemory, LimitDetail: "killed"}, &engine.Grade{Checks: pass}, "failed(limit_memory)", "killed; all checks passed all the same"},
		{"check and agent", engine.Attempt{Exit: status(3)}, &engine.Grade{Checks: fail}, "failed(agent_exit)", `agent ended with exit status 3; check "b" failed`},
		{"check alone", engine.Attempt{Exit: status(0)}, &engine.Grade{Checks: fail}, "failed(check)", `check "b" failed: no b`},
		{"check of an agent that did not end by itself", engine.Attempt{}, &engine.Grade{Checks: fail}, "failed(check)", `check "b" failed: no b`},
		{"agent alone", engine.Attempt{Exit: status(3)}, &engine.Grade{Checks: pass}, "passed", "agent ended with exit status 3, but all checks passed"},
		{"passed", engine.Attempt{Exit: status(0)}, &engine.Grade{Checks: pass}, "passed", ""},
		{"no checks: silence never passes", engine.Attempt{Exit: status(0)}, &engine.Grade{}, "failed(check)", `check "" failed: nothing was checked`},
		{"no grade: silence never passes", engine.Attempt{Exit: status(0)}, nil, "failed(check)", `check "" failed: nothing was checked`},
	} {
		got := engine.Decide(&tt.attempt, tt.grade)
		if got.String() != tt.want || got.Detail != tt.detail {
			t.Errorf("%s: got %v %q, want %s %q", tt.name, got, got.Detail, tt.want, tt.detail)
		}
	}
}

func TestStatusParsesBack(t *testing.T) {
	for _, want := range engine.Statuses {
		text, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := engine.StatusInvalid
		if err := json.Unmarshal(text, &got); err != nil || got != want {
			t.Errorf("from %s: got %v (%v), want %v", text, got, err, want)
		}
	}
	for _, bad := range []engine.Status{engine.StatusInvalid, -1, 99} {
		if text, err := json.Marshal(bad); err == nil {
			t.Errorf("%d: got %s, want an error", int(bad), text)
		}
	}
	var s engine.Status
	for _, bad := range []string{`""`, `"PASSED"`, `"status 1"`, `1`} {
		if err := json.Unmarshal([]byte(bad), &s); err == nil {
			t.Errorf("%s: got %v, want an error", bad, s)
		}
	}
}

// Only what says something about the agent may be reused and counted.
func TestVerdict(t *testing.T) {
	got := map[string]bool{}
	for _, s := range engine.Statuses {
		got[s.String()] = engine.Outcome{Status: s}.Verdict()
	}
	want := map[string]bool{"passed": true, "failed": true, "errored": false, "skipped": false, "cancelled": false}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("verdicts (-want +got):\n%s", diff)
	}
}
