package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"
)

// A Kind is a kind of thing that bench makes on an engine.
type Kind string

// The kinds.
const (
	KindContainer Kind = "container"
	KindNetwork   Kind = "network"
	KindVolume    Kind = "volume"
	KindName      Kind = "name"  // of an image below a layer that was being built
	KindImage     Kind = "image" // that was built
)

// sessionKinds end with the process that made them, in this order: each may be
// in use by those before it.
var sessionKinds = []Kind{KindContainer, KindNetwork, KindVolume, KindName}

// A Thing is something that bench made on an engine.
type Thing struct {
	Kind Kind
	ID   string
	Name string // for people
	// Of images only. What an image shares with the one below it counts for that
	// one alone, so sizes can be added up.
	Size  int64     // bytes
	Used  time.Time // when it, or what is laid over it, was used last
	InUse bool      // by a process of bench, a container, or an image that stays

	session string
	tags    []string
}

// ErrInUse says that a thing was not removed, since something uses it by now.
var ErrInUse = errors.New("it is in use")

// Dead lists what processes of bench left that have died. The next Open removes
// it, unless it was told to look only.
func (d *Driver) Dead(ctx context.Context) ([]Thing, error) {
	dead := d.session.deadOnes()
	var out []Thing
	for _, kind := range sessionKinds {
		all, err := d.labelled(ctx, kind, labelOwner+"="+d.session.owner)
		if err != nil {
			return nil, err
		}
		for _, t := range all {
			if dead(t.session) {
				out = append(out, t)
			}
		}
	}
	return out, nil
}

// labelled lists the things of a kind that have a label, "name=value".
func (d *Driver) labelled(ctx context.Context, kind Kind, label string) ([]Thing, error) {
	filter := make(client.Filters).Add("label", label)
	var out []Thing
	add := func(id, name string, labels map[string]string) {
		out = append(out, Thing{Kind: kind, ID: id, Name: name, session: labels[labelSession]})
	}
	var err error
	switch kind {
	case KindContainer:
		var all client.ContainerListResult
		all, err = d.client.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: filter})
		for _, c := range all.Items {
			add(c.ID, fmt.Sprintf("%.12s of %s", c.ID, c.Labels[labelTrial]), c.Labels)
		}
	case KindNetwork:
		var all client.NetworkListResult
		all, err = d.client.NetworkList(ctx, client.NetworkListOptions{Filters: filter})
		for _, n := range all.Items {
			add(n.ID, n.Name, n.Labels)
		}
	case KindVolume:
		var all client.VolumeListResult
		all, err = d.client.VolumeList(ctx, client.VolumeListOptions{Filters: filter})
		for _, v := range all.Items {
			add(v.Name, v.Name, v.Labels)
		}
	case KindName:
		var all client.ImageListResult
		all, err = d.client.ImageList(ctx, client.ImageListOptions{Filters: make(client.Filters).Add("reference", baseRepo)})
		key, value, _ := strings.Cut(label, "=")
		for _, image := range all.Items {
			for _, tag := range image.RepoTags {
				if labels := labelsOfName(tag); labels[key] == value {
					add(tag, tag, labels)
				}
			}
		}
	default:
		panic("docker: no session makes a thing of kind " + string(kind))
	}
	return out, wrap(fmt.Sprintf("listing %ss of runs", kind), err)
}

// labelsOfName reads what a name of an image below a layer says of its maker. A
// name cannot have labels.
func labelsOfName(name string) map[string]string {
	tag, ours := strings.CutPrefix(name, baseRepo+":")
	parts := strings.SplitN(tag, "-", 3)
	if !ours || len(parts) < 3 {
		return nil
	}
	return map[string]string{labelOwner: parts[0], labelSession: parts[1]}
}

// Remove removes a thing. That it is gone already is no error; the error wraps
// ErrInUse if it is needed by now.
func (d *Driver) Remove(ctx context.Context, t Thing) error {
	var err error
	switch t.Kind {
	case KindContainer:
		err = d.remove(ctx, t.ID)
	case KindNetwork:
		_, err = d.client.NetworkRemove(ctx, t.ID, client.NetworkRemoveOptions{})
	case KindVolume:
		_, err = d.client.VolumeRemove(ctx, t.ID, client.VolumeRemoveOptions{})
	case KindName:
		_, err = d.client.ImageRemove(ctx, t.ID, client.ImageRemoveOptions{})
	case KindImage:
		err = d.removeImage(ctx, t)
	}
	if gone(err) {
		return nil
	}
	return wrap(fmt.Sprintf("removing %s %s", t.Kind, t.Name), err)
}

// removeImage removes an image by its names: an image that is removed by its id
// is gone for those, too, who gave it a name in the meantime.
func (d *Driver) removeImage(ctx context.Context, t Thing) (err error) {
	giveBack, ok, err := d.images.take(t.ID)
	if err != nil {
		return err
	}
	if !ok {
		return ErrInUse
	}
	defer func() { err = errors.Join(err, giveBack(err == nil)) }()
	names := t.tags
	if len(names) == 0 {
		names = []string{t.ID}
	}
	for _, name := range names {
		_, err := d.client.ImageRemove(ctx, name, client.ImageRemoveOptions{PruneChildren: true})
		switch {
		case errdefs.IsConflict(err):
			return fmt.Errorf("%w: %v", ErrInUse, err)
		case err != nil && !gone(err):
			return err
		}
	}
	return nil
}
