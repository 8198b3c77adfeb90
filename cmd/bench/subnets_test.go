package main

import "testing"

func TestSubnets(t *testing.T) {
	for text, want := range map[string]string{"": "invalid Prefix", "10.9.0.0/16": "10.9.0.0/16", "192.168.7.0/24": "192.168.7.0/24", "10.9.0.0": "", "8.8.0.0/16": "", "10.9.0.0/29": "", "fd00::/64": ""} {
		t.Setenv("BENCH_SUBNETS", text)
		if got, err := subnets(); (err != nil) != (want == "") || err == nil && got.String() != want {
			t.Errorf("%q: got %v, %v", text, got, err)
		}
	}
}
