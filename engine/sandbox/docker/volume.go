package docker

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"sync"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/client"
	tc "github.com/testcontainers/testcontainers-go"

	"github.com/ml-dev-bench/bench/engine/sandbox"
)

// Volumes are those that this process has filled. They end with its session, so
// a volume that was filled by half is never taken for a whole one.
type volumes struct {
	mu  sync.Mutex
	all map[string]chan string // by key; who takes the name out fills the volume if it is empty, and puts it back
}

func (v *volumes) slot(key string) chan string {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.all == nil {
		v.all = map[string]chan string{}
	}
	if v.all[key] == nil {
		v.all[key] = make(chan string, 1)
		v.all[key] <- ""
	}
	return v.all[key]
}

// mounts makes sure that volumes are there, and says how a container gets them.
func (d *Driver) mounts(ctx context.Context, spec sandbox.Spec) ([]mount.Mount, error) {
	var out []mount.Mount
	for _, v := range spec.Volumes {
		name, err := d.volume(ctx, spec, v)
		if err != nil {
			return nil, err
		}
		out = append(out, mount.Mount{Type: mount.TypeVolume, Source: name, Target: v.Target, ReadOnly: true, VolumeOptions: &mount.VolumeOptions{NoCopy: true}})
	}
	return out, nil
}

// volume gives the name of a volume, filled.
func (d *Driver) volume(ctx context.Context, spec sandbox.Spec, v sandbox.Volume) (string, error) {
	slot := d.volumes.slot(v.Key)
	var name string
	select {
	case name = <-slot:
	case <-ctx.Done():
		return "", ctx.Err()
	}
	var err error
	if name == "" {
		name, err = d.fill(ctx, spec, v)
	}
	slot <- name
	return name, err
}

// fillDir is where the container that fills a volume has it.
const fillDir = "/volume"

// fill makes a volume with the files that it is to have. The container that it
// takes is never started, so any image will do.
func (d *Driver) fill(ctx context.Context, spec sandbox.Spec, v sandbox.Volume) (name string, err error) {
	sum := sha256.Sum256([]byte(v.Key))
	volume := "bench-" + d.session.id + "-" + hex.EncodeToString(sum[:6])
	labels := d.session.labels(spec.Trial)
	d.session.creates(1)
	defer d.session.creates(-1)
	defer func() {
		if err != nil {
			half := Thing{Kind: KindVolume, ID: volume, Name: volume}
			name, err = "", errors.Join(wrap("filling a volume", err), d.Remove(context.WithoutCancel(ctx), half))
		}
	}()
	if _, err := d.client.VolumeCreate(ctx, client.VolumeCreateOptions{Name: volume, Labels: labels}); err != nil {
		return "", err
	}
	c, err := d.provider.CreateContainer(context.WithoutCancel(ctx), tc.ContainerRequest{
		Image: spec.Image, ImagePlatform: spec.Sandbox.Platform, Entrypoint: []string{"none"}, Labels: labels,
		HostConfigModifier: func(h *container.HostConfig) {
			h.NetworkMode = "none"
			h.Mounts = []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: fillDir, VolumeOptions: &mount.VolumeOptions{NoCopy: true}}}
		},
	})
	if c != nil {
		defer func() { err = errors.Join(err, d.remove(context.WithoutCancel(ctx), c.GetContainerID())) }()
	}
	if err != nil {
		return "", err
	}
	return volume, d.copyIn(ctx, c.GetContainerID(), fillDir, v.Files)
}
