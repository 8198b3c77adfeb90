package docker

import (
	"context"
	"errors"
	"io"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

var _ sandbox.Inspector = (*Driver)(nil)

// Inspect reads the configuration of an image, and how it was built.
func (d *Driver) Inspect(ctx context.Context, image string) (sandbox.ImageConfig, error) {
	i, err := d.client.ImageInspect(ctx, image)
	if err != nil {
		return sandbox.ImageConfig{}, wrap("inspecting an image", err)
	}
	history, err := d.client.ImageHistory(ctx, image)
	if err != nil {
		return sandbox.ImageConfig{}, wrap("reading the history of an image", err)
	}
	var out sandbox.ImageConfig
	if i.Config != nil {
		out.Env, out.Entrypoint = i.Config.Env, i.Config.Entrypoint
	}
	for _, h := range history.Items {
		out.History = append(out.History, h.CreatedBy)
	}
	return out, nil
}

// Export makes a container of the image that is never started, and writes what is
// in it. As in create, the answer of the engine is waited for.
func (d *Driver) Export(ctx context.Context, image string, w io.Writer) (err error) {
	waiting, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
	defer cancel()
	d.session.creates(1)
	defer d.session.creates(-1)
	c, err := d.client.ContainerCreate(waiting, client.ContainerCreateOptions{
		Config:     &container.Config{Image: image, Entrypoint: []string{"none"}, Labels: d.session.labels("lint of " + image)},
		HostConfig: &container.HostConfig{NetworkMode: "none"},
	})
	if err != nil {
		return wrap("making a container to look into an image", err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeWait)
		defer cancel()
		err = errors.Join(err, wrap("removing a container", d.remove(ctx, c.ID)))
	}()
	files, err := d.client.ContainerExport(ctx, c.ID, client.ContainerExportOptions{})
	if err != nil {
		return wrap("exporting the files of an image", err)
	}
	defer files.Close()
	_, err = io.Copy(w, files)
	return wrap("exporting the files of an image", err)
}
