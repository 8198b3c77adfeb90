package plan

import (
	"github.com/ml-dev-bench/bench/engine"
)

// images makes the steps of images: one for each definition, and one for each
// layer of an agent over such an image.
type images struct {
	steps map[place]*engine.ImageStep
	byKey map[engine.Digest]*engine.ImageStep
	ids   map[engine.StepID]bool // since two sandboxes may share a name
}

// A place is the image of a sandbox, with the layer of an agent if it has one.
type place struct {
	sandbox *engine.Sandbox
	agent   *engine.Agent
	service *engine.Service // the image is that of a service of the sandbox
}

func newImages() *images {
	return &images{map[place]*engine.ImageStep{}, map[engine.Digest]*engine.ImageStep{}, map[engine.StepID]bool{}}
}

// of gives the image in which an agent works; with nil, the one of the sandbox
// itself.
func (i *images) of(s *engine.Sandbox, a *engine.Agent) *engine.ImageStep {
	if a != nil && a.Layer == nil {
		a = nil
	}
	at := place{sandbox: s, agent: a}
	if step, ok := i.steps[at]; ok {
		return step
	}
	step := &engine.ImageStep{ID: engine.StepID("image:" + s.Name), Image: s.Image, Sandbox: s}
	if a == nil {
		step.Key = imageKey(s.Image, s.Platform)
	} else {
		base := i.of(s, nil)
		step.ID += engine.StepID("+" + a.Name)
		step.Image = engine.Image{Build: a.Layer}
		step.Base, step.Agent = base.ID, a
		step.Key = layerKey(a, base.Key.Sum)
	}
	return i.add(at, step)
}

// service gives the image of a service.
func (i *images) service(s *engine.Sandbox, v *engine.Service) *engine.ImageStep {
	at := place{sandbox: s, service: v}
	if step, ok := i.steps[at]; ok {
		return step
	}
	return i.add(at, &engine.ImageStep{
		ID: engine.StepID("image:" + s.Name + "." + v.Name), Image: v.Image, Sandbox: s, Service: v, Key: imageKey(v.Image, s.Platform),
	})
}

// add gives the step that makes the image of a place: this one, or one that makes
// the same.
func (i *images) add(at place, step *engine.ImageStep) *engine.ImageStep {
	if same, ok := i.byKey[step.Key.Sum]; ok {
		step = same
	} else {
		if i.ids[step.ID] {
			step.ID += engine.StepID("-" + step.Key.Sum.Short())
		}
		i.ids[step.ID] = true
		i.byKey[step.Key.Sum] = step
	}
	i.steps[at] = step
	return step
}
