package plan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/ml-dev-bench/bench/engine"
)

// replays reports whether a trial gets the answers of a recording: its agent asks
// a model, and that is one of a cassette.
func replays(t *engine.Trial) bool {
	asks := t.Agent.Builtin == engine.BuiltinNone || t.Agent.Builtin == engine.BuiltinReact
	return asks && t.Model != nil && t.Model.Provider.Mode == engine.ModeReplay
}

// recordingOf is the file with the answers for a trial that replays; nil if there
// is none, and then there is no plan.
func recordingOf(t *engine.Trial) *engine.TreeEntry { return inCassette(t, t.ID.Recording()) }

func inCassette(t *engine.Trial, name string) *engine.TreeEntry {
	tree := t.Model.Provider.Recordings
	if tree == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(tree.Entries, name, func(e engine.TreeEntry, name string) int { return strings.Compare(e.Path, name) })
	if !ok || !tree.Entries[i].Mode.IsRegular() {
		return nil
	}
	return &tree.Entries[i]
}

// checkRecordings reports trials that nobody has recorded, once for each provider.
func (b *builder) checkRecordings() {
	missing := map[*engine.Provider][]*engine.Trial{}
	var providers []*engine.Provider
	for _, t := range b.plan.Trials {
		if !replays(t) || recordingOf(t) != nil {
			continue
		}
		p := t.Model.Provider
		if missing[p] == nil {
			providers = append(providers, p)
		}
		missing[p] = append(missing[p], t)
	}
	for _, p := range providers {
		first, more := missing[p][0], len(missing[p])-1
		summary, others := fmt.Sprintf("trial %s was never recorded", first.ID), ""
		if more > 0 {
			summary, others = fmt.Sprintf("%d trials were never recorded", more+1), fmt.Sprintf(" for trial %s, and nothing for %d more", first.ID, more)
		}
		name := first.ID.Recording()
		what := ""
		if inCassette(first, name+".part") != nil {
			what = " Its recording was begun, and never finished."
		}
		b.report(engine.SeverityError, "V17", p.Pos, summary,
			"Provider %q replays, and there is no %s/%s%s.%s Run once with mode = \"record\" in the provider, or select other trials.", p.Name, p.Cassette, name, others, what)
	}
}
