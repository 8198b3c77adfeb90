package docker

import (
	"testing"
	"time"
)

// The figures of both versions of control groups; what is not there is unknown.
func TestParseUsage(t *testing.T) {
	for name, text := range map[string]string{
		"v1": "cpu_ns 1500000000\npeak 4096\nlimit 4096\nnr_periods 1\noom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"v2": "peak 4096\nusage_usec 1500000\nuser_usec 7\nlow 0\noom 2\noom_kill 2\noom_group_kill 0\n",
	} {
		u := parseUsage(text)
		if u.CPU == nil || *u.CPU != 1500*time.Millisecond || u.PeakMemory == nil || *u.PeakMemory != 4096 || u.OOMKills == nil || *u.OOMKills != 2 || u.AtLimit == nil || !*u.AtLimit {
			t.Errorf("%s: got %+v", name, u)
		}
	}
	for _, below := range []string{"peak 4095\nlimit 4096\noom_kill 1\n", "peak 4096\nlimit max\noom 0\noom_kill 1\n"} {
		if u := parseUsage(below); !u.HostOOM() {
			t.Errorf("%q: the machine is not said to have run out of memory: %+v", below, u)
		}
	}
	if u := parseUsage("sh: something else\n"); u.CPU != nil || u.PeakMemory != nil || u.OOMKills != nil || u.AtLimit != nil {
		t.Errorf("got %+v, want nothing known", u)
	}
}
