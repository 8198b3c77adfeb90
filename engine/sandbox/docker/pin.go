package docker

import (
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// Pin says what the name of an image means now: "name@sha256:…" as the registry
// has it, or, for an image that no registry can be asked for but that is here,
// its id "sha256:…", which holds on this engine alone. Nothing is pulled.
func (d *Driver) Pin(ctx context.Context, ref string) (string, error) {
	name, _, digested := strings.Cut(ref, "@")
	if digested {
		return ref, nil
	}
	if i := strings.LastIndex(name, ":"); i > strings.LastIndex(name, "/") {
		name = name[:i]
	}
	remote, err := d.client.DistributionInspect(ctx, ref, client.DistributionInspectOptions{})
	if err == nil {
		return name + "@" + remote.Descriptor.Digest.String(), nil
	}
	local, here := d.client.ImageInspect(ctx, ref)
	switch {
	case errdefs.IsNotFound(here):
		return "", fmt.Errorf("what %s means cannot be found out: %w", ref, err)
	case here != nil:
		return "", wrap("looking for image "+ref, here)
	}
	for _, known := range local.RepoDigests {
		if strings.HasPrefix(known, name+"@") {
			return known, nil
		}
	}
	return local.ID, nil
}
