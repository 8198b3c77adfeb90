package docker

import (
	"fmt"
	"strings"

	"github.com/moby/moby/api/types/container"
)

// What gives containers GPUs, as Host.GPUs says.
const (
	gpusNvidia = "nvidia"
	gpusCDI    = "cdi"
)

// cdiGPU begins the name of a GPU as a device of the Container Device Interface.
const cdiGPU = "nvidia.com/gpu="

// deviceRequests asks for GPUs by their ids. An engine that has none refuses that
// only when it starts the container.
func deviceRequests(by string, ids []string) []container.DeviceRequest {
	if len(ids) == 0 {
		return nil
	}
	if by != gpusCDI {
		return []container.DeviceRequest{{Driver: gpusNvidia, DeviceIDs: ids, Capabilities: [][]string{{"gpu"}}}}
	}
	names := make([]string, len(ids))
	for i, id := range ids {
		if names[i] = id; !strings.Contains(id, "=") {
			names[i] = cdiGPU + id
		}
	}
	return []container.DeviceRequest{{Driver: gpusCDI, DeviceIDs: names}}
}

// gpuError says what it means that a container with GPUs does not start.
func gpuError(err error, ids []string) error {
	if err == nil || len(ids) == 0 || !strings.Contains(err.Error(), "could not select device driver") {
		return err
	}
	return fmt.Errorf("the Docker engine has nothing that gives containers GPUs, so GPU %s cannot be used; install the NVIDIA Container Toolkit on its machine, and look with \"bench doctor\": %w",
		strings.Join(ids, ", "), err)
}
