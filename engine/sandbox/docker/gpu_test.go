package docker

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/moby/moby/api/types/container"
)

func TestDeviceRequests(t *testing.T) {
	ids := []string{"0", "GPU-1"}
	nvidia := []container.DeviceRequest{{Driver: "nvidia", DeviceIDs: ids, Capabilities: [][]string{{"gpu"}}}}
	for _, test := range []struct {
		by   string
		ids  []string
		want []container.DeviceRequest
	}{
		{"nvidia", nil, nil},
		{"nvidia", ids, nvidia},
		{"", ids, nvidia}, // the engine need not have a runtime of that name
		{"cdi", []string{"0", "amd.com/gpu=1"}, []container.DeviceRequest{{Driver: "cdi", DeviceIDs: []string{"nvidia.com/gpu=0", "amd.com/gpu=1"}}}},
	} {
		if diff := cmp.Diff(test.want, deviceRequests(test.by, test.ids)); diff != "" {
			t.Errorf("%q %v (-want +got):\n%s", test.by, test.ids, diff)
		}
	}
}
