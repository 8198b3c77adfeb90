package plan

import (
	"cmp"
	"fmt"
	"path"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/digest"
)

// assets makes the steps of assets: one for each content, or for each way of
// making a stand-in.
type assets struct {
	images *images
	wanted engine.Variant
	cases  map[*engine.Case][]*engine.AssetStep
	byKey  map[engine.Digest]*engine.AssetStep
	ids    map[engine.StepID]bool // since two assets may share a name
}

func newAssets(i *images, wanted engine.Variant) *assets {
	return &assets{i, wanted, map[*engine.Case][]*engine.AssetStep{}, map[engine.Digest]*engine.AssetStep{}, map[engine.StepID]bool{}}
}

// of gives the assets of a case, in its order.
func (a *assets) of(c *engine.Case) []*engine.AssetStep {
	steps, ok := a.cases[c]
	if !ok {
		for _, one := range c.Assets {
			steps = append(steps, a.step(c, one))
		}
		a.cases[c] = steps
	}
	return steps
}

func (a *assets) step(c *engine.Case, one *engine.Asset) *engine.AssetStep {
	step := &engine.AssetStep{ID: engine.StepID("asset:" + one.Name), Asset: one, Case: c, Variant: one.VariantOf(a.wanted)}
	if step.Variant == engine.VariantFull {
		step.Key = digest.NewKey(assetProtocol).AddSum("sha256", one.SHA256).Key()
	} else {
		image := a.images.of(c.Sandbox, nil)
		step.Image, step.Key = image.ID, fixtureKey(c, one, image.Key.Sum)
	}
	if same, ok := a.byKey[step.Key.Sum]; ok {
		return same
	}
	if a.ids[step.ID] {
		step.ID += engine.StepID("-" + step.Key.Sum.Short())
	}
	a.ids[step.ID] = true
	a.byKey[step.Key.Sum] = step
	return step
}

// variant is that of a trial of a case.
func (a *assets) variant(c *engine.Case) engine.Variant {
	out := engine.Variant("")
	for _, s := range a.of(c) {
		if out = cmp.Or(out, s.Variant); s.Variant == engine.VariantMini {
			out = s.Variant
		}
	}
	return out
}

// checkAssets reports assets without a stand-in where stand-ins are wanted: what
// is used instead must not depend on who has a network.
func (b *builder) checkAssets(cells []*cell) {
	if b.options.Assets != engine.VariantMini {
		return
	}
	seen := map[*engine.Case]bool{}
	for _, c := range cells {
		if seen[c.c] {
			continue
		}
		seen[c.c] = true
		for _, a := range c.c.Assets {
			if a.Fixture == nil {
				b.report(engine.SeverityError, "V26", a.Pos, fmt.Sprintf("asset %q of case %s has no fixture", a.Name, c.c.Name),
					"With --assets mini, cases get what fixtures make. Give it one, leave the case out with --case '!%s', or use --assets full.", c.c.Name)
			}
		}
	}
}

// fixtureKey: what decides what a fixture writes, where it writes to, and as whom.
func fixtureKey(c *engine.Case, a *engine.Asset, image engine.Digest) engine.Key {
	b := digest.NewKey(assetProtocol).
		Add("name", path.Base(a.Target)).
		AddSum("sandbox.image", image).
		AddJSON("sandbox.user", c.Sandbox.User)
	addScript(b, "fixture", a.Fixture)
	addEnv(b, "sandbox", c.Sandbox.Env)
	return b.Key()
}
