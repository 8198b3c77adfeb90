package plan

import (
	"slices"
	"strconv"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// makeSteps finds out what the trials still need, and adds the steps for it.
// Trials with equal keys share their steps; the work is done if one of them
// needs it.
func (b *builder) makeSteps(cells []*cell) {
	images := newImages()
	assets := newAssets(images, b.options.Assets)
	s := &stepper{
		builder: b, images: images, assets: assets, keys: newKeys(images, assets, b.plan.Driver), planned: map[engine.StepID]bool{}, lints: map[engine.StepID]*engine.LintStep{},
		runs: make(map[engine.Digest]*engine.RunStep, len(b.plan.Trials)),
	}
	at := 0
	for _, c := range cells {
		text := c.id().Cell() // made once, since there may be many trials
		for range c.size() {
			// The trial alone is the beginning of the lists of its steps.
			s.assign(b.plan.Trials[at:at+1:at+1], text)
			at++
		}
	}
	need := 0
	for _, t := range b.plan.Trials {
		if mustCheck(t) {
			need++
		}
	}
	b.plan.Steps = make([]engine.Step, 0, 2*need)
	for _, t := range b.plan.Trials {
		s.addSteps(t)
	}
}

type stepper struct {
	*builder
	images  *images
	assets  *assets
	keys    *keys
	runs    map[engine.Digest]*engine.RunStep
	planned map[engine.StepID]bool             // images and assets
	lints   map[engine.StepID]*engine.LintStep // that are planned, by their id
}

// assign gives a trial the steps of its work, which other trials may have too,
// and compares it with what is stored.
func (s *stepper) assign(alone []*engine.Trial, cell string) {
	t := alone[0]
	t.Assets = s.assets.variant(t.Case)
	key := s.keys.run(t)
	t.Run = s.runs[key.Sum]
	if t.Run == nil {
		image := s.images.of(t.Case.Sandbox, t.Agent)
		t.Run = &engine.RunStep{ID: stepID("run:", cell, t.ID.N), Key: key, Image: image.ID, Lint: lintID(image), Assets: s.assets.of(t.Case), Trials: alone}
		for _, v := range t.Case.Sandbox.Services {
			t.Run.Services = append(t.Run.Services, s.images.service(t.Case.Sandbox, v).ID)
		}
		s.runs[key.Sum] = t.Run
	} else {
		t.Run.Trials = append(t.Run.Trials, t)
	}
	key = s.keys.check(t.Case, key.Sum)
	for _, other := range t.Run.Trials {
		if other != t && other.Check.Key.Sum == key.Sum {
			t.Check = other.Check
			t.Check.Trials = append(t.Check.Trials, t)
			break
		}
	}
	if t.Check == nil {
		t.Check = &engine.CheckStep{ID: stepID("check:", cell, t.ID.N), Key: key, Run: t.Run.ID, Image: s.images.of(t.Case.Sandbox, nil).ID, Assets: t.Run.Assets, Trials: alone}
	}
	t.Reuse = s.reuse(t)
}

func stepID(kind, cell string, n int) engine.StepID {
	return engine.StepID(kind + cell + "#" + strconv.Itoa(n))
}

// addSteps adds the steps of which the trial is the first, after those that they
// need.
func (s *stepper) addSteps(t *engine.Trial) {
	if t.Run.Trials[0] == t && slices.ContainsFunc(t.Run.Trials, mustRun) {
		for _, other := range t.Run.Trials {
			if mustCheck(other) && other.Reuse.Attempt != nil { // there will be newer work to grade
				other.Reuse = engine.Reuse{Sign: engine.SignAgain}
			}
		}
		s.addInputs(t.Case)
		s.addLint(s.images.of(t.Case.Sandbox, t.Agent), t.Case)
		for _, v := range t.Case.Sandbox.Services {
			s.add(s.images.service(t.Case.Sandbox, v))
		}
		s.plan.Steps = append(s.plan.Steps, t.Run)
	}
	if t.Check.Trials[0] == t && slices.ContainsFunc(t.Check.Trials, mustCheck) {
		s.addInputs(t.Case)
		s.plan.Steps = append(s.plan.Steps, t.Check)
	}
}

func mustRun(t *engine.Trial) bool { return mustCheck(t) && t.Reuse.Attempt == nil }

func mustCheck(t *engine.Trial) bool { return t.Reuse.Sign != engine.SignSame }

// addInputs adds what both halves of a trial need: the image of the case, and its
// assets.
func (s *stepper) addInputs(c *engine.Case) {
	s.add(s.images.of(c.Sandbox, nil))
	for _, a := range s.assets.of(c) {
		if a.Variant == engine.VariantMini {
			s.add(s.images.of(a.Case.Sandbox, nil))
		}
		s.add(a)
	}
}

func (s *stepper) add(step engine.Step) {
	if !s.planned[step.StepID()] {
		s.planned[step.StepID()] = true
		s.plan.Steps = append(s.plan.Steps, step)
	}
}

// addLint adds an image in which an agent works on a case, and the look at it.
func (s *stepper) addLint(image *engine.ImageStep, c *engine.Case) {
	s.add(image)
	id := lintID(image)
	step := s.lints[id]
	if step == nil {
		step = &engine.LintStep{ID: id, Key: lintKey(image), Image: image}
		s.lints[id] = step
		s.plan.Steps = append(s.plan.Steps, step)
	}
	if !slices.Contains(step.Cases, c) {
		step.Cases = append(step.Cases, c)
	}
}

func lintID(image *engine.ImageStep) engine.StepID {
	return "lint:" + engine.StepID(strings.TrimPrefix(string(image.ID), "image:"))
}
