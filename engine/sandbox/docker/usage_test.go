package docker

import (
	"testing"
	"time"
)

// The figures of both versions of control groups; what is not there is unknown.
func TestParseUsage(t *testing.T) {
	for name, text := range map[string]string{
		"v1": "cpu_ns 1500000000\npeak 4096\noom 2\nnr_periods 1\noom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"v2": "peak 4096\nusage_usec 1500000\nuser_usec 7\nlow 0\noom 2\noom_kill 2\noom_group_kill 0\n",
	} {
		u := parseUsage(text)
		if u.CPU == nil || *u.CPU != 1500*time.Millisecond || u.PeakMemory == nil || *u.PeakMemory != 4096 || u.OOMKills == nil || *u.OOMKills != 2 || u.LimitHits == nil || *u.LimitHits != 2 {
			t.Errorf("%s: got %+v", name, u)
		}
	}
	if u := parseUsage("sh: something else\n"); u.CPU != nil || u.PeakMemory != nil || u.OOMKills != nil {
		t.Errorf("got %+v, want nothing known", u)
	}
}
