package docker

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/containerd/platforms"
	"github.com/moby/moby/client"
	"github.com/moby/moby/client/pkg/versions"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// named makes an image available that has a name, or is pinned to one content of
// it. What is here under the name is used; what is not is pulled.
func (d *Driver) named(ctx context.Context, spec sandbox.ImageSpec) (string, error) {
	platform, err := parsePlatform(spec.Platform)
	if err != nil {
		return "", err
	}
	ref := cmp.Or(spec.Image.Pin, spec.Image.Ref)
	id, found, err := d.local(ctx, ref, platform)
	if err != nil {
		return "", wrap("looking for image "+ref, err)
	}
	if id != "" {
		return id, nil
	}
	if strings.HasPrefix(ref, "sha256:") { // no registry can be asked for an id
		if found != "" {
			return "", fmt.Errorf("image %s is locked to %s, which is for %s and not for %s: run bench lock again, or correct the platform", spec.Image.Ref, ref, found, spec.Platform)
		}
		return "", fmt.Errorf("image %s is locked to %s, which is not on this Docker engine, and no registry has it: make or load it again, or run bench lock again", spec.Image.Ref, ref)
	}
	if err := d.pull(ctx, spec, ref, platform); err != nil {
		if found != "" {
			err = fmt.Errorf("%w; the engine has it for %s, and may not be able to have it for both: try docker rmi %s", err, found, ref)
		}
		return "", err
	}
	id, found, err = d.local(ctx, ref, platform)
	if err == nil && id == "" {
		err = fmt.Errorf("it is for %s, and not for %s", cmp.Or(found, "nothing"), spec.Platform)
	}
	return id, wrap("looking for image "+ref+", which was pulled", err)
}

// local looks for an image on the engine. Without an id there is none, or one for
// another platform, which is found.
func (d *Driver) local(ctx context.Context, ref string, want []platforms.Platform) (id, found string, err error) {
	var options []client.ImageInspectOption
	if len(want) > 0 && versions.GreaterThanOrEqualTo(d.client.ClientVersion(), "1.49") {
		options = append(options, client.ImageInspectWithPlatform(&want[0])) // there may be several under one name
	}
	r, err := d.client.ImageInspect(ctx, ref, options...)
	if errdefs.IsNotFound(err) {
		return "", "", nil
	}
	if err != nil {
		return "", "", err
	}
	has := platforms.Platform{OS: r.Os, Architecture: r.Architecture, Variant: r.Variant}
	if len(want) > 0 && !platforms.OnlyStrict(want[0]).Match(has) {
		return "", platforms.Format(has), nil
	}
	return r.ID, "", nil
}

func (d *Driver) pull(ctx context.Context, spec sandbox.ImageSpec, ref string, platform []platforms.Platform) error {
	ctx, cancel := context.WithTimeout(ctx, spec.Pull)
	defer cancel()
	stream, err := d.client.ImagePull(ctx, ref, client.ImagePullOptions{Platforms: platform})
	if err == nil {
		err = stream.Wait(ctx)
	}
	if err != nil && spec.Image.Pin != "" && unknown(err) {
		err = fmt.Errorf("%w; it is what image %s is locked to: run bench lock again", err, spec.Image.Ref)
	}
	return wrap("pulling image "+ref, err)
}

// unknown reports an error by which a registry says that it does not have an
// image. Mostly it comes as text, in the middle of the progress of a pull.
func unknown(err error) bool {
	return errdefs.IsNotFound(err) || strings.Contains(err.Error(), "manifest unknown") || strings.Contains(err.Error(), "not found")
}

// parsePlatform reads "linux/amd64". The empty platform is none.
func parsePlatform(text string) ([]platforms.Platform, error) {
	if text == "" {
		return nil, nil
	}
	p, err := platforms.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("platform %q: %w", text, err)
	}
	return []platforms.Platform{p}, nil
}
