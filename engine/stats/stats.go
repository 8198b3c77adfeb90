// Package stats adds up how trials ended: the numbers that gates and the console
// read as matrix.NAME.
//
//	m := stats.Summarize(trials)
//	fmt.Println(*m.PassRate, m.ByAgent["react"].Failed)
//
// It is pure and knows no domain but its own [Trial]. What is not known is nil,
// and null in JSON: never zero.
package stats

import (
	"maps"
	"math"
	"slices"
	"strconv"
)

// A Trial is what statistics need of one. It counts with its last attempt, also in
// what it took: what was tried before that says nothing of an agent.
type Trial struct {
	Cell     string // trials of a cell differ in nothing but their number
	Case     string
	Category string
	Agent    string
	Model    string // empty for none
	Tags     []string
	Axes     map[string]string
	Status   string // "passed", "failed", "errored", "skipped" or "cancelled"
	Reason   string
	Score    *float64 // 0 to 1
	Seconds  *float64 // of the agent at work
	Cost     *float64 // USD
	Tokens   *Tokens  // of its models
	Requests *int64   // to them
	Turns    *int64   // of these
	Metrics  map[string]Metric
}

// A Metric is a number that a check reported.
type Metric struct {
	Value float64
	Unit  string
}

// A Group is what is known of some trials together.
type Group struct {
	Complete  bool               `json:"complete"`
	Trials    int                `json:"trials"`
	Passed    int                `json:"passed"`
	Failed    int                `json:"failed"`
	Errored   int                `json:"errored"`
	Skipped   int                `json:"skipped"`
	Cancelled int                `json:"cancelled"`
	PassRate  *float64           `json:"pass_rate"`
	Score     *float64           `json:"score"`
	CI        *Interval          `json:"ci"`
	PassAt    map[string]float64 `json:"pass_at"`
	PassAll   map[string]float64 `json:"pass_all"`
	Cost      *float64           `json:"cost"`
	Tokens    *Tokens            `json:"tokens"`
	Requests  *int64             `json:"requests"`
	Turns     *int64             `json:"turns"`
	Duration  Duration           `json:"duration"`
	Metrics   map[string]Spread  `json:"metrics"`
	Errors    map[string]int     `json:"errors"`
	Limits    map[string]int     `json:"limits"`
}

// An Interval is a range that holds a value with 95 % confidence.
type Interval struct {
	Low  float64 `json:"low"`
	High float64 `json:"high"`
}

// Tokens counts what went to models and came back.
type Tokens struct {
	Input  int64 `json:"input"` // all of it
	Output int64 `json:"output"`
	Cached int64 `json:"cached"` // of the input: what came from a cache, as far as providers tell
	Total  int64 `json:"total"`
}

// Duration is in seconds; its quantiles are over the trials of which it is known.
type Duration struct {
	P50   *float64 `json:"p50"`
	P95   *float64 `json:"p95"`
	Total *float64 `json:"total"`
}

// A Spread sums up one metric over the trials that have it.
type Spread struct {
	Mean  float64  `json:"mean"`
	Min   float64  `json:"min"`
	Max   float64  `json:"max"`
	Total float64  `json:"total"`
	Std   *float64 `json:"std"` // of the sample; nil for a single trial
	N     int      `json:"n"`
	Unit  *string  `json:"unit"` // nil if trials differ in it
}

// A Matrix is a group with its subgroups.
type Matrix struct {
	Group
	ByAgent    map[string]Group            `json:"by_agent"`
	ByModel    map[string]Group            `json:"by_model"`
	ByCase     map[string]Group            `json:"by_case"`
	ByTag      map[string]Group            `json:"by_tag"`
	ByCategory map[string]Group            `json:"by_category"`
	ByAxis     map[string]map[string]Group `json:"by_axis"`
}

// Summarize adds up the trials of a matrix.
func Summarize(trials []Trial) Matrix {
	m := Matrix{
		Group:      group(trials),
		ByAgent:    by(trials, func(t Trial) []string { return []string{t.Agent} }),
		ByModel:    by(trials, func(t Trial) []string { return some(t.Model) }),
		ByCase:     by(trials, func(t Trial) []string { return []string{t.Case} }),
		ByTag:      by(trials, func(t Trial) []string { return t.Tags }),
		ByCategory: by(trials, func(t Trial) []string { return []string{t.Category} }),
		ByAxis:     map[string]map[string]Group{},
	}
	for _, t := range trials {
		for axis := range t.Axes {
			if m.ByAxis[axis] == nil {
				m.ByAxis[axis] = by(trials, func(t Trial) []string { return some(t.Axes[axis]) })
			}
		}
	}
	return m
}

func some(s string) []string {
	if s == "" {
		return nil
	}
	return []string{s}
}

func by(trials []Trial, names func(Trial) []string) map[string]Group {
	parts := map[string][]Trial{}
	for _, t := range trials {
		for _, n := range names(t) {
			parts[n] = append(parts[n], t)
		}
	}
	out := map[string]Group{}
	for n, part := range parts {
		out[n] = group(part)
	}
	return out
}

func group(trials []Trial) Group {
	g := Group{Trials: len(trials), Errors: map[string]int{}, Limits: map[string]int{}}
	var scores, seconds, costs []float64
	for _, t := range trials {
		g.count(t)
		if t.verdict() && t.Score != nil {
			scores = append(scores, *t.Score)
		}
		if t.Seconds != nil {
			seconds = append(seconds, *t.Seconds)
		}
		if t.Cost != nil {
			costs = append(costs, *t.Cost)
		}
	}
	g.Complete = g.Passed+g.Failed == g.Trials
	g.PassRate = ratio(g.Passed, g.Passed+g.Failed)
	if len(scores) > 0 {
		g.Score = new(sum(scores) / float64(len(scores)))
	}
	if len(costs) == g.Trials && g.Trials > 0 {
		g.Cost = new(sum(costs))
	}
	if len(seconds) > 0 {
		slices.Sort(seconds)
		g.Duration = Duration{new(quantile(seconds, 0.5)), new(quantile(seconds, 0.95)), new(sum(seconds))}
	}
	g.Tokens = tokens(trials)
	g.Requests = counted(trials, func(t Trial) *int64 { return t.Requests })
	g.Turns = counted(trials, func(t Trial) *int64 { return t.Turns })
	g.PassAt, g.PassAll = passes(trials)
	g.Metrics = metrics(trials)
	return g
}

// counted adds up what is known of every trial; nil if it is not, or if there is none.
func counted(trials []Trial, of func(Trial) *int64) *int64 {
	total := int64(0)
	for _, t := range trials {
		n := of(t)
		if n == nil {
			return nil
		}
		total += *n
	}
	if len(trials) == 0 {
		return nil
	}
	return &total
}

// tokens adds up tokens by the rule of counted.
func tokens(trials []Trial) *Tokens {
	var out Tokens
	for _, t := range trials {
		if t.Tokens == nil {
			return nil
		}
		out.Input += t.Tokens.Input
		out.Output += t.Tokens.Output
		out.Cached += t.Tokens.Cached
		out.Total += t.Tokens.Total
	}
	if len(trials) == 0 {
		return nil
	}
	return &out
}

func (t Trial) verdict() bool { return t.Status == "passed" || t.Status == "failed" }

func (g *Group) count(t Trial) {
	switch t.Status {
	case "passed":
		g.Passed++
	case "failed":
		g.Failed++
		if len(t.Reason) > 6 && t.Reason[:6] == "limit_" {
			g.Limits[t.Reason]++
		}
	case "errored":
		g.Errored++
		g.Errors[t.Reason]++
	case "skipped":
		g.Skipped++
	case "cancelled":
		g.Cancelled++
	default:
		panic("stats: " + t.Status + " is not a status")
	}
}

func ratio(part, whole int) *float64 {
	if whole == 0 {
		return nil
	}
	return new(float64(part) / float64(whole))
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

// quantile interpolates between the two nearest of sorted values (type 7 of
// Hyndman and Fan, 1996, as R and NumPy do by default).
func quantile(sorted []float64, q float64) float64 {
	at := q * float64(len(sorted)-1)
	low := int(math.Floor(at))
	high := min(low+1, len(sorted)-1)
	return sorted[low] + (at-float64(low))*(sorted[high]-sorted[low])
}

// passes estimates, for each k up to the fewest verdicts of a cell, how likely
// at least one of k trials passes, and how likely all of them do: the mean over
// the cells of the unbiased estimators 1 - C(n-c,k)/C(n,k) (Chen et al., 2021,
// arXiv 2107.03374) and C(c,k)/C(n,k) (Yao et al., 2024, arXiv 2406.12045), of
// n trials of which c passed.
func passes(trials []Trial) (at, all map[string]float64) {
	type cell struct{ n, passed int }
	cells := map[string]*cell{}
	for _, t := range trials {
		if cells[t.Cell] == nil {
			cells[t.Cell] = &cell{}
		}
		if t.verdict() {
			cells[t.Cell].n++
		}
		if t.Status == "passed" {
			cells[t.Cell].passed++
		}
	}
	fewest := math.MaxInt
	for _, c := range cells {
		fewest = min(fewest, c.n)
	}
	at, all = map[string]float64{}, map[string]float64{}
	if len(cells) == 0 {
		return at, all
	}
	for k := 1; k <= fewest; k++ {
		var one, every float64
		for _, name := range slices.Sorted(maps.Keys(cells)) {
			c := cells[name]
			one += 1 - choose(c.n-c.passed, c.n, k)
			every += choose(c.passed, c.n, k)
		}
		key := strconv.Itoa(k)
		at[key], all[key] = one/float64(len(cells)), every/float64(len(cells))
	}
	return at, all
}

// choose is C(m,k)/C(n,k): how likely k of n things are all among m of them.
func choose(m, n, k int) float64 {
	p := 1.0
	for i := range k {
		p *= max(0, float64(m-i)) / float64(n-i)
	}
	return p
}

func metrics(trials []Trial) map[string]Spread {
	values := map[string][]Metric{}
	for _, t := range trials {
		for name, m := range t.Metrics {
			values[name] = append(values[name], m)
		}
	}
	out := map[string]Spread{}
	for name, all := range values {
		out[name] = spread(all)
	}
	return out
}

func spread(all []Metric) Spread {
	s := Spread{Min: math.Inf(1), Max: math.Inf(-1), N: len(all), Unit: new(all[0].Unit)}
	for _, m := range all {
		s.Min, s.Max, s.Total = min(s.Min, m.Value), max(s.Max, m.Value), s.Total+m.Value
		if s.Unit != nil && m.Unit != *s.Unit {
			s.Unit = nil
		}
	}
	s.Mean = s.Total / float64(s.N)
	if s.N > 1 {
		var squares float64
		for _, m := range all {
			squares += (m.Value - s.Mean) * (m.Value - s.Mean)
		}
		s.Std = new(math.Sqrt(squares / float64(s.N-1)))
	}
	return s
}
