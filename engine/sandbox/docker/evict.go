package docker

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/api/types/image"
	"github.com/moby/moby/client"

	"github.com/ml-dev-bench/bench/engine/lru"
)

// Evict removes images that bench has built here, least recently used first,
// until the rest of them takes no more than a budget of bytes. It never removes
// what is kept (nil keeps nothing), or what a process of bench or a container
// uses; so it does least harm once this process has made its images, and uses
// them. It returns what it has removed, also beside an error.
func (d *Driver) Evict(ctx context.Context, budget int64, keep func(id string) bool) ([]Thing, error) {
	built, err := d.listImages(ctx, labelBuilder+"="+d.session.owner)
	if err != nil {
		return nil, err
	}
	var most int64 // what images share is in it more than once
	for _, s := range built {
		most += s.Size
	}
	if most <= budget {
		return nil, nil
	}
	all, err := d.Images(ctx, false, keep)
	if err != nil {
		return nil, err
	}
	items := make([]lru.Item, len(all))
	for i, t := range all {
		items[i] = lru.Item{Size: t.Size, Used: t.Used, Kept: t.InUse}
	}
	var removed []Thing
	for _, i := range lru.Victims(items, budget) {
		switch err := d.Remove(ctx, all[i]); {
		case errors.Is(err, ErrInUse):
		case err != nil:
			return removed, err
		default:
			removed = append(removed, all[i])
		}
	}
	return removed, nil
}

// Images lists the images that bench has built, in the order in which they can be
// removed, least recently used first. They are those of this user on this
// machine, or everyone's on the engine: whether processes of others use theirs
// cannot be seen from here. What is kept counts as in use; nil keeps nothing.
func (d *Driver) Images(ctx context.Context, everyones bool, keep func(id string) bool) ([]Thing, error) {
	label := labelBuilder + "=" + d.session.owner
	if everyones {
		label = labelImage
	}
	built, err := d.listImages(ctx, label)
	if err != nil || len(built) == 0 {
		return nil, err
	}
	all, err := d.listImages(ctx, "")
	if err != nil {
		return nil, err
	}
	busy, err := d.imagesOfContainers(ctx)
	if err != nil {
		return nil, err
	}
	var nodes []*node
	for _, s := range all {
		n := &node{Thing: Thing{Kind: KindImage, ID: s.ID, Name: nameOf(s), Size: s.Size, Used: time.Unix(s.Created, 0)}}
		n.tags = slices.DeleteFunc(slices.Clone(s.RepoTags), func(tag string) bool { return tag == unnamed })
		n.ours = onlyOurs(s.RepoTags) && slices.ContainsFunc(built, func(b image.Summary) bool { return b.ID == s.ID })
		if at, known := d.images.used(s.ID); known {
			n.Used = at
		}
		n.InUse = !n.ours || busy[s.ID] || keep != nil && keep(s.ID) || d.images.inUse(s.ID)
		inspected, err := d.client.ImageInspect(ctx, s.ID)
		if gone(err) {
			continue
		}
		if err != nil {
			return nil, wrap("inspecting an image", err)
		}
		n.layers = inspected.RootFS.Layers
		nodes = append(nodes, n)
	}
	return stack(nodes), nil
}

// A node is an image, with the layers that it is made of.
type node struct {
	Thing
	ours   bool
	layers []string
}

// stack finds out which image is laid over which, and lists ours so that each
// comes before the one below it. As long as an image is there, so are all of its
// layers: whatever is below one that was used was used as well.
func stack(nodes []*node) []Thing {
	slices.SortStableFunc(nodes, func(a, b *node) int {
		return cmp.Or(cmp.Compare(len(a.layers), len(b.layers)), compareBool(a.ours, b.ours))
	})
	top := map[string]*node{} // by all layers below, itself included
	below := map[*node]*node{}
	for _, n := range nodes {
		for k := len(n.layers); k > 0 && below[n] == nil; k-- {
			below[n] = top[strings.Join(n.layers[:k], " ")]
		}
		if all := strings.Join(n.layers, " "); top[all] == nil {
			top[all] = n
		}
	}
	for _, n := range slices.Backward(nodes) {
		if under := below[n]; under != nil {
			n.Size = max(0, n.Size-under.Size) // under still has its whole size: it comes later
			under.InUse = under.InUse || n.InUse
			if n.Used.After(under.Used) {
				under.Used = n.Used
			}
		}
	}
	var out []Thing
	for _, n := range slices.Backward(nodes) {
		if n.ours {
			out = append(out, n.Thing)
		}
	}
	slices.SortStableFunc(out, func(a, b Thing) int { return a.Used.Compare(b.Used) })
	return out
}

func compareBool(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// listImages lists images that have a label; with "", all.
func (d *Driver) listImages(ctx context.Context, label string) ([]image.Summary, error) {
	var o client.ImageListOptions
	if label != "" {
		o.Filters = make(client.Filters).Add("label", label)
	}
	r, err := d.client.ImageList(ctx, o)
	return r.Items, wrap("listing images", err)
}

// imagesOfContainers are the ids of images from which there are containers,
// running or not.
func (d *Driver) imagesOfContainers(ctx context.Context) (map[string]bool, error) {
	all, err := d.client.ContainerList(ctx, client.ContainerListOptions{All: true})
	if err != nil {
		return nil, wrap("listing containers", err)
	}
	out := map[string]bool{}
	for _, c := range all.Items {
		out[c.ImageID] = true
	}
	return out, nil
}

// onlyOurs reports whether nobody gave an image a name but bench. Labels are
// inherited by what others build over it.
func onlyOurs(tags []string) bool {
	return !slices.ContainsFunc(tags, func(tag string) bool {
		return !strings.HasPrefix(tag, builtRepo) && !strings.HasPrefix(tag, baseRepo+":") && tag != unnamed
	})
}

// unnamed is how older engines write that an image has no name.
const unnamed = "<none>:<none>"

// nameOf is what people call an image.
func nameOf(s image.Summary) string {
	for _, tag := range s.RepoTags {
		if strings.HasPrefix(tag, builtRepo) {
			return tag
		}
	}
	return strings.TrimPrefix(s.ID, "sha256:")[:12]
}
