package main

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/ml-dev-bench/bench/engine"
	"github.com/ml-dev-bench/bench/engine/asset"
	"github.com/ml-dev-bench/bench/engine/lru"
	"github.com/ml-dev-bench/bench/engine/plan"
	"github.com/ml-dev-bench/bench/engine/store"
)

// variant is the variant of assets that --assets or BENCH_ASSETS asks for.
func variant(flag string) (engine.Variant, error) {
	from := "--assets"
	if flag == "" {
		from, flag = "BENCH_ASSETS", os.Getenv("BENCH_ASSETS")
	}
	v := cmp.Or(engine.Variant(flag), engine.VariantFull)
	if v != engine.VariantFull && v != engine.VariantMini {
		return "", fmt.Errorf("%s is %q: write full for the real assets, or mini for the small stand-ins that fixtures make", from, flag)
	}
	return v, nil
}

// assetsDir is where assets are kept for all projects of this user.
func assetsDir() (string, error) {
	dir := os.Getenv("BENCH_CACHE_DIR")
	if dir == "" {
		base, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("assets have no place: %w; set BENCH_CACHE_DIR", err)
		}
		dir = filepath.Join(base, "bench")
	}
	return filepath.Join(dir, "assets"), nil
}

func openAssets() (*asset.Cache, error) {
	dir, err := assetsDir()
	if err != nil {
		return nil, err
	}
	return asset.Open(asset.Options{Dir: dir}), nil
}

// describeAssets says how many assets a plan fetches or makes, or finds in the
// cache.
func describeAssets(p *engine.Plan) string {
	count := map[engine.Variant]int{}
	for _, s := range p.Steps {
		if a, ok := s.(*engine.AssetStep); ok {
			count[a.Variant]++
		}
	}
	var parts []string
	for _, v := range []engine.Variant{engine.VariantFull, engine.VariantMini} {
		if n := count[v]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, v))
		}
	}
	return strings.Join(parts, ", ")
}

// assetAge is for how long an asset that nobody uses is kept: an image can be
// built again from what is here, but an asset has to be fetched.
const assetAge = 30 * 24 * time.Hour

func (c *cleaner) cleanAssets() error {
	cache, err := openAssets()
	if err != nil {
		return err
	}
	all, err := cache.List()
	if err != nil {
		return err
	}
	items := make([]lru.Item, len(all))
	for i, s := range all {
		young := !c.assets && c.olderThan == 0 && c.budget == 0 && c.now.Sub(s.Used) < assetAge
		items[i] = lru.Item{Size: s.Size, Used: s.Used, Kept: s.InUse || young}
	}
	for _, i := range c.choose(items) {
		if err := c.remove("asset", all[i].Name, all[i].Size, func() error { return cache.Remove(all[i]) }); err != nil {
			return err
		}
	}
	return nil
}

// neededBy tells the attempts that a suite makes use of, with whichever variant
// of assets. The plan of w is the one with full assets.
func neededBy(w *work) func(*engine.Stored) bool {
	full := store.Reused(w.plan)
	o := plan.Options{Assets: engine.VariantMini, AllowEmpty: true}
	for _, c := range w.suite.Cases {
		for _, a := range c.Assets {
			if a.Fixture == nil {
				o.Select.Cases = append(o.Select.Cases, "!"+c.Name)
				break
			}
		}
	}
	p, _ := plan.New(w.suite, w.results, o)
	if p == nil {
		return full
	}
	mini := store.Reused(p)
	return func(s *engine.Stored) bool { return full(s) || mini(s) }
}

// judgeAssets says what the cache of assets takes.
func judgeAssets(f *facts) finding {
	if f.noAssets != nil {
		return finding{levelWarn, "assets", "not checked: " + firstLine(f.noAssets), ""}
	}
	var sum int64
	for _, s := range f.assets {
		sum += s.Size
	}
	return finding{Level: levelOK, Check: "assets", Text: fmt.Sprintf("%s stored, %s", plural(len(f.assets), "asset"), formatSize(sum))}
}

// listAssets finds out what is stored of assets.
func listAssets() ([]asset.Stored, error) {
	cache, err := openAssets()
	if err != nil {
		return nil, err
	}
	all, err := cache.List()
	return all, errors.Join(err, cache.Close())
}
